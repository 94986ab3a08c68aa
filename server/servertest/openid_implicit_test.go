package servertest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

// bothTokens is the response type of an ID token and an access token.
const bothTokens = "id_token token"

// implicitly lets clients have tokens in answers.
func implicitly(c *config.Config) { c.OpenID.Implicit = true }

// implicitEngines is [engines] where openid.implicit is on.
func implicitEngines(t *testing.T, fn func(t *testing.T, s *servertest.Server)) {
	t.Helper()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			fn(t, servertest.Start(t, servertest.Options{DatabaseURL: storagetest.Migrated(t, engine), Configure: implicitly}))
		})
	}
}

// oldPage registers a client whose tokens come in answers, and in no other way.
func oldPage(t *testing.T, s *servertest.Server, id string, change ...func(*registry.Registration)) app {
	t.Helper()
	in := registry.Registration{
		ClientID: id, Secret: "a secret of its own", Name: id, RedirectURIs: []string{"https://" + id + ".example/cb"},
		GrantTypes: []string{registry.Implicit}, ResponseTypes: []string{"id_token", bothTokens},
		Options: registry.Options{Profile: registry.Legacy},
	}
	for _, c := range change {
		c(&in)
	}
	return register(t, s, in)
}

// inFront is an honest request for tokens in the answer.
func (a app) inFront(kind string, pairs ...string) url.Values {
	return without(a.request("", append([]string{"response_type", kind}, pairs...)...), "code_challenge", "code_challenge_method")
}

// fragmentOf returns what an answer in the fragment tells a.
func (a app) fragmentOf(t *testing.T, page *servertest.Page) url.Values {
	t.Helper()
	to := page.Location()
	if to == nil || !strings.HasPrefix(to.String(), a.redirect+"#") {
		t.Fatalf("status %d, to %v, want the fragment of %s", page.Response.StatusCode, to, a.redirect)
	}
	h := page.Response.Header
	if page.Response.StatusCode != http.StatusSeeOther || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("AZ-34 answer %d with %v", page.Response.StatusCode, h)
	}
	values, err := url.ParseQuery(to.EscapedFragment())
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// granted lets bob sign in and returns the tokens of the answer.
func (a app) granted(t *testing.T, s *servertest.Server, browser *http.Client, kind string, pairs ...string) url.Values {
	t.Helper()
	page, _ := s.Visit(t, browser, authorizeURL(s, a.inFront(kind, pairs...)), bob, bobPass)
	values := a.fragmentOf(t, page)
	if values.Get("id_token") == "" {
		t.Fatalf("answer %v, want an ID token", values)
	}
	return values
}

// paramsOf are the names of the parameters of an answer, in order.
func paramsOf(values url.Values) string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestTokensComeInTheFragment(t *testing.T) {
	t.Parallel()
	implicitEngines(t, func(t *testing.T, s *servertest.Server) {
		browser, a := servertest.Browser(t), oldPage(t, s, "page")
		c := &conformance{T: t, s: s}
		for _, kind := range []string{bothTokens, "token id_token"} {
			got := a.granted(t, s, browser, kind)
			if names := paramsOf(got); names != "access_token expires_in id_token iss scope state token_type" {
				t.Errorf("%s: the answer has %s", kind, names)
			}
			want := url.Values{
				"token_type": {"Bearer"}, "expires_in": {"3600"}, "scope": {"openid profile email"}, "state": {"the state"}, "iss": {s.URL},
			}
			for name := range want {
				if got.Get(name) != want.Get(name) {
					t.Errorf("%s: %s = %q, want %q", kind, name, got.Get(name), want.Get(name))
				}
			}
			_, claims := c.checkIDToken(a, got.Get("id_token"), got.Get("access_token"), "the nonce")
			if claims["at_hash"] == nil || claims["email"] != bob || claims["sid"] == nil {
				t.Errorf("%s: the ID token says %v", kind, claims)
			}
			if r := userinfo(t, s, got.Get("access_token")); r.fields["email"] != bob {
				t.Errorf("%s: userinfo = %s", kind, r.body)
			}
			r := a.introspect(t, s, got.Get("access_token"))
			if r.fields["active"] != true || r.fields["client_id"] != a.id || r.fields["scope"] != "openid profile email" {
				t.Errorf("%s: introspection = %s", kind, r.body)
			}
		}
		event := lastEvent(t, s, "authorize.granted")
		if !strings.Contains(event.Details, `"response_type":"id_token token"`) || strings.Contains(event.Details, "offline_access") {
			t.Errorf("the grant is recorded as %s", event.Details)
		}
	})
}

// lastEvent returns the newest event with an action.
func lastEvent(t *testing.T, s *servertest.Server, action string) storage.Event {
	t.Helper()
	events := eventsNow(t, s)
	i := slices.IndexFunc(events, func(e storage.Event) bool { return e.Action == action })
	if i < 0 {
		t.Fatalf("no event %s", action)
	}
	return events[i]
}

func TestAnIDTokenAloneHoldsTheClaimsOfItsScopes(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: implicitly})
	browser := servertest.Browser(t)
	lean := oldPage(t, s, "lean", func(in *registry.Registration) { in.Options.LeanIDToken = true })
	got := lean.granted(t, s, browser, "id_token")
	if names := paramsOf(got); names != "id_token iss state" {
		t.Errorf("the answer has %s", names)
	}
	_, claims := claimsOf(t, got.Get("id_token"))
	if claims["email"] != bob || claims["name"] == nil || claims["at_hash"] != nil || claims["nonce"] != "the nonce" {
		t.Errorf("the ID token says %v", claims)
	}
	_, claims = claimsOf(t, lean.granted(t, s, browser, bothTokens).Get("id_token"))
	if claims["email"] != nil || claims["name"] != nil || claims["at_hash"] == nil {
		t.Errorf("with an access token beside it the ID token says %v", claims)
	}
	_, claims = claimsOf(t, lean.granted(t, s, browser, bothTokens, "claims", `{"id_token":{"name":null}}`).Get("id_token"))
	if claims["name"] == nil || claims["email"] != nil {
		t.Errorf("with the name asked for the ID token says %v", claims)
	}
}

func TestTokensComeByFormWhereThatIsAskedFor(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: implicitly})
	browser, a := servertest.Browser(t), oldPage(t, s, "page")
	page, _ := s.Visit(t, browser, authorizeURL(s, a.inFront(bothTokens, "response_mode", "form_post")), bob, bobPass)
	action, values := posted(page)
	if action != a.redirect || paramsOf(values) != "access_token expires_in id_token iss scope state token_type" {
		t.Errorf("the form takes %v to %s", paramsOf(values), action)
	}
	if page.Response.Header.Get("Cache-Control") != "no-store" || page.Response.Header.Get("Location") != "" {
		t.Errorf("the page has %v", page.Response.Header)
	}
	alive(t, s, values.Get("access_token"), true)
	form := a.inFront("id_token", "response_mode", "form_post", "nonce", "")
	if _, values := posted(servertest.Get(t, browser, authorizeURL(s, form))); values.Get("error") != "invalid_request" {
		t.Errorf("a refusal by form takes %v", values)
	}
}

func TestWhatARequestForTokensMustHave(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: implicitly})
	a := oldPage(t, s, "page")
	one := oldPage(t, s, "one", func(in *registry.Registration) { in.ResponseTypes = []string{"id_token"} })
	for name, c := range map[string]struct {
		app  app
		form url.Values
		want string
	}{
		"no nonce":               {a, without(a.inFront("id_token"), "nonce"), "invalid_request"},
		"an empty nonce":         {a, a.inFront(bothTokens, "nonce", ""), "invalid_request"},
		"no openid":              {a, a.inFront("id_token", "scope", "profile"), "invalid_scope"},
		"offline_access alone":   {a, a.inFront("id_token", "scope", "offline_access"), "invalid_scope"},
		"AZ-20 by the query":     {a, a.inFront(bothTokens, "response_mode", "query"), "invalid_request"},
		"AZ-20 an ID token so":   {a, a.inFront("id_token", "response_mode", "query"), "invalid_request"},
		"AZ-20 an unknown mode":  {a, a.inFront("id_token", "response_mode", "web_message"), "invalid_request"},
		"a key for a token":      {a, a.inFront(bothTokens, "dpop_jkt", letters(43)), "invalid_request"},
		"a key for nothing":      {a, a.inFront("id_token", "dpop_jkt", letters(43)), "invalid_request"},
		"claims at userinfo":     {a, a.inFront("id_token", "claims", `{"userinfo":{"name":null}}`), "invalid_request"},
		"nobody is there":        {a, a.inFront("id_token", "prompt", "none"), "login_required"},
		"AZ-19 a token alone":    {a, a.inFront("token"), "unsupported_response_type"},
		"AZ-19 twice the same":   {a, a.inFront("id_token id_token"), "unsupported_response_type"},
		"AZ-19 hybrid":           {a, a.inFront("code id_token"), "unsupported_response_type"},
		"AZ-19 more than it may": {one, one.inFront(bothTokens), "unauthorized_client"},
		// RFC 9700, section 2.1.2: whoever sends the browser here cannot make of a client of
		// codes one whose tokens are in addresses.
		"AZ-19 a client of oauth2.1": {acmePortal, acmePortal.request("v", "response_type", "id_token token"), "unauthorized_client"},
		"AZ-19 a legacy one":         {dataAPI, dataAPI.inFront("id_token"), "unauthorized_client"},
		"another's target":           {a, a.inFront(bothTokens, "resource", "https://api.example"), "invalid_target"},
	} {
		page := servertest.Get(t, servertest.Browser(t), authorizeURL(s, c.form))
		t.Run(name, func(t *testing.T) { refusedInFragment(t, s, page, c.app, c.want) })
	}
	for kind, want := range map[string]string{"code": "unauthorized_client", "none": "unsupported_response_type", "": "invalid_request"} {
		page := servertest.Get(t, servertest.Browser(t), authorizeURL(s, a.inFront(kind, "code_challenge", letters(43), "code_challenge_method", "S256")))
		refusedThere(t, s, page, a, want)
	}
	refusedHere(t, servertest.Get(t, servertest.Browser(t), authorizeURL(s, a.inFront(bothTokens, "redirect_uri", a.redirect+"/x"))), "redirect_uri")
	send(t, s, "/oidc/par", a.inFront(bothTokens, "nonce", ""), a.basic).refused(t, http.StatusBadRequest, "invalid_request")
}

func TestWhatWasPushedCannotBeMadeARequestForTokens(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: implicitly})
	a := oldPage(t, s, "page", func(in *registry.Registration) {
		in.GrantTypes, in.ResponseTypes = []string{"authorization_code", registry.Implicit}, []string{"code", bothTokens}
	})
	r := send(t, s, "/oidc/par", a.inFront("code"), a.basic)
	uri, _ := r.fields["request_uri"].(string)
	form := url.Values{"client_id": {a.id}, "request_uri": {uri}, "response_type": {bothTokens}, "nonce": {"n"}}
	page, _ := s.Visit(t, servertest.Browser(t), authorizeURL(s, form), bob, bobPass)
	if !gotCode(page) || page.Location().Fragment != "" {
		t.Errorf("a request that was pushed leads to %v, want a code", page.Location())
	}
	r = send(t, s, "/oidc/par", a.inFront(bothTokens), a.basic)
	uri, _ = r.fields["request_uri"].(string)
	page, _ = s.Visit(t, servertest.Browser(t), authorizeURL(s, url.Values{"client_id": {a.id}, "request_uri": {uri}}), bob, bobPass)
	alive(t, s, a.fragmentOf(t, page).Get("access_token"), true)
}

func TestTokensOfAnswersAreWhatTheyAreAndNoMore(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: implicitly})
	browser, a, other := servertest.Browser(t), oldPage(t, s, "page"), oldPage(t, s, "other")
	mine, theirs := a.granted(t, s, browser, bothTokens), other.granted(t, s, browser, bothTokens)
	access, id := mine.Get("access_token"), mine.Get("id_token")

	// Token substitution: an access token that was put in the place of another does not fit.
	_, claims := claimsOf(t, id)
	_, others := claimsOf(t, theirs.Get("id_token"))
	if claims["at_hash"] == others["at_hash"] || claims["azp"] != a.id || others["azp"] != other.id {
		t.Errorf("the ID tokens say %v and %v", claims, others)
	}
	if r := other.introspect(t, s, access); r.fields["active"] == true && r.fields["client_id"] != a.id {
		t.Errorf("TK-20 another client is told %s", r.body)
	}
	userinfo(t, s, id).refused(t, http.StatusUnauthorized, "invalid_token") // TK-18
	refusedInFragment(t, s, servertest.Get(t, browser, authorizeURL(s, a.inFront("id_token", "id_token_hint", access))), a, "invalid_request")
	refusedInFragment(t, s, servertest.Get(t, browser, authorizeURL(s, a.inFront("id_token", "id_token_hint", theirs.Get("id_token")))), a, "invalid_request")

	// An address with the token as it came is no way to present it.
	inQuery := s.URL + userinfoPath + "?" + mine.Encode()
	if r := raw(t, http.MethodGet, inQuery, "", nil); r.status != http.StatusBadRequest && r.status != http.StatusUnauthorized {
		t.Errorf("TK-26 the answer in the query of userinfo: %d %s", r.status, r.body)
	}
	// Nothing of it is good at the token endpoint.
	for _, form := range []url.Values{
		{"grant_type": {"implicit"}}, {"grant_type": {"implicit"}, "scope": {"openid"}, "response_type": {bothTokens}},
	} {
		a.post(t, s, tokenPath, form).refused(t, http.StatusBadRequest, "unsupported_grant_type") // CO-21
	}
	for _, token := range []string{access, id} {
		a.refresh(t, s, token).refused(t, http.StatusBadRequest, "invalid_grant", "unauthorized_client")
		form := url.Values{"grant_type": {"authorization_code"}, "code": {token}, "redirect_uri": {a.redirect}}
		a.post(t, s, tokenPath, form).refused(t, http.StatusBadRequest, "invalid_grant", "unauthorized_client")
	}
}

func TestTokensOfAnswersEndAsOthersDo(t *testing.T) {
	t.Parallel()
	implicitEngines(t, func(t *testing.T, s *servertest.Server) {
		a := oldPage(t, s, "page")
		for what, end := range map[string]func(browser *http.Client, token string){
			"revoked by the client": func(_ *http.Client, token string) {
				if r := a.post(t, s, revokePath, url.Values{"token": {token}}); r.status != http.StatusOK {
					t.Errorf("revocation: %d %s", r.status, r.body)
				}
			},
			"a sign-out": func(browser *http.Client, _ string) {
				servertest.Post(t, browser, s.URL+"/sign-out", url.Values{})
			},
			"the app shut out": func(browser *http.Client, _ string) {
				servertest.Post(t, browser, s.URL+"/account/apps/remove", url.Values{"id": {a.id}})
			},
		} {
			browser := servertest.Browser(t)
			token := a.granted(t, s, browser, bothTokens, "scope", "openid offline_access").Get("access_token")
			alive(t, s, token, true)
			end(browser, token)
			if r := userinfo(t, s, token); r.status != http.StatusUnauthorized {
				t.Errorf("after %s: userinfo = %d %s", what, r.status, r.body)
			}
		}
		token := a.granted(t, s, servertest.Browser(t), bothTokens).Get("access_token")
		disable := func(in *registry.Registration) { in.Disabled = true }
		if _, err := s.Clients.Update(t.Context(), audit.Shell(), "", a.id, disable); err != nil {
			t.Fatal(err)
		}
		alive(t, s, token, false)
	})
}

func TestNoTokenOfAnAnswerIsLoggedRecordedOrKept(t *testing.T) {
	book := listen(t)
	s := servertest.Start(t, servertest.Options{Configure: implicitly})
	browser, secrets := servertest.Browser(t), map[string]string{}
	random := oldPage(t, s, "random", func(in *registry.Registration) { in.Options.OpaqueTokens = true })
	for name, a := range map[string]app{"signed": oldPage(t, s, "page"), "opaque": random} {
		got := a.granted(t, s, browser, bothTokens)
		secrets[name+" access token"], secrets["ID token of "+name] = got.Get("access_token"), got.Get("id_token")
	}
	if !strings.Contains(book.String(), `"path":"/oidc/authorize"`) {
		t.Fatalf("the log was not heard: %.500s", book.String())
	}
	nowhere(t, "the log", book.String(), secrets)
	for _, e := range eventsNow(t, s) {
		nowhere(t, "the audit log", fmt.Sprintf("%+v", e), secrets)
	}
	inFiles(t, s, secrets)
}

func TestWhoGetsNoTokensIsSaidInTheFragment(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: implicitly})
	v, a := newVisitor(t, s), oldPage(t, s, "page")
	v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/account")
	asked := servertest.Get(t, v.browser, authorizeURL(s, a.inFront(bothTokens))).Location().Query()
	if page := v.get("/consent?flow=" + asked.Get("flow")); strings.Contains(page.Body, "Stay connected") {
		t.Error("the page asks for offline_access, which nobody gets")
	}
	refusedInFragment(t, s, v.post("/consent", "flow", asked.Get("flow"), "decision", "deny"), a, "access_denied")
	refusedInFragment(t, s, v.get(authorizePath+"?"+a.inFront("id_token", "prompt", "none").Encode()), a, "consent_required")
	own := oldPage(t, s, "own", func(in *registry.Registration) {
		home, err := s.Orgs.BySlug(t.Context(), "acme-corp")
		if err != nil {
			t.Fatal(err)
		}
		in.OrganizationID, in.Allowed = home.ID, []string{"role:owner"}
	})
	refusedInFragment(t, s, v.get(authorizePath+"?"+own.inFront(bothTokens).Encode()), own, "access_denied")
}

// A sign-in that began while the client might have tokens ends with none once it may not: what
// a form carries through the pages grants nothing.
func TestARequestForTokensIsLookedAtAgainAtItsEnd(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: implicitly})
	begin := func(a app) (v visitor, consent url.Values) {
		v = newVisitor(t, s)
		v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/account")
		to := servertest.Get(t, v.browser, authorizeURL(s, a.inFront(bothTokens))).Location()
		return v, to.Query()
	}
	change := func(a app, with func(in *registry.Registration)) {
		t.Helper()
		if _, err := s.Clients.Update(t.Context(), audit.Shell(), "", a.id, with); err != nil {
			t.Fatal(err)
		}
	}
	a := oldPage(t, s, "page")
	v, asked := begin(a)
	change(a, func(in *registry.Registration) { in.GrantTypes = []string{"authorization_code"} })
	refusedInFragment(t, s, v.post("/consent", "flow", asked.Get("flow"), "decision", "allow"), a, "unauthorized_client")

	moved := oldPage(t, s, "moved")
	v, asked = begin(moved)
	change(moved, func(in *registry.Registration) { in.RedirectURIs = []string{"https://elsewhere.example/cb"} })
	refusedHere(t, v.post("/consent", "flow", asked.Get("flow"), "decision", "allow"), "redirect_uri")
}
