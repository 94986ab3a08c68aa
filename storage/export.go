package storage

import "context"

// These lookups list all that is kept about a user. They are for their
// export, not for anything that runs often.

// Sessions returns every session of a user that is still kept, the oldest first.
func (r Reader) Sessions(ctx context.Context, userID string) ([]Session, error) {
	return list[Session](ctx, r, "created_at, id", "user_id = ?", userID)
}

// Grants returns every grant of a user that is still kept, the oldest first.
func (r Reader) Grants(ctx context.Context, userID string) ([]Grant, error) {
	return list[Grant](ctx, r, "created_at, id", "user_id = ?", userID)
}

// EventsBy returns at most limit events of which an actor was the doer, the
// newest first.
func (r Reader) EventsBy(ctx context.Context, actorID string, limit int) ([]Event, error) {
	return r.newest(ctx, limit, "actor_id = ?", actorID)
}

// EventsAbout returns at most limit events that others did to a target, the
// newest first.
func (r Reader) EventsAbout(ctx context.Context, targetID string, limit int) ([]Event, error) {
	return r.newest(ctx, limit, "target_id = ? AND actor_id <> ?", targetID, targetID)
}

func (r Reader) newest(ctx context.Context, limit int, where string, args ...any) ([]Event, error) {
	var events []Event
	err := r.bun.NewSelect().Conn(r.conn).Model(&events).Where(where, args...).
		OrderExpr("at DESC, id DESC").Limit(int64(limit)).Scan(ctx)
	return events, translate(err)
}
