package steady

import (
	"testing"
	"time"
)

// noon is an instant of a machine's clock, with a monotonic reading.
var noon = time.Now()

// at is what a machine shows when passed has passed since noon and its clock was put on by so much.
// A test cannot put a clock back: what is shown at noon is moved the other way.
func at(passed, put time.Duration) (a *anchor, t time.Time) {
	a = follow(noon, 0)
	a.shown = a.shown.Add(-put)
	return a, noon.Add(passed)
}

func TestTheTimeDoesNotGoBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ passed, put, want time.Duration }{
		{0, 0, 0},
		{time.Minute, 0, time.Minute},
		{time.Minute, time.Hour, time.Minute + time.Hour}, // a machine that slept, or was wrong
		{time.Minute, -time.Second, time.Minute},
		{time.Minute, -time.Hour, time.Minute},
		{time.Minute, -24 * time.Hour, time.Minute},
		{time.Minute, -56 * 365 * 24 * time.Hour, time.Minute},
		{time.Minute, -slack / 2, time.Minute - slack/2}, // which is no step
	} {
		a, now := at(c.passed, c.put)
		if got := a.now(now).Sub(a.shown); got != c.want {
			t.Errorf("after %s, put on by %s: %s have passed, want %s", c.passed, c.put, got, c.want)
		}
	}
}

func TestATimeThatIsHeldSaysByHowMuchAndForHowLong(t *testing.T) {
	t.Parallel()
	a, now := at(time.Minute, -time.Hour)
	next, held := a.look(now)
	if held.By != time.Hour || held.For != 0 {
		t.Errorf("look() = %+v, want an hour since now", held)
	}
	later, held := next.look(now.Add(time.Minute))
	if held.By != time.Hour || held.For != time.Minute {
		t.Errorf("a minute later look() = %+v, want an hour for a minute", held)
	}
	later.shown = later.shown.Add(-2 * time.Hour) // as if the clock was put on
	if last, held := later.look(now.Add(2 * time.Minute)); held != (Held{}) || !last.since.IsZero() {
		t.Errorf("when the clock shows more look() = %+v", held)
	}
}

func TestATimeWithAnotherClockIsThatClocks(t *testing.T) {
	t.Parallel()
	for _, lead := range []time.Duration{30 * time.Second, -30 * time.Second} {
		a := follow(noon, lead)
		got := a.now(noon.Add(time.Minute))
		if want := noon.Round(0).Add(time.Minute + lead); !got.Equal(want) {
			t.Errorf("%s ahead: now() = %s, want %s", lead, got, want)
		}
	}
}

// What follows changes the time of the process, and so runs alone.
func TestWhoWatchesIsHeldUntilTheyFollow(t *testing.T) {
	if got := Look(); got != (Held{}) || Ahead() != 0 {
		t.Errorf("Look() = %+v where nobody watches", got)
	}
	Lead(time.Hour) // of nobody
	if by := time.Until(Now()).Abs(); by > time.Minute {
		t.Errorf("where nobody watches the time is %s off", by)
	}
	stop := Watch(time.Now().Add(time.Hour))
	defer stop()
	near := func(what string, got, want time.Duration) {
		t.Helper()
		if (got - want).Abs() > time.Minute {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	near("not before", time.Until(Now()), time.Hour)
	near("held", Look().By, time.Hour)
	near("ahead", Ahead(), time.Hour)
	near("since", Since(time.Now()), time.Hour)
	near("until", Until(time.Now()), -time.Hour)
	Lead(2 * time.Hour)
	near("by a clock that shows more", time.Until(Now()), 2*time.Hour)
	near("held by it", Look().By, 0)
	Lead(0)
	near("by the machine again", time.Until(Now()), 2*time.Hour)
	near("held by that", Look().By, 2*time.Hour)
	Follow()
	near("followed", time.Until(Now()), 0)
	near("held after all", Ahead(), 0)
	stop()
	if got := Now(); got.String() == got.Round(0).String() {
		t.Error("where nobody watches the time has no monotonic reading")
	}
}
