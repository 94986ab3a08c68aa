package keyset

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"authy/server/outbound"
	"authy/server/steady"
)

const (
	fresh    = 5 * time.Minute  // how long a set is good without asking again
	stale    = time.Hour        // how long it is used when asking again fails
	again    = 30 * time.Second // the least time between two looks for a key that is not known
	retry    = 10 * time.Second // how long nobody is asked after a failure
	patience = 5 * time.Second  // how long somebody is waited for
)

// maxOwners is how many owners' sets are kept.
const maxOwners = 10_000

// What verification fails for.
var (
	ErrKeys      = errors.New("keyset: the keys could not be had")
	ErrSignature = errors.New("keyset: no key of its owner signed the token")
)

// Owner is whose keys are looked for. It has named them by value or by URL.
type Owner struct {
	ID       string
	Document string // the set itself
	URL      string // where it is to be had; not looked at if there is a document
	// ByIssuer says that it signs for many issuers: a key that names one signs for no
	// other.
	ByIssuer bool
}

// verifies says whether a key of a set of the owner signed a token.
func (o *Owner) verifies(set *Set, t *Token) bool {
	return set.verifies(t, func(k *key) bool { return !o.ByIssuer || k.issuer == "" || k.isOf(t) })
}

// Cache keeps the sets of owners. One owner's server, however slow, holds up no token of
// another.
type Cache struct {
	ask    *outbound.Client
	owners *otter.Cache[string, *source]
}

// NewCache returns an empty cache; ask fetches the sets that are named by URL.
func NewCache(ask *outbound.Client) *Cache {
	return &Cache{ask, otter.Must(&otter.Options[string, *source]{MaximumSize: maxOwners})}
}

// source is where an owner's set comes from, and what came from there.
type source struct {
	owner Owner

	mu      sync.Mutex
	set     *Set
	err     error         // of the last attempt
	at      time.Time     // when set was had
	failed  time.Time     // when the last attempt failed; zero if it did not
	looked  time.Time     // when a key that is not known was last looked for
	pending chan struct{} // closed when the attempt that is being made ends; nil if none is
}

// Verify is nil if a key of an owner signed a token. A key that is not known is looked for
// once where the set is named by URL, so that one that has just been published there works
// at once. [ErrSignature], or [ErrKeys] where no set is to be had.
func (c *Cache) Verify(ctx context.Context, o Owner, t *Token) error {
	s := c.source(o)
	set, err := s.keys(ctx, c.ask, false)
	if err != nil {
		return err
	}
	if o.verifies(set, t) {
		return nil
	}
	renewed, err := s.keys(ctx, c.ask, true)
	if err != nil {
		return err
	}
	if renewed != set && o.verifies(renewed, t) {
		return nil
	}
	return ErrSignature
}

// source returns what is kept of an owner. Who names another source begins anew.
func (c *Cache) source(o Owner) *source {
	if s, known := c.owners.GetIfPresent(o.ID); known && s.owner == o {
		return s
	}
	s := &source{owner: o}
	if o.Document != "" {
		if s.set, s.err = Parse([]byte(o.Document)); s.err != nil {
			s.err = fmt.Errorf("%w: %w", ErrKeys, s.err)
		}
	} else if o.URL == "" {
		s.err = fmt.Errorf("%w: none are registered", ErrKeys)
	}
	c.owners.Set(o.ID, s)
	return s
}

// keys returns the set. It is fetched when there is none, when it is old, and, if unknown
// says that a key is missing in it, once in a while. Those who need it at once wait for one
// attempt.
func (s *source) keys(ctx context.Context, ask *outbound.Client, unknown bool) (*Set, error) {
	if s.owner.Document != "" || s.owner.URL == "" {
		return s.set, s.err
	}
	s.mu.Lock()
	now := steady.Now()
	if s.pending == nil && s.wants(now, unknown) {
		s.pending = make(chan struct{})
		go s.fetch(context.WithoutCancel(ctx), ask)
	}
	pending, good := s.pending, s.set != nil && now.Sub(s.at) < fresh
	s.mu.Unlock()
	if pending == nil || good && !unknown {
		return s.known(now)
	}
	select {
	case <-pending:
		return s.known(steady.Now())
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// wants says whether an attempt is to be made at now.
func (s *source) wants(now time.Time, unknown bool) bool {
	if !s.failed.IsZero() && now.Sub(s.failed) < retry {
		return false
	}
	if s.set == nil || now.Sub(s.at) >= fresh {
		return true
	}
	if !unknown || now.Sub(s.looked) < again {
		return false
	}
	s.looked = now
	return true
}

// known returns what is kept, while it can be used.
func (s *source) known(now time.Time) (*Set, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.set != nil && now.Sub(s.at) < stale {
		return s.set, nil
	}
	if s.err != nil {
		return nil, s.err
	}
	return nil, fmt.Errorf("%w: they are too old", ErrKeys)
}

// fetch makes one attempt.
func (s *source) fetch(ctx context.Context, ask *outbound.Client) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	set, err := get(ctx, ask, s.owner.URL)
	if err != nil {
		slog.WarnContext(ctx, "a set of keys could not be fetched", "owner", s.owner.ID, "err", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := steady.Now()
	if err != nil {
		s.err, s.failed = fmt.Errorf("%w: %w", ErrKeys, err), now
	} else {
		s.set, s.err, s.at, s.failed = set, nil, now, time.Time{}
	}
	close(s.pending)
	s.pending = nil
}

func get(ctx context.Context, ask *outbound.Client, address string) (*Set, error) {
	answer, err := ask.Get(ctx, address, MaxDocument)
	if err != nil {
		return nil, err
	}
	return Parse(answer.Body)
}
