package storage_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// BenchmarkUpdate inserts one event per transaction, from so many callers at once.
func BenchmarkUpdate(b *testing.B) {
	for _, callers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			db, ctx := storagetest.New(b), b.Context()
			spread(b, callers, func() error {
				return db.Update(ctx, func(tx *storage.Tx) error { return tx.InsertEvent(ctx, newEvent()) })
			})
		})
	}
}

// BenchmarkUpdateUser inserts one user per transaction, through bun.
func BenchmarkUpdateUser(b *testing.B) {
	db, ctx := storagetest.New(b), b.Context()
	spread(b, 16, func() error {
		return db.Update(ctx, func(tx *storage.Tx) error { return tx.InsertUser(ctx, newUser()) })
	})
}

// BenchmarkRawSQLiteInsertFull is what an insert costs without storage: one prepared statement, one
// commit each.
func BenchmarkRawSQLiteInsertFull(b *testing.B) {
	path := filepath.Join(b.TempDir(), "raw.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // the file goes with the benchmark
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(b.Context(), "CREATE TABLE events (id TEXT PRIMARY KEY, at BIGINT)")
	if err != nil {
		b.Fatal(err)
	}
	insert, err := db.PrepareContext(b.Context(), "INSERT INTO events (id, at) VALUES (?, ?)")
	if err != nil {
		b.Fatal(err)
	}
	defer insert.Close() //nolint:errcheck // the file goes with the benchmark
	spread(b, 1, func() error {
		_, err := insert.ExecContext(b.Context(), storage.NewID(), noon.UnixMilli())
		return err
	})
}

// BenchmarkSessionByTokenCached looks up the session that was looked up before.
func BenchmarkSessionByTokenCached(b *testing.B) {
	db, ctx := storagetest.New(b), b.Context()
	hash := newWorld(b, db).session.TokenHash
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := db.SessionByToken(ctx, hash); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkSessionByTokenCold looks up a session in the database each time.
func BenchmarkSessionByTokenCold(b *testing.B) {
	db, ctx := storagetest.New(b), b.Context()
	hash := newWorld(b, db).session.TokenHash
	for b.Loop() {
		db.Forget()
		if _, err := db.SessionByToken(ctx, hash); err != nil {
			b.Fatal(err)
		}
	}
}

// spread runs fn b.N times from so many callers and reports commits per second.
func spread(b *testing.B, callers int, fn func() error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	start := time.Now()
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := fn(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "commits/s")
}

// BenchmarkSessionByTokenInTransaction looks up a session on the writer's connection.
func BenchmarkSessionByTokenInTransaction(b *testing.B) {
	db := storagetest.New(b)
	hash := newWorld(b, db).session.TokenHash
	update(b, db, func(ctx context.Context, tx *storage.Tx) error {
		for b.Loop() {
			if _, err := tx.SessionByToken(ctx, hash); err != nil {
				return err
			}
		}
		return nil
	})
}
