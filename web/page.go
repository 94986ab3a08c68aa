// Package web is authy for a person in a browser: the pages they read, the forms they send, and
// the static files those pages ask for.
//
// It refuses to know any rule and any statement of SQL. A handler decodes the form, makes one call
// to a service, and renders a page or redirects; what a page shows is a struct beside it, so that
// nothing reaches a reader by accident.
//
// To read it, begin with page.go, which turns a view into an answer, and look up the template of
// the same name under embed/templates. The pages are complete without their script.
package web

import (
	"bytes"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"authy/server/login"
	"authy/server/words"
)

// view is what every page has: what the layout shows, and the page's own part in Data.
type view struct {
	Title     string          // "Sign in"
	RequestID string          // shown as the reference on pages that report a problem
	Lang      *words.Language // nil is English
	Here      string          // where the page was asked for, "" if it cannot be asked for again
	Signed    *signedIn       // nil when nobody is signed in
	Console   *consoleView    // nil on pages that stand alone
	Brand     brandView
	Data      any // one of the …Page structs
}

// Languages are those that the reader can choose from.
func (v view) Languages() []*words.Language { return words.All() }

// signedIn is who the header names, beside the button that signs them out.
type signedIn struct {
	Name, Email string
	Picture     string // its path, "" for none
	Admin       bool
	Setup       bool // the steps of a new server are not done
}

// clientView is the application that a page speaks of.
type clientView struct {
	Name string
	Host string // the host it answers at, which its name cannot fake
	URI  string // its home page; may be empty
	Logo string // may be empty, as the next two
	// What it does with what it gets, and what it asks of those who use it.
	Policy, Terms string
}

// signInPage is the data of page "sign_in".
type signInPage struct {
	Flow       string
	Email      string // prefilled; the password has the focus then
	Problem    string
	Client     *clientView // nil when the sign-in leads to authy itself
	Remember   bool
	SwitchFrom string // the account that is signed in while another one is asked for
	Again      string // the account that is signed in and is to prove it anew
	Another    bool   // the application asks for somebody else than is signed in
	Wants      string // what the application asks for, beside a password
	SignUp     bool   // whether one can make an account for oneself
	Doors      doorsPart
	Known      knownPart
	Unknown    string // the passkey that was used and is nobody's, for the browser, JSON
}

// secondFactorPage is the data of page "second_factor".
type secondFactorPage struct {
	Flow     string
	Problem  string
	Client   *clientView // nil when the sign-in leads to authy itself
	Wants    string      // what the application asks for, beside a password
	Recovery bool        // asks for a recovery code
	// What the account has.
	TOTP, Passkeys bool
}

// consentPage is the data of page "consent".
type consentPage struct {
	Flow         string
	Client       clientView
	RedirectHost string // where the answer goes, "" for an app on the device
	RedirectApp  string // the scheme of that app
	Email        string
	Scopes       []scopeView
}

// scopeView is one permission in plain words.
type scopeView struct {
	Name, Title, Detail string
	New                 bool // not among those granted before
	Own                 bool // one of the app itself, which has no words here
}

// setupPage is the data of page "setup", which creates the first account.
type setupPage struct {
	Token, Email, FullName, Problem string
	Fields                          map[string]string // problems by the name of their field
}

// Focus is the first field to fill.
func (p setupPage) Focus() string { return firstToFill(p.Fields, "email", "full_name") }

// NewPassword is the data of its part.
func (p setupPage) NewPassword() newPassword {
	return newPassword{msg("Password"), p.Focus() == "password", p.Fields}
}

// forgotPage is the data of page "forgot_password".
type forgotPage struct {
	Mail           bool // whether links are mailed
	Email, Problem string
}

// resetPage is the data of page "reset_password".
type resetPage struct {
	Token, Email, Problem string
	Fields                map[string]string // problems by the name of their field
}

// NewPassword is the data of its part.
func (p resetPage) NewPassword() newPassword { return newPassword{msg("New password"), true, p.Fields} }

// followLinkPage is the data of page "follow_link": what a link that was mailed does, and the
// button that does it. Looking at the page does nothing, as programs that check mail do.
type followLinkPage struct{ Heading, Text, Action, Token, Button string }

// invitationPage is the data of page "invitation".
type invitationPage struct {
	Token, Organization, Role, Email, InvitedBy string
	Mine                                        bool   // whether it is for who is signed in
	SignedInAs                                  string // the address of somebody else who is
	Registration                                bool   // whether one can make an account for oneself
}

// messagePage is the data of page "message": one thing that happened and what to do next.
type messagePage struct {
	Heading    string
	Text       []string
	Problem    bool   // shows the reference of the request
	Code       string // the error of the protocol; its description is Detail
	Detail     string
	Parameter  string
	Sent       string   // what the application sent in Parameter; shown, never linked
	Registered []string // what it could have sent
	Link       string
	LinkText   string
}

// signOutPage is the data of page "sign_out", which asks before an application's request to end
// the session is followed. The form carries that request along.
type signOutPage struct {
	Client                *clientView // nil when it is not known who asks
	State                 string
	PostLogoutRedirectURI string
	ClientID              string
	IDTokenHint           string
}

// signedOutPage is the data of page "signed_out", which has the browser tell the applications of a
// session that it has ended, and then leads on.
type signedOutPage struct {
	Apps   []leftView
	Frames []string     // what the browser loads for applications; it sees nothing of it
	Onward template.URL // where it goes afterwards, registered by the application; "" stays here
	Client *clientView  // who asked; nil when it is not known
	// Leaving is the session at a provider that goes on there; nil if there is none.
	Leaving *leavingView
}

// leftView is an application that was told of the end of a session, or is to be.
type leftView struct {
	Name, State string
	At          time.Time // when the session ended
}

// orgView is an organization and what the reader is in it.
type orgView struct {
	ID, Name, Role string
	Manages        bool // the reader is its owner or admin
}

// sessionView is one place where the reader is signed in.
type sessionView struct {
	ID, Browser, Address string
	Place                string // where that is, "" if it is not known
	Program              bool
	Current              bool // the session that asks; it ends with the button in the header
	LastActive, Created  time.Time
	Mark                 string // tells it apart from others that look the same
}

// appView is an application that the reader has let use the account.
type appView struct {
	ID, Name, Host string
	Home           string // its page, "" for none
	Logo           string // may be empty
	Scopes         []string
	Since          time.Time
}

// render answers with the page of that name. The page is complete before its first byte is sent:
// when the template fails, the reader gets a page of status 500 with the reference instead.
//
// extraFormTargets are origins, or schemes of native applications, that a form on this page may
// end at; browsers hold the redirect that follows a form to form-action too.
func (p *pages) render(
	w http.ResponseWriter, r *http.Request, status int, name string, v view,
	extraFormTargets ...string,
) {
	p.renderWith(w, r, status, name, v, foreign{forms: extraFormTargets})
}

// foreign is what a page has to do with other origins.
type foreign struct {
	forms  []string // where its forms may lead, beside here
	frames []string // what it shows in frames
	logo   string   // the address of the logo that it shows, "" for none
	framed bool     // whether a page of this server shows it in a frame
	logos  []string // those of more than one
}

// foreignOf is what a page of a flow has to do with the application that asks.
func foreignOf(q *login.Question) foreign {
	_, source := target(q.Request.RedirectURI)
	return foreign{forms: []string{source}, logo: q.Client.LogoURI}
}

// renderWith is [pages.render] for a page with more than forms that lead elsewhere.
func (p *pages) renderWith(
	w http.ResponseWriter, r *http.Request, status int, name string, v view, f foreign,
) {
	body, err := p.execute(name, v)
	if err != nil {
		slog.ErrorContext(r.Context(), "page not rendered",
			"page", name, "request_id", v.RequestID, "err", err)
		status, body, f = http.StatusInternalServerError, p.apology(v), foreign{}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", p.referrer)
	h.Set("Content-Security-Policy", f.policy())
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // escaped by its template; a reader who left needs no page
}

// execute returns the whole page, or the error that stopped it.
func (p *pages) execute(name string, v view) ([]byte, error) {
	if v.Lang == nil {
		v.Lang = words.English()
	}
	page, err := p.find(v.Lang, name)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := page.Execute(&buf, v); err != nil {
		return nil, fmt.Errorf("execute page %s: %w", name, err)
	}
	return buf.Bytes(), nil
}

// renderPart answers with one part of a page, for the script of that page.
func (p *pages) renderPart(w http.ResponseWriter, l *words.Language, page, part string, data any) error {
	tmpl, err := p.find(l, page)
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	if err := tmpl.ExecuteTemplate(&buf, part, data); err != nil {
		return fmt.Errorf("execute part %s of page %s: %w", part, page, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	_, _ = w.Write(buf.Bytes()) // a reader who left needs no part
	return nil
}

// apology is the page that stands in for one that failed. It needs no template when that one
// fails as well.
func (p *pages) apology(failed view) []byte {
	sentence := msg("Something went wrong on our side.")
	body, err := p.execute("message", view{
		Title:     msg("Something went wrong"),
		RequestID: failed.RequestID,
		Lang:      failed.Lang,
		Data: messagePage{
			Heading: msg("Something went wrong"),
			Text:    []string{sentence, msg("Please try again in a moment.")},
			Problem: true,
		},
	})
	if err != nil {
		return fmt.Appendf(nil, "<!doctype html><title>authy</title><p>%s Reference: %s</p>\n",
			sentence, template.HTMLEscapeString(failed.RequestID))
	}
	return body
}

// policy is the Content-Security-Policy of a page: nothing inline, nothing foreign but what it
// names, in no frame but perhaps one of this server's. A source that could end the directive is
// left out, so that the form or frame fails and not the policy.
func (f foreign) policy() string {
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:" + logoSources(f) +
		"; connect-src 'self'; font-src 'self'"
	if !slices.Contains(f.forms, anywhere) {
		policy += "; form-action 'self'" + sources(f.forms)
	}
	if framed := sources(f.frames); framed != "" {
		policy += "; frame-src" + framed
	}
	ancestors := "'none'"
	if f.framed {
		ancestors = "'self'"
	}
	return policy + "; frame-ancestors " + ancestors + "; base-uri 'none'"
}

// anywhere is the form target of a page whose form may end at any.
const anywhere = "*"

// sources are what a directive of a Content-Security-Policy can name, each after a space.
func sources(from []string) string {
	var list strings.Builder
	for _, source := range from {
		if source != "" && !strings.ContainsFunc(source, endsSource) {
			list.WriteString(" " + source)
		}
	}
	return list.String()
}

// endsSource reports whether c cannot be part of a source in a Content-Security-Policy.
func endsSource(c rune) bool {
	return c <= ' ' || c >= unicode.MaxASCII || strings.ContainsRune(`;,'"`, c)
}
