package storage_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestACounterIsNeverLowered(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for _, c := range []struct {
			kept, sent int64
			want       bool
		}{
			{10, 9, false}, {10, 10, false}, {10, 0, false}, {10, 11, true}, {0, 0, true}, {0, 1, true},
		} {
			p := newWorld(t, db).passkey
			execute(t, db, "UPDATE passkeys SET sign_count = 0 WHERE id = '"+p.ID+"'")
			use := func(count int64) (ok bool) {
				p.SignCount, p.LastUsedAt, p.UserVerified = count, storage.At(noon), true
				update(t, db, func(ctx context.Context, tx *storage.Tx) (err error) {
					ok, err = tx.UsePasskey(ctx, p)
					return err
				})
				return ok
			}
			use(c.kept)
			if got := use(c.sent); got != c.want {
				t.Errorf("%d after %d: %v, want %v", c.sent, c.kept, got, c.want)
			}
			p.SignCount = max(c.kept, c.sent)
			got, err := db.PasskeyByCredential(t.Context(), p.CredentialID)
			if diff := cmp.Diff(p, got); diff != "" || err != nil {
				t.Errorf("%d after %d: %v, (-want +got):\n%s", c.sent, c.kept, err, diff)
			}
		}
	})
}

func TestACredentialHasOneOwner(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		bobs, other := newWorld(t, db), newWorld(t, db)
		copied := newPasskey(other.user)
		copied.CredentialID = bobs.passkey.CredentialID
		write := func(do func(ctx context.Context, tx *storage.Tx) error) error {
			return db.Update(t.Context(), func(tx *storage.Tx) error { return do(t.Context(), tx) })
		}
		err := write(func(ctx context.Context, tx *storage.Tx) error { return tx.InsertPasskey(ctx, copied) })
		if !errors.Is(err, storage.ErrTaken) {
			t.Errorf("InsertPasskey: %v, want %v", err, storage.ErrTaken)
		}
		for name, err := range map[string]error{
			"SavePasskeyName": write(func(ctx context.Context, tx *storage.Tx) error {
				return tx.SavePasskeyName(ctx, other.user.ID, bobs.passkey.CredentialID, "mine")
			}),
			"DeletePasskey": write(func(ctx context.Context, tx *storage.Tx) error {
				return tx.DeletePasskey(ctx, other.user.ID, bobs.passkey.CredentialID)
			}),
		} {
			if !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("%s of somebody else's: %v, want %v", name, err, storage.ErrNotFound)
			}
		}
		have, err := db.Passkeys(t.Context(), bobs.user.ID)
		if diff := cmp.Diff([]storage.Passkey{*bobs.passkey}, have); diff != "" || err != nil {
			t.Errorf("%v, (-want +got):\n%s", err, diff)
		}
	})
}

func TestACeremonyIsForItsHolderInItsTime(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		c := newWorld(t, db).ceremony
		for _, one := range []struct {
			what, hash, binding string
			now                 time.Time
			want                error
		}{
			{"another challenge", storage.Hash("x"), c.Binding, noon, storage.ErrNotFound},
			{"another holder", c.Hash, "other", noon, storage.ErrNotFound},
			{"at its end", c.Hash, c.Binding, c.ExpiresAt.Time, storage.ErrNotFound},
			{"before its end", c.Hash, c.Binding, c.ExpiresAt.Add(-time.Millisecond), nil},
			{"a second time", c.Hash, c.Binding, noon, storage.ErrNotFound},
		} {
			err := db.Update(t.Context(), func(tx *storage.Tx) error {
				return tx.TakeCeremony(t.Context(), one.hash, one.binding, one.now)
			})
			if !errors.Is(err, one.want) {
				t.Errorf("TakeCeremony, %s: %v, want %v", one.what, err, one.want)
			}
		}
	})
}

func TestACeremonyEndsWithThePendingSignIn(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		c := newCeremony(w.user)
		c.FirstFactor = storage.Ref(w.factor.Hash)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(tx.InsertCeremony(ctx, c), tx.TakeFirstFactor(ctx, w.factor.Hash))
		})
		if _, err := db.Ceremony(t.Context(), c.Hash); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("after its sign-in: %v, want %v", err, storage.ErrNotFound)
		}
	})
}
