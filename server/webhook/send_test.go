package webhook

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/outbound"
	"authy/storage"
	"authy/storage/storagetest"
)

func TestAReceiverIsToldOfWhatItAsksFor(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		b := newBench(t, db)
		home := &storage.Organization{ID: storage.NewID(), Slug: "acme", Name: "Acme", IsActive: true}
		home.CreatedAt, home.UpdatedAt = storage.At(time.Now()), storage.At(time.Now())
		b.update(func(tx *storage.Tx) error { return tx.InsertOrganization(t.Context(), home) })
		everything, logins, homely := newReceiver(t, 204, nil), newReceiver(t, 200, nil), newReceiver(t, 202, nil)
		all, secret := b.hook("all", everything.URL+"/hook?a=b")
		few, _ := b.hook("few", logins.URL, "user.login", "session.*")
		theirs, _ := b.hook("theirs", homely.URL)
		if _, err := b.Update(t.Context(), audit.Shell(), "theirs", false, func(d *Description) { d.OrganizationID = home.ID }); err != nil {
			t.Fatal(err)
		}
		ids := b.happens(
			audit.Event{Action: "user.login", TargetKind: "user", TargetID: "u1", Details: map[string]string{"method": "pwd"}},
			audit.Event{Action: "user.login.failed", Failed: true, Reason: "wrong"},
			audit.Event{Action: "session.revoke", OrgID: home.ID},
		)
		b.run()
		eventually(t, "all that was asked for", func() bool {
			return everything.times(ids[2]) == 1 && everything.times(ids[0]) == 1 && logins.times(ids[2]) == 1 && homely.times(ids[2]) == 1
		})
		for _, m := range everything.messages() {
			if !m.good(secret) {
				t.Errorf("not signed: %s %s", m.signature, m.raw)
			}
		}
		if n := len(logins.messages()); n != 2 || logins.times(ids[1]) != 0 {
			t.Errorf("who asked for two was told of %d", n)
		}
		if n := homely.times(ids[0]) + homely.times(ids[1]); n != 0 {
			t.Errorf("who asked for an organization was told of %d others", n)
		}
		at := slices.IndexFunc(everything.messages(), func(m told) bool { return m.id == ids[0] })
		m := everything.messages()[at]
		if d := m.body.Data; m.body.Type != "user.login" || d["action"] != "user.login" || d["id"] != ids[0] || d["target_id"] != "u1" ||
			d["actor_kind"] != "operator" || d["outcome"] != "success" || fmt.Sprint(d["details"]) != "map[method:pwd]" || d["seq"] == nil {
			t.Errorf("told %s", m.raw)
		}
		eventually(t, "the receipts", func() bool {
			return !slices.ContainsFunc(slices.Concat(b.of(all), b.of(few), b.of(theirs)), func(d Delivery) bool { return d.State != Delivered })
		})
		if d := b.of(few)[0]; d.Status != 200 || d.Attempts != 1 || d.LastError != "" || d.DeliveredAt.IsZero() || !d.NextAt.IsZero() {
			t.Errorf("receipt %+v", d)
		}
	})
}

func TestWhatIsNotTakenIsTriedAgainUntilItIs(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		b, r := newBench(t, db), newReceiver(t, 500, nil)
		h, _ := b.hook("siem", r.URL, "user.*")
		id := b.happens(audit.Event{Action: "user.login"})[0]
		b.plan()
		for i := int64(1); i <= 3; i++ {
			began := time.Now()
			b.attempt()
			d := b.of(h)[0]
			wait := waits.After(i)
			if next := d.NextAt.Sub(began); d.State != Retrying || d.Attempts != i || d.Status != 500 || d.LastError != "it answered 500" ||
				next < wait-time.Second || next > wait+wait/10+10*time.Second {
				t.Fatalf("after attempt %d: %+v, next in %v", i, d, next)
			}
			b.now(h)
		}
		if b.again(h).FailingSince.IsZero() {
			t.Error("nothing gets through, and it is not noted")
		}
		r.status.Store(200)
		b.attempt()
		if d := b.of(h)[0]; d.State != Delivered || d.Attempts != 4 || r.times(id) != 4 || !b.again(h).FailingSince.IsZero() {
			t.Errorf("in the end %+v, told %d times", d, r.times(id))
		}
		if first, last := r.messages()[0], r.messages()[3]; string(first.raw) != string(last.raw) || first.id != last.id {
			t.Errorf("the message is another: %s, %s", first.raw, last.raw)
		}
	})
}

func TestWhatTheReceiverAnswersDecides(t *testing.T) {
	t.Parallel()
	for status, why := range map[int]string{
		200: "", 201: "", 204: "", 299: "", 301: "it answered 301: redirects are not followed", 400: "it answered 400",
		404: "it answered 404", 410: errGone.Error(), 429: "it answered 429", 500: "it answered 500",
	} {
		got := ""
		if err := verdict(status); err != nil {
			got = err.Error()
		}
		if got != why {
			t.Errorf("verdict(%d) = %q, want %q", status, got, why)
		}
	}
	now := time.Date(2026, time.November, 26, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "-5": 0, "x": 0, "99999999": maxRetryAfter,
		"999999999999": maxRetryAfter, "99999999999999999999999": maxRetryAfter, "-999999999999": 0, "9e9": 0,
		"Fri, 31 Dec 9999 23:59:59 GMT": maxRetryAfter,
		"Thu, 26 Nov 2026 12:01:00 GMT": time.Minute, "Thu, 26 Nov 2020 12:01:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestNoRedirectIsFollowedAndNoLongAnswerRead(t *testing.T) {
	t.Parallel()
	b := newBench(t, storagetest.New(t))
	var elsewhere atomic.Int64
	var long atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/elsewhere":
			elsewhere.Add(1)
		case long.Load():
			fmt.Fprint(w, strings.Repeat("x", 1<<20))
		default:
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}
	}))
	t.Cleanup(server.Close)
	h, _ := b.hook("siem", server.URL+"/hook", "user.*")
	b.happens(audit.Event{Action: "user.login"})
	b.plan()
	b.attempt()
	if d := b.of(h)[0]; d.State != Retrying || d.Status != 307 || elsewhere.Load() != 0 {
		t.Errorf("redirected: %+v, and elsewhere %d", d, elsewhere.Load())
	}
	long.Store(true)
	b.now(h)
	b.attempt()
	if d := b.of(h)[0]; d.State != Delivered {
		t.Errorf("a long answer: %+v", d)
	}
}

// HT-22: an address within is refused when it is about to be asked, whatever led there.
func TestNoPlaceWithinIsTold(t *testing.T) {
	t.Parallel()
	db, r := storagetest.New(t), newReceiver(t, 200, nil)
	b := newBench(t, db)
	b.Service = New(db, outbound.New(nil))
	port := r.URL[strings.LastIndex(r.URL, ":"):]
	for i, url := range []string{"https://127.0.0.1" + port, "https://localhost" + port, "https://[::1]" + port, "https://169.254.169.254/"} {
		h, secret := b.hook(fmt.Sprintf("within-%d", i), url, "user.*")
		b.happens(audit.Event{Action: "user.login"})
		b.plan()
		b.attempt()
		d := b.of(h)[0]
		if d.State != Retrying || !strings.Contains(d.LastError, "is not a public address") || strings.Contains(d.LastError, secret) {
			t.Errorf("%s: %+v", url, d)
		}
	}
	if n := len(r.messages()); n != 0 {
		t.Errorf("told %d times", n)
	}
}

func TestAReceiverThatHangsHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	b, hold := newBench(t, storagetest.New(t)), make(chan struct{})
	hangs, other := newReceiver(t, 200, hold), newReceiver(t, 200, nil)
	t.Cleanup(func() { close(hold) })
	slow, _ := b.hook("a", hangs.URL, "user.*")
	quick, _ := b.hook("b", other.URL, "user.*")
	events := slices.Repeat([]audit.Event{{Action: "user.login"}}, 60)
	b.happens(events...)
	b.run()
	began := time.Now()
	eventually(t, "all at the other", func() bool { return len(other.messages()) == len(events) })
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the other was told after %v", took)
	}
	if n := len(hangs.messages()); n == 0 || n > firstShare+laterShare {
		t.Errorf("%d attempts at once at the one that hangs", n)
	}
	eventually(t, "the receipts", func() bool { return b.of(quick)[0].State == Delivered })
	if d := b.of(slow); slices.ContainsFunc(d, func(d Delivery) bool { return d.State == Delivered }) {
		t.Error("one that hangs has taken something")
	}
}

// What has been taken by a server that died is sent by the next one, once its time is over.
func TestADeliveryOfAServerThatDiedIsMadeByTheNext(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		b, r := newBench(t, db), newReceiver(t, 200, nil)
		h, _ := b.hook("siem", r.URL, "user.*")
		// It dies before the chain has them,
		ids := b.happens(audit.Event{Action: "user.login"}, audit.Event{Action: "user.logout"})
		b.plan()
		due, err := b.db.DueDeliveries(t.Context(), Pending, nil, 1, time.Now())
		if err != nil || len(due) != 1 {
			t.Fatalf("%d are due, %v", len(due), err)
		}
		b.update(func(tx *storage.Tx) error { // and while it has one of them
			_, err := tx.TakeDelivery(t.Context(), due[0], time.Now().Add(-time.Second))
			return err
		})
		next := newBench(t, db)
		next.run()
		eventually(t, "both", func() bool { return r.times(ids[0]) == 1 && r.times(ids[1]) == 1 })
		eventually(t, "their receipts", func() bool {
			all := b.of(h)
			return len(all) == 2 && all[0].State == Delivered && all[1].State == Delivered && all[0].Attempts+all[1].Attempts == 3
		})
	})
}

func TestTwoNodesSendOnce(t *testing.T) {
	t.Parallel()
	url := storagetest.Migrated(t, "postgres")
	r := newReceiver(t, 200, nil)
	var nodes []*bench
	for range 2 {
		db, err := storage.Open(t.Context(), storage.Options{URL: url, Secret: storagetest.Secret})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		nodes = append(nodes, newBench(t, db))
	}
	h, _ := nodes[0].hook("siem", r.URL, "user.*")
	for _, b := range nodes {
		b.run()
	}
	var ids []string
	for range 20 {
		for _, b := range nodes {
			ids = append(ids, b.happens(audit.Event{Action: "user.login"}, audit.Event{Action: "user.logout"})...)
		}
	}
	eventually(t, "all of them", func() bool {
		return !slices.ContainsFunc(ids, func(id string) bool { return r.times(id) == 0 })
	})
	eventually(t, "their receipts", func() bool {
		return !slices.ContainsFunc(nodes[0].of(h), func(d Delivery) bool { return d.State != Delivered })
	})
	if n := len(r.messages()); n != len(ids) {
		t.Errorf("told %d times of %d events", n, len(ids))
	}
}

// On PostgreSQL what begins first may commit last: its id is lower than that of what was told
// meanwhile.
func TestAnEventThatCommitsLateIsNotLeftOut(t *testing.T) {
	t.Parallel()
	db, err := storage.Open(t.Context(), storage.Options{URL: storagetest.Migrated(t, "postgres"), Secret: storagetest.Secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	b, r := newBench(t, db), newReceiver(t, 200, nil)
	h, _ := b.hook("siem", r.URL, "user.*")
	written, commit, done := make(chan string, 1), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- db.Update(context.WithoutCancel(t.Context()), func(tx *storage.Tx) error {
			id, err := audit.RecordAs(t.Context(), tx, audit.Shell(), time.Now(), audit.Event{Action: "user.early"})
			written <- id
			<-commit
			return err
		})
	}()
	early := <-written
	late := b.happens(audit.Event{Action: "user.late"})[0]
	b.plan()
	b.attempt()
	if early >= late || r.times(late) != 1 || r.times(early) != 0 {
		t.Fatalf("before the commit of %s: told %d times, of %s %d times", early, r.times(early), late, r.times(late))
	}
	close(commit)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	b.plan()
	b.attempt()
	if r.times(early) != 1 || r.times(late) != 1 || len(b.of(h)) != 2 {
		t.Errorf("told %d times of the early one, %d times of the late one", r.times(early), r.times(late))
	}
}
