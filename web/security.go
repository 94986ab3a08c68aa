package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/skip2/go-qrcode"

	"authy/server/account"
	"authy/server/fault"
	"authy/server/login"
	"authy/server/session"
)

// againPage is the data of page "again", which asks someone to prove who they
// are before they change how they sign in. The form carries that change along.
type againPage struct {
	Action, Heading, Button  string
	ID, Email                string        // what the change is about
	More                     []hiddenField // what else was typed before
	NeedsPassword, NeedsCode bool
	Recovery                 bool // the code was said to be a recovery code
	Problem                  string
	Back                     string    // the page that it began on
	Doors                    doorsPart // to come from once more
}

// passkeyNewPage is the data of page "passkey_new".
type passkeyNewPage struct{ Options, Problem string }

// authenticatorPage is the data of page "authenticator": the QR code, as the
// path of a drawing of so many modules, and the codes are shown once.
type authenticatorPage struct {
	Path, Secret, Problem string
	Size                  int
	Codes                 []string
}

// codesPage is the data of page "recovery_codes".
type codesPage struct {
	Heading string
	Codes   []string
}

// change is what someone does about how they sign in. do gets the proof that
// they sent, and answers.
type change struct {
	heading, button string
	insists         bool
	full            bool // not for who must set a second factor up first
	do              func(wb *Web, w http.ResponseWriter, r *http.Request, id *session.Identity, in login.Again) error
}

// The changes that need a proof.
var (
	newPasskeyChange = change{msg("Add a passkey"), msg("Continue"), false, false, (*Web).newPasskey}
	dropPasskey      = change{msg("Delete a passkey"), msg("Delete it"), false, false, (*Web).removePasskey}
	newTOTP          = change{msg("Set up an authenticator app"), msg("Continue"), false, false, (*Web).enrollTOTP}
	dropTOTP         = change{msg("Remove the authenticator app"), msg("Remove it"), true, false, (*Web).disableTOTP}
	newCodes         = change{msg("New recovery codes"), msg("Make new codes"), true, false, (*Web).renewCodes}
)

// back is the page of the account that a change is about.
func (c change) back() string {
	switch c.heading {
	case newEmail.heading:
		return profilePath
	case dropAccount.heading:
		return dataPath
	case newToken.heading:
		return tokensPath
	}
	return securityPath
}

// typed is what was typed for a change, beside what it is about.
func (c change) typed(form url.Values) []hiddenField {
	if c.heading != newToken.heading {
		return nil
	}
	var out []hiddenField
	for _, name := range []string{"name", "scope", "days", "never"} {
		for _, value := range form[name] {
			out = append(out, hiddenField{name, value})
		}
	}
	return out
}

// change makes the handler of a change, which asks for what it needs.
func (wb *Web) change(c change) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		admit := wb.signed
		if c.full {
			admit = wb.full
		}
		id, err := admit(w, r)
		if err != nil || id == nil {
			return err
		}
		page, err := wb.againFor(r, id, c)
		if err != nil {
			return err
		}
		form := r.PostForm
		if (page.NeedsPassword || page.NeedsCode) && !form.Has("password") && !form.Has("code") {
			wb.pages.render(w, r, http.StatusOK, "again", wb.view(r, c.heading, page))
			return nil
		}
		err = c.do(wb, w, r, id, login.Again{
			Password: form.Get("password"), Code: login.Code{Text: form.Get("code"), Recovery: page.Recovery},
		})
		f, told := fault.In(r.Context(), err)
		if told && (f.Kind == fault.Unauthenticated || f.Kind == fault.Forbidden || f.Kind == fault.RateLimited) {
			setRetryAfter(w, f)
			page.Problem = againProblem(f)
			wb.pages.render(w, r, statuses[f.Kind], "again", wb.view(r, c.heading, page))
			return nil
		}
		return err
	}
}

// againFor is the page that asks for what a change needs.
func (wb *Web) againFor(r *http.Request, id *session.Identity, c change) (againPage, error) {
	need, err := wb.Login.Needs(r.Context(), id, c.insists)
	if err != nil {
		return againPage{}, err
	}
	linked, err := wb.Login.DoorsOf(r.Context(), id.User.ID)
	page := againPage{
		Action: r.URL.Path, Heading: c.heading, Button: c.button, ID: r.Form.Get("id"), Email: r.PostForm.Get("email"),
		NeedsPassword: need.Password, NeedsCode: need.Code, Recovery: r.PostForm.Get("recovery") != "",
		Back: c.back(), More: c.typed(r.PostForm),
		Doors: doorsPart{Again: true},
	}
	page.Doors.anew(linked)
	return page, err
}

// askAgain shows that page to somebody who has come by a link.
func (wb *Web) askAgain(w http.ResponseWriter, r *http.Request, id *session.Identity, c change) error {
	page, err := wb.againFor(r, id, c)
	if err != nil {
		return err
	}
	wb.pages.render(w, r, http.StatusOK, "again", wb.view(r, c.heading, page))
	return nil
}

// againProblem says to a person why their proof did not do.
func againProblem(f *fault.Error) string {
	switch {
	case f.Is(login.ErrPassword):
		return msg("This is not your password.")
	case f.Is(account.ErrNoPassword):
		return msg("You have no password. Sign in again instead.")
	case f.Is(login.ErrStale):
		return msg("Type your password, or sign in again.")
	case f.Is(login.ErrCodeNeeded):
		return msg("A code is needed, too: of your authenticator app, or a recovery code.")
	case f.Is(account.ErrTOTPCode):
		return msg("This code is wrong, or was used before. Wait for the next one and type that.")
	case f.Is(account.ErrRecoveryCode):
		return msg("This is none of your recovery codes, or it was used before.")
	}
	return f.Error()
}

// newPasskey shows the page on which a passkey is made.
func (wb *Web) newPasskey(w http.ResponseWriter, r *http.Request, id *session.Identity, in login.Again) error {
	o, err := wb.Login.BeginPasskey(r.Context(), id.Actor(actor(r)), id, in)
	if err != nil {
		return err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	wb.pages.render(w, r, http.StatusOK, "passkey_new", wb.view(r, "Add a passkey", passkeyNewPage{Options: string(text)}))
	return nil
}

// addPasskey keeps the passkey that was made.
func (wb *Web) addPasskey(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.signed(w, r)
	if err != nil || id == nil {
		return err
	}
	answer, err := answerOf(r)
	if err != nil {
		return err
	}
	added, err := wb.Login.AddPasskey(r.Context(), id.Actor(actor(r)), id, answer, r.PostForm.Get("name"))
	if err != nil {
		return err
	}
	if len(added.RecoveryCodes) == 0 {
		return wb.done(w, r, securityPath, wb.say(r, "Your passkey is ready."))
	}
	return wb.showCodes(w, r, msg("Your passkey is ready"), added.RecoveryCodes)
}

func (wb *Web) showCodes(w http.ResponseWriter, r *http.Request, heading string, codes []string) error {
	wb.pages.render(w, r, http.StatusOK, "recovery_codes", wb.view(r, "Recovery codes", codesPage{heading, codes}))
	return nil
}

func (wb *Web) renamePasskey(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.signed(w, r)
	if err != nil || id == nil {
		return err
	}
	_, err = wb.Accounts.RenamePasskey(
		r.Context(), id.Actor(actor(r)), id.User.ID, r.PostForm.Get("id"), r.PostForm.Get("name"))
	if err != nil {
		return err
	}
	return wb.done(w, r, securityPath, wb.say(r, "The passkey is renamed."))
}

func (wb *Web) removePasskey(w http.ResponseWriter, r *http.Request, id *session.Identity, in login.Again) error {
	err := wb.Login.RemovePasskey(r.Context(), id.Actor(actor(r)), id, in, r.PostForm.Get("id"))
	if err != nil {
		return err
	}
	return wb.done(w, r, securityPath, wb.say(r, "The passkey is deleted. Remove it from your device, too."))
}

// enrollTOTP shows a new authenticator, once.
func (wb *Web) enrollTOTP(w http.ResponseWriter, r *http.Request, id *session.Identity, in login.Again) error {
	e, err := wb.Login.EnrollTOTP(r.Context(), id.Actor(actor(r)), id, in)
	if err != nil {
		return err
	}
	page := authenticatorPage{Secret: e.Secret, Codes: e.RecoveryCodes}
	if page.Path, page.Size, err = drawQR(e.URI); err != nil {
		return err
	}
	wb.pages.render(w, r, http.StatusOK, "authenticator", wb.view(r, "Authenticator app", page))
	return nil
}

// confirmTOTP makes the new authenticator count by a code of it.
func (wb *Web) confirmTOTP(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.signed(w, r)
	if err != nil || id == nil {
		return err
	}
	code := strings.ReplaceAll(r.PostForm.Get("code"), " ", "")
	err = wb.Login.ConfirmTOTP(r.Context(), id.Actor(actor(r)), id.User.ID, code)
	if f, told := fault.In(r.Context(), err); told && f.Is(account.ErrTOTPCode) {
		wb.pages.render(w, r, statuses[f.Kind], "authenticator", wb.view(r, "Authenticator app", authenticatorPage{
			Problem: msg("This code is wrong. Type the one that your app shows now."),
		}))
		return nil
	}
	if err != nil {
		return err
	}
	return wb.done(w, r, securityPath, wb.say(r, "Your authenticator app is set up."))
}

func (wb *Web) disableTOTP(w http.ResponseWriter, r *http.Request, id *session.Identity, in login.Again) error {
	if err := wb.Login.DisableTOTP(r.Context(), id.Actor(actor(r)), id, in); err != nil {
		return err
	}
	return wb.done(w, r, securityPath, wb.say(r, "The authenticator app is removed."))
}

func (wb *Web) renewCodes(w http.ResponseWriter, r *http.Request, id *session.Identity, in login.Again) error {
	codes, err := wb.Login.RenewRecoveryCodes(r.Context(), id.Actor(actor(r)), id, in)
	if err != nil {
		return err
	}
	return wb.showCodes(w, r, msg("Your new recovery codes"), codes)
}

// drawQR returns the dark modules of a QR code as the path of a drawing, which
// is size modules wide.
func drawQR(text string) (path string, size int, err error) {
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return "", 0, fmt.Errorf("draw a QR code: %w", err)
	}
	bitmap := code.Bitmap()
	var b strings.Builder
	for y, row := range bitmap {
		for x, dark := range row {
			if dark {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x, y)
			}
		}
	}
	return b.String(), len(bitmap), nil
}
