package storage_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"authy/storage"
	"authy/storage/storagetest"
)

// BenchmarkGroupCommit compares what storage commits in a second with what the same inserts do
// without it, on the same database and in the same run: on SQLite a writer made by hand, which
// takes all that waits into one transaction; on PostgreSQL, which shares the flushes of its
// transactions by itself, a connection per caller. PostgreSQL flushes for
//
//	AUTHY_TEST_FSYNC=on go test ./storage -run '^$' -bench GroupCommit
func BenchmarkGroupCommit(b *testing.B) {
	for _, engine := range storagetest.Engines {
		for _, callers := range []int{1, 16, 128} {
			b.Run(fmt.Sprintf("%s/callers=%d/authy", engine, callers), func(b *testing.B) {
				db, ctx := again(b, storagetest.Migrated(b, engine)), b.Context()
				spread(b, callers, func() error {
					return db.Update(ctx, func(tx *storage.Tx) error { return tx.InsertEvent(ctx, newEvent()) })
				})
			})
			b.Run(fmt.Sprintf("%s/callers=%d/raw", engine, callers), func(b *testing.B) {
				spread(b, callers, rawInserts(b, engine, storagetest.Migrated(b, engine), callers))
			})
		}
	}
}

const insertEvent = `INSERT INTO events (id, at, action, outcome, reason, actor_kind, actor_id, target_kind,
	target_id, organization_id, ip_address, user_agent, request_id, session_id, details)
	VALUES ($1, $2, 'test', 'success', '', '', '', '', '', '', '', '', '', '', '')`

// rawInserts returns what inserts an event durably.
func rawInserts(b *testing.B, engine, url string, callers int) func() error {
	b.Helper()
	driver, source := "pgx", url
	if engine == "sqlite" {
		driver = "sqlite"
		source = "file:" + strings.TrimPrefix(url, "sqlite://") + "?_pragma=synchronous(FULL)&_pragma=cache_size(-8000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		b.Fatal(err)
	}
	db.SetMaxOpenConns(callers)
	db.SetMaxIdleConns(callers)
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	if engine == "sqlite" {
		return groupWriter(b, db)
	}
	insert, err := db.PrepareContext(b.Context(), insertEvent)
	if err != nil {
		b.Fatal(err)
	}
	return func() error {
		_, err := insert.ExecContext(b.Context(), storage.NewID(), noon.UnixMilli())
		return err
	}
}

// groupWriter is group commit with nothing around it: one goroutine inserts for all who wait, and
// commits once.
func groupWriter(b *testing.B, db *sql.DB) func() error {
	b.Helper()
	ctx := context.WithoutCancel(b.Context())
	conn, err := db.Conn(ctx)
	if err != nil {
		b.Fatal(err)
	}
	insert, err := conn.PrepareContext(ctx, insertEvent)
	if err != nil {
		b.Fatal(err)
	}
	jobs, stopped := make(chan chan error, 256), make(chan error)
	go func() {
		defer close(stopped)
		for first := range jobs {
			group := []chan error{first}
			for more := len(jobs); more > 0; more-- {
				group = append(group, <-jobs)
			}
			err := groupOnce(ctx, conn, insert, len(group))
			for _, done := range group {
				done <- err
			}
		}
		stopped <- errors.Join(insert.Close(), conn.Close())
	}()
	b.Cleanup(func() {
		close(jobs)
		if err := <-stopped; err != nil {
			b.Error(err)
		}
	})
	return func() error {
		done := make(chan error, 1)
		jobs <- done
		return <-done
	}
}

func groupOnce(ctx context.Context, conn *sql.Conn, insert *sql.Stmt, n int) error {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for range n {
		if _, err := insert.ExecContext(ctx, storage.NewID(), noon.UnixMilli()); err != nil {
			return err
		}
	}
	_, err := conn.ExecContext(ctx, "COMMIT")
	return err
}
