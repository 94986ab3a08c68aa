package kv_test

import (
	"database/sql"
	"strconv"
	"testing"
	"time"

	"authy/storage/kv"
	"authy/storage/storagetest"
)

func TestPostgresKeepsTheContract(t *testing.T) {
	t.Parallel()
	url := storagetest.Migrated(t, "postgres")
	kv.Contract(t, func(t *testing.T) kv.Store { return storagetest.Shared(t, url) })
}

func TestNodesShareOnePostgres(t *testing.T) {
	t.Parallel()
	url := storagetest.Migrated(t, "postgres")
	a, b := storagetest.Shared(t, url), storagetest.Shared(t, url)
	rate := kv.Rate{Burst: 5, Every: time.Hour}
	for n := range 10 {
		left, err := []kv.Store{a, b}[n%2].Spend(t.Context(), "guesses", rate, 1)
		if err != nil || left.OK != (n < 5) {
			t.Errorf("attempt %d: %+v, %v", n, left, err)
		}
	}
	if !a.Since().Equal(b.Since()) {
		t.Errorf("one began at %v and the other at %v", a.Since(), b.Since())
	}
}

// Who waits for a row has the budget of the moment at which the row is free.
func TestWhoWaitedIsNotRefusedWhatThereIs(t *testing.T) {
	t.Parallel()
	url := storagetest.Migrated(t, "postgres")
	store, rate := storagetest.Shared(t, url), kv.Rate{Burst: 2, Every: time.Hour}
	if _, err := store.Spend(t.Context(), "guesses", rate, 0); err != nil {
		t.Fatal(err)
	}
	rival := holdRows(t, url)
	second := make(chan kv.Budget, 1)
	go func() {
		b, err := store.Spend(t.Context(), "guesses", rate, 1)
		if err != nil {
			t.Errorf("spend: %v", err)
		}
		second <- b
	}()
	for waiting := 0; waiting == 0; {
		if err := rival.QueryRow("SELECT COUNT(*) FROM pg_locks WHERE NOT granted").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := rival.Exec(`UPDATE holds SET taken = true,
		until = EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 + 3600 * 1000000::BIGINT WHERE key <> ''`); err != nil {
		t.Fatal(err)
	}
	if err := rival.Commit(); err != nil {
		t.Fatal(err)
	}
	if b := <-second; !b.OK || b.Left != 0 {
		t.Errorf("the second of two had %+v, want the last that there is", b)
	}
}

// holdRows begins a transaction that has all rows.
func holdRows(t *testing.T, url string) *sql.Tx {
	t.Helper()
	pool, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	tx, err := pool.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("SELECT 1 FROM holds FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	return tx
}

func BenchmarkPostgresSpend(b *testing.B) {
	store := storagetest.Shared(b, storagetest.Migrated(b, "postgres"))
	keys := make([]string, 10_000)
	for i := range keys {
		keys[i] = "rate/" + strconv.Itoa(i)
	}
	for i := 0; b.Loop(); i++ {
		if _, err := store.Spend(b.Context(), keys[i%len(keys)], kv.Rate{Burst: 10, Every: time.Minute}, 1); err != nil {
			b.Fatal(err)
		}
	}
}
