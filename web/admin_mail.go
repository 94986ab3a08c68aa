package web

import (
	"net/http"
	"net/url"
	"time"

	"authy/server/fault"
	"authy/server/mail"
	"authy/server/self"
	"authy/server/session"
)

const (
	mailPath     = "/admin/mail"
	waitingShown = 50 // mails on a page
)

func (wb *Web) registerAdminMail(get, post func(path string, h handler)) {
	get(mailPath, wb.admin(wb.showMail))
	post(mailPath+"/test", wb.admin(wb.testMail))
}

// adminMailPage is the data of page "admin_mail".
type adminMailPage struct {
	Enabled                              bool
	From, Relay, TLS, User, Origin, Slot string
	Test                                 inputView
	Problem                              string
	Waiting                              []waitingMail
	GivenUp                              []givenUpMail
	Pager                                pagerView
}

// waitingMail is a mail that waits, without what it says.
type waitingMail struct {
	To, Kind, Error            string
	Attempts                   int
	Created, NextAt, ExpiresAt time.Time
}

// givenUpMail is one that did not get away.
type givenUpMail struct {
	To, Kind, Reason, Error string
	Attempts                int
	At                      time.Time
}

// tlsTitles say how the connection to the relay is kept private.
var tlsTitles = map[string]string{
	"starttls": msg("STARTTLS, or nothing is sent"), "implicit": msg("TLS from the first byte"),
	"none": msg("Not encrypted"),
}

// mailTitles say what a mail is about.
var mailTitles = map[mail.Kind]string{
	mail.ResetPassword: msg("Link for a new password"), mail.VerifyEmail: msg("Link that confirms an address"),
	mail.ChangeEmail: msg("Link that changes an address"), mail.EmailInUse: msg("Address in use"),
	mail.Register: msg("Link that makes an account"), mail.AccountExists: msg("Account exists"),
	mail.Invitation: msg("Invitation"), mail.PasswordChanged: msg("Password changed"),
	mail.PasswordReset: msg("Password reset"), mail.EmailChangeRequested: msg("Another address asked for"),
	mail.EmailChanged: msg("Address changed"), mail.FactorAdded: msg("Second factor added"),
	mail.FactorRemoved: msg("Second factor removed"), mail.RecoveryCodesRenewed: msg("New recovery codes"),
	mail.RecoveryCodeUsed: msg("Recovery code used"), mail.NewDevice: msg("Sign-in from somewhere new"),
	mail.FailuresBefore: msg("Sign-in after many attempts"), mail.HalfSignIn: msg("Password without second factor"),
	mail.IdentityLinked: msg("Account linked"), mail.IdentityUnlinked: msg("Account unlinked"),
	mail.AccountCleared: msg("Account cleared"), mail.Recovered: msg("Let in by a link of the operator’s"),
	mail.Panicked: msg("Everything ended"), mail.FactorNeeded: msg("Second factor asked for"),
}

// mailTitle says what a mail of a kind is about.
func mailTitle(kind string) string {
	if title, ok := mailTitles[mail.Kind(kind)]; ok {
		return title
	}
	return kind
}

// givenUpTitles say why a mail was given up.
var givenUpTitles = map[string]string{
	"expired": msg("Expired"), "refused": msg("Refused by the relay"),
}

func (wb *Web) showMail(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	return wb.renderMail(w, r, id, inputView{Value: id.User.Email}, "")
}

func (wb *Web) renderMail(
	w http.ResponseWriter, r *http.Request, id *session.Identity, to inputView, problem string,
) error {
	after := askedKey(r.URL.Query().Get("after"))
	m, err := wb.Self.ShowMail(r.Context(), id.Actor(actor(r)), after, waitingShown)
	if err != nil {
		return err
	}
	page := mailPageOf(m)
	page.Problem, page.Test = problem, to
	page.Test.Name, page.Test.Label, page.Test.Kind, page.Test.Required = "to", msg("Send a test mail to"), "email", true
	page.Test.Autocomplete = "email"
	if m.Next != "" {
		page.Pager.Next = mailPath + "?" + url.Values{"after": {m.Next}}.Encode()
	}
	if after != "" {
		page.Pager.Back = mailPath
	}
	status := http.StatusOK
	if to.Problem != "" {
		status = http.StatusBadRequest
	}
	wb.adminPage(w, r, status, "admin_mail", "Mail", page)
	return nil
}

func mailPageOf(m *self.Mail) adminMailPage {
	page := adminMailPage{Enabled: m.Enabled, From: m.From, Relay: m.Relay, TLS: tlsTitles[m.TLS], User: m.User}
	page.Origin, page.Slot = originOf(m.Origin)
	for _, one := range m.Waiting {
		page.Waiting = append(page.Waiting, waitingMail{
			To: one.Recipient, Kind: mailTitle(one.Kind), Error: one.LastError, Attempts: int(one.Attempts),
			Created: one.CreatedAt.Time, NextAt: one.NextAt.Time, ExpiresAt: one.ExpiresAt.Time,
		})
	}
	for _, one := range m.GivenUp {
		page.GivenUp = append(page.GivenUp, givenUpMail{
			To: one.To, Kind: mailTitle(one.Kind), Reason: givenUpTitles[one.Reason], Error: one.Error,
			Attempts: int(one.Attempts), At: one.At,
		})
	}
	return page
}

// testMail sends a mail now, and tells what the relay said.
func (wb *Web) testMail(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	to := r.PostForm.Get("to")
	sent, err := wb.Self.SendTest(r.Context(), id.Actor(actor(r)), to)
	if f, ok := fault.In(r.Context(), err); ok && f.Kind == fault.Invalid {
		field := []inputView{{Name: "email", Value: to}}
		problem, _ := problemsOf(r.Context(), err, field)
		return wb.renderMail(w, r, id, field[0], problem)
	}
	if err != nil {
		return err
	}
	wb.passSetup(w, r, "mail", sent.OK)
	if !sent.OK {
		return wb.renderMail(w, r, id, inputView{Value: to},
			wb.say(r, "The relay did not take the mail to %s. It said: %s", sent.To, sent.Said))
	}
	return wb.carry(w, r, mailPath, carried{
		Notice: wb.say(r, "The relay took the mail to %s, and said: %s", sent.To, sent.Said),
	})
}
