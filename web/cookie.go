package web

import (
	"net/http"
	"strconv"
	"time"

	"authy/server/fault"
	"authy/server/login"
)

// The cookies: a session's token, the secret that binds sign-ins to the browser
// that began them, the token of one that needs its second factor, where someone
// was going, and what one answer leaves for the next.
const (
	sessionCookie = "authy_session"
	browserCookie = "authy_browser"
	pendingCookie = "authy_pending"
	onwardCookie  = "authy_onward"
	carriedCookie = "authy_carried"
	// languageCookie names the language that was chosen in the browser.
	languageCookie = "authy_language"
	// providerCookie names where somebody came from last, and no person.
	providerCookie = "authy_provider"
)

// cookieName returns the name of a cookie as browsers see it. Over https the
// prefix makes them refuse one that another host or plain http has set
// (RFC 6265bis, section 4.1.3.2).
func (wb *Web) cookieName(name string) string {
	if wb.Secure {
		return "__Host-" + name
	}
	return name
}

// setCookie keeps a value until expires, or until the browser closes if nil.
func (wb *Web) setCookie(w http.ResponseWriter, name, value string, expires *time.Time) {
	c := &http.Cookie{ //nolint:gosec // not Secure on http://localhost alone
		Name: wb.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: wb.Secure,
		// Lax: a client sends the browser here by a link, and must find it signed in.
		SameSite: http.SameSiteLaxMode,
	}
	if expires != nil {
		c.Expires = *expires
	}
	http.SetCookie(w, c)
}

func (wb *Web) clearCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // not Secure on http://localhost alone
		Name: wb.cookieName(name), Path: "/", HttpOnly: true, Secure: wb.Secure, MaxAge: -1,
		SameSite: http.SameSiteLaxMode,
	})
}

// keep sets the cookie of a session that has just begun.
func (wb *Web) keep(w http.ResponseWriter, in *login.Result) {
	if in == nil {
		return
	}
	var expires *time.Time
	if in.Remember {
		expires = &in.Session.ExpiresAt.Time
	}
	wb.setCookie(w, sessionCookie, in.Token, expires)
}

// browser returns what the cookies of a request say.
func (wb *Web) browser(r *http.Request) login.Browser {
	var b login.Browser
	if c, err := r.Cookie(wb.cookieName(sessionCookie)); err == nil {
		b.Token = c.Value
	}
	if c, err := r.Cookie(wb.cookieName(browserCookie)); err == nil {
		b.Secret = c.Value
	}
	if c, err := r.Cookie(wb.cookieName(pendingCookie)); err == nil {
		b.Pending = c.Value
	}
	return b
}

func setRetryAfter(w http.ResponseWriter, f *fault.Error) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
	}
}
