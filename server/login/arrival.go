package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// keepAsking keeps what a provider has said until somebody has answered on a page.
func (s *Service) keepAsking(
	ctx context.Context, b Browser, c *came, purpose, page string, exists bool,
) (*Next, error) {
	handle := rand.Text()
	d := &storage.Departure{Purpose: purpose, FlowID: c.departure.FlowID}
	j := &journey{Remember: c.journey.Remember, Statement: c.statement, Exists: exists}
	if err := s.pack(d, c.provider, handle, b.Secret, j); err != nil {
		return nil, err
	}
	err := s.db.Update(ctx, func(tx *storage.Tx) error { return insertDeparture(ctx, tx, d) })
	if err != nil {
		return nil, err
	}
	return &Next{Location: page + handle, Provider: c.provider.Slug}, nil
}

// Arrival is somebody who is back from a provider and is asked how to go on.
type Arrival struct {
	Provider string // its name
	Flow     string
	Identity *session.Identity // who is signed in, nil for nobody
	Account  string            // who they are there, as far as that can be said
	Name     string
	Email    string
	Verified bool // the address need not be shown to be theirs
	Exists   bool // an account has it
}

// Newcomer returns what somebody is asked who can have an account.
func (s *Service) Newcomer(ctx context.Context, b Browser, handle string) (*Arrival, error) {
	return s.arrivalOf(ctx, b, handle, toOffer)
}

// Claimant returns what somebody is asked who may have an account.
func (s *Service) Claimant(ctx context.Context, b Browser, handle string) (*Arrival, error) {
	return s.arrivalOf(ctx, b, handle, toClaim)
}

func (s *Service) arrivalOf(ctx context.Context, b Browser, handle, purpose string) (*Arrival, error) {
	c, err := s.keptArrival(ctx, b, handle, purpose)
	if err != nil {
		return nil, err
	}
	id, err := s.Identify(ctx, b)
	if err != nil {
		return nil, err
	}
	a := &Arrival{
		Provider: c.provider.Name, Flow: string(c.departure.FlowID), Identity: id, Account: c.said.Email,
		Name: c.said.Name, Email: c.said.Email, Verified: c.said.Verified, Exists: c.journey.Exists,
	}
	if a.Account == "" {
		a.Account = c.said.Name
	}
	return a, nil
}

// keptArrival returns what was kept under a handle for a browser, and leaves it
// there. [ErrDeparture] if there is nothing.
func (s *Service) keptArrival(ctx context.Context, b Browser, handle, purpose string) (*came, error) {
	if b.Secret == "" || handle == "" || strings.ContainsRune(handle, 0) {
		return nil, ErrDeparture
	}
	d, err := s.db.Departure(ctx, storage.Hash(handle))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrDeparture
	}
	if err != nil {
		return nil, fmt.Errorf("look a departure up: %w", err)
	}
	bound := subtle.ConstantTimeCompare([]byte(d.BrowserHash), []byte(storage.Hash(b.Secret))) == 1
	if !bound || d.Purpose != purpose || !steady.Now().Before(d.ExpiresAt.Time) {
		return nil, ErrDeparture
	}
	return s.resume(ctx, s.db.Reader, d)
}

// resume reads what was kept of somebody who is back. [ErrProvider] if nobody
// may come from their provider any more.
func (s *Service) resume(ctx context.Context, r storage.Reader, d *storage.Departure) (*came, error) {
	j, err := unpack(d)
	if err != nil {
		return nil, err
	}
	p, err := r.Provider(ctx, d.ProviderID)
	if err != nil {
		return nil, fmt.Errorf("look the provider of a departure up: %w", err)
	}
	if _, err := s.protocolOf(ctx, r, p); err != nil {
		return nil, err
	}
	c := &came{departure: d, journey: j, provider: p, statement: j.Statement}
	if j.Statement == nil {
		return nil, ErrDeparture
	}
	c.said, err = s.listen(ctx, r, p, j.Statement)
	return c, err
}

// Join makes the account of somebody who was asked whether they want one, with
// the name and the address that they give; the address only where the provider
// has not checked one. Where everyone gets the same answer, what is said of an
// address that has an account is that of the page for those who have one.
func (s *Service) Join(
	ctx context.Context, by audit.Actor, b Browser, handle, name, email string,
) (*Next, error) {
	c, err := s.keptArrival(ctx, b, handle, toOffer)
	if err != nil {
		return nil, err
	}
	old, f, err := s.open(ctx, b, string(c.departure.FlowID))
	if err != nil {
		return nil, err
	}
	if err := s.limits().register(ctx, by); err != nil {
		return nil, err
	}
	m, err := account.Meet(ctx, s.db.Reader, c.said, s.Registration, s.Uniform)
	if err != nil {
		return nil, err
	}
	if m.Way() != account.Offer {
		return nil, ErrDeparture // it is otherwise by now
	}
	draft, err := s.accounts.Draft(ctx, c.said.Draft(email, name))
	if err != nil {
		return nil, err
	}
	return s.admitBy(ctx, by, b, old, f, c, func(tx *storage.Tx, now *time.Time) (*proof, bool, error) {
		if err := takeArrival(ctx, tx, b, handle, *now); err != nil {
			return nil, false, err
		}
		return s.addNewcomer(ctx, tx, by, *now, c, draft)
	})
}

// takeArrival uses up what was kept under a handle.
func takeArrival(ctx context.Context, tx *storage.Tx, b Browser, handle string, now time.Time) error {
	_, _, err := takeDeparture(ctx, tx, storage.Hash(handle), storage.Hash(b.Secret), now)
	return err
}

// LinkArrival links who somebody is at a provider to the account that they have
// signed in to since.
func (s *Service) LinkArrival(
	ctx context.Context, by audit.Actor, b Browser, id *session.Identity, in Again, handle string,
) (*Next, error) {
	c, err := s.keptArrival(ctx, b, handle, toClaim)
	if err != nil {
		return nil, err
	}
	err = s.sensitive(ctx, by, id, in, linkAction, false, func(tx *storage.Tx, now time.Time) error {
		if err := takeArrival(ctx, tx, b, handle, now); err != nil {
			return err
		}
		if err := s.stillOpen(ctx, tx, c.provider); err != nil {
			return err
		}
		_, err := s.accounts.Link(ctx, tx, by, now, id.User.ID, c.said)
		return err
	})
	if err != nil {
		return nil, err
	}
	linked := &Next{Location: "/account", Linked: c.provider.Name}
	if c.departure.FlowID == "" {
		return linked, nil
	}
	next, err := s.Continue(ctx, by, b, string(c.departure.FlowID))
	if errors.Is(err, ErrFlow) {
		return linked, nil // it has gone on meanwhile
	}
	return next, err
}

// secondHash is the hash under which an arrival is kept until the second factor
// of a pending sign-in is proved.
func secondHash(pending string) string { return storage.Hash("arrival " + pending) }

// holdArrival keeps in tx, with a pending sign-in, where somebody comes from.
func (s *Service) holdArrival(
	ctx context.Context, tx *storage.Tx, a *arrival, pending *storage.FirstFactor,
) error {
	d := &storage.Departure{Purpose: toSecond, FlowID: pending.FlowID}
	j := &journey{Statement: a.statement, IdentityID: a.identity.ID}
	if err := s.pack(d, a.provider, "", "", j); err != nil {
		return err
	}
	d.Hash, d.ExpiresAt = secondHash(pending.Hash), pending.ExpiresAt
	return insertDeparture(ctx, tx, d)
}

// heldArrival returns in tx what [Service.holdArrival] has kept, and uses it up.
// [ErrPending] if it is gone, or the identity is.
func (s *Service) heldArrival(
	ctx context.Context, tx *storage.Tx, now time.Time, pending *storage.FirstFactor,
) (*arrival, error) {
	d, j, err := takeDeparture(ctx, tx, secondHash(pending.Hash), storage.Hash(""), now)
	if errors.Is(err, ErrDeparture) {
		return nil, ErrPending
	}
	if err != nil {
		return nil, err
	}
	c, err := s.resume(ctx, tx.Reader, d)
	if err != nil {
		return nil, err
	}
	i, err := stillLinked(ctx, tx, &account.Identity{ID: j.IdentityID, UserID: pending.UserID})
	if errors.Is(err, ErrDeparture) {
		return nil, ErrPending
	}
	if err != nil {
		return nil, err
	}
	return c.arrival(i), nil
}
