package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/session"
)

// adminActPage is the data of page "admin_act": what an act does, before it is done.
type adminActPage struct {
	Back     string // the page that led here
	BackText string
	Title    string
	About    string // whom or what it is done to
	Text     []string
	Button   string
	Danger   bool
	ID       string // which part of it, "" for the whole
	Command  cliPart
	Confirm  *inputView // what is to be typed, nil for nothing
	Problem  string
}

// refusedWith is the status of a page that says why something was refused. What was
// not proved was not by who asks, who is signed in.
func refusedWith(ctx context.Context, err error) int {
	if f, ok := fault.In(ctx, err); ok {
		if f.Kind == fault.Unauthenticated {
			return http.StatusConflict
		}
		return statuses[f.Kind]
	}
	return http.StatusInternalServerError
}

// userAct is something that an administrator does to a user.
type userAct struct {
	title, button string
	text          []string
	danger        bool
	command       string // of authy user, before the address
	done          string // what is said afterwards
	do            func(wb *Web, r *http.Request, by audit.Actor, u *account.User) (secret string, err error)
}

// simple is an act that needs nothing but the user.
func simple(do func(*account.Service, *http.Request, audit.Actor, string) error) func(*Web, *http.Request, audit.Actor, *account.User) (string, error) {
	return func(wb *Web, r *http.Request, by audit.Actor, u *account.User) (string, error) {
		return "", do(wb.Accounts, r, by, u.ID)
	}
}

// correct is an act that changes one thing of a user.
func correct(change account.Correction) func(*Web, *http.Request, audit.Actor, *account.User) (string, error) {
	return simple(func(s *account.Service, r *http.Request, by audit.Actor, userID string) error {
		_, err := s.Correct(r.Context(), by, userID, change)
		return err
	})
}

// userActs are the acts by their names in addresses.
var userActs = map[string]userAct{
	"suspend": {
		msg("Suspend the user"), msg("Suspend"),
		[]string{
			msg("They are signed out everywhere at once, and apps lose the access that they were given."),
			msg("They cannot sign in until you activate them again. Nothing of theirs is deleted."),
		},
		true, "suspend", msg("The user is suspended."),
		simple(func(s *account.Service, r *http.Request, by audit.Actor, id string) error {
			return s.Suspend(r.Context(), by, id)
		}),
	},
	"activate": {
		msg("Activate the user"), msg("Activate"),
		[]string{msg("They can sign in again, as before. Sessions that were ended stay ended.")},
		false, "activate", msg("The user is active."),
		simple(func(s *account.Service, r *http.Request, by audit.Actor, id string) error {
			return s.Activate(r.Context(), by, id)
		}),
	},
	"unlock": {
		msg("Forgive failed attempts"), msg("Unlock"),
		[]string{msg("Attempts to sign in that failed are forgotten, from wherever they came: the password and the second factor can be tried anew.")},
		false, "unlock", msg("The user can try again."),
		simple(func(s *account.Service, r *http.Request, by audit.Actor, id string) error {
			return s.Unlock(r.Context(), by, id)
		}),
	},
	"sign-out": {
		msg("Sign the user out everywhere"), msg("Sign out everywhere"),
		[]string{
			msg("Every session ends at once, in browsers and programs, and apps lose the access that they were given."),
			msg("They can sign in again."),
		},
		true, "sign-out", msg("The user is signed out everywhere."),
		simple(func(s *account.Service, r *http.Request, by audit.Actor, id string) error {
			return s.SignOut(r.Context(), by, id)
		}),
	},
	"panic": {
		msg("End everything that is open"), msg("End everything"),
		[]string{
			msg("For an account that somebody else may be in: sessions, apps' access, API tokens, and links, sign-ins and invitations that wait end at once."),
			msg("How they sign in stays, and they are told by mail. If their password is known to somebody, make a link to a new one afterwards."),
		},
		true, "panic", msg("Everything has ended that was open in the account."),
		simple(func(s *account.Service, r *http.Request, by audit.Actor, id string) error {
			return s.Panic(r.Context(), by, id, false)
		}),
	},
	"panic-credentials": {
		msg("End everything, and take away how they sign in"), msg("End everything, and take away how they sign in"),
		[]string{
			msg("Also their password, their passkeys, their authenticator app, their recovery codes and their linked accounts are taken away."),
			msg("They get in again by a link to a new password, which you make for them or they have mailed."),
		},
		true, "panic --credentials", msg("Everything has ended that was open in the account, and nothing signs in to it."),
		simple(func(s *account.Service, r *http.Request, by audit.Actor, id string) error {
			return s.Panic(r.Context(), by, id, true)
		}),
	},
	"reset-link": {
		msg("Make a link to a new password"), msg("Make the link"),
		[]string{
			msg("You get a link to hand to the user, and to nobody else. It works once, for an hour; earlier ones stop working."),
			msg("Make sure that it is they who get it. Their second factor stays."),
		},
		false, "reset-link", msg("Give this link to the user. It works once, for an hour."),
		func(wb *Web, r *http.Request, by audit.Actor, u *account.User) (string, error) {
			link, err := wb.Accounts.NewResetLink(r.Context(), by, u.ID)
			if err != nil {
				return "", err
			}
			return wb.PublicURL + link.Path, nil
		},
	},
	"remove-authenticator": {
		msg("Remove the authenticator app"), msg("Remove it"),
		[]string{
			msg("For a user who has lost it and has no recovery codes left. Make sure that it is they who ask."),
			msg("They are signed out everywhere. Afterwards the password alone signs them in, unless they have passkeys."),
		},
		true, "disable-totp", msg("The authenticator app is removed."),
		simple(func(s *account.Service, r *http.Request, by audit.Actor, id string) error {
			return s.ResetTOTP(r.Context(), by, id)
		}),
	},
	"remove-passkeys": {
		msg("Remove every passkey"), msg("Remove them"),
		[]string{
			msg("For a user who has lost the devices that hold them. Make sure that it is they who ask."),
			msg("They are signed out everywhere. Afterwards the password alone signs them in, unless they have an authenticator app."),
		},
		true, "remove-passkeys", msg("The passkeys are removed."),
		simple(func(s *account.Service, r *http.Request, by audit.Actor, id string) error {
			return s.ResetPasskeys(r.Context(), by, id)
		}),
	},
	"make-admin": {
		msg("Make the user an administrator"), msg("Make administrator"),
		[]string{msg("They may do all that you may: see and change every user, organization, app and setting of this server.")},
		false, "update --admin", msg("The user is an administrator."), correct(account.Correction{Admin: new(true)}),
	},
	"unmake-admin": {
		msg("Take the administration away"), msg("Take it away"),
		[]string{msg("They keep their account, their organizations and their roles there, and may no longer administer the server.")},
		true, "update --admin=false", msg("The user is no administrator any more."), correct(account.Correction{Admin: new(false)}),
	},
	"verify-email": {
		msg("Note that the address is theirs"), msg("Mark as verified"),
		[]string{msg("Apps are told that the address is the user's, and may trust it. Make sure that it is.")},
		false, "verify-email", msg("The address is marked as verified."), correct(account.Correction{EmailVerified: new(true)}),
	},
	"unverify-email": {
		msg("Note that the address may not be theirs"), msg("Mark as not verified"),
		[]string{msg("Apps are told that nobody knows whether the address is the user's. They can confirm it themselves by mail.")},
		false, "update --verified=false", msg("The address is marked as not verified."), correct(account.Correction{EmailVerified: new(false)}),
	},
	"unlink": {
		msg("Unlink the account"), msg("Unlink"),
		[]string{msg("They can no longer sign in from that provider. They keep all other ways to sign in.")},
		true, "", msg("The account is unlinked."),
		func(wb *Web, r *http.Request, by audit.Actor, u *account.User) (string, error) {
			return "", wb.Accounts.UnlinkFor(r.Context(), by, u.ID, r.PostForm.Get("id"))
		},
	},
	"remove-app": {
		msg("Remove the app's access"), msg("Remove access"),
		[]string{msg("The app can no longer use the account. It may ask the user again.")},
		true, "", msg("The app's access is removed."),
		func(wb *Web, r *http.Request, by audit.Actor, u *account.User) (string, error) {
			return "", wb.OpenID.RevokeConsentOf(r.Context(), by, u.ID, r.PostForm.Get("id"))
		},
	},
	"end-sessions": {
		msg("End every session of the user"), msg("End the sessions"),
		[]string{msg("They are signed out in every browser and program. The access that apps were given stays.")},
		true, "", msg("The sessions have ended."),
		func(wb *Web, r *http.Request, by audit.Actor, u *account.User) (string, error) {
			_, err := wb.Sessions.RevokeAll(r.Context(), by, u.ID)
			return "", err
		},
	},
	"delete": {
		msg("Delete the user"), msg("Delete for good"),
		[]string{
			msg("The user is deleted with everything that is theirs: sessions, passkeys, memberships, and what they let apps have. This cannot be undone."),
			msg("What they did stays in the audit log, under an id that leads to nobody."),
		},
		true, "delete", msg("The user is deleted."),
		simple(func(s *account.Service, r *http.Request, by audit.Actor, id string) error {
			return s.Delete(r.Context(), by, id)
		}),
	},
}

// backFrom is the tab that an act on a user is on, and leads back to.
var backFrom = map[string]string{
	"panic": "/sessions", "panic-credentials": "/sign-in", "reset-link": "/sign-in", "unlock": "/sign-in", "remove-authenticator": "/sign-in", "remove-passkeys": "/sign-in",
	"unlink": "/sign-in", "sign-out": "/sessions", "end-sessions": "/sessions", "remove-app": "/access",
}

// profileActs are the acts on the first page of a user, but for the last one of all.
func profileActs(u *account.User) []string {
	acts := []string{"suspend", "make-admin", "verify-email", "panic", "panic-credentials"}
	if u.Status != "active" && u.Status != "pending" {
		acts[0] = "activate"
	}
	if u.IsAdmin {
		acts[1] = "unmake-admin"
	}
	if !u.EmailVerifiedAt.IsZero() {
		acts[2] = "unverify-email"
	}
	return acts
}

// linkTo leads to an act on a user.
func linkTo(u *account.User, name string) actLink {
	act := userActs[name]
	return actLink{Path: "/admin/users/" + u.ID + "/do/" + name, Title: act.title, Text: act.button, Note: act.text[0]}
}

var errNoAct = fault.New(fault.NotFound, "not_found", "There is no page at this address.")

// userActOf returns the act and the user that a path names.
func (wb *Web) userActOf(r *http.Request, id *session.Identity) (userAct, *account.User, error) {
	act, ok := userActs[param(r, "act")]
	if !ok {
		return userAct{}, nil, errNoAct
	}
	u, err := wb.userOf(r, id)
	return act, u, err
}

// askUserAct shows what an act does to a user.
func (wb *Web) askUserAct(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	act, u, err := wb.userActOf(r, id)
	if err != nil {
		return err
	}
	wb.renderUserAct(w, r, http.StatusOK, act, u, "")
	return nil
}

func (wb *Web) renderUserAct(w http.ResponseWriter, r *http.Request, status int, act userAct, u *account.User, problem string) {
	name := param(r, "act")
	page := adminActPage{
		Back: "/admin/users/" + u.ID + backFrom[name], BackText: u.Email, Title: act.title, About: u.Email, Text: act.text,
		Button: act.button, Danger: act.danger, ID: r.Form.Get("id"), Problem: problem,
	}
	page.Command = cliOf("authy user "+act.command, u.Email)
	switch name {
	case "end-sessions":
		page.Command = cliOf("authy session revoke --user", u.Email)
	case "remove-app":
		page.Command = cliOf("authy user remove-app", u.Email, cmp.Or(page.ID, "CLIENT_ID"))
	case "unlink":
		page.Command = cliOf("authy user unlink", u.Email, cmp.Or(r.Form.Get("provider"), "PROVIDER"))
	}
	if name == "delete" {
		page.Confirm = &inputView{
			Name: "confirm", Label: msg("Type the address of the user"), Kind: "text", Required: true, Hint: msg("So that it is not done by mistake."),
		}
	}
	wb.adminPage(w, r, status, "admin_act", act.title, page)
}

// doUserAct does it.
func (wb *Web) doUserAct(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	act, u, err := wb.userActOf(r, id)
	if err != nil {
		return err
	}
	name := param(r, "act")
	if name == "delete" && r.PostForm.Get("confirm") != u.Email {
		wb.renderUserAct(w, r, http.StatusBadRequest, act, u, wb.say(r, "That is not the address of the user. Nothing was deleted."))
		return nil
	}
	secret, err := act.do(wb, r, id.Actor(actor(r)), u)
	if f, told := fault.In(r.Context(), err); told && f.Kind != fault.Internal && f.Kind != fault.NotFound {
		wb.renderUserAct(w, r, refusedWith(r.Context(), err), act, u, f.Error())
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s user %s: %w", name, u.ID, err)
	}
	to := "/admin/users/" + u.ID + backFrom[name]
	if name == "delete" {
		to = "/admin/users"
	}
	return wb.carry(w, r, to, carried{Notice: wb.say(r, act.done), Secret: secret})
}
