package openid

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"

	"authy/server/audit"
	"authy/server/keyring"
	"authy/storage"
	"authy/storage/storagetest"
)

// Z-26: the library's provider takes tokens that are encrypted with AES, without a mark of who made
// them. Here no token is encrypted, so that none of them is taken for anything, though it was made
// with the server's own secret key and names a token that is alive.
func TestNoEncryptedTokenIsTaken(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	ctx := audit.WithActor(t.Context(), &audit.Actor{Kind: audit.Anonymous})
	c, err := p.clients.Client(ctx, "web")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	grant := &storage.Grant{
		ID: storage.NewID(), UserID: newUser(t, p), ClientID: c.ID, Scopes: []string{"openid"},
		AuthenticatedAt: storage.At(now), CreatedAt: storage.At(now), ExpiresAt: storage.At(now.Add(time.Hour)),
	}
	update(t, p, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertGrant(ctx, grant) })
	got, err := p.tokens(ctx, now, issued{grant: grant, client: c, scopes: grant.Scopes})
	if err != nil {
		t.Fatal(err)
	}
	alive, _, err := p.parseAccessToken(ctx, got.AccessToken, now)
	if err != nil {
		t.Fatal(err)
	}
	var key [32]byte
	copy(key[:], storagetest.Secret)
	for name, crypto := range map[string]op.Crypto{
		"CFB": op.NewAESCrypto(key), //nolint:staticcheck // what is deprecated is what is tried
		"GCM": op.NewAES256GCMCrypto(key, "key"),
	} {
		for _, inside := range []string{
			alive.ID + ":" + grant.UserID, grant.ID + ":" + grant.UserID, grant.ID, alive.ID, got.AccessToken,
		} {
			token, err := crypto.Encrypt(inside)
			if err != nil {
				t.Fatal(err)
			}
			if claims, _, err := p.parseAccessToken(ctx, token, now); !errors.Is(err, keyring.ErrToken) {
				t.Errorf("Z-26 %s of %.20s is an access token: %v, %v", name, inside, claims, err)
			}
			if answer, err := p.introspect(ctx, c, token); err != nil || answer.Active {
				t.Errorf("Z-26 %s of %.20s is active: %v, %v", name, inside, answer, err)
			}
			if _, err := p.redeem(ctx, c, redemption{code: token, redirectURI: c.RedirectURIs[0]}); err == nil {
				t.Errorf("Z-26 %s of %.20s is a code", name, inside)
			}
			if _, err := p.rotate(ctx, c, "", token, nil, nil); err == nil {
				t.Errorf("Z-26 %s of %.20s is a refresh token", name, inside)
			}
		}
	}
}
