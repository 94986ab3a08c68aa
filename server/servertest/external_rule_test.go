package servertest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/config"
	"authy/server/org"
	"authy/server/provider"
	"authy/server/servertest"
	"authy/storage"
)

func crossPost(t *testing.T, address string, form url.Values) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	return req
}

func removeProvider(t *testing.T, s *servertest.Server, slug string) {
	t.Helper()
	if err := s.Providers.Remove(t.Context(), audit.Shell(), "", slug); err != nil {
		t.Fatal(err)
	}
}

func disableProvider(t *testing.T, s *servertest.Server, slug string) {
	t.Helper()
	_, err := s.Providers.Update(t.Context(), audit.Shell(), "", slug, func(d *provider.Description) { d.Disabled = true })
	if err != nil {
		t.Fatal(err)
	}
}

// departureOf is the row of who is at a provider by an address.
func departureOf(t *testing.T, s *servertest.Server, address string) *storage.Departure {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.DB.Departure(t.Context(), storage.Hash(u.Query().Get("state")))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAnAnswerNeedsTheStateOfItsBrowser(t *testing.T) {
	t.Parallel()
	s, stub := withStub(t)
	other := servertest.NewStubOIDC(t)
	addProvider(t, s, other, "other", "")
	asked := func() int { return stub.Asked("/token") + other.Asked("/token") }
	refused := func(name string, v visitor, address string) {
		t.Helper()
		before := asked()
		page := servertest.Get(t, v.browser, address)
		if page.Response.StatusCode != http.StatusBadRequest || asked() != before {
			t.Errorf("%s: status %d and %d token calls, want 400 and none", name, page.Response.StatusCode, asked()-before)
		}
		v.signedIn(false)
	}
	start := func(v visitor) string { return v.there(v.depart(v.post("/external/stub/start"))) }
	v := newVisitor(t, s)
	good := start(v)
	for name, address := range map[string]string{
		"FE-01 no state":      s.URL + "/external/stub/callback?code=x",
		"FE-01 unknown state": s.URL + "/external/stub/callback?code=x&state=ABCDEFGHIJKLMNOPQRSTUVWXYZ",
		"FE-01 two states":    good + "&state=x",
		"FE-01 a null byte":   s.URL + "/external/stub/callback?code=x&state=%00",
		"FE-01 SAML's name":   strings.Replace(good, "state=", "RelayState=", 1),
	} {
		refused(name, v, address)
	}
	refused("FE-02 another browser", newVisitor(t, s), good)
	refused("FE-01 another provider", v, strings.Replace(good, "/stub/", "/other/", 1))
	refused("FE-01 after that", v, good)

	late := v.depart(v.post("/external/stub/start"))
	d := departureOf(t, s, late)
	err := s.DB.Update(t.Context(), func(tx *storage.Tx) error {
		if _, err := tx.TakeDeparture(t.Context(), d.Hash, d.BrowserHash, time.Now()); err != nil {
			return err
		}
		d.ExpiresAt = storage.At(time.Now())
		return tx.InsertDeparture(t.Context(), d)
	})
	if err != nil {
		t.Fatal(err)
	}
	refused("FE-01 expired", v, v.there(late))

	v.leads(v.join(servertest.Get(t, v.browser, start(v)), "full_name", "Pat"), "/account")
	twice, answers := start(v), make(chan int, 2)
	for range 2 {
		go func() { answers <- servertest.Get(t, v.browser, twice).Response.StatusCode }()
	}
	if a, b := <-answers, <-answers; a+b != http.StatusSeeOther+http.StatusBadRequest {
		t.Errorf("FE-01 at once: %d and %d, want one of them", a, b)
	}
}

func TestAnAddressThatNobodyCheckedOpensNoAccount(t *testing.T) {
	t.Parallel()
	s, stub := withStub(t)
	for name, claims := range map[string][]any{
		"FE-04 not verified":          {"email_verified", false},
		"FE-04 verified, not trusted": {"email_verified", true},
		"FE-06 nothing said":          {},
	} {
		comesAs(stub, append(claims, "sub", name, "email", bob)...)
		v := newVisitor(t, s)
		to := v.via("stub").Location()
		if to == nil || to.Path != "/arrival/link" {
			t.Fatalf("%s: leads to %v, want a page that asks to sign in", name, to)
		}
		v.signedIn(false)
		v.page(v.get(to.RequestURI()), 200, "There is an account with this address already")
		if i, err := s.DB.Identities(t.Context(), userID(t, s, bob)); err != nil || len(i) > 0 {
			t.Errorf("%s: %d identities of bob, %v, want none", name, len(i), err)
		}
	}
	// Who can sign in to it otherwise links it then.
	comesAs(stub, "sub", "claimed", "email", bob)
	v := newVisitor(t, s)
	to := v.via("stub").Location().RequestURI()
	v.get(to)
	v.leads(v.post("/sign-in", "email", bob, "password", bobPass), to)
	page := v.page(v.get(to), 200, `id="link"`)
	v.leads(v.post("/arrival/link", "id", page.Hidden().Get("id")), "/account/security")
	again := newVisitor(t, s)
	again.leads(again.via("stub"), "/account")
	v.page(v.post("/arrival/link", "id", page.Hidden().Get("id")), 400, "")
}

func TestMicrosoftsAddressesOpenNoAccount(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: toStubs})
	stub := servertest.NewStubMicrosoft(t)
	addProvider(t, s, stub, "entra", "", func(o *provider.Options) { o.Domains = []string{"acme-corp.com"} })
	_, err := s.Providers.Update(t.Context(), audit.Shell(), "", "entra", func(d *provider.Description) { d.Name = "Entra" })
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Providers.Find(t.Context(), "entra")
	if err != nil {
		t.Fatal(err)
	}
	p.Kind = provider.Microsoft
	if err := s.DB.Update(t.Context(), func(tx *storage.Tx) error { return tx.SaveProvider(t.Context(), p) }); err != nil {
		t.Fatal(err)
	}
	stub.Set(func(s *servertest.StubOIDC) {
		s.Person["email"], s.Person["preferred_username"], s.Person["upn"] = bob, bob, bob
		s.Person["email_verified"] = true
	})
	v := newVisitor(t, s)
	if to := v.via("entra").Location(); to == nil || to.Path != "/arrival/link" {
		t.Errorf("FE-06: leads to %v, want a page that asks to sign in", to)
	}
	v.signedIn(false)
}

func TestWhoeverMadeAnAccountBeforeItsOwnerLosesIt(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		stub := servertest.NewStubOIDC(t)
		addProvider(t, s, stub, "stub", "", func(o *provider.Options) { o.Domains = []string{"corp.example"} })
		const victim = "victim@corp.example"
		mallory := registered(t, s, victim)
		enrolled(t, mallory)
		id := userID(t, s, victim)
		comesAs(stub, "sub", "victim", "email", victim, "email_verified", true)
		time.Sleep(2 * time.Millisecond)
		v := newVisitor(t, s)
		v.leads(v.via("stub"), "/account")
		v.signedIn(true)
		box.Next(t, victim, "Your account is yours alone")
		box.Next(t, victim, "was linked")
		if got := mallory.call("GET", mePath, nil); got.Code != http.StatusUnauthorized {
			t.Errorf("FE-09: the session from before: %d, want 401", got.Code)
		}
		if has, err := account.HasPassword(t.Context(), s.DB.Reader, id); err != nil || has {
			t.Errorf("FE-09: the password from before is there: %v, %v", has, err)
		}
		if f, err := account.FactorsOf(t.Context(), s.DB.Reader, id); err != nil || f.Any() {
			t.Errorf("FE-09: the factors from before are there: %+v, %v", f, err)
		}
		if user, err := s.Accounts.Find(t.Context(), victim); err != nil || user.EmailVerifiedAt.IsZero() {
			t.Errorf("FE-09: the address is not noted as checked: %v", err)
		}
		// An account whose owner has shown the address to be theirs keeps all.
		keeper := apiOf(t, s, bob, bobPass)
		other := servertest.NewStubOIDC(t)
		addProvider(t, s, other, "other", "", func(o *provider.Options) { o.Domains = []string{"acme-corp.com"} })
		comesAs(other, "sub", "bob", "email", bob, "email_verified", true)
		v = newVisitor(t, s)
		v.leads(v.via("other"), "/account")
		keeper.call("GET", mePath, nil).succeeded(200, "User profile retrieved successfully")
	}, toStubs)
}

func TestAnOrganizationsProviderSpeaksOfItsDomainsAlone(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: toStubs})
	stub := servertest.NewStubOIDC(t)
	eve := userID(t, s, cast["owner"])
	o, err := s.Orgs.Create(t.Context(), audit.Shell(), org.NewOrg{Slug: "sso", Name: "SSO", OwnerID: eve})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Providers.AddDomain(t.Context(), audit.Shell(), o.ID, "sso.example"); err != nil {
		t.Fatal(err)
	}
	addProvider(t, s, stub, "sso", o.ID, func(o *provider.Options) { o.Domains = []string{"sso.example"} })
	for _, email := range []string{bob, "nobody@acme-corp.com"} {
		comesAs(stub, "sub", email, "email", email, "email_verified", true)
		v := newVisitor(t, s)
		to := v.via("sso").Location()
		if to == nil || to.Path != "/arrival/link" {
			t.Fatalf("SA-20 %s: leads to %v, want a page that asks to sign in", email, to)
		}
		v.page(v.get(to.RequestURI()), 200, "Sign in to your account here first")
		v.signedIn(false)
	}
	if _, err := s.Accounts.Find(t.Context(), "nobody@acme-corp.com"); err == nil {
		t.Error("SA-20: an account was made outside the organization's domains")
	}
	// Within them people come in by themselves, and belong to the organization.
	comesAs(stub, "sub", "kim", "email", "kim@sso.example", "email_verified", true)
	v := newVisitor(t, s)
	v.page(v.get("/sign-in"), 200, `href="/sign-in/organization"`)
	v.page(v.post("/sign-in/organization", "email", "kim@elsewhere.example"), 404, "No organization here")
	v.page(v.post("/sign-in/organization", "email", "kim"), 400, "Not a valid email address")
	start := v.post("/sign-in/organization", "email", "kim@sso.example")
	v.leads(servertest.Get(t, v.browser, v.there(v.depart(start))), "/account")
	kim := userID(t, s, "kim@sso.example")
	if m, err := s.DB.Member(t.Context(), o.ID, kim); err != nil || m.Role != org.Member {
		t.Errorf("kim is %+v, %v, want a member", m, err)
	}
	// FE-18: the organization is switched off.
	back := v.there(v.depart(v.post("/external/sso/start")))
	off := false
	if _, err := s.Orgs.Update(t.Context(), audit.Shell(), o.ID, org.Change{Active: &off}); err != nil {
		t.Fatal(err)
	}
	v.page(servertest.Get(t, v.browser, back), 404, "switched off")
	v.page(v.post("/external/sso/start"), 404, "switched off")
}

func TestWhoIsSwitchedOffMeanwhileDoesNotComeIn(t *testing.T) {
	t.Parallel()
	s, stub := withStub(t)
	comesAs(stub, "sub", "pat", "email", "pat@example.com", "email_verified", true)
	first := newVisitor(t, s)
	first.join(first.via("stub"), "full_name", "Pat")
	id, shell := userID(t, s, "pat@example.com"), audit.Shell()
	begun := func() (visitor, string) {
		v := newVisitor(t, s)
		return v, v.there(v.depart(v.post("/external/stub/start")))
	}
	v, back := begun()
	if err := s.Accounts.Suspend(t.Context(), shell, id); err != nil {
		t.Fatal(err)
	}
	v.page(servertest.Get(t, v.browser, back), 403, "suspended")
	if user, err := s.Accounts.Find(t.Context(), id); err != nil || user.Status != storage.Suspended {
		t.Errorf("FE-18: the account is %v, %v, want suspended still", user, err)
	}
	if err := s.Accounts.Activate(t.Context(), shell, id); err != nil {
		t.Fatal(err)
	}
	v, back = begun()
	if err := s.Accounts.Delete(t.Context(), shell, id); err != nil {
		t.Fatal(err)
	}
	if to := servertest.Get(t, v.browser, back).Location(); to == nil || to.Path != "/arrival/new" {
		t.Errorf("FE-18: who was deleted leads to %v, want the offer of an account", to)
	}
	v.signedIn(false)
	v, back = begun()
	asked := stub.Asked("/token")
	disableProvider(t, s, "stub")
	v.page(servertest.Get(t, v.browser, back), 404, "switched off")
	v.page(v.post("/external/stub/start"), 404, "switched off")
	if stub.Asked("/token") != asked {
		t.Error("FE-18: a provider was asked that is switched off")
	}
	if strings.Contains(v.get("/sign-in").Body, "/external/stub/") {
		t.Error("FE-18: a provider has a button that is switched off")
	}
	removeProvider(t, s, "stub")
	v.page(v.post("/external/stub/start"), 404, "switched off")
}

func TestAnErrorOfAProviderIsNotRepeated(t *testing.T) {
	t.Parallel()
	s, stub := withStub(t)
	const script = `"><script>alert(1)</script>`
	stub.Set(func(s *servertest.StubOIDC) {
		s.Respond = func(answer url.Values) {
			answer.Del("code")
			answer.Set("error", script)
			answer.Set("error_description", script)
			answer.Set("error_uri", "javascript:alert(1)")
		}
	})
	v := newVisitor(t, s)
	back := v.there(v.depart(v.post("/external/stub/start")))
	page := servertest.Get(t, v.browser, back)
	if page.Response.StatusCode < 400 || strings.Contains(page.Body, "alert(1)") {
		t.Errorf("FE-21: %d, want a refusal without what came:\n%s", page.Response.StatusCode, page.Body)
	}
	v.page(servertest.Get(t, v.browser, back), 400, "finished before")
	for _, e := range eventsNow(t, s) {
		if strings.Contains(e.Reason+e.Details, "alert") {
			t.Errorf("FE-21: the audit log holds %q %q", e.Reason, e.Details)
		}
	}
}

func TestARedirectInAnAnswerIsNotFollowed(t *testing.T) {
	t.Parallel()
	s, _ := withStub(t)
	v := newVisitor(t, s)
	back := v.there(v.depart(v.post("/external/stub/start"))) + "&redirect_uri=https%3A%2F%2Fevil.example%2F"
	page := servertest.Get(t, v.browser, back)
	if to := page.Location(); to == nil || !strings.HasPrefix(to.String(), s.URL+"/arrival/new?handle=") {
		t.Errorf("FE-15: leads to %v, want a page here", to)
	}
	for _, path := range []string{"/api/v1/auth/external/token", "/api/v1/auth/external/stub/token"} {
		got := caller{t: t, s: s}.call("POST", path, object{"code": "x", "redirect_uri": "x", "client_id": "external-app"})
		if got.Code != http.StatusNotFound {
			t.Errorf("FE-16 %s: %d, want 404", path, got.Code)
		}
	}
}

// apiOf is a program that somebody has signed in.
func apiOf(t *testing.T, s *servertest.Server, email, password string) caller {
	t.Helper()
	return caller{t: t, s: s, token: signedInAs(t, s, email, password).token}
}

func TestLinkingAndUnlinking(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		stub := servertest.NewStubOIDC(t)
		addProvider(t, s, stub, "stub", "")
		comesAs(stub, "sub", "pat", "email", "pat@example.com", "email_verified", true)
		v := newVisitor(t, s)
		s.SignIn(t, v.browser, bob, bobPass)
		v.page(v.get("/account/security"), 200, "Linked accounts")
		back := v.there(v.depart(v.post("/account/identities/link", "id", "stub")))
		carol := newVisitor(t, s)
		s.SignIn(t, carol.browser, cast["member"], bobPass)
		carol.page(servertest.Get(t, carol.browser, back), 400, "another browser")
		v.leads(servertest.Get(t, v.browser, back), "/account/security")
		page := v.page(v.get("/account/security"), 200, "Your account at The stub is linked.")
		box.Next(t, bob, "An account at The stub was linked")
		other := newVisitor(t, s)
		other.leads(other.via("stub"), "/account")

		linked, err := s.Accounts.Identities(t.Context(), userID(t, s, bob))
		if err != nil || len(linked) != 1 || !strings.Contains(page.Body, linked[0].ID) {
			t.Fatalf("%d identities, %v, want one that the page shows", len(linked), err)
		}
		id := linked[0].ID
		again := carol.there(carol.depart(carol.post("/account/identities/link", "id", "stub")))
		carol.page(servertest.Get(t, carol.browser, again), 409, "linked to another account")
		carol.page(carol.post("/account/identities/unlink", "id", id), 404, "")
		if n, err := s.DB.Identities(t.Context(), userID(t, s, bob)); err != nil || len(n) != 1 {
			t.Errorf("FE-20: carol has unlinked what is bob's: %v", err)
		}
		v.leads(v.post("/account/identities/unlink", "id", id), "/account/security")
		box.Next(t, bob, "was unlinked")
		third := newVisitor(t, s)
		if to := third.via("stub").Location(); to == nil || to.Path != "/arrival/new" {
			t.Errorf("what is unlinked leads to %v", to)
		}
	}, toStubs)
}

func TestTheLastWayInIsNotUnlinked(t *testing.T) {
	t.Parallel()
	s, stub := withStub(t)
	v := newVisitor(t, s)
	v.leads(v.join(v.via("stub"), "full_name", "Pat"), "/account")
	pat := userID(t, s, "pat@example.com")
	linked, err := s.Accounts.Identities(t.Context(), pat)
	if err != nil || len(linked) != 1 {
		t.Fatal(len(linked), err)
	}
	v.page(v.post("/account/identities/unlink", "id", linked[0].ID), 409, "Cannot unlink the last authentication method")
	other := servertest.NewStubOIDC(t)
	addProvider(t, s, other, "other", "")
	v.leads(servertest.Get(t, v.browser, v.there(v.depart(v.post("/account/identities/link", "id", "other")))), "/account/security")
	disableProvider(t, s, "other")
	v.page(v.post("/account/identities/unlink", "id", linked[0].ID), 409, "Cannot unlink the last authentication method")
	_, err = s.Providers.Update(t.Context(), audit.Shell(), "", "other", func(d *provider.Description) { d.Disabled = false })
	if err != nil {
		t.Fatal(err)
	}
	v.leads(v.post("/account/identities/unlink", "id", linked[0].ID), "/account/security")
	_ = stub
}

// aged makes the session of a user be proved long ago.
func aged(t *testing.T, s *servertest.Server, userID string) {
	t.Helper()
	sessions, _, err := s.Sessions.List(t.Context(), userID, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	err = s.DB.Update(t.Context(), func(tx *storage.Tx) error {
		for i := range sessions {
			sessions[i].AuthenticatedAt = storage.At(time.Now().Add(-time.Hour))
			if err := tx.SaveSession(t.Context(), &sessions[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhoHasNoPasswordProvesThemselvesAtTheProvider(t *testing.T) {
	t.Parallel()
	s, stub := withStub(t)
	addProvider(t, s, servertest.NewStubOIDC(t), "other", "")
	v := newVisitor(t, s)
	v.leads(v.join(v.via("stub"), "full_name", "Pat"), "/account")
	pat := userID(t, s, "pat@example.com")
	aged(t, s, pat)
	v.page(v.post("/account/identities/link", "id", "other"), 200, `action="/external/stub/start"`)
	// FE-20: the session alone is not enough.
	v.page(v.post("/account/identities/link", "id", "other", "password", ""), 403, "sign in again")
	address := v.depart(v.post("/external/stub/start", "again", "yes"))
	if asked, err := url.Parse(address); err != nil || asked.Query().Get("prompt") != "login" {
		t.Errorf("the provider is asked %s, want prompt=login", address)
	}
	before := v.cookie("authy_session")
	v.leads(servertest.Get(t, v.browser, v.there(address)), "/account")
	if v.cookie("authy_session") == before {
		t.Error("the session has its token still")
	}
	v.depart(v.post("/account/identities/link", "id", "other"))
	// As somebody else.
	aged(t, s, pat)
	comesAs(stub, "sub", "sam", "email", "sam@example.com", "email_verified", true)
	v.page(v.via("stub", "again", "yes"), 403, "somebody else")
	v.page(v.post("/account/identities/link", "id", "other"), 200, `id="prove"`)
	newVisitor(t, s).page(newVisitor(t, s).post("/external/stub/start", "again", "yes"), 401, "")
}

func TestAProviderSaysWhoGetsAnAccount(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: toStubs})
	shell, eve := audit.Shell(), userID(t, s, cast["owner"])
	o, err := s.Orgs.Create(t.Context(), shell, org.NewOrg{Slug: "lab", Name: "Lab", OwnerID: eve})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Orgs.Invite(t.Context(), audit.Actor{}.As(eve), o.ID, "guest@example.com", org.Member); err != nil {
		t.Fatal(err)
	}
	for policy, want := range map[string]string{
		"off": "403 ", "open": "303 /arrival/new", "domains": "303 /account", "invited": "303 /arrival/new",
	} {
		stub := servertest.NewStubOIDC(t)
		slug := "p-" + policy
		addProvider(t, s, stub, slug, "", func(o *provider.Options) {
			o.Registration, o.Domains = policy, []string{"in.example"}
		})
		email := policy + "@in.example"
		if policy == "invited" {
			email = "guest@example.com"
		}
		come := func(email string, verified bool) string {
			comesAs(stub, "sub", email, "email", email, "email_verified", verified)
			page := newVisitor(t, s).via(slug)
			path := ""
			if to := page.Location(); to != nil {
				path = to.Path
			}
			return strings.Join([]string{page.Response.Status[:3], path}, " ")
		}
		if got := come(email, true); got != want {
			t.Errorf("%s: %s leads to %s, want %s", policy, email, got, want)
		}
		if policy == "domains" || policy == "invited" {
			if got := come("x"+email, false); got != "403 " {
				t.Errorf("%s: an address that is not checked leads to %s, want 403", policy, got)
			}
			if got := come("stranger@out.example", true); got != "403 " {
				t.Errorf("%s: a stranger is led to %s, want 403", policy, got)
			}
		}
	}
}

func TestSigningOutLeadsToTheProvider(t *testing.T) {
	t.Parallel()
	s, stub := withStub(t, func(o *provider.Options) { o.Logout = true })
	v := newVisitor(t, s)
	v.leads(v.join(v.via("stub"), "full_name", "Pat"), "/account")
	page := v.page(v.post("/sign-out"), 200, "You are signed out")
	address := v.depart(page)
	if !strings.HasPrefix(address, stub.URL+"/end?") || !strings.Contains(page.Body, `id="onward"`) {
		t.Errorf("signing out leads to %s, want the stub", address)
	}
	if back := v.there(address); !strings.HasPrefix(back, s.URL+"/signed-out") {
		t.Errorf("the stub leads back to %s", back)
	}
	v.signedIn(false)
}

func TestAProviderEndsItsSessions(t *testing.T) {
	t.Parallel()
	s, stub := withStub(t)
	end := func(token string) int {
		page := servertest.Do(t, servertest.Browser(t), crossPost(t,
			s.URL+"/external/stub/back-channel", url.Values{"logout_token": {token}}))
		if page.Response.Header.Get("Cache-Control") != "no-store" {
			t.Error("the answer to a provider can be kept")
		}
		return page.Response.StatusCode
	}
	in := func(sid string) visitor {
		comesAs(stub, "sub", "pat", "email", "pat@example.com", "email_verified", true, "sid", sid)
		v := newVisitor(t, s)
		if page := v.via("stub"); page.Location().Path == "/arrival/new" {
			v.join(page, "full_name", "Pat")
		}
		v.signedIn(true)
		return v
	}
	one, two, three := in("s1"), in("s2"), in("s3")
	if got := end("no token"); got != 400 {
		t.Errorf("no token: %d, want 400", got)
	}
	if got := end(stub.LogoutToken("", "s1")); got != 200 {
		t.Errorf("by session: %d, want 200", got)
	}
	one.signedIn(false)
	two.signedIn(true)
	if got := end(stub.LogoutToken("pat", "s2")); got != 200 {
		t.Errorf("by both: %d, want 200", got)
	}
	two.signedIn(false)
	three.signedIn(true)
	if got := end(stub.LogoutToken("pat", "")); got != 200 {
		t.Errorf("by subject: %d, want 200", got)
	}
	three.signedIn(false)
}

func TestASlowProviderHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s, stub := withStub(t)
	v := newVisitor(t, s)
	back := v.there(v.depart(v.post("/external/stub/start")))
	stub.Set(func(s *servertest.StubOIDC) {
		s.Before = func(http.ResponseWriter, *http.Request) bool {
			panic(http.ErrAbortHandler) // down
		}
	})
	v.page(servertest.Get(t, v.browser, back), 503, "cannot be reached")
	for _, e := range eventsNow(t, s) {
		if e.Action == "user.login" && e.Reason != "" && strings.Contains(e.Details, "stub") {
			return
		}
	}
	t.Error("no row of the audit log says why")
}

func TestDeparturesAreCounted(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		toStubs(c)
		c.RateLimit.Enabled = true
	}})
	addProvider(t, s, servertest.NewStubOIDC(t), "stub", "")
	v := newVisitor(t, s)
	for range 700 {
		if page := v.post("/external/none/start"); page.Response.StatusCode == http.StatusTooManyRequests {
			v.page(v.post("/external/stub/start"), 429, "")
			return
		}
	}
	t.Error("FE-24: nobody was stopped")
}
