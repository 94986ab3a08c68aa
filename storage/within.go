package storage

import "context"

// In returns db as a transaction of it sees and changes it, so that services over it
// take part in tx: what they read is what tx has written, and each Update of theirs is
// a part of it. Whoever does that fails tx when one of them fails, since what that had
// written until then is not taken back by itself. It is as short-lived as tx.
func (db *DB) In(tx *Tx) *DB {
	return &DB{
		Reader: tx.Reader, secret: db.secret, engine: within{db.engine, tx},
		close: func() error { return nil },
	}
}

// within is an engine whose transactions are parts of one.
type within struct {
	engine
	tx *Tx
}

func (w within) update(_ context.Context, fn func(*Tx) error) error { return fn(w.tx) }

func (w within) updateFor(_ context.Context, _ string, fn func(*Tx) error) error { return fn(w.tx) }

func (w within) updateAll(_ context.Context, fn func(*Tx) error) error { return fn(w.tx) }

func (w within) chain(_ context.Context, fn func(*Tx) error) error { return fn(w.tx) }

// Alone runs fn while no other process that shares the database runs one: a change of
// the schema, or of everything that a file says.
func (db *DB) Alone(ctx context.Context, fn func() error) error { return db.engine.alone(ctx, fn) }
