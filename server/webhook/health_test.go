package webhook

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
	"authy/storage/storagetest"
)

// A webhook that is told of everything must not be told of itself, nor two of each other,
// without end.
func TestHowAWebhookFaresIsNotToldWithoutEnd(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		b := newBench(t, db)
		bad, worse, good := newReceiver(t, 500, nil), newReceiver(t, 500, nil), newReceiver(t, 200, nil)
		one, _ := b.hook("one", bad.URL)
		other, _ := b.hook("other", worse.URL)
		witness, _ := b.hook("witness", good.URL, "webhook.failed", "webhook.recovered")
		b.happens(audit.Event{Action: "user.login"})
		for range 12 { // each round is more than a day later
			b.plan()
			b.attempt()
			b.now(one)
			b.now(other)
			b.aged(one, 6*time.Hour)
			b.aged(other, 6*time.Hour)
		}
		if n := b.recorded("webhook.failed"); n != 2 {
			t.Errorf("%d events say that a webhook fails, want one of each", n)
		}
		if n := len(b.of(witness)); n != 2 || len(good.messages()) != 2 {
			t.Errorf("a third was told of %d, %d times", n, len(good.messages()))
		}
		for _, h := range []*Webhook{one, other} {
			if slices.ContainsFunc(b.of(h), func(d Delivery) bool { return d.IsQuiet && d.Action == "webhook.failed" && b.about(d) == h.ID }) {
				t.Errorf("%s is told of itself", h.Slug)
			}
			if h = b.again(h); StateOf(h) != Failing {
				t.Errorf("%s is %s", h.Slug, StateOf(h))
			}
		}
		before := len(b.of(one)) + len(b.of(other))
		for range 3 {
			b.plan()
			b.attempt()
			b.now(one)
			b.now(other)
		}
		if after := len(b.of(one)) + len(b.of(other)); after != before {
			t.Errorf("from %d deliveries came %d", before, after)
		}
		bad.status.Store(200)
		b.attempt()
		b.plan()
		if StateOf(b.again(one)) != On || b.recorded("webhook.recovered") != 1 {
			t.Errorf("it is %s again, and %d events say so", StateOf(b.again(one)), b.recorded("webhook.recovered"))
		}
	})
}

// about is what the event of a delivery is about.
func (b *bench) about(d Delivery) string {
	b.t.Helper()
	e, err := b.db.Event(b.t.Context(), d.EventID)
	if err != nil {
		b.t.Fatal(err)
	}
	return e.TargetID
}

func TestAnEventIsGivenUpAfterThreeDays(t *testing.T) {
	t.Parallel()
	b, r := newBench(t, storagetest.New(t)), newReceiver(t, 500, nil)
	h, _ := b.hook("siem", r.URL, "user.*")
	id := b.happens(audit.Event{Action: "user.login"})[0]
	b.update(func(tx *storage.Tx) error {
		old := newDelivery(h, &storage.Event{ID: id, Action: "user.login"}, Pending, time.Now().Add(-giveUp))
		return tx.InsertDelivery(t.Context(), &old)
	})
	b.plan() // which does not queue it once more
	b.attempt()
	all := b.of(h)
	if len(all) != 1 || all[0].State != Failed || !all[0].NextAt.IsZero() || b.recorded("webhook.failed") != 1 || StateOf(b.again(h)) != Failing {
		t.Errorf("%+v, %d events, the webhook is %s", all, b.recorded("webhook.failed"), StateOf(b.again(h)))
	}
	r.status.Store(200)
	if _, err := b.Redeliver(t.Context(), audit.Shell(), "siem", all[0].ID); err != nil {
		t.Fatal(err)
	}
	b.attempt()
	if d := b.of(h)[0]; d.State != Delivered || r.times(id) != 2 || StateOf(b.again(h)) != On {
		t.Errorf("sent again: %+v", d)
	}
}

func TestAWebhookToWhichNothingGetsThroughIsTurnedOff(t *testing.T) {
	t.Parallel()
	for reason, c := range map[string]struct {
		status int64
		aged   time.Duration
	}{OffFailing: {500, offAfter + time.Hour}, OffGone: {410, 0}} {
		b, r := newBench(t, storagetest.New(t)), newReceiver(t, c.status, nil)
		h, _ := b.hook("siem", r.URL, "user.*")
		ids := b.happens(audit.Event{Action: "user.login"})
		b.plan()
		if c.aged > 0 {
			b.attempt()
			b.aged(h, c.aged)
			b.now(h)
		}
		b.attempt()
		off := b.again(h)
		if off.IsActive || off.OffReason != reason || StateOf(off) != TurnedOff || b.recorded("webhook.disabled") != 1 || b.of(h)[0].State != Held {
			t.Fatalf("%s: %+v, %+v", reason, off, b.of(h))
		}
		ids = append(ids, b.happens(audit.Event{Action: "user.logout"})...)
		b.plan()
		b.attempt()
		before := len(r.messages())
		_, tested := b.Test(t.Context(), audit.Shell(), "siem")
		_, again := b.Redeliver(t.Context(), audit.Shell(), "siem", b.of(h)[0].ID)
		if !errors.Is(tested, ErrOff) || !errors.Is(again, ErrOff) || len(b.of(h)) != 1 {
			t.Errorf("%s: while it is off: %v, %v, %d deliveries", reason, tested, again, len(b.of(h)))
		}
		r.status.Store(200)
		if _, err := b.Update(t.Context(), audit.Shell(), "siem", true, func(d *Description) { d.Disabled = false }); err != nil {
			t.Fatal(err)
		}
		b.plan()
		b.attempt()
		if n := len(r.messages()) - before; n != 2 || r.times(ids[1]) != 1 || StateOf(b.again(h)) != On {
			t.Errorf("%s: switched on again it is told of %d, want both", reason, n)
		}
	}
}

func TestAWebhookThatIsOffIsToldNothing(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		b, r := newBench(t, db), newReceiver(t, 200, nil)
		h, _ := b.hook("siem", r.URL, "user.*")
		b.happens(audit.Event{Action: "user.queued"})
		b.plan()
		to := func(off, resume bool) error {
			_, err := b.Update(t.Context(), audit.Shell(), "siem", resume, func(d *Description) { d.Disabled = off })
			return err
		}
		if err := to(true, false); err != nil {
			t.Fatal(err)
		}
		missed := b.happens(audit.Event{Action: "user.missed"})
		b.plan()
		b.attempt()
		if err := to(true, true); fieldOf(err) != "resume" {
			t.Errorf("resumed while it is off: %v", err)
		}
		if len(r.messages()) != 0 {
			t.Fatalf("told %d times", len(r.messages()))
		}
		if err := to(false, false); err != nil {
			t.Fatal(err)
		}
		id := b.happens(audit.Event{Action: "user.later"})[0]
		b.plan()
		b.attempt()
		if n := len(r.messages()); n != 1 || r.times(id) != 1 || r.times(missed[0]) != 0 {
			t.Errorf("afterwards told %d times", n)
		}
		if d := b.of(h); len(d) != 2 || d[1].State != Failed {
			t.Errorf("what was held: %+v", d)
		}
		if err := b.Remove(t.Context(), audit.Shell(), "siem"); err != nil || len(b.of(h)) != 0 {
			t.Errorf("removed: %v, %d receipts", err, len(b.of(h)))
		}
	})
}

func fieldOf(err error) string {
	f, ok := fault.As(err)
	if !ok {
		return ""
	}
	for name := range f.Fields {
		return name
	}
	return ""
}

func TestASecretIsRotatedWithoutAGap(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		url := storagetest.Migrated(t, engine)
		db, err := storage.Open(t.Context(), storage.Options{URL: url, Secret: storagetest.Secret})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		b, r := newBench(t, db), newReceiver(t, 200, nil)
		_, old := b.hook("siem", r.URL, "user.*")
		_, fresh, err := b.Rotate(t.Context(), audit.Shell(), "siem", time.Hour)
		if err != nil || fresh == old {
			t.Fatalf("%s: Rotate() = %s, %v", engine, fresh, err)
		}
		tell := func() told {
			b.happens(audit.Event{Action: "user.login"})
			b.plan()
			b.attempt()
			return r.messages()[len(r.messages())-1]
		}
		if m := tell(); !m.good(old) || !m.good(fresh) {
			t.Errorf("signed %s", m.signature)
		}
		_, last, err := b.Rotate(t.Context(), audit.Shell(), "siem", 0)
		if err != nil {
			t.Fatal(err)
		}
		if m := tell(); m.good(old) || m.good(fresh) || !m.good(last) {
			t.Errorf("signed %s", m.signature)
		}
		for _, text := range []string{old, fresh, last} {
			for table, rows := range storagetest.Dump(t, url) {
				if slices.ContainsFunc(rows, func(row string) bool { return strings.Contains(row, text) }) {
					t.Errorf("a secret lies open in the table %s", table)
				}
			}
		}
	}
}

func TestATestIsToldOnceAndItsReceiptIsReturned(t *testing.T) {
	t.Parallel()
	b, r := newBench(t, storagetest.New(t)), newReceiver(t, 503, nil)
	h, secret := b.hook("siem", r.URL, "user.*", "webhook.*")
	d, err := b.Test(t.Context(), audit.Shell(), "siem")
	if err != nil || d.State != Failed || d.Status != 503 || !d.IsTest || d.Attempts != 1 || !b.again(h).FailingSince.IsZero() {
		t.Fatalf("Test() = %+v, %v", d, err)
	}
	r.status.Store(204)
	if d, err = b.Test(t.Context(), audit.Shell(), "siem"); err != nil || d.State != Delivered || d.Status != 204 {
		t.Fatalf("Test() = %+v, %v", d, err)
	}
	if m := r.messages()[1]; m.body.Type != "webhook.test" || m.id != d.EventID || !m.good(secret) {
		t.Errorf("told %s", m.raw)
	}
	b.plan() // the log has the tests, too, and the webhook asks for such events
	b.attempt()
	if r.times(d.EventID) != 1 {
		t.Errorf("told %d times of a test", r.times(d.EventID))
	}
	found, next, err := b.Deliveries(t.Context(), audit.Shell(), "siem", Delivered, "", 1)
	if err != nil || len(found) != 1 || found[0].State != Delivered || next == "" {
		t.Errorf("Deliveries() = %+v, %q, %v", found, next, err)
	}
	if _, _, err := b.Deliveries(t.Context(), audit.Shell(), "siem", "odd", "", 1); fieldOf(err) != "state" {
		t.Errorf("an odd state: %v", err)
	}
	for _, id := range []string{"", "x\x00", "nothing"} {
		if _, err := b.Redeliver(t.Context(), audit.Shell(), "siem", id); !errors.Is(err, ErrNoDelivery) {
			t.Errorf("Redeliver(%q) = %v", id, err)
		}
	}
}

func TestAReceiverThatIsDownCostsNoMoreThanItsWindow(t *testing.T) {
	t.Parallel()
	b := newBench(t, storagetest.New(t))
	h, _ := b.hook("siem", "http://127.0.0.1:1", "user.*")
	for range 3 {
		b.happens(slices.Repeat([]audit.Event{{Action: "user.login"}}, window/2)...)
		b.plan()
	}
	v, err := b.Show(t.Context(), audit.Shell(), "siem")
	if err != nil || v.Waiting != window || v.Behind != window/2 {
		t.Fatalf("%d wait and %d are left in the log, %v; want %d and %d", v.Waiting, v.Behind, err, window, window/2)
	}
	b.update(func(tx *storage.Tx) error { // some room
		for _, d := range b.of(h)[:10] {
			d.State = Delivered
			until := d.NextAt.Time
			d.NextAt = storage.Time{}
			if err := tx.SaveDelivery(t.Context(), &d, until); err != nil {
				return err
			}
		}
		return nil
	})
	b.plan()
	if v, err = b.Show(t.Context(), audit.Shell(), "siem"); err != nil || v.Waiting != window || v.Behind != window/2-10 {
		t.Errorf("with room for ten %d wait and %d are left, %v", v.Waiting, v.Behind, err)
	}
}

func TestEveryChangeIsRecordedAndTellsNoSecret(t *testing.T) {
	t.Parallel()
	b, r := newBench(t, storagetest.New(t)), newReceiver(t, 200, nil)
	_, secret := b.hook("siem", r.URL+"/hook?token=hidden", "user.*")
	ctx, by := t.Context(), audit.Shell()
	_, changed := b.Update(ctx, by, "siem", false, func(d *Description) { d.URL, d.Name = r.URL+"/other?token=hidden", "SIEM" })
	_, same := b.Update(ctx, by, "siem", false, func(*Description) {})
	_, _, rotated := b.Rotate(ctx, by, "siem", time.Hour)
	_, tested := b.Test(ctx, by, "siem")
	found, _, listed := b.Deliveries(ctx, by, "siem", "", "", 1)
	_, again := b.Redeliver(ctx, by, "siem", found[0].ID)
	removed := b.Remove(ctx, by, "siem")
	if err := errors.Join(changed, same, rotated, tested, listed, again, removed); err != nil {
		t.Fatal(err)
	}
	events, err := b.db.Events(ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, e := range slices.Backward(events) {
		actions = append(actions, e.Action)
		if strings.Contains(e.Details, secret) || strings.Contains(e.Details, "hidden") {
			t.Errorf("%s tells %s", e.Action, e.Details)
		}
	}
	want := []string{"webhook.create", "webhook.update", "webhook.rotate", "webhook.test", "webhook.redeliver", "webhook.delete"}
	if !slices.Equal(actions, want) {
		t.Errorf("recorded %v, want %v", actions, want)
	}
	if _, err := b.Show(ctx, by, "siem"); !errors.Is(err, ErrNoWebhook) {
		t.Error(fmt.Errorf("after it was removed: %w", err))
	}
}
