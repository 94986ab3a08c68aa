package demo

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// signOut ends the session here and sends the browser to the provider to end it there.
func (a *App) signOut(w http.ResponseWriter, r *http.Request) error {
	now := time.Now()
	s := a.session(now, r)
	a.sessions.drop(carried(r, sessionCookie))
	a.dropCookie(w, sessionCookie)
	if s == nil || a.announce.EndSession == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return nil
	}
	s.mu.Lock()
	hint := s.id.raw
	s.mu.Unlock()
	state := rand.Text()
	target, err := a.endSessionURL(hint, state)
	if err != nil {
		return failed("The provider cannot sign you out", err)
	}
	a.setCookie(w, signOutCookie, a.signOuts.put(now, attempt{state: state}))
	http.Redirect(w, r, target, http.StatusSeeOther)
	return nil
}

// endSessionURL returns where the browser signs out at the provider.
// OpenID Connect RP-Initiated Logout 1.0, section 2.
func (a *App) endSessionURL(hint, state string) (string, error) {
	target, err := url.Parse(a.announce.EndSession)
	if err != nil {
		return "", fmt.Errorf("read the end_session_endpoint: %w", err)
	}
	query := target.Query()
	query.Set("id_token_hint", hint)
	query.Set("client_id", a.config.ClientID)
	query.Set("post_logout_redirect_uri", a.config.PostLogoutRedirectURL)
	query.Set("state", state)
	target.RawQuery = query.Encode()
	return target.String(), nil
}

// returned reports whether the browser just came back from a sign-out that began here.
func (a *App) returned(w http.ResponseWriter, r *http.Request) bool {
	id := carried(r, signOutCookie)
	out, ok := a.signOuts.look(time.Now(), id)
	if !ok || !same(r.URL.Query().Get("state"), out.state) {
		return false
	}
	a.dropCookie(w, signOutCookie)
	return a.signOuts.drop(id)
}
