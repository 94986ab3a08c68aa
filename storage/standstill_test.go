package storage_test

import (
	"errors"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// What was remembered before a process stood still is not used before it has heard the news.
func TestAfterAStandstillNothingIsTakenFromMemory(t *testing.T) {
	t.Parallel()
	url := storagetest.Migrated(t, "postgres")
	db := again(t, url)
	eventually(t, 5*time.Second, "caching", db.IsCaching)
	w := newWorld(t, db)
	agent := func() string {
		t.Helper()
		s, err := db.Session(t.Context(), w.session.ID)
		if err != nil {
			t.Fatal(err)
		}
		return s.UserAgent
	}
	eventually(t, 5*time.Second, "the session in memory", func() bool {
		agent()
		return db.Holds(storage.SessionKey + w.session.ID)
	})
	storagetest.Exec(t, url, "UPDATE sessions SET user_agent = 'another'") // which nobody is told of
	eventually(t, 5*time.Second, "the session from memory", func() bool { return agent() != "another" })
	db.StandStill(3 * time.Second)
	if agent() != "another" {
		t.Error("a session is taken from memory after three seconds without news")
	}
}

// A server that has lost its claim to who needs it stopped writes nothing until it has it back.
func TestNothingIsWrittenWithoutTheClaim(t *testing.T) {
	t.Parallel()
	url := storagetest.Migrated(t, "postgres")
	db := again(t, url)
	w := newWorld(t, db)
	unlock, err := db.Lock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unlock)
	write := func() error {
		return db.Update(t.Context(), func(tx *storage.Tx) error {
			_, err := tx.RevokeSessions(t.Context(), w.user.ID, "", "all", noon)
			return err
		})
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	held := make(chan func(), 1)
	go func() { held <- hold(t, url, storage.ServerLock) }() // it waits for the claim
	eventually(t, 10*time.Second, "the claim in other hands", func() bool {
		storagetest.Exec(t, url, `SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
			WHERE l.locktype = 'advisory' AND l.granted AND a.application_name LIKE '% news' AND a.datname = current_database()`)
		select {
		case release := <-held:
			held <- release
			return true
		case <-time.After(200 * time.Millisecond):
			return false
		}
	})
	release := <-held
	eventually(t, 5*time.Second, "refusal", func() bool {
		return errors.Is(write(), storage.ErrUnavailable) && db.Ping(t.Context()) != nil
	})
	if _, err := db.Session(t.Context(), w.session.ID); err != nil {
		t.Errorf("what is only read: %v", err)
	}
	release()
	eventually(t, 10*time.Second, "writing again", func() bool { return write() == nil && db.Ping(t.Context()) == nil })
}
