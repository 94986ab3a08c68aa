package storage_test

import (
	"database/sql"
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

// hold takes a lock of the database at url that others wait for until release is called.
func hold(t *testing.T, url string, lock int) (release func()) {
	t.Helper()
	other, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() }) //nolint:errcheck // only holds a lock
	conn, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "SELECT pg_advisory_lock($1)", lock); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := conn.ExecContext(t.Context(), "SELECT pg_advisory_unlock($1)", lock); err != nil {
			t.Error(err)
		}
	}
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
			LOOP
				BEGIN
					PERFORM pg_advisory_xact_lock(7);
					RETURN NULL;
				EXCEPTION WHEN query_canceled OR lock_not_available THEN
					-- whoever gave it up does not end it
				END;
			END LOOP;
		END $$`,
		`CREATE CONSTRAINT TRIGGER linger AFTER UPDATE ON sessions DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION linger()`)
	release := hold(t, url, 7)
	relayed, relay := storagetest.Behind(t, url)
	db := again(t, relayed)
	eventually(t, 5*time.Second, "caching", db.IsCaching)
	w := newWorld(t, db)
	time.AfterFunc(500*time.Millisecond, relay.HangUp)
	if err := revoke(t, db, w); !errors.Is(err, storage.ErrInDoubt) {
		t.Fatalf("the connection ended under a COMMIT: %v, want ErrInDoubt", err)
	}
	eventually(t, 30*time.Second, "caching again", func() bool {
		return !isRevoked(t, db, w) && db.Holds(storage.SessionKey+w.session.ID)
	})
	release()
	eventually(t, 10*time.Second, "the end of the session", func() bool { return isRevoked(t, db, w) })
}
