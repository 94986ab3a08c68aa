package org

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

// ErrOwned refuses to give an organization an owner who is not of its choosing.
var ErrOwned = fault.New(fault.Conflict, "owned",
	"The organization has an owner who can sign in; they decide who else owns it.")

// Everywhere returns the service as administrators of the server use it: they,
// and nobody else, act as an owner of every organization, also a disabled one.
func (s *Service) Everywhere() *Service {
	all := *s
	all.everywhere = true
	return &all
}

// office is admit for who administers the server.
func (s *Service) office(
	ctx context.Context, r storage.Reader, by audit.Actor, orgID string,
) (*storage.Organization, error) {
	if err := mayAdminister(ctx, r, by); err != nil {
		return nil, err
	}
	if !isID(orgID) {
		return nil, ErrNoOrg
	}
	o, err := r.Organization(ctx, orgID)
	if err != nil {
		return nil, lookedUp(err, ErrNoOrg, "look up organization "+orgID)
	}
	return o, nil
}

func mayAdminister(ctx context.Context, r storage.Reader, by audit.Actor) error {
	may, err := by.Administers(ctx, r)
	if err == nil && !may {
		return ErrForbidden
	}
	return err
}

// Filter says which organizations are meant; its zero value means all.
type Filter = storage.OrganizationFilter

// Search returns to who administers the server at most limit organizations of
// a filter whose id is text, or whose slug or any word of whose name begins
// with it, after the place that an earlier page ended with, and where this one
// ends: "" if there are no more. Without a text it lists them all, by slug.
func (s *Service) Search(
	ctx context.Context, by audit.Actor, f Filter, text, after string, limit int,
) (orgs []storage.Organization, next string, err error) {
	if err := mayAdminister(ctx, s.db.Reader, by); err != nil {
		return nil, "", err
	}
	text = strings.TrimSpace(text)
	if isID(text) {
		orgs, err = s.withID(ctx, f, text)
		return orgs, "", err
	}
	from, ok := storage.ParseTermKey(after)
	if text != "" && !ok {
		return nil, "", fault.Field("cursor", "Not a cursor of this list.")
	}
	key := func(i int) string { return orgs[i].Slug }
	if text == "" {
		orgs, err = s.db.Organizations(ctx, f, after, limit+1)
	} else {
		var keys []storage.TermKey
		orgs, keys, err = s.db.OrganizationsFound(ctx, f, text, from, limit+1)
		key = func(i int) string { return keys[i].String() }
	}
	if err != nil {
		return nil, "", fmt.Errorf("list organizations: %w", err)
	}
	if len(orgs) > limit {
		orgs, next = orgs[:limit], key(limit-1)
	}
	return orgs, next, nil
}

// withID returns the organization with an id if it is of a filter.
func (s *Service) withID(ctx context.Context, f Filter, id string) ([]storage.Organization, error) {
	o, err := s.db.Organization(ctx, id)
	if err != nil {
		if err = lookedUp(err, nil, "look up organization "+id); err != nil {
			return nil, err
		}
		return nil, nil
	}
	if f.Active != nil && o.IsActive != *f.Active {
		return nil, nil
	}
	return []storage.Organization{*o}, nil
}

// Rescue gives an organization whose owners cannot sign in one who can, a
// member or not, on behalf of who administers the server. [ErrOwned] if it has
// such an owner.
func (s *Service) Rescue(ctx context.Context, by audit.Actor, orgID, userID string) (out *Place, err error) {
	now := steady.Now()
	err = s.change(ctx, by, now, orgID, "org.member.role_change", func(tx *storage.Tx) error {
		if _, err := s.office(ctx, tx.Reader, by, orgID); err != nil {
			return err
		}
		owned, err := tx.HasOwnerBeside(ctx, orgID, "")
		if err != nil {
			return fmt.Errorf("look for an owner of %s: %w", orgID, err)
		}
		if owned {
			return ErrOwned
		}
		out, err = s.enthrone(ctx, tx, by, now, orgID, userID)
		return err
	})
	return out, err
}

// CreateFor is [Service.Create] for who administers the server, who names the owner
// by address.
func (s *Service) CreateFor(
	ctx context.Context, by audit.Actor, owner string, in NewOrg,
) (*storage.Organization, error) {
	user, err := s.byAddress(ctx, by, "owner", owner)
	if err != nil {
		return nil, err
	}
	in.OwnerID = user.ID
	return s.Everywhere().Create(ctx, by, in)
}

// RescueBy is [Service.Rescue] by a user who is named by address.
func (s *Service) RescueBy(ctx context.Context, by audit.Actor, orgID, owner string) (*Place, error) {
	user, err := s.byAddress(ctx, by, "owner", owner)
	if err != nil {
		return nil, err
	}
	return s.Rescue(ctx, by, orgID, user.ID)
}

// byAddress returns to who administers the server the user with the address that
// was given as a field.
func (s *Service) byAddress(ctx context.Context, by audit.Actor, field, email string) (*storage.User, error) {
	if err := mayAdminister(ctx, s.db.Reader, by); err != nil {
		return nil, err
	}
	email = strings.ToLower(strings.TrimSpace(email))
	if strings.ContainsRune(email, 0) {
		return nil, fault.Field(field, "There is no user with this address.") // storage refuses such text
	}
	user, err := s.db.UserByEmail(ctx, email)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, fault.Field(field, "There is no user with this address.")
	}
	if err != nil {
		return nil, fmt.Errorf("look a user up: %w", err)
	}
	return user, nil
}

// enthrone makes a user who can sign in an owner of an organization.
func (s *Service) enthrone(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, orgID, userID string,
) (*Place, error) {
	if !isID(userID) {
		return nil, ErrNoUser
	}
	user, err := tx.User(ctx, userID)
	if err != nil {
		return nil, lookedUp(err, ErrNoUser, "look up user "+userID)
	}
	if user.Status != storage.Active && user.Status != storage.Pending {
		return nil, fault.Field("user_id", "The user cannot sign in.")
	}
	p, err := place(ctx, tx, orgID, userID)
	if errors.Is(err, ErrNoMember) {
		m, err := s.add(ctx, tx, by, now, joining{orgID: orgID, userID: userID, role: Owner})
		return &Place{Member: m, User: user}, err
	}
	if err != nil {
		return nil, err
	}
	return p, s.alter(ctx, tx, by, now, p.Member, Owner, "rescue")
}
