package logout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/outbound"
	"authy/storage"
	"authy/storage/storagetest"
)

// bench is a service over a database of its own, with a user who has a session.
type bench struct {
	*Service
	t    *testing.T
	user *storage.User
}

func newBench(t *testing.T, db *storage.DB) *bench {
	t.Helper()
	out := outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	token := func(_ context.Context, l *storage.Logout) (string, error) {
		return fmt.Sprintf("%s of %s, attempt %d", l.Subject, l.SessionID, l.Attempts), nil
	}
	b := &bench{Service: New(db, out, token), t: t}
	now := storage.At(time.Now())
	b.user = &storage.User{ID: storage.NewID(), Email: "bob@example.com", Status: storage.Active, CreatedAt: now, UpdatedAt: now}
	b.update(func(ctx context.Context, tx *storage.Tx) error { return tx.InsertUser(ctx, b.user) })
	return b
}

func (b *bench) update(fn func(ctx context.Context, tx *storage.Tx) error) {
	b.t.Helper()
	if err := b.db.Update(b.t.Context(), func(tx *storage.Tx) error { return fn(b.t.Context(), tx) }); err != nil {
		b.t.Fatal(err)
	}
}

// client makes a client that is told at uri, "" for one that is not told.
func (b *bench) client(uri string) *storage.Client {
	b.t.Helper()
	id, now := storage.NewID(), storage.At(time.Now())
	c := &storage.Client{ID: id, ClientID: "client-" + id, Name: "Party", IsActive: true, CreatedAt: now, UpdatedAt: now}
	c.Options.BackChannelURI = uri
	b.update(func(ctx context.Context, tx *storage.Tx) error { return tx.InsertClient(ctx, c) })
	return c
}

// session makes a session in which clients were visited.
func (b *bench) session(clients ...*storage.Client) *storage.Session {
	b.t.Helper()
	id, now := storage.NewID(), storage.At(time.Now())
	s := &storage.Session{
		ID: id, UserID: b.user.ID, Kind: storage.WebSession, TokenHash: id, AuthenticatedAt: now, CreatedAt: now,
		UpdatedAt: now, LastActivityAt: now, ExpiresAt: storage.At(now.Add(time.Hour)),
	}
	b.update(func(ctx context.Context, tx *storage.Tx) error {
		err := tx.InsertSession(ctx, s)
		for _, c := range clients {
			visit := &storage.Visit{SessionID: id, ClientID: c.ID, Subject: "bob", CreatedAt: now}
			err = errors.Join(err, tx.InsertVisit(ctx, visit), tx.InsertVisit(ctx, visit))
		}
		return err
	})
	return s
}

func (b *bench) end(s *storage.Session) {
	b.t.Helper()
	b.update(func(ctx context.Context, tx *storage.Tx) error {
		_, err := Session(ctx, tx, time.Now(), s, "ended")
		return err
	})
}

// run runs the service until the test, or what it returns, ends it.
func (b *bench) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(ctx)
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	b.t.Cleanup(stop)
	return stop
}

// of returns the logouts of a session.
func (b *bench) of(s *storage.Session) []storage.Logout {
	b.t.Helper()
	all, err := b.db.LogoutsOf(b.t.Context(), s.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// stub answers logout tokens by a status, and counts them.
type stub struct {
	*httptest.Server
	status atomic.Int64
	hold   chan struct{} // answers wait for it to be closed, if not nil
	seen   atomic.Int64
}

func newStub(t *testing.T, status int64, hold chan struct{}) *stub {
	t.Helper()
	s := &stub{hold: hold}
	s.status.Store(status)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.seen.Add(1)
		if !strings.HasPrefix(r.PostFormValue("logout_token"), "bob of ") {
			t.Errorf("got %v", r.PostForm)
		}
		if s.hold != nil {
			<-s.hold
		}
		w.WriteHeader(int(s.status.Load()))
	}))
	t.Cleanup(s.Close)
	return s
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within ten seconds: %s", what)
		}
	}
}

func TestTheWaitsGrow(t *testing.T) {
	t.Parallel()
	want := []time.Duration{
		time.Second, time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, time.Hour,
	}
	for attempts, d := range want {
		if got := waits.After(int64(attempts)); got != d {
			t.Errorf("waits.After(%d) = %v, want %v", attempts, got, d)
		}
	}
}

func TestTheVerdictOnAnAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		why    string // "" for delivered
		final  bool
	}{
		{200, "", "", false},
		{200, `{"error":"x"}`, "", false},
		{204, "", "", false},
		{400, "", "it answered 400", true},
		{400, `{"error":"invalid_request","error_description":"No such session."}`, "invalid_request No such session.", true},
		{400, `{"error":`, "it answered 400", true},
		{400, `[]`, "it answered 400", true},
		{201, "", "answered 201", false},
		{302, "", "answered 302", false},
		{404, "", "answered 404", false},
		{429, "", "answered 429", false},
		{500, "", "answered 500", false},
		{504, "", "answered 504", false},
	} {
		err := verdict(c.status, []byte(c.body))
		if (err == nil) != (c.why == "") || errors.Is(err, ErrRefused) != c.final || err != nil && !strings.Contains(err.Error(), c.why) {
			t.Errorf("verdict(%d, %s) = %v, want %q, final: %v", c.status, c.body, err, c.why, c.final)
		}
	}
}

func TestWhoWantsToHearIsToldOnceOfEachSession(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		b := newBench(t, db)
		rp := newStub(t, 200, nil)
		wants, silent := b.client(rp.URL), b.client("")
		first, second, other := b.session(wants, silent), b.session(wants), b.session(silent)
		b.end(first)
		b.end(first)
		b.update(func(ctx context.Context, tx *storage.Tx) error {
			n, err := Sessions(ctx, tx, time.Now(), b.user.ID, second.ID, "others")
			if n != 1 {
				t.Errorf("%d other sessions ended, want 1", n)
			}
			return err
		})
		if a, n := b.of(first), len(b.of(second))+len(b.of(other)); len(a) != 1 || n != 0 {
			t.Errorf("queued %v, and %d for the others", a, n)
		}
		b.run()
		got, err := b.Await(t.Context(), first.ID)
		if err != nil || len(got) != 1 || got[0].State != Delivered || got[0].Client.ID != wants.ID {
			t.Fatalf("Await() = %v, %v", got, err)
		}
		// What outlives the user: the row has no more of them than their id.
		b.update(func(ctx context.Context, tx *storage.Tx) error { return Delete(ctx, tx, time.Now(), b.user.ID) })
		eventually(t, "the end of the last", func() bool { all := b.of(second); return len(all) == 1 && all[0].State == Delivered })
		if n := rp.seen.Load(); n != 2 {
			t.Errorf("told %d times, want 2", n)
		}
	})
}

func TestWhatDoesNotCommitIsNotTold(t *testing.T) {
	t.Parallel()
	b := newBench(t, storagetest.New(t))
	s := b.session(b.client("http://127.0.0.1:1"))
	undone := errors.New("undone")
	err := b.db.Update(t.Context(), func(tx *storage.Tx) error {
		if err := Everywhere(t.Context(), tx, time.Now(), b.user); err != nil {
			return err
		}
		return undone
	})
	if !errors.Is(err, undone) || len(b.of(s)) != 0 {
		t.Errorf("Update() = %v, and %d are queued", err, len(b.of(s)))
	}
	if b.end(s); len(b.of(s)) != 1 {
		t.Errorf("afterwards %d are queued, want 1", len(b.of(s)))
	}
}

func TestAnApplicationIsGivenUpAfterADay(t *testing.T) {
	t.Parallel()
	b := newBench(t, storagetest.New(t))
	rp := newStub(t, 500, nil)
	s := b.session(b.client(rp.URL))
	b.update(func(ctx context.Context, tx *storage.Tx) error {
		_, err := Session(ctx, tx, time.Now().Add(-giveUp), s, "ended")
		return err
	})
	b.run()
	eventually(t, "giving up", func() bool { return b.of(s)[0].State == Failed })
	l := b.of(s)[0]
	if !l.NextAt.IsZero() || l.LastError != "the application answered 500" || rp.seen.Load() != 1 {
		t.Errorf("given up: %+v", l)
	}
	events, err := b.db.Events(t.Context(), 10)
	if err != nil || len(events) != 1 || events[0].Action != "logout.backchannel" || events[0].Reason != "given_up" {
		t.Errorf("events %+v, %v", events, err)
	}
	if l.ExpiresAt.Sub(l.CreatedAt.Time) != 30*24*time.Hour {
		t.Errorf("kept for %v", l.ExpiresAt.Sub(l.CreatedAt.Time))
	}
}

func TestAnApplicationThatHangsHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, storagetest.New(t))
	hold := make(chan struct{})
	hangs, answers := newStub(t, 200, hold), newStub(t, 200, nil)
	slow, quick := b.client(hangs.URL), b.client(answers.URL)
	var sessions []*storage.Session
	for range firstSlots + perClient {
		sessions = append(sessions, b.session(slow))
	}
	for _, s := range sessions {
		b.end(s)
	}
	b.run()
	eventually(t, "its share", func() bool { return hangs.seen.Load() == perClient })
	s := b.session(quick)
	b.end(s)
	began := time.Now()
	if got, err := b.Await(t.Context(), s.ID); err != nil || got[0].State != Delivered || time.Since(began) >= patience {
		t.Errorf("the other was told after %v: %v, %v", time.Since(began), got, err)
	}
	began = time.Now()
	if got, err := b.Await(t.Context(), sessions[0].ID); err != nil || got[0].State != Sent || time.Since(began) < patience {
		t.Errorf("one waited %v for it: %v, %v", time.Since(began), got, err)
	}
	close(hold)
	eventually(t, "all of it", func() bool { return hangs.seen.Load() == int64(len(sessions)) })
}

func TestTwoNodesTellOnceAndTheNextGoesOnWhereOneHasStopped(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		b := newBench(t, db)
		rp := newStub(t, 200, nil)
		c := b.client(rp.URL)
		other := &bench{Service: New(db, b.out, b.token), t: t, user: b.user}
		var sessions []*storage.Session
		for range 20 {
			sessions = append(sessions, b.session(c))
		}
		for _, s := range sessions {
			b.end(s)
		}
		stops := []func(){b.run(), other.run()}
		told := func() bool {
			return !slices.ContainsFunc(sessions, func(s *storage.Session) bool { return b.of(s)[0].State != Delivered })
		}
		eventually(t, "all", told)
		if n := rp.seen.Load(); n != int64(len(sessions)) {
			t.Errorf("told %d times, want %d", n, len(sessions))
		}
		for _, stop := range stops {
			stop()
		}
		late := b.session(c)
		b.end(late)
		(&bench{Service: New(db, b.out, b.token), t: t, user: b.user}).run()
		eventually(t, "what was left", func() bool { return b.of(late)[0].State == Delivered })
	})
}

func TestADeletedClientIsForgotten(t *testing.T) {
	t.Parallel()
	b := newBench(t, storagetest.New(t))
	c := b.client("http://127.0.0.1:1")
	s := b.session(c)
	b.end(s)
	taken, err := b.take(t.Context(), b.of(s)[0])
	if err != nil || taken == nil {
		t.Fatalf("take() = %v, %v", taken, err)
	}
	if again, err := b.take(t.Context(), b.of(s)[0]); err != nil || again == nil {
		t.Fatalf("take() of a lease that is known = %v, %v", again, err)
	}
	b.update(func(ctx context.Context, tx *storage.Tx) error { return tx.DeleteClient(ctx, c) })
	if err := b.settle(t.Context(), taken, nil); !errors.Is(err, storage.ErrNotFound) || len(b.of(s)) != 0 {
		t.Errorf("settle() = %v, and %d are left", err, len(b.of(s)))
	}
}

func TestReceiptsAreForAdministrators(t *testing.T) {
	t.Parallel()
	b := newBench(t, storagetest.New(t))
	one, two := b.client("http://127.0.0.1:1"), b.client("http://127.0.0.1:2")
	for range 3 {
		b.end(b.session(one, two))
	}
	ctx := t.Context()
	if _, _, err := b.List(ctx, audit.Actor{}.As(b.user.ID), Filter{}, "", 10); !errors.Is(err, ErrForbidden) {
		t.Errorf("a user gets %v", err)
	}
	for _, id := range []string{"nobody", "a\x00b"} {
		if _, _, err := b.List(ctx, audit.Shell(), Filter{ClientID: id}, "", 10); !errors.Is(err, ErrNoClient) {
			t.Errorf("List(%q) = %v", id, err)
		}
	}
	for _, c := range []struct {
		f    Filter
		want int
	}{{Filter{}, 6}, {Filter{ClientID: one.ClientID}, 3}, {Filter{UserID: b.user.ID}, 6}, {Filter{UserID: "x"}, 0}} {
		var got, pages []string
		for after := ""; ; {
			list, next, err := b.List(ctx, audit.Shell(), c.f, after, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range list {
				got = append(got, r.ID)
			}
			if pages = append(pages, next); next == "" {
				break
			}
			after = next
		}
		sorted := slices.Clone(got)
		slices.Sort(sorted)
		slices.Reverse(sorted)
		if diff := cmp.Diff(sorted, got); diff != "" || len(got) != c.want {
			t.Errorf("%+v: %d in %d pages, want %d, the newest first:\n%s", c.f, len(got), len(pages), c.want, diff)
		}
	}
	if recent, err := b.Recent(ctx, b.user.ID, 4); err != nil || len(recent) != 4 {
		t.Errorf("Recent() = %d, %v", len(recent), err)
	}
}
