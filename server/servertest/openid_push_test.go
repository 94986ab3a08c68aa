package servertest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
)

// reference requires that a request was taken, and returns its request_uri.
func (r reply) reference(t *testing.T) string {
	t.Helper()
	uri, _ := r.fields["request_uri"].(string)
	if r.status != http.StatusCreated || !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") || len(uri) < 60 ||
		r.fields["expires_in"] != 60.0 || r.header.Get("Cache-Control") != "no-store" || r.header.Get("Content-Type") != "application/json" {
		t.Fatalf("answer %d %s %v, want 201 and a reference", r.status, r.body, r.header)
	}
	return uri
}

func TestAPushedRequestIsAnsweredOnceForItsClient(t *testing.T) {
	t.Parallel()
	onNodes(t, func(t *testing.T, s *servertest.Server, next func() *servertest.Server) {
		browser := servertest.Browser(t)
		verifier := oauth2.GenerateVerifier()
		inner := without(acmePortal.request(verifier), "client_id")
		uri := acmePortal.post(t, s, pushPath, inner).reference(t)
		asks := func(a app, uri string) url.Values { return url.Values{"client_id": {a.id}, "request_uri": {uri}} }
		refusedHere(t, servertest.Get(t, browser, authorizeURL(s, asks(dashboard, uri))), "request_uri")
		// Nothing beside it counts (RFC 9126, section 4).
		beside := with(asks(acmePortal, uri), "state", "another", "scope", "nonsense", "redirect_uri", "https://evil.example/cb")
		code := granted(t, s, browser, acmePortal, beside)
		acmePortal.post(t, s, tokenPath, acmePortal.redemption(code, verifier)).tokens(t)
		refusedHere(t, servertest.Get(t, browser, authorizeURL(s, asks(acmePortal, uri))), "request_uri")

		for round := range roundsOf(t, 1) {
			uri = acmePortal.post(t, s, pushPath, inner).reference(t)
			var codes int
			for _, page := range atOnce(crowd(round), func() *servertest.Page {
				return servertest.Get(t, browser, authorizeURL(next(), asks(acmePortal, uri)))
			}) {
				if to := page.Location(); to != nil && to.Query().Get("code") != "" {
					codes++
					continue
				}
				refusedHere(t, page, "request_uri")
			}
			if codes != 1 {
				t.Fatalf("%d of %d at once had a code, want 1", codes, crowd(round))
			}
		}
		mobile := acmeMobile.post(t, s, pushPath, acmeMobile.request(verifier)).reference(t)
		granted(t, s, browser, acmeMobile, asks(acmeMobile, mobile))
		isNotInPlain(t, s, mobile)
	})
}

// isNotInPlain requires that the database does not hold a reference.
func isNotInPlain(t *testing.T, s *servertest.Server, uri string) {
	t.Helper()
	err := s.DB.Update(t.Context(), func(tx *storage.Tx) error {
		_, err := tx.TakePushedRequest(t.Context(), uri, "", time.Now())
		return err
	})
	if err == nil {
		t.Error("a reference is kept in plain")
	}
}

func TestAPushedRequestIsCheckedAtOnce(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	honest := acmePortal.request("v")
	for name, try := range map[string]struct {
		form url.Values
		code string
	}{
		"another's redirect_uri": {with(honest, "redirect_uri", "https://evil.example/cb"), "invalid_request"},
		"no redirect_uri":        {without(honest, "redirect_uri"), "invalid_request"},
		"no response_type":       {without(honest, "response_type"), "invalid_request"},
		"another response_type":  {with(honest, "response_type", "token"), "unsupported_response_type"},
		"no scope":               {without(honest, "scope"), "invalid_scope"},
		"no PKCE":                {without(honest, "code_challenge"), "invalid_request"},
		"a request_uri":          {with(honest, "request_uri", "https://a.example/"), "invalid_request"},
		"a pushed request_uri":   {with(honest, "request_uri", acmePortal.post(t, s, pushPath, honest).reference(t)), "invalid_request"},
		"an unsigned object":     {with(honest, "request", unsigned(t, objectOf(honest))), "invalid_request_object"},
		"another's client_id":    {with(honest, "client_id", dashboard.id), "invalid_request"},
		"a parameter twice":      {twice(honest, "state", "x"), "invalid_request"},
		"a state of a megabyte":  {with(honest, "state", letters(5000)), "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			acmePortal.post(t, s, pushPath, try.form).refused(t, http.StatusBadRequest, try.code)
		})
	}
	acmePortal.post(t, s, pushPath, with(honest, "x", letters(70_000))).refused(t, http.StatusRequestEntityTooLarge, "invalid_request")
	refusedClient(t, app{acmePortal.id, "wrong", ""}.post(t, s, pushPath, honest))
	refusedClient(t, send(t, s, pushPath, honest, nil))
	refusedClient(t, send(t, s, pushPath, nil, nil))
	if r := raw(t, http.MethodGet, s.URL+pushPath+"?"+honest.Encode(), "", acmePortal.basic); r.status != http.StatusMethodNotAllowed {
		t.Errorf("GET = %d, want 405", r.status)
	}
	raw(t, http.MethodPost, s.URL+pushPath, "{}", func(r *http.Request) { acmePortal.basic(r); r.Header.Set("Content-Type", "application/json") }).
		refused(t, http.StatusUnsupportedMediaType, "invalid_request")
}

// RFC 9126, section 6.
func TestAClientThatPushesItsRequestsSendsThemNoOtherWay(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	a := newKeyApp(t, s, "pushes", "ES256", func(in *registry.Registration) { in.Options.PushedRequest = true })
	inner := a.request("v")
	refusedThere(t, s, servertest.Get(t, browser, authorizeURL(s, inner)), a.app, "invalid_request")
	byValue := with(inner, "request", a.sign(t, objectOf(inner)))
	refusedThere(t, s, servertest.Get(t, browser, authorizeURL(s, byValue)), a.app, "invalid_request")
	for _, form := range []url.Values{inner, {"request": byValue["request"]}} {
		uri := a.post(t, s, pushPath, form).reference(t)
		granted(t, s, browser, a.app, url.Values{"client_id": {a.id}, "request_uri": {uri}})
	}
}

func TestWhatIsPushedCountsAsSignedOnlyIfItWas(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	a := newKeyApp(t, s, "pushes-and-signs", "ES256", func(in *registry.Registration) {
		in.Options.PushedRequest, in.Options.SignedRequest = true, true
	})
	inner := a.request("v")
	a.post(t, s, pushPath, inner).refused(t, http.StatusBadRequest, "invalid_request")
	signed := a.sign(t, objectOf(inner))
	uri := a.post(t, s, pushPath, url.Values{"request": {signed}}).reference(t)
	granted(t, s, browser, a.app, url.Values{"client_id": {a.id}, "request_uri": {uri}})
}

// A person who comes again while they sign in is not stranded.
func TestAReloadedSignInStillHoldsThePushedRequest(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	uri := acmePortal.post(t, s, pushPath, acmePortal.request("v")).reference(t)
	page := servertest.Get(t, browser, authorizeURL(s, url.Values{"client_id": {acmePortal.id}, "request_uri": {uri}}))
	signIn := page.Location()
	if signIn == nil || signIn.Path != "/sign-in" {
		t.Fatalf("to %v, want the sign-in", signIn)
	}
	address := s.URL + signIn.RequestURI()
	for range 2 {
		if again := servertest.Get(t, browser, address); again.Response.StatusCode != http.StatusOK {
			t.Errorf("the sign-in again: %d", again.Response.StatusCode)
		}
	}
	page, steps := s.Visit(t, browser, address, bob, bobPass)
	if to := page.Location(); to == nil || to.Query().Get("code") == "" {
		t.Errorf("after %v: to %v, want a code", steps, to)
	}
}
