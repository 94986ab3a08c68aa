package servertest_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/provider"
	"authy/server/registry"
	"authy/server/servertest"
)

// confirmLogout has the portal ask to sign a visitor out, who agrees.
func (v visitor) confirmLogout(pairs ...string) *servertest.Page {
	v.t.Helper()
	page := servertest.Get(v.t, v.browser, logoutURL(v.s, append([]string{"client_id", acmePortal.id}, pairs...)...))
	v.page(page, 200, `id="sign-out-confirm"`)
	return servertest.Post(v.t, v.browser, v.s.URL+logoutPath, page.Hidden())
}

func TestAnAppsLogoutGoesByWayOfTheProviderAndOn(t *testing.T) {
	t.Parallel()
	s, stub := withStub(t, func(o *provider.Options) { o.Logout = true })
	v := newVisitor(t, s)
	v.leads(v.join(v.via("stub"), "full_name", "Pat"), "/account")
	page := v.page(v.confirmLogout("post_logout_redirect_uri", home, "state", "of-the-app"), 200, "You are signed out")
	const onward = home + "?state=of-the-app"
	if !strings.Contains(page.Body, `id="straight-on" href="`+onward+`"`) || !strings.Contains(page.Body, "<strong>The stub</strong>") {
		t.Errorf("the page says nothing of where it leads, or not where the app is:\n%s", page.Body)
	}
	v.signedIn(false)
	back := v.there(v.depart(page))
	if got := stub.Ended.Get("post_logout_redirect_uri"); got != s.URL+"/signed-out" {
		t.Errorf("the provider is told to come back to %q, want what is registered there", got)
	}
	newVisitor(t, s).page(servertest.Get(t, servertest.Browser(t), back), 200, "You are signed out")
	if to := servertest.Get(t, v.browser, back).Location(); to == nil || to.String() != onward {
		t.Errorf("back from the provider it goes on to %v, want %s", to, onward)
	}
	v.page(servertest.Get(t, v.browser, back), 200, "You are signed out") // once
}

func TestAnAppsLogoutOffersThatOfTheProvider(t *testing.T) {
	t.Parallel()
	s, stub := withStub(t)
	in := func() visitor {
		v := newVisitor(t, s)
		if page := v.via("stub"); page.Location().Path == "/arrival/new" {
			v.join(page, "full_name", "Pat")
		}
		v.signedIn(true)
		return v
	}
	v := in()
	if to := v.confirmLogout("post_logout_redirect_uri", home).Location(); to == nil || to.String() != home {
		t.Errorf("an app that is waited for: %v, want %s at once", to, home)
	}
	for name, page := range map[string]*servertest.Page{"an app": in().confirmLogout(), "the button": in().post("/sign-out")} {
		v.page(page, 200, "You are still signed in at <strong>The stub</strong>")
		_, address, found := strings.Cut(page.Body, `id="leave-there" href="`+stub.URL+"/end?")
		if !found || page.Response.Header.Get("Refresh") != "" {
			t.Errorf("%s: there is no offer, or it is no offer (%q):\n%s", name, page.Response.Header.Get("Refresh"), page.Body)
		}
		if strings.Contains(address[:strings.Index(address, `"`)], "state=of") {
			t.Errorf("%s: there is nowhere to go on to: %s", name, address)
		}
	}
	// One that hangs holds up nobody who wants to go.
	v = in()
	stub.Set(func(s *servertest.StubOIDC) { s.Before = hangs })
	began := time.Now()
	v.post("/sign-out")
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("signing out took %s", took)
	}
	v.signedIn(false)
}

// hangs is a provider that takes a request and never answers.
func hangs(_ http.ResponseWriter, r *http.Request) bool {
	_, _ = io.Copy(io.Discard, r.Body) // only then is it seen that the client has gone
	<-r.Context().Done()
	return true
}

func TestALogoutTokenCountsOnce(t *testing.T) {
	t.Parallel()
	s, stub := withStub(t)
	end := func(token string) int {
		return servertest.Do(t, servertest.Browser(t), crossPost(t,
			s.URL+"/external/stub/back-channel", url.Values{"logout_token": {token}})).Response.StatusCode
	}
	token := stub.LogoutToken("person-1", "")
	if got := end(token); got != 200 {
		t.Fatalf("the first time: %d, want 200", got)
	}
	v := newVisitor(t, s)
	v.leads(v.join(v.via("stub"), "full_name", "Pat"), "/account")
	if got := end(token); got != 400 {
		t.Errorf("the second time: %d, want 400", got)
	}
	v.signedIn(true)
	for _, e := range eventsNow(t, s) {
		if e.Reason == "replayed" && strings.Contains(e.Details, "stub") {
			return
		}
	}
	t.Error("no row of the audit log says that it came again")
}

func TestAProviderThatHangsHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: toStubs})
	addProvider(t, s, servertest.NewStubOIDC(t), "quick", "")
	var hung sync.WaitGroup
	for _, path := range []string{"/.well-known/openid-configuration", "/token", "/keys", "/userinfo"} {
		stub := servertest.NewStubOIDC(t)
		stub.Userinfo = []string{"email"}
		slug := "slow-" + strings.NewReplacer("/", "", ".", "").Replace(path)[:4]
		addProvider(t, s, stub, slug, "")
		stub.Set(func(s *servertest.StubOIDC) {
			s.Before = func(w http.ResponseWriter, r *http.Request) bool { return r.URL.Path == path && hangs(w, r) }
		})
		hung.Go(func() {
			v, began := newVisitor(t, s), time.Now()
			page := v.post("/external/" + slug + "/start")
			if page.Response.StatusCode == 200 {
				page = servertest.Get(t, v.browser, v.there(v.depart(page)))
			}
			v.page(page, 503, "cannot be reached at the moment")
			if took := time.Since(began); took < time.Second || took > 10*time.Second {
				t.Errorf("%s hangs: the page came after %s", path, took)
			}
		})
	}
	time.Sleep(200 * time.Millisecond) // they hang by now
	for range 5 {
		v, began := newVisitor(t, s), time.Now()
		v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/account")
		other := newVisitor(t, s)
		if to := other.via("quick").Location(); to == nil || !strings.HasPrefix(to.Path, "/a") {
			t.Errorf("another provider leads to %v", to)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("a sign-in took %s while a provider hangs", took)
		}
	}
	hung.Wait()
}

func TestTheSignUpPageHasTheProvidersThatMakeAccounts(t *testing.T) {
	t.Parallel()
	s, _ := withStub(t)
	addProvider(t, s, servertest.NewStubOIDC(t), "a", "")
	addProvider(t, s, servertest.NewStubOIDC(t), "shut", "", func(o *provider.Options) { o.Registration = provider.RegistrationOff })
	v := newVisitor(t, s)
	order := func(path string) (slugs []string) {
		for _, part := range strings.Split(v.get(path).Body, `action="/external/`)[1:] {
			slugs = append(slugs, part[:strings.Index(part, "/")])
		}
		return slugs
	}
	if got := strings.Join(order("/sign-up"), " "); got != "a stub" {
		t.Errorf("the sign-up page has %q, want those that make accounts by their names", got)
	}
	if got := strings.Join(order("/sign-in"), " "); got != "a shut stub" {
		t.Errorf("the sign-in page has %q, want all", got)
	}
	v.leads(v.join(v.via("stub"), "full_name", "Pat"), "/account")
	v.post("/sign-out")
	if got := strings.Join(order("/sign-up"), " "); got != "stub a" {
		t.Errorf("the sign-up page has %q, want the last used first", got)
	}
}

func TestWhoCannotProveAnewByAProviderIsToldOtherWays(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: toStubs})
	stub := servertest.NewStubGoogle(t)
	google := provider.Description{
		Kind: provider.Google, Issuer: stub.Issuer, ClientID: stub.ClientID, Secret: stub.Secret,
	}
	if _, err := s.Providers.Create(t.Context(), audit.Shell(), google); err != nil {
		t.Fatal(err)
	}
	v := newVisitor(t, s)
	v.leads(v.join(v.via("google"), "full_name", "Pat"), "/account")
	ask := func(v visitor, pairs ...string) (page *servertest.Page, flow string) {
		to := servertest.Get(t, v.browser, authorizeURL(s, acmePortal.request("v", pairs...))).Location()
		return v.get(to.RequestURI()), to.Query().Get("flow")
	}
	page, flow := ask(v, "prompt", "login")
	v.page(page, 200, "<strong>Google</strong> cannot confirm that it is you right now.")
	v.page(page, 200, `You have no password and no passkey here yet. <a id="set-password" href="/forgot-password">`)
	if strings.Contains(page.Body, "/external/google/start") {
		t.Error("there is a button that cannot work")
	}
	v.page(v.post("/external/google/start", "flow", flow), 503, "This provider cannot confirm that it is you right now. Use your password or a passkey")
	if stub.Asked("/o/oauth2/v2/auth") != 1 {
		t.Error("somebody was sent to Google, which shows an error of its own")
	}
	stranger := newVisitor(t, s)
	page, _ = ask(stranger, "max_age", "60")
	stranger.page(page, 200, "Use your password or a passkey.")
	page, _ = ask(newVisitor(t, s))
	stranger.page(page, 200, "/external/google/start")

	aged(t, s, userID(t, s, "pat@gmail.com"))
	page = v.page(v.post("/account/passkeys/new"), 200, "<strong>Google</strong> cannot confirm that it is you right now.")
	if strings.Contains(page.Body, "/external/google/start") {
		t.Error("a change offers a button that cannot work")
	}
}

func TestAnotherAuthyKnowsThisOneByItsKeys(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: toStubs})
	there := servertest.Start(t, servertest.Options{Configure: toStubs})
	client := register(t, there, registry.Registration{
		ClientID: "authy-here", Name: "Authy here", RedirectURIs: []string{s.URL + "/external/there/callback"},
		AuthMethod: "private_key_jwt", SkipConsent: true,
		Options: registry.Options{JWKSURI: s.URL + "/oidc/jwks", UserinfoAlg: "ES256"},
	})
	d := provider.Description{
		Slug: "there", Kind: provider.OIDC, Name: "There", Issuer: there.URL, ClientID: client.id,
		// Only userinfo has it.
		Options: provider.Options{AuthMethod: provider.AuthKey, Groups: "zoneinfo"},
	}
	if _, err := s.Providers.Create(t.Context(), audit.Shell(), d); err != nil {
		t.Fatal(err)
	}
	checks, err := s.Providers.Test(t.Context(), audit.Shell(), "", "there")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, c := range checks {
		said[c.Name] = c.Text
		if !c.OK {
			t.Errorf("%s: %s", c.Name, c.Text)
		}
	}
	if !strings.HasSuffix(said["client_key"], s.URL+"/oidc/jwks") || said["secret"] != "The provider knows the client by its key." {
		t.Errorf("the test says %q", said)
	}
	v := newVisitor(t, s)
	page, _ := there.Visit(t, servertest.Browser(t), v.depart(v.post("/external/there/start")), bob, bobPass)
	back := page.Location()
	if back == nil {
		t.Fatalf("stuck there: %s", page.Body)
	}
	page = servertest.Get(t, v.browser, back.String())
	if to := page.Location(); to == nil || to.Path != "/arrival/link" { // bob is here, too
		t.Errorf("back here: %d to %v\n%s", page.Response.StatusCode, to, page.Body)
	}
}

func TestHowAuthyProvesItselfIsChosenWithCare(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: toStubs})
	stub := servertest.NewStubOIDC(t)
	for name, c := range map[string]struct {
		change func(d *provider.Description)
		want   string
	}{
		"another word":      {func(d *provider.Description) { d.Options.AuthMethod = "tls_client_auth" }, "Must be one of: client_secret_basic"},
		"of GitHub":         {func(d *provider.Description) { d.Kind, d.Options.AuthMethod = provider.GitHub, provider.AuthKey }, "has a choice"},
		"no secret":         {func(d *provider.Description) { d.Secret, d.Options.AuthMethod = "", provider.AuthPost }, "needs a client secret"},
		"as this server is": {func(d *provider.Description) { d.ClientID, d.Options.AuthMethod = s.URL, provider.AuthKey }, "would look like ours"},
	} {
		d := provider.Description{
			Slug: "x", Kind: provider.OIDC, Name: "X", Issuer: stub.Issuer, ClientID: stub.ClientID, Secret: stub.Secret,
		}
		c.change(&d)
		if _, err := s.Providers.Create(t.Context(), audit.Shell(), d); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
