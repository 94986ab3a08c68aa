package account

import (
	"errors"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/managed"
	"authy/storage"
)

// mark notes that a file sets an object.
func (b bench) mark(kind, id string, fields ...string) {
	b.t.Helper()
	b.update(func(tx *storage.Tx) error {
		return managed.Keep(b.t.Context(), tx, time.Now(), managed.Mark{Kind: kind, ID: id, File: "state.toml", Fields: fields})
	})
}

// isManaged wants an act to be refused as a change of what a file sets, and to change nothing.
func (b bench) isManaged(what string, act func() error) {
	b.t.Helper()
	before := len(b.actions())
	if err := act(); !errors.Is(err, managed.ErrManaged) {
		b.t.Errorf("%s: %v, want ErrManaged", what, err)
	}
	if after := len(b.actions()); after != before {
		b.t.Errorf("%s: refused, but it recorded %d events", what, after-before)
	}
}

func TestAnAccountStaysWhoseAddressAFileNames(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx, now := b.t.Context(), time.Now()
		ann, bob := b.create("ann@example.com"), b.create("bob@example.com")
		self := audit.Actor{}.As(bob.ID)
		for _, slug := range []string{"one", "two", "three"} {
			b.own(slug, ann, bob)
		}
		request := func(by audit.Actor) error {
			return b.db.Update(ctx, func(tx *storage.Tx) error {
				return b.RequestEmailChange(ctx, tx, by, now, bob.ID, "newer@example.com")
			})
		}
		if err := request(self); err != nil {
			b.t.Fatalf("while no file names the address: %v", err)
		}
		var secret string
		b.update(func(tx *storage.Tx) (err error) {
			secret, err = issue(ctx, tx, now, storage.Link{
				Purpose: storage.ChangeEmailLink, UserID: storage.Ref(bob.ID), Email: "new@example.com",
			}, changeEmailLifetime)
			return err
		})
		places, err := b.db.Memberships(ctx, bob.ID)
		if err != nil || len(places) != 3 {
			b.t.Fatalf("Memberships = %v, %v", places, err)
		}
		b.mark(managed.Member, places[1].ID)
		b.isManaged("follow the link to another address", func() error { _, err := b.ConfirmEmail(ctx, audit.Actor{}, secret); return err })
		b.isManaged("ask for another", func() error { return request(self) })
		b.isManaged("set another", func() error { return b.SetEmail(ctx, audit.Shell(), bob.ID, "new@example.com") })
		b.isManaged("delete by themselves", func() error { return b.DeleteSelf(ctx, self) })
		b.isManaged("delete by an operator", func() error { return b.Delete(ctx, audit.Shell(), bob.ID) })
		if u, err := b.Find(ctx, bob.ID); err != nil || u.Email != "bob@example.com" {
			b.t.Errorf("the user is %+v, %v", u, err)
		}
		if err := b.Suspend(ctx, audit.Shell(), bob.ID); err != nil {
			b.t.Errorf("suspend who is named still: %v", err)
		}
		file := audit.Shell()
		file.File = "state.toml"
		if err := b.SetEmail(ctx, file, bob.ID, "new@example.com"); err != nil {
			b.t.Errorf("the file changes the address: %v", err)
		}
		if err := b.Delete(ctx, file, bob.ID); err != nil {
			b.t.Errorf("the file deletes the account: %v", err)
		}
		if err := b.DeleteSelf(ctx, audit.Actor{}.As(b.create("eve@example.com").ID)); err != nil {
			b.t.Errorf("who has no place: %v", err)
		}
	})
}

func TestAPictureStaysThatAFileSets(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		b.PublicURL = "https://id.example.com"
		ada := b.create("ada@example.com")
		by, elsewhere := audit.Actor{}.As(ada.ID), "https://img.example.com/a.png"
		set := func() error { _, err := b.SetPicture(ctx, by, ada.ID, pngOf(b.t, flag(8, 8))); return err }
		remove := func() error { _, err := b.RemovePicture(ctx, by, ada.ID); return err }
		b.mark(managed.User, ada.ID, "email", "avatar_url")
		if err := remove(); err != nil {
			b.t.Errorf("what changes nothing: %v", err)
		}
		b.isManaged("set one that the file says is none", set)
		file := audit.Shell()
		file.File = "state.toml"
		if _, err := b.Correct(ctx, file, ada.ID, Correction{Profile: map[string]string{"avatar_url": elsewhere}}); err != nil {
			b.t.Fatal(err)
		}
		b.isManaged("set", set)
		b.isManaged("remove", remove)
		if u, err := b.Find(ctx, ada.ID); err != nil || u.AvatarURL != elsewhere {
			b.t.Errorf("the picture is %q, %v, want %q", u.AvatarURL, err, elsewhere)
		}
		b.mark(managed.User, ada.ID, "email")
		for what, act := range map[string]func() error{"set": set, "remove": remove} {
			if err := act(); err != nil {
				b.t.Errorf("%s one of which the file says nothing: %v", what, err)
			}
		}
	})
}
