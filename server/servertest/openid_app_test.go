package servertest_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"authy/server/servertest"
	"authy/storage"
)

// app is a client of the sample data, driven parameter by parameter: by an
// attacker, or by a developer who reads the specification closely.
type app struct{ id, secret, redirect string }

var (
	acmePortal = app{"acme-portal-001", "acme_secret_portal_2024", callback}
	acmeMobile = app{"acme-mobile-001", "", "com.acmecorp.app://oauth/callback"}
	dashboard  = app{"tech-dashboard-001", "tech_secret_dashboard_2024", "http://localhost:4200/auth/callback"}
	dataAPI    = app{"data-api-001", "data_secret_api_2024", "http://localhost:5000/oauth/callback"}
)

// Paths of the endpoints.
const (
	authorizePath  = "/oidc/authorize"
	tokenPath      = "/oidc/token"
	userinfoPath   = "/oidc/userinfo"
	introspectPath = "/oidc/introspect"
	revokePath     = "/oidc/revoke"
	logoutPath     = "/oidc/end_session"
)

const allScopes = "openid profile email offline_access"

// request is the honest authorization request; pairs of names and values
// change it.
func (a app) request(verifier string, pairs ...string) url.Values {
	return with(url.Values{
		"client_id": {a.id}, "redirect_uri": {a.redirect}, "response_type": {"code"}, "scope": {allScopes},
		"state": {"the state"}, "nonce": {"the nonce"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}, pairs...)
}

// with returns form with some parameters set to other values.
func with(form url.Values, pairs ...string) url.Values {
	out := maps.Clone(form)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = []string{pairs[i+1]}
	}
	return out
}

// without returns form with some parameters left out.
func without(form url.Values, names ...string) url.Values {
	out := maps.Clone(form)
	for _, name := range names {
		delete(out, name)
	}
	return out
}

// twice returns form with a parameter sent a second time.
func twice(form url.Values, name, value string) url.Values {
	out := maps.Clone(form)
	out[name] = append(slices.Clone(form[name]), value)
	return out
}

func authorizeURL(s *servertest.Server, form url.Values) string {
	return s.URL + authorizePath + "?" + form.Encode()
}

// code lets bob sign in to a and returns the code with its verifier.
func (a app) code(t *testing.T, s *servertest.Server, browser *http.Client, pairs ...string) (code, verifier string) {
	t.Helper()
	verifier = oauth2.GenerateVerifier()
	page, steps := s.Visit(t, browser, authorizeURL(s, a.request(verifier, pairs...)), bob, bobPass)
	if page.Location() == nil || page.Location().Query().Get("code") == "" {
		t.Fatalf("no code for %s after %v: status %d, to %v", a.id, steps, page.Response.StatusCode, page.Location())
	}
	return page.Location().Query().Get("code"), verifier
}

// redemption is the honest body that redeems a code.
func (a app) redemption(code, verifier string, pairs ...string) url.Values {
	return with(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.redirect}, "code_verifier": {verifier},
	}, pairs...)
}

// tokens is what a client got.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Scope   string `json:"scope"`
	Expires int64  `json:"expires_in"` // seconds
}

// tokens lets bob sign in to a and redeems the code.
func (a app) tokens(t *testing.T, s *servertest.Server, browser *http.Client, pairs ...string) tokens {
	t.Helper()
	code, verifier := a.code(t, s, browser, pairs...)
	return a.redeem(t, s, code, verifier)
}

func (a app) redeem(t *testing.T, s *servertest.Server, code, verifier string) tokens {
	t.Helper()
	return a.post(t, s, tokenPath, a.redemption(code, verifier)).tokens(t)
}

func (a app) refresh(t *testing.T, s *servertest.Server, token string, pairs ...string) reply {
	t.Helper()
	return a.post(t, s, tokenPath, with(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, pairs...))
}

func (a app) introspect(t *testing.T, s *servertest.Server, token string) reply {
	t.Helper()
	return a.post(t, s, introspectPath, url.Values{"token": {token}})
}

// post sends a form as a authenticates: with HTTP Basic, or a public client
// with its client_id in the body.
func (a app) post(t *testing.T, s *servertest.Server, path string, form url.Values) reply {
	t.Helper()
	if a.secret == "" {
		return send(t, s, path, with(form, "client_id", a.id), nil)
	}
	return send(t, s, path, form, a.basic)
}

func (a app) basic(r *http.Request) {
	r.SetBasicAuth(url.QueryEscape(a.id), url.QueryEscape(a.secret))
}

// program is the HTTP client of things that are no browser.
var program = &http.Client{
	Timeout:       time.Minute,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// send posts a form that change may change.
func send(t *testing.T, s *servertest.Server, path string, form url.Values, change func(*http.Request)) reply {
	t.Helper()
	return raw(t, http.MethodPost, s.URL+path, form.Encode(), func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if change != nil {
			change(r)
		}
	})
}

// raw sends a request as it stands.
func raw(t *testing.T, method, address, body string, change func(*http.Request)) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	res, err := program.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := reply{status: res.StatusCode, header: res.Header, body: string(text)}
	_ = json.Unmarshal(text, &out.fields) // an answer without JSON has no fields
	return out
}

// reply is an endpoint's answer.
type reply struct {
	status int
	header http.Header
	body   string
	fields map[string]any
}

// tokens requires that the answer is good.
func (r reply) tokens(t *testing.T) tokens {
	t.Helper()
	var out tokens
	if err := json.Unmarshal([]byte(r.body), &out); err != nil || r.status != http.StatusOK || out.Access == "" {
		t.Fatalf("answer %d %s, want tokens", r.status, r.body)
	}
	return out
}

// refused requires an error of RFC 6749, section 5.2, one of codes.
func (r reply) refused(t *testing.T, status int, codes ...string) {
	t.Helper()
	code, _ := r.fields["error"].(string)
	if r.status != status || !slices.Contains(codes, code) || strings.Contains(r.body, "token\":\"") {
		t.Errorf("answer %d %s, want %d and error %v", r.status, r.body, status, codes)
	}
}

// bearerOf is a change that presents an access token.
func bearerOf(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func userinfo(t *testing.T, s *servertest.Server, token string) reply {
	t.Helper()
	return raw(t, http.MethodGet, s.URL+userinfoPath, "", bearerOf(token))
}

// alive requires that an access token is good at userinfo, or is not.
func alive(t *testing.T, s *servertest.Server, token string, want bool) {
	t.Helper()
	r := userinfo(t, s, token)
	if want && r.status != http.StatusOK {
		t.Errorf("userinfo = %d %s, want the access token alive", r.status, r.body)
	}
	if !want {
		r.refused(t, http.StatusUnauthorized, "invalid_token")
	}
}

// refusedHere requires an error page on our own origin that names the
// parameter at fault, and that the browser is sent nowhere.
func refusedHere(t *testing.T, page *servertest.Page, parameter string) {
	t.Helper()
	if got := page.Response.StatusCode; got != http.StatusBadRequest {
		t.Errorf("status = %d, want 400", got)
	}
	if to := page.Response.Header.Get("Location"); to != "" || page.Response.Header.Get("Refresh") != "" {
		t.Errorf("the browser is sent to %q, want nowhere", to)
	}
	if !strings.Contains(page.Body, "<code>"+parameter+"</code>") {
		t.Errorf("the page does not name the parameter %s: %s", parameter, page.Body)
	}
	if strings.Contains(page.Body, `name="password"`) {
		t.Error("the page asks for a password")
	}
}

// refusedThere requires that the client is told one of codes, by state and
// with our issuer (RFC 6749, section 4.1.2.1; RFC 9207).
func refusedThere(t *testing.T, s *servertest.Server, page *servertest.Page, a app, codes ...string) {
	t.Helper()
	to := page.Location()
	if to == nil || !strings.HasPrefix(to.String(), a.redirect+"?") {
		t.Fatalf("status %d, to %v, want an answer at %s", page.Response.StatusCode, to, a.redirect)
	}
	q := to.Query()
	if !slices.Contains(codes, q.Get("error")) || q.Get("error_description") == "" {
		t.Errorf("answer %v, want error %v with a description", q, codes)
	}
	if q.Get("state") != "the state" || q.Get("iss") != s.URL || q.Has("code") || to.Fragment != "" {
		t.Errorf("answer %v, want our state and iss, and no code", q)
	}
}

// refusedInFragment is [refusedThere] for a request for a token in the answer
// (RFC 6749, section 4.2.2.1).
func refusedInFragment(t *testing.T, s *servertest.Server, page *servertest.Page, a app, codes ...string) {
	t.Helper()
	to := page.Location()
	if to == nil || !strings.HasPrefix(to.String(), a.redirect+"#") {
		t.Fatalf("status %d, to %v, want an answer in the fragment at %s", page.Response.StatusCode, to, a.redirect)
	}
	q, err := url.ParseQuery(to.EscapedFragment())
	if err != nil || !slices.Contains(codes, q.Get("error")) || q.Get("error_description") == "" {
		t.Errorf("answer %v, %v, want error %v with a description", q, err, codes)
	}
	if q.Get("state") != "the state" || q.Get("iss") != s.URL || len(q) != 4 {
		t.Errorf("answer %v, want our state and iss, and no token", q)
	}
}

// recorded says whether the audit log holds an event with action and reason.
func recorded(t *testing.T, s *servertest.Server, action, reason string) bool {
	t.Helper()
	events, err := s.DB.Events(t.Context(), 500)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(events, func(e storage.Event) bool { return e.Action == action && e.Reason == reason })
}

// claimsOf reads a JWT without checking it.
func claimsOf(t *testing.T, token string) (header, payload map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is not a JWT", token)
	}
	for i, into := range []*map[string]any{&header, &payload} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatalf("part %d of %q: %v", i, token, err)
		}
	}
	return header, payload
}

// userID returns the id of a user of the sample data.
func userID(t *testing.T, s *servertest.Server, email string) string {
	t.Helper()
	user, err := s.Accounts.Find(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	return user.ID
}

// letters returns n random letters.
func letters(n int) string { return strings.Repeat(rand.Text(), n/26+1)[:n] }
