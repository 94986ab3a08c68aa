package org_test

import (
	"errors"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/org"
	"authy/storage"
	"authy/storage/storagetest"
)

// furnish gives an organization one object of each kind, and returns their marks by names.
func furnish(t *testing.T, db *storage.DB, orgID string) map[string]managed.Mark {
	t.Helper()
	now, marks := storage.At(time.Now()), map[string]managed.Mark{}
	mark := func(kind, name string) string {
		id := storage.NewID()
		marks[name] = managed.Mark{Kind: kind, ID: id, File: "state.toml"}
		return id
	}
	err := db.Update(t.Context(), func(tx *storage.Tx) error {
		of := storage.Ref(orgID)
		return errors.Join(
			tx.InsertClient(t.Context(), &storage.Client{
				ID: mark(managed.Client, "the client the-app"), ClientID: "the-app", OrganizationID: of, CreatedAt: now, UpdatedAt: now,
			}),
			tx.InsertProvider(t.Context(), &storage.Provider{
				ID: mark(managed.Provider, "the provider the-idp"), Slug: "the-idp", OrganizationID: of, CreatedAt: now, UpdatedAt: now,
			}),
			tx.InsertService(t.Context(), &storage.Service{
				ID: mark(managed.SAMLService, "the SAML service the-wiki"), Slug: "the-wiki", EntityID: "urn:wiki", OrganizationID: of, CreatedAt: now, UpdatedAt: now,
			}),
			tx.InsertWebhook(t.Context(), &storage.Webhook{
				ID: mark(managed.Webhook, "the webhook the-hook"), Slug: "the-hook", OrganizationID: of, CreatedAt: now, UpdatedAt: now,
			}),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	return marks
}

func TestAnOrganizationStaysWhileAFileSetsWhatItHolds(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, other := newHouse(t, db), newHouseIn(t, db, "other")
		ctx, owner := t.Context(), h.as(org.Owner)
		for name, m := range furnish(t, db, h.id) {
			write(t, db, func(tx *storage.Tx) error { return managed.Keep(ctx, tx, time.Now(), m) })
			for _, by := range []audit.Actor{owner, audit.Shell()} {
				err := h.s.Delete(ctx, by, h.id)
				want := "The file state.toml sets " + name + " of this organization: remove it there first, or run 'authy release'."
				if f, _ := fault.As(err); !errors.Is(err, managed.ErrManaged) || f.Message != want {
					t.Errorf("Delete by %s: %v, want %s", by.Kind, err, want)
				}
			}
			write(t, db, func(tx *storage.Tx) error { _, err := managed.Forget(ctx, tx, m.Kind, m.ID); return err })
		}
		if _, err := h.s.Find(ctx, h.id); err != nil {
			t.Errorf("the organization: %v", err)
		}
		if err := h.s.Delete(ctx, owner, h.id); err != nil {
			t.Errorf("once no file sets any of it: %v", err)
		}
		for _, m := range furnish(t, db, other.id) {
			write(t, db, func(tx *storage.Tx) error { return managed.Keep(ctx, tx, time.Now(), m) })
		}
		file := audit.Shell()
		file.File = "state.toml"
		if err := other.s.Delete(ctx, file, other.id); err != nil {
			t.Errorf("by the file: %v", err)
		}
	})
}

// write runs fn in a transaction that must succeed.
func write(t *testing.T, db *storage.DB, fn func(tx *storage.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}
