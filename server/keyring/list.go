package keyring

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authy/server/audit"
	"authy/server/fault"
)

// ErrForbidden is the answer to who does not administer the server.
var ErrForbidden = fault.New(fault.Forbidden, "forbidden", "You may not do this.")

// Info is what can be told of a signing key.
type Info struct {
	ID         string // the kid in tokens
	Algorithm  string // RFC 7518
	State      string
	Thumbprint string // of the public key: RFC 7638, SHA-256
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// List returns to who administers the server every signing key, the oldest
// first, without what is private.
func (r *Ring) List(ctx context.Context, by audit.Actor) ([]Info, error) {
	if may, err := by.Administers(ctx, r.db.Reader); err != nil {
		return nil, err
	} else if !may {
		return nil, ErrForbidden
	}
	stored, err := r.db.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	out := make([]Info, len(stored))
	for i, k := range stored {
		print, err := thumbprint(k.Private)
		if err != nil {
			return nil, fmt.Errorf("thumbprint of key %s: %w", k.ID, err)
		}
		out[i] = Info{
			ID: k.ID, Algorithm: k.Algorithm, State: k.State, Thumbprint: print,
			CreatedAt: k.CreatedAt.Time, UpdatedAt: k.UpdatedAt.Time,
		}
	}
	return out, nil
}

// thumbprint returns that of the public half of a private key in PKCS #8.
func thumbprint(der []byte) (string, error) {
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return "", err
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return "", fmt.Errorf("%T cannot sign", private)
	}
	public := jose.JSONWebKey{Key: signer.Public()}
	sum, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
