package overview_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/overview"
	"authy/storage"
	"authy/storage/storagetest"
)

// watch is the service over a database of its own.
type watch struct {
	*overview.Service
	t      *testing.T
	db     *storage.DB
	config *config.Config
	chain  *audit.Chain
}

func newWatch(t *testing.T, db *storage.DB) watch {
	c := config.Defaults()
	c.DataDir = t.TempDir()
	return watch{overview.New(db, c), t, db, c, audit.NewChain(db)}
}

func eachWatch(t *testing.T, fn func(w watch)) {
	t.Helper()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) { fn(newWatch(t, db)) })
}

func (w watch) update(fn func(ctx context.Context, tx *storage.Tx) error) {
	w.t.Helper()
	if err := w.db.Update(w.t.Context(), func(tx *storage.Tx) error { return fn(w.t.Context(), tx) }); err != nil {
		w.t.Fatal(err)
	}
}

// record writes an event of a time.
func (w watch) record(at time.Time, e audit.Event) {
	w.t.Helper()
	w.update(func(ctx context.Context, tx *storage.Tx) error { return audit.Record(ctx, tx, audit.Shell(), at, e) })
}

func (w watch) report() *overview.Report {
	w.t.Helper()
	r, err := w.Report(w.t.Context(), audit.Shell())
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// day is the one that a report says of a time.
func (w watch) day(at time.Time) overview.Day {
	w.t.Helper()
	date := at.UTC().Format(time.DateOnly)
	for _, d := range w.report().Days {
		if d.Date == date {
			return d
		}
	}
	w.t.Fatalf("the report has no day %s", date)
	return overview.Day{}
}

// busy writes a day's events.
func (w watch) busy(at time.Time) {
	login := func(details map[string]string, failed bool, reason string) audit.Event {
		return audit.Event{Action: "user.login", Failed: failed, Reason: reason, Details: details}
	}
	for _, e := range []audit.Event{
		login(map[string]string{"method": "pwd"}, false, ""),
		login(map[string]string{"method": "pwd pop user mfa"}, false, ""),
		login(map[string]string{"method": "pop user mfa"}, false, ""),
		login(map[string]string{"method": "pwd", "provider": "google"}, false, ""),
		login(nil, true, "wrong_credentials"),
		login(map[string]string{"provider": "google"}, true, "denied"),
		login(nil, true, "second_factor_given_up"),
		{Action: "totp.verify.failed", Failed: true},
		{Action: "webauthn.login.failed", Failed: true},
		{Action: "user.register"},
		{Action: "session.create"},
	} {
		w.record(at, e)
	}
}

// busyDay is what busy makes of a day, done so often.
func busyDay(at time.Time, n int64) overview.Day {
	return overview.Day{
		Date:     at.UTC().Format(time.DateOnly),
		SignIns:  map[string]int64{overview.Password: 2 * n, overview.Passkey: n, overview.Provider: n},
		Failures: map[string]int64{overview.Password: n, overview.Provider: n, overview.SecondFactor: 2 * n, overview.Passkey: n},
		NewUsers: n,
	}
}

// Whether events are new, linked, or counted, a report counts each once.
func TestADayIsCountedOnceWhateverHasHappenedToItsEvents(t *testing.T) {
	t.Parallel()
	eachWatch(t, func(w watch) {
		now := time.Now()
		yesterday := now.AddDate(0, 0, -1)
		ctx := w.t.Context()
		w.busy(yesterday)
		w.record(now.AddDate(0, 0, -40), audit.Event{Action: "user.register"})
		check := func(when string, n int64) {
			w.t.Helper()
			if diff := cmp.Diff(busyDay(yesterday, n), w.day(yesterday)); diff != "" {
				w.t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		check("written", 1)
		if err := w.chain.Link(ctx); err != nil {
			w.t.Fatal(err)
		}
		check("linked", 1)
		w.Count(ctx)
		check("counted", 1)
		w.Count(ctx)
		check("counted again", 1)
		w.busy(yesterday)
		check("with more", 2)
		if err := w.chain.Link(ctx); err != nil {
			w.t.Fatal(err)
		}
		w.Count(ctx)
		check("with more counted", 2)
		if days := w.report().Days; len(days) != overview.Days || days[overview.Days-1].Date != now.UTC().Format(time.DateOnly) {
			w.t.Errorf("the report has %d days up to %s", len(days), days[len(days)-1].Date)
		}
	})
}

func TestNodesThatCountAtOnceCountEachEventOnce(t *testing.T) {
	t.Parallel()
	eachWatch(t, func(w watch) {
		now := time.Now()
		for range 3 {
			w.busy(now)
		}
		if err := w.chain.Link(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		done := make(chan struct{})
		for range 4 {
			go func() {
				overview.New(w.db, w.config).Count(w.t.Context())
				done <- struct{}{}
			}()
		}
		for range 4 {
			<-done
		}
		if diff := cmp.Diff(busyDay(now, 3), w.day(now)); diff != "" {
			w.t.Errorf("counted by four (-want +got):\n%s", diff)
		}
	})
}

func TestAReportIsForThoseWhoAdminister(t *testing.T) {
	t.Parallel()
	w := newWatch(t, storagetest.New(t))
	ids := map[string]string{}
	now := storage.At(time.Now())
	for _, name := range []string{"admin", "member", "suspended"} {
		u := &storage.User{
			ID: storage.NewID(), Email: name + "@example.com", Status: storage.Active, CreatedAt: now, UpdatedAt: now,
			IsAdmin: name != "member",
		}
		if name == "suspended" {
			u.Status = storage.Suspended
		}
		ids[name] = u.ID
		w.update(func(ctx context.Context, tx *storage.Tx) error { return tx.InsertUser(ctx, u) })
	}
	plain := audit.Actor{Plain: true}.As(ids["admin"])
	for name, by := range map[string]audit.Actor{
		"operator": audit.Shell(), "admin": audit.Actor{}.As(ids["admin"]), "member": audit.Actor{}.As(ids["member"]),
		"suspended": audit.Actor{}.As(ids["suspended"]), "an admin's plain token": plain,
		"nobody": {Kind: audit.Anonymous}, "a service": audit.Actor{}.AsService("t", "o"),
	} {
		may := name == "operator" || name == "admin"
		if _, err := w.Report(t.Context(), by); may != (err == nil) || !may && !errors.Is(err, overview.ErrForbidden) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := w.Look(t.Context(), by, "x"); may != (err == nil) || !may && !errors.Is(err, overview.ErrForbidden) {
			t.Errorf("%s looks a reference up: %v", name, err)
		}
	}
}

func codes(r *overview.Report) (out []string) {
	for _, n := range r.Attention {
		out = append(out, n.Code)
	}
	return out
}

func TestWhatNeedsAttentionIsSaidWhatIsWorseFirst(t *testing.T) {
	t.Parallel()
	w := newWatch(t, storagetest.New(t))
	now := time.Now()
	if diff := cmp.Diff([]string{overview.MailOff, overview.BackupOff, overview.SignUpOpen}, codes(w.report())); diff != "" {
		t.Errorf("a server as it comes (-want +got):\n%s", diff)
	}
	w.config.Mail.Host, w.config.Registration.Enabled = "smtp.example.com", false
	w.config.Backup.Every.Duration = 24 * time.Hour
	if got := codes(w.report()); got != nil {
		t.Errorf("a quiet server: %q", got)
	}
	w.config.PublicURL, w.config.RateLimit.Enabled, w.config.OpenID.Registration = "http://id.example.com", false, "open"
	w.config.Keys.RotateEvery.Duration = 0
	for range 5 {
		w.record(now, audit.Event{Action: "user.login", Failed: true, Details: map[string]string{"provider": "google"}})
	}
	w.record(now, audit.Event{Action: "mail.failed", Failed: true})
	w.record(now.Add(-time.Hour), audit.Event{Action: "backup.made"})
	w.record(now, audit.Event{Action: "backup.failed", Failed: true})
	w.update(func(ctx context.Context, tx *storage.Tx) error { return w.trouble(ctx, tx, now) })
	r := overview.New(w.db, w.config)
	got, err := r.Report(t.Context(), audit.Shell())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		overview.PlainHTTP, overview.LimitsOff, overview.ProviderFailing, overview.MailFailing, overview.BackupFailing,
		overview.ClientsOpen, overview.AdminsPlain, overview.KeyOld, overview.CertificateEnds, overview.MailLost,
		overview.OneAdmin, overview.KeyTurns, overview.ClientsRelaxed,
	}
	if diff := cmp.Diff(want, codes(got)); diff != "" {
		t.Errorf("with all that trouble (-want +got):\n%s", diff)
	}
	if !slices.IsSortedFunc(got.Attention, func(a, b overview.Notice) int {
		order := map[overview.Level]int{overview.Problem: 0, overview.Warning: 1, overview.Note: 2}
		return order[a.Level] - order[b.Level]
	}) {
		t.Errorf("what is worse is not first: %+v", got.Attention)
	}
}

// A clock that is behind the newest record is wrong, or was.
func TestAClockThatIsOffNeedsAttention(t *testing.T) {
	t.Parallel()
	eachWatch(t, func(w watch) {
		w.record(time.Now().Add(time.Hour), audit.Event{Action: "mail.test", TargetKind: "mail"})
		r := w.report()
		if len(r.Attention) == 0 || r.Attention[0].Code != overview.ClockOff || r.Attention[0].Level != overview.Problem {
			t.Errorf("what needs attention is %+v", r.Attention)
		}
	})
}

// trouble adds what needs attention.
func (w watch) trouble(ctx context.Context, tx *storage.Tx, now time.Time) error {
	at := storage.At(now)
	admin := &storage.User{ID: storage.NewID(), Email: "a@example.com", Status: storage.Active, IsAdmin: true, CreatedAt: at, UpdatedAt: at}
	client := &storage.Client{
		ID: storage.NewID(), ClientID: "old", IsActive: true, GrantTypes: storage.Words{"authorization_code"},
		CreatedAt: at, UpdatedAt: at,
	}
	consenting := &storage.Client{
		ID: storage.NewID(), ClientID: "new", IsActive: true, RequirePKCE: true, SkipConsent: true, CreatedAt: at, UpdatedAt: at,
	}
	errs := []error{
		tx.InsertUser(ctx, admin), tx.InsertClient(ctx, client), tx.InsertClient(ctx, consenting),
		tx.InsertKey(ctx, &storage.Key{
			ID: "old", Algorithm: "ES256", State: storage.SigningKey, SignsAt: storage.At(now.AddDate(-2, 0, 0)), CreatedAt: at, UpdatedAt: at,
		}),
		tx.InsertKey(ctx, &storage.Key{
			ID: "next", Algorithm: "ES256", State: storage.PublishedKey, SignsAt: storage.At(now.AddDate(0, 0, 1)), CreatedAt: at, UpdatedAt: at,
		}),
		tx.InsertCertificate(ctx, &storage.Certificate{
			ID: "c", State: storage.SigningKey, NotAfter: storage.At(now.AddDate(0, 1, 0)), CreatedAt: at, UpdatedAt: at,
		}),
		tx.InsertMail(ctx, &storage.Mail{ID: "m", LastError: "no", CreatedAt: at, NextAt: at, ExpiresAt: at}),
	}
	return errors.Join(errs...)
}

func TestAReferenceLeadsToWhatWentWrong(t *testing.T) {
	t.Parallel()
	eachWatch(t, func(w watch) {
		now := time.Now().UTC().Truncate(time.Millisecond)
		bad := overview.Incident{
			Reference: "ref-0001", At: now, Status: 500, Method: "GET", Path: "/account", Code: "internal",
			Message: "Something went wrong", Cause: "disk \x00 is full", From: "192.0.2.1",
		}
		w.Note(bad)
		again := bad
		again.Cause = "what is said of a request a second time"
		w.Note(again)
		for i := range 20 { // a flood from one address
			w.Note(overview.Incident{Reference: fmt.Sprintf("flood-%d", i), At: now, From: "192.0.2.2"})
		}
		w.Note(overview.Incident{Reference: "ref-0002", At: now, From: "192.0.2.3"})
		got, err := w.Look(w.t.Context(), audit.Shell(), "ref-0001")
		bad.From, bad.Cause = "", "disk   is full"
		if diff := cmp.Diff(&bad, got); diff != "" || err != nil {
			w.t.Errorf("Look(): %v (-want +got):\n%s", err, diff)
		}
		for reference, want := range map[string]bool{"ref-0002": true, "flood-0": true, "flood-19": false, "": false, "\x00": false, "nothing": false} {
			if got, err := w.Look(w.t.Context(), audit.Shell(), reference); (got != nil) != want || err != nil {
				w.t.Errorf("%q: found %+v, %v, want %v", reference, got, err, want)
			}
		}
	})
}
