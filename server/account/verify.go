package account

import (
	"context"
	"encoding/json"
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

// ErrVerified is answered to who asks for a link without need.
var ErrVerified = fault.New(fault.Conflict, "email_verified", "Your address is verified already.")

const emailVerified = "user.email_verified"

// SendVerification mails a user in tx a link that shows that their address is
// theirs. Where mail is not set up it does nothing.
func (s *Service) SendVerification(ctx context.Context, tx *storage.Tx, now time.Time, user *User) error {
	if !s.Mail.Enabled() {
		return nil
	}
	secret, err := issue(ctx, tx, now, storage.Link{
		Purpose: storage.VerifyLink, UserID: storage.Ref(user.ID), Email: user.Email,
	}, verifyLifetime)
	if err != nil {
		return err
	}
	return s.Mail.Send(ctx, tx, now, mail.Message{
		Kind: mail.VerifyEmail, To: user.Email, Path: verifyPage + secret, ExpiresAt: now.Add(verifyLifetime),
	})
}

// RequestVerification is [Service.SendVerification] for a user who asks for it.
// [ErrNoMail] if none is sent, [ErrVerified] if there is no need.
func (s *Service) RequestVerification(ctx context.Context, by audit.Actor, userID string) error {
	if !s.Mail.Enabled() {
		return ErrNoMail
	}
	if err := s.mayChange(ctx, by, userID); err != nil {
		return err
	}
	return s.withUser(ctx, userID, func(tx *storage.Tx, user *User, now time.Time) error {
		if !user.EmailVerifiedAt.IsZero() {
			return ErrVerified
		}
		if err := s.SendVerification(ctx, tx, now, user); err != nil {
			return err
		}
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "user.email_verification_requested", TargetKind: "user", TargetID: userID,
		})
	})
}

// VerifyEmail uses a link up that was mailed to an address, and notes that it
// is its user's; or makes the account that was asked for at it. [ErrLink] if
// it opens nothing, also when the user has another address by now.
func (s *Service) VerifyEmail(ctx context.Context, by audit.Actor, secret string) (user *User, err error) {
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		l, err := take(ctx, tx, now, storage.VerifyLink, secret)
		if errors.Is(err, ErrLink) {
			user, err = s.finishRegistration(ctx, tx, by, now, secret)
			return err
		}
		if err != nil {
			return err
		}
		if user, err = holder(ctx, tx.Reader, l); err != nil {
			return err
		}
		if user.Email != l.Email {
			return ErrLink
		}
		return s.verified(ctx, tx, by.As(user.ID), now, user)
	})
	if err != nil {
		return nil, err
	}
	return user, nil
}

// MarkVerified notes that the address of a user is theirs, on behalf of an
// operator or administrator.
func (s *Service) MarkVerified(ctx context.Context, by audit.Actor, userID string) error {
	if err := s.mayAdminister(ctx, by); err != nil {
		return err
	}
	return s.withUser(ctx, userID, func(tx *storage.Tx, user *User, now time.Time) error {
		return s.verified(ctx, tx, by, now, user)
	})
}

func (s *Service) verified(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, user *User) error {
	user.EmailVerifiedAt, user.UpdatedAt = storage.At(now), storage.At(now)
	if err := tx.SaveUser(ctx, user); err != nil {
		return fmt.Errorf("verify the address of %s: %w", user.ID, err)
	}
	if err := endLinks(ctx, tx, user.ID, storage.VerifyLink); err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: emailVerified, TargetKind: "user", TargetID: user.ID,
	})
}

// asked is what an account is made of that was asked for, and waits for its
// address to be confirmed.
type asked struct{ FullName, Hash string }

// RequestRegistration mails to the address of a draft a link that makes its
// account, or that there is one already. The caller is not told which.
func (s *Service) RequestRegistration(ctx context.Context, by audit.Actor, d *Draft) error {
	data, err := json.Marshal(asked{d.user.FullName, d.hash})
	if err != nil {
		return fmt.Errorf("keep a registration: %w", err)
	}
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		event := audit.Event{Action: "user.register_requested", TargetKind: "user"}
		network := limit.Neighborhood(by.IPAddress)
		m := mail.Message{To: d.user.Email, ExpiresAt: now.Add(verifyLifetime), Network: network}
		user, err := tx.UserByEmail(ctx, d.user.Email)
		switch {
		case err == nil:
			m.Kind, m.Path = mail.AccountExists, signInPage
			event.Failed, event.Reason, event.TargetID = true, ErrEmailTaken.Code, user.ID
		case errors.Is(err, storage.ErrNotFound):
			secret, err := issue(ctx, tx, now, storage.Link{
				Purpose: storage.RegisterLink, Email: d.user.Email, Data: data, Network: network,
			}, verifyLifetime)
			if err != nil {
				return err
			}
			m.Kind, m.Path = mail.Register, verifyPage+secret
		default:
			return fmt.Errorf("look a user up: %w", err)
		}
		if err := s.Mail.Send(ctx, tx, now, m); err != nil {
			return err
		}
		return audit.Record(ctx, tx, by, now, event)
	})
}

// finishRegistration uses a link up and makes the account that was asked for.
func (s *Service) finishRegistration(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, secret string,
) (*User, error) {
	l, err := take(ctx, tx, now, storage.RegisterLink, secret)
	if err != nil {
		return nil, err
	}
	var a asked
	if err := json.Unmarshal(l.Data, &a); err != nil {
		return nil, fmt.Errorf("read a registration: %w", err)
	}
	return s.Add(ctx, tx, by, now, &Draft{hash: a.Hash, user: storage.User{
		ID: storage.NewID(), Email: l.Email, FullName: a.FullName, Status: storage.Active,
		EmailVerifiedAt: storage.At(now),
	}})
}
