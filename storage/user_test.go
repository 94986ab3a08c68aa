package storage_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestUsersAreFoundByHowTheirAddressBegins(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			for i, email := range []string{"ann@a.example", "bo@b.example", "bob@b.example", "bobby@a.example", "carl@a.example"} {
				user := newUser()
				user.Email = email
				if i%2 == 1 {
					user.Status = storage.Suspended
				}
				if err := tx.InsertUser(ctx, user); err != nil {
					return err
				}
			}
			return nil
		})
		bob := storage.UserFilter{EmailPrefix: "bob"}
		for _, c := range []struct {
			filter storage.UserFilter
			after  string
			want   []string
		}{
			{bob, "", []string{"bob@b.example", "bobby@a.example"}},
			{bob, "ann@a.example", []string{"bob@b.example", "bobby@a.example"}},
			{bob, "bob", []string{"bob@b.example", "bobby@a.example"}},
			{bob, "bob@b.example", []string{"bobby@a.example"}},
			{bob, "bobby@a.example", nil},
			{bob, "carl@a.example", nil},
			{storage.UserFilter{EmailPrefix: "bob", Status: storage.Suspended}, "", []string{"bobby@a.example"}},
			{storage.UserFilter{Status: storage.Suspended}, "bo@b.example", []string{"bobby@a.example"}},
			{storage.UserFilter{}, "bobby@a.example", []string{"carl@a.example"}},
			{storage.UserFilter{EmailPrefix: "x"}, "", nil},
		} {
			users, err := db.Users(t.Context(), c.filter, c.after, 10)
			var got []string
			for _, u := range users {
				got = append(got, u.Email)
			}
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("Users(%+v, after %q): %v (-want +got):\n%s", c.filter, c.after, err, diff)
			}
		}
	})
}
