package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/org"
	"authy/server/provider"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// byProvider is the method of somebody who came from a provider; RFC 8176 has no
// name for it.
const byProvider = "fed"

// againSlack is how far the clock of a provider may be behind when it says that
// somebody has proved anew who they are.
const againSlack = time.Minute

// arrival is a sign-in by way of a provider.
type arrival struct {
	provider  *storage.Provider
	identity  *account.Identity
	said      *account.Said
	statement *provider.Statement
}

// came is somebody who is back, before it is known who they are.
type came struct {
	departure *storage.Departure
	journey   *journey
	provider  *storage.Provider
	statement *provider.Statement
	said      *account.Said
}

// Return reads the answer of a provider that a browser brings back. The provider
// is that with a slug; a SAML provider, for "", is known by the state alone.
// Nothing is asked of a provider before the state is known to be good.
func (s *Service) Return(ctx context.Context, by audit.Actor, b Browser, slug string, answer url.Values) (*Next, error) {
	if err := s.limits().departure(ctx, by); err != nil {
		return nil, err
	}
	name := "state"
	if slug == "" {
		name = "RelayState"
	}
	if slug == "" && len(answer[name]) == 0 {
		return s.returnUnasked(ctx, by, b, answer)
	}
	if len(answer[name]) != 1 {
		return nil, s.lost(ctx, by, slug, ErrDeparture)
	}
	d, j, err := s.back(ctx, b, answer.Get(name))
	if slug == "" && errors.Is(err, ErrDeparture) {
		return s.returnUnasked(ctx, by, b, answer)
	}
	if err != nil {
		return nil, s.lost(ctx, by, slug, err)
	}
	if !awayPurpose(d.Purpose) {
		return nil, s.lost(ctx, by, slug, ErrDeparture)
	}
	p, err := s.db.Provider(ctx, d.ProviderID)
	if err != nil {
		return nil, fmt.Errorf("look the provider of a departure up: %w", err)
	}
	if slug == "" != (p.Kind == provider.SAML) || slug != "" && slug != p.Slug {
		return nil, s.turned(ctx, by, p, d, nil, ErrDeparture)
	}
	c := &came{departure: d, journey: j, provider: p}
	if err := s.hear(ctx, c, answer); err != nil {
		return nil, s.turned(ctx, by, p, d, nil, err)
	}
	return s.conclude(ctx, by, b, c)
}

// conclude is [Service.receive], and records why somebody does not come in.
func (s *Service) conclude(ctx context.Context, by audit.Actor, b Browser, c *came) (*Next, error) {
	next, err := s.receive(ctx, by, b, c)
	if turned, is := errors.AsType[*Turned](err); is {
		return nil, turned
	}
	if err != nil {
		return nil, s.turned(ctx, by, c.provider, c.departure, nil, err)
	}
	return next, nil
}

func awayPurpose(purpose string) bool {
	return slices.Contains([]string{toSignIn, toProve, toLink}, purpose)
}

// lost records an answer that nobody waits for.
func (s *Service) lost(ctx context.Context, by audit.Actor, slug string, err error) error {
	if !errors.Is(err, ErrDeparture) {
		return err
	}
	return refusal(err, s.failed(ctx, by, nil, ErrDeparture.Code))
}

// hear has the protocol read an answer.
func (s *Service) hear(ctx context.Context, c *came, answer url.Values) error {
	protocol, err := s.protocolOf(ctx, s.db.Reader, c.provider)
	if err != nil {
		return err
	}
	waiting, done := context.WithTimeout(ctx, upstreamPatience)
	defer done()
	st, err := protocol.Finish(waiting, c.provider, c.journey.Trip, answer)
	if err != nil {
		return err
	}
	trip := c.journey.Trip
	if trip.Again && !st.AuthenticatedAt.IsZero() && st.AuthenticatedAt.Before(trip.AskedAt.Add(-againSlack)) {
		return provider.Refuse(provider.Untrue, "not_asked_again", nil)
	}
	if !st.EndsAt.IsZero() && !st.EndsAt.After(steady.Now()) {
		return provider.Refuse(provider.Untrue, "session_over", nil)
	}
	c.statement = st
	c.said, err = s.listen(ctx, s.db.Reader, c.provider, st)
	return err
}

// receive decides what becomes of somebody who is back.
func (s *Service) receive(ctx context.Context, by audit.Actor, b Browser, c *came) (*Next, error) {
	if c.departure.Purpose == toLink {
		return s.linkReturned(ctx, by, b, c)
	}
	old, f, err := s.open(ctx, b, string(c.departure.FlowID))
	if err != nil {
		return nil, err
	}
	m, err := account.Meet(ctx, s.db.Reader, c.said, s.Registration, s.Uniform)
	if err != nil {
		return nil, err
	}
	if c.departure.Purpose == toProve {
		same := old != nil && m.Way() == account.Enter && m.User.ID == c.journey.UserID &&
			old.Session.ID == string(c.departure.SessionID)
		if !same {
			return nil, s.turned(ctx, by, c.provider, c.departure, m.User, ErrOther)
		}
	}
	switch m.Way() {
	case account.Enter, account.Adopt:
		return s.admitArrival(ctx, by, b, old, f, c, m)
	case account.Make:
		return s.admitNewcomer(ctx, by, b, old, f, c)
	case account.Offer:
		return s.keepAsking(ctx, b, c, toOffer, newcomerPage, false)
	case account.Claim:
		return s.keepAsking(ctx, b, c, toClaim, claimPage, m.User != nil && !m.Hides())
	case account.Closed:
	}
	return nil, ErrNoAccount
}

// admitArrival signs somebody in who is known, or whose account is linked now.
func (s *Service) admitArrival(
	ctx context.Context, by audit.Actor, b Browser, old *session.Identity, f *flow, c *came, m *account.Meeting,
) (*Next, error) {
	if err := standing(m.User); err != nil {
		return nil, s.turned(ctx, by, c.provider, c.departure, m.User, err)
	}
	found, err := s.signsOf(ctx, by, m.User.ID)
	if err != nil {
		return nil, err
	}
	return s.admitBy(ctx, by, b, old, f, c, func(tx *storage.Tx, now *time.Time) (*proof, bool, error) {
		i, cleared, err := m.Identity, false, error(nil)
		if m.Way() == account.Enter {
			i, err = stillLinked(ctx, tx, i)
		} else {
			i, cleared, err = s.accounts.Adopt(ctx, tx, by, *now, m.User.ID, c.said)
		}
		if err != nil {
			return nil, false, err
		}
		if cleared { // sessions of that very millisecond are over
			*now = now.Add(time.Millisecond)
		}
		user, err := tx.User(ctx, m.User.ID)
		if err != nil {
			return nil, false, fmt.Errorf("sign %s in: %w", m.User.ID, err)
		}
		return &proof{user: user, signs: found, arrival: c.arrival(i)}, cleared, nil
	})
}

// stillLinked returns an identity as a transaction sees it. [ErrDeparture] if it
// is gone, or another's.
func stillLinked(ctx context.Context, tx *storage.Tx, i *account.Identity) (*account.Identity, error) {
	now, err := tx.Identity(ctx, i.ID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && now.UserID != i.UserID {
		return nil, ErrDeparture
	}
	if err != nil {
		return nil, fmt.Errorf("look identity %s up: %w", i.ID, err)
	}
	return now, nil
}

// admitNewcomer makes the account of somebody and signs them in.
func (s *Service) admitNewcomer(
	ctx context.Context, by audit.Actor, b Browser, old *session.Identity, f *flow, c *came,
) (*Next, error) {
	name := c.said.Name
	if name == "" {
		name = c.said.Email
	}
	draft, err := s.accounts.Draft(ctx, c.said.Draft(c.said.Email, name))
	if err != nil {
		return nil, err
	}
	return s.admitBy(ctx, by, b, old, f, c, func(tx *storage.Tx, now *time.Time) (*proof, bool, error) {
		return s.addNewcomer(ctx, tx, by, *now, c, draft)
	})
}

// addNewcomer adds the account of a draft, linked to who somebody is at a provider.
func (s *Service) addNewcomer(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, c *came, draft *account.Draft,
) (*proof, bool, error) {
	user, err := s.accounts.Add(ctx, tx, by, now, draft)
	if err != nil {
		return nil, false, err
	}
	if user.EmailVerifiedAt.IsZero() {
		if err := s.accounts.SendVerification(ctx, tx, now, user); err != nil {
			return nil, false, err
		}
	}
	i, err := s.accounts.LinkIn(ctx, tx, by.As(user.ID), now, user, c.said)
	if err != nil {
		return nil, false, err
	}
	return &proof{user: user, arrival: c.arrival(i)}, false, nil
}

func (c *came) arrival(i *account.Identity) *arrival {
	return &arrival{provider: c.provider, identity: i, said: c.said, statement: c.statement}
}

// admitBy signs somebody in, in the transaction in which who proves who they
// are. It may say that what they had open is over.
func (s *Service) admitBy(
	ctx context.Context, by audit.Actor, b Browser, old *session.Identity, f *flow, c *came,
	who func(tx *storage.Tx, now *time.Time) (proved *proof, over bool, err error),
) (*Next, error) {
	out, now := new(Result), steady.Now()
	var pending *Pending
	e := entry{session.Web, c.journey.Remember, f}
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := s.stillOpen(ctx, tx, c.provider); err != nil {
			return err
		}
		began := now
		proved, over, err := who(tx, &began)
		if err != nil {
			return err
		}
		before := old
		if over {
			before = nil
		}
		proved.methods, proved.second = trusted(c.provider, c.statement)
		if pending, err = s.holdFlow(ctx, tx, by, began, *proved, e); err != nil || pending != nil {
			return err
		}
		return s.enterFlow(ctx, tx, by, began, before, *proved, e, out)
	})
	if err != nil {
		return nil, err
	}
	if pending != nil {
		return &Next{
			Location: PageOf("/second-factor", e.flowID()), Pending: pending, Provider: c.provider.Slug,
		}, nil
	}
	next, err := s.entered(ctx, by, b, f, out)
	if err == nil {
		next.Provider = c.provider.Slug
	}
	return next, err
}

// stillOpen is [ErrProvider] if people may not come from a provider any more.
func (s *Service) stillOpen(ctx context.Context, tx *storage.Tx, p *storage.Provider) error {
	now, err := tx.Provider(ctx, p.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return ErrProvider
	}
	if err != nil {
		return fmt.Errorf("look provider %s up: %w", p.Slug, err)
	}
	_, err = s.protocolOf(ctx, tx.Reader, now)
	return err
}

// trusted returns the methods that a sign-in at a provider counts for here, and
// whether they stand for the second factor. What a provider says without being
// trusted for it is not repeated to applications; nor is "pop" ever, which says
// here that a passkey of this server was used.
func trusted(p *storage.Provider, st *provider.Statement) (methods []string, second bool) {
	o := p.Options
	second = st.Context != "" && slices.Contains(o.TrustedContexts, st.Context) ||
		slices.ContainsFunc(st.Methods, func(m string) bool { return slices.Contains(o.TrustedMethods, m) })
	methods = []string{byProvider}
	if !second {
		return methods, false
	}
	for _, m := range st.Methods {
		if slices.Contains(registered, m) && !slices.Contains(methods, m) {
			methods = append(methods, m)
		}
	}
	return append(methods, "mfa"), true
}

// registered are the methods of RFC 8176, section 2, that are repeated.
var registered = []string{
	"face", "fpt", "geo", "hwk", "iris", "kba", "mca", "otp", "pin", "pwd", "rba", "retina",
	"sc", "sms", "swk", "tel", "user", "vbm", "wia",
}

// settleIn notes in tx that a user comes from a provider, before their record is
// kept.
func (s *Service) settleIn(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, user *account.User, a *arrival,
) error {
	if err := s.accounts.Arrived(ctx, tx, now, user, a.identity, a.said); err != nil {
		return err
	}
	return s.Orgs.Map(ctx, tx, by, now, a.provider, user.ID, givenBy(a.provider, a.statement.Groups))
}

// givenBy returns the roles that groups of a provider give. The provider of an
// organization gives roles there alone, and everyone who comes from it one.
func givenBy(p *storage.Provider, groups []string) map[string]org.Role {
	var pairs []storage.ProviderRole
	for _, one := range p.Options.Roles {
		here := p.OrganizationID == "" || one.OrganizationID == string(p.OrganizationID)
		if here && (one.Group == "*" || slices.Contains(groups, one.Group)) {
			pairs = append(pairs, one)
		}
	}
	given := org.Highest(pairs)
	if own := string(p.OrganizationID); own != "" && given[own] == "" {
		given[own] = org.Member
	}
	return given
}

// keepArrival notes in tx by what a provider knows a session that has begun.
func keepArrival(ctx context.Context, tx *storage.Tx, now time.Time, a *arrival, sessionID string) error {
	if a == nil {
		return nil
	}
	err := tx.InsertUpstreamSession(ctx, &storage.UpstreamSession{
		SessionID: sessionID, IdentityID: a.identity.ID, ProviderID: a.provider.ID,
		Subject:    cmp.Or(a.statement.SessionSubject, a.statement.Subject),
		UpstreamID: a.statement.SessionID, Hint: a.statement.Hint, CreatedAt: storage.At(now),
	})
	if err != nil {
		return fmt.Errorf("note where session %s comes from: %w", sessionID, err)
	}
	return nil
}

// until is when a session that comes from a provider ends; zero if that is open.
func (a *arrival) until() time.Time {
	if a == nil {
		return time.Time{}
	}
	return a.statement.EndsAt
}
