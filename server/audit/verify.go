package audit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"authy/storage"
)

// What can be wrong with the chain.
const (
	Altered = "altered" // an event, or its number or hash
	Missing = "missing" // an event, with others after it
	CutOff  = "cut_off" // the newest events, from this one on
	Head    = "head"    // what says where the chain ends
)

// verifySlice is how many events are read at once.
const verifySlice = 1000

// Damage is the first thing that is wrong with the chain.
type Damage struct {
	Kind    string
	Seq     int64  // the event's number, 0 for a head
	EventID string // of an altered one
}

// String says in a sentence what is wrong.
func (d *Damage) String() string {
	switch d.Kind {
	case Altered:
		return fmt.Sprintf("Event %d (%s) was altered.", d.Seq, d.EventID)
	case Missing:
		return fmt.Sprintf("Event %d is missing.", d.Seq)
	case CutOff:
		return fmt.Sprintf("The newest events were cut off, from event %d on.", d.Seq)
	}
	return "The head, which says where the chain ends, was altered."
}

// Report is the result of a verification.
type Report struct {
	Checked  int64   // events that are whole and in their place
	Unlinked int64   // events that are not in the chain yet, and not protected
	Head     string  // where the chain ends, to be noted elsewhere
	Damage   *Damage // nil if there is none
	Seams    []Seam  // where new chains begin, after damage that was found before
}

// Note is the number and hash of an event, kept outside of the database. A
// chain that does not hold it is not the one it was.
type Note struct {
	Seq  int64
	Hash string
}

// ErrNote says that a text is not a note.
var ErrNote = errors.New("not the head of a chain, which looks like 42:HASH")

// ParseNote reads what [Note.String] has written.
func ParseNote(text string) (Note, error) {
	number, hash, _ := strings.Cut(text, ":")
	seq, err := strconv.ParseInt(number, 10, 64)
	if err != nil || seq < 1 || hash == "" {
		return Note{}, ErrNote
	}
	return Note{seq, hash}, nil
}

// String returns the note as text.
func (n Note) String() string { return strconv.FormatInt(n.Seq, 10) + ":" + n.Hash }

// Verify reads the whole chain and reports the first thing that is wrong with
// it. It holds nobody up: what is linked meanwhile is left out. The zero note
// is none.
func (c *Chain) Verify(ctx context.Context, noted Note) (*Report, error) {
	// In this order: events and head are written together, so that an honest
	// head is never behind an event that was seen before it.
	last, err := c.db.LastLinkedEvent(ctx)
	if err != nil {
		return nil, err
	}
	head, err := c.head(ctx, c.db.Reader)
	strange := errors.Is(err, errHead)
	if err != nil && !strange {
		return nil, err
	}
	limit := head.Seq
	if strange {
		limit = last
	}
	w := &walk{chain: c, limit: limit, noted: noted}
	if err := w.run(ctx); err != nil {
		return nil, err
	}
	end, damage := w.end, w.damage
	if damage == nil {
		damage = compare(end, head, last, strange)
	}
	if damage == nil && noted.Seq > end.Seq {
		damage = &Damage{Kind: CutOff, Seq: end.Seq + 1}
	}
	report := &Report{Checked: end.Seq, Damage: damage, Seams: w.seams}
	if end.Seq > 0 {
		report.Head = end.String()
	}
	report.Unlinked, err = c.db.CountUnlinkedEvents(ctx)
	return report, err
}

// compare says what is wrong with a head, given where the chain ends and the
// last event that there was before the head was read.
func compare(end Note, head *storage.EventHead, last int64, strange bool) *Damage {
	switch {
	case strange:
		return &Damage{Kind: Head}
	case end.Seq < head.Seq:
		return &Damage{Kind: CutOff, Seq: end.Seq + 1}
	case last > head.Seq, !same(end.Hash, head.Hash):
		return &Damage{Kind: Head} // an older one was put back
	}
	return nil
}

// walk follows the chain up to limit.
type walk struct {
	chain  *Chain
	limit  int64
	noted  Note
	end    Note    // where it has come to
	damage *Damage // what is wrong there
	seams  []Seam  // what it has gone over
}

func (w *walk) run(ctx context.Context) error {
	for {
		events, err := w.chain.db.LinkedEvents(ctx, w.end.Seq, verifySlice)
		if err != nil {
			return err
		}
		more, err := w.follow(ctx, events)
		if err != nil || !more {
			return err
		}
	}
}

// follow goes along events, or over damage that a seam is about, and says
// whether there is more to read.
func (w *walk) follow(ctx context.Context, events []storage.Event) (more bool, err error) {
	for i := range events {
		e := &events[i]
		if e.Seq > w.limit {
			return false, nil
		}
		damage := w.chain.check(w.end, e, w.noted)
		if damage == nil {
			w.end = Note{e.Seq, e.Hash}
			continue
		}
		seam, begin, err := w.chain.seamOver(ctx, damage, e.Seq, w.limit)
		if err != nil {
			return false, err
		}
		if seam == nil || seam.Seq == w.noted.Seq && !same(begin.Hash, w.noted.Hash) {
			w.damage = damage
			return false, nil
		}
		w.end, w.seams = begin, append(w.seams, *seam)
		return true, nil
	}
	return len(events) == verifySlice, nil
}

// check says what is wrong with an event that comes after the one at end.
func (c *Chain) check(end Note, e *storage.Event, noted Note) *Damage {
	switch {
	case e.Seq > end.Seq+1:
		return &Damage{Kind: Missing, Seq: end.Seq + 1}
	case e.Seq <= end.Seq, !same(e.Hash, c.hash(end.Hash, e)), e.Seq == noted.Seq && !same(e.Hash, noted.Hash):
		return &Damage{Kind: Altered, Seq: e.Seq, EventID: e.ID}
	}
	return nil
}
