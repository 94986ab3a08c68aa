package storage_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

func newAccessToken(grant *storage.Grant, client *storage.Client) *storage.AccessToken {
	t := &storage.AccessToken{
		Hash: storage.Hash(storage.NewID()), Scopes: storage.Words{"openid", "email"},
		CreatedAt: storage.At(noon), ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
	if grant != nil {
		t.GrantID = storage.Ref(grant.ID)
	} else {
		t.ClientID = storage.Ref(client.ID)
	}
	return t
}

func TestAccessTokensAreKeptWholeUntilTheyEnd(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx, w := t.Context(), newWorld(t, db)
		own, of := newAccessToken(nil, w.client), newAccessToken(w.grant, nil)
		of.Audience, of.JKT, of.Actor = storage.Words{"https://a.example", "urn:b"}, "thumbprint", `{"sub":"x"}`
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(tx.InsertAccessToken(ctx, own), tx.InsertAccessToken(ctx, of))
		})
		for _, want := range []*storage.AccessToken{own, of} {
			got, err := db.AccessToken(ctx, want.Hash)
			if diff := cmp.Diff(want, got, asKept); err != nil || diff != "" {
				t.Errorf("AccessToken() %v (-want +got):\n%s", err, diff)
			}
		}
		err := db.Update(ctx, func(tx *storage.Tx) error { return tx.InsertAccessToken(ctx, own) })
		if !errors.Is(err, storage.ErrTaken) {
			t.Errorf("the same token again: %v, want ErrTaken", err)
		}
		for _, want := range []bool{true, false} {
			update(t, db, func(ctx context.Context, tx *storage.Tx) error {
				ended, err := tx.EndAccessToken(ctx, own.Hash, noon)
				if ended != want {
					t.Errorf("EndAccessToken() = %v, want %v", ended, want)
				}
				return err
			})
			if _, err := db.AccessToken(ctx, own.Hash); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("an ended token: %v, want ErrNotFound", err)
			}
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			ended, err := tx.EndAccessToken(ctx, of.Hash, noon.Add(2*time.Hour))
			if ended {
				t.Error("a token that had expired was good until now")
			}
			return err
		})
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.DeleteClient(ctx, w.client) })
		if n := count(t, db, "access_tokens"); n != "0" {
			t.Errorf("%s access tokens outlive their client", n)
		}
	})
}

// mostBytes is what a token may take with its place in every index.
const mostBytes = 600

func TestATokenTakesFewBytes(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		const tokens = 4000
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			for i := range tokens {
				grant := newGrant(w.user, w.client)
				if i%10 > 0 { // a chain of ten
					grant = w.grant
				} else if err := tx.InsertGrant(ctx, grant); err != nil {
					return err
				}
				w.grant = grant
				access, refresh := newAccessToken(grant, nil), newRefreshToken(grant)
				if err := first(tx.InsertAccessToken(ctx, access), tx.InsertRefreshToken(ctx, refresh)); err != nil {
					return err
				}
			}
			return nil
		})
		for _, table := range []string{"access_tokens", "refresh_tokens"} {
			sum := "SELECT SUM(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name = '" + table + "')"
			if strings.HasSuffix(t.Name(), "/postgres") {
				sum = "SELECT pg_total_relation_size('" + table + "')"
			}
			bytes, err := strconv.Atoi(texts(t, db, sum)[0])
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("a row of %s takes %d bytes", table, bytes/tokens)
			if bytes/tokens > mostBytes {
				t.Errorf("a row of %s takes %d bytes, want %d at most", table, bytes/tokens, mostBytes)
			}
		}
	})
}
