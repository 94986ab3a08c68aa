package storage_test

import (
	"context"
	"testing"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestAnSQLiteFileHasOneServerAndPostgreSQLMany(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			here, there := pair(t, engine)
			unlock, err := here.Lock()
			if err != nil {
				t.Fatalf("Lock() = %v", err)
			}
			second, err := there.Lock()
			if refused := err != nil; refused != here.IsSQLite() {
				t.Errorf("Lock() of a second server = %v", err)
			}
			if err == nil {
				second()
			}
			update(t, there, func(ctx context.Context, tx *storage.Tx) error { // a command may
				return tx.InsertUser(ctx, newUser())
			})
			unlock()
			unlock, err = there.Lock()
			if err != nil {
				t.Fatalf("Lock() after the first server ended = %v", err)
			}
			unlock()
		})
	}
}

func TestOneOfTwoOwnersDoesNotOwnAlone(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		org, shared := newOrg(), newOrg()
		alone, one, two, plain := newUser(), newUser(), newUser(), newUser()
		member := func(o *storage.Organization, u *storage.User, role storage.Role) *storage.Member {
			m := newMember(o, u)
			m.Role = role
			return m
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(
				tx.InsertOrganization(ctx, org), tx.InsertOrganization(ctx, shared),
				tx.InsertUser(ctx, alone), tx.InsertUser(ctx, one), tx.InsertUser(ctx, two),
				tx.InsertUser(ctx, plain),
				tx.InsertMember(ctx, member(org, alone, storage.RoleOwner)),
				tx.InsertMember(ctx, member(shared, alone, storage.RoleOwner)),
				tx.InsertMember(ctx, member(org, plain, storage.RoleAdmin)),
				tx.InsertMember(ctx, member(shared, one, storage.RoleOwner)),
				tx.InsertMember(ctx, member(shared, two, storage.RoleOwner)),
			)
		})
		for name, c := range map[string]struct {
			user *storage.User
			want bool
		}{
			"the only owner": {alone, true}, "one of several": {one, false}, "an administrator": {plain, false},
			"a stranger": {newUser(), false},
		} {
			got, err := db.OwnsAlone(t.Context(), c.user.ID)
			if got != c.want || err != nil {
				t.Errorf("OwnsAlone(%s) = %v, %v, want %v", name, got, err, c.want)
			}
		}
	})
}
