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

func TestARegistrationTokenIsUsedAsOftenAsItSays(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, ctx := newWorld(t, db), t.Context()
		token := &storage.RegistrationToken{
			ID: storage.NewID(), Hash: "hash", OrganizationID: storage.Ref(w.org.ID), Profile: "legacy", UsesLeft: 2,
			CreatedAt: storage.At(noon), ExpiresAt: storage.At(noon.Add(time.Hour)),
		}
		bare := &storage.RegistrationToken{
			ID: storage.NewID(), Hash: "other", UsesLeft: 1, CreatedAt: storage.At(noon), ExpiresAt: storage.At(noon.Add(time.Hour)),
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(tx.InsertRegistrationToken(ctx, token), tx.InsertRegistrationToken(ctx, bare))
		})
		all, err := db.RegistrationTokens(ctx, "", 10)
		if diff := cmp.Diff([]storage.RegistrationToken{*token, *bare}, all); diff != "" || err != nil {
			t.Errorf("RegistrationTokens(), %v (-want +got):\n%s", err, diff)
		}
		if rest, err := db.RegistrationTokens(ctx, token.ID, 10); err != nil || len(rest) != 1 || rest[0].ID != bare.ID {
			t.Errorf("after the first: %+v, %v", rest, err)
		}
		use := func(hash string, at time.Time) (err error) {
			update(t, db, func(ctx context.Context, tx *storage.Tx) error {
				err = tx.UseRegistrationToken(ctx, hash, at)
				return nil
			})
			return err
		}
		for i, c := range []struct {
			hash string
			at   time.Time
			want error
		}{
			{"hash", noon.Add(time.Hour), storage.ErrNotFound},
			{"hash", noon, nil},
			{"nothing", noon, storage.ErrNotFound},
			{"hash", noon.Add(time.Hour - time.Millisecond), nil},
			{"hash", noon, storage.ErrNotFound},
		} {
			if err := use(c.hash, c.at); !errors.Is(err, c.want) {
				t.Errorf("use %d: %v, want %v", i, err, c.want)
			}
		}
		if found, err := db.RegistrationToken(ctx, "hash"); err != nil || found.UsesLeft != 0 {
			t.Errorf("RegistrationToken() = %+v, %v, want no uses left", found, err)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.DeleteRegistrationToken(ctx, token.ID) })
		if _, err := db.RegistrationToken(ctx, "hash"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("after its deletion: %v, want ErrNotFound", err)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			if err := tx.DeleteRegistrationToken(ctx, token.ID); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("a second deletion: %v, want ErrNotFound", err)
			}
			return nil
		})
	})
}

func TestClientsWhoseTimeIsOverAreFoundAndWhetherAnybodyUsesThem(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, ctx := newWorld(t, db), t.Context()
		late, early, kept := newClient(), newClient(), newClient()
		late.ExpiresAt, early.ExpiresAt = storage.At(noon.Add(2*time.Hour)), storage.At(noon.Add(time.Hour))
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(tx.InsertClient(ctx, late), tx.InsertClient(ctx, early), tx.InsertClient(ctx, kept),
				tx.SaveConsent(ctx, &storage.Consent{UserID: w.user.ID, ClientID: kept.ID, CreatedAt: storage.At(noon), UpdatedAt: storage.At(noon)}))
		})
		for at, want := range map[time.Duration]int{time.Hour: 0, time.Hour + time.Millisecond: 1, 3 * time.Hour: 2} {
			if found, err := db.ExpiredClients(ctx, noon.Add(at), 10); err != nil || len(found) != want {
				t.Errorf("after %v: %d clients, %v, want %d", at, len(found), err, want)
			}
		}
		if found, err := db.ExpiredClients(ctx, noon.Add(3*time.Hour), 1); err != nil || len(found) != 1 || found[0].ID != early.ID {
			t.Errorf("the first: %+v, %v", found, err)
		}
		for id, want := range map[string]bool{w.client.ID: true, kept.ID: true, early.ID: false} {
			if used, err := db.IsUsedClient(ctx, id); err != nil || used != want {
				t.Errorf("IsUsedClient(%s) = %v, %v, want %v", id, used, err, want)
			}
		}
	})
}
