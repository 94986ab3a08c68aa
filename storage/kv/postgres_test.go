package kv_test

import (
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
