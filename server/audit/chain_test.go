package audit_test

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/storage"
	"authy/storage/storagetest"
)

// chained is a database with a way behind authy's back.
type chained struct {
	*storage.DB
	t     *testing.T
	url   string
	chain *audit.Chain
}

// eachChain runs fn on both databases.
func eachChain(t *testing.T, fn func(c chained)) {
	t.Helper()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			fn(newChained(t, engine))
		})
	}
}

func newChained(t *testing.T, engine string) chained {
	t.Helper()
	url := storagetest.URL(t, engine)
	db, err := storage.Open(t.Context(), storage.Options{URL: url, Secret: storagetest.Secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() }) //nolint:errcheck // the test is over
	if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
		t.Fatal(err)
	}
	return chained{db, t, url, audit.NewChain(db)}
}

// write records n events, each in a transaction of its own.
func (c chained) write(n int) {
	c.t.Helper()
	for i := range n {
		err := c.Update(c.t.Context(), func(tx *storage.Tx) error {
			return audit.Record(c.t.Context(), tx, audit.Shell(), time.Now(), audit.Event{
				Action: "thing.break", TargetID: strconv.Itoa(i),
			})
		})
		if err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c chained) link() {
	c.t.Helper()
	if err := c.chain.Link(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

// behind runs statements that authy does not know of.
func (c chained) behind(statements ...string) {
	c.t.Helper()
	driver, source := "pgx", c.url
	if path, ok := strings.CutPrefix(c.url, "sqlite://"); ok {
		driver, source = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(c.t.Context(), s); err != nil {
			c.t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		c.t.Fatal(err)
	}
}

func (c chained) verify(noted audit.Note) *audit.Report {
	c.t.Helper()
	report, err := c.chain.Verify(c.t.Context(), noted)
	if err != nil {
		c.t.Fatal(err)
	}
	return report
}

func TestTheChainTellsWhatIsNotLinkedYet(t *testing.T) {
	t.Parallel()
	eachChain(t, func(c chained) {
		if diff := cmp.Diff(&audit.Report{}, c.verify(audit.Note{})); diff != "" {
			c.t.Errorf("an empty log (-want +got):\n%s", diff)
		}
		c.write(3)
		if diff := cmp.Diff(&audit.Report{Unlinked: 3}, c.verify(audit.Note{})); diff != "" {
			c.t.Errorf("before linking (-want +got):\n%s", diff)
		}
		c.link()
		c.write(1)
		c.link()
		c.link()
		c.write(2)
		got := c.verify(audit.Note{})
		if got.Checked != 4 || got.Unlinked != 2 || got.Damage != nil || !strings.HasPrefix(got.Head, "4:") {
			c.t.Errorf("Verify = %+v, want 4 linked and 2 not", got)
		}
	})
}

// Every way to change the log with the database alone, and what is said of it.
var tampering = []struct {
	name       string
	statements []string
	want       audit.Damage
}{
	{"a changed row", []string{"UPDATE events SET outcome = 'failure' WHERE seq = 3"}, audit.Damage{Kind: audit.Altered, Seq: 3}},
	{"a changed time", []string{"UPDATE events SET at = at + 1 WHERE seq = 1"}, audit.Damage{Kind: audit.Altered, Seq: 1}},
	{
		"text moved to the next column",
		[]string{"UPDATE events SET target_kind = target_id, target_id = target_kind WHERE seq = 4"},
		audit.Damage{Kind: audit.Altered, Seq: 4},
	},
	{"a changed hash", []string{"UPDATE events SET hash = 'x' WHERE seq = 6"}, audit.Damage{Kind: audit.Altered, Seq: 6}},
	{"a deleted row", []string{"DELETE FROM events WHERE seq = 2"}, audit.Damage{Kind: audit.Missing, Seq: 2}},
	{"the first row deleted", []string{"DELETE FROM events WHERE seq = 1"}, audit.Damage{Kind: audit.Missing, Seq: 1}},
	{
		"a deleted row, the rest moved up",
		[]string{"DELETE FROM events WHERE seq = 5", "UPDATE events SET seq = 5 WHERE seq = 6"},
		audit.Damage{Kind: audit.Altered, Seq: 5},
	},
	{
		"a row to be linked anew",
		[]string{"UPDATE events SET seq = NULL, hash = '', action = 'other' WHERE seq = 3"},
		audit.Damage{Kind: audit.Missing, Seq: 3},
	},
	{"the last row cut off", []string{"DELETE FROM events WHERE seq = 6"}, audit.Damage{Kind: audit.CutOff, Seq: 6}},
	{"a tail cut off", []string{"DELETE FROM events WHERE seq > 3"}, audit.Damage{Kind: audit.CutOff, Seq: 4}},
	{"all rows cut off", []string{"DELETE FROM events"}, audit.Damage{Kind: audit.CutOff, Seq: 1}},
	{
		"a tail cut off and the head set back", []string{
			"DELETE FROM events WHERE seq > 3",
			"UPDATE event_heads SET seq = 3, hash = (SELECT hash FROM events WHERE seq = 3)",
		}, audit.Damage{Kind: audit.Head},
	},
	{
		"two rows swapped", []string{
			"UPDATE events SET seq = 99 WHERE seq = 2", "UPDATE events SET seq = 2 WHERE seq = 4",
			"UPDATE events SET seq = 4 WHERE seq = 99",
		}, audit.Damage{Kind: audit.Altered, Seq: 2},
	},
	{"a changed head", []string{"UPDATE event_heads SET seq = 5"}, audit.Damage{Kind: audit.Head}},
	{"a changed hash of the head", []string{"UPDATE event_heads SET hash = 'x'"}, audit.Damage{Kind: audit.Head}},
	{"a deleted head", []string{"DELETE FROM event_heads"}, audit.Damage{Kind: audit.Head}},
	{
		"a made-up row at the end",
		[]string{"UPDATE events SET seq = 7, hash = 'x' WHERE seq IS NULL"},
		audit.Damage{Kind: audit.Head},
	},
}

func TestTamperingIsNamed(t *testing.T) {
	t.Parallel()
	eachChain(t, func(c chained) {
		c.write(6)
		c.link()
		c.write(1)
		c.behind("CREATE TABLE saved AS SELECT * FROM events", "CREATE TABLE saved_heads AS SELECT * FROM event_heads")
		for _, one := range tampering {
			c.behind(one.statements...)
			got := c.verify(audit.Note{}).Damage
			if got == nil || got.Kind != one.want.Kind || got.Seq != one.want.Seq || (got.EventID == "") != (got.Kind != audit.Altered) {
				c.t.Errorf("%s: %+v, want %+v", one.name, got, one.want)
			} else if !strings.HasSuffix(got.String(), ".") {
				c.t.Errorf("%s: %q is no sentence", one.name, got)
			}
			c.behind("DELETE FROM events", "INSERT INTO events SELECT * FROM saved", "DELETE FROM event_heads",
				"INSERT INTO event_heads SELECT * FROM saved_heads")
		}
		if got := c.verify(audit.Note{}); got.Damage != nil || got.Checked != 6 {
			c.t.Errorf("restored: %+v, want it whole", got)
		}
	})
}

func TestAnOldCopyOfAllIsNoticedByANote(t *testing.T) {
	t.Parallel()
	eachChain(t, func(c chained) {
		c.write(2)
		c.link()
		c.behind("CREATE TABLE saved_heads AS SELECT * FROM event_heads")
		c.write(2)
		c.link()
		noted, err := audit.ParseNote(c.verify(audit.Note{}).Head)
		if err != nil {
			c.t.Fatal(err)
		}
		if got := c.verify(noted); got.Damage != nil {
			c.t.Errorf("untouched: %+v", got.Damage)
		}
		c.behind("DELETE FROM events WHERE seq > 2", "DELETE FROM event_heads", "INSERT INTO event_heads SELECT * FROM saved_heads")
		if got := c.verify(audit.Note{}); got.Damage != nil {
			c.t.Errorf("without the note: %+v, want it to look whole", got.Damage)
		}
		if got := c.verify(noted).Damage; got == nil || got.Kind != audit.CutOff || got.Seq != 3 {
			c.t.Errorf("with the note: %+v, want a cut at 3", got)
		}
		c.write(2)
		c.link()
		if got := c.verify(noted).Damage; got == nil || got.Kind != audit.Altered || got.Seq != 4 {
			c.t.Errorf("written over: %+v, want 4 altered", got)
		}
	})
}

func TestParseNote(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"1:x": true, "42:a_b-c": true, "": false, ":": false, "0:x": false, "-1:x": false, "1:": false, "x:1": false, "1": false,
		"99999999999999999999:x": false,
	} {
		note, err := audit.ParseNote(text)
		if (err == nil) != ok || ok && note.String() != text || err != nil && !errors.Is(err, audit.ErrNote) {
			t.Errorf("ParseNote(%q) = %v, %v", text, note, err)
		}
	}
}

func TestNothingIsLinkedToAStrangeHead(t *testing.T) {
	t.Parallel()
	eachChain(t, func(c chained) {
		c.write(2)
		c.link()
		c.behind("UPDATE event_heads SET mark = 'x'")
		c.write(1)
		if err := c.chain.Link(c.t.Context()); err == nil || !strings.Contains(err.Error(), "authy audit verify") {
			c.t.Errorf("Link = %v, want it refused", err)
		}
		c.behind("DELETE FROM event_heads")
		if err := c.chain.Link(c.t.Context()); err == nil {
			c.t.Error("a chain without its head was begun anew")
		}
		if got := c.verify(audit.Note{}); got.Checked != 2 || got.Unlinked != 1 || got.Damage == nil {
			c.t.Errorf("Verify = %+v", got)
		}
	})
}

func TestAnotherKeyDoesNotFit(t *testing.T) {
	t.Parallel()
	c := newChained(t, "sqlite")
	c.write(2)
	c.link()
	other, err := storage.Open(t.Context(), storage.Options{URL: c.url, Secret: []byte("another key of thirty-two bytes!")})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // the test is over
	report, err := audit.NewChain(other).Verify(t.Context(), audit.Note{})
	if err != nil || report.Damage == nil || report.Damage.Kind != audit.Altered || report.Damage.Seq != 1 {
		t.Errorf("Verify = %+v, %v", report, err)
	}
}

// Writers, two nodes that link, and somebody who verifies, all at once.
func TestTheChainStaysWholeUnderConcurrentWriters(t *testing.T) {
	t.Parallel()
	eachChain(t, func(c chained) {
		const writers, each = 8, 40
		ctx, stop := context.WithCancel(c.t.Context())
		var writing, linking sync.WaitGroup
		for range writers {
			writing.Go(func() { c.write(each) })
		}
		for range 2 {
			linking.Go(func() {
				for ctx.Err() == nil {
					if err := audit.NewChain(c.DB).Link(c.t.Context()); err != nil {
						c.t.Errorf("Link: %v", err)
					}
				}
			})
		}
		linking.Go(func() {
			for ctx.Err() == nil {
				if report, err := c.chain.Verify(c.t.Context(), audit.Note{}); err != nil || report.Damage != nil {
					c.t.Errorf("Verify = %+v, %v", report, err)
				}
			}
		})
		writing.Wait()
		stop()
		linking.Wait()
		c.link()
		if got := c.verify(audit.Note{}); got.Checked != writers*each || got.Unlinked != 0 || got.Damage != nil {
			c.t.Errorf("Verify = %+v, want %d whole", got, writers*each)
		}
	})
}

func TestALongBacklogIsLinked(t *testing.T) {
	t.Parallel()
	eachChain(t, func(c chained) {
		const n = 1203
		err := c.Update(c.t.Context(), func(tx *storage.Tx) error {
			for range n {
				if err := audit.Record(c.t.Context(), tx, audit.Shell(), time.Now(), audit.Event{Action: "a.b"}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			c.t.Fatal(err)
		}
		running, stop := context.WithCancel(c.t.Context())
		stop()
		c.chain.Run(running) // links once more when it is stopped
		if got := c.verify(audit.Note{}); got.Checked != n || got.Unlinked != 0 || got.Damage != nil {
			c.t.Errorf("Verify = %+v", got)
		}
	})
}
