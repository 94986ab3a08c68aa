package servertest_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage/storagetest"
)

func TestOffThereIsNoImplicitGrant(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, engine string) {
		database := storagetest.Migrated(t, engine)
		on := servertest.Start(t, servertest.Options{DatabaseURL: database, Configure: implicitly})
		a := oldPage(t, on, "page")
		a.granted(t, on, servertest.Browser(t), bothTokens)
		on.Stop()
		s := servertest.Start(t, servertest.Options{DatabaseURL: database, Configure: func(c *config.Config) {
			c.OpenID.Registration, c.OpenID.RegistrationProfile = "open", "legacy"
		}})
		for _, kind := range []string{"id_token", bothTokens} {
			page := servertest.Get(t, servertest.Browser(t), authorizeURL(s, a.inFront(kind)))
			refusedInFragment(t, s, page, a, "unsupported_response_type")
		}
		ad := advertised(raw(t, http.MethodGet, s.URL+"/.well-known/openid-configuration", "", nil).fields)
		if slices.Contains(ad.list("grant_types_supported"), "implicit") || len(ad.list("response_types_supported")) != 1 {
			t.Errorf("AZ-19, Z-20 %v and %v are advertised", ad["grant_types_supported"], ad["response_types_supported"])
		}
		r := enroll(t, s, "", honestBut("grant_types", []string{"implicit"}, "response_types", []string{"id_token"}))
		r.refused(t, http.StatusBadRequest, "invalid_client_metadata")
		if text, _ := r.fields["error_description"].(string); !strings.Contains(text, "response_types") {
			t.Errorf("registration says %q", text)
		}
		p := in(t, s, alice)
		o := p.call("POST", clientsOf(t, s, "acme-corp"), object{
			"name": "Page", "redirect_uris": []string{"https://page.example/cb"}, "profile": "legacy",
			"grant_types": []string{"implicit"}, "response_types": []string{"id_token"},
		}).failed(400, "VALIDATION_ERROR", "")
		if !strings.Contains(o.Raw, `"response_types"`) {
			t.Errorf("the API says %s", o.Raw)
		}
	})
}

func TestAClientOfTokensInAnswersOverTheAPI(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: implicitly})
	all, p := clientsOf(t, s, "acme-corp"), in(t, s, alice)
	made := p.call("POST", all, object{
		"name": "Page", "redirect_uris": []string{"https://page.example/cb"}, "profile": "legacy", "public": true,
		"grant_types": []string{"implicit"}, "response_types": []string{"token id_token", "id_token"},
	}).succeeded(201, "Client created successfully")
	one := all + "/" + made.text("client", "client_id")
	if diff := cmp.Diff([]any{"id_token", bothTokens}, made.at("client", "response_types")); diff != "" {
		t.Errorf("response_types (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{"code"}, made.at("client", "relaxed")); diff != "" {
		t.Errorf("relaxed (-want +got):\n%s", diff)
	}
	if event := lastEvent(t, s, "client.created"); !strings.Contains(event.Details, `"relaxed":"code"`) {
		t.Errorf("recorded as %s", event.Details)
	}
	for name, c := range map[string]struct {
		change object
		field  string
	}{
		"a profile without":  {object{"profile": "oauth2.1", "require_pkce": true}, "response_types"},
		"a code besides":     {object{"response_types": []string{"code", "id_token"}}, "grant_types"},
		"hybrid":             {object{"response_types": []string{"code id_token"}}, "response_types"},
		"no list":            {object{"response_types": "id_token"}, "response_types"},
		"none":               {object{"response_types": []string{}}, "response_types"},
		"plain http":         {object{"redirect_uris": []string{"http://localhost/cb"}}, "redirect_uris"},
		"tokens with a key":  {object{"dpop_bound_access_tokens": true}, "dpop_bound_access_tokens"},
		"a grant of no type": {object{"grant_types": []string{"implicit", "password"}}, "grant_types"},
	} {
		if o := p.call("PATCH", one, c.change).failed(400, "VALIDATION_ERROR", ""); !strings.Contains(o.Raw, `"`+c.field+`"`) {
			t.Errorf("%s: %s, want %s named", name, o.Raw, c.field)
		}
	}
	after := p.call("PATCH", one, object{"grant_types": []string{"authorization_code"}, "profile": "oauth2.1"}).succeeded(200, "Client updated successfully")
	if diff := cmp.Diff([]any{"code"}, after.at("client", "response_types")); diff != "" || len(after.at("client", "relaxed").([]any)) != 0 {
		t.Errorf("with a code (-want +got):\n%s%v", diff, after.at("client", "relaxed"))
	}
	event := lastEvent(t, s, "client.updated")
	if !strings.Contains(event.Details, `"response_types":"code"`) || !strings.Contains(event.Details, `"relaxed":""`) {
		t.Errorf("recorded as %s", event.Details)
	}
}

func TestClientsRegisterThemselvesForTokensInAnswers(t *testing.T) {
	t.Parallel()
	s := registering(t, "sqlite", "open", implicitly, func(c *config.Config) { c.OpenID.RegistrationProfile = "legacy" })
	described := honestBut("grant_types", []string{"implicit"}, "response_types", []string{"id_token token", "id_token"})
	r := enroll(t, s, "", described)
	a, token := registeredOf(t, r)
	if diff := cmp.Diff([]any{"id_token", bothTokens}, r.fields["response_types"]); diff != "" {
		t.Errorf("response_types (-want +got):\n%s", diff)
	}
	got := a.granted(t, s, servertest.Browser(t), bothTokens)
	alive(t, s, got.Get("access_token"), true)

	address := s.URL + clientsPath + "/" + a.id
	// RFC 7591, section 2: response_types that are left out are code.
	again := honestBut("client_id", a.id, "grant_types", []string{"implicit"})
	manage(t, http.MethodPut, address, token, again).refused(t, http.StatusBadRequest, "invalid_client_metadata")
	again = honestBut("client_id", a.id)
	if r := manage(t, http.MethodPut, address, token, again); r.status != http.StatusOK || text(r.fields["response_types"]) != `["code"]` {
		t.Errorf("described without: %d %s", r.status, r.body)
	}
	strict := registering(t, "sqlite", "open", implicitly)
	r = enroll(t, strict, "", described)
	r.refused(t, http.StatusBadRequest, "invalid_client_metadata")
	if said, _ := r.fields["error_description"].(string); !strings.Contains(said, "response_types: Only a client of the profile legacy") {
		t.Errorf("a client of oauth2.1 is told %q", said)
	}
}

func TestDiscoveryWithTheImplicitGrantListsExactlyWhatWorks(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: implicitly})
	browser, a := servertest.Browser(t), oldPage(t, s, "page")
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		ad := advertised(raw(t, http.MethodGet, s.URL+path, "", nil).fields)
		if diff := cmp.Diff([]string{"code", "id_token", bothTokens}, ad.list("response_types_supported")); diff != "" {
			t.Errorf("%s: response_types_supported (-want +got):\n%s", path, diff)
		}
		if !slices.Contains(ad.list("grant_types_supported"), "implicit") {
			t.Errorf("%s: %v lacks implicit", path, ad["grant_types_supported"])
		}
		for _, kind := range ad.list("response_types_supported")[1:] {
			for _, mode := range []string{"fragment", "form_post"} {
				form := a.inFront(kind, "response_mode", mode)
				page, _ := s.Visit(t, browser, authorizeURL(s, form), bob, bobPass)
				_, values := posted(page)
				if mode == "fragment" {
					values = a.fragmentOf(t, page)
				}
				if values.Get("id_token") == "" || (values.Get("access_token") != "") != (kind == bothTokens) {
					t.Errorf("%s by %s: %v", kind, mode, values)
				}
			}
		}
	}
}

func TestTokensInAnswersAreAsTheClientRegistered(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: implicitly})
	browser := servertest.Browser(t)
	for _, alg := range []string{"RS256", "ES256", "PS256", "EdDSA"} {
		a := oldPage(t, s, "page-"+strings.ToLower(alg), func(in *registry.Registration) { in.IDTokenAlg = alg })
		if header, _ := claimsOf(t, a.granted(t, s, browser, "id_token").Get("id_token")); header["alg"] != alg {
			t.Errorf("the ID token is signed by %v, want %s", header["alg"], alg)
		}
	}
	random := oldPage(t, s, "random", func(in *registry.Registration) { in.Options.OpaqueTokens = true })
	got := random.granted(t, s, browser, bothTokens)
	if len(got.Get("access_token")) != 43 {
		t.Errorf("the access token is %q", got.Get("access_token"))
	}
	alive(t, s, got.Get("access_token"), true)
	(&conformance{T: t, s: s}).checkIDToken(random, got.Get("id_token"), got.Get("access_token"), "the nonce")

	pairwise := oldPage(t, s, "pairwise", func(in *registry.Registration) { in.Options.SubjectType = "pairwise" })
	got = pairwise.granted(t, s, browser, bothTokens)
	_, claims := claimsOf(t, got.Get("id_token"))
	if info := userinfo(t, s, got.Get("access_token")); claims["sub"] == userID(t, s, bob) || info.fields["sub"] != claims["sub"] {
		t.Errorf("the subject is %v, and %s", claims["sub"], info.body)
	}
	api := oldPage(t, s, "api", func(in *registry.Registration) { in.Options.Resources = []string{"https://api.example"} })
	got = api.granted(t, s, browser, bothTokens, "resource", "https://api.example")
	if _, says := claimsOf(t, got.Get("access_token")); says["aud"] != "https://api.example" {
		t.Errorf("the access token is for %v", says["aud"])
	}
	public := oldPage(t, s, "public", func(in *registry.Registration) { in.Secret = "" })
	alive(t, s, public.granted(t, s, browser, bothTokens).Get("access_token"), true)
}

func TestWhatIsExplainedOfTokensInAnswersIsWhatIsIssued(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: implicitly})
	browser := servertest.Browser(t)
	alone := oldPage(t, s, "alone", func(in *registry.Registration) {
		in.ResponseTypes, in.Options.LeanIDToken = []string{"id_token"}, true
	})
	_, want := claimsOf(t, alone.granted(t, s, browser, "id_token").Get("id_token"))
	got, err := s.OpenID.ExplainClaims(t.Context(), audit.Shell(), userID(t, s, bob), alone.id, "")
	if err != nil || got.AccessToken != nil || got.Userinfo != nil {
		t.Fatalf("explained: %+v, %v, want an ID token alone", got, err)
	}
	var said map[string]any
	if err := json.Unmarshal(got.IDToken, &said); err != nil {
		t.Fatal(err)
	}
	for _, anew := range []string{"iat", "exp", "auth_time", "nonce"} {
		delete(want, anew)
		delete(said, anew)
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("the ID token (-issued +explained):\n%s", diff)
	}
	got, err = s.OpenID.ExplainClaims(t.Context(), audit.Shell(), userID(t, s, bob), oldPage(t, s, "both").id, "")
	if err != nil || !strings.Contains(string(got.AccessToken), `"scope":"openid profile email"`) {
		t.Errorf("explained: %s, %v, want no offline_access", got.AccessToken, err)
	}
}
