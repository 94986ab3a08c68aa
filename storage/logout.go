package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// Visit is a client that a user has gone to in a session, and that wants to
// hear of its end.
type Visit struct {
	bun.BaseModel `bun:"table:visits"`
	SessionID     string `bun:",pk"`
	ClientID      string `bun:",pk"` // the client's row
	Subject       string // who the user is to the client
	CreatedAt     Time
	CheckAt       Time // when the session is looked at next
}

// The states of a logout.
const (
	LogoutSent      = "sent"     // on its way for the first time
	LogoutRetrying  = "retrying" // tried, and to be tried again
	LogoutDelivered = "delivered"
	LogoutFailed    = "failed" // given up
)

// Logout is what an application is told, or was told, of the end of a session: a
// client, or a SAML service. It outlives the session and its user.
type Logout struct {
	bun.BaseModel `bun:"table:logouts"`
	ID            string `bun:",pk"`
	ClientID      Ref    // the client's row; "" for a service
	ServiceID     Ref    // "" for a client
	UserID        string
	Subject       string // who the user is to the application
	NameIDFormat  string `bun:"name_id_format"` // of the subject, for a service
	SessionID     string
	SessionIndex  string // the visit to a service
	URI           string `bun:"uri"` // where the application wanted to be told
	State         string
	Attempts      int64  // to tell it, the present one included
	LastError     string // of the last attempt
	CreatedAt     Time
	NextAt        Time // of the next attempt; zero if there is none
	DeliveredAt   Time
	ExpiresAt     Time // when it is forgotten
}

// Party is the row of the application that is told.
func (l *Logout) Party() string { return string(l.ClientID + l.ServiceID) }

// Visits returns the clients that wait to hear of the end of a session.
func (r Reader) Visits(ctx context.Context, sessionID string) ([]Visit, error) {
	return list[Visit](ctx, r, "client_id", "session_id = ?", sessionID)
}

// VisitsOf returns the clients that wait to hear of the end of a user's sessions.
func (r Reader) VisitsOf(ctx context.Context, userID string) ([]Visit, error) {
	return list[Visit](ctx, r, "session_id, client_id", "session_id IN (SELECT id FROM sessions WHERE user_id = ?)", userID)
}

// SessionsToCheck returns the sessions of at most limit visits to clients, and as many
// to services, that are to be looked at at now, the longest due first.
func (r Reader) SessionsToCheck(ctx context.Context, now time.Time, limit int) ([]Session, error) {
	const due = "SELECT session_id FROM (SELECT session_id FROM %s WHERE check_at <= ? ORDER BY check_at, session_id LIMIT ?) AS %s"
	where := fmt.Sprintf("id IN ("+due+" UNION ALL "+due+")", "visits", "due_visits", "service_visits", "due_service_visits")
	return list[Session](ctx, r, "id", where, At(now), limit, At(now), limit)
}

// DueLogouts returns at most limit logouts in a state that are to be tried at
// now, the longest due first, without those for some parties.
func (r Reader) DueLogouts(ctx context.Context, state string, without []string, limit int, now time.Time) ([]Logout, error) {
	var due []Logout
	q := r.bun.NewSelect().Conn(r.conn).Model(&due).Where("state = ? AND next_at <= ?", state, At(now))
	if len(without) > 0 {
		q.Where("COALESCE(client_id, service_id) NOT IN (?)", bun.List(without))
	}
	err := q.OrderExpr("next_at, id").Limit(int64(limit)).Scan(ctx)
	return due, translate(err)
}

// LogoutsOf returns the logouts that a session's end made.
func (r Reader) LogoutsOf(ctx context.Context, sessionID string) ([]Logout, error) {
	return list[Logout](ctx, r, "id", "session_id = ?", sessionID)
}

// LogoutFilter says which logouts are meant; its zero value means all.
type LogoutFilter struct{ ClientID, ServiceID, UserID string } // their rows

// Logouts returns at most limit logouts of a filter with ids before the given
// one (which may be ""), the newest first.
func (r Reader) Logouts(ctx context.Context, f LogoutFilter, before string, limit int) ([]Logout, error) {
	var logouts []Logout
	q := r.bun.NewSelect().Conn(r.conn).Model(&logouts)
	if f.ClientID != "" {
		q.Where("client_id = ?", f.ClientID)
	}
	if f.ServiceID != "" {
		q.Where("service_id = ?", f.ServiceID)
	}
	if f.UserID != "" {
		q.Where("user_id = ?", f.UserID)
	}
	if before != "" {
		q.Where("id < ?", before)
	}
	err := q.OrderExpr("id DESC").Limit(int64(limit)).Scan(ctx)
	return logouts, translate(err)
}

// InsertVisit notes a client that a user has gone to in a session; going there
// again changes nothing.
func (tx *Tx) InsertVisit(ctx context.Context, v *Visit) error {
	_, err := tx.conn.hot(ctx, `INSERT INTO visits (session_id, client_id, subject, created_at, check_at)
		VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		v.SessionID, v.ClientID, v.Subject, v.CreatedAt.UnixMilli(), v.CheckAt.UnixMilli())
	return translate(err)
}

// CheckVisits has the session of visits, to clients and services, looked at at a time.
func (tx *Tx) CheckVisits(ctx context.Context, sessionID string, at time.Time) error {
	_, err := tx.conn.hot(ctx, "UPDATE visits SET check_at = ? WHERE session_id = ?", At(at).UnixMilli(), sessionID)
	if err != nil {
		return translate(err)
	}
	_, err = tx.conn.hot(ctx, "UPDATE service_visits SET check_at = ? WHERE session_id = ? AND check_at IS NOT NULL",
		At(at).UnixMilli(), sessionID)
	return translate(err)
}

// TakeVisits forgets the clients that were visited in a session and returns
// them, to nobody else again.
func (tx *Tx) TakeVisits(ctx context.Context, sessionID string) ([]Visit, error) {
	return tx.takeVisits(ctx, "session_id = ?", sessionID)
}

// TakeVisitsOf is [Tx.TakeVisits] for every session of a user but one, which
// may be "".
func (tx *Tx) TakeVisitsOf(ctx context.Context, userID, except string) ([]Visit, error) {
	return tx.takeVisits(ctx, "session_id IN (SELECT id FROM sessions WHERE user_id = ? AND id <> ?)", userID, except)
}

func (tx *Tx) takeVisits(ctx context.Context, where string, args ...any) ([]Visit, error) {
	var taken []Visit
	_, err := tx.bun.NewDelete().Conn(tx.conn).Model(&taken).Where(where, args...).
		Returning("session_id, client_id, subject, created_at, check_at").Exec(ctx, &taken)
	return taken, translate(err)
}

// InsertLogout adds a logout.
func (tx *Tx) InsertLogout(ctx context.Context, l *Logout) error { return insert(ctx, tx, l) }

// TakeLogout gives the caller a logout that is due until the given time, and
// counts the attempt; [ErrNotFound] says that someone else was first.
func (tx *Tx) TakeLogout(ctx context.Context, due Logout, until time.Time) (*Logout, error) {
	res, err := tx.conn.hot(ctx, "UPDATE logouts SET next_at = ?, attempts = attempts + 1 WHERE id = ? AND next_at = ?",
		At(until).UnixMilli(), due.ID, due.NextAt.UnixMilli())
	if err != nil {
		return nil, translate(err)
	}
	if err := one(res); err != nil {
		return nil, err
	}
	return find[Logout](ctx, tx.Reader, "id = ?", due.ID)
}

// SaveLogout writes what became of a logout that the caller has taken until
// the given time; [ErrNotFound] says that somebody else has it by now.
func (tx *Tx) SaveLogout(ctx context.Context, l *Logout, until time.Time) error {
	res, err := tx.bun.NewUpdate().Conn(tx.conn).Model(l).Column("state", "last_error", "next_at", "delivered_at", "uri").
		WherePK().Where("next_at = ?", At(until)).Exec(ctx)
	if err != nil {
		return translate(err)
	}
	return one(res)
}

// DeliverLogout notes that the service of a visit knows of the end of its session, by
// whichever way it has heard.
func (tx *Tx) DeliverLogout(ctx context.Context, sessionID, visitID string, at time.Time) error {
	_, err := tx.conn.hot(ctx, `UPDATE logouts SET state = 'delivered', last_error = '', next_at = NULL, delivered_at = ?
		WHERE session_id = ? AND session_index = ? AND state <> 'delivered'`, At(at).UnixMilli(), sessionID, visitID)
	return translate(err)
}
