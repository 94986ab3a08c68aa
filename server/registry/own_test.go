package registry

import (
	"errors"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/managed"
	"authy/storage"
	"authy/storage/storagetest"
)

// RFC 7592, sections 2.2 and 2.3: 403 for who may not change or delete it.
func TestAClientThatAFileSetsIsNotItsOwnToChange(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s, ctx, by := New(db), t.Context(), audit.Actor{Kind: audit.Anonymous}
		s.Dynamic.Mode = RegistrationOpen
		made, err := s.Enroll(ctx, by, "", selfRegistered("Self"))
		if err != nil {
			t.Fatal(err)
		}
		id, token := made.Client.ClientID, made.Token
		err = db.Update(ctx, func(tx *storage.Tx) error {
			return managed.Keep(ctx, tx, time.Now(), managed.Mark{Kind: managed.Client, ID: made.Client.ID, File: "/etc/authy/state.toml"})
		})
		if err != nil {
			t.Fatal(err)
		}
		change := func(name string) error {
			_, err := s.ChangeOwn(ctx, by, id, token, selfRegistered(name))
			return err
		}
		for what, act := range map[string]func() error{
			"delete": func() error { return s.DeleteOwn(ctx, by, id, token) }, "change": func() error { return change("Other") },
			"the same again": func() error { return change("Self") },
		} {
			// The file is a path of the server's, and nothing that a stranger is told.
			if err := act(); err == nil || err.Error() != ErrDynamicManaged.Message {
				t.Errorf("%s: %v, want ErrDynamicManaged", what, err)
			}
		}
		if err := s.DeleteOwn(ctx, by, id, "another"); !errors.Is(err, ErrDynamicToken) {
			t.Errorf("with another token: %v, want ErrDynamicToken", err)
		}
		if c, err := s.Own(ctx, by, id, token); err != nil || c.Name != "Self" {
			t.Fatalf("it is %+v, %v, want readable and as it was, by the same token", c, err)
		}
		err = db.Update(ctx, func(tx *storage.Tx) error {
			_, err := managed.Forget(ctx, tx, managed.Client, made.Client.ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteOwn(ctx, by, id, token); err != nil {
			t.Errorf("once the file lets go of it: %v", err)
		}
	})
}
