// Package api is authy for programs: the JSON API under /api/v1. A handler
// decodes, makes one service call and returns a struct that stands beside it,
// so that nothing reaches the wire by accident; from the types follow the
// validation, the envelope and the OpenAPI document. The package refuses to
// know any rule.
//
// Read api.go (routes), envelope.go (what every answer looks like), strict.go
// (what a body may be), then a file for each noun.
package api

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humahttprouter"
	"github.com/julienschmidt/httprouter"

	"authy/server/account"
	"authy/server/activity"
	"authy/server/audit"
	"authy/server/backup"
	"authy/server/brand"
	"authy/server/doctor"
	"authy/server/fault"
	"authy/server/keyring"
	"authy/server/login"
	"authy/server/logout"
	"authy/server/openid"
	"authy/server/org"
	"authy/server/overview"
	"authy/server/provider"
	"authy/server/registry"
	"authy/server/saml2"
	"authy/server/self"
	"authy/server/session"
	"authy/server/state"
	"authy/server/token"
	"authy/server/webhook"
)

// maxBody is the largest body the API reads, in bytes.
const maxBody = 1 << 20

// Config is what the API needs.
type Config struct {
	Login    *login.Service
	Accounts *account.Service
	Sessions *session.Service
	Orgs     *org.Service
	Keys     *keyring.Ring
	Clients  *registry.Service
	Activity *activity.Service
	Tokens   *token.Service
	Logouts  *logout.Service
	OpenID   *openid.Provider
	// Providers are who people come from.
	Providers *provider.Service
	// Overview tells how the server fares.
	Overview *overview.Service
	// SAMLServices sign people in here by SAML.
	SAMLServices *saml2.Services
	// Brand is what the server is called and how it looks.
	Brand *brand.Service
	// Self is what the server tells its administrators of itself.
	Self *self.Service
	// Backups makes backups, and knows those that there are.
	Backups *backup.Service
	// Doctor looks for what is wrong with the set-up.
	Doctor *doctor.Service
	// State knows which file sets what.
	State *state.State
	// Webhooks tell other programs what happens here.
	Webhooks *webhook.Service
	// Version is authy's, for the OpenAPI document.
	Version string
	// Issuer is the server's public URL.
	Issuer string
}

// API serves the JSON API.
type API struct {
	Config
	huma     huma.API
	document func() ([]byte, error)
}

// Register mounts the API on router and returns it.
func Register(router *httprouter.Router, c Config) *API {
	useEnvelope()
	description := huma.DefaultConfig("authy", c.Version)
	description.CreateHooks = nil                          // no $schema fields and Link headers
	description.DocsPath, description.SchemasPath = "", "" // those pages load foreign scripts
	description.OpenAPIPath = ""                           // ours is made when it is first asked for
	description.RejectUnknownQueryParameters = true
	description.Formats = map[string]huma.Format{"application/json": strictJSON, "json": strictJSON}
	description.Servers = []*huma.Server{{URL: c.Issuer}}
	description.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[registry.KeySet](), reflect.TypeFor[keySet]())
	description.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "http", Scheme: "bearer", Description: "The token that register and login answer with."},
		"token":   {Type: "http", Scheme: "bearer", Description: "An API token, with the scope that the operation names."},
	}
	a := &API{Config: c, huma: humahttprouter.New(router, description)}
	a.routes()
	a.describeHealth()
	a.document = sync.OnceValues(a.write)
	router.HandlerFunc(http.MethodGet, "/api/openapi.json", a.serveOpenAPI)
	return a
}

// routes is the list of everything the API can do.
func (a *API) routes() {
	open(a, "POST /api/v1/auth/register", 201, "Registration successful", "Make an account and sign in", a.register)
	open(a, "POST /api/v1/auth/login", 200, "Login successful", "Sign in by password", a.login)
	signed(a, "POST /api/v1/auth/logout", 200, "Logout successful", "End this session", a.logout)
	signed(a, "GET /api/v1/auth/me", 200, "User retrieved successfully", "Who is signed in", a.me)
	signed(a, "GET /api/v1/auth/sessions", 200, "Sessions retrieved successfully", "My sessions", a.sessions)
	signed(a, "DELETE /api/v1/auth/sessions", 200, "Other sessions revoked successfully", "End all my other sessions", a.endOtherSessions)
	signed(a, "DELETE /api/v1/auth/sessions/{id}", 200, "Session revoked successfully", "End one of my sessions", a.endSession)
	a.adminOverviewRoutes()
	a.adminUserRoutes()
	a.adminOrgRoutes()
	a.adminClientRoutes()
	a.adminSessionRoutes()
	a.logoutRoutes()
	a.adminKeyRoutes()
	a.adminBrandingRoutes()
	a.adminSelfRoutes()
	a.adminDoctorRoutes()
	a.adminBackupRoutes()
	a.userRoutes()
	a.pictureRoutes()
	a.orgRoutes()
	a.mfaRoutes()
	a.totpRoutes()
	a.passkeyRoutes()
	a.clientRoutes()
	a.registrationTokenRoutes()
	a.auditRoutes()
	a.apiTokenRoutes()
	a.resetRoutes()
	a.consentRoutes()
	a.externalRoutes()
	a.providerRoutes()
	a.domainRoutes()
	a.samlServiceRoutes()
	a.recipeRoutes()
	a.webhookRoutes()
}

// OpenAPI returns the document that describes the API. It is completed when it
// is first asked for, which few servers ever are: its examples take memory.
func (a *API) OpenAPI() ([]byte, error) { return a.document() }

func (a *API) write() ([]byte, error) {
	a.describe()
	return a.huma.OpenAPI().MarshalJSON()
}

func (a *API) serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	text, err := a.OpenAPI()
	if err != nil {
		WriteFault(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/openapi+json")
	w.Write(text) //nolint:errcheck // the client has gone
}

// nothing is the data of an answer that has none.
type nothing struct{}

// open adds an operation that anyone may call.
func open[I, T any](
	a *API, route string, status int, message, summary string,
	do func(ctx context.Context, by audit.Actor, in *I) (*T, error),
) {
	op := operation(route, status, summary)
	op.Metadata = map[string]any{"message": message}
	op.Errors = []int{400, 401, 403, 409, 413, 415, 429, 500, 503, 504}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*answer[T], error) {
		data, err := do(ctx, audit.FromContext(ctx), in)
		if err != nil {
			return nil, failure(ctx, err)
		}
		return success(ctx, status, message, data), nil
	})
}

// signed adds an operation that needs a session, or a token with its scope.
func signed[I, T any](
	a *API, route string, status int, message, summary string,
	do func(ctx context.Context, id *session.Identity, by audit.Actor, in *I) (*T, error),
) {
	signedOperation(a, operation(route, status, summary), message, do)
}

// signedOperation is signed for an operation that says more of itself.
func signedOperation[I, T any](
	a *API, op huma.Operation, message string,
	do func(ctx context.Context, id *session.Identity, by audit.Actor, in *I) (*T, error),
) {
	status, hasObjects := op.DefaultStatus, mentions(reflect.TypeFor[T]())
	op.Metadata = map[string]any{"message": message}
	op.Errors = []int{400, 401, 403, 404, 409, 413, 415, 429, 500, 503, 504}
	a.secured(&op)
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*answer[T], error) {
		id, ok := ctx.Value(identityKey{}).(*session.Identity)
		if !ok {
			return nil, failure(ctx, errAuthRequired)
		}
		data, err := do(ctx, id, id.Actor(audit.FromContext(ctx)), in)
		if err == nil && hasObjects {
			err = a.mark(ctx, data)
		}
		if err != nil {
			return nil, failure(ctx, err)
		}
		return success(ctx, status, message, data), nil
	})
}

type identityKey struct{}

// requireIdentity refuses a request without a session, or a token that opens
// its operation, before anything else about it is looked at; and, unless the
// operation is forLimited, one of who must set a second factor up first.
func (a *API) requireIdentity(forLimited bool) func(huma.Context, func(huma.Context)) {
	return func(c huma.Context, next func(huma.Context)) {
		id, err := a.identify(c.Context(), c.Header("Authorization"))
		if err == nil {
			err = admits(c.Operation(), id)
		}
		if err == nil && !forLimited {
			err = a.Login.Full(c.Context(), id)
		}
		if err != nil {
			r, w, _ := humahttprouter.Unwrap(c)
			WriteFault(w, r, err)
			return
		}
		next(huma.WithValue(c, identityKey{}, id))
	}
}

func operation(route string, status int, summary string) huma.Operation {
	method, path, _ := strings.Cut(route, " ")
	name := strings.NewReplacer("/api/v1/", "", "/", "-", "{", "", "}", "").Replace(path)
	return huma.Operation{
		OperationID: strings.ToLower(method) + "-" + name, Method: method, Path: path, Summary: summary,
		DefaultStatus: status, MaxBodyBytes: maxBody, Tags: []string{strings.Split(name, "-")[0]},
	}
}

// What is wrong with an Authorization header. The messages are the contract's.
var (
	errAuthRequired = fault.New(fault.Unauthenticated, "auth_required", "Authorization header is required")
	errAuthFormat   = fault.New(fault.Unauthenticated, "invalid_auth_format",
		"Invalid authorization format. Use: Bearer {token}")
)

// identify returns who an Authorization header speaks for.
func (a *API) identify(ctx context.Context, header string) (*session.Identity, error) {
	if header == "" {
		return nil, errAuthRequired
	}
	scheme, bearer, found := strings.Cut(strings.TrimSpace(header), " ")
	bearer = strings.TrimSpace(bearer)
	if !found || !strings.EqualFold(scheme, "Bearer") || bearer == "" || strings.ContainsAny(bearer, " \t") {
		return nil, errAuthFormat
	}
	if token.Is(bearer) {
		return a.Tokens.Authenticate(ctx, bearer)
	}
	return a.Sessions.Authenticate(ctx, session.API, bearer)
}

// Guard checks what a request carries before the router sees it. HEAD is
// answered as GET; the server leaves the body out.
func Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store") // also of what the framework answers by itself
		if r.Method == http.MethodHead {
			get := *r
			get.Method, r = http.MethodGet, &get
		}
		err := checkQuery(r.URL.RawQuery)
		if err == nil {
			err = checkBody(r)
		}
		if err != nil {
			WriteFault(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}
