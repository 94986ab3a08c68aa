package web

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"authy/server/login"
	"authy/server/steady"
)

// Someone who opens an invitation signs in first; someone on the way to an
// application may have to set a second factor up. A cookie keeps where they were
// going. It is one of a few pages here, with a secret and nothing else, so that
// it can lead to no other site.
var onwardPath = regexp.MustCompile(`^/(invitations\?token|enroll\?flow|arrival/link\?handle)=[A-Z2-7]{26}$`)

// onwardFor is how long it is kept: as long as a sign-in may take.
const onwardFor = 30 * time.Minute

const (
	toInvitation = "/invitations?token="
	toEnroll     = "/enroll?flow="
	toClaim      = "/arrival/link?handle="
)

// setOnward keeps where someone is going, if it is a place to go.
func (wb *Web) setOnward(w http.ResponseWriter, path string) {
	if onwardPath.MatchString(path) {
		until := steady.Now().Add(onwardFor)
		wb.setCookie(w, onwardCookie, path, &until)
	}
}

// onward returns where someone was going that begins as page does, "" for
// nowhere.
func (wb *Web) onward(r *http.Request, page string) string {
	c, err := r.Cookie(wb.cookieName(onwardCookie))
	if err != nil || !onwardPath.MatchString(c.Value) || !strings.HasPrefix(c.Value, page) {
		return ""
	}
	return c.Value
}

// afterSignIn returns where a browser goes that has just signed in: to the page
// that links the account at a provider that it came from, or, by itself, to the
// invitation that it was shown, if there is one.
func (wb *Web) afterSignIn(w http.ResponseWriter, r *http.Request, next *login.Next) string {
	if next.SignedIn == nil || !strings.HasPrefix(next.Location, "/") {
		return next.Location
	}
	if to := wb.onward(r, toClaim); to != "" {
		wb.clearCookie(w, onwardCookie)
		return to
	}
	if next.Location != "/account" {
		return next.Location
	}
	to := wb.onward(r, toInvitation)
	if to == "" {
		return next.Location
	}
	wb.clearCookie(w, onwardCookie)
	return to
}

// waitingView is an application that waits for the reader.
type waitingView struct {
	Name, Path string
	Ready      bool // it need not wait any more
}

// waiting returns the application that someone was on the way to when a second
// factor was asked for; nil if there is none, or its sign-in has ended.
func (wb *Web) waiting(r *http.Request, demands []demandView) *waitingView {
	path := wb.onward(r, toEnroll)
	if path == "" {
		return nil
	}
	q, err := wb.Login.Question(r.Context(), wb.browser(r), strings.TrimPrefix(path, toEnroll))
	if err != nil || q.Identity == nil {
		return nil
	}
	due := slices.ContainsFunc(demands, func(d demandView) bool { return d.Past })
	return &waitingView{q.Client.Name, path, !due}
}
