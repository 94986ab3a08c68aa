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

func TestAPITokensAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		full, bare := newAPIToken(w.user, nil), newAPIToken(nil, w.org)
		full.Name, full.Scopes, full.LastUsedAt = odd, storage.Words{"a:read", "b:write"}, storage.At(noon)
		bare.ExpiresAt = storage.Time{}
		for _, token := range []*storage.APIToken{full, bare} {
			insert := func(ctx context.Context, tx *storage.Tx) error { return tx.InsertAPIToken(ctx, token) }
			byHash := func(ctx context.Context, r storage.Reader) (any, error) {
				return r.APITokenByHash(ctx, token.TokenHash)
			}
			trip{"APITokenByHash", token, insert, byHash}.check(t, db)
			byID, err := db.APIToken(t.Context(), token.ID)
			if diff := cmp.Diff(token, byID, asKept); diff != "" || err != nil {
				t.Errorf("APIToken: %v (-want +got):\n%s", err, diff)
			}
		}
		of := func(found []storage.APIToken, err error) (ids []string) {
			if err != nil {
				t.Error(err)
			}
			for _, token := range found {
				ids = append(ids, token.ID)
			}
			return ids
		}
		if diff := cmp.Diff([]string{w.token.ID, full.ID}, of(db.APITokensOfUser(t.Context(), w.user.ID))); diff != "" {
			t.Errorf("the user's (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{w.service.ID, bare.ID}, of(db.APITokensOfOrganization(t.Context(), w.org.ID))); diff != "" {
			t.Errorf("the organization's (-want +got):\n%s", diff)
		}
	})
}

func TestAnAPITokenHasOneOwner(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		both, none := newAPIToken(w.user, nil), newAPIToken(nil, w.org)
		both.OrganizationID, none.OrganizationID = storage.Ref(w.org.ID), ""
		for _, token := range []*storage.APIToken{both, none} {
			err := db.Update(t.Context(), func(tx *storage.Tx) error { return tx.InsertAPIToken(t.Context(), token) })
			if err == nil {
				t.Errorf("kept: of user %q and organization %q", token.UserID, token.OrganizationID)
			}
		}
	})
}

func TestAnAPITokenIsTouchedForwardOnly(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		for _, at := range []time.Time{noon, noon.Add(time.Minute), noon.Add(-time.Minute)} {
			update(t, db, func(ctx context.Context, tx *storage.Tx) error {
				return first(tx.TouchAPIToken(ctx, w.token.ID, at), tx.TouchAPIToken(ctx, "gone", at))
			})
		}
		got, err := db.APITokenByHash(t.Context(), w.token.TokenHash)
		if err != nil || !got.LastUsedAt.Equal(storage.At(noon.Add(time.Minute)).Time) {
			t.Errorf("last used at %v, %v", got.LastUsedAt, err)
		}
	})
}

func TestAServiceTokenOutlivesWhoeverMadeIt(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		eventually(t, 10*time.Second, "caching", db.IsCaching)
		w, ctx := newWorld(t, db), t.Context()
		for _, hash := range []string{w.token.TokenHash, w.service.TokenHash} {
			if _, err := db.APITokenByHash(ctx, hash); err != nil || !db.Holds(storage.APITokenKey+hash) {
				t.Fatalf("before: %v, want it cached", err)
			}
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.DeleteUser(ctx, w.user.ID) })
		if _, err := db.APITokenByHash(ctx, w.token.TokenHash); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a token of a user who is gone: %v, want ErrNotFound", err)
		}
		got, err := db.APITokenByHash(ctx, w.service.TokenHash)
		if err != nil || got.CreatedByID != "" {
			t.Errorf("the organization's: %+v, %v, want it made by nobody", got, err)
		}
	})
}
