package servertest_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"authy/server/servertest"
)

// shownToken finds the text of a token on the page that shows it once.
var shownToken = regexp.MustCompile(`class="copy-value">(authy_pat_[A-Za-z0-9_-]{43})<`)

func TestAPersonMakesAndRevokesATokenOnThePage(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		browser := servertest.Browser(t)
		s.SignIn(t, browser, bob, bobPass)
		if page := servertest.Get(t, browser, s.URL+"/account/tokens"); strings.Contains(page.Body, "admin:read") {
			t.Error("the page offers bob what only administrators can have")
		}
		tr := newTrail(t, s)
		page := servertest.Post(t, browser, s.URL+"/account/tokens", url.Values{
			"name": {"My <script>"}, "scope": {"profile:read", "audit:read"}, "days": {"7"},
		})
		if to := page.Location(); to == nil || to.Path != "/account/tokens" || strings.Contains(to.String(), "authy_pat") {
			t.Fatalf("making it: %d to %v", page.Response.StatusCode, to)
		}
		page = servertest.Get(t, browser, s.URL+"/account/tokens")
		found := shownToken.FindStringSubmatch(page.Body)
		if found == nil || page.Response.StatusCode != http.StatusOK || page.Response.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %v %s", page.Response.StatusCode, page.Response.Header, page.Body)
		}
		tr.wants("making it", "token.create success by user to token")
		with := caller{t: t, s: s, token: found[1]}
		with.call("GET", mePath, nil).succeeded(200, "User profile retrieved successfully")
		page = servertest.Get(t, browser, s.URL+"/account/tokens")
		if strings.Contains(page.Body, found[1]) || !strings.Contains(page.Body, "My &lt;script&gt;") {
			t.Errorf("afterwards the page says %s", page.Body)
		}
		page = servertest.Post(t, browser, s.URL+"/account/tokens/revoke", url.Values{"id": page.Hidden()["id"]})
		if to := page.Location(); to == nil || to.Path != "/account/tokens" {
			t.Errorf("revoking: %d to %v", page.Response.StatusCode, to)
		}
		with.dead()
	})
}

func TestAFormForATokenKeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	s, browser := servertest.New(t), servertest.Browser(t)
	s.SignIn(t, browser, bob, bobPass)
	for want, form := range map[string]url.Values{
		"What it may do: Name at least one scope.":           {"name": {"Typed"}, "days": {"90"}},
		"Days: Must be between 1 and 366.":                   {"name": {"Typed"}, "days": {"many"}, "scope": {"audit:read"}},
		"What it may do: admin:read and admin:write are for": {"name": {"Typed"}, "days": {"90"}, "scope": {"admin:read"}},
		"What it is for: Length must be between 1 and 100.":  {"name": {strings.Repeat("x", 101)}, "never": {"yes"}, "scope": {"audit:read"}},
	} {
		page := servertest.Post(t, browser, s.URL+"/account/tokens", form)
		if page.Response.StatusCode != http.StatusBadRequest || !strings.Contains(page.Body, want) ||
			!strings.Contains(page.Body, `value="`+form.Get("name")+`"`) || shownToken.MatchString(page.Body) {
			t.Errorf("%v: %d, want %q and what was typed", form, page.Response.StatusCode, want)
		}
		if scope := form.Get("scope"); scope == "audit:read" && !strings.Contains(page.Body, `value="audit:read" checked`) {
			t.Errorf("%v: the scope is chosen no more", form)
		}
	}
	if got := logIn(t, s, bob, bobPass).call("GET", tokensPath, nil).at("count"); got != 0.0 {
		t.Errorf("%v tokens after all were refused", got)
	}
	for _, path := range []string{"/account/tokens", "/account/tokens/revoke"} {
		if page := servertest.Post(t, servertest.Browser(t), s.URL+path, url.Values{"name": {"x"}}); page.Location() == nil {
			t.Errorf("%s: somebody unknown gets %d", path, page.Response.StatusCode)
		}
	}
}

func TestSomebodyIsToldOfATokenInTheirName(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		v := newVisitor(t, s)
		s.SignIn(t, v.browser, bob, bobPass)
		v.leads(v.post("/account/tokens", "name", "Backup", "scope", "audit:read", "days", "7"), "/account/tokens")
		letter := box.Next(t, bob, "An API token was made")
		if !strings.Contains(letter.Text, "the new token “Backup”") || strings.Contains(letter.Text, "authy_pat_") {
			t.Errorf("the mail says %q", letter.Text)
		}
	})
}

// A token lasts longer than the session that makes it: whoever found the browser open
// gets none.
func TestASessionThatIsOldMakesNoToken(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/account")
	aged(t, s, userID(t, s, bob))
	wish := []string{"name", "Backup <1>", "scope", "audit:read", "days", "7"}
	page := v.post("/account/tokens", wish...)
	for _, want := range []string{
		`id="password"`, `name="name" value="Backup &lt;1&gt;"`,
		`name="scope" value="audit:read"`, `name="days" value="7"`, `href="/account/tokens"`,
	} {
		if page.Response.StatusCode != http.StatusOK || !strings.Contains(page.Body, want) {
			t.Errorf("without a proof: %d, the page lacks %s:\n%s", page.Response.StatusCode, want, page.Body)
		}
	}
	if page := v.post("/account/tokens", append(wish, "password", "not it")...); page.Response.StatusCode != 401 {
		t.Errorf("with a wrong password: %d", page.Response.StatusCode)
	}
	if page := v.get("/account/tokens"); strings.Contains(page.Body, "Backup") {
		t.Error("a token was made without a proof")
	}
	v.leads(v.post("/account/tokens", append(wish, "password", bobPass)...), "/account/tokens")
	if page := v.get("/account/tokens"); !shownToken.MatchString(page.Body) {
		t.Errorf("with the password: %s", page.Body)
	}
}
