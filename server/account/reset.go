package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/limit"
	"authy/server/mail"
	"authy/server/steady"
	"authy/storage"
)

// What is refused about links to a new password.
var (
	ErrOwnReset = fault.New(fault.Forbidden, "own_reset",
		"You cannot hand yourself a link. Change your password, or ask another administrator.")
	ErrResetSuspended = fault.New(fault.Conflict, "account_suspended",
		"The account is suspended; activate it first.")
)

const passwordResetRequested = "user.password_reset_requested"

// RequestReset mails a link to whoever has an address, as [ParseEmail] returns
// it, if they have an account in good standing. The caller is not told.
func (s *Service) RequestReset(ctx context.Context, by audit.Actor, email string) error {
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		event := audit.Event{Action: passwordResetRequested, TargetKind: "user"}
		user, err := tx.UserByEmail(ctx, email)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			event.Failed, event.Reason = true, "unknown"
			return audit.Record(ctx, tx, by, now, event)
		case err != nil:
			return fmt.Errorf("look a user up: %w", err)
		}
		event.TargetID = user.ID
		if !inStanding(user) {
			event.Failed, event.Reason = true, string(user.Status)
			return audit.Record(ctx, tx, by, now, event)
		}
		secret, err := issue(ctx, tx, now, storage.Link{
			Purpose: storage.ResetLink, UserID: storage.Ref(user.ID), Email: user.Email,
		}, resetLifetime)
		if err != nil {
			return err
		}
		err = s.Mail.Send(ctx, tx, now, mail.Message{
			Kind: mail.ResetPassword, To: user.Email, Path: resetPage + secret, ExpiresAt: now.Add(resetLifetime),
			Network: limit.Neighborhood(by.IPAddress),
		})
		if err != nil {
			return err
		}
		return audit.Record(ctx, tx, by, now, event)
	})
}

// HandedLink is a link that is shown this once, to be handed to a user.
type HandedLink struct {
	User      *User
	Path      string // of the page, below the public URL
	ExpiresAt time.Time
}

// NewResetLink returns a link by which the user with an address or an id
// chooses a new password, on behalf of an operator or an administrator, who
// must not be the user: a session that was left open does not become a
// password.
func (s *Service) NewResetLink(ctx context.Context, by audit.Actor, emailOrID string) (*HandedLink, error) {
	user, err := s.Show(ctx, by, emailOrID)
	if err != nil {
		return nil, err
	}
	if by.Kind == audit.User && by.ID == user.ID {
		return nil, ErrOwnReset
	}
	now := steady.Now()
	out := &HandedLink{ExpiresAt: now.Add(resetLifetime)}
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if out.User, err = load(ctx, tx, user.ID); err != nil {
			return err
		}
		if !inStanding(out.User) {
			return ErrResetSuspended
		}
		secret, err := issue(ctx, tx, now, storage.Link{
			Purpose: storage.ResetLink, UserID: storage.Ref(user.ID),
		}, resetLifetime)
		if err != nil {
			return err
		}
		out.Path = resetPage + secret
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: passwordResetRequested, TargetKind: "user", TargetID: user.ID, Reason: "handed_out",
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Invite adds a user without a password on behalf of an operator or an
// administrator, and returns a link by which they choose one. What in says of a
// password is not heeded.
func (s *Service) Invite(ctx context.Context, by audit.Actor, in NewUser) (*HandedLink, error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return nil, err
	}
	in.Password, in.NoPassword = "", true
	draft, err := s.Draft(ctx, in)
	if err != nil {
		return nil, err
	}
	now := steady.Now()
	out := &HandedLink{ExpiresAt: now.Add(inviteLifetime)}
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if out.User, err = s.Add(ctx, tx, by, now, draft); err != nil {
			return err
		}
		secret, err := issue(ctx, tx, now, storage.Link{
			Purpose: storage.ResetLink, UserID: storage.Ref(out.User.ID),
		}, inviteLifetime)
		if err != nil {
			return err
		}
		out.Path = resetPage + secret
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: passwordResetRequested, TargetKind: "user", TargetID: out.User.ID, Reason: "handed_out",
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ResetUser returns the user for whom a link could choose a new password now.
// [ErrLink] if it opens nothing.
func (s *Service) ResetUser(ctx context.Context, secret string) (*User, error) {
	l, err := s.db.Link(ctx, storage.ResetLink, storage.Hash(secret))
	if errors.Is(err, storage.ErrNotFound) || err == nil && !l.ExpiresAt.After(steady.Now()) {
		return nil, ErrLink
	}
	if err != nil {
		return nil, fmt.Errorf("look a link up: %w", err)
	}
	return holder(ctx, s.db.Reader, l)
}

// Reset uses a link up in tx and makes chosen the password of its user. All
// sessions and grants end; the second factor stays, and nobody is signed in.
func (s *Service) Reset(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, secret string, chosen *NewPassword,
) error {
	l, err := take(ctx, tx, now, storage.ResetLink, secret)
	if err != nil {
		return err
	}
	user, err := holder(ctx, tx.Reader, l)
	if err != nil {
		return err
	}
	by = by.As(user.ID)
	if l.Email == user.Email && user.EmailVerifiedAt.IsZero() {
		user.EmailVerifiedAt = storage.At(now) // it was read there
	}
	if err := s.replaceAll(ctx, tx, now, user, chosen.hash); err != nil {
		return err
	}
	if err := s.Mail.Notice(ctx, tx, by, now, user, mail.PasswordReset, ""); err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "user.password_reset", TargetKind: "user", TargetID: user.ID,
	})
}

// replaceAll sets a user's password and ends all that was opened by another:
// sessions, grants and links.
func (s *Service) replaceAll(ctx context.Context, tx *storage.Tx, now time.Time, user *storage.User, hash string) error {
	if err := signOut(ctx, tx, now, user); err != nil {
		return err
	}
	return keepPassword(ctx, tx, now, user.ID, hash)
}

// keepPassword keeps another password of a user; links that could change how
// they sign in are dead.
func keepPassword(ctx context.Context, tx *storage.Tx, now time.Time, userID, hash string) error {
	err := tx.SavePassword(ctx, &storage.Password{UserID: userID, Hash: hash, ChangedAt: storage.At(now)})
	if err != nil {
		return fmt.Errorf("set password of %s: %w", userID, err)
	}
	return endLinks(ctx, tx, userID, storage.ResetLink, storage.ChangeEmailLink)
}
