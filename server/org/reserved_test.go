package org_test

import (
	"errors"
	"testing"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/org"
	"authy/storage"
	"authy/storage/storagetest"
)

// Nobody steps into a group that rules or applications trust by making the organization of it.
func TestSlugsThatRulesNameAreForAdministrators(t *testing.T) {
	t.Parallel()
	rules := config.Config{ForwardAuth: []*config.ForwardRule{
		{Who: config.Words{"org:ghost:admin", "user:ann@example.com"}}, {Who: config.Words{"group:staff:guest", "org:house", "public"}},
	}}
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, ctx := newHouse(t, db), t.Context()
		h.s.Reserved = rules.RuledOrganizations()
		makes := func(by audit.Actor, slug string) error {
			_, err := h.s.Create(ctx, by, org.NewOrg{Slug: slug, Name: slug, OwnerID: h.users[org.Guest]})
			return err
		}
		for _, slug := range []string{"ghost", "staff", "admin", "root", "wheel"} {
			if err := makes(h.as(org.Guest), slug); !errors.Is(err, org.ErrSlugReserved) {
				t.Errorf("a user makes %s: %v", slug, err)
			}
		}
		for _, slug := range []string{"ann", "public", "guest", "ghosts"} {
			if err := makes(h.as(org.Guest), slug); err != nil {
				t.Errorf("a user makes %s: %v", slug, err)
			}
		}
		if err := h.s.Delete(ctx, audit.Shell(), h.id); err != nil {
			t.Fatal(err)
		}
		if err := makes(h.as(org.Guest), "house"); !errors.Is(err, org.ErrSlugReserved) {
			t.Errorf("a user makes what was deleted: %v", err)
		}
		if err := makes(audit.Shell(), "ghost"); err != nil {
			t.Errorf("an operator makes ghost: %v", err)
		}
	})
}
