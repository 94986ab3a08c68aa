package storage

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// meta is a fact about the database itself.
type meta struct {
	bun.BaseModel `bun:"table:meta"`
	Name          string `bun:",pk"`
	Value         string
}

// secretKeyMark is the name of the mark of the secret key.
const secretKeyMark = "secret_key_mark"

// mark is what the secret key is known by in the database.
func (s secret) mark() string {
	return base64.RawURLEncoding.EncodeToString(s.MAC("meta", "secret key"))
}

// MadeWith says whether the database that o names is there and was made with the secret key of o.
func MadeWith(ctx context.Context, o Options) (is bool, err error) {
	mark, err := markOf(ctx, o)
	return err == nil && mark != "" && mark == newSecret(o.Secret).mark(), err
}

// Made says whether the database that o names is there and was made with a secret key, whichever.
func Made(ctx context.Context, o Options) (is bool, err error) {
	mark, err := markOf(ctx, o)
	return mark != "", err
}

// markOf is the mark in the database that o names, "" if there is none.
func markOf(ctx context.Context, o Options) (mark string, err error) {
	if Missing(o.URL) {
		return "", nil
	}
	db, err := Open(ctx, o)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.knownMark(ctx)
}

// knownMark is the mark of the secret key in the database, "" if there is none.
func (db *DB) knownMark(ctx context.Context) (string, error) {
	tables, err := db.engine.tables(ctx)
	if err != nil || !slices.Contains(tables, "meta") {
		return "", err
	}
	known, err := find[meta](ctx, db.Reader, "name = ?", secretKeyMark)
	switch {
	case errors.Is(err, ErrNotFound):
		return "", nil
	case err != nil:
		return "", err
	}
	return known.Value, nil
}

// FitsSecret is [ErrSecretKey] where the database was made with another secret key. It writes
// nothing.
func (db *DB) FitsSecret(ctx context.Context) error {
	mark, err := db.knownMark(ctx)
	if err == nil && mark != "" && mark != db.mark() {
		err = ErrSecretKey
	}
	return err
}

// checkSecret records a mark of the secret key in a new database and refuses
// a key with another mark: sealed columns could not be opened with it.
func (db *DB) checkSecret(ctx context.Context) error {
	mark := db.mark()
	return db.Update(ctx, func(tx *Tx) error {
		known, err := find[meta](ctx, tx.Reader, "name = ?", secretKeyMark)
		if errors.Is(err, ErrNotFound) {
			return insert(ctx, tx, &meta{Name: secretKeyMark, Value: mark})
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
