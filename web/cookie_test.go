package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/login"
	"authy/server/session"
	"authy/storage"
)

// cookies are the Set-Cookie lines that do leaves.
func cookies(do func(w http.ResponseWriter)) []string {
	w := httptest.NewRecorder()
	do(w)
	return w.Header().Values("Set-Cookie")
}

func TestCookiesStayWithThisOriginAndOutOfScripts(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	in := &login.Result{Token: "token", Session: &session.Session{ExpiresAt: storage.At(at)}}
	remembered := *in
	remembered.Remember = true
	for _, c := range []struct {
		name   string
		secure bool
		do     func(wb *Web, w http.ResponseWriter)
		want   []string
	}{
		{
			"a session", false, func(wb *Web, w http.ResponseWriter) { wb.keep(w, in) },
			[]string{"authy_session=token; Path=/; HttpOnly; SameSite=Lax"},
		},
		{
			"a session over https", true, func(wb *Web, w http.ResponseWriter) { wb.keep(w, in) },
			[]string{"__Host-authy_session=token; Path=/; HttpOnly; Secure; SameSite=Lax"},
		},
		{
			"a remembered session", true, func(wb *Web, w http.ResponseWriter) { wb.keep(w, &remembered) },
			[]string{"__Host-authy_session=token; Path=/; Expires=Wed, 04 Mar 2026 05:06:07 GMT; HttpOnly; Secure; SameSite=Lax"},
		},
		{"no session", true, func(wb *Web, w http.ResponseWriter) { wb.keep(w, nil) }, nil},
		{
			"the browser's secret", true, func(wb *Web, w http.ResponseWriter) { wb.setCookie(w, browserCookie, "secret", nil) },
			[]string{"__Host-authy_browser=secret; Path=/; HttpOnly; Secure; SameSite=Lax"},
		},
		{
			"an end", true, func(wb *Web, w http.ResponseWriter) { wb.clearCookie(w, sessionCookie) },
			[]string{"__Host-authy_session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
		},
		{
			"an end over http", false, func(wb *Web, w http.ResponseWriter) { wb.clearCookie(w, sessionCookie) },
			[]string{"authy_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"},
		},
	} {
		wb := &Web{Config: Config{Secure: c.secure}}
		if diff := cmp.Diff(c.want, cookies(func(w http.ResponseWriter) { c.do(wb, w) })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// A cookie with the plain name may have been set by plain http or a sibling.
func TestOverHTTPSOnlyThePrefixedCookiesCount(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "authy_session=planted; authy_browser=planted; __Host-authy_session=good; __Host-authy_browser=secret")
	for secure, want := range map[bool]login.Browser{
		true:  {Token: "good", Secret: "secret"},
		false: {Token: "planted", Secret: "planted"},
	} {
		wb := &Web{Config: Config{Secure: secure}}
		if diff := cmp.Diff(want, wb.browser(r)); diff != "" {
			t.Errorf("secure %v (-want +got):\n%s", secure, diff)
		}
	}
	if got := (&Web{}).browser(httptest.NewRequest(http.MethodGet, "/", nil)); got != (login.Browser{}) {
		t.Errorf("no cookies are %+v", got)
	}
}
