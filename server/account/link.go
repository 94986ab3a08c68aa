package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/mail"
	"authy/storage"
)

// What is answered about links that were mailed or handed out.
var (
	// ErrLink is one answer to all that opens nothing, so that it tells nothing.
	ErrLink = fault.New(fault.Invalid, "invalid_link",
		"This link has been used, has expired, or is not one of this server's. Ask for another.")
	// ErrNoMail is answered where a link cannot be mailed.
	ErrNoMail = mail.ErrOff
)

// How long links can be used.
const (
	resetLifetime       = time.Hour // OWASP ASVS 5.0, 6.5.5
	inviteLifetime      = 24 * time.Hour
	verifyLifetime      = 24 * time.Hour
	changeEmailLifetime = time.Hour
	recoverLifetime     = 15 * time.Minute
)

// The pages that links lead to.
const (
	resetPage   = "/reset-password?token="
	verifyPage  = "/verify-email?token="
	confirmPage = "/confirm-email?token="
	signInPage  = "/sign-in"
	recoverPage = "/recover?token="
)

// issue keeps a fresh link in tx and returns its secret. What the user had of
// the same purpose is dead.
func issue(
	ctx context.Context, tx *storage.Tx, now time.Time, l storage.Link, lifetime time.Duration,
) (secret string, err error) {
	if l.UserID != "" {
		if err := endLinks(ctx, tx, string(l.UserID), l.Purpose); err != nil {
			return "", err
		}
	}
	secret = rand.Text()
	l.Hash, l.CreatedAt, l.ExpiresAt = storage.Hash(secret), storage.At(now), storage.At(now.Add(lifetime))
	if err := tx.InsertLink(ctx, &l); err != nil {
		return "", fmt.Errorf("make a link to %s: %w", l.Purpose, err)
	}
	return secret, nil
}

// endLinks deletes what links of some purposes a user has.
func endLinks(ctx context.Context, tx *storage.Tx, userID string, purposes ...string) error {
	for _, purpose := range purposes {
		if err := tx.DeleteLinksOf(ctx, userID, purpose); err != nil {
			return fmt.Errorf("end the links of %s to %s: %w", userID, purpose, err)
		}
	}
	return nil
}

// take uses a link up in tx and returns it. [ErrLink] if it opens nothing.
func take(ctx context.Context, tx *storage.Tx, now time.Time, purpose, secret string) (*storage.Link, error) {
	hash := storage.Hash(secret)
	l, err := tx.Link(ctx, purpose, hash)
	if err == nil {
		err = tx.TakeLink(ctx, purpose, hash, now)
	}
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrLink
	}
	if err != nil {
		return nil, fmt.Errorf("use a link to %s: %w", purpose, err)
	}
	return l, nil
}

// holder returns the user of a link. [ErrLink] if they are gone or may not sign in.
func holder(ctx context.Context, r storage.Reader, l *storage.Link) (*storage.User, error) {
	user, err := r.User(ctx, string(l.UserID))
	if errors.Is(err, storage.ErrNotFound) || err == nil && !inStanding(user) {
		return nil, ErrLink
	}
	if err != nil {
		return nil, fmt.Errorf("look up the user of a link: %w", err)
	}
	return user, nil
}

// inStanding says whether a user may sign in.
func inStanding(u *storage.User) bool {
	return u.Status == storage.Active || u.Status == storage.Pending
}

// notice mails a user what was done to their account; see [mail.Queue.Notice].
func (s *Service) notice(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID string, kind mail.Kind, about string,
) error {
	if !s.Mail.Enabled() {
		return nil
	}
	user, err := load(ctx, tx, userID)
	if err != nil {
		return err
	}
	return s.Mail.Notice(ctx, tx, by, now, user, kind, about)
}
