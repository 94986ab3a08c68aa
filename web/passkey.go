package web

import (
	"encoding/json"
	"errors"
	"net/http"

	"authy/server/account"
	"authy/server/fault"
	"authy/server/login"
)

// beginPasskey answers the script of a page with what a browser is asked for.
func (wb *Web) beginPasskey(w http.ResponseWriter, r *http.Request) error {
	form := r.PostForm
	o, secret, err := wb.Login.AskBrowser(r.Context(), actor(r), wb.browser(r), form.Get("flow"), form.Get("second") != "")
	if err != nil {
		return err
	}
	if secret != "" {
		wb.setCookie(w, browserCookie, secret, nil)
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(text) // a script that left needs no answer
	return nil
}

// answerOf returns what an authenticator answered, as the script of a page
// sends it.
func answerOf(r *http.Request) (*account.PasskeyResponse, error) {
	answer := new(account.PasskeyResponse)
	if err := json.Unmarshal([]byte(r.PostForm.Get("credential")), answer); err != nil {
		return nil, fault.New(fault.Invalid, "bad_passkey", "The passkey could not be read. Please try again.")
	}
	return answer, nil
}

// passkey signs a browser in by a passkey, as the first factor or the second.
func (wb *Web) passkey(w http.ResponseWriter, r *http.Request) error {
	form := r.PostForm
	answer, err := answerOf(r)
	if err != nil {
		return err
	}
	flow := form.Get("flow")
	next, err := wb.Login.Passkey(r.Context(), actor(r), wb.browser(r), flow, answer, form.Get("remember") != "")
	if err == nil {
		wb.clearCookie(w, pendingCookie)
		wb.follow(w, r, next)
		return nil
	}
	f, told := fault.In(r.Context(), err)
	switch {
	case errors.Is(err, login.ErrPending), errors.Is(err, account.ErrChanged):
		return wb.startOver(w, r, flow)
	case !told || f.Kind == fault.Internal || errors.Is(err, login.ErrFlow):
		return err
	}
	setRetryAfter(w, f)
	problem := passkeyProblem(f)
	if form.Get("second") != "" {
		return wb.renderSecondFactor(w, r, statuses[f.Kind], secondFactorPage{Flow: flow, Problem: problem})
	}
	page := signInPage{Flow: flow, Problem: problem}
	if errors.Is(err, account.ErrUnknownPasskey) {
		if page.Unknown, err = signalText(wb.Login.Party.Unknown(answer)); err != nil {
			return err
		}
	}
	return wb.renderSignIn(w, r, statuses[f.Kind], page)
}

// passkeyProblem says to a person why their passkey did not do.
func passkeyProblem(f *fault.Error) string {
	switch {
	case f.Is(account.ErrChallenge), f.Is(login.ErrCeremony):
		return msg("That took too long. Please use your passkey again.")
	case f.Is(account.ErrAssertion):
		return msg("This passkey does not open an account here. It may have been removed.")
	case f.Is(account.ErrNotVerified):
		return msg("Your device did not check that it is you. Use its PIN, fingerprint or face, or sign in by password.")
	case f.Is(account.ErrCounter):
		return msg("This passkey was refused, because there seems to be a copy of it. Sign in another way and delete it.")
	}
	return f.Error()
}
