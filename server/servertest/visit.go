package servertest

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Page is an answer as a person meets it.
type Page struct {
	Response *http.Response
	Body     string
}

// Location returns where the answer leads, resolved; nil if nowhere.
func (p *Page) Location() *url.URL {
	u, err := p.Response.Location()
	if err != nil {
		return nil
	}
	return u
}

// hiddenInput finds the hidden fields of a page's forms.
var hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)

// Hidden returns the hidden fields of the page.
func (p *Page) Hidden() url.Values {
	fields := url.Values{}
	for _, found := range hiddenInput.FindAllStringSubmatch(p.Body, -1) {
		fields.Set(html.UnescapeString(found[1]), html.UnescapeString(found[2]))
	}
	return fields
}

// Get visits an address.
func Get(t testing.TB, browser *http.Client, address string) *Page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Do(t, browser, req)
}

// Post sends a form as a page of the same origin does.
func Post(t testing.TB, browser *http.Client, address string, form url.Values) *Page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return Do(t, browser, req)
}

// Do sends a request and reads the answer.
func Do(t testing.TB, browser *http.Client, req *http.Request) *Page {
	t.Helper()
	res, err := browser.Do(req) //nolint:gosec // a test asks its own server
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &Page{Response: res, Body: string(body)}
}

// Visit goes to an authorization URL and answers what the pages ask: it signs
// in, if asked, and agrees, if asked. It returns the page at which it left the
// server, or was stuck, and the steps it took.
func (s *Server) Visit(t testing.TB, browser *http.Client, address, email, password string) (last *Page, steps []string) {
	t.Helper()
	page := Get(t, browser, address)
	for range 10 {
		switch to := page.Location(); {
		case to != nil && !strings.HasPrefix(to.String(), s.URL+"/"):
			return page, steps
		case to != nil:
			page = Get(t, browser, to.String())
		case strings.Contains(page.Body, `id="sign-in"`):
			steps = append(steps, "sign-in")
			form := page.Hidden()
			form.Set("email", email)
			form.Set("password", password)
			page = Post(t, browser, s.URL+"/sign-in", form)
		case strings.Contains(page.Body, `id="continue-as"`):
			steps = append(steps, "choose")
			page = Post(t, browser, s.URL+"/choose-account", page.Hidden())
		case strings.Contains(page.Body, `id="sign-up"`):
			steps = append(steps, "sign-up")
			page = Get(t, browser, s.URL+"/sign-in?switch=1&flow="+page.Hidden().Get("flow"))
		case strings.Contains(page.Body, `id="allow"`):
			steps = append(steps, "consent")
			form := page.Hidden()
			form.Set("decision", "allow")
			page = Post(t, browser, s.URL+"/consent", form)
		default:
			return page, steps
		}
	}
	return page, steps
}

// SignIn signs a browser in on the sign-in page.
func (s *Server) SignIn(t testing.TB, browser *http.Client, email, password string) {
	t.Helper()
	page := Post(t, browser, s.URL+"/sign-in", url.Values{"email": {email}, "password": {password}})
	if to := page.Location(); to == nil || to.Path != "/account" {
		t.Fatalf("sign-in of %s: status %d, to %v", email, page.Response.StatusCode, to)
	}
}
