package registry

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/steady"
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

// The ways in which a client authenticates: token_endpoint_auth_method of OpenID
// Connect Dynamic Client Registration 1.0, section 2.
const (
	AuthNone       = "none"
	AuthBasic      = "client_secret_basic"
	AuthPost       = "client_secret_post"
	AuthSecretJWT  = "client_secret_jwt"
	AuthPrivateKey = "private_key_jwt"
)

// AuthMethods are all of them.
var AuthMethods = []string{AuthNone, AuthBasic, AuthPost, AuthSecretJWT, AuthPrivateKey}

// hasSecret says whether a client that authenticates by method has a secret.
func hasSecret(method string) bool { return method != AuthNone && method != AuthPrivateKey }

// IsPublic says whether c cannot authenticate: anyone can call themselves c.
func IsPublic(c *Client) bool { return c.AuthMethod == AuthNone }

// authProblem says why a client may not go over from one method to another, or
// "": it keeps its secret, or goes without, and an HMAC needs it in plain.
func authProblem(from, to string) string {
	kept := func(method string) bool { return hasSecret(method) && method != AuthSecretJWT }
	switch {
	case to != "" && !has(AuthMethods, to):
		return "Must be one of: " + strings.Join(AuthMethods, ", ") + "."
	case from != to && (!kept(from) || !kept(to)):
		return "Only client_secret_basic and client_secret_post can be changed for one another; register another client."
	}
	return ""
}

// newSecret returns a secret of 256 bits.
func newSecret() string {
	secret := make([]byte, 32)
	rand.Read(secret)
	return base64.RawURLEncoding.EncodeToString(secret)
}

// secretHash is how a client's secret is kept: a keyed hash, since a chosen
// secret may be short and a slow hash would make every token call slow.
func (s *Service) secretHash(secret string) string {
	return base64.RawURLEncoding.EncodeToString(s.db.MAC("client secret", secret))
}

// keepSecret gives c a secret, or none. In plain, sealed, is kept what an HMAC
// needs (OpenID Connect Core 1.0, section 10.1).
func (s *Service) keepSecret(c *Client, secret string) {
	c.SecretHash, c.Secret, c.SealedSecret = "", nil, ""
	if secret != "" {
		c.SecretHash = s.secretHash(secret)
	}
	if c.AuthMethod == AuthSecretJWT {
		c.Secret = []byte(secret)
	}
}

// IsSecret says whether a secret is c's at now. It compares in constant time. A hash that
// came from another server is slow, and is replaced when the secret has been seen once.
func (s *Service) IsSecret(ctx context.Context, by audit.Actor, c *Client, secret string, now time.Time) (bool, error) {
	hash := []byte(s.secretHash(secret))
	current := subtle.ConstantTimeCompare(hash, []byte(c.SecretHash)) == 1
	old := subtle.ConstantTimeCompare(hash, []byte(c.OldSecretHash)) == 1
	if current || old && now.Before(c.OldSecretExpiresAt.Time) {
		return true, nil
	}
	for _, foreign := range []string{c.SecretHash, c.OldSecretHash} {
		if !account.IsBcrypt(foreign) || foreign == c.OldSecretHash && !now.Before(c.OldSecretExpiresAt.Time) {
			continue
		}
		ok, _, err := s.Hasher.Check(ctx, foreign, secret, "")
		if err != nil {
			return false, fmt.Errorf("check the secret of client %s: %w", c.ClientID, err)
		}
		if ok {
			return true, s.keepSeen(ctx, by.AsClient(c.ClientID), now, c, foreign, string(hash))
		}
	}
	return false, nil
}

// keepSeen replaces a slow hash of a secret of c, unless it has become another.
func (s *Service) keepSeen(ctx context.Context, by audit.Actor, now time.Time, c *Client, foreign, hash string) error {
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		kept, err := tx.ClientByRow(ctx, c.ID)
		if err != nil {
			return err
		}
		switch foreign {
		case kept.SecretHash:
			kept.SecretHash = hash
		case kept.OldSecretHash:
			kept.OldSecretHash = hash
		default:
			return nil
		}
		if err := tx.SaveClient(ctx, kept); err != nil {
			return err
		}
		event := clientEvent("client.updated", kept, nil)
		event.Reason = "secret_rehashed"
		return audit.Record(ctx, tx, by, now, event)
	})
	if err != nil {
		return fmt.Errorf("keep the secret of client %s in another form: %w", c.ClientID, err)
	}
	return nil
}

// HasSecret says whether a secret is c's, and not one that was replaced.
func (s *Service) HasSecret(c *Client, secret string) bool {
	return subtle.ConstantTimeCompare([]byte(s.secretHash(secret)), []byte(c.SecretHash)) == 1
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
// orgID is as in [Service.Update]. [ErrNoSecret] for a public client.
func (s *Service) RotateSecret(
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
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if c, err = s.managed(ctx, tx.Reader, by, orgID, clientID); err != nil {
			return err
		}
		err := managed.Refuse(ctx, tx.Reader, by, managed.Client, c.ID, "client_secret_file", "client_secret_env")
		if err != nil {
			return err
		}
		return s.replaceSecret(ctx, tx, by, now, c, in)
	})
	if err != nil {
		return nil, "", err
	}
	return c, in.Secret, nil
}

// replaceSecret gives c another secret, in tx. One that is used for an HMAC has no
// overlap: only one is kept in plain.
func (s *Service) replaceSecret(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, c *Client, in Rotation,
) error {
	old := c.SecretHash
	switch {
	case old == "":
		return ErrNoSecret
	case c.AuthMethod == AuthSecretJWT:
		in.Overlap = 0
	}
	s.keepSecret(c, in.Secret)
	if c.SecretHash == old {
		return fault.Field("client_secret", "It is the current one.")
	}
	c.OldSecretHash, c.OldSecretExpiresAt = "", storage.Time{}
	if in.Overlap > 0 {
		c.OldSecretHash, c.OldSecretExpiresAt = old, storage.At(now.Add(in.Overlap))
	}
	c.UpdatedAt = storage.At(now)
	if err := tx.SaveClient(ctx, c); err != nil {
		return fmt.Errorf("replace the secret of client %s: %w", c.ClientID, err)
	}
	return audit.Record(ctx, tx, by, now, clientEvent("client.secret_rotated", c, map[string]string{
		"overlap": in.Overlap.String(),
	}))
}
