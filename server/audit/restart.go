package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"authy/server/steady"
	"authy/storage"
)

// ErrWhole is answered to who would begin a new chain without need.
var ErrWhole = errors.New("nothing is wrong with the audit chain")

const (
	// restart is the action of the event that begins a new chain.
	restart = "audit.restart"
	// seamBefore stands in the hash of such an event for the hash of the one
	// before. No event has that hash, so that only the server makes a seam.
	seamBefore = "a new chain"
	// seamsRead is how many seams are looked through, at most.
	seamsRead = 1000
)

// Seam is where a new chain begins after damage. Nothing is known of the events
// from the damage up to it.
type Seam struct {
	Seq    int64 // the number of the event that begins the new chain
	At     time.Time
	Reason string
	Damage Damage // that was found
	Head   string // where the chain before seemed to end
}

// String says in a sentence what a seam is.
func (s *Seam) String() string {
	return fmt.Sprintf("A new chain begins at event %d (%s): %s", s.Seq, s.Reason, s.Damage.String())
}

// Restart begins a new chain after damage, by an event that names the damage,
// the end of the chain before, and the reason. What is not linked yet comes
// after it. [ErrWhole] if nothing is damaged.
func (c *Chain) Restart(ctx context.Context, by Actor, reason string) (*Seam, error) {
	report, err := c.Verify(ctx, Note{})
	if err != nil {
		return nil, err
	}
	if report.Damage == nil {
		return nil, ErrWhole
	}
	now := steady.Now()
	var seam *Seam
	err = c.db.Chain(ctx, func(tx *storage.Tx) error {
		seam, err = c.sew(ctx, tx, by, now, reason, *report.Damage)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("begin a new audit chain: %w", err)
	}
	return seam, nil
}

// sew writes the event that begins a new chain, behind all that has a number.
func (c *Chain) sew(
	ctx context.Context, tx *storage.Tx, by Actor, now time.Time, reason string, d Damage,
) (*Seam, error) {
	last, err := tx.LastLinkedEvent(ctx)
	if err != nil {
		return nil, err
	}
	head, err := c.head(ctx, tx.Reader)
	if err != nil && !errors.Is(err, errHead) {
		return nil, err
	}
	seq := last + 1
	if err == nil { // else its number is anybody's
		seq = max(last, head.Seq) + 1
	}
	e, err := row(by, now, Event{Action: restart, Reason: reason, TargetKind: "audit", Details: map[string]string{
		"damage": d.Kind, "damage_seq": strconv.FormatInt(d.Seq, 10), "damage_event_id": d.EventID,
		"head": Note{head.Seq, head.Hash}.String(),
	}})
	if err != nil {
		return nil, err
	}
	if err := tx.InsertEvent(ctx, e); err != nil {
		return nil, err
	}
	e.Seq, e.Hash = seq, ""
	e.Hash = c.hash(seamBefore, e)
	if err := tx.SaveEventLinks(ctx, []storage.Event{*e}); err != nil {
		return nil, err
	}
	if err := tx.SaveWebhooksBack(ctx, seq-1); err != nil {
		return nil, err
	}
	next := &storage.EventHead{Seq: e.Seq, Hash: e.Hash}
	next.Mark = c.mark(next)
	if err := tx.SaveEventHead(ctx, next); err != nil {
		return nil, err
	}
	return c.seam(e)
}

// seam reads an event as a seam; nil if it is none that the server has made.
func (c *Chain) seam(e *storage.Event) (*Seam, error) {
	if e.Action != restart || !same(e.Hash, c.hash(seamBefore, e)) {
		return nil, nil
	}
	var said struct {
		Damage  string `json:"damage"`
		Seq     int64  `json:"damage_seq,string"`
		EventID string `json:"damage_event_id"`
		Head    string `json:"head"`
	}
	if err := json.Unmarshal([]byte(e.Details), &said); err != nil {
		return nil, fmt.Errorf("read event %s: %w", e.ID, err)
	}
	return &Seam{
		Seq: e.Seq, At: e.At.Time, Reason: e.Reason, Head: said.Head,
		Damage: Damage{Kind: said.Damage, Seq: said.Seq, EventID: said.EventID},
	}, nil
}

// seamOver returns the first seam that is about damage, of those from event seq
// on, where it was found, and where its chain begins; nil if there is none.
func (c *Chain) seamOver(ctx context.Context, d *Damage, seq, limit int64) (found *Seam, begin Note, err error) {
	events, err := c.db.EventsMatching(ctx, storage.EventFilter{Action: restart}, storage.EventKey{}, seamsRead)
	if err != nil {
		return nil, begin, err
	}
	for i := range events {
		e := &events[i]
		if e.Seq < seq || e.Seq > limit || found != nil && e.Seq > found.Seq {
			continue
		}
		seam, err := c.seam(e)
		if err != nil {
			return nil, begin, err
		}
		if seam != nil && seam.covers(d) {
			found, begin = seam, Note{e.Seq, e.Hash}
		}
	}
	return found, begin, nil
}

// covers says whether damage is what the seam is about. A seam that all is
// whole before is not linked to it, which is no damage; and what was cut off
// before the seam is missing now.
func (s *Seam) covers(d *Damage) bool {
	if d.Seq == s.Seq {
		return true
	}
	kind := s.Damage.Kind
	if kind == CutOff {
		kind = Missing
	}
	return kind == d.Kind && s.Damage.Seq == d.Seq && s.Damage.EventID == d.EventID
}

// CatchUp links what is not linked yet, unless the end of the chain is not what
// the server wrote: then [Chain.Verify] says so.
func (c *Chain) CatchUp(ctx context.Context) error {
	last, err := c.db.LastLinkedEvent(ctx)
	if err != nil {
		return err
	}
	head, err := c.head(ctx, c.db.Reader)
	if errors.Is(err, errHead) || err == nil && head.Seq != last {
		return nil
	}
	if err != nil {
		return err
	}
	return c.Link(ctx)
}
