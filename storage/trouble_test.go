package storage_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// behind is a database whose server can be taken away, and the same one by another way.
func behind(t *testing.T) (db, other *storage.DB, relay *storagetest.Relay) {
	t.Helper()
	url := storagetest.Migrated(t, "postgres")
	relayed, relay := storagetest.Behind(t, url)
	return again(t, relayed), again(t, url), relay
}

func TestNobodyWaitsForADatabaseThatIsSilent(t *testing.T) {
	t.Parallel()
	db, _, relay := behind(t)
	ask := func() error { _, err := db.UserByEmail(t.Context(), "nobody"); return err }
	parallel(8, func(int) { _ = ask() }) // so that there are connections
	eventually(t, 5*time.Second, "caching", db.IsCaching)
	for range 2 {
		relay.Mute(true)
		began := time.Now()
		parallel(8, func(int) {
			if err := ask(); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("a look-up in a silent database: %v, want ErrUnavailable", err)
			}
		})
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("they were told after %v, want 5 seconds at most", took)
		}
		began = time.Now()
		err := db.Update(t.Context(), func(tx *storage.Tx) error { return tx.InsertUser(t.Context(), newUser()) })
		if took := time.Since(began); !errors.Is(err, storage.ErrUnavailable) || took > time.Second {
			t.Errorf("the next was told after %v: %v", took, err)
		}
		if err := db.Ping(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Ping = %v", err)
		}
		relay.Mute(false)
		eventually(t, 5*time.Second, "the database", func() bool { return errors.Is(ask(), storage.ErrNotFound) })
		eventually(t, 5*time.Second, "caching", db.IsCaching)
	}
}

// Between its commit and the answer: the change is there as a whole, or not at all.
func TestACommitWithoutAnAnswerIsWholeOrAbsent(t *testing.T) {
	t.Parallel()
	db, other, relay := behind(t)
	var there, unknown int
	for range 10 {
		eventually(t, 5*time.Second, "the database", func() bool { return db.Ping(t.Context()) == nil })
		a, b := newUser(), newUser()
		relay.CutAfter("commit")
		err := db.Update(t.Context(), func(tx *storage.Tx) error {
			return errors.Join(tx.InsertUser(t.Context(), a), tx.InsertUser(t.Context(), b))
		})
		if !errors.Is(err, storage.ErrInDoubt) || !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("the answer was cut off: %v, want ErrInDoubt", err)
		}
		unknown++
		_, first := other.User(t.Context(), a.ID)
		_, second := other.User(t.Context(), b.ID)
		if (first == nil) != (second == nil) {
			t.Errorf("half of a transaction is there: %v, %v", first, second)
		}
		if first == nil {
			there++
		}
	}
	if there == 0 {
		t.Errorf("of %d none was committed: the test cuts too early", unknown)
	}
}

// A pooler between keeps notifications back: what others change is seen all the same.
func TestNothingIsRememberedWhereNoNewsComeThrough(t *testing.T) {
	t.Parallel()
	url := storagetest.Migrated(t, "postgres")
	relayed, relay := storagetest.Behind(t, url)
	relay.KeepNewsBack(true)
	db, other := again(t, relayed), again(t, url)
	w := newWorld(t, other)
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, err := db.Session(t.Context(), w.session.ID); err != nil {
			t.Fatal(err)
		}
		if db.IsCaching() || db.Holds(storage.SessionKey+w.session.ID) {
			t.Fatal("records are remembered, and no news of them comes")
		}
	}
	if !db.IsDeaf(t.Context()) || other.IsDeaf(t.Context()) {
		t.Error("which node is deaf is not told")
	}
	err := other.Update(t.Context(), func(tx *storage.Tx) error {
		_, err := tx.RevokeSessions(t.Context(), w.user.ID, "", "all", noon)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := db.Session(t.Context(), w.session.ID); err == nil && s.RevokedAt.IsZero() {
		t.Error("a session that another node has ended goes on")
	}
}

// PostgreSQL that refuses one more connection takes nobody those that there are.
func TestADatabaseThatHasNoMoreConnectionsGoesOnWithThose(t *testing.T) {
	t.Parallel()
	at := storagetest.Migrated(t, "postgres")
	db := again(t, at)
	eventually(t, 5*time.Second, "caching", db.IsCaching)
	ask := func() error { _, err := db.UserByEmail(t.Context(), "nobody"); return err }
	if err := ask(); !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	u.Path = "/postgres"
	storagetest.Exec(t, u.String(), `ALTER DATABASE "`+name+`" ALLOW_CONNECTIONS false`,
		`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '`+name+`' AND application_name LIKE '% news'`)
	eventually(t, 5*time.Second, "the news lost", func() bool { return !db.IsCaching() })
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err := ask(); !errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("a look-up without one more connection: %v", err)
		}
	}
	storagetest.Exec(t, u.String(), `ALTER DATABASE "`+name+`" ALLOW_CONNECTIONS true`)
	eventually(t, 5*time.Second, "caching again", db.IsCaching)
}

func TestADatabaseThatIsCutAllTheTimeStillServes(t *testing.T) {
	t.Parallel()
	db, _, relay := behind(t)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			relay.HangUp()
		}
	}()
	var served, refused atomic.Int32
	parallel(4, func(int) {
		for ctx.Err() == nil {
			switch _, err := db.UserByEmail(t.Context(), "nobody"); {
			case errors.Is(err, storage.ErrNotFound):
				served.Add(1)
			case errors.Is(err, storage.ErrUnavailable):
				refused.Add(1)
			default:
				t.Errorf("neither served nor refused: %v", err)
				return
			}
		}
	})
	if served.Load() == 0 { // how many depends on the machine
		t.Errorf("%d served, %d refused", served.Load(), refused.Load())
	}
	eventually(t, 5*time.Second, "the database", func() bool { return db.Ping(t.Context()) == nil })
}
