package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/logout"
	"authy/server/steady"
	"authy/storage"
)

// What is refused to who does not administer the server, and about whom.
var (
	ErrForbidden = fault.New(fault.Forbidden, "forbidden", "You may not do this.")
	ErrNoUser    = fault.New(fault.NotFound, "user_not_found", "User not found")
)

// The states of a session.
const (
	Active  = "active"
	Expired = "expired"
	Revoked = "revoked"
)

// Filter says which sessions are meant; its zero value means all.
type Filter = storage.SessionFilter

// Owned is a session with its user and its state.
type Owned struct {
	Session *storage.Session
	User    *storage.User
	State   string // [Active], [Expired] or [Revoked]
}

// userID returns the id of the user whom a filter names by id or by address, what it
// says if there is nobody, and so no session.
func (s *Service) userID(ctx context.Context, named string) (string, error) {
	if !strings.Contains(named, "@") || strings.ContainsRune(named, 0) {
		return named, nil
	}
	user, err := s.db.UserByEmail(ctx, strings.ToLower(named))
	if errors.Is(err, storage.ErrNotFound) {
		return named, nil
	}
	if err != nil {
		return "", fmt.Errorf("look a user up: %w", err)
	}
	return user.ID, nil
}

// Show returns to who administers the server a session with its user.
// [ErrNotFound] if there is none.
func (s *Service) Show(ctx context.Context, by audit.Actor, id string) (*Owned, error) {
	if err := s.mayAdminister(ctx, s.db.Reader, by); err != nil {
		return nil, err
	}
	if strings.ContainsRune(id, 0) {
		return nil, ErrNotFound // storage refuses such text
	}
	session, err := s.db.Session(ctx, id)
	var user *storage.User
	if err == nil {
		user, err = s.db.User(ctx, session.UserID)
	}
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("look session %s up: %w", id, err)
	}
	return &Owned{Session: session, User: user, State: s.stateOf(session, user, steady.Now())}, nil
}

// All returns to who administers the server at most limit sessions of a
// filter, whose user may be named by address, ended ones too as long as they are
// kept, the newest first, that come after the one with an id, and the id of the
// last: "" if there are no more.
func (s *Service) All(
	ctx context.Context, by audit.Actor, f Filter, after string, limit int,
) (out []Owned, next string, err error) {
	if err := s.mayAdminister(ctx, s.db.Reader, by); err != nil {
		return nil, "", err
	}
	if f.UserID, err = s.userID(ctx, f.UserID); err != nil {
		return nil, "", err
	}
	sessions, users, err := s.db.SessionsMatching(ctx, f, after, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list sessions: %w", err)
	}
	if len(sessions) > limit {
		sessions, next = sessions[:limit], sessions[limit-1].ID
	}
	now := steady.Now()
	for i := range sessions {
		one := &sessions[i]
		user := users[one.UserID]
		if user == nil {
			continue // deleted between the two reads
		}
		one.LastActivityAt = s.lastActivity(one)
		out = append(out, Owned{Session: one, User: user, State: s.stateOf(one, user, now)})
	}
	return out, next, nil
}

func (s *Service) stateOf(session *storage.Session, user *storage.User, now time.Time) string {
	switch err := s.live(session, user, session.Kind, now); {
	case errors.Is(err, ErrInactive):
		return Expired
	case err != nil:
		return Revoked
	}
	return Active
}

// Revoke ends a session of anybody on behalf of who administers the server.
// [ErrNotFound] if there is none; ending one that has ended is no error.
func (s *Service) Revoke(ctx context.Context, by audit.Actor, id string) error {
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := s.mayAdminister(ctx, tx.Reader, by); err != nil {
			return err
		}
		if strings.ContainsRune(id, 0) {
			return ErrNotFound // storage refuses such text
		}
		session, err := tx.Session(ctx, id)
		if errors.Is(err, storage.ErrNotFound) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("end session %s: %w", id, err)
		}
		return s.end(ctx, tx, by, now, session, "session.revoke", "Revoked by an administrator")
	})
}

// RevokeAll ends every session of a user on behalf of who administers the
// server, and returns how many there were. What applications were given stays;
// account.Service.SignOut ends that, too.
func (s *Service) RevokeAll(ctx context.Context, by audit.Actor, userID string) (ended int64, err error) {
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := s.mayAdminister(ctx, tx.Reader, by); err != nil {
			return err
		}
		if _, err := tx.User(ctx, userID); errors.Is(err, storage.ErrNotFound) {
			return ErrNoUser
		} else if err != nil {
			return fmt.Errorf("look user %s up: %w", userID, err)
		}
		ended, err = logout.Sessions(ctx, tx, now, userID, "", "Revoked by an administrator")
		if err != nil {
			return err
		}
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "session.revoke_all", TargetKind: "user", TargetID: userID, Reason: "sessions",
		})
	})
	return ended, err
}

func (s *Service) mayAdminister(ctx context.Context, r storage.Reader, by audit.Actor) error {
	may, err := by.Administers(ctx, r)
	if err == nil && !may {
		return ErrForbidden
	}
	return err
}
