package servertest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"authy/server/dpop/dpoptest"
	"authy/server/registry"
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
	t *testing.T, s *servertest.Server, key *dpoptest.Prover, form url.Values, pairs ...any,
) reply {
	t.Helper()
	proof := key.Sign(t, dpoptest.Claims(http.MethodPost, s.URL+tokenPath, pairs...))
	if a.secret == "" {
		return send(t, s, tokenPath, with(form, "client_id", a.id), proving(proof, nil))
	}
	return send(t, s, tokenPath, form, proving(proof, a.basic))
}

// presented asks for userinfo by the scheme DPoP; pairs change the proof's claims.
func presented(t *testing.T, s *servertest.Server, key *dpoptest.Prover, token string, pairs ...any) reply {
	t.Helper()
	claims := dpoptest.Claims(http.MethodGet, s.URL+userinfoPath, append([]any{"ath", dpoptest.TokenHash(token)}, pairs...)...)
	return raw(t, http.MethodGet, s.URL+userinfoPath, "", proving(key.Sign(t, claims), func(r *http.Request) {
		r.Header.Set("Authorization", "DPoP "+token)
	}))
}

// boundBy gets a token that is bound to a key of an algorithm, and uses it.
func boundBy(t *testing.T, s *servertest.Server, a app, alg string) {
	t.Helper()
	key := dpoptest.NewProver(t, alg)
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

func TestABoundTokenIsGoodWithItsKeyAlone(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	key, thief := dpoptest.NewProver(t, "ES256"), dpoptest.NewProver(t, "ES256")
	browser := servertest.Browser(t)
	code, verifier := acmePortal.code(t, s, browser)
	r := acmePortal.prove(t, s, key, acmePortal.redemption(code, verifier))
	bound := r.tokens(t)
	if r.text("token_type") != "DPoP" {
		t.Errorf("token_type %q, want DPoP", r.text("token_type"))
	}
	free := acmePortal.tokens(t, s, browser)
	told := acmePortal.introspect(t, s, bound.Access).fields
	if cnf, _ := told["cnf"].(map[string]any); cnf["jkt"] != key.Thumbprint(t) || told["token_type"] != "DPoP" {
		t.Errorf("introspection %v, want DPoP and the thumbprint of the key", told)
	}
	if r := presented(t, s, key, bound.Access); r.status != http.StatusOK || r.header.Get("DPoP-Nonce") == "" {
		t.Errorf("userinfo with the key = %d %s, want 200 and a nonce", r.status, r.body)
	}
	for name, c := range map[string]struct {
		r    reply
		code string
	}{
		"as a Bearer token": {userinfo(t, s, bound.Access), "invalid_token"},
		"in a form": {raw(t, http.MethodPost, s.URL+userinfoPath, "access_token="+bound.Access, func(r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}), "invalid_token"},
		"without a proof":       {raw(t, http.MethodGet, s.URL+userinfoPath, "", func(r *http.Request) { r.Header.Set("Authorization", "DPoP "+bound.Access) }), "invalid_dpop_proof"},
		"with another key":      {presented(t, s, thief, bound.Access), "invalid_token"},
		"for another token":     {presented(t, s, key, bound.Access, "ath", dpoptest.TokenHash(free.Access)), "invalid_dpop_proof"},
		"for no token":          {presented(t, s, key, bound.Access, "ath", nil), "invalid_dpop_proof"},
		"for another method":    {presented(t, s, key, bound.Access, "htm", "POST"), "invalid_dpop_proof"},
		"for another address":   {presented(t, s, key, bound.Access, "htu", s.URL+tokenPath), "invalid_dpop_proof"},
		"of long ago":           {presented(t, s, key, bound.Access, "iat", 1), "use_dpop_nonce"},
		"a free one, with DPoP": {presented(t, s, key, free.Access), "invalid_token"},
	} {
		challenge := c.r.header.Get("WWW-Authenticate")
		if c.r.status != http.StatusUnauthorized || c.r.fields["error"] != c.code ||
			!strings.HasPrefix(challenge, "DPoP ") || !strings.Contains(challenge, `error="`+c.code+`"`) ||
			!strings.Contains(challenge, `algs="ES256 EdDSA Ed25519 PS256 RS256"`) {
			t.Errorf("%s: %d %s, %s, want 401, %s and a challenge of DPoP", name, c.r.status, c.r.body, challenge, c.code)
		}
	}
	bare := raw(t, http.MethodGet, s.URL+userinfoPath, "", nil)
	if both := bare.header.Values("WWW-Authenticate"); len(both) != 2 || !strings.HasPrefix(both[0], "Bearer") || !strings.HasPrefix(both[1], "DPoP") {
		t.Errorf("challenges %q, want Bearer and DPoP", both)
	}
	alive(t, s, free.Access, true)
}

func TestARefreshTokenIsBoundToTheKeyOfAPublicClientAndToAnyOther(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	key, other := dpoptest.NewProver(t, "ES256"), dpoptest.NewProver(t, "EdDSA")
	refresh := func(token string) url.Values {
		return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	}
	code, verifier := acmeMobile.code(t, s, servertest.Browser(t))
	public := acmeMobile.prove(t, s, key, acmeMobile.redemption(code, verifier)).tokens(t)
	acmeMobile.refresh(t, s, public.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
	acmeMobile.prove(t, s, other, refresh(public.Refresh)).refused(t, http.StatusBadRequest, "invalid_grant")
	next := acmeMobile.prove(t, s, key, refresh(public.Refresh)).tokens(t)
	acmeMobile.prove(t, s, other, refresh(next.Refresh)).refused(t, http.StatusBadRequest, "invalid_grant")
	if !recorded(t, s, "token.refreshed", "key_mismatch") {
		t.Error("nothing was recorded")
	}
	// One that began without a key is bound to the first that is proved.
	free := acmeMobile.tokens(t, s, servertest.Browser(t))
	bound := acmeMobile.prove(t, s, key, refresh(free.Refresh)).tokens(t)
	acmeMobile.refresh(t, s, bound.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
	acmeMobile.prove(t, s, key, refresh(bound.Refresh)).tokens(t)
	// A client with a secret may change its key.
	code, verifier = acmePortal.code(t, s, servertest.Browser(t))
	private := acmePortal.prove(t, s, key, acmePortal.redemption(code, verifier)).tokens(t)
	changed := acmePortal.prove(t, s, other, refresh(private.Refresh)).tokens(t)
	if r := presented(t, s, other, changed.Access); r.status != http.StatusOK {
		t.Errorf("userinfo with the new key = %d %s, want 200", r.status, r.body)
	}
}

func TestACodeIsBoundToTheKeyThatItsRequestNamed(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	key, other := dpoptest.NewProver(t, "ES256"), dpoptest.NewProver(t, "ES256")
	for name, c := range map[string]struct {
		redeem func(form url.Values) reply
		good   bool
	}{
		"with the key":     {func(form url.Values) reply { return acmePortal.prove(t, s, key, form) }, true},
		"with another key": {func(form url.Values) reply { return acmePortal.prove(t, s, other, form) }, false},
		"without a key":    {func(form url.Values) reply { return acmePortal.post(t, s, tokenPath, form) }, false},
	} {
		code, verifier := acmePortal.code(t, s, servertest.Browser(t), "dpop_jkt", key.Thumbprint(t))
		r := c.redeem(acmePortal.redemption(code, verifier))
		if c.good != (r.status == http.StatusOK) || !c.good && r.fields["error"] != "invalid_grant" {
			t.Errorf("%s: %d %s, want good: %v", name, r.status, r.body, c.good)
		}
	}
	page := servertest.Get(t, servertest.Browser(t), authorizeURL(s, acmePortal.request("x", "dpop_jkt", "short")))
	refusedThere(t, s, page, acmePortal, "invalid_request")
}

func TestTheTokenEndpointSaysWhatIsWrongWithAProof(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	key := dpoptest.NewProver(t, "ES256")
	form := url.Values{"grant_type": {"client_credentials"}}
	for name, c := range map[string]struct {
		pairs []any
		code  string
	}{
		"another method":  {[]any{"htm", "GET"}, "invalid_dpop_proof"},
		"another address": {[]any{"htu", "https://other.example/oidc/token"}, "invalid_dpop_proof"},
		"no jti":          {[]any{"jti", nil}, "invalid_dpop_proof"},
		"long ago":        {[]any{"iat", 1}, "use_dpop_nonce"},
		"a made up nonce": {[]any{"nonce", "x"}, "use_dpop_nonce"},
	} {
		r := dataAPI.prove(t, s, key, form, c.pairs...)
		if r.refused(t, http.StatusBadRequest, c.code); r.header.Get("DPoP-Nonce") == "" {
			t.Errorf("%s: no nonce was offered", name)
		}
	}
	// The nonce that is offered helps a client whose clock is wrong.
	nonce := dataAPI.prove(t, s, key, form, "iat", 1).header.Get("DPoP-Nonce")
	dataAPI.prove(t, s, key, form, "iat", 1, "nonce", nonce).tokens(t)
	twice := key.Sign(t, dpoptest.Claims(http.MethodPost, s.URL+tokenPath))
	send(t, s, tokenPath, form, func(r *http.Request) {
		dataAPI.basic(r)
		r.Header["Dpop"] = []string{twice, key.Sign(t, dpoptest.Claims(http.MethodPost, s.URL+tokenPath))}
	}).refused(t, http.StatusBadRequest, "invalid_dpop_proof")
	if r := dataAPI.post(t, s, tokenPath, form); r.header.Get("DPoP-Nonce") != "" || r.text("token_type") != "Bearer" {
		t.Errorf("a client without a proof gets %s and a nonce %q", r.body, r.header.Get("DPoP-Nonce"))
	}
}

func TestAClientOfBoundTokensGetsNoOthers(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	key := dpoptest.NewProver(t, "ES256")
	a := register(t, s, registry.Registration{
		ClientID: "bound", Secret: "a secret of its own", Name: "Bound", Scopes: []string{"openid", "api"},
		GrantTypes: []string{"authorization_code", "client_credentials"}, Options: registry.Options{DPoPTokens: true},
	})
	form := url.Values{"grant_type": {"client_credentials"}}
	a.post(t, s, tokenPath, form).refused(t, http.StatusBadRequest, "invalid_dpop_proof")
	r := a.prove(t, s, key, form)
	r.refused(t, http.StatusBadRequest, "use_dpop_nonce")
	if r = a.prove(t, s, key, form, "nonce", r.header.Get("DPoP-Nonce")); r.text("token_type") != "DPoP" {
		t.Errorf("answer %d %s, want a DPoP token", r.status, r.body)
	}
}

func TestOneProofRacesForOneToken(t *testing.T) {
	t.Parallel()
	onNodes(t, func(t *testing.T, s *servertest.Server, next func() *servertest.Server) {
		key := dpoptest.NewProver(t, "ES256")
		for round := range roundsOf(t, 3) {
			proof := key.Sign(t, dpoptest.Claims(http.MethodPost, s.URL+tokenPath))
			good := 0
			for _, r := range atOnce(crowd(round), func() reply {
				return send(t, next(), tokenPath, url.Values{"grant_type": {"client_credentials"}}, proving(proof, dataAPI.basic))
			}) {
				if r.status == http.StatusOK {
					good++
					continue
				}
				r.refused(t, http.StatusBadRequest, "invalid_dpop_proof")
			}
			if good != 1 {
				t.Fatalf("%d of %d uses of one proof succeeded, want 1", good, crowd(round))
			}
		}
	})
}
