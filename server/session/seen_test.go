package session

import (
	"context"
	"testing"
	"time"

	"authy/server/seen"
	"authy/storage"
	"authy/storage/storagetest"
)

// lastActivity is when a session was last used, as it is kept.
func (b bench) lastActivity(id string) time.Time {
	b.t.Helper()
	var at time.Time
	b.update(func(tx *storage.Tx) error { // a transaction reads past the cache
		s, err := tx.Session(b.t.Context(), id)
		if err == nil {
			at = s.LastActivityAt.Time
		}
		return err
	})
	return at
}

func TestUseIsWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		began := time.Now().Add(-10 * time.Minute)
		session, token := b.startAt(b.user, API, began)
		b.wants("use", API, token, nil)
		if at := b.lastActivity(session.ID); !at.Equal(storage.At(began).Time) {
			b.t.Errorf("someone waited until %v was written", at)
		}
		if list, _, err := b.List(b.t.Context(), b.user.ID, "", 10); err != nil || time.Since(list[0].LastActivityAt.Time) > time.Minute {
			b.t.Errorf("the list says %v, %v, want now", list[0].LastActivityAt, err)
		}
		b.seen.Flush(b.t.Context())
		first := b.lastActivity(session.ID)
		if time.Since(first) > time.Minute {
			b.t.Errorf("after the flush it is %v, want now", first)
		}
		for range 100 { // steady use within a minute is not worth a write
			b.wants("use", API, token, nil)
		}
		if waiting := b.seen.Take(); len(waiting) > 0 {
			b.t.Errorf("%d wait to be written", len(waiting))
		}
	})
}

func TestUseIsWrittenWithinSecondsAndAtTheEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t, storagetest.New(t))
	session, token := b.startAt(b.user, API, time.Now().Add(-10*time.Minute))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(ctx)
	}()
	b.wants("use", API, token, nil)
	stop()
	<-done
	if at := b.lastActivity(session.ID); time.Since(at) > time.Minute {
		t.Errorf("the end left %v", at)
	}
	if seen.Flush > 10*time.Second {
		t.Errorf("uses are written every %v, want within seconds", seen.Flush)
	}
}

func TestALaterUseIsNeverOverwrittenByAnEarlierOne(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		began := time.Now().Add(-10 * time.Minute)
		session, _ := b.startAt(b.user, API, began)
		later := began.Add(5 * time.Minute)
		for _, at := range []time.Time{later, began.Add(2 * time.Minute)} { // the slow node last
			b.seen.Note(session.ID, session.LastActivityAt.Time, at)
			b.seen.Flush(b.t.Context())
		}
		if got := b.lastActivity(session.ID); !got.Equal(storage.At(later).Time) {
			b.t.Errorf("last used at %v, want %v", got, later)
		}
	})
}

func TestAFlushOutlivesWhatIsGone(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		session, _ := b.startAt(b.user, API, time.Now().Add(-10*time.Minute))
		b.seen.Note("gone", time.Time{}, time.Now())
		b.seen.Note(session.ID, session.LastActivityAt.Time, time.Now())
		b.seen.Flush(b.t.Context())
		if at := b.lastActivity(session.ID); time.Since(at) > time.Minute {
			b.t.Errorf("last used at %v, want now", at)
		}
	})
}
