package storage_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestATurnIsTakenOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		take := func(now, again time.Time) (mine bool) {
			err := db.Update(t.Context(), func(tx *storage.Tx) (err error) {
				mine, err = tx.TakeTurn(t.Context(), "test", now, again, now.Add(48*time.Hour))
				return err
			})
			if err != nil {
				t.Errorf("TakeTurn: %v", err)
			}
			return mine
		}
		var taken atomic.Int64
		var racing sync.WaitGroup
		for range 8 {
			racing.Go(func() {
				if take(noon, noon.Add(time.Hour)) {
					taken.Add(1)
				}
			})
		}
		racing.Wait()
		if taken.Load() != 1 {
			t.Errorf("of 8 at once %d have the turn, want 1", taken.Load())
		}
		if take(noon.Add(59*time.Minute), noon.Add(2*time.Hour)) {
			t.Error("the turn is taken while another has it")
		}
		if !take(noon.Add(time.Hour), noon.Add(2*time.Hour)) {
			t.Error("the turn of who has died is not taken")
		}
		err := db.Update(t.Context(), func(tx *storage.Tx) error { return tx.EndTurn(t.Context(), "test", noon.Add(24*time.Hour)) })
		if err != nil {
			t.Fatal(err)
		}
		if take(noon.Add(23*time.Hour), noon.Add(25*time.Hour)) || !take(noon.Add(24*time.Hour), noon.Add(25*time.Hour)) {
			t.Error("the turn is not taken when it is due")
		}
		err = db.Update(t.Context(), func(tx *storage.Tx) error { return tx.EndTurn(t.Context(), "test", noon.AddDate(10, 0, 0)) })
		if err != nil {
			t.Fatal(err)
		}
		if !take(noon.Add(26*time.Hour), noon.Add(27*time.Hour)) || take(noon.Add(26*time.Hour), noon.Add(27*time.Hour)) {
			t.Error("a turn that is due too far ahead is not taken, once")
		}
	})
}

func TestServersAndWhoNeedsThemStoppedShutEachOtherOut(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := storagetest.Migrated(t, engine)
			one, two := openAt(t, url), openAt(t, url)
			unlock, err := one.Lock()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := two.LockAlone(); err == nil {
				t.Error("LockAlone beside a server")
			}
			unlock()
			alone, err := two.LockAlone()
			if err != nil {
				t.Fatalf("LockAlone after the server has stopped: %v", err)
			}
			if _, err := one.Lock(); err == nil {
				t.Error("a server starts beside who needs none")
			}
			alone()
			first, err := one.Lock()
			if err != nil {
				t.Fatal(err)
			}
			defer first()
			second, err := two.Lock()
			if (err == nil) != (engine == "postgres") {
				t.Errorf("a second server on %s: %v", engine, err)
			}
			if err == nil {
				second()
			}
		})
	}
}
