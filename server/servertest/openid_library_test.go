package servertest_test

import (
	"net/url"
	"testing"

	"authy/server/registry"
	"authy/server/servertest"
)

// Z-01: the library decodes a redirect URI once more, so that a twin of it passes.
func TestARedirectURIIsDecodedOnce(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	for _, registered := range []string{"https://twin.example/cb?to=a%2Fb", "https://twin.example/a%2Fb", "https://twin.example/cb"} {
		a := register(t, s, registry.Registration{
			ClientID: "twin-" + letters(5), Name: "Twin", RedirectURIs: []string{registered},
		})
		once, err := url.PathUnescape(registered)
		if err != nil {
			t.Fatal(err)
		}
		for _, twin := range []string{url.QueryEscape(registered), url.PathEscape(registered), once} {
			if twin == registered {
				continue
			}
			page := servertest.Get(t, browser, authorizeURL(s, a.request("v", "redirect_uri", twin)))
			t.Run("Z-01 "+twin, func(t *testing.T) { refusedHere(t, page, "redirect_uri") })
		}
		a.redirect = registered
		page, _ := s.Visit(t, browser, authorizeURL(s, a.request(letters(43))), bob, bobPass)
		if to := page.Location(); to == nil || to.Query().Get("code") == "" {
			t.Errorf("Z-01 %s itself leads to %v, want a code", registered, to)
		}
	}
}
