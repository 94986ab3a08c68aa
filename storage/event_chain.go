package storage

import (
	"context"

	"github.com/uptrace/bun"
)

// EventHead is the end of the chain of events. There is one, once an event has
// been linked.
type EventHead struct {
	bun.BaseModel `bun:"table:event_heads"`
	Name          string `bun:",pk"`
	Seq           int64
	Hash          string
	Mark          string // shows that the server wrote it
}

// headName is the key of the one head.
const headName = "events"

// EventHead returns the end of the chain; [ErrNotFound] before there is one.
func (r Reader) EventHead(ctx context.Context) (*EventHead, error) {
	return find[EventHead](ctx, r, "name = ?", headName)
}

// UnlinkedEvents returns at most limit events that are not in the chain yet,
// the oldest id first.
func (r Reader) UnlinkedEvents(ctx context.Context, limit int) ([]Event, error) {
	var events []Event
	err := r.bun.NewSelect().Conn(r.conn).Model(&events).
		Where("seq IS NULL").OrderExpr("id").Limit(int64(limit)).Scan(ctx)
	return events, translate(err)
}

// CountUnlinkedEvents returns how many events are not in the chain yet.
func (r Reader) CountUnlinkedEvents(ctx context.Context) (n int64, err error) {
	err = r.conn.hotRow(ctx, "SELECT count(*) FROM events WHERE seq IS NULL").Scan(&n)
	return n, translate(err)
}

// LinkedEvents returns at most limit events of the chain after a seq, in order.
func (r Reader) LinkedEvents(ctx context.Context, after int64, limit int) ([]Event, error) {
	var events []Event
	err := r.bun.NewSelect().Conn(r.conn).Model(&events).
		Where("seq > ?", after).OrderExpr("seq").Limit(int64(limit)).Scan(ctx)
	return events, translate(err)
}

// LastLinkedEvent returns the greatest seq of an event, 0 if there is none.
func (r Reader) LastLinkedEvent(ctx context.Context) (seq int64, err error) {
	err = r.conn.hotRow(ctx, `SELECT COALESCE((SELECT seq FROM events WHERE seq IS NOT NULL
		ORDER BY seq DESC LIMIT 1), 0)`).Scan(&seq)
	return seq, translate(err)
}

// SaveEventLinks writes the Seq and Hash of events that are not in the chain
// yet. [ErrNotFound] if one of them is gone, or was linked meanwhile.
func (tx *Tx) SaveEventLinks(ctx context.Context, events []Event) error {
	linked := tx.bun.NewValues(&events).Column("id", "seq", "hash")
	res, err := tx.bun.NewUpdate().Conn(tx.conn).With("linked", linked).Model((*Event)(nil)).
		TableExpr("linked").Set("seq = linked.seq").Set("hash = linked.hash").
		Where("event.id = linked.id").Where("event.seq IS NULL").Exec(ctx)
	if err != nil {
		return translate(err)
	}
	n, err := res.RowsAffected()
	if err == nil && n != int64(len(events)) {
		return ErrNotFound
	}
	return err
}

// SaveEventHead writes the end of the chain.
func (tx *Tx) SaveEventHead(ctx context.Context, h *EventHead) error {
	h.Name = headName
	_, err := tx.bun.NewInsert().Conn(tx.conn).Model(h).
		On("CONFLICT (name) DO UPDATE").Set("seq = EXCLUDED.seq").Set("hash = EXCLUDED.hash").
		Set("mark = EXCLUDED.mark").Exec(ctx)
	return translate(err)
}
