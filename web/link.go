package web

import (
	"net/http"
	"strings"

	"authy/server/fault"
)

// registerLinks mounts the pages that links lead to, and that ask for them.
func (wb *Web) registerLinks(get, post func(path string, h handler)) {
	get("/forgot-password", wb.showForgot)
	post("/forgot-password", wb.forgot)
	get("/reset-password", wb.showReset)
	post("/reset-password", wb.reset)
	get("/verify-email", wb.followLink(followLinkPage{
		Heading: msg("Confirm your address"), Text: msg("One click, and it is known that this address is yours."),
		Action: "/verify-email", Button: msg("Confirm this address"),
	}))
	post("/verify-email", wb.verifyEmail)
	get("/confirm-email", wb.followLink(followLinkPage{
		Heading: msg("Use your new address"), Text: msg("From now on you sign in with the address that this link was sent to."),
		Action: "/confirm-email", Button: msg("Use this address"),
	}))
	post("/confirm-email", wb.confirmEmail)
	get("/recover", wb.showRecover)
	post("/recover", wb.recover)
	get("/invitations", wb.showInvitation)
	post("/invitations", wb.answerInvitation)
	for path, page := range afterLinks {
		get(path, wb.message(page))
	}
}

// afterLinks is what is said when a link has done what it was for, by path.
var afterLinks = map[string]messagePage{
	"/forgot-password/sent": {
		Heading: msg("Look into your mail"),
		Text: []string{
			msg("If the address has an account, a link to choose a new password is on its way to it. It works for an hour."),
			msg("Nothing came? Look among the unwanted mail, and try the other addresses that are yours."),
		},
		Link: "/sign-in", LinkText: msg("Back to the sign-in page"),
	},
	"/reset-password/done": {
		Heading: msg("Your password is changed"),
		Text:    []string{msg("Everything that was signed in is signed out. Sign in with the new password.")},
		Link:    "/sign-in", LinkText: msg("Sign in"),
	},
	"/verify-email/done": {
		Heading: msg("Your address is confirmed"), Text: []string{msg("It is known now that it is yours.")},
		Link: "/account", LinkText: msg("Go to your account"),
	},
	"/confirm-email/done": {
		Heading: msg("Your address is changed"), Text: []string{msg("From now on you sign in with it.")},
		Link: "/account", LinkText: msg("Go to your account"),
	},
	"/account/ended": {
		Heading: msg("Everything has ended that was open in your account"),
		Text: []string{
			msg("You are signed out everywhere, also here. Sign in again as before, and look through your account."),
		},
		Link: "/sign-in", LinkText: msg("Sign in"),
	},
	"/account/deleted": {
		Heading: msg("Your account is deleted"),
		Text: []string{
			msg("You are signed out everywhere. What was done with the account stays in the log of this server."),
		},
	},
	"/invitations/declined": {
		Heading: msg("Invitation declined"), Text: []string{msg("You have not become a member.")},
		Link: "/account", LinkText: msg("Go to your account"),
	},
}

// message shows a page that says the same to everyone.
func (wb *Web) message(page messagePage) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		wb.pages.render(w, r, http.StatusOK, "message", wb.view(r, page.Heading, page))
		return nil
	}
}

// followLink shows what a link does, which a button then does: programs that
// check mail open every link in it.
func (wb *Web) followLink(page followLinkPage) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		page := page
		page.Token = r.Form.Get("token")
		wb.pages.render(w, r, http.StatusOK, "follow_link", wb.view(r, page.Heading, page))
		return nil
	}
}

func (wb *Web) showForgot(w http.ResponseWriter, r *http.Request) error {
	return wb.renderForgot(w, r, http.StatusOK, forgotPage{})
}

func (wb *Web) renderForgot(w http.ResponseWriter, r *http.Request, status int, page forgotPage) error {
	page.Mail = wb.Accounts.Mail.Enabled()
	wb.pages.render(w, r, status, "forgot_password", wb.view(r, "Forgot your password?", page))
	return nil
}

// forgot has a link mailed to whoever has the address.
func (wb *Web) forgot(w http.ResponseWriter, r *http.Request) error {
	email := r.PostForm.Get("email")
	err := wb.Login.ForgotPassword(r.Context(), actor(r), email)
	if f, ok := fault.In(r.Context(), err); ok && f.Kind != fault.Internal {
		setRetryAfter(w, f)
		problem := f.Message
		if texts := f.Fields["email"]; texts != nil {
			problem = strings.Join(texts, " ")
		}
		return wb.renderForgot(w, r, statuses[f.Kind], forgotPage{Email: email, Problem: problem})
	}
	if err != nil {
		return err
	}
	redirect(w, r, "/forgot-password/sent")
	return nil
}

// showReset asks for the new password, if the link opens anything.
func (wb *Web) showReset(w http.ResponseWriter, r *http.Request) error {
	return wb.renderReset(w, r, http.StatusOK, resetPage{Token: r.Form.Get("token")})
}

func (wb *Web) renderReset(w http.ResponseWriter, r *http.Request, status int, page resetPage) error {
	user, err := wb.Accounts.ResetUser(r.Context(), page.Token)
	if err != nil {
		return err
	}
	page.Email = user.Email
	wb.pages.render(w, r, status, "reset_password", wb.view(r, "Choose a new password", page))
	return nil
}

// reset makes what was typed the password.
func (wb *Web) reset(w http.ResponseWriter, r *http.Request) error {
	form := r.PostForm
	page := resetPage{Token: form.Get("token")}
	if form.Get("password") != form.Get("password_confirm") {
		page.Fields = unlike()
		return wb.renderReset(w, r, http.StatusBadRequest, page)
	}
	err := wb.Login.ResetPassword(r.Context(), actor(r), page.Token, form.Get("password"))
	if f, ok := fault.In(r.Context(), err); ok && f.Fields != nil {
		page.Fields = map[string]string{"password": strings.Join(f.Fields["password"], " ")}
		return wb.renderReset(w, r, http.StatusBadRequest, page)
	}
	if err != nil {
		return err
	}
	redirect(w, r, "/reset-password/done")
	return nil
}

func (wb *Web) verifyEmail(w http.ResponseWriter, r *http.Request) error {
	if _, err := wb.Login.VerifyEmail(r.Context(), actor(r), r.PostForm.Get("token")); err != nil {
		return err
	}
	redirect(w, r, "/verify-email/done")
	return nil
}

func (wb *Web) confirmEmail(w http.ResponseWriter, r *http.Request) error {
	if _, err := wb.Login.ConfirmEmail(r.Context(), actor(r), r.PostForm.Get("token")); err != nil {
		return err
	}
	redirect(w, r, "/confirm-email/done")
	return nil
}
