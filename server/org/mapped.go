package org

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"authy/server/audit"
	"authy/server/managed"
	"authy/storage"
)

// mapped is the reason of what the groups of a provider do.
const mapped = "provider_groups"

// Map gives a user, in tx, the places that the groups of a provider give them:
// roles by the ids of organizations. What it gave before and gives no more it
// takes away. What people gave it leaves as it is, and the last owner, too.
func (s *Service) Map(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, p *storage.Provider, userID string,
	given map[string]Role,
) error {
	for _, orgID := range slices.Sorted(maps.Keys(given)) {
		if err := s.mapTo(ctx, tx, by, now, p, userID, orgID, given[orgID]); err != nil {
			return err
		}
	}
	have, err := tx.Memberships(ctx, userID)
	if err != nil {
		return fmt.Errorf("list organizations of %s: %w", userID, err)
	}
	for i := range have {
		m := &have[i]
		if _, still := given[m.OrganizationID]; still || string(m.ProviderID) != p.ID {
			continue
		}
		if err := s.end(ctx, tx, by, now, m, mapped); err != nil && !keeps(err) {
			return err
		}
	}
	return nil
}

// mapTo gives a user the place in one organization.
func (s *Service) mapTo(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, p *storage.Provider, userID, orgID string, role Role,
) error {
	o, err := tx.Organization(ctx, orgID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && !o.IsActive {
		return nil // the mapping outlives it
	}
	if err != nil {
		return fmt.Errorf("look up organization %s: %w", orgID, err)
	}
	m, err := tx.Member(ctx, orgID, userID)
	if errors.Is(err, storage.ErrNotFound) {
		_, err = s.add(ctx, tx, by, now, joining{orgID: orgID, userID: userID, role: role, provider: p.ID})
		return err
	}
	if err != nil {
		return fmt.Errorf("look up member %s of %s: %w", userID, orgID, err)
	}
	if string(m.ProviderID) != p.ID {
		return nil
	}
	err = s.alter(ctx, tx, by, now, m, role, mapped)
	if keeps(err) {
		return nil
	}
	return err
}

// keeps says whether a place stays as it is although a provider gives another: that of
// the last owner, and one that a file sets.
func keeps(err error) bool { return errors.Is(err, ErrLastOwner) || errors.Is(err, managed.ErrManaged) }

// Highest returns the roles that pairs of organization and role come to, where
// an organization is named more than once. What is no role gives none.
func Highest(pairs []storage.ProviderRole) map[string]Role {
	given := map[string]Role{}
	for _, one := range pairs {
		role, err := ParseRole(one.Role)
		if err != nil {
			continue
		}
		if had, twice := given[one.OrganizationID]; !twice || below(had, role) {
			given[one.OrganizationID] = role
		}
	}
	return given
}
