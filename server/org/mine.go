package org

import (
	"cmp"
	"context"
	"slices"
)

// Page returns at most limit of a user's active organizations whose slugs
// come after the given one, in the order of their slugs, and whether there
// are more.
func (s *Service) Page(
	ctx context.Context, userID, after string, limit int,
) (page []Membership, more bool, err error) {
	all, err := s.Of(ctx, userID)
	if err != nil {
		return nil, false, err
	}
	all = slices.DeleteFunc(all, func(m Membership) bool { return m.Organization.Slug <= after })
	slices.SortFunc(all, func(a, b Membership) int { return cmp.Compare(a.Organization.Slug, b.Organization.Slug) })
	return all[:min(limit, len(all))], len(all) > limit, nil
}
