package upstream_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"authy/server/outbound"
	"authy/server/provider"
	"authy/server/servertest"
	"authy/server/upstream"
	"authy/storage"
)

const returnURL = "https://auth.example/external/x/callback"

func newService() *upstream.Service {
	return upstream.New(outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}))
}

// at returns the provider that leads to a stub.
func at(kind string, s *servertest.StubOIDC) *storage.Provider {
	return &storage.Provider{
		ID: "p", Slug: "x", Kind: kind, Issuer: s.Issuer, ClientID: s.ClientID, Secret: s.Secret,
	}
}

func atGitHub(g *servertest.StubGitHub) *storage.Provider {
	return &storage.Provider{
		ID: "p", Slug: "x", Kind: provider.GitHub, Issuer: g.URL, ClientID: g.ClientID, Secret: g.Secret,
	}
}

// depart goes to a provider and returns the answer that comes back.
func depart(t *testing.T, s *upstream.Service, p *storage.Provider, ask provider.Ask) (provider.Trip, url.Values, error) {
	t.Helper()
	ask.State, ask.ReturnURL = "the-state", returnURL
	request, err := s.Begin(t.Context(), p, ask)
	if err != nil {
		return provider.Trip{}, nil, err
	}
	location := visit(t, request.URL)
	u, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, returnURL+"?") {
		t.Fatalf("%s leads to %q, %v", request.URL, location, err)
	}
	if got := u.Query().Get("state"); got != "the-state" {
		t.Fatalf("the state comes back as %q", got)
	}
	return request.Trip, u.Query(), nil
}

// visit goes to an address as a browser does, and returns where it is sent.
func visit(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := servertest.Browser(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusFound {
		t.Fatalf("%s answers %d", address, response.StatusCode)
	}
	return response.Header.Get("Location")
}

// come goes to a provider and back.
func come(t *testing.T, s *upstream.Service, p *storage.Provider, ask provider.Ask) (*provider.Statement, error) {
	t.Helper()
	trip, answer, err := depart(t, s, p, ask)
	if err != nil {
		return nil, err
	}
	return s.Finish(t.Context(), p, trip, answer)
}

// refused requires the refusal of a reason. What it says to a person is a sentence of ours.
func refused(t *testing.T, what string, err error, kind provider.Fault, reason string) {
	t.Helper()
	refusal, is := errors.AsType[*provider.Refusal](err)
	if !is {
		t.Errorf("%s: %v, want the refusal %s", what, err, reason)
		return
	}
	if refusal.Kind != kind || refusal.Reason != reason || !strings.HasSuffix(refusal.Text, ".") {
		t.Errorf("%s: refused as %d, %q (%v), want %d, %q", what, refusal.Kind, refusal.Text, err, kind, reason)
	}
}

func TestSomebodyComesFromAProvider(t *testing.T) {
	t.Parallel()
	stub := servertest.NewStubOIDC(t)
	for name, value := range map[string]any{
		"picture": "https://img.example/p.png", "locale": "de", "sid": "session-9", "acr": "phr", "amr": []string{"pwd", "otp"},
		"realm_access": map[string]any{"roles": []any{"staff", 7, "ad\nmin", "ops"}}, "email_verified": "true",
	} {
		stub.Person[name] = value
	}
	p := at(provider.OIDC, stub)
	p.Options.Groups = "realm_access.roles"
	got, err := come(t, newService(), p, provider.Ask{LoginHint: "pat@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	want := &provider.Statement{
		Issuer: stub.Issuer, Subject: "person-1", Email: "pat@example.com", EmailVerified: true, Name: "Pat Doe",
		Picture: "https://img.example/p.png", Locale: "de", Groups: []string{"staff", "ops"}, Methods: []string{"pwd", "otp"},
		Context: "phr", SessionID: "session-9", AuthenticatedAt: stub.SignedInAt.Truncate(time.Second),
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(provider.Statement{}, "Hint")); diff != "" {
		t.Errorf("the statement (-want +got):\n%s", diff)
	}
	if strings.Count(got.Hint, ".") != 2 {
		t.Errorf("the hint is %q, want the ID token", got.Hint)
	}
	if n := stub.Asked("/userinfo"); n != 0 {
		t.Errorf("userinfo was asked %d times, want never: nothing is missing", n)
	}
}

func TestWhatABrowserIsSentAwayWith(t *testing.T) {
	t.Parallel()
	stub := servertest.NewStubOIDC(t)
	stub.Announce = func(m map[string]any) {
		m["authorization_endpoint"] = stub.URL + "/authorize?tenant=a&state=theirs"
		m["response_modes_supported"] = []string{"form_post"}
	}
	p, s := at(provider.OIDC, stub), newService()
	p.Options.Groups = "groups"
	begin := func() (*provider.Request, url.Values) {
		r, err := s.Begin(t.Context(), p, provider.Ask{State: "s", ReturnURL: returnURL, LoginHint: "pat@example.com", Again: true})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(r.URL)
		if err != nil {
			t.Fatal(err)
		}
		return r, u.Query()
	}
	r, got := begin()
	want := url.Values{
		"tenant": {"a"}, "state": {"s"}, "client_id": {stub.ClientID}, "response_type": {"code"}, "redirect_uri": {returnURL},
		"scope": {"openid profile email groups"}, "nonce": {r.Trip.Nonce}, "code_challenge_method": {"S256"},
		"code_challenge": got["code_challenge"], "login_hint": {"pat@example.com"}, "prompt": {"login"}, "max_age": {"0"},
		"response_mode": {"form_post"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the request (-want +got):\n%s", diff)
	}
	if len(r.Trip.Nonce) < 26 || len(r.Trip.Verifier) < 43 || !r.Trip.Again || r.Trip.ReturnURL != returnURL || r.Trip.AskedAt.IsZero() {
		t.Errorf("the trip is %+v", r.Trip)
	}
	if strings.Contains(r.URL, r.Trip.Verifier) {
		t.Error("the verifier is in the request")
	}
	if again, _ := begin(); again.Trip.Nonce == r.Trip.Nonce || again.Trip.Verifier == r.Trip.Verifier {
		t.Error("two requests have the same nonce or verifier")
	}
}

func TestWhoHadToProveThemselvesAgainHasDoneSo(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubOIDC(t), newService()
	p := at(provider.OIDC, stub)
	if got, err := come(t, s, p, provider.Ask{Again: true}); err != nil || time.Since(got.AuthenticatedAt) > time.Minute {
		t.Errorf("asked again: %+v, %v", got, err)
	}
	for name, claim := range map[string]func(map[string]any){
		"long ago": func(c map[string]any) { c["auth_time"] = time.Now().Add(-10 * time.Minute).Unix() },
		"missing":  func(c map[string]any) { delete(c, "auth_time") },
		"a text":   func(c map[string]any) { c["auth_time"] = "now" },
	} {
		stub.Set(func(s *servertest.StubOIDC) { s.Claim = claim })
		_, err := come(t, s, p, provider.Ask{Again: true})
		refused(t, "auth_time "+name, err, provider.Untrue, "not_again")
	}
	g := servertest.NewStubGitHub(t)
	_, err := s.Begin(t.Context(), atGitHub(g), provider.Ask{State: "s", ReturnURL: returnURL, Again: true})
	refused(t, "GitHub", err, provider.Misconfigured, "cannot_ask_again")
}

// The mix-up attack: the answer of one provider is brought to another (RFC 9207).
func TestAnAnswerIsFromTheProviderThatWasAsked(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubOIDC(t), newService()
	p := at(provider.OIDC, stub)
	trip, answer, err := depart(t, s, p, provider.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		iss    []string
		reason string
	}{
		"another": {[]string{"https://evil.example"}, "wrong_answer_issuer"}, "missing": {nil, "no_answer_issuer"},
		"empty": {[]string{""}, "wrong_answer_issuer"}, "twice": {[]string{stub.Issuer, stub.Issuer}, "ambiguous_answer"},
	} {
		answer["iss"] = c.iss
		if c.iss == nil {
			delete(answer, "iss")
		}
		_, err := s.Finish(t.Context(), p, trip, answer)
		refused(t, "iss "+name, err, provider.Untrue, c.reason)
	}
	if n := stub.Asked("/token"); n != 0 {
		t.Errorf("the code was given away %d times", n)
	}
}

func TestErrorsOfAProviderAreNotRepeated(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubOIDC(t), newService()
	p := at(provider.OIDC, stub)
	trip, _, err := depart(t, s, p, provider.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	const script = `<script>alert(1)</script>`
	for code, want := range map[string]struct {
		kind   provider.Fault
		reason string
	}{
		"access_denied": {provider.Denied, "access_denied"}, "login_required": {provider.Denied, "login_required"},
		"temporarily_unavailable": {provider.Unreachable, "temporarily_unavailable"},
		"invalid_scope":           {provider.Misconfigured, "invalid_scope"}, script: {provider.Misconfigured, "other_error"}, "": {provider.Misconfigured, "other_error"},
	} {
		_, err := s.Finish(t.Context(), p, trip, url.Values{
			"error": {code}, "error_description": {`"><img src=x onerror=1>`}, "error_uri": {"javascript:1"}, "code": {"a"}, "iss": {stub.Issuer},
		})
		refused(t, "FE-21 error "+code, err, want.kind, want.reason)
		if refusal, is := errors.AsType[*provider.Refusal](err); is && strings.ContainsAny(refusal.Text+refusal.Reason, "<>") {
			t.Errorf("FE-21: the refusal repeats %q: %+v", code, refusal)
		}
	}
	if stub.Asked("/token") != 0 {
		t.Error("a code was exchanged that came with an error")
	}
	for name, answer := range map[string]url.Values{
		"no_code": {}, "answer_too_long": {"code": {strings.Repeat("a", 9<<10)}}, "ambiguous_answer": {"code": {"a", "b"}},
	} {
		answer.Set("iss", stub.Issuer)
		_, err := s.Finish(t.Context(), p, trip, answer)
		refused(t, name, err, provider.Untrue, name)
	}
}

func TestARedirectURIInTheAnswerCountsForNothing(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubOIDC(t), newService()
	p := at(provider.OIDC, stub)
	trip, answer, err := depart(t, s, p, provider.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	answer.Set("redirect_uri", "https://evil.example/")
	answer.Set("token_endpoint", "https://evil.example/")
	if _, err := s.Finish(t.Context(), p, trip, answer); err != nil {
		t.Errorf("FE-15: with a redirect_uri in the answer: %v", err)
	}
}

func TestACodeBelongsToItsTrip(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubOIDC(t), newService()
	p := at(provider.OIDC, stub)
	for name, c := range map[string]struct {
		change func(*provider.Trip)
		reason string
	}{
		"another verifier":   {func(t *provider.Trip) { t.Verifier = strings.Repeat("v", 52) }, "invalid_grant"},
		"no verifier":        {func(t *provider.Trip) { t.Verifier = "" }, "no_verifier"},
		"another return URL": {func(t *provider.Trip) { t.ReturnURL += "x" }, "invalid_grant"},
		"another nonce":      {func(t *provider.Trip) { t.Nonce = "n" }, "wrong_nonce"},
		"no nonce":           {func(t *provider.Trip) { t.Nonce = "" }, "wrong_nonce"},
	} {
		trip, answer, err := depart(t, s, p, provider.Ask{})
		if err != nil {
			t.Fatal(err)
		}
		c.change(&trip)
		_, err = s.Finish(t.Context(), p, trip, answer)
		refused(t, name, err, provider.Untrue, c.reason)
	}
}

func TestAnUnknownKindHasNoProtocol(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", provider.SAML, "facebook"} {
		_, err := newService().Begin(context.Background(), &storage.Provider{Kind: kind}, provider.Ask{})
		refused(t, "kind "+kind, err, provider.Misconfigured, "no_such_protocol")
	}
}
