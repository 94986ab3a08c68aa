package org

import (
	"context"
	"fmt"

	"authy/storage"
)

// GroupsOf returns what applications call the places of a user: the slugs of their
// organizations, each also with their role after a colon.
func GroupsOf(ctx context.Context, r storage.Reader, userID string) ([]string, error) {
	members, err := r.Memberships(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("organizations of %s: %w", userID, err)
	}
	groups := make([]string, 0, 2*len(members))
	for _, m := range members {
		o, err := r.Organization(ctx, m.OrganizationID)
		if err != nil {
			return nil, fmt.Errorf("organizations of %s: %w", userID, err)
		}
		if o.IsActive {
			groups = append(groups, o.Slug, o.Slug+":"+string(m.Role))
		}
	}
	return groups, nil
}
