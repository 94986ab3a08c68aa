package seen

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatWaitsIsBounded(t *testing.T) {
	t.Parallel()
	u, now := New("things", nil), time.Now()
	for i := range Limit + 10 {
		u.Note(fmt.Sprint(i), time.Time{}, now)
	}
	u.Note("0", time.Time{}, now.Add(time.Second)) // who waits already may go on
	taken := u.Take()
	if len(taken) != Limit || !taken["0"].Equal(now.Add(time.Second)) {
		t.Errorf("%d wait, the first since %v", len(taken), taken["0"])
	}
}

func TestSteadyUseIsWorthOneNoteAMinute(t *testing.T) {
	t.Parallel()
	u, now := New("things", nil), time.Now()
	u.Note("a", now.Add(-Grain+time.Second), now)
	if taken := u.Take(); taken != nil {
		t.Errorf("%v waits", taken)
	}
	u.Note("a", now.Add(-Grain), now)
	if got := u.Latest("a", now.Add(-Grain)); !got.Equal(now) {
		t.Errorf("last used at %v, want %v", got, now)
	}
	if got := u.Latest("a", now.Add(time.Second)); !got.Equal(now.Add(time.Second)) {
		t.Errorf("last used at %v, want what is written, which is later", got)
	}
	if taken := u.Take(); len(taken) != 1 || !taken["a"].Equal(now) {
		t.Errorf("%v waits, want a at %v", taken, now)
	}
}

func TestUsesAreWrittenWithinSecondsAndAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var written []int
		u := New("things", func(_ context.Context, used map[string]time.Time) error {
			written = append(written, len(used))
			return errors.New("a failure, after which it goes on")
		})
		ctx, stop := context.WithCancel(t.Context())
		go u.Run(ctx)
		u.Note("a", time.Time{}, time.Now())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(written) != 1 {
			t.Errorf("written %v within ten seconds, want once", written)
		}
		u.Note("a", time.Time{}, time.Now())
		u.Note("b", time.Time{}, time.Now())
		stop()
		synctest.Wait()
		if len(written) != 2 || written[1] != 2 {
			t.Errorf("written %v, want the last two at the end", written)
		}
	})
}
