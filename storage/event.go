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

// EventsMatching returns at most limit events that f lets through and that come
// after a place, the newest first.
func (r Reader) EventsMatching(ctx context.Context, f EventFilter, after EventKey, limit int) ([]Event, error) {
	var events []Event
	err := r.matching(&events, f, after, limit).Scan(ctx)
	return events, translate(err)
}

func (r Reader) matching(events *[]Event, f EventFilter, after EventKey, limit int) *bun.SelectQuery {
	q := r.bun.NewSelect().Conn(r.conn).Model(events).OrderExpr("at DESC, id DESC").Limit(int64(limit))
	for column, value := range map[string]string{
		"actor_id": f.Actor, "target_id": f.Target, "action": f.Action, "outcome": f.Outcome,
		"organization_id": f.Organization,
	} {
		if value != "" {
			q.Where("? = ?", bun.Ident(column), value)
		}
	}
	if f.Organization != "" {
		q.Where("organization_id <> ''") // what the index holds
	}
	if !f.From.IsZero() {
		q.Where("at >= ?", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		q.Where("at < ?", f.To.UnixMilli())
	}
	if after.ID != "" {
		q.Where("(at, id) < (?, ?)", after.At, after.ID)
	}
	return q
}

// InsertEvent adds an event.
func (tx *Tx) InsertEvent(ctx context.Context, e *Event) error {
	_, err := tx.conn.hot(ctx, `INSERT INTO events (id, at, action, outcome, reason, actor_kind,
		actor_id, target_kind, target_id, organization_id, ip_address, user_agent, request_id,
		session_id, details) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.ID, e.At.UnixMilli(), e.Action, e.Outcome, e.Reason, e.ActorKind,
		e.ActorID, e.TargetKind, e.TargetID, e.OrganizationID, e.IPAddress, e.UserAgent, e.RequestID,
		e.SessionID, e.Details)
	return translate(err)
}
