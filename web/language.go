package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/login"
	"authy/server/openid"
	"authy/server/org"
	"authy/server/session"
	"authy/server/steady"
	"authy/server/words"
)

// languageFor is how long a browser remembers the language that was chosen in it.
const languageFor = 365 * 24 * time.Hour

// askedLanguages is the key of the languages that an application asks for, in
// the context of a request.
type askedLanguages struct{}

// asksFor returns r as one that an application asks to be answered in these
// languages, its parameter ui_locales
// (OpenID Connect Core 1.0, section 3.1.2.1).
func asksFor(r *http.Request, uiLocales string) *http.Request {
	if uiLocales == "" {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), askedLanguages{}, uiLocales))
}

// question is what a flow asks of the browser, and r as one that is answered in
// the languages that the application asks for.
func (wb *Web) question(r *http.Request, flow string) (*login.Question, *http.Request, error) {
	q, err := wb.Login.Question(r.Context(), wb.browser(r), flow)
	if err != nil {
		return nil, r, err
	}
	return q, asksFor(r, q.Request.UILocales), nil
}

// language is the one to answer r in, for id or, if nil, for who is not signed
// in: what the application asks for, then what the account or the browser was
// set to, then what the browser prefers.
func (wb *Web) language(r *http.Request, id *session.Identity) *words.Language {
	asked, _ := r.Context().Value(askedLanguages{}).(string)
	account := ""
	if id != nil {
		account = id.User.Locale
	}
	return words.Choose(asked, account, wb.chosenLanguage(r), r.Header.Get("Accept-Language"))
}

// chosenLanguage is the one that was chosen in the browser, "" if none was.
func (wb *Web) chosenLanguage(r *http.Request) string {
	c, err := r.Cookie(wb.cookieName(languageCookie))
	if err != nil {
		return ""
	}
	return c.Value
}

// heedLanguage has mail that r causes be in the language that was chosen in the browser.
func (wb *Web) heedLanguage(r *http.Request) {
	if chosen := wb.chosenLanguage(r); chosen != "" {
		audit.Speaks(r.Context(), chosen)
	}
}

// chooseLanguage keeps the language of this browser. In the midst of a sign-in it
// comes before what the application asks for.
func (wb *Web) chooseLanguage(w http.ResponseWriter, r *http.Request) error {
	until, tag := steady.Now().Add(languageFor), words.Choose(r.PostForm.Get("language")).Tag()
	to := local(r.PostForm.Get("to"))
	if flow := flowOf(to); flow != "" {
		err := wb.Login.Speak(r.Context(), wb.browser(r), flow, tag)
		if _, ended := fault.In(r.Context(), err); err != nil && !ended {
			return err // but the page tells of a sign-in that has ended
		}
	}
	wb.setCookie(w, languageCookie, tag, &until)
	redirect(w, r, to)
	return nil
}

// flowOf is the sign-in that a page here belongs to, "" for none.
func flowOf(path string) string {
	u, err := url.Parse(path)
	if err != nil {
		return ""
	}
	return u.Query().Get("flow")
}

// local is path if it leads to a page here, and the start page otherwise: a form
// of another site must not lead a browser on.
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") ||
		strings.ContainsAny(path, "\\\t\r\n") || u.Host != "" || u.Scheme != "" {
		return "/"
	}
	return path
}

// againAt are the pages that forms of a sign-in come from, by where they are sent.
var againAt = map[string]string{
	"/sign-in": "/sign-in", "/sign-up": "/sign-up", "/second-factor": "/second-factor", "/passkey": "/sign-in",
	openid.DevicePath: openid.DevicePath, "/forgot-password": "/forgot-password",
}

// here is where r asked for its page, for a form that leads back to it: a page
// that answers a form cannot be asked for again.
func here(r *http.Request) string {
	if again := againAt[r.URL.Path]; again != "" && r.Method == http.MethodPost {
		return login.PageOf(again, r.PostForm.Get("flow"))
	}
	if r.Method != http.MethodGet {
		return "/"
	}
	return r.URL.RequestURI()
}

// speaks is the language of whoever sent r.
func (wb *Web) speaks(r *http.Request) *words.Language {
	id, _ := wb.identity(r) // whoever cannot be told is spoken to as anyone
	return wb.language(r, id)
}

// say says a text to whoever sent r.
func (wb *Web) say(r *http.Request, text string, args ...any) string {
	return wb.speaks(r).Say(text, args...)
}

// count says one or many of n things to whoever sent r, with args after the
// number.
func (wb *Web) count(r *http.Request, n int, one, many string, args ...any) string {
	return wb.speaks(r).Count(n, one, many, args...)
}

// day says a day, in UTC, to whoever sent r.
func (wb *Web) day(r *http.Request, t time.Time) string {
	return wb.speaks(r).Day(t)
}

// explain says to whoever sent r what is wrong, with the names of fields if there are any.
func (wb *Web) explain(r *http.Request, f *fault.Error) string {
	if f.Is(org.ErrRole) { // which names the roles that programs can be given
		return wb.say(r, org.ErrRole.Message)
	}
	if len(f.Fields) == 0 {
		return wb.say(r, f.Message)
	}
	said := &fault.Error{Fields: map[string][]string{}}
	for name, problems := range f.Fields {
		for _, problem := range problems {
			said.Fields[name] = append(said.Fields[name], wb.say(r, problem))
		}
	}
	return said.Error()
}

// msg marks a text that is said where it is shown, by function t of the templates.
func msg(text string) string { return text }
