package storage

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"time"

	"github.com/uptrace/bun"
)

// meta is a fact about the database itself.
type meta struct {
	bun.BaseModel `bun:"table:meta"`
	Name          string `bun:",pk"`
	Value         string
}

// checkSecret records a mark of the secret key in a new database and refuses
// a key with another mark: sealed columns could not be opened with it.
func (db *DB) checkSecret(ctx context.Context) error {
	mark := base64.RawURLEncoding.EncodeToString(db.MAC("meta", "secret key"))
	return db.Update(ctx, func(tx *Tx) error {
		known, err := find[meta](ctx, tx.Reader, "name = ?", "secret_key_mark")
		if errors.Is(err, ErrNotFound) {
			return insert(ctx, tx, &meta{Name: "secret_key_mark", Value: mark})
		}
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare([]byte(known.Value), []byte(mark)) != 1 {
			return ErrSecretKey
		}
		return nil
	})
}

// TryWriting writes something and is nil once that is durable; [ErrUnavailable]
// says why it is not.
func (db *DB) TryWriting(ctx context.Context) error { return db.Update(ctx, tryWriting(time.Now())) }

// tryWriting writes when it was tried.
func tryWriting(now time.Time) func(tx *Tx) error {
	return func(tx *Tx) error {
		_, err := tx.conn.hot(context.Background(), `INSERT INTO meta (name, value) VALUES ('tried_writing', ?)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, now.UTC().Format(time.RFC3339Nano))
		return translate(err)
	}
}
