package storage_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// additiveUp is a step of the kind that comes after [lastFree]: on tables that are read and
// written all the time.
const additiveUp = "CREATE TABLE nexts (id TEXT PRIMARY KEY, user_id TEXT REFERENCES users (id) ON DELETE CASCADE);\n" +
	"CREATE TABLE others (id TEXT);\n" +
	"ALTER TABLE users ADD COLUMN next_at BIGINT;\n" +
	"ALTER TABLE sessions ADD COLUMN next_name TEXT NOT NULL DEFAULT 'unknown';\n" +
	"CREATE INDEX sessions_next ON sessions (next_name, id);\n" +
	"UPDATE sessions SET next_name = kind;\n"

// This shows that what this build sends to the database goes on working under an additive
// step, with prepared statements and cached records: a node that was started before. It is no
// older program. TestServersOfTwoVersionsServeTogether holds steps to what one can bear.
func TestANodeGoesOnWhileANewerOneMigrates(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			older, newer := pair(t, engine)
			ctx, stop := context.WithCancel(t.Context())
			var served atomic.Int64
			var workers sync.WaitGroup
			for range 4 {
				workers.Go(func() {
					for ctx.Err() == nil {
						if err := signInAndCheck(t.Context(), older); err != nil {
							t.Errorf("the older node: %v", err)
							return
						}
						served.Add(1)
					}
				})
			}
			eventually(t, time.Minute, "serving", func() bool { return served.Load() > 8 })
			if _, err := newer.Migrate(t.Context(), withStep(t, additiveUp)); err != nil {
				t.Errorf("Migrate() beside a node that serves = %v", err)
			}
			before := served.Load()
			eventually(t, time.Minute, "serving on", func() bool { return served.Load() > before+8 })
			stop()
			workers.Wait()
			if missing := texts(t, newer, "SELECT id FROM sessions WHERE revoked_at IS NOT NULL"); len(missing) > 0 {
				t.Errorf("sessions that ended: %d", len(missing))
			}
			if _, err := older.Migrate(t.Context(), storagetest.Files(t)); err == nil {
				t.Error("an older node that starts anew is not refused")
			}
		})
	}
}

// signInAndCheck makes a user and a session, finds it twice, uses it and finds it again.
func signInAndCheck(ctx context.Context, db *storage.DB) error {
	user := newUser()
	session := newSession(user)
	err := db.Update(ctx, func(tx *storage.Tx) error {
		return first(tx.InsertUser(ctx, user), tx.InsertSession(ctx, session))
	})
	if err != nil {
		return err
	}
	for range 2 {
		found, err := db.SessionByToken(ctx, session.TokenHash)
		if err != nil {
			return err
		}
		if found.UserID != user.ID {
			return errors.New("the session is another's")
		}
	}
	_, err = db.UserByEmail(ctx, user.Email)
	return err
}
