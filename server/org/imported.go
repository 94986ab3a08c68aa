package org

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"authy/server/audit"
	"authy/storage"
)

// imported is why organizations and their members came to be, in the audit log, where they
// came from another server.
const imported = "imported"

var notSlug = regexp.MustCompile(`[^a-z0-9]+`)

// SlugOf returns text as a slug, "" if nothing of it can stand in one.
func SlugOf(text string) string {
	slug := strings.Trim(notSlug.ReplaceAllString(strings.ToLower(text), "-"), "-")
	return strings.TrimRight(slug[:min(len(slug), 63)], "-")
}

// Check says what is wrong with an organization that came from another server, field by
// field; see [Service.Import].
func Check(o *Organization) error { return check(o) }

// Import makes an organization of another server, which keeps its id, in tx; source is what
// the server is called. It has the members that [Service.ImportMember] gives it.
func (s *Service) Import(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, source string, o *Organization,
) error {
	if by.Kind != audit.Operator {
		return ErrForbidden
	}
	if err := check(o); err != nil {
		return err
	}
	if err := tx.InsertOrganization(ctx, o); err != nil {
		return fmt.Errorf("make organization %s: %w", o.Slug, err)
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "org.create", Reason: imported, TargetKind: "organization", TargetID: o.ID, OrgID: o.ID,
		Details: map[string]string{"source": source},
	})
}

// ImportMember gives a user the place in an organization that they have elsewhere, in tx.
func (s *Service) ImportMember(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, source string, m *storage.Member,
) error {
	if by.Kind != audit.Operator {
		return ErrForbidden
	}
	if err := tx.InsertMember(ctx, m); err != nil {
		return fmt.Errorf("add %s to organization %s: %w", m.UserID, m.OrganizationID, err)
	}
	if err := s.settle(ctx, tx, by, now, m.OrganizationID, m.UserID); err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "org.member.add", Reason: imported, TargetKind: "user", TargetID: m.UserID, OrgID: m.OrganizationID,
		Details: map[string]string{"role": string(m.Role), "source": source},
	})
}
