package servertest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"authy/server/registry"
	"authy/server/servertest"
)

// triesAssertions tries every algorithm that an endpoint advertises, with the method that it
// belongs to.
func triesAssertions(t *testing.T, s *servertest.Server, ad advertised) {
	t.Helper()
	const secret = "a shared secret that is as long as the longest hash, 64 bytes at least"
	form := url.Values{"token": {"x"}, "grant_type": {"refresh_token"}, "refresh_token": {"x"}}
	apps := map[string]keyApp{}
	for endpoint, path := range map[string]string{"token": tokenPath, "revocation": revokePath, "introspection": introspectPath} {
		algs := ad.list(endpoint + "_endpoint_auth_signing_alg_values_supported")
		if len(algs) != 13 {
			t.Errorf("%s: %d algorithms are advertised, want 13", endpoint, len(algs))
		}
		for _, alg := range algs {
			a, known := apps[alg]
			if !known && strings.HasPrefix(alg, "HS") {
				a = keyApp{register(t, s, registry.Registration{
					ClientID: "by-" + alg, Name: alg, Secret: secret, AuthMethod: "client_secret_jwt", Options: registry.Options{AuthAlg: alg},
				}), signer{alg: alg, key: []byte(secret)}}
			} else if !known {
				a = newKeyApp(t, s, "by-"+alg, alg, func(in *registry.Registration) { in.Options.AuthAlg = alg })
			}
			apps[alg] = a
			if r := a.post(t, s, path, form); r.status == http.StatusUnauthorized {
				t.Errorf("%s by %s: %d %s", path, alg, r.status, r.body)
			}
		}
	}
}
