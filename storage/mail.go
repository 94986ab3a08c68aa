package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Mail is a message that waits to be sent; one that was is deleted.
type Mail struct {
	bun.BaseModel `bun:"table:mails"`
	ID            string `bun:",pk"`
	Recipient     string // an address
	Kind          string // what it says
	Sealed        string `bun:"body"`
	Body          []byte `bun:"-"` // sealed in the database: it holds links
	Attempts      int64  // to send it, the present one included
	LastError     string // of the attempt before
	Network       string // of a stranger who had it sent, "" of anybody else
	CreatedAt     Time
	NextAt        Time // of the next attempt
	ExpiresAt     Time // when it is of no use any more
}

// DueMails returns at most limit mails that are to be sent at now, the longest
// due first, without their bodies.
func (r Reader) DueMails(ctx context.Context, limit int, now time.Time) ([]Mail, error) {
	var mails []Mail
	err := r.bun.NewSelect().Conn(r.conn).Model(&mails).ExcludeColumn("body").
		Where("next_at <= ?", At(now)).OrderExpr("next_at, id").Limit(int64(limit)).Scan(ctx)
	return mails, translate(err)
}

// Mails returns at most limit mails with ids after the given one, in their
// order, without their bodies.
func (r Reader) Mails(ctx context.Context, after string, limit int) ([]Mail, error) {
	var mails []Mail
	err := r.bun.NewSelect().Conn(r.conn).Model(&mails).ExcludeColumn("body").
		Where("id > ?", after).OrderExpr("id").Limit(int64(limit)).Scan(ctx)
	return mails, translate(err)
}

// InsertMail adds a mail, sealed.
func (tx *Tx) InsertMail(ctx context.Context, m *Mail) error {
	m.Sealed = tx.seals.seal(mailCell(m.ID), m.Body)
	return insert(ctx, tx, m)
}

// LeaseMail gives the caller a mail that is due until the given time, and
// counts the attempt; [ErrNotFound] says that someone else was first.
func (tx *Tx) LeaseMail(ctx context.Context, m Mail, until time.Time) (*Mail, error) {
	res, err := tx.conn.hot(ctx, "UPDATE mails SET next_at = ?, attempts = attempts + 1 WHERE id = ? AND next_at = ?",
		At(until).UnixMilli(), m.ID, m.NextAt.UnixMilli())
	if err != nil {
		return nil, translate(err)
	}
	if err := one(res); err != nil {
		return nil, err
	}
	leased, err := find[Mail](ctx, tx.Reader, "id = ?", m.ID)
	if err != nil {
		return nil, err
	}
	leased.Body, err = tx.seals.open(mailCell(m.ID), leased.Sealed)
	return leased, err
}

// DelayMail notes why a leased mail was not sent, and when to try again.
func (tx *Tx) DelayMail(ctx context.Context, m *Mail, next time.Time, why string) error {
	_, err := tx.conn.hot(ctx, "UPDATE mails SET next_at = ?, last_error = ? WHERE id = ? AND next_at = ?",
		At(next).UnixMilli(), why, m.ID, m.NextAt.UnixMilli())
	return translate(err)
}

// DeleteMail deletes a mail; [ErrNotFound] says that it is gone.
func (tx *Tx) DeleteMail(ctx context.Context, id string) error {
	n, err := remove[Mail](ctx, tx, "id = ?", id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

func mailCell(id string) string { return "mails.body." + id }
