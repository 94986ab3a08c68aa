package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/mail"
	"authy/server/steady"
	"authy/storage"
)

// RequestEmailChange mails in tx, to the address that a user wants, a link that
// makes it theirs, and tells the old address. If it is somebody else's already,
// it is they who are told: the user sees no difference.
func (s *Service) RequestEmailChange(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID, email string,
) error {
	user, err := load(ctx, tx, userID)
	if err != nil {
		return err
	}
	if user.Email == email {
		return fault.Field("email", "This is your address already.")
	}
	if err := namedByNoFile(ctx, tx.Reader, by, userID); err != nil {
		return err
	}
	secret, err := issue(ctx, tx, now, storage.Link{
		Purpose: storage.ChangeEmailLink, UserID: storage.Ref(userID), Email: email,
	}, changeEmailLifetime)
	if err != nil {
		return err
	}
	m := mail.Message{Kind: mail.ChangeEmail, To: email, Path: confirmPage + secret, ExpiresAt: now.Add(changeEmailLifetime)}
	if _, err := tx.UserByEmail(ctx, email); err == nil {
		m.Kind, m.Path = mail.EmailInUse, ""
	} else if !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("look a user up: %w", err)
	}
	if err := s.Mail.Send(ctx, tx, now, m); err != nil {
		return err
	}
	facts := mail.Facts{Email: email}
	if err := s.Mail.NoticeTo(ctx, tx, by, now, user.Email, mail.EmailChangeRequested, facts); err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "user.email_change_requested", TargetKind: "user", TargetID: userID,
	})
}

// ConfirmEmail uses a link up that was mailed to an address, and makes it its
// user's. [ErrEmailTaken] if it has become somebody else's meanwhile, [ErrLink]
// also if the user was signed out everywhere since: what a session has asked for
// ends with it.
func (s *Service) ConfirmEmail(ctx context.Context, by audit.Actor, secret string) (user *User, err error) {
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		l, err := take(ctx, tx, now, storage.ChangeEmailLink, secret)
		if err != nil {
			return err
		}
		if user, err = holder(ctx, tx.Reader, l); err != nil {
			return err
		}
		if !l.CreatedAt.After(user.SignedOutAt.Time) {
			return ErrLink
		}
		return s.readdress(ctx, tx, by.As(user.ID), now, user, l.Email)
	})
	if err != nil {
		return nil, err
	}
	return user, nil
}

// SetEmail changes the address of a user on behalf of an operator or
// administrator, who knows that it is theirs.
func (s *Service) SetEmail(ctx context.Context, by audit.Actor, userID, email string) error {
	if err := s.mayAdminister(ctx, by); err != nil {
		return err
	}
	email, err := ParseEmail(email)
	if err != nil {
		return err
	}
	return s.withUser(ctx, userID, func(tx *storage.Tx, user *User, now time.Time) error {
		return s.readdress(ctx, tx, by, now, user, email)
	})
}

// readdress gives a user another address, which is verified. Links that were
// sent to the old one are dead, and it is told.
func (s *Service) readdress(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, user *User, email string,
) error {
	if err := namedByNoFile(ctx, tx.Reader, by, user.ID); err != nil {
		return err
	}
	old := user.Email
	user.Email, user.EmailVerifiedAt, user.UpdatedAt = email, storage.At(now), storage.At(now)
	if err := tx.SaveUser(ctx, user); errors.Is(err, storage.ErrTaken) {
		return ErrEmailTaken
	} else if err != nil {
		return fmt.Errorf("change the address of %s: %w", user.ID, err)
	}
	err := endLinks(ctx, tx, user.ID, storage.ResetLink, storage.VerifyLink, storage.ChangeEmailLink)
	if err != nil {
		return err
	}
	if old != email {
		err = s.Mail.NoticeTo(ctx, tx, by, now, old, mail.EmailChanged, mail.Facts{Email: email})
	}
	if err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "user.email_change", TargetKind: "user", TargetID: user.ID,
		Details: map[string]string{"from": old, "to": email},
	})
}
