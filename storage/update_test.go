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

var errOurs = errors.New("a rule says no")

func TestAnErrorRollsBackAndIsReturnedAsItIs(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		err := db.Update(t.Context(), func(tx *storage.Tx) error {
			if err := tx.InsertUser(t.Context(), newUser()); err != nil {
				return err
			}
			return errOurs
		})
		if err != errOurs { //nolint:errorlint // as it is, not wrapped
			t.Errorf("Update() = %v, want the error itself", err)
		}
		if n := count(t, db, "users"); n != "0" {
			t.Errorf("%s users after a transaction that failed, want 0", n)
		}
	})
}

func TestAPanicRollsBackAndReachesTheCaller(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		func() {
			defer func() {
				if got := recover(); got != "impossible" {
					t.Errorf("the caller recovered %v, want the panic", got)
				}
			}()
			_ = db.Update(t.Context(), func(tx *storage.Tx) error { // it panics
				if err := tx.InsertUser(t.Context(), newUser()); err != nil {
					t.Error(err)
				}
				panic("impossible")
			})
			t.Error("Update returned from a panic")
		}()
		if n := count(t, db, "users"); n != "0" {
			t.Errorf("%s users after a transaction that panicked, want 0", n)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertUser(ctx, newUser()) })
	})
}

func TestATransactionSeesItsOwnWritesAndOthersDoNot(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		u := newUser()
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			if err := tx.InsertUser(ctx, u); err != nil {
				return err
			}
			if _, err := tx.UserByEmail(ctx, u.Email); err != nil {
				t.Errorf("the transaction does not see its own user: %v", err)
			}
			if _, err := db.UserByEmail(ctx, u.Email); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("others see an uncommitted user: %v", err)
			}
			u.FullName = "Later"
			if err := tx.SaveUser(ctx, u); err != nil {
				return err
			}
			got, err := tx.User(ctx, u.ID)
			if err == nil && got.FullName != "Later" {
				t.Errorf("the transaction sees %q after it wrote Later", got.FullName)
			}
			return err
		})
	})
}

func TestATransactionReadsPastTheCache(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		shared, err := db.User(t.Context(), w.user.ID)
		if err != nil {
			t.Fatal(err)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			own, err := tx.User(ctx, w.user.ID)
			if own == shared {
				t.Error("a transaction was given the record that others share")
			}
			return err
		})
	})
}

func TestManyWritersAreAllCountedOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		const writers, each = 64, 10
		parallel(writers, func(int) {
			for range each {
				err := db.Update(t.Context(), func(tx *storage.Tx) error {
					return tx.InsertUser(t.Context(), newUser())
				})
				if err != nil {
					t.Errorf("insert: %v", err)
				}
			}
		})
		if n := count(t, db, "users"); n != fmt.Sprint(writers*each) {
			t.Errorf("%s users, want %d", n, writers*each)
		}
	})
}

// parallel runs fn n times at once and waits.
func parallel(n int, fn func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

func TestIncrementsOfOneRecordAllCount(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		const callers = 96
		u := newUser()
		u.FullName = "0"
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertUser(ctx, u) })
		parallel(callers, func(int) {
			err := db.Update(t.Context(), func(tx *storage.Tx) error {
				u, err := tx.User(t.Context(), u.ID)
				if err != nil {
					return err
				}
				n := 0
				if _, err := fmt.Sscan(u.FullName, &n); err != nil {
					return err
				}
				u.FullName = fmt.Sprint(n + 1)
				return tx.SaveUser(t.Context(), u)
			})
			if err != nil {
				t.Errorf("increment: %v", err)
			}
		})
		got, err := db.User(t.Context(), u.ID)
		if err != nil || got.FullName != fmt.Sprint(callers) {
			t.Errorf("%d increments gave %q, %v", callers, got.FullName, err)
		}
	})
}

func TestACheckBeforeAWriteHoldsUntilTheCommit(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		parallel(16, func(int) { // each makes an administrator only if there is none: write skew
			err := db.Update(t.Context(), func(tx *storage.Tx) error {
				has, err := tx.HasAdmin(t.Context())
				if err != nil || has {
					return err
				}
				u := newUser()
				u.IsAdmin = true
				return tx.InsertUser(t.Context(), u)
			})
			if err != nil {
				t.Errorf("set up: %v", err)
			}
		})
		if n, err := db.CountAdmins(t.Context()); n != 1 || err != nil {
			t.Errorf("%d administrators, %v, want 1", n, err)
		}
	})
}

func TestACancelledCallerIsRefusedBeforeItsTransaction(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := db.Update(ctx, func(*storage.Tx) error {
			t.Error("the function ran")
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Update() = %v, want context.Canceled", err)
		}
	})
}

func TestACallerCancelledInItsTransactionChangesAllOrNothing(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for round := range 20 {
			before := count(t, db, "users")
			ctx, cancel := context.WithCancel(t.Context())
			err := db.Update(ctx, func(tx *storage.Tx) error {
				if err := tx.InsertUser(ctx, newUser()); err != nil {
					return err
				}
				cancel()
				return tx.InsertUser(ctx, newUser())
			})
			want := before
			if err == nil {
				want = fmt.Sprint(2*round + 2)
			}
			if n := count(t, db, "users"); n != want {
				t.Fatalf("Update() = %v left %s users where there were %s", err, n, before)
			}
		}
	})
}

func TestNothingIsWrittenAfterAnErrorThatAFunctionIgnored(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := db.Update(t.Context(), func(tx *storage.Tx) error {
			_ = tx.Exec(ctx, slow)                    // its cancellation may end the whole transaction
			_ = tx.InsertUser(t.Context(), newUser()) // and this must not be one of its own
			return errOurs
		})
		if err == nil {
			t.Error("Update returned nil")
		}
		if n := count(t, db, "users"); n != "0" {
			t.Errorf("%s users after a transaction that failed, want 0", n)
		}
	})
}

func TestAFailedStatementFailsTheTransaction(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		err := db.Update(t.Context(), func(tx *storage.Tx) error {
			twin := newUser()
			twin.Email = w.user.Email
			if err := tx.InsertUser(t.Context(), twin); !errors.Is(err, storage.ErrTaken) {
				t.Errorf("insert a taken address: %v, want ErrTaken", err)
			}
			if err := tx.InsertUser(t.Context(), newUser()); err == nil {
				t.Error("a write after a failed one succeeded")
			}
			return nil
		})
		if err == nil {
			t.Error("Update() = nil after a statement failed")
		}
		if n := count(t, db, "users"); n != "1" {
			t.Errorf("%s users, want the one there was", n)
		}
	})
}

// slow is a write that takes longer than any caller waits.
const slow = `INSERT INTO meta (name, value)
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
	SELECT 'n' || i, 'value' FROM n`

func TestAClosedDatabaseRefusesAndClosesAgain(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			db, err := storage.Open(t.Context(), storage.Options{
				URL: storagetest.URL(t, engine), Secret: storagetest.Secret,
			})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := db.Close(); err != nil {
					t.Errorf("Close() = %v", err)
				}
			}
			if err := db.Update(t.Context(), func(*storage.Tx) error { return nil }); err == nil {
				t.Error("a closed database ran a transaction")
			}
			if err := db.Ping(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("Ping() = %v, want ErrUnavailable", err)
			}
		})
	}
}

func TestCloseWaitsForRunningTransactions(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := storagetest.URL(t, engine)
			db := again(t, url)
			if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
				t.Fatal(err)
			}
			u, running, result := newUser(), make(chan struct{}), make(chan error, 1)
			go func() {
				result <- db.Update(context.Background(), func(tx *storage.Tx) error {
					close(running)
					time.Sleep(100 * time.Millisecond)
					return tx.InsertUser(context.Background(), u)
				})
			}()
			<-running
			if err := db.Close(); err != nil {
				t.Fatalf("Close() = %v", err)
			}
			if err := <-result; err != nil {
				t.Fatalf("a transaction that ran when the database was closed: %v", err)
			}
			if _, err := again(t, url).User(t.Context(), u.ID); err != nil {
				t.Errorf("its user: %v", err)
			}
		})
	}
}

func TestPingSaysThatADatabaseAnswers(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		if err := db.Ping(t.Context()); err != nil {
			t.Errorf("Ping() = %v", err)
		}
	})
}

func TestAnUnreachableDatabaseIsUnavailableAndKeepsItsPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://authy:hunter2@/x?host=" + t.TempDir(),
		"postgres://authy:hunter2@127.0.0.1:1/x?sslmode=disable",
		"postgres://authy:hunter2@127.0.0.1:1,127.0.0.1:2/x",
	} {
		_, err := storage.Open(t.Context(), storage.Options{URL: url})
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Open() = %v, want ErrUnavailable", err)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("Open() = %v, which is not one line", err)
		}
		refusesPassword(t, err)
	}
}

func TestAURLOfNoDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                                     "",
		"mysql://authy:hunter2@/x":             "",
		"/var/lib/authy.db":                    "",
		"postgres://authy:hunter2@host:port/x": "as %XX",
		"postgres://authy:hunter2/+@host/x":    "as %XX",
		"postgres://authy:hunter2@host/x?sslmode=maybe":                         "sslmode is invalid",
		"postgres://authy:hunter2@host/x?target_session_attrs=hunter2":          "cannot be read",
		"postgres://authy:hunter2@host/x?connect_timeout=soon":                  "invalid connect_timeout",
		"postgres://host/x?password=hunter2&channel_binding=hunter2":            "cannot be read",
		"postgres://authy:hunter2@host/x?sslmode=verify-full&sslrootcert=/none": "open /none",
	} {
		_, err := storage.Open(t.Context(), storage.Options{URL: url})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q): %v, want %q", url, err, want)
			continue
		}
		refusesPassword(t, err)
	}
}
