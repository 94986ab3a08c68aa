package storage

import (
	"context"

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
}

// Events returns at most limit events, the newest first.
func (r Reader) Events(ctx context.Context, limit int) ([]Event, error) {
	var events []Event
	err := r.bun.NewSelect().Conn(r.conn).Model(&events).
		OrderExpr("at DESC, id DESC").Limit(int64(limit)).Scan(ctx)
	return events, translate(err)
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
