package storage

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// Kinds of sessions. They do not open each other's doors: a program sends its
// token as a Bearer header, a browser as a cookie.
const (
	APISession = "api"
	WebSession = "web"
)

// Session is one sign-in of a user.
type Session struct {
	bun.BaseModel   `bun:"table:sessions"`
	ID              string `bun:",pk"`
	UserID          string
	Kind            string
	TokenHash       string // [Hash] of the token; unique
	Methods         Words  // how the user proved who they are, as in RFC 8176
	IPAddress       string `bun:"ip_address"`
	UserAgent       string
	AuthenticatedAt Time
	CreatedAt       Time
	UpdatedAt       Time
	LastActivityAt  Time
	ExpiresAt       Time
	RevokedAt       Time
	RevokedReason   string
}

// SessionByToken returns the session with the hash of a token, live or not.
func (r Reader) SessionByToken(ctx context.Context, hash string) (*Session, error) {
	return cached(r, tokenKey, hash, func() (*Session, error) {
		return find[Session](ctx, r, "token_hash = ?", hash)
	})
}

// Session returns the session with an id, live or not.
func (r Reader) Session(ctx context.Context, id string) (*Session, error) {
	return cached(r, sessionKey, id, func() (*Session, error) {
		return find[Session](ctx, r, "id = ?", id)
	})
}

// LiveSessions returns at most limit sessions of a user that are neither revoked
// nor expired at now, with ids before the given one (which may be ""), the
// newest first.
func (r Reader) LiveSessions(
	ctx context.Context, userID string, now time.Time, before string, limit int,
) ([]Session, error) {
	var sessions []Session
	q := r.sessionsOf(&sessions, SessionFilter{}, before, limit)
	err := q.Where("user_id = ? AND revoked_at IS NULL AND expires_at > ?", userID, At(now)).Scan(ctx)
	return sessions, translate(err)
}

// SessionFilter says which sessions are meant; its zero value means all.
type SessionFilter struct{ UserID, Kind, IPAddress string }

// SessionsMatching returns at most limit sessions of a filter, live or not, with ids
// before the given one (which may be ""), the newest first, and the users that
// they belong to by their ids.
func (r Reader) SessionsMatching(
	ctx context.Context, f SessionFilter, before string, limit int,
) ([]Session, map[string]*User, error) {
	var sessions []Session
	if err := r.sessionsOf(&sessions, f, before, limit).Scan(ctx); err != nil || len(sessions) == 0 {
		return nil, nil, translate(err)
	}
	ids, users := make([]string, len(sessions)), make(map[string]*User, len(sessions))
	for i, s := range sessions {
		ids[i] = s.UserID
	}
	found, err := list[User](ctx, r, "id", "id IN (?)", bun.List(ids))
	for i := range found {
		users[found[i].ID] = &found[i]
	}
	return sessions, users, err
}

func (r Reader) sessionsOf(sessions *[]Session, f SessionFilter, before string, limit int) *bun.SelectQuery {
	q := r.bun.NewSelect().Conn(r.conn).Model(sessions)
	for column, value := range map[string]string{"user_id": f.UserID, "kind": f.Kind, "ip_address": f.IPAddress} {
		if value != "" {
			q.Where("? = ?", bun.Ident(column), value)
		}
	}
	if before != "" {
		q.Where("id < ?", before)
	}
	return q.OrderExpr("id DESC").Limit(int64(limit))
}

// recentSessions is how many of a user's sessions are looked at, at most, to
// tell from where they were: a user may have very many.
const recentSessions = 1000

// Addresses returns from where a user has had sessions with a program or
// browser, as far back as they are kept, of the newest thousand.
func (r Reader) Addresses(ctx context.Context, userID, userAgent string) ([]string, error) {
	return r.addresses(ctx, userID, func(s Session) bool { return s.UserAgent == userAgent })
}

// LiveAddresses returns from where a user has sessions that are live at now,
// of the newest thousand.
func (r Reader) LiveAddresses(ctx context.Context, userID string, now time.Time) ([]string, error) {
	return r.addresses(ctx, userID, func(s Session) bool {
		return s.RevokedAt.IsZero() && now.Before(s.ExpiresAt.Time)
	})
}

// addresses looks through so many sessions and no more, however many there are.
func (r Reader) addresses(ctx context.Context, userID string, is func(Session) bool) ([]string, error) {
	var sessions []Session
	err := r.bun.NewSelect().Conn(r.conn).Model(&sessions).
		Column("ip_address", "user_agent", "revoked_at", "expires_at").
		Where("user_id = ?", userID).OrderExpr("id DESC").Limit(recentSessions).Scan(ctx)
	var found []string
	for _, s := range sessions {
		if is(s) && !slices.Contains(found, s.IPAddress) {
			found = append(found, s.IPAddress)
		}
	}
	return found, translate(err)
}

// InsertSession adds a session.
func (tx *Tx) InsertSession(ctx context.Context, s *Session) error {
	return insert(ctx, tx, s)
}

// SaveSession writes every column of s but when it was ended, which is for
// [Tx.RevokeSession].
func (tx *Tx) SaveSession(ctx context.Context, s *Session) error {
	if err := tx.changeSessions(ctx, "id = ?", s.ID); err != nil {
		return err
	}
	return save(ctx, tx, s, "revoked_at")
}

// RevokeSession ends a session; it says whether the session was live until now.
func (tx *Tx) RevokeSession(ctx context.Context, id, reason string, now time.Time) (bool, error) {
	n, err := tx.revokeSessions(ctx, reason, now, "id = ? AND revoked_at IS NULL", id)
	return n > 0, err
}

// RevokeSessions ends the live sessions of a user except one (which may be
// "") and returns how many there were.
func (tx *Tx) RevokeSessions(
	ctx context.Context, userID, except, reason string, now time.Time,
) (int64, error) {
	return tx.revokeSessions(ctx, reason, now, "user_id = ? AND id <> ? AND revoked_at IS NULL", userID, except)
}

// ExpireSession has a session that has not been used since a time expire at now, if
// it would later.
func (tx *Tx) ExpireSession(ctx context.Context, id string, since, now time.Time) error {
	const where = "id = ? AND last_activity_at <= ? AND expires_at > ?"
	if err := tx.changeSessions(ctx, where, id, At(since), At(now)); err != nil {
		return err
	}
	_, err := tx.bun.NewUpdate().Conn(tx.conn).Model((*Session)(nil)).
		Set("expires_at = ?", At(now)).Set("updated_at = ?", At(now)).Where(where, id, At(since), At(now)).Exec(ctx)
	return translate(err)
}

func (tx *Tx) revokeSessions(ctx context.Context, reason string, now time.Time, where string, args ...any) (int64, error) {
	if err := tx.changeSessions(ctx, where, args...); err != nil {
		return 0, err
	}
	res, err := tx.bun.NewUpdate().Conn(tx.conn).Model((*Session)(nil)).
		Set("revoked_at = ?", At(now)).Set("updated_at = ?", At(now)).
		Set("revoked_reason = ?", reason).Where(where, args...).Exec(ctx)
	if err != nil {
		return 0, translate(err)
	}
	return res.RowsAffected()
}

// TouchSession notes when a session was last used; it need not exist.
func (tx *Tx) TouchSession(ctx context.Context, id string, at time.Time) error {
	var tokenHash string
	err := tx.conn.hotRow(ctx, `UPDATE sessions SET last_activity_at = ?
		WHERE id = ? AND last_activity_at < ? RETURNING token_hash`,
		At(at).UnixMilli(), id, At(at).UnixMilli()).Scan(&tokenHash)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	tx.change(sessionKey, id)
	tx.change(tokenKey, tokenHash)
	return translate(err)
}

// changeSessions notes that the sessions which where describes change.
func (tx *Tx) changeSessions(ctx context.Context, where string, args ...any) error {
	var sessions []Session
	err := tx.bun.NewSelect().Conn(tx.conn).Model(&sessions).
		Column("id", "token_hash").Where(where, args...).Scan(ctx)
	for _, s := range sessions {
		tx.change(sessionKey, s.ID)
		tx.change(tokenKey, s.TokenHash)
	}
	return translate(err)
}
