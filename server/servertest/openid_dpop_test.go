package servertest_test

import (
	"net/http"
	"net/url"
	"testing"

	"authy/server/servertest"
)

// proving is a change that adds a proof to what another change does.
func proving(proof string, then func(*http.Request)) func(*http.Request) {
	return func(r *http.Request) {
		if then != nil {
			then(r)
		}
		r.Header["DPoP"] = []string{proof}
	}
}

// prove asks for tokens with a proof; pairs change its claims.
func (a app) prove(
	t *testing.T, s *servertest.Server, key *servertest.Prover, form url.Values, pairs ...any,
) reply {
	t.Helper()
	proof := key.Sign(t, servertest.Claims(http.MethodPost, s.URL+tokenPath, pairs...))
	if a.secret == "" {
		return send(t, s, tokenPath, with(form, "client_id", a.id), proving(proof, nil))
	}
	return send(t, s, tokenPath, form, proving(proof, a.basic))
}

// presented asks for userinfo by the scheme DPoP; pairs change the proof's claims.
func presented(t *testing.T, s *servertest.Server, key *servertest.Prover, token string, pairs ...any) reply {
	t.Helper()
	claims := servertest.Claims(http.MethodGet, s.URL+userinfoPath, append([]any{"ath", servertest.TokenHash(token)}, pairs...)...)
	return raw(t, http.MethodGet, s.URL+userinfoPath, "", proving(key.Sign(t, claims), func(r *http.Request) {
		r.Header.Set("Authorization", "DPoP "+token)
	}))
}

// boundBy gets a token that is bound to a key of an algorithm, and uses it.
func boundBy(t *testing.T, s *servertest.Server, a app, alg string) {
	t.Helper()
	key := servertest.NewProver(t, alg)
	r := a.prove(t, s, key, url.Values{"grant_type": {"client_credentials"}})
	got := r.tokens(t)
	_, claims := claimsOf(t, got.Access)
	cnf, _ := claims["cnf"].(map[string]any)
	if cnf["jkt"] != key.Thumbprint(t) || r.fields["token_type"] != "DPoP" {
		t.Errorf("%s: %s with cnf %v, want DPoP and the thumbprint of the key", alg, r.fields["token_type"], cnf)
	}
	if r.header.Get("DPoP-Nonce") == "" {
		t.Errorf("%s: no nonce was offered", alg)
	}
}
