package servertest_test

import (
	"testing"

	"golang.org/x/oauth2"

	"authy/server/registry"
	"authy/server/servertest"
)

// RFC 9864, section 2.2: an algorithm that is spelled out is the one that it always was.
func TestAClientMayCallItsAlgorithmEd25519(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	for registered, mayBe := range map[string]map[string]bool{
		"":        {"EdDSA": true, "Ed25519": true},
		"EdDSA":   {"EdDSA": true, "Ed25519": true},
		"Ed25519": {"EdDSA": false, "Ed25519": true},
		"ES256":   {"EdDSA": false, "Ed25519": false},
	} {
		a := newKeyApp(t, s, "of-"+registered, "EdDSA", func(in *registry.Registration) {
			in.Options.AuthAlg, in.Options.RequestAlg = registered, registered
		})
		for alg, good := range mayBe {
			a.alg = alg
			r := a.post(t, s, tokenPath, nobodysToken)
			if !good {
				refusedClient(t, r)
				continue
			}
			r.let(t, alg+" registered as "+registered)
			verifier := oauth2.GenerateVerifier()
			form := a.outer("request", a.sign(t, objectOf(a.request(verifier))))
			code := granted(t, s, browser, a.app, form)
			a.post(t, s, tokenPath, a.redemption(code, verifier)).tokens(t)
		}
	}
}
