package mail_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/mail"
	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

func TestMain(m *testing.M) {
	servertest.Quiet()
	os.Exit(m.Run())
}

const publicURL = "https://id.example.com"

// office is a queue over a database, and the relay it sends to.
type office struct {
	t   *testing.T
	db  *storage.DB
	out *servertest.Outbox
	q   *mail.Queue
}

func newOffice(t *testing.T, db *storage.DB, change ...func(*config.Config)) *office {
	t.Helper()
	o := &office{t: t, db: db, out: servertest.NewOutbox(t)}
	o.q = o.queue(change...)
	return o
}

func (o *office) queue(change ...func(*config.Config)) *mail.Queue {
	o.t.Helper()
	c := config.Defaults()
	o.out.Configure(c)
	for _, do := range change {
		do(c)
	}
	q, err := mail.New(o.db, publicURL, c.Mail)
	if err != nil {
		o.t.Fatal(err)
	}
	return q
}

// run has a queue send until the test ends.
func (o *office) run(q *mail.Queue) {
	ctx, stop := context.WithCancel(context.WithoutCancel(o.t.Context()))
	done := make(chan struct{})
	go func() { q.Run(ctx); close(done) }()
	o.t.Cleanup(func() { stop(); <-done })
}

func (o *office) send(m mail.Message) {
	o.t.Helper()
	if m.ExpiresAt.IsZero() {
		m.ExpiresAt = time.Now().Add(time.Hour)
	}
	err := o.db.Update(o.t.Context(), func(tx *storage.Tx) error { return o.q.Send(o.t.Context(), tx, time.Now(), m) })
	if err != nil {
		o.t.Fatal(err)
	}
}

// waiting returns what is queued.
func (o *office) waiting() []mail.Waiting {
	o.t.Helper()
	list, err := o.q.List(o.t.Context(), "", 100)
	if err != nil {
		o.t.Fatal(err)
	}
	return list
}

// until waits for a condition.
func (o *office) until(what string, is func() bool) {
	o.t.Helper()
	for range 400 {
		if is() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	o.t.Fatalf("never: %s; waiting: %+v", what, o.waiting())
}

func (o *office) empty() bool { return len(o.waiting()) == 0 }

// failures returns the events of mails that were given up.
func (o *office) failures() []storage.Event {
	o.t.Helper()
	events, err := o.db.Events(o.t.Context(), 100)
	if err != nil {
		o.t.Fatal(err)
	}
	var found []storage.Event
	for _, e := range events {
		if e.Action == "mail.failed" {
			found = append(found, e)
		}
	}
	return found
}

func TestAMailArrivesOnceItsCauseIsDurable(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := newOffice(t, db)
		o.run(o.q)
		refused := errors.New("refused")
		err := db.Update(t.Context(), func(tx *storage.Tx) error {
			err := o.q.Send(t.Context(), tx, time.Now(), mail.Message{
				Kind: mail.VerifyEmail, To: "eve@example.com", Path: "/x", ExpiresAt: time.Now().Add(time.Hour),
			})
			return errors.Join(err, refused)
		})
		if !errors.Is(err, refused) {
			t.Fatal(err)
		}
		before := time.Now()
		o.send(mail.Message{Kind: mail.ResetPassword, To: "bob@example.com", Path: "/reset-password?token=THESECRET"})
		l := o.out.Next(t, "bob@example.com", "new password")
		if took := time.Since(before); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
		if l.Link() != publicURL+"/reset-password?token=THESECRET" || !strings.Contains(l.HTML, `href="`+l.Link()+`"`) {
			t.Errorf("the link is %q in\n%s", l.Link(), l.HTML)
		}
		if l.From != "noreply@authy.example" || l.Header.Get("From") != `"authy" <noreply@authy.example>` ||
			l.Header.Get("To") != "<bob@example.com>" || l.Header.Get("Auto-Submitted") != "auto-generated" ||
			!strings.HasSuffix(l.Header.Get("Message-Id"), "@authy.example>") || l.Header.Get("Date") == "" {
			t.Errorf("from %q, headers %v", l.From, l.Header)
		}
		o.until("the queue is empty", o.empty)
		if left := o.out.Subjects(); len(left) > 0 {
			t.Errorf("also sent: %q", left)
		}
	})
}

func TestAMailIsSealedWhileItWaits(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := newOffice(t, db)
		o.send(mail.Message{Kind: mail.ResetPassword, To: "bob@example.com", Path: "/reset-password?token=THESECRET"})
		var kept *storage.Mail
		err := db.Update(t.Context(), func(tx *storage.Tx) (err error) {
			kept, err = tx.LeaseMail(t.Context(), o.waiting()[0], time.Now().Add(time.Hour))
			return err
		})
		if err != nil || !strings.HasPrefix(kept.Sealed, "v1.") || strings.Contains(kept.Sealed, "SECRET") ||
			!strings.Contains(string(kept.Body), "token=THESECRET") {
			t.Errorf("kept as %+v, %v", kept, err)
		}
		// Leased is leased: for this time it is nobody else's.
		err = db.Update(t.Context(), func(tx *storage.Tx) error {
			before := *kept
			before.NextAt = kept.CreatedAt
			_, err := tx.LeaseMail(t.Context(), before, time.Now())
			return err
		})
		if !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("leased twice: %v, want ErrNotFound", err)
		}
	})
}

func TestWhatTheRelayDoesNotTakeIsTriedAgain(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := newOffice(t, db)
		o.out.Down(true)
		o.out.Refuse("carol@example.com", "450 4.2.1 later")
		o.run(o.q)
		o.send(mail.Message{Kind: mail.PasswordChanged, To: "bob@example.com"})
		o.until("the first attempt has failed", func() bool { w := o.waiting(); return len(w) == 1 && w[0].LastError != "" })
		o.out.Down(false)
		o.send(mail.Message{Kind: mail.PasswordChanged, To: "carol@example.com"})
		o.out.Next(t, "bob@example.com", "changed")
		o.until("carol waits", func() bool {
			w := o.waiting()
			return len(w) == 1 && w[0].Recipient == "carol@example.com" && strings.Contains(w[0].LastError, "450")
		})
		o.out.Refuse("carol@example.com", "")
		o.out.Next(t, "carol@example.com", "changed")
		if found := o.failures(); len(found) > 0 {
			t.Errorf("given up: %+v", found)
		}
	})
}

func TestAMailIsGivenUpWhenItIsOfNoUseAnyMore(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := newOffice(t, db)
		o.out.Refuse("nobody@example.com", "550 5.1.1 no such user")
		o.send(mail.Message{
			Kind: mail.ResetPassword, To: "late@example.com", Path: "/x", ExpiresAt: time.Now().Add(-time.Second),
		})
		o.send(mail.Message{Kind: mail.ResetPassword, To: "nobody@example.com", Path: "/x"})
		o.run(o.q)
		o.until("both are given up", o.empty)
		if sent := o.out.Subjects(); len(sent) > 0 {
			t.Errorf("sent: %q", sent)
		}
		reasons := map[string]string{}
		for _, e := range o.failures() {
			reasons[e.Reason] = e.Details
		}
		if len(reasons) != 2 || !strings.Contains(reasons["expired"], "late@example.com") ||
			!strings.Contains(reasons["refused"], "550") {
			t.Errorf("events: %v", reasons)
		}
	})
}

func TestManyNodesSendEachMailOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := newOffice(t, db)
		for i := range 60 {
			o.send(mail.Message{Kind: mail.PasswordChanged, To: fmt.Sprintf("user%d@example.com", i)})
		}
		for range 3 {
			o.run(o.queue())
		}
		o.until("all are sent", o.empty)
		seen := map[string]int{}
		for _, one := range o.out.Subjects() {
			seen[one]++
		}
		for one, n := range seen {
			if n != 1 {
				t.Errorf("%s arrived %d times", one, n)
			}
		}
		if len(seen) != 60 {
			t.Errorf("%d arrived, want 60", len(seen))
		}
	})
}

// A relay that takes a message and goes away before it says so gets it again:
// twice is better than never, and both have one Message-ID.
func TestAMailThatMayNotHaveArrivedIsSentAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t, storagetest.New(t))
	o.out.Cut(true)
	o.run(o.q)
	o.send(mail.Message{Kind: mail.PasswordChanged, To: "bob@example.com"})
	first := o.out.Next(t, "bob@example.com", "")
	o.out.Cut(false)
	second := o.out.Next(t, "bob@example.com", "")
	if id := first.Header.Get("Message-Id"); id == "" || id != second.Header.Get("Message-Id") {
		t.Errorf("Message-ID %q and then %q", id, second.Header.Get("Message-Id"))
	}
	o.until("it is done with", o.empty)
}

func TestWithoutARelayNothingIsQueued(t *testing.T) {
	t.Parallel()
	o := newOffice(t, storagetest.New(t), func(c *config.Config) { c.Mail = config.Defaults().Mail })
	o.send(mail.Message{Kind: mail.PasswordChanged, To: "bob@example.com"})
	if o.q.Enabled() || (*mail.Queue)(nil).Enabled() || !o.empty() {
		t.Errorf("enabled %v, waiting %+v", o.q.Enabled(), o.waiting())
	}
	if _, err := o.q.Test(t.Context(), "bob@example.com"); !errors.Is(err, mail.ErrOff) {
		t.Errorf("Test = %v, want ErrOff", err)
	}
}

func TestANoticeSaysWhenAndFromWhere(t *testing.T) {
	t.Parallel()
	o := newOffice(t, storagetest.New(t))
	o.run(o.q)
	user, now := &storage.User{Email: "bob@example.com"}, time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	for _, c := range []struct {
		by   audit.Actor
		want string
	}{
		{audit.Actor{IPAddress: "192.0.2.7", UserAgent: "Browser\r\n 1"}.As("id"), "192.0.2.7 with Browser 1"},
		{audit.Shell(), "the operator of this server"},
	} {
		err := o.db.Update(t.Context(), func(tx *storage.Tx) error {
			return o.q.Notice(t.Context(), tx, c.by, time.Now(), user, mail.FactorAdded, mail.APasskey)
		})
		if err != nil {
			t.Fatal(err)
		}
		l := o.out.Next(t, "bob@example.com", "sign in with a passkey now")
		if !strings.Contains(l.Text, c.want) || !strings.Contains(l.Text, time.Now().UTC().Format("2 January 2006")) {
			t.Errorf("want %q and the day of %s in\n%s", c.want, now, l.Text)
		}
	}
}
