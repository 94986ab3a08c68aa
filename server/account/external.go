package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/logout"
	"authy/server/mail"
	"authy/server/steady"
	"authy/storage"
)

// What is refused about identities at other providers. The last two messages
// are the contract's.
var (
	ErrLinked = fault.New(fault.Conflict, "identity_linked",
		"This account there is linked to another account here already.")
	ErrNotLinked = fault.New(fault.NotFound, "provider_not_linked", "Provider not linked")
	ErrLastWay   = fault.New(fault.Conflict, "last_way_in", "Cannot unlink the last authentication method")
)

// Identity is who a user is at a provider.
type Identity = storage.Identity

// The most that is kept of what a provider says, in bytes.
const (
	maxSubject = 512
	maxIssuer  = 512
)

// Said is what a provider says of somebody, as far as it is worth keeping.
type Said struct {
	Provider        *storage.Provider
	Issuer, Subject string
	Email           string // as [ParseEmail] returns it; "" for none
	// Verified says that the provider has checked the address, and that it is one
	// to say so; Trusted that its word is enough to find the account by it.
	Verified, Trusted     bool
	Name, Picture, Locale string
}

// Listen returns what is kept of what a provider says; verified is what it says
// of the address, and believed whether it is one to be believed about its domain.
// A server-wide provider may say of any address that it was checked; that of an
// organization only where it is believed. Neither finds an account by an address
// where it is not.
func Listen(in Said, verified, believed bool) (*Said, error) {
	out := in
	if in.Issuer == "" || in.Subject == "" || len(in.Issuer) > maxIssuer || len(in.Subject) > maxSubject ||
		strings.ContainsRune(in.Issuer+in.Subject, 0) {
		return nil, fault.New(fault.Invalid, "no_subject", "The provider did not say who you are.")
	}
	out.Name, _ = words(maxName)(strings.TrimSpace(in.Name))
	out.Picture, _ = webAddress(in.Picture)
	out.Locale, _ = locale(in.Locale)
	out.Email, _ = ParseEmail(in.Email)
	verified = verified && out.Email != ""
	out.Trusted = verified && believed
	out.Verified = out.Trusted || verified && in.Provider.OrganizationID == ""
	return &out, nil
}

// Meet says what becomes of somebody whom a provider speaks of. Where open,
// anyone may have an account; where uniform, nobody is told which addresses
// have one.
func Meet(ctx context.Context, r storage.Reader, said *Said, open, uniform bool) (*Meeting, error) {
	m := &Meeting{met: met{
		verified: said.Verified, trusted: said.Trusted, own: said.Provider.OrganizationID != "",
		policy: said.Provider.Options.Registration, open: open, uniform: uniform,
	}}
	var err error
	m.Identity, err = r.IdentityOf(ctx, said.Provider.ID, said.Issuer, said.Subject)
	switch {
	case err == nil:
		m.known = true
		if m.User, err = r.User(ctx, m.Identity.UserID); err != nil {
			return nil, fmt.Errorf("look up the user of identity %s: %w", m.Identity.ID, err)
		}
		return m, nil
	case !errors.Is(err, storage.ErrNotFound):
		return nil, fmt.Errorf("look an identity up: %w", err)
	}
	m.Identity = nil
	if said.Email == "" {
		return m, nil
	}
	m.User, err = r.UserByEmail(ctx, said.Email)
	if err == nil {
		m.taken = true
		return m, nil
	}
	m.User = nil
	if !errors.Is(err, storage.ErrNotFound) {
		return nil, fmt.Errorf("look a user up: %w", err)
	}
	m.invited, err = invited(ctx, r, said.Email)
	return m, err
}

// invited says whether an address has an invitation that can be answered now.
func invited(ctx context.Context, r storage.Reader, email string) (bool, error) {
	have, err := r.InvitationsTo(ctx, email)
	if err != nil {
		return false, fmt.Errorf("look for invitations: %w", err)
	}
	now := steady.Now()
	return slices.ContainsFunc(have, func(i storage.Invitation) bool { return now.Before(i.ExpiresAt.Time) }), nil
}

// LinkIn links who somebody is at a provider to the account of a user, in tx.
// [ErrLinked] if another has it, or the same.
func (s *Service) LinkIn(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, user *User, said *Said,
) (*Identity, error) {
	i := &Identity{
		ID: storage.NewID(), UserID: user.ID, ProviderID: said.Provider.ID, Issuer: said.Issuer, Subject: said.Subject,
		LinkedAt: storage.At(now), LastUsedAt: storage.At(now),
	}
	said.put(i)
	if err := tx.InsertIdentity(ctx, i); errors.Is(err, storage.ErrTaken) {
		return nil, ErrLinked
	} else if err != nil {
		return nil, fmt.Errorf("link an identity to %s: %w", user.ID, err)
	}
	return i, audit.Record(ctx, tx, by, now, audit.Event{
		Action: "user.identity_link", TargetKind: "user", TargetID: user.ID,
		Details: map[string]string{"provider": said.Provider.Slug, "identity_id": i.ID},
	})
}

// Link is [Service.LinkIn] for an account that there was before; its owner is told.
func (s *Service) Link(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID string, said *Said,
) (*Identity, error) {
	user, err := load(ctx, tx, userID)
	if err != nil {
		return nil, err
	}
	i, err := s.LinkIn(ctx, tx, by, now, user, said)
	if err != nil {
		return nil, err
	}
	return i, s.Mail.Notice(ctx, tx, by, now, user, mail.IdentityLinked, said.Provider.Name)
}

// put notes in i what was said last.
func (said *Said) put(i *Identity) {
	i.Email, i.EmailVerified = said.Email, said.Verified
	i.Name, i.Picture = said.Name, said.Picture
}

// Adopt links who somebody is at a provider to the account that has their
// address, in tx. Whoever made an account whose address was never shown to be
// theirs may not be its owner: all by which they can come in is taken away
// first, which cleared says.
func (s *Service) Adopt(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID string, said *Said,
) (i *Identity, cleared bool, err error) {
	user, err := load(ctx, tx, userID)
	if err != nil {
		return nil, false, err
	}
	if user.Email != said.Email || !said.Trusted {
		return nil, false, ErrLinked // it has another address since
	}
	by = by.As(user.ID)
	if cleared = user.EmailVerifiedAt.IsZero(); cleared {
		if err := s.clear(ctx, tx, by, now, user); err != nil {
			return nil, false, err
		}
	}
	i, err = s.Link(ctx, tx, by, now, userID, said)
	return i, cleared, err
}

// clear takes all from an account by which somebody can come in, and notes that
// its address is its owner's.
func (s *Service) clear(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, user *User) error {
	for _, remove := range []func() error{
		func() error { return strip(ctx, tx, user.ID) },
		func() error { return endLinks(ctx, tx, user.ID, storage.ResetLink, storage.ChangeEmailLink) },
		func() error { return s.verified(ctx, tx, by, now, user) },
		func() error { return logout.Everywhere(ctx, tx, now, user) },
	} {
		if err := remove(); err != nil {
			return fmt.Errorf("clear the account of %s: %w", user.ID, err)
		}
	}
	if err := s.Mail.Notice(ctx, tx, by, now, user, mail.AccountCleared, ""); err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "user.cleared", Reason: "address_never_verified", TargetKind: "user", TargetID: user.ID,
	})
}

// Arrived notes in tx that a user has signed in by an identity, and what the
// provider says of them now. Name and picture of the user follow what is said
// there, unless they have become others here. The record of the user is kept by
// whoever calls.
func (s *Service) Arrived(
	ctx context.Context, tx *storage.Tx, now time.Time, user *User, i *Identity, said *Said,
) error {
	was := *i
	said.put(i)
	i.LastUsedAt = storage.At(now)
	if err := tx.SaveIdentity(ctx, i); err != nil {
		return fmt.Errorf("note a sign-in by identity %s: %w", i.ID, err)
	}
	if said.Provider.Options.KeepProfile {
		return nil
	}
	for _, one := range []struct {
		at        *string
		was, said string
	}{{&user.FullName, was.Name, said.Name}, {&user.AvatarURL, was.Picture, said.Picture}} {
		if one.said != "" && *one.at != one.said && (*one.at == "" || *one.at == one.was) {
			*one.at, user.UpdatedAt = one.said, storage.At(now)
		}
	}
	if user.Locale == "" {
		user.Locale = said.Locale
	}
	return nil
}
