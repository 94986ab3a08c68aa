package servertest_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/dpop/dpoptest"
	"authy/server/org"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
)

const (
	exchangeGrant   = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessTokenType = "urn:ietf:params:oauth:token-type:access_token"
)

// exchange exchanges an access token; pairs change the form.
func (a app) exchange(t *testing.T, s *servertest.Server, token string, pairs ...string) reply {
	t.Helper()
	return a.post(t, s, tokenPath, with(url.Values{
		"grant_type": {exchangeGrant}, "subject_token": {token}, "subject_token_type": {accessTokenType},
	}, pairs...))
}

// gateway registers a client that may exchange the tokens of acmePortal in ways.
func gateway(t *testing.T, s *servertest.Server, id string, ways ...string) app {
	t.Helper()
	return register(t, s, registry.Registration{
		ClientID: id, Secret: "a secret of its own", Name: "Gateway", Scopes: []string{"openid", "email", "api:read"},
		GrantTypes: []string{exchangeGrant, "client_credentials", "authorization_code", "refresh_token"},
		Options: registry.Options{
			Exchange: ways, ExchangeFor: []string{acmePortal.id}, Resources: []string{"https://api.example"},
		},
	})
}

func TestATokenIsExchangedForNoMoreThanItIs(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := gateway(t, s, "gateway", registry.Impersonation)
	subject := acmePortal.tokens(t, s, servertest.Browser(t))
	r := a.exchange(t, s, subject.Access)
	got := r.tokens(t)
	if got.Scope != "openid email" || got.Refresh != "" || got.ID != "" || r.text("issued_token_type") != accessTokenType ||
		r.text("token_type") != "Bearer" {
		t.Errorf("answer %s, want openid and email, no refresh token and no ID token", r.body)
	}
	_, was := claimsOf(t, subject.Access)
	_, claims := claimsOf(t, got.Access)
	for name, want := range map[string]any{
		"sub": was["sub"], "client_id": a.id, "aud": s.URL, "auth_time": was["auth_time"], "act": nil,
	} {
		if diff := cmp.Diff(want, claims[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if end, latest := claims["exp"].(float64), was["exp"].(float64); end > latest {
		t.Errorf("it lasts until %v, longer than %v", end, latest)
	}
	alive(t, s, got.Access, true)
	narrow := a.exchange(t, s, subject.Access, "scope", "email", "audience", "https://api.example").tokens(t)
	_, claims = claimsOf(t, narrow.Access)
	if narrow.Scope != "email" || claims["aud"] != "https://api.example" {
		t.Errorf("scope %q for %v, want email for the API", narrow.Scope, claims["aud"])
	}
	alive(t, s, subject.Access, true) // it is not used up
	checkExchangeEvent(t, s, claims["sub"])
}

func checkExchangeEvent(t *testing.T, s *servertest.Server, subject any) {
	t.Helper()
	events, err := s.DB.Events(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(events, func(e storage.Event) bool { return e.Action == "token.exchanged" })
	if at < 0 || events[at].TargetID != subject || events[at].Outcome != "success" ||
		!strings.Contains(events[at].Details, "https://api.example") || !strings.Contains(events[at].Details, acmePortal.id) {
		t.Errorf("no event says who exchanged what for whom: %+v", events)
	}
}

func TestADelegatedTokenSaysWhoActsAndWhoActedBefore(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	first, second := gateway(t, s, "first", registry.Delegation), app{}
	second = register(t, s, registry.Registration{
		ClientID: "second", Secret: "a secret of its own", Name: "Second", Scopes: []string{"openid", "email", "api:read"},
		GrantTypes: []string{exchangeGrant, "client_credentials", "authorization_code"},
		Options: registry.Options{
			Exchange: []string{registry.Delegation, registry.Impersonation}, ExchangeFor: []string{"first"},
		},
	})
	own := func(a app) string {
		return a.post(t, s, tokenPath, url.Values{"grant_type": {"client_credentials"}}).tokens(t).Access
	}
	subject := acmePortal.tokens(t, s, servertest.Browser(t)).Access
	one := first.exchange(t, s, subject, "actor_token", own(first), "actor_token_type", accessTokenType).tokens(t)
	two := second.exchange(t, s, one.Access, "actor_token", own(second), "actor_token_type", accessTokenType).tokens(t)
	quiet := second.exchange(t, s, one.Access).tokens(t)
	inner := map[string]any{"sub": "first", "client_id": "first"}
	for _, c := range []struct {
		a     app
		token string
		want  map[string]any
	}{
		{first, one.Access, inner},
		{second, two.Access, map[string]any{"sub": "second", "client_id": "second", "act": inner}},
		{second, quiet.Access, inner}, // nobody is hidden by who comes after
	} {
		_, claims := claimsOf(t, c.token)
		if diff := cmp.Diff(any(c.want), claims["act"]); diff != "" {
			t.Errorf("act (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(any(c.want), c.a.introspect(t, s, c.token).fields["act"]); diff != "" {
			t.Errorf("act at introspection (-want +got):\n%s", diff)
		}
		alive(t, s, c.token, true)
	}
}

func TestTokenExchangeStaysClosed(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	a := gateway(t, s, "gateway", registry.Impersonation)
	both := gateway(t, s, "both", registry.Impersonation, registry.Delegation)
	without := register(t, s, registry.Registration{
		ClientID: "without", Secret: "a secret of its own", Name: "Without", GrantTypes: []string{exchangeGrant, "authorization_code"},
	})
	mine, others := acmePortal.tokens(t, s, browser), dashboard.tokens(t, s, browser)
	own := a.post(t, s, tokenPath, url.Values{"grant_type": {"client_credentials"}}).tokens(t).Access
	ownOfBoth := both.post(t, s, tokenPath, url.Values{"grant_type": {"client_credentials"}}).tokens(t).Access
	const idToken, refreshToken, jwt = "urn:ietf:params:oauth:token-type:id_token",
		"urn:ietf:params:oauth:token-type:refresh_token", "urn:ietf:params:oauth:token-type:jwt"
	for name, c := range map[string]struct {
		a     app
		token string
		code  string
		pairs []string
	}{
		"a client without the grant (Z-34)":  {acmePortal, mine.Access, "unauthorized_client", nil},
		"a public client":                    {acmeMobile, mine.Access, "unauthorized_client", nil},
		"a client without a policy":          {without, mine.Access, "unauthorized_client", nil},
		"delegation where it is not allowed": {a, mine.Access, "unauthorized_client", []string{"actor_token", own, "actor_token_type", accessTokenType}},
		"a token of another client":          {a, others.Access, "invalid_request", nil},
		"an ID token":                        {a, mine.ID, "invalid_request", []string{"subject_token_type", idToken}},
		"an ID token as an access token":     {a, mine.ID, "invalid_request", nil},
		"a refresh token":                    {a, mine.Refresh, "invalid_request", []string{"subject_token_type", refreshToken}},
		"a JWT":                              {a, mine.Access, "invalid_request", []string{"subject_token_type", jwt}},
		"a token type of nobody's":           {a, mine.Access, "invalid_request", []string{"subject_token_type", "x"}},
		"garbage":                            {a, letters(80), "invalid_request", nil},
		"nothing":                            {a, "", "invalid_request", nil},
		"a client's own token":               {a, own, "invalid_request", nil},
		"more scopes than the token":         {a, mine.Access, "invalid_scope", []string{"scope", "openid api:read"}},
		"more scopes than the client":        {a, mine.Access, "invalid_scope", []string{"scope", "openid profile"}},
		"offline access":                     {a, mine.Access, "invalid_scope", []string{"scope", "openid offline_access"}},
		"the audience of another client":     {a, mine.Access, "invalid_target", []string{"audience", dashboard.id}},
		"another resource":                   {a, mine.Access, "invalid_target", []string{"resource", "https://api.example.org"}},
		"a refresh token in return":          {a, mine.Access, "invalid_request", []string{"requested_token_type", refreshToken}},
		"an ID token in return":              {a, mine.Access, "invalid_request", []string{"requested_token_type", idToken}},
		"another client as the actor":        {both, mine.Access, "invalid_request", []string{"actor_token", own, "actor_token_type", accessTokenType}},
		"an ID token as the actor":           {both, mine.Access, "invalid_request", []string{"actor_token", mine.ID, "actor_token_type", idToken}},
		"an actor of no type":                {both, mine.Access, "invalid_request", []string{"actor_token", ownOfBoth}},
		"a type of no actor":                 {both, mine.Access, "invalid_request", []string{"actor_token_type", accessTokenType}},
	} {
		r := c.a.exchange(t, s, c.token, c.pairs...)
		if r.refused(t, http.StatusBadRequest, c.code); t.Failed() {
			t.Fatalf("TK-49 %s: %d %s", name, r.status, r.body)
		}
	}
	if got := a.exchange(t, s, mine.Access, "requested_subject", "alice").tokens(t); got.Access != "" {
		if _, claims := claimsOf(t, got.Access); claims["sub"] != userID(t, s, bob) {
			t.Errorf("TK-49 requested_subject: the token speaks for %v, want bob", claims["sub"])
		}
	}
	for _, reason := range []string{"not_allowed", "subject_not_allowed", "token_not_good", "token_of_no_user", "too_much", "actor_of_another_client"} {
		if !recorded(t, s, "token.exchanged", reason) {
			t.Errorf("nothing was recorded of %s", reason)
		}
	}
}

func TestAnExchangedTokenEndsWithWhatItWasExchangedFor(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := gateway(t, s, "gateway", registry.Impersonation)
	ctx, shell := t.Context(), audit.Shell()
	browser := servertest.Browser(t)
	change := func(id string, disabled bool) {
		t.Helper()
		_, err := s.Clients.Update(ctx, shell, "", id, func(in *registry.Registration) { in.Disabled = disabled })
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, end := range map[string]func(subject tokens){
		"the token is revoked": func(subject tokens) {
			acmePortal.post(t, s, revokePath, url.Values{"token": {subject.Access}})
		},
		"the grant is revoked": func(subject tokens) {
			acmePortal.post(t, s, revokePath, url.Values{"token": {subject.Refresh}})
		},
		"its client is disabled":  func(tokens) { change(acmePortal.id, true) },
		"the gateway is disabled": func(tokens) { change(a.id, true) },
		"the session ends": func(tokens) {
			servertest.Post(t, browser, s.URL+"/sign-out", nil)
		},
	} {
		pairs := []string{}
		if name == "the session ends" {
			pairs = []string{"scope", "openid email"} // offline_access would outlive it
		}
		subject := acmePortal.tokens(t, s, browser, pairs...)
		got := a.exchange(t, s, subject.Access).tokens(t)
		again := a.exchange(t, s, got.Access).tokens(t) // and so what that was exchanged for
		alive(t, s, again.Access, true)
		end(subject)
		for _, token := range []string{got.Access, again.Access} {
			if r := userinfo(t, s, token); r.status != http.StatusUnauthorized {
				t.Errorf("after %s: userinfo = %d, want 401", name, r.status)
			}
		}
		change(acmePortal.id, false)
		change(a.id, false)
	}
	offline := a.exchange(t, s, acmePortal.tokens(t, s, browser).Access).tokens(t)
	servertest.Post(t, browser, s.URL+"/sign-out", nil)
	alive(t, s, offline.Access, true) // as the token that it was exchanged for
}

func TestATokenIsNotExchangedForEver(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := gateway(t, s, "gateway", registry.Impersonation)
	token := acmePortal.tokens(t, s, servertest.Browser(t)).Access
	for range 8 {
		token = a.exchange(t, s, token).tokens(t).Access
	}
	alive(t, s, token, true)
	a.exchange(t, s, token).refused(t, http.StatusBadRequest, "invalid_request")
}

func TestAUserWhoMayNotUseTheClientIsNotExchanged(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := gateway(t, s, "gateway", registry.Impersonation)
	subject := acmePortal.tokens(t, s, servertest.Browser(t)).Access
	home, err := s.Orgs.Create(t.Context(), audit.Shell(), org.NewOrg{
		Slug: "elsewhere", Name: "Elsewhere", OwnerID: userID(t, s, cast["owner"]),
	})
	if err != nil {
		t.Fatal(err)
	}
	restrict(t, s, a.id, home.ID)
	a.exchange(t, s, subject).refused(t, http.StatusBadRequest, "invalid_request")
	if !recorded(t, s, "token.exchanged", "grant_ended") {
		t.Error("nothing was recorded")
	}
}

// restrict lets the members of an organization alone use a client.
func restrict(t *testing.T, s *servertest.Server, clientID, orgID string) {
	t.Helper()
	err := s.DB.Update(t.Context(), func(tx *storage.Tx) error {
		c, err := tx.Client(t.Context(), clientID)
		if err != nil {
			return err
		}
		changed := *c
		changed.OrganizationID, changed.Allowed = storage.Ref(orgID), storage.Words{registry.AllowOrganization}
		return tx.SaveClient(context.WithoutCancel(t.Context()), &changed)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestATokenBoundToAKeyIsExchangedByWhoHasTheKey(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := gateway(t, s, "gateway", registry.Impersonation)
	key, other := dpoptest.NewProver(t, "ES256"), dpoptest.NewProver(t, "ES256")
	code, verifier := acmePortal.code(t, s, servertest.Browser(t))
	subject := acmePortal.prove(t, s, key, acmePortal.redemption(code, verifier)).tokens(t)
	form := url.Values{
		"grant_type": {exchangeGrant}, "subject_token": {subject.Access}, "subject_token_type": {accessTokenType},
	}
	a.post(t, s, tokenPath, form).refused(t, http.StatusBadRequest, "invalid_request")
	a.prove(t, s, other, form).refused(t, http.StatusBadRequest, "invalid_request")
	got := a.prove(t, s, key, form).tokens(t)
	if r := presented(t, s, key, got.Access); r.status != http.StatusOK {
		t.Errorf("userinfo with the key = %d %s, want 200", r.status, r.body)
	}
	if r := userinfo(t, s, got.Access); r.status != http.StatusUnauthorized {
		t.Errorf("userinfo without the key = %d, want 401", r.status)
	}
}

func TestOnlyWhoAdministersTheServerLetsAClientExchangeTokens(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	makeAdmin(t, s, root)
	p, all := in(t, s, alice), clientsOf(t, s, "acme-corp")
	of := func(name string) object {
		return object{
			"name": name, "redirect_uris": []string{"https://new.example/cb"}, "exchange": []string{"impersonation"},
			"exchange_for": []string{dashboard.id}, "grant_types": []string{"authorization_code", exchangeGrant},
		}
	}
	p.call("POST", all, of("Sly")).failed(403, "AUTHORIZATION_ERROR", "")
	p.call("PATCH", all+"/"+acmePortal.id, object{"exchange": []string{"impersonation"}}).failed(403, "AUTHORIZATION_ERROR", "")
	p.call("PATCH", all+"/"+acmePortal.id, object{"exchange_for": []string{}}).succeeded(200, "Client updated successfully")
	made := in(t, s, root).call("POST", "/api/v1/admin/clients", of("Gateway")).succeeded(201, "Client created successfully")
	want := []any{"impersonation"}
	if diff := cmp.Diff(any(want), made.at("client", "exchange")); diff != "" {
		t.Errorf("exchange (-want +got):\n%s", diff)
	}
	in(t, s, root).call("PATCH", "/api/v1/admin/clients/"+made.text("client", "client_id"), object{"exchange": []string{"x"}}).
		failed(400, "VALIDATION_ERROR", "")
}
