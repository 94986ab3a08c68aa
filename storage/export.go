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

// InvitationsBy returns every invitation that a user has made and that is still
// kept, the oldest first.
func (r Reader) InvitationsBy(ctx context.Context, userID string) ([]Invitation, error) {
	return list[Invitation](ctx, r, "created_at, id", "invited_by_id = ?", userID)
}

// MailsTo returns every mail to an address that waits to be sent, without its
// body, the oldest first.
func (r Reader) MailsTo(ctx context.Context, email string) ([]Mail, error) {
	var mails []Mail
	err := r.bun.NewSelect().Conn(r.conn).Model(&mails).ExcludeColumn("body").
		Where("recipient = ?", email).OrderExpr("created_at, id").Scan(ctx)
	return mails, translate(err)
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
