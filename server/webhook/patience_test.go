package webhook

import (
	"slices"
	"testing"
	"time"

	"authy/server/audit"
	"authy/storage"
	"authy/storage/storagetest"
)

// Others get through all the time: that says nothing of the one event that does not.
func TestAnEventThatIsRefusedKeepsItsOwnTimes(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for name, c := range map[string]struct {
			answer
			want int // attempts, of which the first two are made anyway
		}{
			"refused":                      {answer{400, ""}, 2},
			"too many":                     {answer{429, "3600"}, 2},
			"moved":                        {answer{307, ""}, 2},
			"down":                         {answer{500, ""}, 3}, // once, for it might have been
			"timeout":                      {answer{408, ""}, 3},
			"down, and says for how long":  {answer{503, "3600"}, 2},
			"down, and says for no time":   {answer{503, "0"}, 3},
			"refused, and says for a time": {answer{400, "1"}, 2},
		} {
			b, r := newBench(t, db), newReceiver(t, 200, nil)
			h, _ := b.hook(storage.NewID()[24:], r.URL, "user.*")
			bad := b.happens(audit.Event{Action: "user.login"})[0]
			r.answers(bad, c.answer)
			b.plan()
			b.attempt()
			b.now(h)
			for range 6 {
				b.attempt()
				b.happens(audit.Event{Action: "user.logout"})
				b.plan()
			}
			if got := r.times(bad); got != c.want {
				t.Errorf("%s: %d attempts, want %d", name, got, c.want)
			}
			if err := b.Remove(t.Context(), audit.Shell(), h.Slug); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestWhatWaitedForAReceiverIsSentWhenItIsBack(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		b, r := newBench(t, db), newReceiver(t, 503, nil)
		h, _ := b.hook("siem", r.URL, "user.*")
		ids := b.happens(slices.Repeat([]audit.Event{{Action: "user.login"}}, 5)...)
		for range 4 {
			b.plan()
			b.attempt()
			b.now(h)
		}
		b.attempt()
		r.answers(ids[0], answer{503, "60"})
		r.status.Store(200)
		b.soon(h, ids[1])
		b.attempt() // one gets through,
		b.attempt() // and then the rest
		for i, d := range slices.Backward(b.of(h)) {
			if want := d.EventID != ids[0]; want != (d.State == Delivered) {
				t.Errorf("event %d is %s after %d attempts", len(ids)-i, d.State, d.Attempts)
			}
		}
		at := slices.IndexFunc(b.of(h), func(d Delivery) bool { return d.EventID == ids[0] })
		if next := time.Until(b.of(h)[at].NextAt.Time); next < time.Hour {
			t.Errorf("what failed again ahead of its time is tried in %v", next)
		}
	})
}

// Who asks for a time, is left alone for that, and not for as long as the event would wait.
func TestAReceiverThatIsBackIsNotAskedBeforeItsTime(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		b, r := newBench(t, db), newReceiver(t, 500, nil)
		h, _ := b.hook("siem", r.URL, "user.*")
		ids := b.happens(audit.Event{Action: "user.login"}, audit.Event{Action: "user.login"})
		r.answers(ids[0], answer{503, "120"})
		for range 4 {
			b.plan()
			b.attempt()
			b.now(h)
		}
		b.attempt()
		r.status.Store(200)
		b.soon(h, ids[1])
		b.attempt()
		at := slices.IndexFunc(b.of(h), func(d Delivery) bool { return d.EventID == ids[0] })
		if next := time.Until(b.of(h)[at].NextAt.Time); next < 100*time.Second || next > 2*time.Minute {
			t.Errorf("it is asked again in %v, want in the two minutes that it asked for", next)
		}
	})
}

// soon has a webhook told of one event now.
func (b *bench) soon(h *Webhook, event string) {
	b.t.Helper()
	for _, d := range b.of(h) {
		if d.EventID != event {
			continue
		}
		until := d.NextAt.Time
		d.NextAt = storage.At(time.Now())
		b.update(func(tx *storage.Tx) error { return tx.SaveDelivery(b.t.Context(), &d, until) })
	}
}
