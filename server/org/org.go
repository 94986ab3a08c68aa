// Package org decides about organizations: groups of users with roles, and the
// owners of clients. It refuses to know how members sign in.
//
// Read role.go (who ranks above whom), access.go (who may do something at
// all), then org.go, member.go and invite.go for what there is to do; and for
// what an organization asks as a second factor policy.go (the rules),
// standing.go (what follows for a user), security.go, compliance.go and
// enforce.go (the records, which nothing that is allowed depends on).
package org

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/limit"
	"authy/server/mail"
	"authy/server/managed"
	"authy/server/steady"
	"authy/storage"
)

// What org refuses. The messages are the contract's where it has one.
var (
	// ErrSlugReserved keeps what a slug stands for elsewhere from whoever comes first.
	ErrSlugReserved = fault.New(fault.Conflict, "slug_reserved",
		"This slug is reserved: an administrator of the server can make an organization of it.")
	ErrSlugTaken = fault.New(fault.Conflict, "slug_taken", "Organization slug already exists")
	ErrNoOrg     = fault.New(fault.NotFound, "organization_not_found", "Organization not found")
	ErrMember    = fault.New(fault.Conflict, "already_member", "User is already a member of this organization")
	ErrForbidden = fault.New(fault.Forbidden, "forbidden", "You may not do this.")
	ErrRole      = fault.New(fault.Forbidden, "role_required", "Requires a higher role in the organization.")
	ErrRank      = fault.New(fault.Forbidden, "rank_too_low",
		"You may grant and alter only roles below your own.")
	ErrNoMember  = fault.New(fault.NotFound, "member_not_found", "Member not found")
	ErrNoUser    = fault.New(fault.NotFound, "user_not_found", "User not found")
	ErrLastOwner = fault.New(fault.Conflict, "last_owner",
		"The organization would be left without an owner; make someone else its owner first.")
)

// The longest texts of an organization, in characters.
const (
	maxName        = 255
	maxDescription = 2000
	maxURL         = 512
)

// slugForm is what a slug looks like: it stands in URLs.
var slugForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Organization is an organization as it is kept.
type Organization = storage.Organization

// Service decides about organizations.
type Service struct {
	// Mail sends invitations; nil sends none.
	Mail *mail.Queue
	// Mailer reminds members of a deadline; nil reminds nobody.
	Mailer Mailer
	// Reserved are slugs, beside some that are so everywhere, of which administrators of the server
	// alone make organizations.
	Reserved []string
	// Limits counts invitations, and attempts to answer one; nil counts nothing.
	Limits *limit.Limits

	db *storage.DB
	// everywhere is for who acts as an owner of every organization.
	everywhere bool
}

// New returns the service over db.
func New(db *storage.DB) *Service { return &Service{db: db} }

// In returns s over db, such as a transaction that it takes part in ([storage.DB.In]).
func (s *Service) In(db *storage.DB) *Service {
	in := *s
	in.db = db
	return &in
}

// NewOrg describes an organization to be made. ID is its id, where an operator knows it
// from elsewhere; "" has one made.
type NewOrg struct{ ID, Slug, Name, Description, LogoURL, OwnerID string }

// Create makes an organization with its first owner. Users make their own; an
// operator, and who administers the server ([Service.Everywhere]), one for anybody.
// [ErrSlugTaken] if the slug is in use.
func (s *Service) Create(ctx context.Context, by audit.Actor, in NewOrg) (*storage.Organization, error) {
	if s.everywhere {
		if err := mayAdminister(ctx, s.db.Reader, by); err != nil {
			return nil, err
		}
	} else if by.Kind != audit.Operator && (by.Kind != audit.User || by.ID != in.OwnerID) {
		return nil, ErrForbidden
	} else if err := s.mayTake(ctx, by, in.Slug); err != nil {
		return nil, err
	}
	if in.ID == "" {
		in.ID = storage.NewID()
	}
	if !isID(in.ID) {
		return nil, fault.Field("id", "Must be a UUID, in small letters.")
	}
	now := steady.Now()
	o := &storage.Organization{
		ID: in.ID, Slug: in.Slug, Name: strings.TrimSpace(in.Name), Description: in.Description,
		LogoURL: in.LogoURL, IsActive: true, CreatedAt: storage.At(now), UpdatedAt: storage.At(now),
	}
	if err := check(o); err != nil {
		return nil, err
	}
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := tx.InsertOrganization(ctx, o); errors.Is(err, storage.ErrTaken) {
			return ErrSlugTaken
		} else if err != nil {
			return fmt.Errorf("make organization %s: %w", in.Slug, err)
		}
		err := audit.Record(ctx, tx, by, now, audit.Event{
			Action: "org.create", TargetKind: "organization", TargetID: o.ID, OrgID: o.ID,
		})
		if err != nil {
			return err
		}
		_, err = s.add(ctx, tx, by, now, joining{orgID: o.ID, userID: in.OwnerID, role: Owner})
		return err
	})
	return o, err
}

// reserved are slugs that applications often take, as names of groups, for their administrators.
var reserved = []string{
	"admin", "administrator", "administrators", "admins", "authy", "root", "sudo", "superuser", "superusers", "wheel",
}

// mayTake is nil for who may make an organization with a slug: it is told to applications and asked
// by rules as the name of a group, also before there is one and after it has gone.
func (s *Service) mayTake(ctx context.Context, by audit.Actor, slug string) error {
	if !slices.Contains(reserved, slug) && !slices.Contains(s.Reserved, slug) {
		return nil
	}
	may, err := by.Administers(ctx, s.db.Reader)
	if err == nil && !may {
		return ErrSlugReserved
	}
	return err
}

// check says what is wrong with an organization, field by field.
func check(o *storage.Organization) error {
	problems := map[string][]string{}
	if !slugForm.MatchString(o.Slug) {
		problems["slug"] = []string{"Use 1 to 63 lower-case letters, digits and hyphens, no hyphen at either end."}
	}
	if n := utf8.RuneCountInString(o.Name); n < 1 || n > maxName {
		problems["name"] = []string{"Length must be between 1 and 255."}
	} else if audit.Cut(o.Name, len(o.Name)) != o.Name {
		problems["name"] = []string{"Not a valid string."}
	}
	if utf8.RuneCountInString(o.Description) > maxDescription {
		problems["description"] = []string{"Longer than maximum length 2000."}
	} else if !utf8.ValidString(o.Description) || strings.ContainsRune(o.Description, 0) {
		problems["description"] = []string{"Not a valid string."}
	}
	if !isLogo(o.LogoURL) {
		problems["logo_url"] = []string{"Not a valid URL."}
	}
	return fault.Fields(problems)
}

// isLogo accepts what a browser may be told to fetch, and nothing at all.
func isLogo(text string) bool {
	if text == "" {
		return true
	}
	u, err := url.Parse(text)
	return err == nil && len(text) <= maxURL && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		u.User == nil && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Change is what is to change of an organization; nil leaves it as it is.
type Change struct {
	Name, Description, LogoURL *string
	// Active disables or enables it, which is for who administers the server.
	Active *bool
}

// Update changes an organization, for its owners and admins.
func (s *Service) Update(
	ctx context.Context, by audit.Actor, orgID string, in Change,
) (o *storage.Organization, err error) {
	now := steady.Now()
	err = s.change(ctx, by, now, orgID, "org.update", func(tx *storage.Tx) error {
		if o, _, err = s.admit(ctx, tx.Reader, by, orgID, managers); err != nil {
			return err
		}
		if in.Active != nil && !s.everywhere && by.Kind != audit.Operator {
			return ErrForbidden
		}
		before := *o
		in.apply(o)
		if *o == before {
			return nil
		}
		if err := managed.Refuse(ctx, tx.Reader, by, managed.Organization, orgID); err != nil {
			return err
		}
		if err := check(o); err != nil {
			return err
		}
		o.UpdatedAt = storage.At(now)
		if err := tx.SaveOrganization(ctx, o); err != nil {
			return fmt.Errorf("change organization %s: %w", orgID, err)
		}
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "org.update", TargetKind: "organization", TargetID: orgID, OrgID: orgID,
			Details: switched(before.IsActive, o.IsActive),
		})
	})
	return o, err
}

func (c Change) apply(o *storage.Organization) {
	if c.Name != nil {
		o.Name = strings.TrimSpace(*c.Name)
	}
	if c.Description != nil {
		o.Description = *c.Description
	}
	if c.LogoURL != nil {
		o.LogoURL = *c.LogoURL
	}
	if c.Active != nil {
		o.IsActive = *c.Active
	}
}

// switched says in an event that an organization was disabled or enabled.
func switched(before, now bool) map[string]string {
	if before == now {
		return nil
	}
	return map[string]string{"is_active": strconv.FormatBool(now)}
}

// Delete deletes an organization, for its owners. Its members lose their
// places, its clients stop, and whatever users had granted to those ends.
func (s *Service) Delete(ctx context.Context, by audit.Actor, orgID string) error {
	now := steady.Now()
	return s.change(ctx, by, now, orgID, "org.delete", func(tx *storage.Tx) error {
		o, _, err := s.admit(ctx, tx.Reader, by, orgID, ownersOnly)
		if err != nil {
			return err
		}
		if err := managed.Refuse(ctx, tx.Reader, by, managed.Organization, orgID); err != nil {
			return err
		}
		if err := managed.RefuseWithin(ctx, tx.Reader, by, orgID); err != nil {
			return err
		}
		if err := tx.DeleteOrganization(ctx, orgID); err != nil {
			return fmt.Errorf("delete organization %s: %w", orgID, err)
		}
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "org.delete", TargetKind: "organization", TargetID: orgID, OrgID: orgID,
			Details: map[string]string{"slug": o.Slug},
		})
	})
}

// View is an organization as one of its members sees it.
type View struct {
	Membership
	Members int64
}

// Show returns an organization to one of its members.
func (s *Service) Show(ctx context.Context, by audit.Actor, orgID string) (*View, error) {
	o, role, err := s.admit(ctx, s.db.Reader, by, orgID, anyone)
	if err != nil {
		return nil, err
	}
	n, err := s.db.CountMembers(ctx, orgID)
	if err != nil {
		return nil, fmt.Errorf("count members of %s: %w", orgID, err)
	}
	return &View{Membership{Organization: o, Role: role}, n}, nil
}

// BySlug returns the organization with a slug. [ErrNoOrg] if there is none.
func (s *Service) BySlug(ctx context.Context, slug string) (*storage.Organization, error) {
	o, err := s.db.OrganizationBySlug(ctx, slug)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrNoOrg
	}
	return o, err
}

// Find returns the organization with a slug or an id.
func (s *Service) Find(ctx context.Context, slugOrID string) (*storage.Organization, error) {
	if isID(slugOrID) {
		o, err := s.db.Organization(ctx, slugOrID)
		if !errors.Is(err, storage.ErrNotFound) {
			return o, err
		}
	}
	if !slugForm.MatchString(slugOrID) {
		return nil, ErrNoOrg
	}
	return s.BySlug(ctx, slugOrID)
}

// Membership is an organization as one of its members sees it.
type Membership struct {
	Organization *storage.Organization
	Role         storage.Role
}

// Of returns the active organizations of a user, the oldest membership first.
func (s *Service) Of(ctx context.Context, userID string) ([]Membership, error) {
	members, err := s.db.Memberships(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("organizations of %s: %w", userID, err)
	}
	out := make([]Membership, 0, len(members))
	for _, m := range members {
		o, err := s.db.Organization(ctx, m.OrganizationID)
		if errors.Is(err, storage.ErrNotFound) {
			continue // deleted between the two reads
		}
		if err != nil {
			return nil, fmt.Errorf("organizations of %s: %w", userID, err)
		}
		if o.IsActive {
			out = append(out, Membership{Organization: o, Role: m.Role})
		}
	}
	return out, nil
}
