package servertest_test

import (
	"net/http"
	"strings"
	"testing"

	"authy/server/config"
	"authy/server/servertest"
)

// asks begins a sign-in to a in the browser of v and returns the page it leads
// to and its flow.
func (v visitor) asks(a app, verifier string, pairs ...string) (page, flow string) {
	v.t.Helper()
	to := servertest.Get(v.t, v.browser, authorizeURL(v.s, a.request(verifier, pairs...))).Location()
	if to == nil || to.Query().Get("flow") == "" {
		v.t.Fatalf("led to %v, want a page of a flow", to)
	}
	return to.Path, to.Query().Get("flow")
}

func TestSomeoneChoosesTheAccountThatTheAppGets(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		v := newVisitor(t, s)
		held := acmePortal.tokens(t, s, v.browser)
		page, flow := v.asks(acmePortal, "v", "prompt", "select_account")
		if page != "/choose-account" {
			t.Fatalf("led to %s, want the choice", page)
		}
		shown := v.get("/choose-account?flow=" + flow)
		if !strings.Contains(shown.Body, bob) || !strings.Contains(shown.Body, "Acme") {
			t.Errorf("the choice: %s", shown.Body)
		}
		mine := shown.Hidden().Get("account")
		v.leads(v.post("/choose-account", "flow", flow, "account", userID(t, s, carol)), "/choose-account?flow="+flow)
		if got := newVisitor(t, s).post("/choose-account", "flow", flow, "account", mine); got.Response.StatusCode != http.StatusForbidden {
			t.Errorf("AZ-25 another browser: %d, want 403", got.Response.StatusCode)
		}
		if got := v.post("/choose-account", "flow", flow, "account", mine); !gotCode(got) {
			t.Errorf("the choice leads to %v", got.Location())
		}
		if got := v.post("/choose-account", "flow", flow, "account", mine); gotCode(got) {
			t.Error("a choice was made twice")
		}
		if _, steps := s.Visit(t, v.browser, authorizeURL(s, acmePortal.request("v", "prompt", "select_account"))+"&x=1", bob, bobPass); steps[0] != "choose" {
			t.Errorf("the next time: %v, want a choice again", steps)
		}
		alive(t, s, held.Access, true)

		_, flow = v.asks(acmePortal, "v", "prompt", "select_account")
		if got := v.get("/sign-in?switch=1&flow=" + flow); !strings.Contains(got.Body, "switches to another account") {
			t.Errorf("the sign-in page: %s", got.Body)
		}
		v.leads(v.post("/sign-in", "flow", flow, "email", carol, "password", bobPass), "/consent?flow="+flow)
		if got := v.get("/account"); !strings.Contains(got.Body, carol) {
			t.Error("carol is not signed in")
		}
		if !recorded(t, s, "session.revoke", "another user signed in") {
			t.Error("bob's session did not end")
		}
	})
}

func TestAChoiceBelongsToTheSessionThatMadeIt(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	agent, victim := newVisitor(t, s), newVisitor(t, s)
	acmePortal.code(t, s, victim.browser)
	// The agent, who is nobody, begins; the victim is planted its cookie.
	to := servertest.Get(t, agent.browser, authorizeURL(s, dataAPI.request("v", "prompt", "select_account"))).Location()
	plant(t, s, agent.browser, victim.browser)
	flow := to.Query().Get("flow")
	shown := victim.get("/choose-account?flow=" + flow)
	victim.leads(victim.post("/choose-account", "flow", flow, "account", shown.Hidden().Get("account")), "/consent?flow="+flow)
	probe(t, s, agent.browser, flow)
	if got := agent.get("/choose-account?flow=" + flow); got.Response.StatusCode != http.StatusForbidden {
		t.Errorf("AZ-25 the agent sees the choice: %d", got.Response.StatusCode)
	}
	nobody := newVisitor(t, s)
	_, flow = nobody.asks(acmePortal, "v", "prompt", "select_account")
	nobody.leads(nobody.get("/choose-account?flow="+flow), "/sign-in?flow="+flow)
}

func TestWhoIsToProveItAgainSeesWhoAndWhy(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, other := newVisitor(t, s), newVisitor(t, s)
	acmePortal.code(t, s, v.browser)
	verifier := strings.Repeat("v", 43)
	page, _ := s.Visit(t, other.browser, authorizeURL(s, acmePortal.request(verifier)), carol, bobPass)
	hint := acmePortal.redeem(t, s, page.Location().Query().Get("code"), verifier).ID
	for _, c := range []struct {
		name, parameter, value, want, prefilled string
	}{
		{"login", "prompt", "login", "prove again that it is you", bob},
		{"max_age", "max_age", "0", "prove again that it is you", bob},
		{"AZ-29 somebody else is hinted at", "id_token_hint", hint, "The app asks for another account", ""},
	} {
		_, flow := v.asks(acmePortal, "v", c.parameter, c.value, "login_hint", "")
		got := v.get("/sign-in?flow=" + flow)
		if !strings.Contains(got.Body, c.want) || !strings.Contains(got.Body, `type="email" value="`+c.prefilled+`"`) {
			t.Errorf("%s: %s", c.name, got.Body)
		}
		if strings.Contains(got.Body, carol) {
			t.Errorf("%s: the page tells whose the hint is", c.name)
		}
	}
	nobody := newVisitor(t, s)
	_, flow := nobody.asks(acmePortal, "v", "login_hint", "dave@example.com")
	if got := nobody.get("/sign-in?flow=" + flow); !strings.Contains(got.Body, `type="email" value="dave@example.com"`) {
		t.Errorf("login_hint: %s", got.Body)
	}
	if got := v.get("/sign-in"); got.Location() == nil {
		t.Error("without a flow, someone who is signed in is asked again")
	}
}

// newAccount is what someone types who wants one.
func newAccount(flow, email string, pairs ...string) []string {
	return append([]string{
		"flow", flow, "full_name", "Ada Lovelace", "email", email, "password", passphrase, "password_confirm", passphrase,
	}, pairs...)
}

func TestAnAppLeadsToANewAccount(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		v := newVisitor(t, s)
		held := acmePortal.tokens(t, s, v.browser)
		page, flow := v.asks(acmePortal, "v", "prompt", "create", "login_hint", "ada@example.com")
		if page != "/sign-up" {
			t.Fatalf("led to %s, want the page to sign up", page)
		}
		if got := v.get("/sign-up?flow=" + flow); !strings.Contains(got.Body, `value="ada@example.com"`) || !strings.Contains(got.Body, "Acme") {
			t.Errorf("the page: %s", got.Body)
		}
		for _, c := range []struct {
			name    string
			form    []string
			status  int
			problem string
		}{
			{"two passwords", newAccount(flow, "ada@example.com", "password_confirm", "another"), 400, "Passwords do not match"},
			{"a weak password", newAccount(flow, "ada@example.com", "password", "12345678", "password_confirm", "12345678"), 400, `id="password-problem"`},
			{"no address", newAccount(flow, "ada"), 400, `id="email-problem"`},
			{"an address that is taken", newAccount(flow, bob), 409, "already registered"},
			{"another flow", newAccount("nothing", "ada@example.com"), 403, "This sign-in has ended"},
		} {
			got := v.post("/sign-up", c.form...)
			if got.Response.StatusCode != c.status || !strings.Contains(got.Body, c.problem) || strings.Contains(got.Body, passphrase) {
				t.Errorf("%s: %d %s", c.name, got.Response.StatusCode, got.Body)
			}
		}
		v.leads(v.post("/sign-up", newAccount(flow, "ada@example.com")...), "/consent?flow="+flow)
		if got := v.post("/consent", "flow", flow, "decision", "allow"); !gotCode(got) {
			t.Errorf("the new account leads to %v", got.Location())
		}
		alive(t, s, held.Access, true) // bob's, with offline_access
		if got := v.get("/account"); !strings.Contains(got.Body, "ada@example.com") {
			t.Error("ada is not signed in")
		}
		if !recorded(t, s, "session.revoke", "another user signed in") {
			t.Error("bob's session did not end")
		}
		alone := newVisitor(t, s)
		alone.leads(alone.post("/sign-up", newAccount("", "grace@example.com")...), "/account")
		alone.signedIn(true)
	})
}

func TestWhereRegistrationIsClosedNobodySignsUp(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.Registration.Enabled = false }})
	v := newVisitor(t, s)
	page, flow := v.asks(acmePortal, "v", "prompt", "create")
	if page != "/sign-in" {
		t.Errorf("led to %s, want the sign-in page", page)
	}
	if got := v.get("/sign-in?flow=" + flow); strings.Contains(got.Body, "/sign-up") {
		t.Error("the sign-in page leads to where nothing is")
	}
	v.leads(v.get("/sign-up?flow="+flow), "/sign-in?flow="+flow)
	if got := v.get("/sign-up"); got.Response.StatusCode != http.StatusForbidden {
		t.Errorf("/sign-up: %d, want 403", got.Response.StatusCode)
	}
	for _, id := range []string{"", flow} {
		if got := v.post("/sign-up", newAccount(id, "ada@example.com")...); got.Response.StatusCode != http.StatusForbidden {
			t.Errorf("flow %q: %d, want 403", id, got.Response.StatusCode)
		}
	}
	v.signedIn(false)
}

func TestSigningUpUniformlyTellsNothing(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t, uniform)
	v := newVisitor(t, s)
	_, flow := v.asks(acmePortal, "v", "prompt", "create")
	known := v.post("/sign-up", newAccount(flow, bob)...)
	fresh := v.post("/sign-up", newAccount(flow, "ada@example.com")...)
	for _, got := range []*servertest.Page{known, fresh} {
		if got.Response.StatusCode != http.StatusAccepted || !strings.Contains(got.Body, "Look into your mail") ||
			!strings.Contains(got.Body, "/sign-in?flow="+flow) {
			t.Errorf("%d %s", got.Response.StatusCode, got.Body)
		}
	}
	v.signedIn(false)
	box.Next(t, "ada@example.com", "Finish your registration")
}

func TestSigningUpIsLimited(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.RateLimit.Enabled = true }})
	v := newVisitor(t, s)
	for range 40 {
		got := v.post("/sign-up", newAccount("", "ada")...)
		switch {
		case got.Response.StatusCode == http.StatusBadRequest:
			continue
		case got.Response.StatusCode != http.StatusTooManyRequests || got.Response.Header.Get("Retry-After") == "":
			t.Errorf("%d %s, want 429", got.Response.StatusCode, got.Body)
		}
		return
	}
	t.Error("forty times in a row, and never too often")
}
