package servertest_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/servertest"
)

// appsOf is the path of the pages about an organization's apps.
func appsOf(t *testing.T, s *servertest.Server, slug string) string {
	t.Helper()
	home, err := s.Orgs.BySlug(t.Context(), slug)
	if err != nil {
		t.Fatal(err)
	}
	return "/organizations/" + home.ID + "/apps"
}

// as is a visitor who has signed in.
func as(t *testing.T, s *servertest.Server, email string) visitor {
	t.Helper()
	v := newVisitor(t, s)
	s.SignIn(t, v.browser, email, seedPassword(email))
	return v
}

// follow goes where an answer to a form leads.
func (v visitor) follow(page *servertest.Page) *servertest.Page {
	v.t.Helper()
	to := page.Location()
	if page.Response.StatusCode != http.StatusSeeOther || to == nil {
		v.t.Fatalf("%s leads nowhere: %d\n%s", page.Response.Request.URL.Path, page.Response.StatusCode, page.Body)
	}
	return servertest.Get(v.t, v.browser, to.String())
}

func TestEachSeesTheAppsThatTheyManage(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	makeAdmin(t, s, root)
	acme := appsOf(t, s, "acme-corp")
	const one, other = "/app/acme-portal-001", "/app/tech-dashboard-001"
	pages := []string{"", "/new", "/new/immich", "/new/other", one, one + "/settings", one + "/secret", one + "/preview", one + "/problems", one + "/disable", one + "/delete"}
	for email, want := range map[string]struct{ all, acme int }{
		"": {303, 303}, bob: {403, 403}, charlie: {403, 403}, frank: {403, 404}, alice: {403, 200}, carol: {403, 200}, root: {200, 404},
	} {
		v := newVisitor(t, s)
		if email != "" {
			v = as(t, s, email)
		}
		for _, page := range pages {
			if got := v.get("/admin/clients" + page).Response.StatusCode; got != want.all {
				t.Errorf("%q at all%s: %d, want %d", email, page, got, want.all)
			}
			if got := v.get(acme + page).Response.StatusCode; got != want.acme {
				t.Errorf("%q at acme's%s: %d, want %d", email, page, got, want.acme)
			}
		}
		if got := v.get("/admin/clients" + one + "/sign-outs").Response.StatusCode; got != want.all {
			t.Errorf("%q at the sign-outs: %d, want %d", email, got, want.all)
		}
		if email == "" || want.acme == 303 {
			continue
		}
		// Another organization's app is not there; nor does anything happen to it.
		wrong := min(want.acme+204, 404)
		if want.acme == 403 {
			wrong = 403
		}
		for _, act := range []string{"/settings", "/secret", "/disable", "/enable", "/delete"} {
			if got := v.post(acme+other+act, "overlap", "0s", "name", "Mine").Response.StatusCode; got != wrong {
				t.Errorf("%q, POST acme's%s%s: %d, want %d", email, other, act, got, wrong)
			}
		}
	}
	if c, err := s.Clients.Of(t.Context(), audit.Shell(), "", "tech-dashboard-001"); err != nil || !c.IsActive || c.Name == "Mine" {
		t.Errorf("the other organization's app: %+v, %v", c, err)
	}
}

func TestAnAppIsAddedByItsRecipeOnThePages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := as(t, s, carol)
	apps := appsOf(t, s, "acme-corp")
	v.page(v.get(apps+"/new"), 200, `href="`+apps+`/new/gitea"`)
	v.page(v.get(apps+"/new/gitea"), 200, "Gitea sends no code challenge")
	v.page(v.get(apps+"/new/winamp"), 404, "There is no recipe")
	v.page(v.post(apps+"/new/gitea", "app_url", "http://git.example", "name", "Git <b>", "allow", "organization"), 400, "Use https; plain http is for localhost only.")
	again := v.page(v.post(apps+"/new/gitea", "app_url", "https://git.example", "name", "", "allow", "everyone"), 400, `aria-invalid="true"`)
	if !strings.Contains(again.Body, `value="https://git.example"`) {
		t.Errorf("what was typed is lost:\n%s", again.Body)
	}
	v.page(v.post(apps+"/new/gitea", "app_url", "https://git.example", "name", "Git"), 400, "Say who may use it")

	made := v.post(apps+"/new/gitea", "app_url", "https://git.example/", "name", "Git <b>", "allow", "organization")
	page := v.page(v.follow(made), 200, "--auto-discover-url "+s.URL+"/.well-known/openid-configuration")
	id := made.Location().Path[strings.LastIndex(made.Location().Path, "/")+1:]
	secret := regexp.MustCompile(`--secret ([A-Za-z0-9_-]{43}) `).FindStringSubmatch(page.Body)
	if secret == nil || strings.Count(page.Body, secret[1]) < 2 || !strings.Contains(page.Body, "Git &lt;b&gt; has been added") {
		t.Fatalf("the secret is not shown and filled in:\n%s", page.Body)
	}
	c, err := s.Clients.Of(t.Context(), audit.Shell(), "", id)
	if err != nil || !isSecret(t, s, c, secret[1]) || c.Allowed[0] != "organization" || c.Name != "Git <b>" {
		t.Errorf("the client is %+v, %v", c, err)
	}
	if e := lastEvent(t, s, "client.created"); e.TargetID != id || !strings.Contains(e.Details, "pkce nonce") {
		t.Errorf("the event is %+v", e)
	}
	reloaded := v.page(v.get(made.Location().Path), 200, "--secret CLIENT_SECRET ")
	if strings.Contains(reloaded.Body, secret[1]) {
		t.Error("the secret is shown again")
	}
	v.page(v.get(apps+"?q=git"), 200, "Git &lt;b&gt;")
	v.page(v.get(apps+"?q=nothing"), 200, "No app is called like that.")
	v.page(v.get(apps+"?q=a%00&after=%00"), 200, "Git &lt;b&gt;")
}

func TestAnAppWithoutARecipeIsAdded(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	makeAdmin(t, s, root)
	v := as(t, s, root)
	const add = "/admin/clients/new/other"
	v.page(v.post(add, "name", "Shop", "kind", "teapot", "redirect_uris", "https://shop.example/cb"), 400, "Must be one of: server, browser, native.")
	v.page(v.post(add, "name", "Shop", "kind", "server", "redirect_uris", "javascript:alert(1)"), 400, "this scheme is dangerous")
	for kind, public := range map[string]bool{"server": false, "browser": true, "native": true} {
		made := v.post(add, "name", "Shop "+kind, "kind", kind, "redirect_uris", "https://shop.example/cb\r\n\r\n https://shop.example/2 ")
		page := v.page(v.follow(made), 200, "https://shop.example/2")
		if got := strings.Contains(page.Body, `id="made"`); got == public {
			t.Errorf("%s: a secret is shown: %v", kind, got)
		}
	}
}

func TestSettingsOfAnAppAreChangedOnThePages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := as(t, s, alice)
	one := appsOf(t, s, "acme-corp") + "/app/acme-portal-001"
	v.page(v.get(one+"/settings"), 200, `name="redirect_uris"`)
	form := url.Values{
		"name": {"Portal"}, "redirect_uris": {"https://portal.example/cb"}, "scopes": {"openid email"}, "allow": {"role:owner", "role:admin"},
		"grant_types": {"authorization_code", "refresh_token"}, "response_types": {"code"}, "application_type": {"web"}, "profile": {"oauth2.1"},
		"require_pkce": {"yes"}, "access_token_lifetime": {"600"}, "refresh_token_lifetime": {"7200"}, "id_token_lifetime": {"60"},
		"access_token_format": {"opaque"}, "id_token_signed_response_alg": {"ES256"}, "subject_type": {"public"}, "token_endpoint_auth_method": {""},
		"exchange": {"impersonation"}, // which is not hers to change
	}
	send := func(with ...string) *servertest.Page {
		sent := url.Values{}
		for name, values := range form {
			sent[name] = values
		}
		for i := 0; i+1 < len(with); i += 2 {
			sent.Set(with[i], with[i+1])
		}
		return servertest.Post(t, v.browser, s.URL+one+"/settings", sent)
	}
	v.page(send("access_token_lifetime", "soon"), 400, "Must be a whole number of seconds.")
	v.page(send("require_pkce", ""), 400, "Only a client of the profile legacy goes without PKCE.")
	v.page(send("redirect_uris", "https://*.example"), 400, "patterns are not supported")
	folded := v.page(send("backchannel_logout_uri", "ftp://x"), 400, "<details class=\"card fold\" open>")
	if !strings.Contains(folded.Body, `value="ftp://x"`) {
		t.Error("what was typed is lost")
	}
	v.page(v.follow(send()), 200, "The settings have been saved.")
	c, err := s.Clients.Of(t.Context(), audit.Shell(), "", "acme-portal-001")
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "Portal" || c.AccessTokenLifetime != 600 || !c.Options.OpaqueTokens || c.IDTokenAlg != "ES256" || len(c.Allowed) != 2 ||
		len(c.RedirectURIs) != 1 || len(c.Options.Exchange) != 0 || !c.IsActive {
		t.Errorf("the client is %+v", c)
	}
	if e := lastEvent(t, s, "client.updated"); !strings.Contains(e.Details, `"name":"Portal"`) {
		t.Errorf("the event is %+v", e)
	}
}

func TestASecretIsReplacedOnThePages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := as(t, s, alice)
	apps := appsOf(t, s, "acme-corp")
	one := apps + "/app/acme-portal-001"
	v.page(v.post(one+"/secret", "overlap", "9000h"), 400, "Choose one of these.")
	page := v.page(v.follow(v.post(one+"/secret", "overlap", "24h0m0s")), 200, "There is a new secret.")
	secret := regexp.MustCompile(`data-copy="([A-Za-z0-9_-]{43})"`).FindStringSubmatch(page.Body)
	if secret == nil || !strings.Contains(page.Body, "The secret before this one works until") {
		t.Fatalf("the page is\n%s", page.Body)
	}
	both := func(old bool) {
		t.Helper()
		c, err := s.Clients.Of(t.Context(), audit.Shell(), "", "acme-portal-001")
		if err != nil || !isSecret(t, s, c, secret[1]) || isSecret(t, s, c, "acme_secret_portal_2024") != old {
			t.Errorf("the old secret works: want %v (%v)", old, err)
		}
	}
	both(true)
	page = v.follow(v.post(one+"/secret", "overlap", "0s"))
	secret = regexp.MustCompile(`data-copy="([A-Za-z0-9_-]{43})"`).FindStringSubmatch(page.Body)
	both(false)
	v.page(v.get(apps+"/app/acme-mobile-001/secret"), 409, "This client has no secret.")
}

func TestATokenIsPreviewedAndNotIssued(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	makeAdmin(t, s, root)
	v := as(t, s, root)
	const one = "/admin/clients/app/acme-portal-001/preview"
	v.page(v.get(one+"?user=Bob@acme-corp.com"), 200, "&#34;email&#34;: &#34;bob@acme-corp.com&#34;")
	v.page(v.get(one+"?user="+userID(t, s, bob)), 200, "<b>Bob Builder</b> may use this app.")
	v.page(v.get(one+"?user=nobody@example.com"), 404, "There is no such user.")
	v.page(v.get(one+"?user=%00"), 200, "superadmin@acme-corp.com")
	if err := allow(t, s, "acme-portal-001", "role:owner"); err != nil {
		t.Fatal(err)
	}
	v.page(v.get(one+"?user="+bob), 200, "The app is not for this person.")
	// Who manages an organization sees themselves alone.
	v = as(t, s, alice)
	mine := appsOf(t, s, "acme-corp") + "/app/acme-portal-001/preview"
	v.page(v.get(mine), 200, "&#34;email&#34;: &#34;admin@acme-corp.com&#34;")
	for _, other := range []string{bob, "nobody@example.com", userID(t, s, bob)} {
		page := v.page(v.get(mine+"?user="+url.QueryEscape(other)), 403, "You can look at yourself alone.")
		if strings.Contains(page.Body, "Bob Builder") {
			t.Error("somebody else is shown")
		}
	}
	// A client that acts for itself has nobody to look at.
	made, _, err := s.Clients.Register(t.Context(), audit.Shell(), robot(), false)
	if err != nil {
		t.Fatal(err)
	}
	v = as(t, s, root)
	if page := v.get("/admin/clients/app/" + made.ClientID); strings.Contains(page.Body, "/preview") || page.Response.StatusCode != 200 {
		t.Errorf("%d\n%s", page.Response.StatusCode, page.Body)
	}
	v.page(v.get("/admin/clients/app/"+made.ClientID+"/preview"), 404, "Nobody signs in to this app")
}

// robot is a client that acts for itself.
func robot() registry.Registration {
	in := registry.Defaults()
	in.Name, in.GrantTypes, in.Scopes = "Robot", []string{"client_credentials"}, []string{"api:read"}
	return in
}

func TestARefusedRequestIsShownBesideWhatIsRegistered(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := as(t, s, alice)
	problems := appsOf(t, s, "acme-corp") + "/app/acme-portal-001/problems"
	v.page(v.get(problems), 200, "No request of this app was refused")
	raw(t, http.MethodGet, authorizeURL(s, acmePortal.request("v", "redirect_uri", acmePortal.redirect+"/<x>")), "", nil)
	want := "<code>" + acmePortal.redirect + "<mark>/&lt;x&gt;</mark></code>"
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		page := v.get(problems)
		if strings.Contains(page.Body, want) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the page lacks %s:\n%s", want, page.Body)
		}
	}
}

func TestAnAppIsDisabledEnabledAndDeletedOnThePages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := as(t, s, alice)
	apps := appsOf(t, s, "acme-corp")
	one := apps + "/app/acme-portal-001"
	v.page(v.get(one+"/disable"), 200, `action="`+one+`/disable"`)
	v.page(v.follow(v.post(one+"/disable")), 200, "nobody can sign in to it")
	if page := servertest.Get(t, servertest.Browser(t), authorizeURL(s, acmePortal.request("v"))); page.Response.StatusCode != 400 {
		t.Errorf("a disabled app is answered with %d", page.Response.StatusCode)
	}
	v.page(v.get(apps), 200, "Disabled")
	v.page(v.follow(v.post(one+"/enable")), 200, "It is enabled")
	v.page(v.get(one+"/delete"), 200, "It cannot be undone.")
	v.page(v.follow(v.post(one+"/delete")), 200, "The app has been deleted.")
	v.page(v.get(one), 404, "There is no client with this client_id.")
	if e := lastEvent(t, s, "client.deleted"); e.TargetID != "acme-portal-001" || e.ActorID != userID(t, s, alice) {
		t.Errorf("the event is %+v", e)
	}
}

func TestRegistrationTokensAreMadeAndEndedOnThePages(t *testing.T) {
	t.Parallel()
	off := servertest.New(t)
	makeAdmin(t, off, root)
	v := as(t, off, root)
	const tokens = "/admin/clients/registration"
	v.page(v.get(tokens), 404, "openid.registration is off")
	v.page(v.post(tokens, "uses", "1", "lifetime", "24h0m0s"), 404, "openid.registration is off")
	if page := v.get("/admin/clients"); strings.Contains(page.Body, tokens) {
		t.Error("the list leads to tokens of no use")
	}

	s := registering(t, "sqlite", "token")
	makeAdmin(t, s, root)
	v = as(t, s, root)
	v.page(v.get("/admin/clients"), 200, `href="`+tokens+`"`)
	v.page(v.post(tokens, "uses", "many", "lifetime", "24h0m0s"), 400, "Must be 1 to 10000.")
	v.page(v.post(tokens, "uses", "1", "lifetime", "forever"), 400, "Must be one second to a year.")
	v.page(v.post(tokens, "uses", "1", "lifetime", "24h0m0s", "organization_id", "nowhere"), 400, "There is no such organization.")
	page := v.page(v.follow(v.post(tokens, "uses", "2", "lifetime", "24h0m0s")), 200, "The token has been made.")
	text := regexp.MustCompile(`data-copy="([A-Za-z0-9_-]{43})"`).FindStringSubmatch(page.Body)
	if text == nil {
		t.Fatalf("the token is not shown:\n%s", page.Body)
	}
	registeredOf(t, enroll(t, s, text[1], honestClient))
	page = v.get(tokens)
	id := regexp.MustCompile(`delete\?id=([0-9a-f-]{36})"`).FindStringSubmatch(page.Body)
	if id == nil || strings.Contains(page.Body, text[1]) || !strings.Contains(page.Body, `<td data-title="Apps left">1</td>`) {
		t.Fatalf("the list is\n%s", page.Body)
	}
	v.page(v.get(tokens+"/delete?id="+id[1]), 200, id[1])
	v.page(v.follow(v.post(tokens+"/delete", "id", id[1])), 200, "The token has been deleted.")
	v.page(v.post(tokens+"/delete", "id", id[1]), 404, "There is no such registration token.")
	v.page(as(t, s, bob).get(tokens), 403, "administrators of the server")
}

func TestAnAppIsAddedInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := as(t, s, alice)
	for tag, want := range map[string]string{"de": "Gitea sendet keine Code-Challenge", "es": "Gitea no envía un code challenge"} {
		v.setCookie("authy_language", tag)
		v.page(v.get(appsOf(t, s, "acme-corp")+"/new/gitea"), 200, want)
	}
}

func TestReceiptsOfSignOutsAreShown(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: loopback})
	makeAdmin(t, s, root)
	p := newParty(t, s, "party")
	const here = "/admin/clients/app/party"
	v := as(t, s, root)
	v.page(v.get(here), 200, `href="`+here+`/sign-outs"`)
	v.page(v.get(here+"/sign-outs"), 200, "Nobody who used this app has signed out yet.")
	browser := servertest.Browser(t)
	p.visit(s, browser, bob, bobPass)
	servertest.Post(t, browser, s.URL+"/sign-out", nil)
	page := v.page(v.get(here+"/sign-outs"), 200, `<span class="dot on"></span>Told`)
	if !strings.Contains(page.Body, userID(t, s, bob)) {
		t.Errorf("who signed out is not said:\n%s", page.Body)
	}
	v.page(v.get(here+"/sign-outs?after=%00"), 200, "Told")
}

// isSecret says whether a secret is c's just now.
func isSecret(t *testing.T, s *servertest.Server, c *registry.Client, secret string) bool {
	t.Helper()
	ok, err := s.Clients.IsSecret(t.Context(), audit.Shell(), c, secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ok
}
