package storage_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// change is a write and the cached lookup that it must reach.
type change struct {
	what string
	keys []string // of the cached records
	read func(db *storage.DB) (any, error)
	do   func(tx *storage.Tx) error
	want any
}

// changes lists every write that changes a cached record of w.
func changes(ctx context.Context, w *world) []change {
	fullName := func(db *storage.DB) (any, error) {
		u, err := db.User(ctx, w.user.ID)
		if err != nil {
			return nil, err
		}
		return u.FullName, nil
	}
	reasons := func(db *storage.DB) (any, error) {
		byID, err := db.Session(ctx, w.session.ID)
		if err != nil {
			return nil, err
		}
		byToken, err := db.SessionByToken(ctx, w.session.TokenHash)
		if err != nil {
			return nil, err
		}
		return byID.RevokedReason + ", " + byToken.RevokedReason, nil
	}
	grantReason := func(db *storage.DB) (any, error) {
		g, err := db.Grant(ctx, w.grant.ID)
		if err != nil {
			return nil, err
		}
		return g.RevokedReason, nil
	}
	memberships := func(db *storage.DB) (any, error) {
		m, err := db.Memberships(ctx, w.user.ID)
		return len(m), err
	}
	userKey, byID := storage.UserKey+w.user.ID, storage.SessionKey+w.session.ID
	byToken, grantKey := storage.TokenKey+w.session.TokenHash, storage.GrantKey+w.grant.ID
	memberKey := storage.MemberKey + w.user.ID
	return append(credentialChanges(ctx, w), []change{
		{"SaveUser", []string{userKey}, fullName, func(tx *storage.Tx) error {
			u := *w.user
			u.FullName = "Saved"
			return tx.SaveUser(ctx, &u)
		}, "Saved"},
		{"SaveSession", []string{byID, byToken}, reasons, func(tx *storage.Tx) error {
			s := *w.session
			s.RevokedReason = "saved"
			return tx.SaveSession(ctx, &s)
		}, "saved, saved"},
		{"RevokeSessions", []string{byID, byToken}, reasons, func(tx *storage.Tx) error {
			_, err := tx.RevokeSessions(ctx, w.user.ID, "", "all", noon)
			return err
		}, "all, all"},
		{"RevokeGrant", []string{grantKey}, grantReason, func(tx *storage.Tx) error {
			_, err := tx.RevokeGrant(ctx, w.grant.ID, "gone", noon)
			return err
		}, "gone"},
		{
			"SaveClient",
			[]string{storage.ClientKey + w.client.ClientID, storage.ClientRowKey + w.client.ID},
			func(db *storage.DB) (any, error) {
				byName, err := db.Client(ctx, w.client.ClientID)
				if err != nil {
					return nil, err
				}
				byRow, err := db.ClientByRow(ctx, w.client.ID)
				if err != nil {
					return nil, err
				}
				return byName.Name + ", " + byRow.Name, nil
			}, func(tx *storage.Tx) error {
				c := *w.client
				c.Name = "Saved"
				return tx.SaveClient(ctx, &c)
			}, "Saved, Saved",
		},
		{"InsertMember", []string{memberKey}, memberships, func(tx *storage.Tx) error {
			org := newOrg()
			return first(tx.InsertOrganization(ctx, org), tx.InsertMember(ctx, newMember(org, w.user)))
		}, 2},
		{"SaveMember", []string{memberKey}, func(db *storage.DB) (any, error) {
			m, err := db.Memberships(ctx, w.user.ID)
			if err != nil || len(m) == 0 {
				return nil, err
			}
			return m[0].Role, nil
		}, func(tx *storage.Tx) error {
			m := *w.member
			m.Role = storage.RoleGuest
			return tx.SaveMember(ctx, &m)
		}, storage.RoleGuest},
		{"DeleteMember", []string{memberKey}, memberships, func(tx *storage.Tx) error {
			return tx.DeleteMember(ctx, w.org.ID, w.user.ID)
		}, 1},
		{"SaveOrganization", []string{storage.OrgKey + w.org.ID}, func(db *storage.DB) (any, error) {
			o, err := db.Organization(ctx, w.org.ID)
			if err != nil {
				return nil, err
			}
			return o.Name, nil
		}, func(tx *storage.Tx) error {
			o := *w.org
			o.Name = "Saved"
			return tx.SaveOrganization(ctx, &o)
		}, "Saved"},
		{"InsertRevokedToken", []string{storage.RevokedKey + "jti"}, func(db *storage.DB) (any, error) {
			return db.IsRevokedToken(ctx, "jti")
		}, func(tx *storage.Tx) error {
			return tx.InsertRevokedToken(ctx, &storage.RevokedToken{ID: "jti", ExpiresAt: storage.At(noon)})
		}, true},
		{"InsertKey", []string{storage.KeysKey}, func(db *storage.DB) (any, error) {
			keys, err := db.Keys(ctx)
			return len(keys), err
		}, func(tx *storage.Tx) error { return tx.InsertKey(ctx, newKey("RS256", storage.SigningKey)) }, 1},
		userDeleted(ctx, w, userKey, byID, byToken, grantKey, memberKey),
	}...)
}

// keyChanges are those of a key, from phase to phase.
func keyChanges(ctx context.Context, k *storage.Key) []change {
	state := func(db *storage.DB) (any, error) {
		keys, err := db.Keys(ctx)
		if err != nil || len(keys) == 0 {
			return "gone", err
		}
		return fmt.Sprint(keys[0].State, keys[0].Longest), nil
	}
	did := func(did bool, err error) error {
		if err == nil && !did {
			return errors.New("nothing was changed")
		}
		return err
	}
	at := []string{storage.KeysKey}
	return []change{
		{"UseKey", at, state, func(tx *storage.Tx) error { return did(tx.UseKey(ctx, k.ID, noon)) }, "signing0"},
		{"StretchKey", at, state, func(tx *storage.Tx) error { return tx.StretchKey(ctx, k.ID, 7) }, "signing7"},
		{"RetireKey", at, state, func(tx *storage.Tx) error { return did(tx.RetireKey(ctx, k.ID, noon, noon)) }, "retired7"},
		{"DeleteKey", at, state, func(tx *storage.Tx) error { return did(tx.DeleteKey(ctx, k.ID)) }, "gone"},
	}
}

func TestEveryPhaseOfAKeyReachesTheCache(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		k := newKey("RS256", storage.PublishedKey)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertKey(ctx, k) })
		for _, c := range keyChanges(t.Context(), k) {
			if _, err := c.read(db); err != nil {
				t.Fatal(err)
			}
			update(t, db, func(_ context.Context, tx *storage.Tx) error { return c.do(tx) })
			if got, err := c.read(db); got != c.want || err != nil {
				t.Errorf("after %s: %v, %v, want %v", c.what, got, err, c.want)
			}
		}
	})
}

// credentialChanges are those of passwords and API tokens.
func credentialChanges(ctx context.Context, w *world) []change {
	return []change{
		{"SavePassword", []string{storage.PasswordKey + w.user.ID}, func(db *storage.DB) (any, error) {
			at, err := db.PasswordChangedAt(ctx, w.user.ID)
			return at.UnixMilli() == noon.UnixMilli(), err
		}, func(tx *storage.Tx) error {
			p := &storage.Password{UserID: w.user.ID, Hash: "hash", ChangedAt: storage.At(noon.Add(time.Second))}
			return tx.SavePassword(ctx, p)
		}, false},
		{"TouchAPIToken", []string{storage.APITokenKey + w.token.TokenHash}, func(db *storage.DB) (any, error) {
			t, err := db.APITokenByHash(ctx, w.token.TokenHash)
			return err == nil && !t.LastUsedAt.IsZero(), err
		}, func(tx *storage.Tx) error { return tx.TouchAPIToken(ctx, w.token.ID, noon) }, true},
		{"DeleteAPIToken", []string{storage.APITokenKey + w.token.TokenHash}, func(db *storage.DB) (any, error) {
			_, err := db.APITokenByHash(ctx, w.token.TokenHash)
			return errors.Is(err, storage.ErrNotFound), nil
		}, func(tx *storage.Tx) error { return tx.DeleteAPIToken(ctx, w.token) }, true},
	}
}

// userDeleted is the change that takes the most with it.
func userDeleted(ctx context.Context, w *world, keys ...string) change {
	return change{"DeleteUser", keys, func(db *storage.DB) (any, error) {
		_, user := db.User(ctx, w.user.ID)
		_, session := db.Session(ctx, w.session.ID)
		_, token := db.SessionByToken(ctx, w.session.TokenHash)
		_, grant := db.Grant(ctx, w.grant.ID)
		members, err := db.Memberships(ctx, w.user.ID)
		gone := err == nil && len(members) == 0
		for _, err := range []error{user, session, token, grant} {
			gone = gone && errors.Is(err, storage.ErrNotFound)
		}
		return gone, err
	}, func(tx *storage.Tx) error { return tx.DeleteUser(ctx, w.user.ID) }, true}
}

func TestADeletedOrganizationIsServedFromNoCache(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		eventually(t, 10*time.Second, "caching", db.IsCaching)
		w, ctx := newWorld(t, db), t.Context()
		read := func() []error {
			_, org := db.Organization(ctx, w.org.ID)
			_, client := db.Client(ctx, w.client.ClientID)
			_, row := db.ClientByRow(ctx, w.client.ID)
			_, grant := db.Grant(ctx, w.grant.ID)
			_, token := db.APITokenByHash(ctx, w.service.TokenHash)
			return []error{org, client, row, grant, token}
		}
		if members, err := db.Memberships(ctx, w.user.ID); first(read()...) != nil || len(members) != 1 {
			t.Fatalf("before: %v, %v, %v", read(), members, err)
		}
		for _, key := range []string{
			storage.OrgKey + w.org.ID, storage.ClientKey + w.client.ClientID, storage.ClientRowKey + w.client.ID,
			storage.GrantKey + w.grant.ID, storage.MemberKey + w.user.ID, storage.APITokenKey + w.service.TokenHash,
		} {
			if !db.Holds(key) {
				t.Errorf("%s is not cached, so the test proves nothing", key)
			}
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.DeleteOrganization(ctx, w.org.ID) })
		for i, err := range read() {
			if !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("lookup %d: %v, want ErrNotFound", i, err)
			}
		}
		if members, err := db.Memberships(ctx, w.user.ID); err != nil || len(members) != 0 {
			t.Errorf("the user is still a member: %v, %v", members, err)
		}
		for _, table := range []string{"members", "clients", "grants", "codes", "refresh_tokens", "consents"} {
			if n := count(t, db, table); n != "0" {
				t.Errorf("%s %s are left", n, table)
			}
		}
		err := db.Update(ctx, func(tx *storage.Tx) error { return tx.DeleteOrganization(ctx, w.org.ID) })
		if !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("again: %v, want ErrNotFound", err)
		}
	})
}

func TestAChangeIsSeenAtOnceByCachedLookups(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		eventually(t, 10*time.Second, "caching", db.IsCaching)
		for _, c := range changes(t.Context(), newWorld(t, db)) {
			before, err := c.read(db)
			if err != nil || before == c.want {
				t.Fatalf("%s: before = %v, %v", c.what, before, err)
			}
			for _, key := range c.keys {
				if !db.Holds(key) {
					t.Errorf("%s: %s is not cached, so the test proves nothing", c.what, key)
				}
			}
			update(t, db, func(_ context.Context, tx *storage.Tx) error { return c.do(tx) })
			if after, err := c.read(db); after != c.want || err != nil {
				t.Errorf("%s: afterwards %v, %v, want %v", c.what, after, err, c.want)
			}
		}
	})
}

func TestAChangeElsewhereIsSeenSoon(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			here, there := pair(t, engine)
			for _, c := range changes(t.Context(), newWorld(t, here)) {
				if before, err := c.read(here); err != nil || before == c.want {
					t.Fatalf("%s: before = %v, %v", c.what, before, err)
				}
				update(t, there, func(_ context.Context, tx *storage.Tx) error { return c.do(tx) })
				eventually(t, time.Second, c.what, func() bool {
					after, err := c.read(here)
					return after == c.want && err == nil
				})
			}
		})
	}
}

func TestAChangeOfVeryManyRecordsIsSeenElsewhere(t *testing.T) {
	t.Parallel()
	here, there := pair(t, "postgres")
	w := newWorld(t, here)
	var sessions []*storage.Session
	update(t, here, func(ctx context.Context, tx *storage.Tx) error {
		for range 300 { // more than one notification can name
			s := newSession(w.user)
			sessions = append(sessions, s)
			if err := tx.InsertSession(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
	for _, s := range sessions {
		if _, err := here.Session(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
	}
	update(t, there, func(ctx context.Context, tx *storage.Tx) error {
		_, err := tx.RevokeSessions(ctx, w.user.ID, "", "all", noon)
		return err
	})
	for _, s := range sessions {
		eventually(t, time.Second, "revocation", func() bool {
			got, err := here.Session(t.Context(), s.ID)
			return err == nil && got.RevokedReason == "all"
		})
	}
}

func TestAnOldRecordIsNeverServedAfterItsChange(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		const writes, readers = 300, 4
		u := newUser()
		u.FullName = "0"
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertUser(ctx, u) })
		var acknowledged, reads atomic.Int64
		parallel(readers+1, func(i int) {
			if i == 0 {
				defer acknowledged.Store(writes) // so that readers end where the writer failed
				for n := range int64(writes) {
					next := *u
					next.FullName = fmt.Sprint(n + 1)
					update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.SaveUser(ctx, &next) })
					acknowledged.Store(n + 1)
				}
				return
			}
			for acknowledged.Load() < writes {
				least, got := acknowledged.Load(), int64(-1)
				read, err := db.User(t.Context(), u.ID)
				if err == nil {
					_, err = fmt.Sscan(read.FullName, &got)
				}
				if err != nil || got < least {
					t.Errorf("read %d, %v after %d was acknowledged", got, err, least)
					return
				}
				reads.Add(1)
				runtime.Gosched()
			}
		})
		if reads.Load() < writes {
			t.Errorf("only %d reads beside %d writes", reads.Load(), writes)
		}
	})
}

func TestARolledBackChangeLeavesTheOldRecord(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		_ = db.Update(t.Context(), func(tx *storage.Tx) error { // it fails on purpose
			u := *w.user
			u.FullName = "Never"
			if err := tx.SaveUser(t.Context(), &u); err != nil {
				t.Error(err)
			}
			if _, err := db.User(t.Context(), u.ID); err != nil { // cached meanwhile
				t.Error(err)
			}
			return errOurs
		})
		if u, err := db.User(t.Context(), w.user.ID); err != nil || u.FullName != w.user.FullName {
			t.Errorf("User() = %v, %v, want the one before", u, err)
		}
	})
}

func TestAClientIsNotFoundByTheIDOfItsRow(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		eventually(t, 10*time.Second, "caching", db.IsCaching)
		c := newWorld(t, db).client
		if _, err := db.ClientByRow(t.Context(), c.ID); err != nil || !db.Holds(storage.ClientRowKey+c.ID) {
			t.Fatalf("ClientByRow() = %v, want it cached", err)
		}
		if got, err := db.Client(t.Context(), c.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Client(%s) = %v, %v, want ErrNotFound", c.ID, got, err)
		}
		if _, err := db.Client(t.Context(), c.ClientID); err != nil || !db.Holds(storage.ClientKey+c.ClientID) {
			t.Errorf("Client() = %v, want it cached", err)
		}
	})
}

func TestADeletedClientIsForgottenWithItsGrants(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		eventually(t, 10*time.Second, "caching", db.IsCaching)
		w, ctx := newWorld(t, db), t.Context()
		read := func() []error {
			_, byName := db.Client(ctx, w.client.ClientID)
			_, byRow := db.ClientByRow(ctx, w.client.ID)
			_, grant := db.Grant(ctx, w.grant.ID)
			return []error{byName, byRow, grant}
		}
		if err := errors.Join(read()...); err != nil || !db.Holds(storage.GrantKey+w.grant.ID) {
			t.Fatalf("before: %v, want all cached", err)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.DeleteClient(ctx, w.client) })
		for i, err := range read() {
			if !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("lookup %d afterwards: %v, want ErrNotFound", i, err)
			}
		}
	})
}

func TestWhatIsNotThereIsNotRemembered(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := newOrg()
		if _, err := db.Organization(t.Context(), o.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Fatal(err)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertOrganization(ctx, o) })
		if _, err := db.Organization(t.Context(), o.ID); err != nil {
			t.Errorf("Organization() = %v right after it was made", err)
		}
		if db.IsCaching() && !db.Holds(storage.OrgKey+o.ID) {
			t.Error("an organization is not cached")
		}
	})
}
