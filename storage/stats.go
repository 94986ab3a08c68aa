package storage

import (
	"database/sql"
	"os"
	"sync/atomic"
)

// Stats is how the database has fared in this process.
type Stats struct {
	Engine       string // sqlite or postgres
	Transactions int64  // that took effect
	Commits      int64  // by which they did; on SQLite many share one
	Refused      int64  // because too many waited
	Waiting      int64  // for their commit, now
	Failing      bool   // the last write was refused by the disk, or nobody answers
	WAL          int64  // bytes of SQLite's log
	Pool         sql.DBStats
}

// Stats returns how the database has fared.
func (db *DB) Stats() Stats { return db.engine.stats() }

// tally counts transactions.
type tally struct{ transactions, commits, refused atomic.Int64 }

func (t *tally) stats(engine string, pool *sql.DB) Stats {
	return Stats{
		Engine: engine, Transactions: t.transactions.Load(), Commits: t.commits.Load(), Refused: t.refused.Load(),
		Pool: pool.Stats(),
	}
}

func (e *sqliteEngine) stats() Stats {
	s := e.writer.tally.stats("sqlite", e.pool)
	s.Waiting, s.Failing = e.writer.waiting.Load(), e.writer.ailing() != nil
	if info, err := os.Stat(e.path + "-wal"); err == nil {
		s.WAL = info.Size()
	}
	return s
}

func (e *postgresEngine) stats() Stats {
	s := e.tally.stats("postgres", e.pool)
	s.Failing = e.lines.isDown()
	return s
}

// ears is what hears of events.
type ears struct{ hear atomic.Pointer[func(*Event)] }

// OnEvent has hear called with each event that this process has recorded, once that is
// durable. It must not wait for anything.
func (db *DB) OnEvent(hear func(*Event)) { db.engine.hearing().hear.Store(&hear) }

func (e *sqliteEngine) hearing() *ears   { return &e.writer.ears }
func (e *postgresEngine) hearing() *ears { return &e.ears }

// tell tells of an event, if anybody wants to hear.
func (tx *Tx) tell(e *Event) {
	if hear := tx.ears.hear.Load(); hear != nil {
		tx.AfterCommit(func() { (*hear)(e) })
	}
}
