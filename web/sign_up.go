package web

import (
	"net/http"

	"authy/server/account"
	"authy/server/fault"
	"authy/server/login"
)

// signUpPage is the data of page "sign_up".
type signUpPage struct {
	Flow                     string
	Client                   *clientView // nil when the account leads to authy itself
	Email, FullName, Problem string
	Fields                   map[string]string // problems by the name of their field
	Doors                    doorsPart
}

// Focus is the first field to fill.
func (p signUpPage) Focus() string { return firstToFill(p.Fields, "full_name", "email") }

// NewPassword is the data of its part.
func (p signUpPage) NewPassword() newPassword {
	return newPassword{msg("Password"), p.Focus() == "password", p.Fields}
}

// showSignUp asks who wants an account, where anyone can have one.
func (wb *Web) showSignUp(w http.ResponseWriter, r *http.Request) error {
	page := signUpPage{Flow: r.Form.Get("flow")}
	if wb.Login.Registration {
		if page.Flow == "" {
			page.Email = wb.invitedAt(r)
		}
		return wb.renderSignUp(w, r, http.StatusOK, page)
	}
	if page.Flow == "" {
		return login.ErrClosed
	}
	redirect(w, r, login.PageOf("/sign-in", page.Flow))
	return nil
}

// renderSignUp fills the page with what the flow knows.
func (wb *Web) renderSignUp(w http.ResponseWriter, r *http.Request, status int, page signUpPage) error {
	var to foreign
	if page.Flow != "" {
		q, asked, err := wb.question(r, page.Flow)
		if err != nil {
			return err
		}
		r = asked
		page.Client = clientOf(q)
		to = foreignOf(q)
		if r.Method != http.MethodPost {
			page.Email = q.Request.LoginHint
		}
	}
	var err error
	if page.Doors, err = wb.joinDoors(r, page.Flow); err != nil {
		return err
	}
	v := wb.view(r, "Create an account", page)
	v.Signed = nil
	wb.pages.renderWith(w, r, status, "sign_up", v, to)
	return nil
}

// signUp makes the account and goes on with it.
func (wb *Web) signUp(w http.ResponseWriter, r *http.Request) error {
	form := r.PostForm
	page := signUpPage{Flow: form.Get("flow"), Email: form.Get("email"), FullName: form.Get("full_name")}
	in := account.NewUser{Email: page.Email, FullName: page.FullName, Password: form.Get("password")}
	if in.Password != form.Get("password_confirm") {
		page.Fields = unlike()
		return wb.renderSignUp(w, r, http.StatusBadRequest, page)
	}
	next, err := wb.Login.SignUp(r.Context(), actor(r), wb.browser(r), page.Flow, in)
	switch f, told := fault.In(r.Context(), err); {
	case told && f.Fields != nil:
		page.Fields = problemsAt(f)
		return wb.renderSignUp(w, r, http.StatusBadRequest, page)
	case told && (f.Is(account.ErrEmailTaken) || f.Kind == fault.RateLimited || f.Kind == fault.Unavailable):
		setRetryAfter(w, f)
		page.Problem = f.Error()
		return wb.renderSignUp(w, r, statuses[f.Kind], page)
	case err != nil:
		return err
	case next == nil:
		wb.signUpByMail(w, r, page.Flow)
		return nil
	}
	wb.follow(w, r, next)
	return nil
}

// signUpByMail says that the rest is in a mail, whoever has the address.
func (wb *Web) signUpByMail(w http.ResponseWriter, r *http.Request, flow string) {
	wb.pages.render(w, r, http.StatusAccepted, "message", wb.view(r, "Look into your mail", messagePage{
		Heading: msg("Look into your mail"),
		Text:    []string{msg("What comes next is in a mail on its way to the address. Then come back here and sign in.")},
		Link:    login.PageOf("/sign-in", flow), LinkText: msg("Sign in"),
	}))
}
