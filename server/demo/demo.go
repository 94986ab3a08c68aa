// Package demo is a relying party to click through: a small web application that signs a person in
// at an OpenID provider and shows what it learned, so that a newcomer sees the whole code flow.
//
// It stands for somebody else's program. So it uses only the client libraries that such a program
// would use, knows nothing of how authy works inside, imports nothing of it, and keeps everything
// in memory: a restart signs everybody out.
//
// Read signin.go first, which has the way to the provider and back; verify.go has what is checked
// on the way back, token.go what can be done afterwards, signout.go the end. shelf.go remembers,
// page.go and view.go show.
package demo

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// patience is how long the provider may take to answer one request.
const patience = 10 * time.Second

// defaultScopes ask for an ID token, the usual claims and a refresh token.
var defaultScopes = []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess}

// Config says which client of which provider the application is.
type Config struct {
	Issuer       string // the provider, as it calls itself: http://localhost:5000
	ClientID     string
	ClientSecret string // empty for a public client

	// RedirectURL is where the provider sends the browser back to, and so says where the
	// application is: http://localhost:3000/auth/callback.
	RedirectURL string
	// PostLogoutRedirectURL is where the browser comes after a sign-out at the provider; the front
	// page of the application where empty.
	PostLogoutRedirectURL string
	// Scopes to ask for; openid, profile, email and offline_access where empty.
	Scopes []string
}

// App is the application, ready to serve.
type App struct {
	config   Config
	redirect *url.URL // Config.RedirectURL
	provider *oidc.Provider
	announce metadata
	verifier *oidc.IDTokenVerifier
	oauth    *oauth2.Config
	client   *http.Client
	pages    *template.Template

	signIns  *shelf[attempt] // on their way through the provider
	signOuts *shelf[attempt]
	sessions *shelf[*session]
}

// metadata is what the application wants to know of the provider and the library does not say.
type metadata struct {
	EndSession string `json:"end_session_endpoint"`
	// RFC 9207, section 3: authorization responses carry iss.
	IssInResponse bool     `json:"authorization_response_iss_parameter_supported"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
}

// New asks the issuer for its configuration and returns the application. Its errors are for the
// person who starts it.
func New(ctx context.Context, c Config) (*App, error) {
	redirect, err := c.complete()
	if err != nil {
		return nil, err
	}
	pages, err := template.ParseFS(files, "page.html")
	if err != nil {
		return nil, fmt.Errorf("parse the page of the demo application: %w", err)
	}
	a := &App{
		config:   c,
		redirect: redirect,
		client:   &http.Client{Timeout: patience},
		pages:    pages,
		signIns:  newShelf[attempt](attemptLifetime),
		signOuts: newShelf[attempt](attemptLifetime),
		sessions: newShelf[*session](sessionLifetime),
	}
	if err := a.discover(ctx); err != nil {
		return nil, err
	}
	return a, nil
}

// complete fills in the defaults and returns the parsed RedirectURL.
func (c *Config) complete() (*url.URL, error) {
	redirect, err := url.Parse(c.RedirectURL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the redirect URL: %w", err)
	case redirect.Scheme != "http" && redirect.Scheme != "https" || redirect.Hostname() == "":
		return nil, fmt.Errorf("redirect URL %q: write it as http://localhost:3000/auth/callback",
			c.RedirectURL)
	case slices.Contains(ownPaths, redirect.Path) || strings.ContainsAny(redirect.Path, "{}"):
		return nil, fmt.Errorf("redirect URL %q: choose another path, such as /auth/callback",
			c.RedirectURL)
	case c.ClientID == "":
		return nil, errors.New("the demo application needs the ID of its client")
	}
	if len(c.Scopes) == 0 {
		c.Scopes = defaultScopes
	}
	if !slices.Contains(c.Scopes, oidc.ScopeOpenID) {
		return nil, fmt.Errorf("scopes %q: without openid nobody is signed in", c.Scopes)
	}
	if c.PostLogoutRedirectURL == "" {
		c.PostLogoutRedirectURL = origin(redirect) + "/"
	}
	return redirect, nil
}

// discover reads the issuer's configuration and prepares the client for it.
func (a *App) discover(ctx context.Context) error {
	provider, err := oidc.NewProvider(a.ask(ctx), a.config.Issuer)
	if err != nil {
		return unanswered(ctx, a.config.Issuer, err)
	}
	if err := provider.Claims(&a.announce); err != nil {
		return fmt.Errorf("read the configuration of %s: %w", a.config.Issuer, err)
	}
	a.provider = provider
	a.verifier = provider.Verifier(&oidc.Config{ClientID: a.config.ClientID})
	a.oauth = &oauth2.Config{
		ClientID:     a.config.ClientID,
		ClientSecret: a.config.ClientSecret,
		Endpoint:     provider.Endpoint(),
		RedirectURL:  a.config.RedirectURL,
		Scopes:       a.config.Scopes,
	}
	a.oauth.Endpoint.AuthStyle = a.authStyle()
	return nil
}

// authStyle returns how the client authenticates. Left alone, the library would try both ways,
// and an error would be that of the second.
func (a *App) authStyle() oauth2.AuthStyle {
	const basic = "client_secret_basic"
	switch methods := a.announce.AuthMethods; {
	case a.config.ClientSecret == "":
		// RFC 6749, section 3.2.1: a public client names itself in the form.
		return oauth2.AuthStyleInParams
	case len(methods) > 0 && !slices.Contains(methods, basic):
		return oauth2.AuthStyleInParams
	}
	// OpenID Connect Discovery 1.0, section 3: the method where none is announced.
	return oauth2.AuthStyleInHeader
}

// unanswered explains why discovery came to nothing.
func unanswered(ctx context.Context, issuer string, err error) error {
	var mismatch *oidc.IssuerMismatchError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("ask %s for its configuration: %w", issuer, context.Cause(ctx))
	case errors.As(err, &mismatch):
		return fmt.Errorf("the provider at %s calls itself %s: give that as the issuer: %w",
			issuer, mismatch.Discovered, err)
	}
	return fmt.Errorf("no provider answers at %s: start `authy serve` first: %w", issuer, err)
}

// ask returns a context with which the libraries use the application's own HTTP client.
func (a *App) ask(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, a.client)
}

// origin returns the scheme, host and port of the URL.
func origin(u *url.URL) string {
	return u.Scheme + "://" + u.Host
}
