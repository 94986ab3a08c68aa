package web

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"authy/server/session"
	"authy/storage"
)

func TestTheLanguageIsWhatTheAppAsksForThenTheAccountsThenTheBrowsers(t *testing.T) {
	t.Parallel()
	german := &session.Identity{User: &storage.User{Profile: storage.Profile{Locale: "de-CH"}}}
	for _, c := range []struct {
		app    string
		id     *session.Identity
		chosen string
		header string
		want   string
	}{
		{"", nil, "", "", "en"},
		{"", nil, "", "es-MX,es;q=0.9", "es"},
		{"", nil, "de", "es", "de"},
		{"", german, "es", "es", "de"},
		{"fr es", german, "", "en", "es"},
		{"xx", nil, "no such language", "de;q=0.5", "de"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", c.header)
		wb := newWeb(t, Config{})
		r.AddCookie(&http.Cookie{Name: wb.cookieName(languageCookie), Value: c.chosen})
		if got := wb.language(asksFor(r, c.app), c.id).Tag(); got != c.want {
			t.Errorf("%+v: %s, want %s", c, got, c.want)
		}
	}
}

func TestChoosingALanguageLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/sign-in?flow=a": "/sign-in?flow=a", "": "/", "https://evil.example/": "/", "//evil.example": "/",
		`/\evil.example`: "/", "/\t/evil.example": "/", "javascript:alert(1)": "/", "sign-in": "/", "/%zz": "/",
	} {
		if got := local(path); got != want {
			t.Errorf("local(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestTheNavigationMarksThePageThatIsNearest(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/admin": "/admin", "/admin/users": "/admin/users", "/admin/users/7/delete": "/admin/users", "/admin/usersx": "/admin",
		"/elsewhere": "",
	} {
		got := ""
		for _, g := range adminNavigation.at("/admin", path) {
			for _, item := range g.Items {
				if item.Below {
					got += item.Path
				}
			}
		}
		if got != want {
			t.Errorf("on %s the navigation marks %q, want %q", path, got, want)
		}
	}
}
