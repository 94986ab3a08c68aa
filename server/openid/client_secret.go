package openid

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

// DefaultOverlap is how long an old secret works beside the one that replaced
// it, so that nothing fails while the new one is brought to where it is used;
// MaxOverlap is the longest.
const (
	DefaultOverlap = 24 * time.Hour
	MaxOverlap     = 30 * 24 * time.Hour
)

// maxSecret is the longest secret that can be chosen, in bytes.
const maxSecret = 512

// newSecret returns a secret of 256 bits.
func newSecret() string {
	secret := make([]byte, 32)
	rand.Read(secret)
	return base64.RawURLEncoding.EncodeToString(secret)
}

// secretHash is how a client's secret is kept: a keyed hash, since a chosen
// secret may be short and a slow hash would make every token call slow.
func (p *Provider) secretHash(secret string) string {
	return base64.RawURLEncoding.EncodeToString(p.db.MAC("client secret", secret))
}

// isSecret says whether a secret is c's at now. It compares in constant time.
func (p *Provider) isSecret(c *Client, secret string, now time.Time) bool {
	hash := []byte(p.secretHash(secret))
	current := subtle.ConstantTimeCompare(hash, []byte(c.SecretHash)) == 1
	old := subtle.ConstantTimeCompare(hash, []byte(c.OldSecretHash)) == 1
	return current || old && now.Before(c.OldSecretExpiresAt.Time)
}

// secretProblem checks the form of RFC 6749, appendix A.2.
func secretProblem(secret string) string {
	if len(secret) > maxSecret || strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "Use printable ASCII characters, 512 at most."
	}
	return ""
}

// Rotation says how a secret is replaced.
type Rotation struct {
	// Secret is the new one, which operators alone choose; "" has one made.
	Secret string
	// Overlap is how long the old one works too; 0 ends it at once. One that
	// was replaced before and works still ends either way.
	Overlap time.Duration
}

// RotateSecret gives a client another secret and returns it; it is not kept.
// orgID is as in [Provider.UpdateClient]. [ErrNoSecret] for a public client.
func (p *Provider) RotateSecret(
	ctx context.Context, by audit.Actor, orgID, clientID string, in Rotation,
) (c *Client, secret string, err error) {
	if in.Secret != "" && by.Kind != audit.Operator {
		return nil, "", ErrForbidden
	}
	if in.Overlap < 0 || in.Overlap > MaxOverlap || in.Overlap%time.Second != 0 {
		return nil, "", fault.Field("overlap", "Must be 0 to 30 days, in whole seconds.")
	}
	if in.Secret == "" {
		in.Secret = newSecret()
	}
	if problem := secretProblem(in.Secret); problem != "" {
		return nil, "", fault.Field("client_secret", problem)
	}
	hash, now := p.secretHash(in.Secret), time.Now()
	err = p.db.Update(ctx, func(tx *storage.Tx) error {
		if c, err = p.managed(ctx, tx.Reader, by, orgID, clientID); err != nil {
			return err
		}
		return p.replaceSecret(ctx, tx, by, now, c, hash, in.Overlap)
	})
	if err != nil {
		return nil, "", err
	}
	return c, in.Secret, nil
}

// replaceSecret gives c the secret with a hash, in tx.
func (p *Provider) replaceSecret(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, c *Client, hash string, overlap time.Duration,
) error {
	switch c.SecretHash {
	case "":
		return ErrNoSecret
	case hash:
		return fault.Field("client_secret", "It is the current one.")
	}
	c.OldSecretHash, c.OldSecretExpiresAt = "", storage.Time{}
	if overlap > 0 {
		c.OldSecretHash, c.OldSecretExpiresAt = c.SecretHash, storage.At(now.Add(overlap))
	}
	c.SecretHash, c.UpdatedAt = hash, storage.At(now)
	if err := tx.SaveClient(ctx, c); err != nil {
		return fmt.Errorf("replace the secret of client %s: %w", c.ClientID, err)
	}
	return audit.Record(ctx, tx, by, now, clientEvent("client.secret_rotated", c, map[string]string{
		"overlap": overlap.String(),
	}))
}
