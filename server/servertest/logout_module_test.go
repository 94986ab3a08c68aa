package servertest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/keyring"
	"authy/server/servertest"
)

// The modules of oidcc-rp-initiated-logout-certification-test-plan, and what
// they are content with: the browser goes to its URI, or stays here, asked
// first where nothing proves that it is bob who wants it.
func TestTheModulesOfTheLogoutPlan(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	const back = "post_logout_redirect_uri"
	forged := func(token string) string { return forgeries(t, s, token)["TK-13 alg none, no signature"] }
	strangers := func(token string) string { return forgeries(t, s, token)["TK-47 another signature"] }
	for name, c := range map[string]struct {
		params  func(hint string) []string
		asks    bool
		refuses bool
		to      string // "" is the page here
	}{
		"rp-initiated-logout": {params: func(hint string) []string {
			return []string{"id_token_hint", hint, back, home, "state", "s1"}
		}, to: home + "?state=s1"},
		"rp-initiated-logout-bad-post-logout-redirect-uri": {params: func(hint string) []string {
			return []string{"id_token_hint", hint, back, home + "bad", "state", "s1"}
		}},
		"rp-initiated-logout-query-added-to-post-logout-redirect-uri": {params: func(hint string) []string {
			return []string{"id_token_hint", hint, back, home + "?foo=bar", "state", "s1"}
		}},
		"rp-initiated-logout-modified-id-token-hint": {params: func(hint string) []string {
			return []string{"id_token_hint", forged(hint), back, home, "state", "s1"}
		}, refuses: true},
		"rp-initiated-logout-bad-id-token-hint": {params: func(hint string) []string {
			return []string{"id_token_hint", strangers(hint), back, home, "state", "s1"}
		}, refuses: true},
		"rp-initiated-logout-no-id-token-hint": {params: func(string) []string {
			return []string{back, home, "state", "s1"}
		}, asks: true},
		"rp-initiated-logout-no-params":  {params: func(string) []string { return nil }, asks: true},
		"rp-initiated-logout-only-state": {params: func(string) []string { return []string{"state", "s1"} }, asks: true},
		"rp-initiated-logout-no-post-logout-redirect-uri": {params: func(hint string) []string {
			return []string{"id_token_hint", hint, "state", "s1"}
		}},
		"rp-initiated-logout-no-state": {params: func(hint string) []string {
			return []string{"id_token_hint", hint, back, home}
		}, to: home},
		"ui_locales and logout_hint": {params: func(hint string) []string {
			return []string{"id_token_hint", hint, back, home, "ui_locales", "de fr-CA", "logout_hint", bob, "unknown", "x"}
		}, to: home},
		"logout_hint alone proves nothing": {params: func(string) []string { return []string{"logout_hint", bob} }, asks: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				browser := servertest.Browser(t)
				params := c.params(acmePortal.tokens(t, s, browser).ID)
				page := servertest.Get(t, browser, logoutURL(s, params...))
				if method == http.MethodPost {
					page = servertest.Post(t, browser, s.URL+logoutPath, with(url.Values{}, params...))
				}
				if c.refuses {
					if page.Response.StatusCode != http.StatusBadRequest || page.Location() != nil || !signedInTo(t, s, browser) {
						t.Errorf("status %d, to %v; want refused here, and bob signed in", page.Response.StatusCode, page.Location())
					}
					continue
				}
				if asked := strings.Contains(page.Body, `id="sign-out-confirm"`); asked != c.asks {
					t.Errorf("asked: %v, want %v", asked, c.asks)
				} else if asked {
					page = servertest.Post(t, browser, s.URL+logoutPath, page.Hidden())
				}
				want := c.to
				if want == "" {
					want = "/signed-out"
				}
				if diff := cmp.Diff(want, page.Response.Header.Get("Location")); diff != "" || signedInTo(t, s, browser) {
					t.Errorf("%s: bob is signed out and goes (-want +got):\n%s", method, diff)
				}
			}
		})
	}
	wantText(t, servertest.Get(t, servertest.Browser(t), s.URL+"/signed-out"), "You are signed out")
}

// Section 2: an ID token that has expired is as good a hint.
func TestAnExpiredIDTokenIsAHint(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	_, claims := claimsOf(t, acmePortal.tokens(t, s, browser).ID)
	past := time.Now().Add(-30 * 24 * time.Hour).Unix()
	claims["iat"], claims["exp"] = past, past+60
	hint, err := s.Keys.Sign(t.Context(), keyring.RS256, keyring.JWT, claims)
	if err != nil {
		t.Fatal(err)
	}
	page := servertest.Get(t, browser, logoutURL(s, "id_token_hint", hint, "post_logout_redirect_uri", home))
	if to := page.Response.Header.Get("Location"); to != home || signedInTo(t, s, browser) {
		t.Errorf("led to %q, want %q, and bob signed out", to, home)
	}
}

// Section 2: a client may post its request. The browser has no cookie then, and
// comes again with it.
func TestAClientMayPostItsLogoutRequest(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	got := acmePortal.tokens(t, s, browser)
	form := url.Values{"id_token_hint": {got.ID}, "post_logout_redirect_uri": {home}, "confirm": {"yes"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+logoutPath, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	page := servertest.Do(t, servertest.Browser(t), req) // without cookies
	to := page.Location()
	if to == nil || !strings.HasPrefix(to.String(), s.URL+logoutPath+"?") || page.Response.StatusCode != http.StatusSeeOther {
		t.Fatalf("status %d, to %v, want here again by GET", page.Response.StatusCode, to)
	}
	if page := servertest.Get(t, browser, to.String()); page.Response.Header.Get("Location") != home || signedInTo(t, s, browser) {
		t.Errorf("status %d, to %v, want on, and bob signed out", page.Response.StatusCode, page.Location())
	}
}
