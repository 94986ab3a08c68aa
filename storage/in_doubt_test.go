package storage_test

import (
	"errors"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// revoke ends the session of w, whose record db has at hand.
func revoke(t *testing.T, db *storage.DB, w *world) error {
	t.Helper()
	if s, err := db.Session(t.Context(), w.session.ID); err != nil || !db.Holds(storage.SessionKey+s.ID) {
		t.Fatalf("before: %v, want the session cached", err)
	}
	return db.Update(t.Context(), func(tx *storage.Tx) error {
		_, err := tx.RevokeSessions(t.Context(), w.user.ID, "", "all", noon)
		return err
	})
}

func isRevoked(t *testing.T, db *storage.DB, w *world) bool {
	t.Helper()
	s, err := db.Session(t.Context(), w.session.ID)
	if err != nil {
		t.Fatal(err)
	}
	return s.RevokedReason != ""
}

// A session whose end was kept, and the answer to that lost, is over here, too.
func TestWhatWasKeptWithoutAnAnswerIsSeen(t *testing.T) {
	t.Parallel()
	db, other, relay := behind(t)
	eventually(t, 5*time.Second, "caching", db.IsCaching)
	w := newWorld(t, db)
	relay.CutAfter("commit")
	if err := revoke(t, db, w); !errors.Is(err, storage.ErrInDoubt) {
		t.Fatalf("the answer was cut off: %v, want ErrInDoubt", err)
	}
	if !isRevoked(t, other, w) {
		t.Fatal("nothing was kept: the test cuts too early")
	}
	if !isRevoked(t, db, w) {
		t.Error("the session goes on where it was ended")
	}
}

// The COMMIT is done after everybody has given it up, as when a synchronous standby comes
// back: until then the session goes on, and not after.
func TestWhatIsKeptInTheEndIsSeen(t *testing.T) {
	t.Parallel()
	url := storagetest.Migrated(t, "postgres")
	storagetest.Exec(t, url,
		`CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			BEGIN
				PERFORM pg_sleep(3);
			EXCEPTION WHEN query_canceled THEN
				PERFORM pg_sleep(3);
			END;
			RETURN NULL;
		END $$`,
		`CREATE CONSTRAINT TRIGGER linger AFTER UPDATE ON sessions DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION linger()`)
	relayed, relay := storagetest.Behind(t, url)
	db := again(t, relayed)
	eventually(t, 5*time.Second, "caching", db.IsCaching)
	w := newWorld(t, db)
	time.AfterFunc(500*time.Millisecond, relay.HangUp)
	if err := revoke(t, db, w); !errors.Is(err, storage.ErrInDoubt) {
		t.Fatalf("the connection ended under a COMMIT: %v, want ErrInDoubt", err)
	}
	eventually(t, 2*time.Second, "caching again", func() bool {
		return !isRevoked(t, db, w) && db.Holds(storage.SessionKey+w.session.ID)
	})
	eventually(t, 10*time.Second, "the end of the session", func() bool { return isRevoked(t, db, w) })
}
