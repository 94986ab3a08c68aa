package servertest_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"authy/server/servertest"
)

var formAction = regexp.MustCompile(`<form method="post" action="([^"]*)" id="form-post">`)

// posted returns where the form of a page goes, and what it takes there; "" if
// the page has none that goes by itself.
func posted(page *servertest.Page) (action string, values url.Values) {
	found := formAction.FindStringSubmatch(page.Body)
	if found == nil {
		return "", nil
	}
	return html.UnescapeString(found[1]), page.Hidden()
}

// answered lets bob sign in to a and returns what the client is told, in
// whatever mode.
func (a app) answered(t *testing.T, s *servertest.Server, browser *http.Client, pairs ...string) url.Values {
	t.Helper()
	page, steps := s.Visit(t, browser, authorizeURL(s, a.request("v", pairs...)), bob, bobPass)
	if action, values := posted(page); action != "" {
		if action != a.redirect {
			t.Errorf("the form goes to %s, want %s", action, a.redirect)
		}
		return values
	}
	to := page.Location()
	if to == nil || !strings.HasPrefix(to.String(), a.redirect) {
		t.Fatalf("no answer after %v: status %d, to %v", steps, page.Response.StatusCode, to)
	}
	if to.Fragment == "" {
		return to.Query()
	}
	values, err := url.ParseQuery(to.EscapedFragment())
	if err != nil || to.RawQuery != "" {
		t.Fatalf("the answer %s: %v", to, err)
	}
	return values
}

const script = `"><script>alert(1)</script>`

// byForm requires a page that posts by itself, and nothing else.
func byForm(t *testing.T, page *servertest.Page) url.Values {
	t.Helper()
	h := page.Response.Header
	if page.Response.StatusCode != http.StatusOK || h.Get("Location") != "" || h.Get("Cache-Control") != "no-store" ||
		h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("AZ-20 answer %d with %v", page.Response.StatusCode, h)
	}
	policy := h.Get("Content-Security-Policy")
	for _, want := range []string{
		"script-src 'self';", "form-action 'self' http://localhost:3000 https:;", "default-src 'none'", "frame-ancestors 'none'",
	} {
		if !strings.Contains(policy, want) {
			t.Errorf("AZ-20 the policy lacks %q: %s", want, policy)
		}
	}
	if strings.Contains(page.Body, "alert(1)</script>") || strings.Contains(page.Body, "<script>") {
		t.Errorf("AZ-20 the page holds a script of the client's: %s", page.Body)
	}
	if !strings.Contains(page.Body, `id="send"`) || !strings.Contains(page.Body, "form_post.") {
		t.Errorf("AZ-20 the page has no button, or no script: %s", page.Body)
	}
	action, values := posted(page)
	if action != callback {
		t.Errorf("AZ-20 the form goes to %q, want %q", action, callback)
	}
	return values
}

func TestAnAnswerGoesByFormWhereThatIsAskedFor(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	visit := func(pairs ...string) *servertest.Page {
		pairs = append(pairs, "response_mode", "form_post", "state", script)
		page, _ := s.Visit(t, browser, authorizeURL(s, acmePortal.request("v", pairs...)), bob, bobPass)
		return page
	}
	for _, c := range []struct{ name, parameter, value, code string }{
		{"nobody is signed in", "prompt", "none", "login_required"},
		{"PKCE is missing", "code_challenge", "", "invalid_request"},
		{"no scope", "scope", "", "invalid_scope"},
		{"an unknown response_type", "response_type", "token", "unsupported_response_type"},
	} {
		values := byForm(t, visit(c.parameter, c.value))
		if values.Get("error") != c.code || values.Get("state") != script || values.Get("iss") != s.URL || values.Has("code") {
			t.Errorf("%s: the form takes %v, want %s", c.name, values, c.code)
		}
	}
	verifier := oauth2.GenerateVerifier()
	values := byForm(t, visit("code_challenge", oauth2.S256ChallengeFromVerifier(verifier)))
	if values.Get("state") != script || values.Get("iss") != s.URL || values.Has("error") || len(values) != 3 {
		t.Errorf("the form takes %v", values)
	}
	acmePortal.redeem(t, s, values.Get("code"), verifier)
}

func TestADenialGoesByFormToo(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/account")
	to := servertest.Get(t, v.browser, authorizeURL(s, acmePortal.request("v", "response_mode", "form_post"))).Location()
	values := byForm(t, v.post("/consent", "flow", to.Query().Get("flow"), "decision", "deny"))
	if values.Get("error") != "access_denied" || values.Get("state") != "the state" {
		t.Errorf("the form takes %v, want access_denied", values)
	}
}

func TestAnAnswerByFragmentIsNotInTheQuery(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	if values := acmePortal.answered(t, s, browser, "response_mode", "fragment", "prompt", "none"); values.Get("error") != "login_required" {
		t.Errorf("nobody is signed in: %v", values)
	}
	if values := acmePortal.answered(t, s, browser, "response_mode", "fragment"); values.Get("code") == "" {
		t.Errorf("bob signed in: %v", values)
	}
}

// postedFrom sends an authorization request as a page of another site does: the
// browser adds no cookie.
func postedFrom(t *testing.T, s *servertest.Server, form url.Values) *servertest.Page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+authorizePath, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	return servertest.Do(t, servertest.Browser(t), req)
}

func TestAnAuthorizationRequestByPostIsAnsweredAsByGet(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	acmePortal.code(t, s, browser)

	small := acmePortal.request("v", "prompt", "none")
	to := postedFrom(t, s, small).Location()
	if to == nil || to.Path != authorizePath {
		t.Fatalf("a small request leads to %v", to)
	}
	if diff := cmp.Diff(small, to.Query()); diff != "" {
		t.Errorf("a small request (-want +got):\n%s", diff)
	}
	if page := servertest.Get(t, browser, to.String()); !gotCode(page) {
		t.Errorf("a small request leads on to %v", page.Location())
	}

	big := acmePortal.request("v", "prompt", "none", "unknown", script+letters(30<<10))
	page := postedFrom(t, s, big)
	action, values := posted(page)
	if action != authorizePath || page.Response.Header.Get("Location") != "" {
		t.Fatalf("a big request leads to %q, %v", action, page.Location())
	}
	if policy := page.Response.Header.Get("Content-Security-Policy"); strings.Contains(policy, "form-action") {
		t.Errorf("browsers will not follow the form to the client: %s", policy)
	}
	if again := servertest.Post(t, browser, s.URL+action, values); !gotCode(again) {
		t.Errorf("a big request leads on to %d, %v", again.Response.StatusCode, again.Location())
	}
	// What came by itself is answered, but for nobody: no cookie came with it.
	if again := postedFrom(t, s, values); again.Location() == nil || again.Location().Query().Get("error") != "login_required" {
		t.Errorf("a big request from elsewhere leads to %v", again.Location())
	}
	if page := postedFrom(t, s, with(big, "unknown", letters(70<<10))); page.Response.StatusCode != http.StatusBadRequest {
		t.Errorf("a request that is too big: %d, want 400", page.Response.StatusCode)
	}
	if page := postedFrom(t, s, twice(big, "scope", "email")); strings.Count(page.Body, `name="scope"`) != 2 {
		t.Errorf("AZ-17 a parameter that was sent twice is carried on once: %s", page.Body)
	}
	refusedThere(t, s, servertest.Post(t, browser, s.URL+authorizePath, twice(values, "scope", "email")), acmePortal, "invalid_request")
}
