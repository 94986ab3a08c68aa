// Package logout ends sessions, and tells the applications of a session that it
// has ended: clients (OpenID Connect Back-Channel Logout 1.0), and SAML services.
// Whatever ends a session does it here: what an application is to be told is a row
// that is written in the same transaction, and a job tells it, again and again until
// the application has understood or a day has passed. An application may be told
// twice, when the server ends between its yes and our note of it; none is
// forgotten. The package refuses to know who may end what, what a logout token
// says, and SAML.
//
// Read logout.go (what ends), service.go (the visits to SAML services), sender.go
// (how applications hear of it), receipt.go (what became of it).
package logout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authy/storage"
)

const (
	// kept is how long a receipt is kept.
	kept = 30 * 24 * time.Hour
	// giveUp is how long an application is tried.
	giveUp = 24 * time.Hour
)

// Session ends a session in tx; it says whether the session was live until now.
func Session(ctx context.Context, tx *storage.Tx, now time.Time, s *storage.Session, reason string) (bool, error) {
	ended, err := tx.RevokeSession(ctx, s.ID, reason, now)
	if err != nil {
		return false, fmt.Errorf("end session %s: %w", s.ID, err)
	}
	return ended, leaveOne(ctx, tx, now, s)
}

// Sessions ends the sessions of a user in tx, except one (which may be ""), and
// returns how many there were.
func Sessions(
	ctx context.Context, tx *storage.Tx, now time.Time, userID, except, reason string,
) (int64, error) {
	ended, err := tx.RevokeSessions(ctx, userID, except, reason, now)
	if err != nil {
		return 0, fmt.Errorf("end the sessions of %s: %w", userID, err)
	}
	return ended, leave(ctx, tx, now, userID, except)
}

// Expire ends in tx a session that time has ended and has its applications told. It has
// expired, and if it has not yet, it does at now.
func Expire(ctx context.Context, tx *storage.Tx, now time.Time, s *storage.Session) error {
	if err := tx.ExpireSession(ctx, s.ID, s.LastActivityAt.Time, now); err != nil {
		return fmt.Errorf("let session %s expire: %w", s.ID, err)
	}
	return leaveOne(ctx, tx, now, s)
}

// Recheck has a session looked at again at a time, for whether it has ended then.
func Recheck(ctx context.Context, tx *storage.Tx, s *storage.Session, at time.Time) error {
	if err := tx.CheckVisits(ctx, s.ID, at); err != nil {
		return fmt.Errorf("look at session %s again: %w", s.ID, err)
	}
	return nil
}

// Everywhere ends every session and grant of a user in tx, and notes that in
// their record.
func Everywhere(ctx context.Context, tx *storage.Tx, now time.Time, user *storage.User) error {
	if err := tx.RevokeUser(ctx, user.ID, now); err != nil {
		return fmt.Errorf("sign %s out: %w", user.ID, err)
	}
	user.SignedOutAt = storage.At(now)
	return leave(ctx, tx, now, user.ID, "")
}

// Delete deletes a user in tx with everything that is theirs.
func Delete(ctx context.Context, tx *storage.Tx, now time.Time, userID string) error {
	if err := leave(ctx, tx, now, userID, ""); err != nil {
		return err
	}
	if err := tx.DeleteUser(ctx, userID); err != nil {
		return fmt.Errorf("delete user %s: %w", userID, err)
	}
	return nil
}

// leaveOne has the applications of a session told.
func leaveOne(ctx context.Context, tx *storage.Tx, now time.Time, s *storage.Session) error {
	left, err := tx.TakeVisits(ctx, s.ID)
	if err != nil {
		return fmt.Errorf("end session %s: %w", s.ID, err)
	}
	services, err := tx.TakeServiceVisits(ctx, s.ID)
	if err != nil {
		return fmt.Errorf("end session %s: %w", s.ID, err)
	}
	return errors.Join(tell(ctx, tx, now, s.UserID, left), tellServices(ctx, tx, now, s.UserID, services))
}

// leave has the applications of a user's sessions told, but for one session.
func leave(ctx context.Context, tx *storage.Tx, now time.Time, userID, except string) error {
	left, err := tx.TakeVisitsOf(ctx, userID, except)
	if err != nil {
		return fmt.Errorf("end the sessions of %s: %w", userID, err)
	}
	services, err := tx.TakeServiceVisitsOf(ctx, userID, except)
	if err != nil {
		return fmt.Errorf("end the sessions of %s: %w", userID, err)
	}
	return errors.Join(tell(ctx, tx, now, userID, left), tellServices(ctx, tx, now, userID, services))
}

// tell queues what the applications that were left are to be told, those that
// want to hear by back channel.
func tell(ctx context.Context, tx *storage.Tx, now time.Time, userID string, left []storage.Visit) error {
	for _, v := range left {
		client, err := tx.ClientByRow(ctx, v.ClientID)
		if errors.Is(err, storage.ErrNotFound) || err == nil && client.Options.BackChannelURI == "" {
			continue
		}
		if err != nil {
			return fmt.Errorf("tell client %s of a logout: %w", v.ClientID, err)
		}
		err = tx.InsertLogout(ctx, &storage.Logout{
			ID: storage.NewID(), ClientID: storage.Ref(v.ClientID), UserID: userID, Subject: v.Subject, SessionID: v.SessionID,
			URI: client.Options.BackChannelURI, State: storage.LogoutSent,
			CreatedAt: storage.At(now), NextAt: storage.At(now), ExpiresAt: storage.At(now.Add(kept)),
		})
		if err != nil {
			return fmt.Errorf("tell client %s of a logout: %w", client.ClientID, err)
		}
	}
	return nil
}
