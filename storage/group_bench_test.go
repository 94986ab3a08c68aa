package storage_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// BenchmarkGroupCommit compares what storage commits in a second with what the same inserts do
// without it, on the same database: on SQLite a writer made by hand, which takes all that waits
// into one transaction; on PostgreSQL, which shares the flushes of its transactions by itself, a
// connection per caller. The two take turns, since a machine is busy now and then, and what is
// reported are medians. PostgreSQL flushes for
//
//	AUTHY_TEST_FSYNC=on go test ./storage -run '^$' -bench GroupCommit -benchtime 30x
func BenchmarkGroupCommit(b *testing.B) {
	for _, engine := range storagetest.Engines {
		for _, callers := range []int{1, 16, 128} {
			b.Run(fmt.Sprintf("%s/callers=%d", engine, callers), func(b *testing.B) {
				db, ctx := again(b, storagetest.Migrated(b, engine)), b.Context()
				authy := func() error {
					return db.Update(ctx, func(tx *storage.Tx) error { return tx.InsertEvent(ctx, newEvent()) })
				}
				raw := rawInserts(b, engine, storagetest.Migrated(b, engine), callers)
				inAuthy, inRaw := []float64{}, []float64{}
				for b.Loop() {
					inAuthy = append(inAuthy, burst(b, callers, authy))
					inRaw = append(inRaw, burst(b, callers, raw))
				}
				slices.Sort(inAuthy)
				slices.Sort(inRaw)
				b.ReportMetric(inAuthy[len(inAuthy)/2], "commits/s")
				b.ReportMetric(inRaw[len(inRaw)/2], "raw-commits/s")
				b.ReportMetric(inAuthy[len(inAuthy)/2]/inRaw[len(inRaw)/2], "of-raw")
			})
		}
	}
}

// burst has so many callers commit for a moment, and returns how many commits a second that was.
func burst(b *testing.B, callers int, commit func() error) float64 {
	b.Helper()
	const each = 40
	var all sync.WaitGroup
	began := time.Now()
	for range callers {
		all.Go(func() {
			for range each {
				if err := commit(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	return float64(callers*each) / time.Since(began).Seconds()
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
