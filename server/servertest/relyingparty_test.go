package servertest_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	zoidc "github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

	"authy/server/servertest"
	"authy/storage/storagetest"
)

const (
	bob      = "bob@acme-corp.com"
	bobPass  = "UserPass123!"
	callback = "http://localhost:3000/auth/callback"
)

// portal is acme-portal-001 on coreos/go-oidc and x/oauth2.
type portal struct {
	provider *oidc.Provider
	config   *oauth2.Config
}

func newPortal(t *testing.T, s *servertest.Server, clientID, secret, redirect string) *portal {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), s.URL)
	if err != nil {
		t.Fatalf("discovery: %v", err)
	}
	return &portal{provider, &oauth2.Config{
		ClientID: clientID, ClientSecret: secret, RedirectURL: redirect, Endpoint: provider.Endpoint(),
		Scopes: []string{"openid", "profile", "email", "offline_access"},
	}}
}

// attempt is one authorization request.
type attempt struct{ state, nonce, verifier string }

func newAttempt() attempt { return attempt{rand.Text(), rand.Text(), oauth2.GenerateVerifier()} }

func (p *portal) url(a attempt, extra ...oauth2.AuthCodeOption) string {
	return p.config.AuthCodeURL(a.state, append(extra, oidc.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifier))...)
}

// exchange checks the answer as RFC 9207 and OpenID Connect ask, and redeems
// its code.
func (p *portal) exchange(t *testing.T, s *servertest.Server, a attempt, back *url.URL) (*oauth2.Token, *oidc.IDToken) {
	t.Helper()
	q := back.Query()
	if q.Get("state") != a.state || q.Get("iss") != s.URL || q.Get("code") == "" {
		t.Fatalf("answer %v: want state %q, iss %q and a code", back, a.state, s.URL)
	}
	token, err := p.config.Exchange(t.Context(), q.Get("code"), oauth2.VerifierOption(a.verifier))
	if err != nil {
		t.Fatalf("exchange: %v", err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.provider.Verifier(&oidc.Config{ClientID: p.config.ClientID}).Verify(t.Context(), raw)
	if err != nil {
		t.Fatalf("verify the ID token: %v", err)
	}
	if id.Nonce != a.nonce {
		t.Errorf("nonce = %q, want %q", id.Nonce, a.nonce)
	}
	if err := id.VerifyAccessToken(token.AccessToken); err != nil {
		t.Errorf("at_hash: %v", err)
	}
	return token, id
}

func TestBobSignsInToAcmePortalEndToEnd(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := servertest.Start(t, servertest.Options{DatabaseURL: storagetest.Migrated(t, engine)})
			signInEndToEnd(t, s)
		})
	}
}

func signInEndToEnd(t *testing.T, s *servertest.Server) {
	p := newPortal(t, s, "acme-portal-001", "acme_secret_portal_2024", callback)
	browser := servertest.Browser(t)

	a := newAttempt()
	page, steps := s.Visit(t, browser, p.url(a), bob, bobPass)
	if diff := cmp.Diff([]string{"sign-in", "consent"}, steps); diff != "" {
		t.Fatalf("first visit (-want +got):\n%s\nlast page: %s", diff, page.Body)
	}
	token, id := p.exchange(t, s, a, page.Location())
	var claims struct {
		Name, Email   string
		EmailVerified bool  `json:"email_verified"`
		AuthTime      int64 `json:"auth_time"`
		AZP, SID      string
	}
	if err := id.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if claims.Name != "Bob Builder" || claims.Email != bob || !claims.EmailVerified || claims.AZP != "acme-portal-001" {
		t.Errorf("claims = %+v", claims)
	}
	if age := time.Since(time.Unix(claims.AuthTime, 0)); age < 0 || age > time.Minute {
		t.Errorf("auth_time was %v ago", age)
	}
	checkUserinfo(t, p, token, id.Subject)

	refreshed := refresh(t, p, token)
	checkUserinfo(t, p, refreshed, id.Subject)

	// Consent is remembered, and so is the person.
	a = newAttempt()
	page, steps = s.Visit(t, browser, p.url(a), bob, bobPass)
	if len(steps) > 0 {
		t.Errorf("second visit asked for %v", steps)
	}
	_, again := p.exchange(t, s, a, page.Location())
	if again.Subject != id.Subject {
		t.Errorf("subject changed from %s to %s", id.Subject, again.Subject)
	}

	secondClientSignsIn(t, s, browser)
	logsOut(t, s, browser, p, page, again)
}

func checkUserinfo(t *testing.T, p *portal, token *oauth2.Token, subject string) {
	t.Helper()
	info, err := p.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
	if err != nil {
		t.Fatalf("userinfo: %v", err)
	}
	if info.Subject != subject || info.Email != bob || !info.EmailVerified {
		t.Errorf("userinfo = %+v", info)
	}
}

func refresh(t *testing.T, p *portal, old *oauth2.Token) *oauth2.Token {
	t.Helper()
	fresh, err := p.config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: old.RefreshToken}).Token()
	if err != nil {
		t.Fatalf("refresh: %v", err)
	}
	if fresh.RefreshToken == old.RefreshToken || fresh.AccessToken == old.AccessToken || fresh.RefreshToken == "" {
		t.Error("the tokens did not rotate")
	}
	return fresh
}

// secondClientSignsIn checks that another client asks for agreement only.
func secondClientSignsIn(t *testing.T, s *servertest.Server, browser *http.Client) {
	t.Helper()
	const home = "http://localhost:4200/auth/callback"
	p := newPortal(t, s, "tech-dashboard-001", "tech_secret_dashboard_2024", home)
	a := newAttempt()
	page, steps := s.Visit(t, browser, p.url(a), "nobody@example.com", "not needed")
	if diff := cmp.Diff([]string{"consent"}, steps); diff != "" {
		t.Errorf("second client (-want +got):\n%s", diff)
	}
	p.exchange(t, s, a, page.Location())
}

// logsOut checks RP-initiated logout.
func logsOut(t *testing.T, s *servertest.Server, browser *http.Client, p *portal, _ *servertest.Page, _ *oidc.IDToken) {
	t.Helper()
	a := newAttempt()
	page, _ := s.Visit(t, browser, p.url(a), bob, bobPass)
	token, _ := p.exchange(t, s, a, page.Location())
	raw, _ := token.Extra("id_token").(string)
	end := s.URL + "/oidc/end_session?" + url.Values{
		"id_token_hint": {raw}, "post_logout_redirect_uri": {"http://localhost:3000/"}, "state": {"bye"},
	}.Encode()
	page = servertest.Get(t, browser, end)
	if got, want := page.Response.Header.Get("Location"), "http://localhost:3000/?state=bye"; got != want {
		t.Errorf("logout led to %q, want %q", got, want)
	}
	a = newAttempt()
	if _, steps := s.Visit(t, browser, p.url(a), bob, bobPass); !slices.Equal(steps, []string{"sign-in"}) {
		t.Errorf("after logout the visit asked for %v, want the password and no consent", steps)
	}
}

type nonceKey struct{}

func TestZitadelsRelyingPartySignsBobIn(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	party, err := rp.NewRelyingPartyOIDC(t.Context(), s.URL, "acme-portal-001", "acme_secret_portal_2024", callback,
		[]string{"openid", "profile", "email", "offline_access"},
		rp.WithVerifierOpts(rp.WithNonce(func(ctx context.Context) string {
			nonce, _ := ctx.Value(nonceKey{}).(string)
			return nonce
		})))
	if err != nil {
		t.Fatal(err)
	}
	a := newAttempt()
	start := rp.AuthURL(a.state, party,
		rp.WithCodeChallenge(zoidc.NewSHACodeChallenge(a.verifier)), rp.AuthURLOpt(rp.WithURLParam("nonce", a.nonce)))
	page, _ := s.Visit(t, servertest.Browser(t), start, bob, bobPass)
	q := page.Location().Query()
	if q.Get("state") != a.state || q.Get("iss") != s.URL {
		t.Fatalf("answer %v", page.Location())
	}
	ctx := context.WithValue(t.Context(), nonceKey{}, a.nonce)
	tokens, err := rp.CodeExchange[*zoidc.IDTokenClaims](ctx, q.Get("code"), party, rp.WithCodeVerifier(a.verifier))
	if err != nil {
		t.Fatalf("exchange: %v", err)
	}
	info, err := rp.Userinfo[*zoidc.UserInfo](t.Context(), tokens.AccessToken, tokens.TokenType, tokens.IDTokenClaims.Subject, party)
	if err != nil {
		t.Fatalf("userinfo: %v", err)
	}
	if info.Name != "Bob Builder" || info.Email != bob {
		t.Errorf("userinfo = %+v", info)
	}
	fresh, err := rp.RefreshTokens[*zoidc.IDTokenClaims](t.Context(), party, tokens.RefreshToken, "", "")
	if err != nil {
		t.Fatalf("refresh: %v", err)
	}
	if fresh.RefreshToken == tokens.RefreshToken {
		t.Error("the refresh token did not rotate")
	}
}

func TestTheMobileAppSignsInWithoutASecret(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, redirect := range []string{"com.acmecorp.app://oauth/callback", "http://localhost:8080/callback"} {
		p := newPortal(t, s, "acme-mobile-001", "", redirect)
		p.config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
		a := newAttempt()
		page, _ := s.Visit(t, servertest.Browser(t), p.url(a), bob, bobPass)
		p.exchange(t, s, a, page.Location())
	}
}
