package web

import (
	"context"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"sync"

	"authy/server/account"
	"authy/server/activity"
	"authy/server/audit"
	"authy/server/backup"
	"authy/server/brand"
	"authy/server/doctor"
	"authy/server/fault"
	"authy/server/forward"
	"authy/server/keyring"
	"authy/server/login"
	"authy/server/logout"
	"authy/server/openid"
	"authy/server/org"
	"authy/server/overview"
	"authy/server/place"
	"authy/server/provider"
	"authy/server/registry"
	"authy/server/saml2"
	"authy/server/self"
	"authy/server/session"
	"authy/server/state"
	"authy/server/token"
	"authy/server/webhook"
)

// Config is what the pages need.
type Config struct {
	Login    *login.Service
	Accounts *account.Service
	Sessions *session.Service
	Orgs     *org.Service
	OpenID   *openid.Provider
	Tokens   *token.Service
	Logouts  *logout.Service
	// Providers are who people come from.
	Providers *provider.Service
	SAMLSP    *saml2.SP
	SAMLIDP   *saml2.IDP
	// SAMLServices keeps the services of SAMLIDP, SAMLKeys what it signs with.
	SAMLServices *saml2.Services
	SAMLKeys     *saml2.Keys
	// Forward is who gets through proxies.
	Forward *forward.Service
	// Overview tells administrators how the server fares, Activity what happened.
	Overview *overview.Service
	Activity *activity.Service
	// Places tells where addresses are; nil knows nothing.
	Places *place.Map
	Keys   *keyring.Ring
	Brand  *brand.Service
	Self   *self.Service
	// Backups makes backups, and knows those that there are.
	Backups *backup.Service
	// Doctor looks for what is wrong with the set-up.
	Doctor *doctor.Service
	// State knows which file sets what.
	State *state.State
	// Webhooks tell other programs what happens here.
	Webhooks *webhook.Service
	// PublicURL is how browsers reach the server.
	PublicURL string
	Clients   *registry.Service
	// Secure says that browsers come by https: cookies are Secure and named so.
	Secure bool
	// PlainHTTP says that browsers come by http from other machines.
	PlainHTTP bool
	// OpenAPI returns the document of the JSON API.
	OpenAPI func() ([]byte, error)
}

// Web serves the pages.
type Web struct {
	Config
	pages  *pages
	static *static
	cross  *http.CrossOriginProtection
	docs   func() (docsPage, error) // read when first asked for
}

// New returns the pages. An error is a mistake in a template.
func New(c Config) (*Web, error) {
	p, err := newPages()
	if err != nil {
		return nil, err
	}
	if c.PlainHTTP {
		p.referrer = "same-origin"
	}
	docs := sync.OnceValues(func() (docsPage, error) {
		text, err := c.OpenAPI()
		if err != nil {
			return docsPage{}, err
		}
		return readDocs(text)
	})
	return &Web{
		Config: c, pages: p, static: newStatic(), cross: http.NewCrossOriginProtection(), docs: docs,
	}, nil
}

// handler answers with a page or a redirect, or returns why it cannot.
type handler func(w http.ResponseWriter, r *http.Request) error

// Register mounts every page through handle.
func (wb *Web) Register(handle func(method, path string, h http.Handler)) {
	get := func(path string, h handler) { handle(http.MethodGet, path, wb.page(h)) }
	post := func(path string, h handler) { handle(http.MethodPost, path, wb.form(wb.page(h))) }

	get("/", wb.home)
	get("/sign-in", wb.showSignIn)
	post("/sign-in", wb.signIn)
	post("/sign-in/forget", wb.forget)
	get("/sign-up", wb.showSignUp)
	post("/sign-up", wb.signUp)
	get("/choose-account", wb.showChoice)
	post("/choose-account", wb.choose)
	get("/second-factor", wb.showSecondFactor)
	post("/second-factor", wb.secondFactor)
	post("/passkey/begin", wb.beginPasskey)
	post("/passkey", wb.passkey)
	get("/consent", wb.showConsent)
	post("/consent", wb.consent)
	get("/enroll", wb.showEnroll)
	get(openid.DevicePath, wb.showDeviceCode)
	post(openid.DevicePath, wb.deviceCode)
	get(openid.DevicePath+"/done", wb.showDeviceDone)
	post("/sign-out", wb.signOut)
	get("/signed-out", wb.showSignedOut)
	wb.registerSetup(get, post)
	wb.registerAccount(get, post, handle)
	wb.registerLinks(get, post)
	wb.registerExternal(get, post, handle)
	wb.registerSAMLSP(get, handle)
	wb.registerSAML(get, handle)
	wb.registerForward(get)
	wb.registerPictures(get)
	wb.registerConsole(get, post, handle)

	get("/api/docs", wb.showDocs)
	post("/language", wb.chooseLanguage)

	// Clients send browsers here from their own origins.
	get(openid.AuthorizePath, wb.authorize)
	handle(http.MethodPost, openid.AuthorizePath, wb.page(wb.authorizeByForm))
	get(openid.EndSessionPath, wb.endSessionAtClient)
	handle(http.MethodPost, openid.EndSessionPath, wb.page(wb.endSessionAtClient))

	handle(http.MethodGet, "/static/*file", wb.branded(wb.static))
	handle(http.MethodGet, "/favicon.ico", wb.static)
}

// registerConsole mounts the pages of who administers the server or an organization.
func (wb *Web) registerConsole(get, post func(string, handler), handle func(method, path string, h http.Handler)) {
	wb.registerAdminOverview(get)
	wb.registerAdminUsers(get, post)
	wb.registerAdminOrgs(get, post)
	wb.registerAdminSessions(get, post)
	wb.registerAdminClients(get, post)
	wb.registerAdminSAML(get, post, handle)
	wb.registerProviders(get, post, handle)
	wb.registerDomains(get, post)
	wb.registerAdminAudit(get, post)
	wb.registerRelease(get, post)
	wb.registerAdminKeys(get, post)
	wb.registerAdminMail(get, post)
	wb.registerAdminBackup(get, post)
	wb.registerAdminWebhooks(get, post)
	wb.registerAdminBranding(get, post, handle)
	wb.registerAdminSettings(get)
	wb.registerOrgs(get, post)
	wb.registerOrgSAML(handle)
}

// maxForm is the largest form a page reads, in bytes.
const maxForm = 64 << 10

// page turns a handler into an [http.Handler]: its errors become pages.
func (wb *Web) page(h handler) http.Handler {
	return wb.sized(maxForm, h)
}

// serve answers a request of at most most bytes.
func (wb *Web) serve(w http.ResponseWriter, r *http.Request, most int64, h handler) {
	r.Body = http.MaxBytesReader(w, r.Body, most)
	wb.heedLanguage(r)
	if err := readForm(r); err != nil {
		wb.fail(w, r, errForm)
		return
	}
	if err := h(w, r); err != nil {
		wb.fail(w, r, err)
	}
}

var errForm = fault.New(fault.Invalid, "bad_form", "The form could not be read: it is too large or not a form.")

// readForm reads the fields of a request; a body that is no form is an error.
func readForm(r *http.Request) error {
	if r.Method == http.MethodPost && r.ContentLength != 0 {
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || kind != "application/x-www-form-urlencoded" {
			return errors.New("the body is not a form")
		}
	}
	return r.ParseForm()
}

// form lets through only forms that this server's own pages sent.
func (wb *Web) form(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := wb.cross.Check(r); err != nil {
			wb.fail(w, r, fault.New(fault.Forbidden, "cross_origin",
				"This form was sent by another site. Nothing was done."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// statuses gives each kind of fault its status on a page.
var statuses = map[fault.Kind]int{
	fault.Invalid: http.StatusBadRequest, fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden: http.StatusForbidden, fault.NotFound: http.StatusNotFound,
	fault.Conflict: http.StatusConflict, fault.RateLimited: http.StatusTooManyRequests,
	fault.Unavailable: http.StatusServiceUnavailable, fault.InDoubt: http.StatusGatewayTimeout,
	fault.Internal: http.StatusInternalServerError,
}

// fail shows why a request was refused.
func (wb *Web) fail(w http.ResponseWriter, r *http.Request, err error) {
	if refusal, ok := errors.AsType[*openid.Refusal](err); ok {
		wb.refuse(w, r, refusal)
		return
	}
	f, ok := fault.In(r.Context(), err)
	if !ok || f.Kind == fault.Internal {
		if !errors.Is(err, context.Canceled) {
			slog.ErrorContext(r.Context(), "page failed", "request_id", actor(r).RequestID, "path", r.URL.Path, "err", err)
		}
		f = fault.New(fault.Internal, "internal", "Something went wrong on our side. Please try again.")
	}
	if f.Code != "not_found" {
		wb.note(r, statuses[f.Kind], f.Code, f.Error(), err)
	}
	setRetryAfter(w, f)
	wb.pages.render(w, r, statuses[f.Kind], "message", wb.view(r, "Something is not right", messagePage{
		Heading: headings[f.Kind], Text: []string{wb.explain(r, f)}, Problem: true, Link: "/", LinkText: msg("Go to the start page"),
	}))
}

var headings = map[fault.Kind]string{
	fault.Invalid: msg("That did not work"), fault.Unauthenticated: msg("Please sign in"),
	fault.Forbidden: msg("Not allowed"), fault.NotFound: msg("Not found"),
	fault.Conflict: msg("That did not work"), fault.RateLimited: msg("Too many attempts"),
	fault.Unavailable: msg("Please try again shortly"), fault.InDoubt: msg("This may have been done"),
	fault.Internal: msg("Something went wrong"),
}

// NotFound answers for paths that lead nowhere.
func (wb *Web) NotFound(w http.ResponseWriter, r *http.Request) {
	wb.fail(w, r, fault.New(fault.NotFound, "not_found", "There is no page at this address."))
}

// MethodNotAllowed answers for methods that a page does not take.
func (wb *Web) MethodNotAllowed(w http.ResponseWriter, r *http.Request) {
	wb.pages.render(w, r, http.StatusMethodNotAllowed, "message", wb.view(r, "Not possible", messagePage{
		Heading: msg("That is not possible here"),
		Text:    []string{msg("This address does not take requests of that kind.")},
		Problem: true, Link: "/", LinkText: msg("Go to the start page"),
	}))
}

// refuse answers a refused request of a client: back to it where that is safe,
// otherwise here. What was sent and what is registered only an administrator
// sees.
func (wb *Web) refuse(w http.ResponseWriter, r *http.Request, refusal *openid.Refusal) {
	if a := refusal.Answer(); a != nil {
		wb.answer(w, r, a.Location, a.Form)
		return
	}
	var cause error
	if refusal.Sent != "" {
		cause = errors.New("sent as " + refusal.Parameter + ": " + refusal.Sent)
	}
	wb.note(r, http.StatusBadRequest, refusal.Code, refusal.Description, cause)
	page := messagePage{
		Heading: msg("This app's request cannot be answered"),
		Text: []string{
			msg("You have done nothing wrong: the app has asked for something in a way that is not allowed here."),
			msg("Go back to the app and try again. If it keeps happening, tell whoever runs the app, with the reference below."),
		},
		Problem: true, Code: refusal.Code, Detail: refusal.Description, Parameter: refusal.Parameter,
	}
	if id, err := wb.identity(r); err == nil && id != nil && id.User.IsAdmin {
		page.Sent, page.Registered = refusal.Sent, refusal.Registered
	}
	v := wb.view(r, "Request refused", page)
	v.Here = "" // what was sent is not repeated to a stranger
	wb.pages.render(w, r, http.StatusBadRequest, "message", v)
}

func actor(r *http.Request) audit.Actor { return audit.FromContext(r.Context()) }

func (wb *Web) identity(r *http.Request) (*session.Identity, error) {
	return wb.Login.Identify(r.Context(), wb.browser(r))
}

// view is what a page shows around its own part.
func (wb *Web) view(r *http.Request, title string, data any) view {
	id, err := wb.identity(r)
	v := view{Title: title, RequestID: actor(r).RequestID, Lang: wb.language(r, id), Here: here(r), Data: data}
	v.Brand = wb.brandView(r)
	if err == nil && id != nil {
		_, going := wb.setupPassed(r)
		v.Signed = &signedIn{
			Name: id.User.FullName, Email: id.User.Email, Picture: wb.smallPictureOf(id.User), Admin: id.User.IsAdmin,
			Setup: going && id.User.IsAdmin && r.URL.Path != setupNextPath,
		}
	}
	return v
}

// redirect sends the browser on with a GET, whatever it came with
// (RFC 9700, section 4.12).
func redirect(w http.ResponseWriter, r *http.Request, location string) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// follow sets the cookies of a step and goes where it leads.
func (wb *Web) follow(w http.ResponseWriter, r *http.Request, next *login.Next) {
	if next.Secret != "" {
		wb.setCookie(w, browserCookie, next.Secret, nil)
	}
	wb.keep(w, next.SignedIn)
	wb.remember(w, r, next.SignedIn)
	if next.Pending != nil {
		wb.setCookie(w, pendingCookie, next.Pending.Token, &next.Pending.ExpiresAt)
	}
	if next.Ends != nil {
		wb.post(w, r, next.Location, next.Form, next.Ends...)
		return
	}
	wb.answer(w, r, wb.afterSignIn(w, r, next), next.Form)
}

// target returns where the answer to a request goes: the host to show, "" for
// an app on the device, and the source that a form's redirect needs in the
// content policy.
func target(redirectURI string) (host, source string) {
	u, err := url.Parse(redirectURI)
	if err != nil || u.Scheme == "" {
		return "", ""
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		return u.Host, u.Scheme + "://" + u.Host
	}
	return "", u.Scheme + ":"
}
