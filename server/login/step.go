package login

import (
	"time"

	"authy/server/openid"
	"authy/server/session"
)

// step is what a sign-in needs next.
type step int

const (
	signIn       step = iota // someone proves who they are
	secondFactor             // they prove it in a second way
	consent                  // they agree to what the client gets
	done                     // the client gets its code
	enroll                   // they set up the second factor that their organization asks for
	choose                   // they say with which account they go on
	signUp                   // someone makes an account
	barred                   // they may not use the client
	refused                  // the client is told why not
)

// standpoint is all that the next step depends on.
type standpoint struct {
	request *openid.Request
	id      *session.Identity // nil when nobody is signed in
	subject string            // as whom the client knows them
	now     time.Time
	// proved says that the session was proved within the flow; false when there
	// is no flow yet.
	proved bool
	// owes says that the password was proved within the flow, and the second
	// factor not yet.
	owes bool
	// missing says that scopes have not been agreed to; asked that the person
	// has just agreed.
	missing, agreed bool
	// limited says that the person must set up a second factor first.
	limited bool
	// barred says that the client is not for this person.
	barred bool
	// climb is how far the session is from what the client asks for.
	climb climb
	// open says that anyone may make an account.
	open bool
}

// decide returns the next step and, for refused, the error code of OpenID
// Connect Core 1.0, section 3.1.2.6.
func decide(at standpoint) (next step, code string) {
	if at.mustChoose() {
		return choose, ""
	}
	if at.needsSignIn() {
		return at.signIn()
	}
	if at.anotherUser() {
		return refused, "login_required"
	}
	if at.limited {
		if at.request.Has("none") {
			return refused, "interaction_required"
		}
		return enroll, ""
	}
	if at.climb.unmet {
		return refused, "unmet_authentication_requirements"
	}
	if at.barred {
		return barred, "access_denied"
	}
	if !at.agreed && (at.missing || at.request.Has("consent")) {
		if at.request.Has("none") {
			return refused, "consent_required"
		}
		return consent, ""
	}
	return done, ""
}

// signIn is how someone proves who they are.
func (at standpoint) signIn() (next step, code string) {
	switch {
	case at.request.Has("none"):
		return refused, "login_required"
	case at.owes:
		return secondFactor, ""
	case at.open && at.request.Has("create"):
		return signUp, ""
	}
	return signIn, ""
}

// mustChoose says whether someone is signed in who has not said yet that the
// client is to get this account.
func (at standpoint) mustChoose() bool {
	return at.id != nil && !at.proved && !at.owes && at.request.Has("select_account")
}

// needsSignIn says whether someone must prove who they are now.
func (at standpoint) needsSignIn() bool {
	switch {
	case at.id == nil:
		return true
	case at.proved:
		return false
	case at.request.Has("login"), at.request.Has("create"), at.request.Has("select_account"), at.anotherUser():
		return true
	case at.climb.to != 0 && (at.climb.unmet || !at.request.Has("none")):
		return true
	}
	return at.request.Stale(at.id.Session.AuthenticatedAt.Time, at.now)
}

// anotherUser says whether the client asked for a user who is not this one
// (OpenID Connect Core 1.0, section 3.1.2.1, id_token_hint).
func (at standpoint) anotherUser() bool {
	return at.request.HintSubject != "" && at.id != nil && at.request.HintSubject != at.subject
}
