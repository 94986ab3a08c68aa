package audit_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
)

func (c chained) restart(reason string) *audit.Seam {
	c.t.Helper()
	seam, err := c.chain.Restart(c.t.Context(), audit.Shell(), reason)
	if err != nil {
		c.t.Fatal(err)
	}
	return seam
}

// damages are statements that damage a chain of ten events, and what is found then.
func damages() map[string]struct {
	behind string
	found  audit.Damage
	begins int64 // the number of the seam
} {
	type one = struct {
		behind string
		found  audit.Damage
		begins int64
	}
	return map[string]one{
		"altered":  {"UPDATE events SET reason = 'no' WHERE seq = 4", audit.Damage{Kind: audit.Altered, Seq: 4}, 11},
		"missing":  {"DELETE FROM events WHERE seq = 4", audit.Damage{Kind: audit.Missing, Seq: 4}, 11},
		"cut off":  {"DELETE FROM events WHERE seq > 7", audit.Damage{Kind: audit.CutOff, Seq: 8}, 11},
		"a head":   {"UPDATE event_heads SET seq = 9000", audit.Damage{Kind: audit.Head}, 11},
		"no head":  {"DELETE FROM event_heads", audit.Damage{Kind: audit.Head}, 11},
		"all gone": {"DELETE FROM events", audit.Damage{Kind: audit.CutOff, Seq: 1}, 11},
	}
}

// After damage a new chain begins: verifying names the seam and goes on, and
// whatever else is wrong, before it or behind it, is found.
func TestAChainBeginsAnewAfterDamage(t *testing.T) {
	t.Parallel()
	for name, d := range damages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachChain(t, func(c chained) {
				c.write(10)
				c.link()
				c.behind(d.behind)
				c.write(2) // these wait, and come after the seam
				found := c.verify(audit.Note{}).Damage
				if found == nil || found.Kind != d.found.Kind || found.Seq != d.found.Seq {
					c.t.Fatalf("found %+v, want %+v", found, d.found)
				}
				seam := c.restart("incident")
				if seam.Seq != d.begins || seam.Damage != *found || seam.Reason != "incident" {
					c.t.Errorf("the seam is %+v, want %d about %+v", seam, d.begins, found)
				}
				c.link()
				c.write(1)
				c.link()
				got := c.verify(audit.Note{})
				want := &audit.Report{Checked: d.begins + 3, Head: got.Head, Seams: []audit.Seam{*seam}}
				if diff := cmp.Diff(want, got); diff != "" {
					c.t.Fatalf("behind the seam (-want +got):\n%s", diff)
				}
				noted, err := audit.ParseNote(got.Head)
				if err != nil || c.verify(noted).Damage != nil {
					c.t.Errorf("the head %s is not known: %v", got.Head, err)
				}
				if _, err := c.chain.Restart(c.t.Context(), audit.Shell(), "again"); !errors.Is(err, audit.ErrWhole) {
					c.t.Errorf("again: %v, want ErrWhole", err)
				}
				c.behind(fmt.Sprintf("UPDATE events SET reason = 'no' WHERE seq = %d", d.begins+2))
				if got := c.verify(audit.Note{}).Damage; got == nil || got.Kind != audit.Altered || got.Seq != d.begins+2 {
					c.t.Errorf("damage behind the seam is found as %+v", got)
				}
			})
		})
	}
}

func TestASeamIsAboutOneDamageOnly(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"an earlier event":     "UPDATE events SET reason = 'no' WHERE seq = 2",
		"the damage, taken":    "DELETE FROM events WHERE seq = 4",
		"the seam's reason":    "UPDATE events SET reason = 'no' WHERE action = 'audit.restart'",
		"the seam, taken away": "DELETE FROM events WHERE action = 'audit.restart'",
		"a forged seam":        "UPDATE events SET action = 'audit.restart', details = '{}' WHERE seq = 13",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachChain(t, func(c chained) {
				c.write(10)
				c.link()
				c.behind("UPDATE events SET reason = 'no' WHERE seq = 4")
				c.restart("first")
				c.write(3)
				c.link()
				if got := c.verify(audit.Note{}); got.Damage != nil || len(got.Seams) != 1 {
					c.t.Fatalf("before: %+v", got)
				}
				c.behind(statement)
				if got := c.verify(audit.Note{}); got.Damage == nil {
					c.t.Errorf("nothing was found: %+v", got)
				}
				// A second seam is about that, and goes over the first where it must.
				seam := c.restart("second")
				got := c.verify(audit.Note{})
				if n := len(got.Seams); got.Damage != nil || n == 0 || got.Seams[n-1].Seq != seam.Seq {
					c.t.Errorf("after the second seam: %+v, %v", got, got.Damage)
				}
				if !strings.Contains(seam.String(), "second") {
					c.t.Errorf("it reads %s", seam)
				}
			})
		})
	}
}

// What is written is linked before it is verified, unless that would hide what
// was cut off.
func TestCatchingUpLinksOnlyWhatIsWhole(t *testing.T) {
	t.Parallel()
	eachChain(t, func(c chained) {
		catchUp := func(checked, unlinked int64) {
			c.t.Helper()
			if err := c.chain.CatchUp(c.t.Context()); err != nil {
				c.t.Fatal(err)
			}
			if got := c.verify(audit.Note{}); got.Checked != checked || got.Unlinked != unlinked {
				c.t.Errorf("%+v, want %d and %d", got, checked, unlinked)
			}
		}
		catchUp(0, 0)
		c.write(3)
		catchUp(3, 0)
		c.behind("DELETE FROM events WHERE seq = 3")
		c.write(1)
		catchUp(2, 1)
		c.behind("UPDATE event_heads SET mark = 'none'")
		catchUp(2, 1)
	})
}
