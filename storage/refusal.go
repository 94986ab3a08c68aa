package storage

import (
	"context"
	"database/sql/driver"

	"github.com/uptrace/bun"
)

// Refusal is why an authorization request of a client was refused: the first of
// a second, and how many there were in it.
type Refusal struct {
	bun.BaseModel `bun:"table:refusals"`
	ID            string `bun:",pk"`
	ClientID      string // the client's row
	At            Time   // whole seconds; unique for a client
	Count         int64
	Code          string
	Parameter     string // which is at fault, "" for none
	Description   string
	Sent          string // as the value of it
	Registered    Texts  // what would have been right
	ExpiresAt     Time
}

// Texts is a list of texts, kept as JSON; "" is an empty one.
type Texts []string

// Value implements [driver.Valuer].
func (t Texts) Value() (driver.Value, error) { return toJSON(t) }

// Scan implements [database/sql.Scanner].
func (t *Texts) Scan(src any) error { return fromJSON(t, src) }

// Refusals returns at most limit refusals of the client with a row, the newest
// first.
func (r Reader) Refusals(ctx context.Context, clientRow string, limit int) ([]Refusal, error) {
	var refusals []Refusal
	err := r.bun.NewSelect().Conn(r.conn).Model(&refusals).
		Where("client_id = ?", clientRow).OrderExpr("at DESC").Limit(int64(limit)).Scan(ctx)
	return refusals, translate(err)
}

// InsertRefusal adds a refusal, or its count to that of the same client and second.
func (tx *Tx) InsertRefusal(ctx context.Context, f *Refusal) error {
	registered, err := f.Registered.Value()
	if err != nil {
		return err
	}
	_, err = tx.conn.hot(ctx, `INSERT INTO refusals (id, client_id, at, count, code, parameter, description, sent,
		registered, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (client_id, at) DO UPDATE SET count = refusals.count + excluded.count`,
		f.ID, f.ClientID, f.At.UnixMilli(), f.Count, f.Code, f.Parameter, f.Description, f.Sent,
		registered, f.ExpiresAt.UnixMilli())
	return translate(err)
}

// DeleteOldRefusals deletes all refusals of the client with a row but the newest,
// of which it keeps so many.
func (tx *Tx) DeleteOldRefusals(ctx context.Context, clientRow string, keep int) error {
	_, err := tx.conn.hot(ctx, `DELETE FROM refusals WHERE client_id = ? AND at <=
		(SELECT at FROM refusals WHERE client_id = ? ORDER BY at DESC LIMIT 1 OFFSET ?)`, clientRow, clientRow, keep)
	return translate(err)
}
