package web

import (
	"net/http"

	"authy/server/fault"
	"authy/server/login"
	"authy/server/openid"
)

// home leads to the account, or to the sign-in page.
func (wb *Web) home(w http.ResponseWriter, r *http.Request) error {
	redirect(w, r, "/account")
	return nil
}

// showSignIn asks who is there, unless that is known and enough.
func (wb *Web) showSignIn(w http.ResponseWriter, r *http.Request) error {
	flow := r.Form.Get("flow")
	looking := r.Method == http.MethodHead && flow != "" // which takes no sign-in on
	if r.Form.Get("switch") == "" && !looking {
		next, err := wb.skipSignIn(r, flow)
		if err != nil {
			return err
		}
		if next != nil {
			wb.follow(w, r, next)
			return nil
		}
	}
	return wb.renderSignIn(w, r, http.StatusOK, signInPage{Flow: flow})
}

// skipSignIn returns where someone goes who need not sign in, nil if they must.
func (wb *Web) skipSignIn(r *http.Request, flow string) (*login.Next, error) {
	b := wb.browser(r)
	id, err := wb.Login.Identify(r.Context(), b)
	if err != nil || id == nil && b.Pending == "" {
		return nil, err
	}
	if flow == "" {
		return wb.skipTo(r, b, id != nil)
	}
	next, err := wb.Login.Continue(r.Context(), actor(r), b, flow)
	if err != nil {
		return nil, err
	}
	if next.Location == "/sign-in?flow="+flow {
		return nil, nil
	}
	return next, nil
}

// skipTo is [Web.skipSignIn] for someone who came by themselves.
func (wb *Web) skipTo(r *http.Request, b login.Browser, signed bool) (*login.Next, error) {
	if signed {
		return &login.Next{Location: "/account"}, nil
	}
	owed, err := wb.Login.Owes(r.Context(), b, "")
	if err != nil || !owed.Any() {
		return nil, err
	}
	return &login.Next{Location: "/second-factor"}, nil
}

// renderSignIn fills the page with what the flow knows.
func (wb *Web) renderSignIn(w http.ResponseWriter, r *http.Request, status int, page signInPage) error {
	page.SignUp = wb.Login.Registration
	known := wb.known(r)
	if picked := pick(r, known); picked != "" {
		page.Email = picked
	}
	var to foreign
	var question *login.Question
	if page.Flow != "" {
		q, asked, err := wb.question(r, page.Flow)
		if err != nil {
			return err
		}
		r = asked
		page.ask(q, r.Form.Get("switch") == "")
		to, question = foreignOf(q), q
	} else if id, err := wb.identity(r); err == nil && id != nil {
		page.SwitchFrom = id.User.Email
	}
	page.offer(r, known)
	var err error
	if page.Doors, err = wb.doors(r, page.Flow, page.Email, question); err != nil {
		return err
	}
	v := wb.view(r, "Sign in", page)
	v.Signed = nil
	wb.pages.renderWith(w, r, status, "sign_in", v, to)
	return nil
}

// ask says who is asked to sign in, and how; same says that someone who is
// signed in has not chosen another account themselves.
func (page *signInPage) ask(q *login.Question, same bool) {
	page.Client, page.Wants = clientOf(q), wanted[q.Wants]
	var hint string
	switch {
	case q.Identity == nil:
		hint = q.Request.LoginHint
	case q.Another:
		page.SwitchFrom, page.Another = q.Identity.User.Email, true
		hint = q.Request.LoginHint
	case same:
		page.Again, page.SignUp = q.Identity.User.Email, false
		hint = page.Again
	default:
		page.SwitchFrom = q.Identity.User.Email
	}
	if page.Email == "" {
		page.Email = hint
	}
}

// wanted says what an application asks for beside a password.
var wanted = map[openid.Assurance]string{
	openid.ByTwoFactors: msg("The app asks for a second factor, too: your passkey, or a code after your password."),
	openid.ByPasskey:    msg("The app asks for your passkey."),
}

// signIn checks what was typed.
func (wb *Web) signIn(w http.ResponseWriter, r *http.Request) error {
	in := login.Credentials{
		Email: r.PostForm.Get("email"), Password: r.PostForm.Get("password"), Remember: r.PostForm.Get("remember") != "",
	}
	flow := r.PostForm.Get("flow")
	next, err := wb.Login.Password(r.Context(), actor(r), wb.browser(r), flow, in)
	if f, ok := fault.In(r.Context(), err); ok && f.Kind != fault.Internal {
		setRetryAfter(w, f)
		return wb.renderSignIn(w, r, statuses[f.Kind], signInPage{
			Flow: flow, Email: in.Email, Remember: in.Remember, Problem: f.Error(),
		})
	}
	if err != nil {
		return err
	}
	wb.follow(w, r, next)
	return nil
}
