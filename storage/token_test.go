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

func TestGrantsAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		full, bare := newGrant(w.user, w.client), newGrant(w.user, w.client)
		full.SessionID, full.Methods = storage.Ref(w.session.ID), storage.Words{"pwd", "hwk"}
		bare.Scopes = nil
		full.Details = storage.GrantDetails{ACR: "acr", Claims: `{"userinfo":{}}`, Resources: []string{odd}, JKT: "jkt", Actor: `{"sub":"a"}`}
		for _, g := range []*storage.Grant{full, bare} {
			read := func(ctx context.Context, r storage.Reader) (any, error) { return r.Grant(ctx, g.ID) }
			trip{"Grant", g, func(ctx context.Context, tx *storage.Tx) error {
				return tx.InsertGrant(ctx, g)
			}, read}.check(t, db)
			g.RevokedAt, g.RevokedReason = storage.At(noon.Add(time.Minute)), odd
			trip{"Grant, revoked", g, func(ctx context.Context, tx *storage.Tx) error {
				_, err := tx.RevokeGrant(ctx, g.ID, odd, noon.Add(time.Minute))
				return err
			}, read}.check(t, db)
		}
	})
}

func TestCodesAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		c := newCode(newWorld(t, db).grant)
		c.RedirectURI, c.CodeChallenge, c.Nonce = odd, "challenge", odd
		read := func(ctx context.Context, r storage.Reader) (any, error) { return r.Code(ctx, c.Hash) }
		trip{"Code", c, func(ctx context.Context, tx *storage.Tx) error {
			return tx.InsertCode(ctx, c)
		}, read}.check(t, db)
		c.UsedAt = storage.At(noon)
		trip{"Code, used", c, func(ctx context.Context, tx *storage.Tx) error {
			_, err := tx.UseCode(ctx, c.Hash, noon)
			return err
		}, read}.check(t, db)
	})
}

func TestRefreshTokensAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		r := newRefreshToken(newWorld(t, db).grant)
		read := func(ctx context.Context, from storage.Reader) (any, error) {
			return from.RefreshToken(ctx, r.Hash)
		}
		trip{"RefreshToken", r, func(ctx context.Context, tx *storage.Tx) error {
			return tx.InsertRefreshToken(ctx, r)
		}, read}.check(t, db)
		r.UsedAt = storage.At(noon)
		trip{"RefreshToken, used", r, func(ctx context.Context, tx *storage.Tx) error {
			_, err := tx.UseRefreshToken(ctx, r.Hash, noon)
			return err
		}, read}.check(t, db)
	})
}

func TestFlowsAndLinksAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		f, l := newFlow(), newLink()
		f.Request = `{"client":"` + odd + `"}`
		readFlow := func(ctx context.Context, r storage.Reader) (any, error) { return r.Flow(ctx, f.ID) }
		trip{"Flow", f, func(ctx context.Context, tx *storage.Tx) error {
			return tx.InsertFlow(ctx, f)
		}, readFlow}.check(t, db)
		trip{"Flow, saved", f, func(ctx context.Context, tx *storage.Tx) error {
			f.SessionID, f.ExpiresAt = storage.Ref(w.session.ID), storage.At(noon.Add(time.Minute))
			return tx.SaveFlow(ctx, f)
		}, readFlow}.check(t, db)

		l.Email, l.Data = "bob@example.com", []byte(odd)
		trip{"Link", l, func(ctx context.Context, tx *storage.Tx) error {
			return tx.InsertLink(ctx, l)
		}, func(ctx context.Context, r storage.Reader) (any, error) {
			return r.Link(ctx, storage.SetupLink, l.Hash)
		}}.check(t, db)
		if _, err := db.Link(t.Context(), "reset", l.Hash); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Link of another purpose: %v, want ErrNotFound", err)
		}
	})
}

func TestRevokedTokensAreKept(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		revoke := func(ctx context.Context, tx *storage.Tx) error { // the second time is no error
			return tx.InsertRevokedToken(ctx, &storage.RevokedToken{ID: "jti", ExpiresAt: storage.At(noon)})
		}
		read := func(ctx context.Context, r storage.Reader) (any, error) {
			return r.IsRevokedToken(ctx, "jti")
		}
		trip{"IsRevokedToken", true, revoke, read}.check(t, db)
		trip{"IsRevokedToken, again", true, revoke, read}.check(t, db)
		if is, err := db.IsRevokedToken(t.Context(), "another"); is || err != nil {
			t.Errorf("IsRevokedToken(another) = %v, %v, want false", is, err)
		}
	})
}

func TestKeysAreKeptWholeAndSealed(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		older, newer := newKey("RS256", storage.SigningKey), newKey("ES256", storage.RetiredKey)
		older.Private = []byte("\x00\xff binary")
		newer.CreatedAt = storage.At(noon.Add(time.Millisecond))
		newer.SignsAt, newer.EndsAt, newer.Longest = storage.At(noon), storage.At(noon.Add(time.Hour)), 3600
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(tx.InsertKey(ctx, newer), tx.InsertKey(ctx, older))
		})
		for range 2 { // from the database, then from the cache
			keys, err := db.Keys(t.Context())
			if diff := cmp.Diff([]storage.Key{*older, *newer}, keys, asKept); diff != "" || err != nil {
				t.Errorf("Keys(): %v (-want +got):\n%s", err, diff)
			}
		}
		for _, cell := range texts(t, db, "SELECT private FROM keys") {
			if cell == string(older.Private) || cell == string(newer.Private) || len(cell) < 40 {
				t.Errorf("a private key is kept as %q, which is not sealed", cell)
			}
		}
	})
}

func TestASealedKeyMovedToAnotherRowDoesNotOpen(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		one, two := newKey("RS256", storage.SigningKey), newKey("ES256", storage.SigningKey)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(tx.InsertKey(ctx, one), tx.InsertKey(ctx, two))
		})
		execute(t, db, "UPDATE keys SET private = (SELECT k.private FROM keys k WHERE k.id <> keys.id)")
		if keys, err := db.Keys(t.Context()); err == nil {
			t.Errorf("Keys() = %v after two private keys changed places, want an error", keys)
		}
	})
}

func TestEventsAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		full, bare := newEvent(), newEvent()
		full.At = storage.At(noon.Add(time.Millisecond))
		full.Reason, full.ActorKind, full.ActorID, full.TargetKind = odd, "user", "a", "client"
		full.TargetID, full.OrganizationID, full.IPAddress, full.UserAgent = "t", "o", "::1", odd
		full.RequestID, full.SessionID, full.Details = "r", "s", `{"a":"`+odd+`"}`
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(tx.InsertEvent(ctx, full), tx.InsertEvent(ctx, bare))
		})
		for limit, want := range [][]storage.Event{1: {*full}, 2: {*full, *bare}, 3: {*full, *bare}} {
			if limit == 0 {
				continue
			}
			got, err := db.Events(t.Context(), limit)
			if diff := cmp.Diff(want, got, asKept); diff != "" || err != nil {
				t.Errorf("Events(%d): %v (-want +got):\n%s", limit, err, diff)
			}
		}
	})
}

func TestATextWithNULIsRefused(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		u := newUser()
		u.FullName = "a\x00b"
		if err := db.Update(t.Context(), func(tx *storage.Tx) error {
			return tx.InsertUser(t.Context(), u)
		}); err == nil {
			t.Error("a name with NUL was taken")
		}
		if _, err := db.UserByEmail(t.Context(), "a\x00b"); err == nil || errors.Is(err, storage.ErrNotFound) {
			t.Errorf("UserByEmail with NUL: %v, want a refusal", err)
		}
	})
}

func TestAnIllegibleHeaderDoesNotStopAnEvent(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for _, c := range []struct{ sent, want string }{
			{"a\x00b", "a\uFFFDb"}, {"a\xff\xfeb", "a\uFFFDb"}, {odd, odd},
		} {
			e := newEvent()
			e.UserAgent = c.sent
			update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertEvent(ctx, e) })
			events, err := db.Events(t.Context(), 1)
			if err != nil || events[0].UserAgent != c.want {
				t.Errorf("an event from %q has %q, %v, want %q", c.sent, events[0].UserAgent, err, c.want)
			}
		}
	})
}

// A key goes from phase to phase, each once, in their order.
func TestAKeyChangesItsPhaseOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		k := newKey("ES256", storage.PublishedKey)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertKey(ctx, k) })
		use := func(ctx context.Context, tx *storage.Tx) (bool, error) { return tx.UseKey(ctx, k.ID, noon) }
		retire := func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return tx.RetireKey(ctx, k.ID, noon, noon.Add(time.Hour))
		}
		remove := func(ctx context.Context, tx *storage.Tx) (bool, error) { return tx.DeleteKey(ctx, k.ID) }
		for i, c := range []struct {
			do   func(ctx context.Context, tx *storage.Tx) (bool, error)
			want bool
		}{
			{retire, false},
			{use, true},
			{use, false},
			{remove, false},
			{retire, true},
			{retire, false},
			{use, false},
			{remove, true},
			{remove, false},
		} {
			update(t, db, func(ctx context.Context, tx *storage.Tx) error {
				got, err := c.do(ctx, tx)
				if got != c.want {
					t.Errorf("change %d: %v, want %v", i, got, c.want)
				}
				return err
			})
		}
	})
}

func TestTheLongestTokenIsThatOfAnyClient(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for i, c := range []struct{ access, id, want storage.Seconds }{{5, 4, 5}, {1, 9, 9}, {3, 3, 9}, {12, 1, 12}} {
			client := newClient()
			client.AccessTokenLifetime, client.IDTokenLifetime, client.RefreshTokenLifetime = c.access, c.id, 1000
			if i == 0 {
				if got, err := db.LongestToken(t.Context()); got != 0 || err != nil {
					t.Errorf("LongestToken() = %d, %v without clients, want 0", got, err)
				}
			}
			update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertClient(ctx, client) })
			if got, err := db.LongestToken(t.Context()); got != c.want || err != nil {
				t.Errorf("LongestToken() = %d, %v, want %d", got, err, c.want)
			}
		}
	})
}
