package login

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"authy/server/audit"
	"authy/server/mail"
	"authy/server/steady"
	"authy/storage"
)

const (
	// manyFailures is how many attempts have to fail before one that succeeds
	// for the user to be told.
	manyFailures = 5
	// failuresRead is how many failures are looked through, at most.
	failuresRead = 50
	// halfAgain is how long a user is not told again that somebody knows their
	// password: who does could have them flooded with mail.
	halfAgain = time.Hour
)

// The reasons of sign-ins that proved the password and ended without the
// second factor.
const (
	halfThrottled = "second_factor_throttled"
	halfGivenUp   = "second_factor_given_up"
)

// attempts are the actions whose failure is an attempt to sign in.
var attempts = []string{"user.login", "totp.verify.failed", "webauthn.login.failed"}

// signs are what a user is told of who signs in.
type signs struct {
	strange bool // they have not been seen with this device
	tried   bool // many attempts have failed since they signed in last
}

// signsOf gathers what the user with an id is told of if they sign in now.
// Where no notice could be sent it asks nothing. It asks outside of the
// transaction that signs in, as [Service.strange] does.
func (s *Service) signsOf(ctx context.Context, by audit.Actor, userID string) (found signs, err error) {
	if !s.accounts.Mail.Enabled() {
		return signs{}, nil
	}
	user, err := s.db.User(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && user.LastLoginAt.IsZero() {
		return signs{}, nil
	}
	if err != nil {
		return signs{}, fmt.Errorf("look user %s up: %w", userID, err)
	}
	if found.strange, err = s.strange(ctx, by, userID); err != nil {
		return signs{}, err
	}
	failures, err := failuresOf(ctx, s.db.Reader, userID, user.LastLoginAt.Time)
	found.tried = len(failures) >= manyFailures
	return found, err
}

// failuresOf returns the newest attempts to sign in as a user that have failed
// since a moment.
func failuresOf(ctx context.Context, r storage.Reader, userID string, since time.Time) ([]storage.Event, error) {
	f := storage.EventFilter{Target: userID, Outcome: audit.Failure, From: since}
	events, err := r.EventsMatching(ctx, f, storage.EventKey{}, failuresRead)
	if err != nil {
		return nil, fmt.Errorf("look for failures of %s: %w", userID, err)
	}
	return slices.DeleteFunc(events, func(e storage.Event) bool { return !slices.Contains(attempts, e.Action) }), nil
}

// tell mails a user who is about to sign in what was found.
func (s *Service) tell(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, found signs, user *storage.User,
) error {
	if found.strange {
		if err := s.accounts.Mail.Notice(ctx, tx, by, now, user, mail.NewDevice, ""); err != nil {
			return err
		}
	}
	if !found.tried {
		return nil
	}
	return s.accounts.Mail.Notice(ctx, tx, by, now, user, mail.FailuresBefore, "")
}

// halfway records that a sign-in has ended that proved the password of a user
// and not their second factor, and tells them that somebody knows the password.
func (s *Service) halfway(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, user *storage.User, reason string,
) error {
	if s.accounts.Mail.Enabled() {
		failures, err := failuresOf(ctx, tx.Reader, user.ID, now.Add(-halfAgain))
		if err != nil {
			return err
		}
		told := slices.ContainsFunc(failures, func(e storage.Event) bool {
			return e.Reason == halfThrottled || e.Reason == halfGivenUp
		})
		if !told {
			if err := s.accounts.Mail.Notice(ctx, tx, by, now, user, mail.HalfSignIn, ""); err != nil {
				return err
			}
		}
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "user.login", Failed: true, Reason: reason, TargetKind: "user", TargetID: user.ID,
	})
}

// throttledHalfway is [Service.halfway] for a second factor that was tried too often.
func (s *Service) throttledHalfway(ctx context.Context, by audit.Actor, user *storage.User) error {
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error { return s.halfway(ctx, tx, by, now, user, halfThrottled) })
}

// wrongHalfway is [Service.halfway] for a sign-in whose last guess was wrong.
func (s *Service) wrongHalfway(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, user *storage.User, hash string,
) error {
	h, err := tx.FirstFactor(ctx, hash)
	if err != nil {
		return fmt.Errorf("look a pending sign-in up: %w", err)
	}
	if h.Guesses < maxGuesses {
		return nil
	}
	return s.halfway(ctx, tx, by, now, user, halfGivenUp)
}
