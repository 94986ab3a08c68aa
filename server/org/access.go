package org

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

// admit returns the organization with an id and the role that by acts with in
// it, read in r. [ErrNoOrg] for who is no member, so that nothing tells whether
// there is such an organization; [ErrRole] for a member with none of the roles
// needed. An operator acts as an owner of every organization, a service as an
// admin of its own. A disabled one is none to its members and services.
func (s *Service) admit(
	ctx context.Context, r storage.Reader, by audit.Actor, orgID string, needed []Role,
) (*storage.Organization, Role, error) {
	if s.everywhere {
		o, err := s.office(ctx, r, by, orgID)
		return o, Owner, err
	}
	if by.Kind != audit.Operator && by.Kind != audit.User && by.Kind != audit.Service {
		return nil, "", ErrForbidden
	}
	if !isID(orgID) || by.Kind == audit.Service && by.OrgID != orgID {
		return nil, "", ErrNoOrg
	}
	o, err := r.Organization(ctx, orgID)
	if err != nil {
		return nil, "", lookedUp(err, ErrNoOrg, "look up organization "+orgID)
	}
	if by.Kind == audit.Operator {
		return o, Owner, nil
	}
	role := Admin
	if by.Kind == audit.User {
		m, err := r.Member(ctx, orgID, by.ID)
		if err != nil {
			return nil, "", lookedUp(err, ErrNoOrg, "look up member "+by.ID+" of "+orgID)
		}
		role = m.Role
	}
	if !o.IsActive {
		return nil, "", ErrNoOrg
	}
	if !slices.Contains(needed, role) {
		return nil, "", errNeeds(needed)
	}
	return o, role, nil
}

// Manages is nil for who manages an organization: its owners and admins, and
// operators. [ErrNoOrg] for who is no member, [ErrRole] for the others.
func (s *Service) Manages(ctx context.Context, r storage.Reader, by audit.Actor, orgID string) error {
	_, _, err := s.admit(ctx, r, by, orgID, managers)
	return err
}

// lookedUp turns the error of a lookup into missing if there is no such record.
func lookedUp(err error, missing error, what string) error {
	if errors.Is(err, storage.ErrNotFound) {
		return missing
	}
	return fmt.Errorf("%s: %w", what, err)
}

// isID says whether text could be the id of a record. Nothing else is looked up.
func isID(text string) bool {
	return len(text) == 36 && strings.Trim(text, "0123456789abcdef-") == ""
}

// change runs fn in a transaction. When the rules of an organization forbid it
// to a user or a service, that is recorded as the failed action.
func (s *Service) change(
	ctx context.Context, by audit.Actor, now time.Time, orgID, action string, fn func(tx *storage.Tx) error,
) error {
	err := s.db.Update(ctx, fn)
	f, ok := fault.As(err)
	if !ok || f.Kind != fault.Forbidden || by.Kind != audit.User && by.Kind != audit.Service || !isID(orgID) {
		return err
	}
	recorded := s.db.Update(ctx, func(tx *storage.Tx) error {
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: action, Failed: true, Reason: f.Code,
			TargetKind: "organization", TargetID: orgID, OrgID: orgID,
		})
	})
	return errors.Join(err, recorded)
}
