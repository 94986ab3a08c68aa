package webhook

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/storage"
	"authy/storage/storagetest"
)

// A receiver that is down for days says so in a few lines, not in one for each attempt.
func TestAReceiverThatIsDownFillsNoLog(t *testing.T) { //nolint:paralleltest // the logger is the process's
	var log bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(old)
	warned := func() int {
		n := strings.Count(log.String(), "webhook not told of an event")
		log.Reset()
		return n
	}
	b, r := newBench(t, storagetest.New(t)), newReceiver(t, 500, nil)
	h, _ := b.hook("siem", r.URL, "user.*")
	b.happens(slices.Repeat([]audit.Event{{Action: "user.login"}}, 20)...)
	b.plan()
	for range 5 {
		b.attempt()
		b.now(h)
	}
	if n := warned(); n != 1 {
		t.Errorf("%d warnings of 100 attempts, want one that it begins", n)
	}
	b.aged(h, 2*time.Hour)
	b.attempt()
	b.now(h)
	if n := warned(); n != 1 {
		t.Errorf("%d warnings after two hours, want one that it fails", n)
	}
	lost := newDelivery(h, &storage.Event{ID: storage.NewID(), Action: "user.login"}, Pending, time.Now())
	b.update(func(tx *storage.Tx) error { return tx.InsertDelivery(t.Context(), &lost) })
	b.attempt()
	if n := warned(); n != 1 {
		t.Errorf("%d warnings, want one of the event that is given up", n)
	}
	b.aged(h, offAfter+time.Hour)
	b.now(h)
	due, err := b.db.DueDeliveries(t.Context(), Retrying, nil, 1, time.Now())
	if err != nil || len(due) != 1 {
		t.Fatalf("%d are due, %v", len(due), err)
	}
	taken, err := b.take(t.Context(), due[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := b.tell(t.Context(), taken); err != nil {
		t.Fatal(err)
	}
	if n := warned(); n != 1 || StateOf(b.again(h)) != TurnedOff {
		t.Errorf("%d warnings, want one that it is turned off", n)
	}
}
