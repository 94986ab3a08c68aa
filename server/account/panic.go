package account

import (
	"context"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/logout"
	"authy/server/mail"
	"authy/storage"
)

// Panic ends at once all that is open in the account of a user, on behalf of an
// operator or an administrator: sessions, tokens, what applications were given, API
// tokens, and links, sign-ins and invitations that wait. Applications are told that
// the sessions have ended. How the user signs in stays, unless credentials are to go,
// too: then they need a link to a new password. What they have made for organizations
// stays, as it is not theirs alone.
func (s *Service) Panic(ctx context.Context, by audit.Actor, userID string, credentials bool) error {
	if err := s.mayAdminister(ctx, by); err != nil {
		return err
	}
	return s.withUser(ctx, userID, func(tx *storage.Tx, user *User, now time.Time) error {
		if credentials {
			if err := keepsAnAdmin(ctx, tx, by, user); err != nil {
				return err
			}
		}
		return s.endAll(ctx, tx, by, now, user, credentials)
	})
}

// PanicSelf is [Service.Panic] in tx for a user who does it to themselves; how they
// sign in stays.
func (s *Service) PanicSelf(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time) error {
	if by.Kind != audit.User {
		return ErrForbidden
	}
	user, err := load(ctx, tx, by.ID)
	if err != nil {
		return err
	}
	return s.endAll(ctx, tx, by, now, user, false)
}

func (s *Service) endAll(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, user *User, credentials bool,
) error {
	event := audit.Event{Action: "user.panic", TargetKind: "user", TargetID: user.ID}
	about := ""
	if err := tx.DeletePending(ctx, user.ID, user.Email); err != nil {
		return fmt.Errorf("end all of %s: %w", user.ID, err)
	}
	if credentials {
		if err := strip(ctx, tx, user.ID); err != nil {
			return err
		}
		event.Details, about = map[string]string{"credentials": "removed"}, "credentials"
	}
	if err := logout.Everywhere(ctx, tx, now, user); err != nil {
		return err
	}
	if err := s.Mail.Notice(ctx, tx, by, now, user, mail.Panicked, about); err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, event)
}

// strip takes everything away, in tx, by which a user signs in.
func strip(ctx context.Context, tx *storage.Tx, userID string) error {
	if _, err := tx.DeletePassword(ctx, userID); err != nil {
		return fmt.Errorf("take the password of %s away: %w", userID, err)
	}
	if err := dropFactors(ctx, tx, userID); err != nil {
		return err
	}
	if err := tx.DeleteIdentities(ctx, userID); err != nil {
		return fmt.Errorf("unlink the identities of %s: %w", userID, err)
	}
	return nil
}
