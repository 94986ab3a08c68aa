package servertest_test

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/org"
	"authy/server/provider"
	"authy/server/servertest"
	"authy/storage"
)

// toStubs lets a server ask providers of the test.
func toStubs(c *config.Config) {
	c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	c.Registration.Enabled = true
}

// withStub starts a server with a provider "stub" that is there for everyone.
func withStub(t *testing.T, change ...func(o *provider.Options)) (*servertest.Server, *servertest.StubOIDC) {
	t.Helper()
	s := servertest.Start(t, servertest.Options{Configure: toStubs})
	stub := servertest.NewStubOIDC(t)
	addProvider(t, s, stub, "stub", "", change...)
	return s, stub
}

// addProvider sets a stub up as a provider, of an organization unless that is "".
func addProvider(
	t *testing.T, s *servertest.Server, stub *servertest.StubOIDC, slug, orgID string, change ...func(o *provider.Options),
) *storage.Provider {
	t.Helper()
	d := provider.Description{
		Slug: slug, Kind: provider.OIDC, Name: "The " + slug, Issuer: stub.Issuer, OrganizationID: orgID,
		ClientID: stub.ClientID, Secret: stub.Secret,
	}
	for _, one := range change {
		one(&d.Options)
	}
	p, err := s.Providers.Create(t.Context(), audit.Shell(), d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// depart begins at a provider and returns the address there.
func (v visitor) depart(page *servertest.Page) string {
	v.t.Helper()
	_, address, found := strings.Cut(page.Response.Header.Get("Refresh"), "url=")
	if !found {
		v.t.Fatalf("%s: %d leads to no provider:\n%s", page.Response.Request.URL, page.Response.StatusCode, page.Body)
	}
	return address
}

// there visits a provider and returns the address at which it sends back.
func (v visitor) there(address string) string {
	v.t.Helper()
	page := servertest.Get(v.t, servertest.Browser(v.t), address)
	if page.Location() == nil {
		v.t.Fatalf("the provider answers %d:\n%s", page.Response.StatusCode, page.Body)
	}
	return page.Location().String()
}

// via goes to a provider and comes back.
func (v visitor) via(slug string, pairs ...string) *servertest.Page {
	v.t.Helper()
	start := v.post("/external/"+slug+"/start", pairs...)
	return servertest.Get(v.t, v.browser, v.there(v.depart(start)))
}

// comesAs changes who signs in at a stub next.
func comesAs(stub *servertest.StubOIDC, pairs ...any) {
	stub.Set(func(s *servertest.StubOIDC) {
		s.Person = map[string]any{"name": "Pat Doe"}
		for i := 0; i+1 < len(pairs); i += 2 {
			name, _ := pairs[i].(string)
			s.Person[name] = pairs[i+1]
		}
	})
}

// join makes the account that a visitor is offered.
func (v visitor) join(page *servertest.Page, pairs ...string) *servertest.Page {
	v.t.Helper()
	to := page.Location()
	if to == nil || to.Path != "/arrival/new" {
		v.t.Fatalf("offered is %d to %v, want an account:\n%s", page.Response.StatusCode, to, page.Body)
	}
	v.page(v.get(to.RequestURI()), 200, `id="join"`)
	return v.post("/arrival/new", append([]string{"handle", to.Query().Get("handle")}, pairs...)...)
}

func TestSomebodyComesByWayOfAProvider(t *testing.T) {
	t.Parallel()
	s, stub := withStub(t)
	v := newVisitor(t, s)
	v.page(v.get("/sign-in"), 200, `action="/external/stub/start"`)
	page := v.via("stub")
	if _, err := s.Accounts.Find(t.Context(), "pat@example.com"); err == nil {
		t.Fatal("an account was made before anybody asked for it")
	}
	v.leads(v.join(page, "full_name", "Pat of Example", "email", "someone@else.example"), "/account")
	v.signedIn(true)
	v.page(v.get("/account/security"), 200, "The stub")
	pat, err := s.Accounts.Find(t.Context(), "pat@example.com")
	if err != nil || pat.EmailVerifiedAt.IsZero() || pat.FullName != "Pat of Example" {
		t.Fatalf("the account is %+v, %v, want the address that was checked", pat, err)
	}
	if got := v.cookie("authy_provider"); got != "stub" {
		t.Errorf("the browser remembers %q, want stub", got)
	}
	again := newVisitor(t, s)
	again.leads(again.via("stub"), "/account")
	sessions, _, err := s.Sessions.List(t.Context(), pat.ID, "", 10)
	if err != nil || len(sessions) != 2 || !slices.Equal(sessions[0].Methods, []string{"fed"}) {
		t.Errorf("sessions %+v, %v, want two by fed", sessions, err)
	}
	logins := slices.DeleteFunc(eventsNow(t, s), func(e storage.Event) bool {
		return e.Action != "user.login" || e.TargetID != pat.ID || !strings.Contains(e.Details, `"stub"`)
	})
	if len(logins) != 2 {
		t.Errorf("%d sign-ins by way of the stub are recorded, want 2", len(logins))
	}
	// FE-07: the same subject elsewhere is somebody else.
	other := servertest.NewStubOIDC(t)
	addProvider(t, s, other, "other", "")
	comesAs(other, "sub", stub.Person["sub"], "email", "sam@example.com", "email_verified", true)
	third := newVisitor(t, s)
	third.leads(third.join(third.via("other"), "full_name", "Sam"), "/account")
	if sam, err := s.Accounts.Find(t.Context(), "sam@example.com"); err != nil || sam.ID == pat.ID {
		t.Errorf("FE-07: the subject of another provider is %v, %v, want somebody of their own", sam, err)
	}
	if page := third.get("/sign-in?switch=1").Body; strings.Index(page, "/external/other/") > strings.Index(page, "/external/stub/") {
		t.Error("the provider that was used last is not the first")
	}
}

func TestAnAppGetsItsCodeByWayOfAProvider(t *testing.T) {
	t.Parallel()
	s, _ := withStub(t)
	v := newVisitor(t, s)
	to := servertest.Get(t, v.browser, authorizeURL(s, acmePortal.request("verifier", "prompt", "login"))).Location()
	if to == nil || to.Path != "/sign-in" {
		t.Fatalf("the app leads to %v", to)
	}
	flow := to.Query().Get("flow")
	address := v.depart(v.post("/external/stub/start", "flow", flow))
	asked, err := url.Parse(address)
	if err != nil || asked.Query().Get("prompt") != "login" {
		t.Errorf("the provider is asked %s, %v, want prompt=login as the app wants", address, err)
	}
	page := v.join(servertest.Get(t, v.browser, v.there(address)), "full_name", "Pat")
	v.leads(page, "/consent?flow="+flow)
	form := v.get("/consent?flow=" + flow).Hidden()
	form.Set("decision", "allow")
	if page = servertest.Post(t, v.browser, s.URL+"/consent", form); !gotCode(page) {
		t.Errorf("the app gets %d to %v, want a code", page.Response.StatusCode, page.Location())
	}
}

func TestAnAnswerByFormComesInOnce(t *testing.T) {
	t.Parallel()
	s, _ := withStub(t)
	v := newVisitor(t, s)
	back, err := url.Parse(v.there(v.depart(v.post("/external/stub/start"))))
	if err != nil {
		t.Fatal(err)
	}
	// As from another site, which sends no cookies.
	stranger := newVisitor(t, s)
	req := crossPost(t, s.URL+back.Path, back.Query())
	page := stranger.page(servertest.Do(t, stranger.browser, req), 200, `id="form-post"`)
	fields := page.Hidden()
	for name, values := range back.Query() {
		if fields.Get(name) != values[0] {
			t.Errorf("the form repeats %s as %q, want %q", name, fields.Get(name), values[0])
		}
	}
	v.join(servertest.Post(t, v.browser, s.URL+back.Path, fields), "full_name", "Pat")
	v.signedIn(true)
	v.page(servertest.Post(t, v.browser, s.URL+back.Path, fields), 400, "begun in another browser")
}

// FE-01: what a provider has answered signs one in, however often it comes at the same time.
func TestOneAnswerOfAProviderRacesForOneSession(t *testing.T) {
	t.Parallel()
	onNodes(t, func(t *testing.T, s *servertest.Server, next func() *servertest.Server) {
		addProvider(t, s, servertest.NewStubOIDC(t), "stub", "")
		v := newVisitor(t, s)
		v.join(v.via("stub"), "full_name", "Pat")
		pat := userID(t, s, "pat@example.com")
		for round := range roundsOf(t, 5) {
			v := newVisitor(t, s)
			back, err := url.Parse(v.there(v.depart(v.post("/external/stub/start"))))
			if err != nil {
				t.Fatal(err)
			}
			in := 0
			for _, page := range atOnce(crowd(round), func() *servertest.Page {
				return servertest.Get(t, v.browser, next().URL+back.RequestURI())
			}) {
				if to := page.Location(); to != nil && to.Path == "/account" {
					in++
					continue
				}
				v.page(page, 400, "begun in another browser")
			}
			sessions, _, err := s.Sessions.List(t.Context(), pat, "", 3)
			if err != nil || in != 1 || len(sessions) != 2 {
				t.Fatalf("%d of %d came in, and there are %d sessions, %v; want 1 and 2", in, crowd(round), len(sessions), err)
			}
			if err := s.Sessions.Revoke(t.Context(), audit.Shell(), sessions[0].ID); err != nil {
				t.Fatal(err)
			}
		}
	}, toStubs)
}

func TestTheSecondFactorHoldsByWayOfAProvider(t *testing.T) {
	t.Parallel()
	s, stub := withStub(t, func(o *provider.Options) {
		o.Domains, o.TrustedMethods = []string{"acme-corp.com"}, []string{"mfa"}
	})
	app := enrolled(t, apiOf(t, s, bob, bobPass))
	comesAs(stub, "sub", "bob", "email", bob, "email_verified", true, "amr", []string{"pwd"})
	v := newVisitor(t, s)
	v.leads(v.via("stub"), "/second-factor")
	v.signedIn(false)
	v.leads(v.post("/second-factor", "code", app.code(0)), "/account")
	v.signedIn(true)
	last := func() storage.Session {
		sessions, _, err := s.Sessions.List(t.Context(), userID(t, s, bob), "", 1)
		if err != nil {
			t.Fatal(err)
		}
		return sessions[0]
	}
	if got := last().Methods; !slices.Equal(got, []string{"fed", "otp", "mfa"}) {
		t.Errorf("the methods are %q", got)
	}
	if _, err := s.DB.UpstreamSession(t.Context(), last().ID); err != nil {
		t.Errorf("where the session comes from: %v", err)
	}
	comesAs(stub, "sub", "bob", "email", bob, "email_verified", true, "amr", []string{"pwd", "mfa", "pop"})
	v = newVisitor(t, s)
	v.leads(v.via("stub"), "/account")
	if got := last().Methods; !slices.Equal(got, []string{"fed", "pwd", "mfa"}) {
		t.Errorf("with a trusted second factor the methods are %q", got)
	}
	// What is linked no more does not come in by what was begun before.
	comesAs(stub, "sub", "bob", "email", bob, "email_verified", true)
	v = newVisitor(t, s)
	v.leads(v.via("stub"), "/second-factor")
	removeProvider(t, s, "stub")
	v.page(v.post("/second-factor", "code", app.code(1)), 401, "")
	v.signedIn(false)
}

func TestGroupsGiveAndTakePlaces(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: toStubs})
	stub := servertest.NewStubOIDC(t)
	eve := userID(t, s, cast["owner"])
	lab, err := s.Orgs.Create(t.Context(), audit.Shell(), org.NewOrg{Slug: "lab", Name: "Lab", OwnerID: eve})
	if err != nil {
		t.Fatal(err)
	}
	own, err := s.Orgs.Create(t.Context(), audit.Shell(), org.NewOrg{Slug: "own", Name: "Own", OwnerID: eve})
	if err != nil {
		t.Fatal(err)
	}
	addProvider(t, s, stub, "stub", "", func(o *provider.Options) {
		o.Groups = "groups"
		o.Roles = []provider.Role{
			{Group: "*", OrganizationID: lab.ID, Role: "guest"},
			{Group: "heads", OrganizationID: lab.ID, Role: "admin"},
			{Group: "heads", OrganizationID: own.ID, Role: "member"},
		}
	})
	v := newVisitor(t, s)
	v.leads(v.join(v.via("stub"), "full_name", "Pat"), "/account")
	pat := userID(t, s, "pat@example.com")
	roles := func(groups ...string) string {
		t.Helper()
		comesAs(stub, "sub", "person-1", "email", "pat@example.com", "email_verified", true, "groups", groups)
		back := newVisitor(t, s)
		back.leads(back.via("stub"), "/account")
		var text []string
		for _, o := range []string{lab.ID, own.ID} {
			if m, err := s.DB.Member(t.Context(), o, pat); err == nil {
				text = append(text, string(m.Role))
			} else {
				text = append(text, "-")
			}
		}
		return strings.Join(text, " ")
	}
	for _, c := range []struct{ groups, want string }{
		{"", "guest -"}, {"heads", "admin member"}, {"others", "guest -"},
	} {
		if got := roles(c.groups); got != c.want {
			t.Errorf("in %q the roles are %s, want %s", c.groups, got, c.want)
		}
	}
	// What people decide stays.
	if _, err := s.Orgs.SetRole(t.Context(), audit.Actor{}.As(eve), lab.ID, pat, org.Member); err != nil {
		t.Fatal(err)
	}
	if err := s.Orgs.AddMember(t.Context(), audit.Actor{}.As(eve), own.ID, pat, org.Owner); err != nil {
		t.Fatal(err)
	}
	if got := roles("heads"); got != "member owner" {
		t.Errorf("after people decided the roles are %s, want member owner", got)
	}
	if got := roles("others"); got != "member owner" {
		t.Errorf("after people decided, in no group, the roles are %s, want member owner", got)
	}
}
