package server

import (
	"context"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/steady"
	"authy/storage"
	"authy/storage/storagetest"
)

func TestAClockThatIsPutBackIsFollowedByWhoKnowsBetter(t *testing.T) {
	t.Parallel()
	today := written.AddDate(1, 0, 0)
	for _, c := range []struct {
		name    string
		by, For time.Duration
		age     time.Duration
		says    verdict
		now     time.Time
		want    bool
	}{
		{"nobody says", time.Hour, time.Minute, time.Hour, unknown, today, false},
		{"for an hour", time.Hour, holdFor + time.Second, 2 * time.Hour, unknown, today, true},
		{"just started", time.Hour, 0, time.Minute, unknown, today, true},
		{"just started, by less", time.Second, 0, time.Minute, unknown, today, false},
		{"the database agrees", time.Hour, 0, 24 * time.Hour, rightNow, today, true},
		{"the database does not", time.Hour, 2 * holdFor, 24 * time.Hour, wrongNow, today, false},
		{"in 1970", 56 * 365 * 24 * time.Hour, 2 * holdFor, time.Minute, unknown, time.Unix(5, 0), false},
	} {
		if got := mayFollow(steady.Held{By: c.by, For: c.For}, c.age, c.says, c.now); got != c.want {
			t.Errorf("%s: mayFollow() = %t, want %t", c.name, got, c.want)
		}
	}
}

func TestADatabaseSaysWhichClockIsRight(t *testing.T) {
	t.Parallel()
	now := time.Now()
	seen := func(ahead ...time.Duration) *clockWatch {
		w := new(clockWatch)
		for i, a := range ahead {
			w.note(a, now.Add(time.Duration(i)*time.Second))
		}
		return w
	}
	hour := steady.Held{By: time.Hour}
	for _, c := range []struct {
		name string
		w    *clockWatch
		want verdict
	}{
		{"never asked", new(clockWatch), unknown},
		{"as before", seen(0, 0), rightNow},
		{"an hour ahead now", seen(0, time.Hour), wrongNow},
		{"another time", seen(0, 3*time.Hour), unknown},
		{"put back, too", seen(0, 0, -time.Hour), unknown},
	} {
		if got := c.w.verdict(hour); got != c.want {
			t.Errorf("%s: verdict() = %d, want %d", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		ahead []time.Duration
		want  time.Duration
	}{
		{[]time.Duration{400 * time.Millisecond}, 0},
		{[]time.Duration{700 * time.Millisecond}, 0}, // as exactly as it is known
		{[]time.Duration{30 * time.Second}, 30 * time.Second},
		{[]time.Duration{-30 * time.Second, -30200 * time.Millisecond}, -30 * time.Second},
		{[]time.Duration{30 * time.Second, 31 * time.Second}, 31 * time.Second},
		{[]time.Duration{30 * time.Second, 100 * time.Millisecond}, 0},
		{[]time.Duration{30 * time.Second, 10 * time.Minute}, 0}, // too far for nobody to notice
	} {
		if got := seen(c.ahead...).lead; got != c.want {
			t.Errorf("a database %v ahead: lead = %s, want %s", c.ahead, got, c.want)
		}
	}
}

// The time of the process is held by an hour, as if its clock had been put back by that, and then
// followed: what was made meanwhile lives as long as it was to. It runs alone.
func TestWhatWasMadeInATimeThatDidNotComeLivesNoLonger(t *testing.T) {
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			db, err := storage.Open(t.Context(), storage.Options{
				URL: storagetest.Migrated(t, engine), Secret: storagetest.Secret,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close() //nolint:errcheck // what it has was seen
			s := &Services{DB: db}
			stop, err := s.WatchClock(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			stop()
			defer steady.Watch(time.Now().Add(time.Hour))()
			s.clock.went = true // nobody says which clock is right
			made := newLink(t, s)
			s.clock.began = time.Now().Add(-2 * justStarted)
			s.watchClock(t.Context())
			if by := time.Until(steady.Now()); by < time.Hour-time.Minute || !s.clock.told {
				t.Errorf("the time is held by %s, want an hour; told %t", by, s.clock.told)
			}
			s.clock.began = time.Now()
			s.watchClock(t.Context())
			if by := time.Until(steady.Now()); by > time.Minute {
				t.Errorf("the time is held by %s, want that the clock is followed", by)
			}
			left, err := s.DB.Link(t.Context(), storage.SetupLink, made.Hash)
			if err != nil {
				t.Fatal(err)
			}
			if lives := time.Until(left.ExpiresAt.Time); lives > time.Minute || lives < 30*time.Second {
				t.Errorf("a link for a minute lives for %s", lives)
			}
			events, err := s.DB.Events(t.Context(), 1)
			if err != nil || len(events) != 1 || events[0].Action != "clock.follow" || events[0].ActorKind != string(audit.System) {
				t.Errorf("events = %+v, %v, want that the clock is followed", events, err)
			}
			s.watchClock(t.Context())
			if s.clock.told || s.clock.went {
				t.Errorf("when it is over: %+v", s.clock)
			}
		})
	}
}

// newLink is a link for a minute.
func newLink(t *testing.T, s *Services) *storage.Link {
	t.Helper()
	now := steady.Now()
	l := &storage.Link{
		Hash: storage.NewID(), Purpose: storage.SetupLink, CreatedAt: storage.At(now), ExpiresAt: storage.At(now.Add(time.Minute)),
	}
	if err := s.DB.Update(t.Context(), func(tx *storage.Tx) error { return tx.InsertLink(context.Background(), l) }); err != nil {
		t.Fatal(err)
	}
	return l
}
