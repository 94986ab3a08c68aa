// Package org decides about organizations: groups of users with roles, and the
// owners of clients. It refuses to know how members sign in.
package org

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

// What org refuses.
var (
	ErrSlugTaken = fault.New(fault.Conflict, "slug_taken", "Organization slug already exists")
	ErrNoOrg     = fault.New(fault.NotFound, "organization_not_found", "Organization not found")
	ErrMember    = fault.New(fault.Conflict, "already_member", "User is already a member of this organization")
	ErrForbidden = fault.New(fault.Forbidden, "forbidden", "You may not do this.")
)

// slugForm is what a slug looks like: it stands in URLs.
var slugForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Service decides about organizations.
type Service struct{ db *storage.DB }

// New returns the service over db.
func New(db *storage.DB) *Service { return &Service{db: db} }

// NewOrg describes an organization to be made.
type NewOrg struct{ Slug, Name, Description, OwnerID string }

// Create makes an organization with its first owner.
func (s *Service) Create(ctx context.Context, by audit.Actor, in NewOrg) (*storage.Organization, error) {
	if by.Kind != audit.Operator {
		return nil, ErrForbidden
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	now := time.Now()
	o := &storage.Organization{
		ID: storage.NewID(), Slug: in.Slug, Name: strings.TrimSpace(in.Name), Description: in.Description,
		IsActive: true, CreatedAt: storage.At(now), UpdatedAt: storage.At(now),
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
		return s.add(ctx, tx, by, now, o.ID, in.OwnerID, storage.RoleOwner)
	})
	return o, err
}

func (in NewOrg) check() error {
	problems := map[string][]string{}
	if !slugForm.MatchString(in.Slug) {
		problems["slug"] = []string{"Use 1 to 63 lower-case letters, digits and hyphens, no hyphen at either end."}
	}
	if n := utf8.RuneCountInString(strings.TrimSpace(in.Name)); n < 1 || n > 255 {
		problems["name"] = []string{"Length must be between 1 and 255."}
	}
	return fault.Fields(problems)
}

// AddMember makes a user a member with a role. [ErrMember] if they are one.
func (s *Service) AddMember(ctx context.Context, by audit.Actor, orgID, userID string, role storage.Role) error {
	if by.Kind != audit.Operator {
		return ErrForbidden
	}
	now := time.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		return s.add(ctx, tx, by, now, orgID, userID, role)
	})
}

func (s *Service) add(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, orgID, userID string, role storage.Role,
) error {
	m := &storage.Member{
		ID: storage.NewID(), OrganizationID: orgID, UserID: userID, Role: role,
		JoinedAt: storage.At(now), CreatedAt: storage.At(now), UpdatedAt: storage.At(now),
	}
	if by.Kind == audit.User {
		m.InvitedByID = storage.Ref(by.ID)
	}
	if err := tx.InsertMember(ctx, m); errors.Is(err, storage.ErrTaken) {
		return ErrMember
	} else if err != nil {
		return fmt.Errorf("add %s to organization %s: %w", userID, orgID, err)
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "org.member.add", TargetKind: "user", TargetID: userID, OrgID: orgID,
		Details: map[string]string{"role": string(role)},
	})
}

// BySlug returns the organization with a slug. [ErrNoOrg] if there is none.
func (s *Service) BySlug(ctx context.Context, slug string) (*storage.Organization, error) {
	o, err := s.db.OrganizationBySlug(ctx, slug)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrNoOrg
	}
	return o, err
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
