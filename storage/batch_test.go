package storage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// refusesPassword fails where an error gives a password away.
func refusesPassword(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error holds the password: %v", err)
	}
}

// batch runs functions as one batch of SQLite's writer, in their order: it keeps the writer busy
// until all of them wait. It returns what Update returned for each, or what it panicked with.
func batch(t *testing.T, db *storage.DB, fns ...func(tx *storage.Tx) error) []any {
	t.Helper()
	busy, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = db.Update(t.Context(), func(*storage.Tx) error { // it changes nothing
			close(busy)
			<-release
			return nil
		})
	})
	<-busy
	results := make([]any, len(fns))
	for i, fn := range fns {
		wg.Go(func() {
			defer func() {
				if panicked := recover(); panicked != nil {
					results[i] = panicked
				}
			}()
			if err := db.Update(t.Context(), fn); err != nil {
				results[i] = err
			}
		})
		eventually(t, 5*time.Second, "the queue", func() bool { return db.Waiting() == i+1 })
	}
	close(release)
	wg.Wait()
	return results
}

func insertUser(u *storage.User) func(tx *storage.Tx) error {
	return func(tx *storage.Tx) error { return tx.InsertUser(context.Background(), u) }
}

// has says whether a user is kept.
func has(t *testing.T, db *storage.DB, u *storage.User) bool {
	t.Helper()
	_, err := db.UserByEmail(t.Context(), u.Email)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func TestWaitingTransactionsShareOneCommit(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	one, two := newUser(), newUser()
	results := batch(t, db, insertUser(one), func(tx *storage.Tx) error {
		if has(t, db, one) {
			t.Error("the first transaction was committed before the second ran")
		}
		if _, err := tx.UserByEmail(t.Context(), one.Email); err != nil {
			t.Errorf("the second does not see the first: %v", err)
		}
		return tx.InsertUser(t.Context(), two)
	})
	if results[0] != nil || results[1] != nil || !has(t, db, one) || !has(t, db, two) {
		t.Errorf("the batch gave %v", results)
	}
}

func TestAFailureDoesNotHarmItsNeighboursInABatch(t *testing.T) {
	t.Parallel()
	bad := map[string]func(tx *storage.Tx, u *storage.User) error{
		"error": func(tx *storage.Tx, u *storage.User) error {
			return errors.Join(errOurs, tx.InsertUser(context.Background(), u))
		},
		"panic": func(tx *storage.Tx, u *storage.User) error {
			if err := tx.InsertUser(context.Background(), u); err != nil {
				return err
			}
			panic("impossible")
		},
		"unique": func(tx *storage.Tx, u *storage.User) error {
			return first(tx.InsertUser(context.Background(), u), tx.InsertUser(context.Background(), u))
		},
		"its own rollback": func(tx *storage.Tx, u *storage.User) error {
			return first(tx.InsertUser(context.Background(), u), tx.Exec(context.Background(), "ROLLBACK"))
		},
		"cancellation": func(tx *storage.Tx, u *storage.User) error {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			defer cancel()
			err := first(tx.InsertUser(ctx, u), tx.Exec(ctx, slow))
			return errors.Join(err, errOurs)
		},
		"full disk, ignored": func(tx *storage.Tx, u *storage.User) error {
			_ = tx.Exec(context.Background(), "PRAGMA max_page_count = 1")
			_ = tx.Exec(context.Background(), slow)
			_ = tx.InsertUser(context.Background(), u)
			return nil
		},
		"full disk": func(tx *storage.Tx, u *storage.User) error {
			return first(tx.InsertUser(context.Background(), u),
				tx.Exec(context.Background(), "PRAGMA max_page_count = 1"),
				tx.Exec(context.Background(), slow))
		},
	}
	for name, fail := range bad {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := storagetest.New(t)
			before, failed, after := newUser(), newUser(), newUser()
			results := batch(t, db, insertUser(before),
				func(tx *storage.Tx) error { return fail(tx, failed) },
				func(tx *storage.Tx) error {
					ctx := context.Background()
					return first(tx.Exec(ctx, "PRAGMA max_page_count = 1000000"), tx.InsertUser(ctx, after))
				})
			if results[0] != nil || results[2] != nil {
				t.Errorf("its neighbours: %v, %v, want success", results[0], results[2])
			}
			if results[1] == nil {
				t.Error("the transaction succeeded, want its failure")
			}
			if !has(t, db, before) || has(t, db, failed) || !has(t, db, after) {
				t.Errorf("kept: before %v, failed %v, after %v; want true, false, true",
					has(t, db, before), has(t, db, failed), has(t, db, after))
			}
		})
	}
}

func TestAFullDiskIsUnavailableAndGetsWell(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	execute(t, db, "PRAGMA max_page_count = 1")
	err := db.Update(t.Context(), func(tx *storage.Tx) error { return tx.Exec(t.Context(), slow) })
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a write to a full disk: %v, want ErrUnavailable", err)
	}
	if n := count(t, db, "meta"); n != "1" {
		t.Errorf("%s facts, want the one there was", n)
	}
	execute(t, db, "PRAGMA max_page_count = 1000000")
	u := newUser()
	update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertUser(ctx, u) })
}

func TestABatchWaitsOnceForAnotherProcess(t *testing.T) {
	t.Parallel()
	here, there := pair(t, "sqlite")
	execute(t, here, "PRAGMA busy_timeout = 300")
	holding, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = there.Update(t.Context(), func(*storage.Tx) error { // it changes nothing
			close(holding)
			<-release
			return nil
		})
	})
	<-holding
	start := time.Now()
	var fns []func(tx *storage.Tx) error
	for range 10 {
		fns = append(fns, insertUser(newUser()))
	}
	results := make([]error, len(fns))
	parallel(len(fns), func(i int) { results[i] = here.Update(t.Context(), fns[i]) })
	took := time.Since(start)
	close(release)
	wg.Wait()
	for _, err := range results {
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("a transaction beside a process that does not let go: %v, want ErrUnavailable", err)
		}
	}
	if took > 2*time.Second {
		t.Errorf("%d transactions waited %v, want about 600ms", len(fns), took)
	}
	if err := here.Update(t.Context(), insertUser(newUser())); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestMoreTransactionsThanOneBatchAllCommit(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	const n = 600
	parallel(n, func(int) {
		if err := db.Update(t.Context(), insertUser(newUser())); err != nil {
			t.Errorf("insert: %v", err)
		}
	})
	if got := count(t, db, "users"); got != fmt.Sprint(n) {
		t.Errorf("%s users, want %d", got, n)
	}
}
