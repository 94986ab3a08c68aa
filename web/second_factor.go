package web

import (
	"errors"
	"net/http"

	"authy/server/account"
	"authy/server/fault"
	"authy/server/login"
)

// startOver is shown where a sign-in has ended before its second factor came.
var startOver = msg("That took too long, or too many codes were wrong. Please sign in again.")

// showSecondFactor asks for a code, of the authenticator or for recovery.
func (wb *Web) showSecondFactor(w http.ResponseWriter, r *http.Request) error {
	flow := r.Form.Get("flow")
	owed, err := wb.Login.Owes(r.Context(), wb.browser(r), flow)
	if err != nil {
		return err
	}
	if !owed.Any() {
		redirect(w, r, login.PageOf("/sign-in", flow))
		return nil
	}
	page := secondFactorPage{Flow: flow, Recovery: r.Form.Get("recovery") != ""}
	return wb.renderSecondFactor(w, r, http.StatusOK, page)
}

// renderSecondFactor fills the page with what the flow knows.
func (wb *Web) renderSecondFactor(w http.ResponseWriter, r *http.Request, status int, page secondFactorPage) error {
	var to foreign
	if page.Flow != "" {
		q, asked, err := wb.question(r, page.Flow)
		if err != nil {
			return err
		}
		r = asked
		page.Client, page.Wants = clientOf(q), wanted[q.Wants]
		to = foreignOf(q)
	}
	owed, err := wb.Login.Owes(r.Context(), wb.browser(r), page.Flow)
	if err != nil {
		return err
	}
	if !owed.Any() { // that was the last guess
		return wb.startOver(w, r, page.Flow)
	}
	page.TOTP, page.Passkeys = owed.TOTP, owed.Passkeys
	v := wb.view(r, "Second step", page)
	v.Signed = nil
	wb.pages.renderWith(w, r, status, "second_factor", v, to)
	return nil
}

// startOver asks for the password again.
func (wb *Web) startOver(w http.ResponseWriter, r *http.Request, flow string) error {
	wb.clearCookie(w, pendingCookie)
	return wb.renderSignIn(w, r, http.StatusUnauthorized, signInPage{Flow: flow, Problem: startOver})
}

// secondFactor checks the code.
func (wb *Web) secondFactor(w http.ResponseWriter, r *http.Request) error {
	page := secondFactorPage{Flow: r.PostForm.Get("flow"), Recovery: r.PostForm.Get("recovery") != ""}
	code := login.Code{Text: r.PostForm.Get("code"), Recovery: page.Recovery}
	next, err := wb.Login.SecondFactor(r.Context(), actor(r), wb.browser(r), page.Flow, code)
	f, told := fault.In(r.Context(), err)
	switch {
	case err == nil:
		wb.clearCookie(w, pendingCookie)
		wb.follow(w, r, next)
		return nil
	case errors.Is(err, login.ErrPending), errors.Is(err, account.ErrNoTOTP), errors.Is(err, account.ErrChanged):
		return wb.startOver(w, r, page.Flow)
	case errors.Is(err, account.ErrTOTPCode), errors.Is(err, account.ErrRecoveryCode):
		page.Problem = againProblem(f)
	case told && f.Kind == fault.RateLimited:
		setRetryAfter(w, f)
		page.Problem = f.Error()
	default:
		return err
	}
	return wb.renderSecondFactor(w, r, statuses[f.Kind], page)
}
