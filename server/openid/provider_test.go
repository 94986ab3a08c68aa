package openid

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"authy/server/audit"
	"authy/storage"
	"authy/storage/storagetest"
)

const testIssuer = "https://id.example"

func s256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// newProvider returns a provider over an empty database with three clients:
// "web" and "native", which need PKCE, and "machine", whose secret is "secret".
func newProvider(t testing.TB) *Provider {
	t.Helper()
	p, err := New(storagetest.New(t), Config{
		Issuer: testIssuer, CodeLifetime: time.Minute, RefreshGrace: time.Second, MaxGrantLifetime: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []NewClient{
		{ClientID: "web", ApplicationType: "web", RedirectURIs: []string{"https://web.example/cb", "https://web.example/cb?x=1"}},
		{ClientID: "native", ApplicationType: "native", RedirectURIs: []string{"http://127.0.0.1/cb"}},
		{ClientID: "machine", Secret: "secret", ApplicationType: "web", RedirectURIs: []string{"https://machine.example/cb"}},
	} {
		c.Name, c.Scopes = c.ClientID, []string{"openid", "email", "api"}
		c.GrantTypes = []string{"authorization_code"}
		if c.Secret != "" {
			c.GrantTypes = append(c.GrantTypes, "client_credentials")
		}
		c.AccessTokenLifetime, c.RefreshTokenLifetime, c.IDTokenLifetime = time.Hour, time.Hour, time.Hour
		if _, err := p.CreateClient(t.Context(), audit.Shell(), c); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestOnlyAnOperatorRegistersClients(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	honest := NewClient{
		ClientID: "new", Name: "New", RedirectURIs: []string{"https://new.example/cb"},
		AccessTokenLifetime: time.Hour, RefreshTokenLifetime: time.Hour, IDTokenLifetime: time.Hour,
	}
	for _, by := range []audit.Actor{{}, {Kind: audit.Anonymous}, audit.Shell().As("user"), audit.Shell().AsClient("web")} {
		if _, err := p.CreateClient(t.Context(), by, honest); !errors.Is(err, ErrForbidden) {
			t.Errorf("by %v: %v, want forbidden", by.Kind, err)
		}
	}
	for name, spoil := range map[string]func(*NewClient){
		"a bad client_id":    func(c *NewClient) { c.ClientID = "a b" },
		"no name":            func(c *NewClient) { c.Name = " " },
		"a bad redirect URI": func(c *NewClient) { c.RedirectURIs = []string{"javascript:alert(1)"} },
		"a bad logout URI":   func(c *NewClient) { c.PostLogoutRedirectURIs = []string{"javascript:alert(1)"} },
		"no lifetime":        func(c *NewClient) { c.AccessTokenLifetime = 0 },
	} {
		in := honest
		spoil(&in)
		if _, err := p.CreateClient(t.Context(), audit.Shell(), in); err == nil {
			t.Errorf("%s was registered", name)
		}
	}
	c, err := p.CreateClient(t.Context(), audit.Shell(), honest)
	if err != nil {
		t.Fatal(err)
	}
	if !c.RequirePKCE || c.SecretHash != "" {
		t.Errorf("a public client: PKCE %v, secret %q, want PKCE and no secret", c.RequirePKCE, c.SecretHash)
	}
	if _, err := p.CreateClient(t.Context(), audit.Shell(), honest); !errors.Is(err, ErrClientTaken) {
		t.Errorf("the same client again: %v, want taken", err)
	}
}

func TestAClientsSecretIsKeptAsAKeyedHash(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c, err := p.Client(t.Context(), "machine")
	if err != nil {
		t.Fatal(err)
	}
	if !p.isSecret(c, "secret", time.Now()) || p.isSecret(c, "secret ", time.Now()) || p.isSecret(c, "", time.Now()) || p.isSecret(c, c.SecretHash, time.Now()) {
		t.Error("the secret is not the only text that passes")
	}
	if c.SecretHash == s256("secret") || len(c.SecretHash) != 43 {
		t.Errorf("the secret is kept as %q, want a keyed hash", c.SecretHash)
	}
	public, err := p.Client(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	if p.isSecret(public, "", time.Now()) || p.isSecret(public, "x", time.Now()) {
		t.Error("a public client has a secret")
	}
}

func TestADeadTokenSaysNothing(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	ctx := audit.WithActor(t.Context(), &audit.Actor{Kind: audit.Anonymous})
	user := newUser(t, p)
	client, err := p.Client(ctx, "web")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	grant := &storage.Grant{
		ID: storage.NewID(), UserID: user, ClientID: client.ID, Scopes: []string{"openid"},
		AuthenticatedAt: storage.At(now), CreatedAt: storage.At(now), ExpiresAt: storage.At(now.Add(time.Hour)),
	}
	update(t, p, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertGrant(ctx, grant) })
	got, err := p.tokens(ctx, now, issued{grant: grant, client: client, scopes: grant.Scopes})
	if err != nil {
		t.Fatal(err)
	}
	if claims, _, err := p.parseAccessToken(ctx, got.AccessToken, now); err != nil || claims.Subject != user {
		t.Fatalf("the live token: %v, %v", claims, err)
	}
	update(t, p, func(ctx context.Context, tx *storage.Tx) error {
		_, err := tx.RevokeGrant(ctx, grant.ID, "test", now)
		return err
	})
	claims, dead, err := p.parseAccessToken(ctx, got.AccessToken, now)
	if claims != nil || dead != nil || !errors.Is(err, errToken) {
		t.Errorf("the dead token: %v, %v, %v, want nothing and errToken", claims, dead, err)
	}
	// Nobody, least of all another client, changes anything by revoking it.
	stranger, err := p.Client(ctx, "native")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.revoke(ctx, stranger, got.AccessToken); err != nil {
		t.Fatal(err)
	}
	events, err := p.db.Events(ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Action == "token.revoked" {
			t.Errorf("a stranger's revocation of a dead token was recorded: %+v", e)
		}
	}
}

func newUser(t *testing.T, p *Provider) string {
	t.Helper()
	now := storage.At(time.Now())
	user := &storage.User{ID: storage.NewID(), Email: "u@example.com", Status: storage.Active, CreatedAt: now, UpdatedAt: now}
	update(t, p, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertUser(ctx, user) })
	return user.ID
}

func update(t *testing.T, p *Provider, fn func(context.Context, *storage.Tx) error) {
	t.Helper()
	if err := p.db.Update(t.Context(), func(tx *storage.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}
