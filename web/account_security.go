package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"authy/server/login"
	"authy/server/session"
	"authy/server/steady"
)

// accountSecurityPage is the data of page "account_security": how the reader signs in.
type accountSecurityPage struct {
	Duties        dutiesPart
	PasswordSince time.Time // zero if there is no password
	Passkeys      []passkeyView
	Signal        string // what the browser is told of them, JSON
	HasTOTP       bool
	TOTPSince     time.Time
	RecoveryCodes int // how many are left
	Linked        []linkedView
	Linkable      []doorView
	Recovering    bool // the reader was let in by a link, and needs a way to sign in
}

// passkeyView is one passkey.
type passkeyView struct {
	ID, Name          string
	Created, LastUsed time.Time
	Synced            bool // other devices of its owner have it, too
}

// showSecurity shows somebody how they sign in.
func (wb *Web) showSecurity(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	page := accountSecurityPage{Recovering: login.IsRecovering(id, steady.Now())}
	var err error
	if page.Duties, err = wb.duties(r, id); err != nil {
		return err
	}
	if err := wb.fillFactors(r, id, &page); err != nil {
		return err
	}
	if err := wb.fillLinked(r, id, &page); err != nil {
		return err
	}
	wb.ownPage(w, r, http.StatusOK, "account_security", "Security", page)
	return nil
}

// signalText is what the script of a page tells the browser of passkeys.
func signalText(signal any) (string, error) {
	text, err := json.Marshal(signal)
	if err != nil {
		return "", fmt.Errorf("write what a browser is told of passkeys: %w", err)
	}
	return string(text), nil
}

// fillFactors shows what the reader proves who they are with.
func (wb *Web) fillFactors(r *http.Request, id *session.Identity, page *accountSecurityPage) error {
	safety, err := wb.Accounts.Safety(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	page.PasswordSince, page.RecoveryCodes = safety.PasswordSince, safety.RecoveryCodes
	have, err := wb.Accounts.Passkeys(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	for _, p := range have {
		page.Passkeys = append(page.Passkeys, passkeyView{
			p.CredentialID, p.Name, p.CreatedAt.Time, p.LastUsedAt.Time, p.BackedUp,
		})
	}
	if page.Signal, err = signalText(wb.Accounts.Signal(id.User, have)); err != nil {
		return err
	}
	t, err := wb.Accounts.TOTPStatus(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	page.HasTOTP, page.TOTPSince = t.Enabled, t.ConfirmedAt
	return nil
}
