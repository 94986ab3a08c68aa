// Package token decides about API tokens, by which programs use the JSON API
// without a session: personal ones, that speak for a user, and those of
// services, that act for an organization. It refuses to know what a scope opens:
// that is the API's table.
//
// Read this file (whose token is good), then make.go (who makes, sees and
// revokes them) and scope.go.
package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"authy/server/fault"
	"authy/server/mail"
	"authy/server/org"
	"authy/server/seen"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// Prefix is how every token begins, so that it is known for one wherever it is
// found.
const Prefix = "authy_pat_"

const (
	secretBytes = 32
	tokenChars  = len(Prefix) + 43 // the secret in base64url
)

// ErrInvalid is one answer to all that is no live token.
var ErrInvalid = fault.New(fault.Unauthenticated, "invalid_token", "Invalid or expired token")

// Token is a token as it is kept.
type Token = storage.APIToken

// Service decides about tokens.
type Service struct {
	// Mail tells people of tokens that are made in their name; nil tells nobody.
	Mail *mail.Queue

	db   *storage.DB
	orgs *org.Service
	seen *seen.Uses
}

// New returns the service over db.
func New(db *storage.DB, orgs *org.Service) *Service {
	s := &Service{db: db, orgs: orgs}
	s.seen = seen.New("API tokens", s.touch)
	return s
}

// Is says whether a bearer token is an API token, if it is any. It is what
// decides where one is looked up.
func Is(bearer string) bool { return strings.HasPrefix(bearer, Prefix) }

// Authenticate returns who a token speaks for. [ErrInvalid] for one that is
// unknown, revoked or expired, or whose owner has done with it.
func (s *Service) Authenticate(ctx context.Context, bearer string) (*session.Identity, error) {
	if len(bearer) != tokenChars || !Is(bearer) {
		return nil, ErrInvalid
	}
	t, err := s.db.APITokenByHash(ctx, storage.Hash(bearer))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrInvalid
	}
	if err != nil {
		return nil, fmt.Errorf("look an API token up: %w", err)
	}
	now := steady.Now()
	owner, err := s.ownerOf(ctx, s.db.Reader, t)
	if err != nil {
		return nil, err
	}
	if !owner.keeps(t, now) {
		return nil, ErrInvalid
	}
	s.seen.Note(t.ID, t.LastUsedAt.Time, now)
	id := &session.Identity{
		User: owner.user, Token: t, Plain: !slices.ContainsFunc(t.Scopes, ForAdmin),
	}
	storage.Guard(ctx, func(ctx context.Context, tx *storage.Tx) error { return s.still(ctx, tx, id) })
	return id, nil
}

// still is nil while what a request may do by its token, as it was when the request came, has
// not ended since.
func (s *Service) still(ctx context.Context, tx *storage.Tx, id *session.Identity) error {
	t, err := tx.APIToken(ctx, id.Token.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return ErrInvalid
	}
	if err != nil {
		return fmt.Errorf("look API token %s up: %w", id.Token.ID, err)
	}
	owner, err := s.ownerOf(ctx, tx.Reader, t)
	switch {
	case err != nil:
		return err
	case !owner.keeps(t, steady.Now()):
		return ErrInvalid
	case id.User != nil && id.User.IsAdmin && !owner.user.IsAdmin:
		return session.ErrLowered
	}
	return nil
}

// owner is who a token belongs to, and when they last did away with all that
// had been opened in their name.
type owner struct {
	user  *storage.User // nil for an organization
	ended time.Time
	gone  bool // or may do nothing
}

// ownerOf looks the owner of t up. Nothing of it is copied to the token: what
// happens to its owner counts at its next use.
func (s *Service) ownerOf(ctx context.Context, r storage.Reader, t *Token) (owner, error) {
	if t.Kind == storage.ServiceToken {
		o, err := r.Organization(ctx, string(t.OrganizationID))
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return owner{}, fmt.Errorf("look the organization of API token %s up: %w", t.ID, err)
		}
		return owner{gone: err != nil || !o.IsActive}, nil
	}
	u, err := r.User(ctx, string(t.UserID))
	if errors.Is(err, storage.ErrNotFound) {
		return owner{gone: true}, nil
	}
	if err != nil {
		return owner{}, fmt.Errorf("look the user of API token %s up: %w", t.ID, err)
	}
	changed, err := r.PasswordChangedAt(ctx, u.ID)
	if err != nil {
		return owner{}, fmt.Errorf("look up when the password of %s was changed: %w", u.ID, err)
	}
	out := owner{user: u, ended: u.SignedOutAt.Time, gone: u.Status != storage.Active && u.Status != storage.Pending}
	if changed.After(out.ended) {
		out.ended = changed.Time
	}
	return out, nil
}

// keeps says whether t is good at now: what was made in the millisecond in
// which its owner ended everything is not.
func (o owner) keeps(t *Token, now time.Time) bool {
	return !o.gone && t.CreatedAt.After(o.ended) && (t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt.Time))
}

// Run writes when tokens were last used until ctx ends, and once more then.
func (s *Service) Run(ctx context.Context) { s.seen.Run(ctx) }

// touch writes when tokens were last used, by id.
func (s *Service) touch(ctx context.Context, used map[string]time.Time) error {
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		for id, at := range used {
			if err := tx.TouchAPIToken(ctx, id, at); err != nil {
				return err
			}
		}
		return nil
	})
}
