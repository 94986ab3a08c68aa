package registry

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"authy/server/account"
	"authy/server/audit"
	"authy/storage"
	"authy/storage/storagetest"
)

// A secret that another server hashed works, also as the old one beside another, and is
// compared slowly once.
func TestASecretOfAnotherServerWorksOn(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s, ctx, now := New(db), t.Context(), time.Now()
		s.Hasher = account.NewHasher(4)
		hash, err := bcrypt.GenerateFromPassword([]byte("the secret"), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		in := Defaults()
		in.ClientID, in.Name, in.RedirectURIs = "portal", "Portal", []string{"https://portal.example/cb"}
		c, _, err := s.DraftImport(ctx, in, string(hash), now)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(ctx, func(tx *storage.Tx) error { return s.Import(ctx, tx, audit.Shell(), now, "there", c) })
		if err != nil {
			t.Fatal(err)
		}
		is := func(secret string, at time.Time, want bool) {
			t.Helper()
			c, err := db.Client(ctx, "portal")
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := s.IsSecret(ctx, audit.Shell(), c, secret, at); err != nil || ok != want {
				t.Errorf("%q is the secret: %v, %v, want %v", secret, ok, err, want)
			}
		}
		is("", now, false)
		is(string(hash), now, false)
		_, fresh, err := s.RotateSecret(ctx, audit.Shell(), "", "portal", Rotation{Overlap: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		is(fresh, now, true)
		is("the secret", now.Add(2*time.Hour), false)
		is("another", now, false)
		is("the secret", now, true)
		kept, err := db.Client(ctx, "portal")
		if err != nil || strings.HasPrefix(kept.OldSecretHash, "$2") {
			t.Errorf("the old secret is kept as %.4s…, %v", kept.OldSecretHash, err)
		}
		is("the secret", now, true)
		is("the secret", now.Add(2*time.Hour), false)
	})
}
