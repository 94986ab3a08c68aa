package audit

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"authy/storage"
)

const (
	linkEvery   = time.Second
	linkSlice   = 500 // events linked in one transaction
	linkPause   = 20 * time.Millisecond
	linkGoodbye = 5 * time.Second // for the last time, when the server stops
)

// errHead says that somebody else has written the end of the chain.
var errHead = errors.New("the end of the audit chain is not what the server wrote; run: authy audit verify")

// Chain links events to each other, so that none can be changed or taken away
// unnoticed. Each gets a number and a hash over itself and the hash of the one
// before, under the server's secret key. This happens just after the events
// are written: a chain in the writing transactions would make each of them
// wait for the one before. See docs/decisions/0007-audit-chain.md.
type Chain struct{ db *storage.DB }

// NewChain returns the chain of the events in db.
func NewChain(db *storage.DB) *Chain { return &Chain{db: db} }

// Run links what is written until ctx ends, and then what is left.
func (c *Chain) Run(ctx context.Context) {
	tick := time.NewTicker(linkEvery)
	defer tick.Stop()
	said := "" // the last complaint: one is enough
	for {
		err := c.Link(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			said = ""
		case err.Error() != said:
			said = err.Error()
			slog.ErrorContext(ctx, "audit events are not linked", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.finish(ctx)
			return
		}
	}
}

func (c *Chain) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), linkGoodbye)
	defer cancel()
	if err := c.Link(ctx); err != nil {
		slog.WarnContext(ctx, "audit events are left to be linked at the next start", "err", err)
	}
}

// Link links every event that is not linked yet, in slices that others can go
// between.
func (c *Chain) Link(ctx context.Context) error {
	for {
		waiting, err := c.db.UnlinkedEvents(ctx, 1)
		if err != nil || len(waiting) == 0 {
			return err
		}
		n := 0
		err = c.db.Chain(ctx, func(tx *storage.Tx) error {
			n, err = c.slice(ctx, tx)
			return err
		})
		if err != nil || n < linkSlice {
			return err
		}
		select {
		case <-time.After(linkPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// slice links one slice of events and says how many there were.
func (c *Chain) slice(ctx context.Context, tx *storage.Tx) (int, error) {
	head, err := c.head(ctx, tx.Reader)
	if err != nil {
		return 0, err
	}
	events, err := tx.UnlinkedEvents(ctx, linkSlice)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	for i := range events {
		head.Seq++
		events[i].Seq = head.Seq
		events[i].Hash = c.hash(head.Hash, &events[i])
		head.Hash = events[i].Hash
	}
	head.Mark = c.mark(head)
	if err := tx.SaveEventLinks(ctx, events); err != nil {
		return 0, err
	}
	return len(events), tx.SaveEventHead(ctx, head)
}

// head returns the end of the chain; the beginning if there is no chain.
// errHead if it is not what the server wrote: linking on would bless it.
func (c *Chain) head(ctx context.Context, r storage.Reader) (*storage.EventHead, error) {
	// In this order: the first head is written together with the first links.
	last, err := r.LastLinkedEvent(ctx)
	if err != nil {
		return nil, err
	}
	head, err := r.EventHead(ctx)
	if errors.Is(err, storage.ErrNotFound) {
		if last != 0 {
			return &storage.EventHead{}, errHead
		}
		return &storage.EventHead{}, nil
	}
	if err != nil {
		return nil, err
	}
	if !same(head.Mark, c.mark(head)) {
		return head, errHead
	}
	return head, nil
}

// hash is the hash of an event that comes after the one with the hash before.
func (c *Chain) hash(before string, e *storage.Event) string {
	return c.mac("audit event", before, strconv.FormatInt(e.Seq, 10), e.ID,
		strconv.FormatInt(e.At.UnixMilli(), 10), e.Action, e.Outcome, e.Reason, e.ActorKind, e.ActorID,
		e.TargetKind, e.TargetID, e.OrganizationID, e.IPAddress, e.UserAgent, e.RequestID, e.SessionID,
		e.Details)
}

// mark shows that a head was written under the server's key. Without it the
// newest events could be cut off and the head be set back to what is left.
func (c *Chain) mark(h *storage.EventHead) string {
	return c.mac("audit head", strconv.FormatInt(h.Seq, 10), h.Hash)
}

// mac is the keyed hash of parts. Each stands behind its length, so that what
// moves from one to the next makes a difference.
func (c *Chain) mac(purpose string, parts ...string) string {
	var text []byte
	for _, part := range parts {
		text = binary.BigEndian.AppendUint64(text, uint64(len(part)))
		text = append(text, part...)
	}
	return base64.RawURLEncoding.EncodeToString(c.db.MAC(purpose, string(text)))
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
