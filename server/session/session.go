// Package session decides which sign-ins are still good. It makes sessions,
// recognizes their tokens, lists and ends them; it refuses to know how someone
// proved who they are.
package session

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/limit"
	"authy/server/logout"
	"authy/server/seen"
	"authy/server/steady"
	"authy/storage"
)

// What session refuses. The messages are the contract's.
var (
	ErrInvalid  = fault.New(fault.Unauthenticated, "invalid_token", "Invalid or expired session")
	ErrInactive = fault.New(fault.Unauthenticated, "session_inactive", "Session is no longer active")
	ErrNotFound = fault.New(fault.NotFound, "session_not_found", "Session not found")
)

const (
	// tokenBytes is the entropy of a token; its text has 43 characters.
	tokenBytes = 32
	tokenChars = 43
)

// Service decides about sessions.
type Service struct {
	db       *storage.DB
	idle     time.Duration // 0 for no limit
	lifetime time.Duration
	remember time.Duration
	seen     *seen.Uses
}

// New returns the service over db. A session lasts for lifetime, a remembered
// one for remember; neither is extended by use.
func New(db *storage.DB, lifetime, remember time.Duration) *Service {
	s := &Service{db: db, lifetime: lifetime, remember: remember}
	s.seen = seen.New("sessions", s.touch)
	return s
}

// Within ends sessions that were not used for idle; 0 ends none. It is called
// before the service is used.
func (s *Service) Within(idle time.Duration) {
	s.idle = idle
	if idle > 0 {
		s.seen.Tighten(idle / 10)
	}
}

// Session is a session as it is kept.
type Session = storage.Session

// Kinds of sessions: of programs, and of browsers.
const (
	API = storage.APISession
	Web = storage.WebSession
)

// Identity is who a token speaks for: a user by a session, or a user or an
// organization by an API token.
type Identity struct {
	User    *storage.User     // nil for an organization
	Session *storage.Session  // nil for an API token
	Token   *storage.APIToken // nil for a session
	Plain   bool              // see [audit.Actor]
}

// Actor returns the identity as an actor from the place of by.
func (i *Identity) Actor(by audit.Actor) audit.Actor {
	switch {
	case i.Token == nil:
		by.SessionID = i.Session.ID
		return by.As(i.User.ID)
	case i.User == nil:
		return by.AsService(i.Token.ID, string(i.Token.OrganizationID))
	}
	by.TokenID, by.Plain = i.Token.ID, i.Plain
	return by.As(i.User.ID)
}

// Began describes a session to be made.
type Began struct {
	UserID   string
	Kind     string // [API] or [Web]
	Remember bool
	Methods  []string // RFC 8176
	// Until is when it ends at the latest; zero is as it is set.
	Until time.Time
}

// Agent returns the browser or program of an actor as sessions keep it.
func Agent(by audit.Actor) string { return audit.Cut(by.UserAgent, 256) }

// Start makes a session in tx and returns it with its token, which is not kept.
func (s *Service) Start(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, b Began,
) (*storage.Session, string, error) {
	lifetime := s.lifetime
	if b.Remember {
		lifetime = s.remember
	}
	until := now.Add(lifetime)
	if !b.Until.IsZero() && b.Until.Before(until) {
		until = b.Until
	}
	token := newToken()
	session := &storage.Session{
		ID: storage.NewID(), UserID: b.UserID, Kind: b.Kind, TokenHash: storage.Hash(token), Methods: b.Methods,
		IPAddress: by.IPAddress, UserAgent: Agent(by),
		AuthenticatedAt: storage.At(now), CreatedAt: storage.At(now), UpdatedAt: storage.At(now),
		LastActivityAt: storage.At(now), ExpiresAt: storage.At(until),
	}
	if err := tx.InsertSession(ctx, session); err != nil {
		return nil, "", fmt.Errorf("make session of %s: %w", b.UserID, err)
	}
	return session, token, audit.Record(ctx, tx, by, now, audit.Event{
		Action: "session.create", TargetKind: "session", TargetID: session.ID,
	})
}

// Renew gives a session a new token and notes that its user has proved anew
// who they are; the old token is dead. It ends at until at the latest, unless
// that is zero.
func (s *Service) Renew(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, id string, methods []string, until time.Time,
) (*storage.Session, string, error) {
	session, err := tx.Session(ctx, id)
	if err != nil {
		return nil, "", fmt.Errorf("renew session %s: %w", id, err)
	}
	token := newToken()
	session.TokenHash, session.Methods = storage.Hash(token), methods
	session.AuthenticatedAt, session.UpdatedAt = storage.At(now), storage.At(now)
	session.LastActivityAt = storage.At(now)
	if !until.IsZero() && until.Before(session.ExpiresAt.Time) {
		session.ExpiresAt = storage.At(until)
	}
	if err := tx.SaveSession(ctx, session); err != nil {
		return nil, "", fmt.Errorf("renew session %s: %w", id, err)
	}
	return session, token, audit.Record(ctx, tx, by, now, audit.Event{
		Action: "session.renew", TargetKind: "session", TargetID: id,
	})
}

func newToken() string {
	secret := make([]byte, tokenBytes)
	rand.Read(secret)
	return base64.RawURLEncoding.EncodeToString(secret)
}

// Authenticate returns who a token of a kind speaks for. [ErrInvalid] for a
// token that is unknown or ended, [ErrInactive] for one that has expired.
func (s *Service) Authenticate(ctx context.Context, kind, token string) (*Identity, error) {
	if len(token) != tokenChars {
		return nil, ErrInvalid
	}
	session, err := s.db.SessionByToken(ctx, storage.Hash(token))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrInvalid
	}
	if err != nil {
		return nil, fmt.Errorf("look a session up: %w", err)
	}
	return s.identify(ctx, session, kind)
}

// Alive returns who the session with an id speaks for, which was known by something that
// stands for it. It is used by that, and the errors are those of [Service.Authenticate].
func (s *Service) Alive(ctx context.Context, kind, id string) (*Identity, error) {
	session, err := s.db.Session(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrInvalid
	}
	if err != nil {
		return nil, fmt.Errorf("look session %s up: %w", id, err)
	}
	return s.identify(ctx, session, kind)
}

// identify returns who a session speaks for, if it is live, and notes that it was used.
func (s *Service) identify(ctx context.Context, session *storage.Session, kind string) (*Identity, error) {
	user, err := s.db.User(ctx, session.UserID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrInvalid
	}
	if err != nil {
		return nil, fmt.Errorf("look the user of session %s up: %w", session.ID, err)
	}
	now := steady.Now()
	if err := s.live(session, user, kind, now); err != nil {
		return nil, err
	}
	s.seen.Note(session.ID, session.LastActivityAt.Time, now)
	id := &Identity{User: user, Session: session}
	storage.Guard(ctx, func(ctx context.Context, tx *storage.Tx) error { return id.still(ctx, tx) })
	return id, nil
}

// ErrLowered refuses who was an administrator when the request came, and is none any more.
var ErrLowered = fault.New(fault.Forbidden, "forbidden", "You may not do this.")

// still is nil while what a request may do by its session, as it was when the request came, has
// not ended since.
func (i *Identity) still(ctx context.Context, tx *storage.Tx) error {
	user, err := tx.User(ctx, i.User.ID)
	if err == nil && i.User.IsAdmin && !user.IsAdmin {
		return ErrLowered
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("look user %s up: %w", i.User.ID, err)
	}
	return Still(ctx, tx, i.Session.ID)
}

// Still is nil while the session with an id is live in tx; it, or its user, can have been ended
// since a request began. What lasts longer than a session is made after it. [ErrInvalid]
func Still(ctx context.Context, tx *storage.Tx, id string) error {
	current, err := tx.Session(ctx, id)
	var user *storage.User
	if err == nil {
		err = tx.Stay(ctx, current.UserID)
	}
	if err == nil {
		user, err = tx.User(ctx, current.UserID)
	}
	if errors.Is(err, storage.ErrNotFound) {
		return ErrInvalid
	}
	if err != nil {
		return fmt.Errorf("look session %s up: %w", id, err)
	}
	return Live(current, user, current.Kind, steady.Now())
}

// live is [Live] for a session that also has not been left alone for too long.
func (s *Service) live(session *storage.Session, user *storage.User, kind string, now time.Time) error {
	if err := Live(session, user, kind, now); err != nil {
		return err
	}
	if s.idle > 0 && now.Sub(s.lastActivity(session).Time) >= s.idle {
		return ErrInactive
	}
	return nil
}

// Live is nil for a session that may be used as a kind at now by its user.
func Live(session *storage.Session, user *storage.User, kind string, now time.Time) error {
	switch {
	case session.Kind != kind,
		!session.RevokedAt.IsZero(),
		!session.CreatedAt.After(user.SignedOutAt.Time), // of the same millisecond: over
		user.Status != storage.Active && user.Status != storage.Pending:
		return ErrInvalid
	case !now.Before(session.ExpiresAt.Time):
		return ErrInactive
	}
	return nil
}

// List returns at most limit live sessions of a user, the newest first, that
// come after the one with an id, and the id of the last: "" if there are no
// more.
func (s *Service) List(
	ctx context.Context, userID, after string, limit int,
) (sessions []storage.Session, next string, err error) {
	user, err := s.db.User(ctx, userID)
	if err != nil {
		return nil, "", fmt.Errorf("list sessions of %s: %w", userID, err)
	}
	now := steady.Now()
	sessions, err = s.db.LiveSessions(ctx, userID, now, after, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list sessions of %s: %w", userID, err)
	}
	if len(sessions) > limit {
		sessions, next = sessions[:limit], sessions[limit-1].ID
	}
	sessions = slices.DeleteFunc(sessions, func(one storage.Session) bool {
		return s.live(&one, user, one.Kind, now) != nil
	})
	for i := range sessions {
		sessions[i].LastActivityAt = s.lastActivity(&sessions[i])
	}
	return sessions, next, nil
}

// lastActivity is when a session was last used, also if that is not written yet.
func (s *Service) lastActivity(one *storage.Session) storage.Time {
	return storage.At(s.seen.Latest(one.ID, one.LastActivityAt.Time))
}

// Knows says whether by is where a user, nil for none, is or last was signed in.
func (s *Service) Knows(ctx context.Context, user *storage.User, by audit.Actor) (bool, error) {
	if user == nil {
		return false, nil
	}
	here := limit.Network(by.IPAddress)
	if limit.Network(user.LastLoginIP) == here {
		return true, nil
	}
	places, err := s.db.LiveAddresses(ctx, user.ID, steady.Now())
	if err != nil {
		return false, fmt.Errorf("look for sessions of %s: %w", user.ID, err)
	}
	return slices.ContainsFunc(places, func(ip string) bool { return limit.Network(ip) == here }), nil
}

// End ends a session of a user. [ErrNotFound] if it is not theirs; ending one
// that has ended is no error.
func (s *Service) End(ctx context.Context, by audit.Actor, userID, id, action, reason string) error {
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		return s.EndIn(ctx, tx, by, now, userID, id, action, reason)
	})
}

// EndIn is [Service.End] in a transaction of the caller's.
func (s *Service) EndIn(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID, id, action, reason string,
) error {
	if strings.ContainsRune(id, 0) {
		return ErrNotFound // storage refuses such text
	}
	session, err := tx.Session(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && session.UserID != userID {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("end session %s: %w", id, err)
	}
	return s.end(ctx, tx, by, now, session, action, reason)
}

func (s *Service) end(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, session *storage.Session, action, reason string,
) error {
	if ended, err := logout.Session(ctx, tx, now, session, reason); err != nil || !ended {
		return err
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: action, TargetKind: "session", TargetID: session.ID, Reason: reason,
	})
}

// EndOthers ends every session of an identity's user but its own, and returns
// how many there were.
func (s *Service) EndOthers(ctx context.Context, by audit.Actor, id *Identity) (ended int64, err error) {
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		ended, err = s.EndOthersIn(ctx, tx, by, now, id, "Revoked by user")
		return err
	})
	return ended, err
}

// EndOthersIn is [Service.EndOthers] for a reason, in a transaction of the
// caller's.
func (s *Service) EndOthersIn(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, id *Identity, reason string,
) (int64, error) {
	ended, err := logout.Sessions(ctx, tx, now, id.User.ID, id.Session.ID, reason)
	if err != nil {
		return 0, err
	}
	return ended, audit.Record(ctx, tx, by, now, audit.Event{
		Action: "session.revoke_others", TargetKind: "user", TargetID: id.User.ID,
	})
}
