package web

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"authy/server/activity"
	"authy/server/audit"
	"authy/server/session"
)

// maxActivity is how many events a page shows.
const maxActivity = 30

// accountActivityPage is the data of page "account_activity".
type accountActivityPage struct {
	Days  []activityDay
	Kinds []optionView
	Shown bool // only a part is meant
	Pager pagerView
}

// activityDay is what happened on a day.
type activityDay struct {
	Day    time.Time
	Events []activityView
}

// activityView is one thing that happened, in the reader's language.
type activityView struct {
	Text    string
	Failed  bool
	By      string // who did it, where it was not the reader
	At      time.Time
	Browser string
	Address string
	Place   string
}

// activityKind is a part of what happens that can be looked at alone.
type activityKind struct {
	value, label string
	filter       activity.Filter
}

var activityKinds = []activityKind{
	{"", msg("Everything"), activity.Filter{}},
	{"sign-ins", msg("Sign-ins"), activity.Filter{Action: "user.login"}},
	{"failed", msg("What failed"), activity.Filter{Outcome: audit.Failure}},
	{"profile", msg("Changes of the profile"), activity.Filter{Action: "user.update"}},
	{"apps", msg("Apps that were allowed"), activity.Filter{Action: "consent.given"}},
	{"sessions", msg("Sessions that were ended"), activity.Filter{Action: "session.revoke"}},
}

// hiddenActivity are steps of what is shown anyway.
var hiddenActivity = []string{
	"session.create", "user.login.password", "user.login.external", "user.login.recovery", "webauthn.login.initiated",
	"webauthn.register.initiated", "authorize.granted", "code.exchanged", "token.issued", "token.refreshed",
}

// activityWords say what happened, by its action.
var activityWords = map[string]string{
	"audit.export":                         msg("Audit log downloaded"),
	"admin.recovered":                      msg("Let in by a link of the operator’s"),
	"admin.recovery_requested":             msg("Link made that lets an administrator in"),
	"authorize.denied":                     msg("Sign-in to an app refused"),
	"consent.given":                        msg("App allowed to use the account"),
	"consent.revoked":                      msg("App removed"),
	"device.allowed":                       msg("Device connected"),
	"grant.revoke_all":                     msg("Access of apps ended"),
	"mfa.policy.user_notified":             msg("Reminder of a second factor that is required"),
	"mfa.policy.user_suspended":            msg("Limited until a second factor is set up"),
	"mfa.policy.user_compliant":            msg("Second factor set up that was required"),
	"org.create":                           msg("Organization created"),
	"org.update":                           msg("Organization changed"),
	"org.delete":                           msg("Organization deleted"),
	"org.invitation.create":                msg("Somebody invited to an organization"),
	"org.invitation.accept":                msg("Invitation accepted"),
	"org.invitation.decline":               msg("Invitation declined"),
	"org.invitation.revoke":                msg("Invitation withdrawn"),
	"org.member.add":                       msg("Member added to an organization"),
	"org.member.remove":                    msg("Membership of an organization ended"),
	"org.member.role_change":               msg("Role in an organization changed"),
	"org.security_policy.update":           msg("Rules of an organization changed"),
	"session.renew":                        msg("Signed in again"),
	"session.revoke":                       msg("Session ended"),
	"session.revoke_all":                   msg("Signed out everywhere"),
	"session.revoke_others":                msg("Signed out everywhere else"),
	"token.create":                         msg("API token made"),
	"token.revoke":                         msg("API token deleted"),
	"totp.backup_code.used":                msg("Recovery code used"),
	"totp.backup_codes.regenerated":        msg("New recovery codes made"),
	"totp.disabled":                        msg("Authenticator app removed"),
	"totp.enroll.completed":                msg("Authenticator app set up"),
	"totp.enroll.initiated":                msg("Set-up of an authenticator app begun"),
	"totp.verify.failed":                   msg("Wrong code of an authenticator app"),
	"totp.verify.success":                  msg("Code of the authenticator app used"),
	"user.activate":                        msg("Account switched on again"),
	"user.cleared":                         msg("Earlier ways to sign in taken away"),
	"user.email_change":                    msg("Address changed"),
	"user.email_change_requested":          msg("Link to a new address asked for"),
	"user.email_verification_requested":    msg("Link to confirm the address asked for"),
	"user.email_verified":                  msg("Address confirmed"),
	"user.export":                          msg("Data downloaded"),
	"user.identity_link":                   msg("Account at a provider linked"),
	"user.identity_unlink":                 msg("Account at a provider unlinked"),
	"user.login":                           msg("Signed in"),
	"user.logout":                          msg("Signed out"),
	"user.panic":                           msg("Everything ended that was open"),
	"user.password_change":                 msg("Password changed"),
	"user.password_reset":                  msg("Password reset by a link"),
	"user.password_reset_requested":        msg("Link to a new password asked for"),
	"user.register":                        msg("Account made"),
	"user.register_requested":              msg("Account asked for"),
	"user.security_policy.override_update": msg("Exception of a second factor changed"),
	"user.suspend":                         msg("Account suspended"),
	"user.unlock":                          msg("Failed attempts forgiven"),
	"user.update":                          msg("Profile changed"),
	"webauthn.credential.deleted":          msg("Passkey deleted"),
	"webauthn.credential.renamed":          msg("Passkey renamed"),
	"webauthn.login.failed":                msg("Sign-in by passkey failed"),
	"webauthn.login.success":               msg("Passkey used"),
	"webauthn.register.completed":          msg("Passkey added"),
	"webauthn.register.failed":             msg("Passkey not added"),
}

// doerWords say who did something, where that was not the reader.
var doerWords = map[audit.Kind]string{
	audit.Anonymous: msg("by somebody who was not signed in"),
	audit.User:      msg("by somebody else"),
	audit.Client:    msg("by an app"),
	audit.Operator:  msg("by the operator of this server"),
	audit.System:    msg("by this server itself"),
	audit.Service:   msg("by a program of an organization"),
}

// showActivity shows somebody what they did, and what was done to their account.
func (wb *Web) showActivity(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	shown, after := r.Form.Get("show"), r.Form.Get("after")
	i := slices.IndexFunc(activityKinds, func(k activityKind) bool { return k.value == shown })
	if i < 0 {
		i, shown = 0, ""
	}
	found, err := wb.Activity.Mine(r.Context(), id.Actor(actor(r)), activityKinds[i].filter, after, maxActivity)
	if err != nil {
		return err
	}
	page := accountActivityPage{Shown: shown != "" || after != ""}
	for _, k := range activityKinds {
		page.Kinds = append(page.Kinds, optionView{Value: k.value, Label: k.label, Chosen: k.value == shown})
	}
	for _, e := range found.Entries {
		if !slices.Contains(hiddenActivity, e.Action) {
			page.add(e.At, wb.activityOf(r, id, &e))
		}
	}
	query := url.Values{}
	if shown != "" {
		query.Set("show", shown)
	}
	if after != "" {
		page.Pager.Back = activityPath + "?" + query.Encode()
	}
	if found.Next != "" {
		query.Set("after", found.Next)
		page.Pager.Next = activityPath + "?" + query.Encode()
	}
	wb.ownPage(w, r, http.StatusOK, "account_activity", "Activity", page)
	return nil
}

// add adds an event, which is older than those before it, to its day in UTC.
func (p *accountActivityPage) add(at time.Time, v activityView) {
	day := at.UTC().Truncate(24 * time.Hour)
	if n := len(p.Days); n == 0 || !p.Days[n-1].Day.Equal(day) {
		p.Days = append(p.Days, activityDay{Day: day})
	}
	last := &p.Days[len(p.Days)-1]
	last.Events = append(last.Events, v)
}

// activityOf says what happened.
func (wb *Web) activityOf(r *http.Request, id *session.Identity, e *activity.Entry) activityView {
	l := wb.language(r, id)
	v := activityView{
		Text: e.Action, Failed: e.Outcome == audit.Failure, At: e.At, Address: e.IPAddress,
		Place: wb.Places.Of(e.IPAddress, l.Tag()),
	}
	if e.UserAgent != "" {
		v.Browser = browserName(l, e.UserAgent)
	}
	if text, known := activityWords[e.Action]; known {
		v.Text = l.Say(text)
	}
	if kind := audit.Kind(e.ActorKind); kind != audit.User || e.ActorID != id.User.ID {
		v.By = l.Say(doerWords[kind])
	}
	return v
}
