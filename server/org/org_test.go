package org_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/org"
	"authy/storage"
	"authy/storage/storagetest"
)

// addUser adds a user, of whom org needs no more than a row.
func addUser(t *testing.T, db *storage.DB, email string) string {
	t.Helper()
	now := storage.At(time.Now())
	u := &storage.User{ID: storage.NewID(), Email: email, Status: storage.Active, EmailVerifiedAt: now, CreatedAt: now, UpdatedAt: now}
	err := db.Update(t.Context(), func(tx *storage.Tx) error { return tx.InsertUser(t.Context(), u) })
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

func TestAnOrganizationBeginsWithItsOwner(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s, ctx := org.New(db), t.Context()
		owner, guest := addUser(t, db, "owner@example.com"), addUser(t, db, "guest@example.com")
		o, err := s.Create(ctx, audit.Shell(), org.NewOrg{Slug: "acme", Name: " Acme ", Description: "All of it", OwnerID: owner})
		if err != nil {
			t.Fatal(err)
		}
		if o.Name != "Acme" || o.Description != "All of it" || !o.IsActive {
			t.Errorf("organization = %+v", o)
		}
		if err := s.AddMember(ctx, audit.Shell(), o.ID, guest, storage.RoleGuest); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]storage.Role{owner: storage.RoleOwner, guest: storage.RoleGuest} {
			of, err := s.Of(ctx, id)
			if err != nil || len(of) != 1 || of[0].Role != want || of[0].Organization.Slug != "acme" {
				t.Errorf("Of = %+v, %v, want %s of acme", of, err, want)
			}
		}
		if found, err := s.BySlug(ctx, "acme"); err != nil || found.ID != o.ID {
			t.Errorf("BySlug = %v, %v", found, err)
		}
		if _, err := s.BySlug(ctx, "other"); !errors.Is(err, org.ErrNoOrg) {
			t.Errorf("BySlug of none: %v", err)
		}
		events, err := db.Events(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range events {
			got = append(got, e.Action+" "+e.OrganizationID+" "+e.TargetID+" "+e.Details)
		}
		want := []string{
			"org.member.add " + o.ID + " " + guest + ` {"role":"guest"}`,
			"org.member.add " + o.ID + " " + owner + ` {"role":"owner"}`,
			"org.create " + o.ID + " " + o.ID + " ",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("audit (-want +got):\n%s", diff)
		}
	})
}

func TestAnOrganizationIsListedOnlyWhileItIsActive(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s, ctx := org.New(db), t.Context()
		owner, now := addUser(t, db, "owner@example.com"), storage.At(time.Now())
		closed := &storage.Organization{ID: storage.NewID(), Slug: "closed", Name: "Closed", CreatedAt: now, UpdatedAt: now}
		err := db.Update(ctx, func(tx *storage.Tx) error {
			if err := tx.InsertOrganization(ctx, closed); err != nil {
				return err
			}
			return tx.InsertMember(ctx, &storage.Member{
				ID: storage.NewID(), OrganizationID: closed.ID, UserID: owner, Role: storage.RoleOwner, CreatedAt: now, UpdatedAt: now,
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, slug := range []string{"first", "second"} {
			if _, err := s.Create(ctx, audit.Shell(), org.NewOrg{Slug: slug, Name: slug, OwnerID: owner}); err != nil {
				t.Fatal(err)
			}
		}
		of, err := s.Of(ctx, owner)
		if err != nil || len(of) != 2 || of[0].Organization.Slug != "first" || of[1].Organization.Slug != "second" {
			t.Errorf("Of = %+v, %v, want first and second", of, err)
		}
		if of, err := s.Of(ctx, storage.NewID()); err != nil || of == nil || len(of) > 0 {
			t.Errorf("Of nobody = %#v, %v, want an empty list", of, err)
		}
	})
}

func TestAMemberIsOneOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s, ctx := org.New(db), t.Context()
		owner := addUser(t, db, "owner@example.com")
		o, err := s.Create(ctx, audit.Shell(), org.NewOrg{Slug: "acme", Name: "Acme", OwnerID: owner})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.AddMember(ctx, audit.Shell(), o.ID, owner, storage.RoleGuest); !errors.Is(err, org.ErrMember) {
			t.Errorf("AddMember again: %v, want ErrMember", err)
		}
		if of, err := s.Of(ctx, owner); err != nil || of[0].Role != storage.RoleOwner {
			t.Errorf("the role became %v, %v", of, err)
		}
	})
}

func TestAnOrganizationWithoutAnOwnerIsNotMade(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := org.New(db)
		if _, err := s.Create(t.Context(), audit.Shell(), org.NewOrg{Slug: "acme", Name: "Acme", OwnerID: "nobody"}); err == nil {
			t.Error("it was made for nobody")
		}
		if _, err := s.BySlug(t.Context(), "acme"); !errors.Is(err, org.ErrNoOrg) {
			t.Errorf("BySlug: %v, want ErrNoOrg", err)
		}
	})
}

func TestSlugsAndNames(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	s := org.New(db)
	owner := addUser(t, db, "owner@example.com")
	for _, slug := range []string{"a", "0", "a-b", "a--b", strings.Repeat("a", 63)} {
		if _, err := s.Create(t.Context(), audit.Shell(), org.NewOrg{Slug: slug, Name: "x", OwnerID: owner}); err != nil {
			t.Errorf("slug %q: %v", slug, err)
		}
	}
	for _, slug := range []string{
		"", "-a", "a-", "A", "a b", "a/b", "a.b", "ä", "a\n", "a\x00", "<b>", "%61", strings.Repeat("a", 64),
	} {
		_, err := s.Create(t.Context(), audit.Shell(), org.NewOrg{Slug: slug, Name: "x", OwnerID: owner})
		if f, ok := fault.As(err); !ok || f.Kind != fault.Invalid || len(f.Fields["slug"]) != 1 {
			t.Errorf("slug %q: %v, want a refusal of the field", slug, err)
		}
	}
	for _, name := range []string{"", "   ", strings.Repeat("é", 256)} {
		_, err := s.Create(t.Context(), audit.Shell(), org.NewOrg{Slug: "fine", Name: name, OwnerID: owner})
		if f, ok := fault.As(err); !ok || len(f.Fields["name"]) != 1 {
			t.Errorf("name %q: %v, want a refusal of the field", name, err)
		}
	}
}

func TestUsersMakeTheirOwnOrganizationsOnly(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	s, ctx := org.New(db), t.Context()
	owner, other := addUser(t, db, "owner@example.com"), addUser(t, db, "other@example.com")
	o, err := s.Create(ctx, audit.Actor{}.As(owner), org.NewOrg{Slug: "acme", Name: "Acme", OwnerID: owner})
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range []audit.Actor{{}, {Kind: audit.Anonymous}, audit.Actor{}.As(other), audit.Actor{}.AsClient("c"), audit.Server()} {
		if _, err := s.Create(ctx, by, org.NewOrg{Slug: "other", Name: "Other", OwnerID: owner}); !errors.Is(err, org.ErrForbidden) {
			t.Errorf("Create by %+v: %v, want ErrForbidden", by, err)
		}
		want := org.ErrForbidden
		if by.Kind == audit.User {
			want = org.ErrNoOrg
		}
		if err := s.AddMember(ctx, by, o.ID, addUser(t, db, storage.NewID()), storage.RoleOwner); !errors.Is(err, want) {
			t.Errorf("AddMember by %+v: %v, want %v", by, err, want)
		}
	}
}
