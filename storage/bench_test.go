package storage_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"runtime"
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

// BenchmarkCachedSessionSize is how much memory a session takes that was looked up, in the cache
// and in what finds it there.
func BenchmarkCachedSessionSize(b *testing.B) {
	const n = 15_000
	url := storagetest.URL(b, "sqlite")
	storagetest.Fill(b, url, storagetest.Size{Users: n, Sessions: n, Events: 1000})
	for b.Loop() {
		db := again(b, url)
		if _, err := db.Migrate(b.Context(), storagetest.Files(b)); err != nil {
			b.Fatal(err)
		}
		hashes := texts(b, db, "SELECT token_hash FROM sessions")
		before := heap()
		for _, hash := range hashes {
			if _, err := db.SessionByToken(b.Context(), hash); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(heap()-before)/float64(len(hashes)), "B/session")
	}
}

// heap is how many bytes are in use after all that is not has gone.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
