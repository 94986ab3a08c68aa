package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Event is one row of the audit log.
type Event struct {
	bun.BaseModel  `bun:"table:events"`
	ID             string `bun:",pk"`
	At             Time
	Action         string
	Outcome        string
	Reason         string
	ActorKind      string
	ActorID        string
	TargetKind     string
	TargetID       string
	OrganizationID string
	IPAddress      string `bun:"ip_address"`
	UserAgent      string
	RequestID      string
	SessionID      string
	Details        string // a JSON object, "" for none
	// Seq and Hash are zero until the event is linked into the chain.
	Seq  int64 `bun:",nullzero"`
	Hash string
}

// EventFilter says which events to list; what is zero lets everything through.
type EventFilter struct {
	Actor, Target, Action, Outcome, Organization string
	From, To                                     time.Time // To itself is out
}

// EventKey is the place of an event in lists; the zero key is before the first.
type EventKey struct {
	At Time
	ID string
}

// Events returns at most limit events, the newest first.
func (r Reader) Events(ctx context.Context, limit int) ([]Event, error) {
	var events []Event
	err := r.bun.NewSelect().Conn(r.conn).Model(&events).
		OrderExpr("at DESC, id DESC").Limit(int64(limit)).Scan(ctx)
	return events, translate(err)
}

// Event returns the event with an id; [ErrNotFound] if there is none.
func (r Reader) Event(ctx context.Context, id string) (*Event, error) {
	var e Event
	if err := r.bun.NewSelect().Conn(r.conn).Model(&e).Where("id = ?", id).Scan(ctx); err != nil {
		return nil, translate(err)
	}
	return &e, nil
}

// EventsMatching returns at most limit events that f lets through and that come
// after a place, the newest first.
func (r Reader) EventsMatching(ctx context.Context, f EventFilter, after EventKey, limit int) ([]Event, error) {
	var events []Event
	err := r.matching(&events, f, after, limit).Scan(ctx)
	return events, translate(err)
}

func (r Reader) matching(events *[]Event, f EventFilter, after EventKey, limit int) *bun.SelectQuery {
	q := r.bun.NewSelect().Conn(r.conn).Model(events).OrderExpr("at DESC, id DESC").Limit(int64(limit))
	f.narrow(q)
	if f.Outcome != "" {
		q.Where("outcome = ?", f.Outcome)
	}
	if !f.From.IsZero() {
		q.Where("at >= ?", f.From.UnixMilli())
	}
	// One upper bound, the lower of the two: SQLite would begin at the other.
	switch {
	case after.ID != "" && (f.To.IsZero() || after.At.UnixMilli() < f.To.UnixMilli()):
		q.Where("(at, id) < (?, ?)", after.At, after.ID)
	case !f.To.IsZero():
		q.Where("at < ?", f.To.UnixMilli())
	}
	return q
}

// narrow adds whose events are meant, and what happened. The narrowest of the
// filters chooses the index: SQLite, which knows nothing of how many events
// each has, would take the last that was made. A comparison with a text that
// was put together has no index.
func (f EventFilter) narrow(q *bun.SelectQuery) {
	with := "? = ?"
	for _, one := range []struct{ column, value string }{
		{"target_id", f.Target}, {"actor_id", f.Actor}, {"organization_id", f.Organization}, {"action", f.Action},
	} {
		if one.value == "" {
			continue
		}
		q.Where(with, bun.Ident(one.column), one.value)
		switch {
		case one.column == "organization_id" && with == "? = ?":
			q.Where("organization_id <> ''") // what the indexes hold; that of the action as well
		default:
			with = "? || '' = ?"
		}
	}
}

// InsertEvent adds an event.
func (tx *Tx) InsertEvent(ctx context.Context, e *Event) error {
	_, err := tx.conn.hot(ctx, `INSERT INTO events (id, at, action, outcome, reason, actor_kind,
		actor_id, target_kind, target_id, organization_id, ip_address, user_agent, request_id,
		session_id, details) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.ID, e.At.UnixMilli(), e.Action, e.Outcome, e.Reason, e.ActorKind,
		e.ActorID, e.TargetKind, e.TargetID, e.OrganizationID, e.IPAddress, e.UserAgent, e.RequestID,
		e.SessionID, e.Details)
	if err != nil {
		return translate(err)
	}
	tx.tell(e)
	return nil
}
