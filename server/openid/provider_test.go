package openid

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/keyring"
	"authy/server/registry"
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
	db := storagetest.New(t)
	p, err := New(db, keyring.New(db), registry.New(db), Config{
		Issuer: testIssuer, CodeLifetime: time.Minute, RefreshGrace: time.Second, MaxGrantLifetime: time.Hour,
		Used: storagetest.Memory(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.keys.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []registry.Registration{
		{ClientID: "web", ApplicationType: "web", RedirectURIs: []string{"https://web.example/cb", "https://web.example/cb?x=1"}},
		{ClientID: "native", ApplicationType: "native", RedirectURIs: []string{"http://127.0.0.1/cb"}},
		{ClientID: "machine", Secret: "secret", ApplicationType: "web", RedirectURIs: []string{"https://machine.example/cb"}},
	} {
		c.Name, c.Scopes = c.ClientID, []string{"openid", "email", "api"}
		c.GrantTypes, c.RequirePKCE = []string{"authorization_code"}, true
		if c.Secret != "" {
			c.GrantTypes = append(c.GrantTypes, "client_credentials")
			c.RequirePKCE, c.Options.Profile = false, registry.Legacy
		}
		c.AccessTokenLifetime, c.RefreshTokenLifetime, c.IDTokenLifetime = time.Hour, time.Hour, time.Hour
		if _, err := p.clients.Create(t.Context(), audit.Shell(), c); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// addOldPage adds the client "page", whose tokens come in answers, and lets it.
func addOldPage(t testing.TB, p *Provider) {
	t.Helper()
	p.clients.Implicit = true
	in := registry.Defaults()
	in.ClientID, in.Name, in.RedirectURIs = "page", "Page", []string{"https://page.example/cb"}
	in.GrantTypes, in.ResponseTypes = []string{registry.Implicit}, []string{"id_token", "id_token token"}
	in.Options.Profile = registry.Legacy
	if _, err := p.clients.Create(t.Context(), audit.Shell(), in); err != nil {
		t.Fatal(err)
	}
}

func TestADeadTokenSaysNothing(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	ctx := audit.WithActor(t.Context(), &audit.Actor{Kind: audit.Anonymous})
	user := newUser(t, p)
	client, err := p.clients.Client(ctx, "web")
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
	if claims != nil || dead != nil || !errors.Is(err, keyring.ErrToken) {
		t.Errorf("the dead token: %v, %v, %v, want nothing and keyring.ErrToken", claims, dead, err)
	}
	// Nobody, least of all another client, changes anything by revoking it.
	stranger, err := p.clients.Client(ctx, "native")
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
