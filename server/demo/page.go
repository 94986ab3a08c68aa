package demo

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

//go:embed page.html demo.css
var files embed.FS

// ownPaths are the paths that the callback cannot have.
var ownPaths = []string{"", "/", "/demo.css", "/sign-in", "/refresh", "/userinfo", "/sign-out"}

// A handler answers, or returns why not and leaves the answer to the page of problems.
type handler func(w http.ResponseWriter, r *http.Request) error

// Handler returns the application's pages.
func (a *App) Handler() http.Handler {
	mux := http.NewServeMux()
	route := func(pattern string, h handler) { mux.Handle(pattern, a.page(h)) }
	route("GET /{$}", a.home)
	route("GET /sign-in", a.signIn)
	route("GET "+a.redirect.Path, a.callback)
	route("POST /refresh", a.signedIn(a.refresh))
	route("POST /userinfo", a.signedIn(a.userinfo))
	route("POST /sign-out", a.signOut)
	mux.HandleFunc("GET /demo.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "demo.css")
	})
	return a.guard(http.NewCrossOriginProtection().Handler(mux))
}

// guard sets the headers that keep the pages to themselves.
func (a *App) guard(next http.Handler) http.Handler {
	// Browsers hold the redirects after a form to form-action too, and signing out is one.
	forms := "'self'"
	if u, err := url.Parse(a.announce.EndSession); err == nil && u.Host != "" {
		forms += " " + origin(u)
	}
	policy := "default-src 'none'; style-src 'self'; form-action " + forms +
		"; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		// The address of the callback holds the code.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// page makes a handler one of net/http, which shows what went wrong.
func (a *App) page(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		var p *problem
		if !errors.As(err, &p) {
			slog.ErrorContext(r.Context(), "demo page broke", "err", err)
			http.Error(w, "Something went wrong in the demo application.",
				http.StatusInternalServerError)
			return
		}
		if err := a.show(w, p.status, view{Title: p.Title, Problem: p}); err != nil {
			slog.ErrorContext(r.Context(), "demo page not shown", "err", err)
		}
	})
}

// home shows the session, or the way to one.
func (a *App) home(w http.ResponseWriter, r *http.Request) error {
	now := time.Now()
	v := view{Title: "Signed out", Notice: notice(a.returned(w, r))}
	if s := a.session(now, r); s != nil {
		v.Account = a.account(now, s)
		v.Title = v.Account.Name
	}
	return a.show(w, http.StatusOK, v)
}

func notice(returned bool) string {
	if returned {
		return "You are signed out, here and at the provider."
	}
	return ""
}

// show writes the page, whole or not at all.
func (a *App) show(w http.ResponseWriter, status int, v view) error {
	v.Issuer, v.ClientID = a.config.Issuer, a.config.ClientID
	v.Public = a.config.ClientSecret == ""
	var out bytes.Buffer
	if err := a.pages.ExecuteTemplate(&out, "page.html", v); err != nil {
		return fmt.Errorf("render the page %q: %w", v.Title, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("send the page %q: %w", v.Title, err)
	}
	return nil
}

// problem is why something did not work, for the person at the browser. The application is there
// to learn from, so that it tells everything that it knows.
type problem struct {
	status int
	Title  string
	Code   string // the provider's error code, if it sent one
	Detail string
}

func (p *problem) Error() string {
	return p.Title + ": " + p.Detail
}

// refuse returns the problem of a request or response that the application does not accept.
func refuse(format string, args ...any) *problem {
	return &problem{
		status: http.StatusBadRequest,
		Title:  "This was refused",
		Detail: fmt.Sprintf(format, args...),
	}
}

// failed returns the problem of a conversation with the provider that ended in err.
func failed(title string, err error) *problem {
	p := &problem{status: http.StatusBadGateway, Title: title, Detail: shortened(err.Error())}
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.ErrorCode != "" {
		p.Code, p.Detail = refused.ErrorCode, refused.ErrorDescription
	}
	return p
}

// shortened cuts a text that may hold a whole page of the provider's.
func shortened(text string) string {
	const most = 500
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
