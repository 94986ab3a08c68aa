package browsertest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"authy/server/servertest"
)

// application is somebody's web application on ordinary libraries, which signs its visitor in as
// soon as it is told how.
type application struct {
	config   *oauth2.Config
	verifier *oidc.IDTokenVerifier
	code     string // what proves that who comes back has left from here
}

// newApplication starts one that knows nothing yet.
func newApplication(t *testing.T) (a *application, home string) {
	t.Helper()
	a = &application{code: oauth2.GenerateVerifier()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, a.config.AuthCodeURL("state", oauth2.S256ChallengeOption(a.code)), http.StatusSeeOther)
	})
	mux.HandleFunc("GET /oauth2/callback", func(w http.ResponseWriter, r *http.Request) {
		token, err := a.config.Exchange(r.Context(), r.URL.Query().Get("code"), oauth2.VerifierOption(a.code))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		raw, _ := token.Extra("id_token").(string)
		id, err := a.verifier.Verify(r.Context(), raw)
		var claims struct{ Email string }
		if err == nil {
			err = id.Claims(&claims)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte("<main id=welcome>Welcome, " + claims.Email + "</main>")) //nolint:errcheck // the browser has gone
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return a, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// setting is a value of the snippet of oauth2-proxy.
func setting(t *testing.T, snippet, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(snippet, name+` = "`)
	value, _, ended := strings.Cut(rest, `"`)
	if !found || !ended {
		t.Fatalf("%s is not in %s", name, snippet)
	}
	return value
}

// told sets the application up by what the page says, and by nothing else.
func (a *application) told(t *testing.T, snippet string) {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), setting(t, snippet, "oidc_issuer_url"))
	if err != nil {
		t.Fatal(err)
	}
	a.config = &oauth2.Config{
		ClientID: setting(t, snippet, "client_id"), ClientSecret: setting(t, snippet, "client_secret"),
		RedirectURL: setting(t, snippet, "redirect_url"), Scopes: strings.Fields(setting(t, snippet, "scope")),
		Endpoint: provider.Endpoint(),
	}
	a.verifier = provider.Verifier(&oidc.Config{ClientID: a.config.ClientID})
}

func TestAnAppIsAddedByRecipeAndSignsPeopleIn(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	app, home := newApplication(t)
	v := newTour(t, s)
	v.open("/sign-in")
	v.password(carol, bobPass, "#sign-out")
	apps := "/organizations/" + orgID(t, s, "acme-corp") + "/apps"
	v.visit(apps, "apps")
	v.Click("#add-app", "#other-app")
	v.look("recipes")
	v.Click("a[href$='/new/oauth2-proxy']", "#field-app_url")
	v.look("an app to add")
	v.Fill("#field-app_url", home)
	v.Fill("#field-name", "Shelf")
	v.Click("#add", "#made")
	v.look("an app that was added")
	app.told(t, v.Text(".snippet pre"))

	one := apps + "/app/" + app.config.ClientID
	for _, page := range []string{"/settings", "/secret", "/preview", "/problems", "/disable", "/delete"} {
		v.visit(one+page, "an app's "+page)
	}

	v.Do(chromedp.Navigate(home))
	v.Do(chromedp.WaitVisible(chromedp.CSS("#allow")))
	v.Click("#allow", "#welcome")
	if said := v.Text("#welcome"); said != "Welcome, "+carol {
		t.Errorf("the application says %q", said)
	}

	// Disabled, it signs nobody in any more.
	v.open(one + "/disable")
	v.Click("#confirm", "#enable")
	v.Do(chromedp.Navigate(home))
	v.says("This app's request cannot be answered")
	v.open(one + "/delete")
	v.Click("#confirm", "#add-app")
	v.says("The app has been deleted.")
	v.quiet()
}
