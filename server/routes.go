package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/julienschmidt/httprouter"

	"authy/server/api"
	"authy/server/forward"
	"authy/server/openid"
	"authy/server/saml2"
	"authy/server/self"
	"authy/web"
)

// acting are the paths where a GET begins, takes on or ends a sign-in. A HEAD
// must do none of that (RFC 9110, section 9.3.2), so there is none.
var acting = []string{
	openid.AuthorizePath, openid.EndSessionPath, "/enroll", "/external/:slug/callback", forward.StartPath,
	saml2.SPLogoutPath, saml2.SSOPath, saml2.SLOPath, saml2.StartPath + ":service",
}

// handler maps every URL to what answers it.
func (s *Services) handler(version string, ready, scrape http.Handler) (http.Handler, error) {
	s.Overview.Version = version
	router := httprouter.New()
	router.RedirectFixedPath, router.RedirectTrailingSlash = false, false
	router.HandleOPTIONS = false
	handle := func(method, path string, h http.Handler) {
		router.Handler(method, path, h)
		if method == http.MethodGet && !slices.Contains(acting, path) {
			router.Handler(http.MethodHead, path, h)
		}
	}

	handle(http.MethodGet, "/api/health", http.HandlerFunc(serveHealth))
	handle(http.MethodGet, "/api/ready", ready)
	if scrape != nil && s.Config.Metrics.Listen == "" {
		handle(http.MethodGet, MetricsPath, scrape)
	}
	handle(http.MethodGet, self.AnswerPath, http.HandlerFunc(s.serveSelf))
	programs := api.Register(router, api.Config{
		Login: s.Login, Accounts: s.Accounts, Sessions: s.Sessions, Orgs: s.Orgs, Keys: s.Keys, Clients: s.Clients,
		Activity: s.Activity, Tokens: s.Tokens, Logouts: s.Logouts, OpenID: s.OpenID,
		SAMLServices: s.SAMLServices,
		Version:      version, Issuer: s.Config.PublicURL,
		Providers: s.Providers,
		Overview:  s.Overview,
		Brand:     s.Brand, Self: s.Self, Backups: s.Backups, Doctor: s.Doctor, State: s.State, Webhooks: s.Webhooks,
	})

	s.routeOpenID(handle)
	pages, err := web.New(web.Config{
		OpenAPI: programs.OpenAPI,
		Login:   s.Login, Accounts: s.Accounts, Sessions: s.Sessions, Orgs: s.Orgs, OpenID: s.OpenID,
		Activity: s.Activity, Places: s.Places,
		Tokens: s.Tokens, Logouts: s.Logouts, SAMLSP: s.SAMLSP, SAMLIDP: s.SAMLIDP,
		Providers: s.Providers, SAMLServices: s.SAMLServices, SAMLKeys: s.SAMLKeys, Forward: s.Forward,
		Overview: s.Overview, PublicURL: s.Config.PublicURL,
		Keys: s.Keys, Brand: s.Brand, Self: s.Self, Backups: s.Backups, Doctor: s.Doctor, Clients: s.Clients,
		State: s.State, Webhooks: s.Webhooks,
		Secure: s.Config.Secure(), PlainHTTP: !s.Config.Secure() && !s.Config.Localhost(),
	})
	if err != nil {
		return nil, err
	}
	pages.Register(handle)

	router.NotFound = bySurface(api.NotFound, pages.NotFound)
	router.MethodNotAllowed = allowed(bySurface(api.MethodNotAllowed, pages.MethodNotAllowed))
	return s.wrap(s.forwardAuth(router)), nil
}

// forwardAuth answers proxies, which may ask by any method and about any path, before the router
// looks at either.
func (s *Services) forwardAuth(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Forward.Enabled() && forward.Answers(r.URL) {
			s.Forward.ServeCheck(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// routeOpenID maps what clients ask, programs and browsers apart.
func (s *Services) routeOpenID(handle func(method, path string, h http.Handler)) {
	handle(http.MethodGet, openid.DiscoveryPath, http.HandlerFunc(s.OpenID.ServeDiscovery))
	handle(http.MethodGet, openid.MetadataPath, http.HandlerFunc(s.OpenID.ServeDiscovery))
	handle(http.MethodGet, openid.JWKSPath, http.HandlerFunc(s.OpenID.ServeKeys))
	handle(http.MethodGet, openid.UserinfoPath, http.HandlerFunc(s.OpenID.ServeUserinfo))
	handle(http.MethodPost, openid.UserinfoPath, http.HandlerFunc(s.OpenID.ServeUserinfo))
	for _, path := range []string{
		openid.TokenPath, openid.RevocationPath, openid.IntrospectionPath, openid.DeviceAuthorizationPath,
	} {
		handle(http.MethodPost, path, http.HandlerFunc(s.OpenID.ServeClient))
	}

	handle(http.MethodPost, openid.PushPath, http.HandlerFunc(s.OpenID.ServePush))
	if s.OpenID.Registers() {
		handle(http.MethodPost, openid.RegistrationPath, http.HandlerFunc(s.OpenID.ServeRegistration))
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			handle(method, openid.RegisteredPath, http.HandlerFunc(s.OpenID.ServeRegistered))
		}
	}
}

// bySurface answers programs in the envelope and people with a page.
func bySurface(program, person http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isAPI(r.URL.Path) || strings.HasPrefix(r.URL.Path, "/oidc/") || strings.HasPrefix(r.URL.Path, "/.well-known/") {
			program(w, r)
			return
		}
		person(w, r)
	})
}

// allowed names the methods there are; the router counts OPTIONS, which
// nothing here answers.
func allowed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		methods := strings.Split(w.Header().Get("Allow"), ", ")
		methods = slices.DeleteFunc(methods, func(method string) bool { return method == http.MethodOptions })
		w.Header().Set("Allow", strings.Join(methods, ", "))
		next.ServeHTTP(w, r)
	})
}

func isAPI(path string) bool { return strings.HasPrefix(path, "/api/") }
