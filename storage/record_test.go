package storage_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"authy/storage"
	"authy/storage/storagetest"
)

// asKept compares records; times must be the same instant, in whole milliseconds, and in UTC.
var asKept = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b storage.Time) bool {
		return a.Equal(b.Time) && (a.IsZero() || a.Location() == b.Location())
	}),
}

// trip writes a record and reads it back.
type trip struct {
	name  string
	want  any
	write func(ctx context.Context, tx *storage.Tx) error
	read  func(ctx context.Context, r storage.Reader) (any, error)
}

// check writes in one transaction, and reads there, afterwards, and from the cache.
func (c trip) check(t *testing.T, db *storage.DB) {
	t.Helper()
	update(t, db, func(ctx context.Context, tx *storage.Tx) error {
		if err := c.write(ctx, tx); err != nil {
			return err
		}
		c.compare(t, "in the transaction", tx.Reader)
		return nil
	})
	c.compare(t, "afterwards", db.Reader)
	c.compare(t, "a second time", db.Reader)
	db.Forget()
	c.compare(t, "anew", db.Reader)
}

func (c trip) compare(t *testing.T, when string, r storage.Reader) {
	t.Helper()
	got, err := c.read(t.Context(), r)
	if err != nil {
		t.Errorf("%s, read %s: %v", c.name, when, err)
		return
	}
	if diff := cmp.Diff(c.want, got, asKept); diff != "" {
		t.Errorf("%s, read %s (-want +got):\n%s", c.name, when, diff)
	}
}

func TestUsersAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		full, bare := newUser(), newUser()
		full.FullName, full.AvatarURL, full.LastLoginIP = odd, "https://x.example/a?b=c&d", "2001:db8::1"
		full.EmailVerifiedAt, full.LastLoginAt = storage.At(noon), storage.At(noon.Add(time.Millisecond))
		full.SignedOutAt, full.IsAdmin = storage.At(time.Unix(0, 0)), true
		full.Profile = storage.Profile{
			GivenName: odd, FamilyName: "Builder", Nickname: "bob", PreferredUsername: "b.builder", Website: "https://bob.example.com/",
			Gender: "male", Birthdate: "1980-02-29", PhoneNumber: "+4930123456", Locale: "de-CH", Zoneinfo: "Europe/Zurich",
			MiddleName: odd, ProfileURL: "https://bob.example.com/me",
			Address: storage.Address{StreetAddress: odd, Locality: "Zürich", Region: "ZH", PostalCode: "8001", Country: "Schweiz"},
		}
		for _, u := range []*storage.User{full, bare} {
			insert := func(ctx context.Context, tx *storage.Tx) error { return tx.InsertUser(ctx, u) }
			save := func(ctx context.Context, tx *storage.Tx) error {
				u.Status, u.FullName = storage.Suspended, u.FullName+" again"
				u.EmailVerifiedAt, u.LastLoginAt = u.LastLoginAt, u.EmailVerifiedAt
				return tx.SaveUser(ctx, u)
			}
			byID := func(ctx context.Context, r storage.Reader) (any, error) { return r.User(ctx, u.ID) }
			byEmail := func(ctx context.Context, r storage.Reader) (any, error) {
				return r.UserByEmail(ctx, u.Email)
			}
			trip{"User", u, insert, byID}.check(t, db)
			trip{"UserByEmail, saved", u, save, byEmail}.check(t, db)
			trip{"User, saved", u, save, byID}.check(t, db)
		}
	})
}

func TestUsersArePagedByAddress(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			for _, email := range []string{"d@x.org", "a@x.org", "c@x.org", "b@x.org"} {
				u := newUser()
				u.Email = email
				if err := tx.InsertUser(ctx, u); err != nil {
					return err
				}
			}
			return nil
		})
		for _, c := range []struct {
			after string
			want  string
		}{{"", "a@x.org b@x.org"}, {"b@x.org", "c@x.org d@x.org"}, {"c@x.org", "d@x.org"}, {"d@x.org", ""}} {
			users, err := db.Users(t.Context(), storage.UserFilter{}, c.after, 2)
			if err != nil {
				t.Fatal(err)
			}
			var emails []string
			for _, u := range users {
				emails = append(emails, u.Email)
			}
			if got := strings.Join(emails, " "); got != c.want {
				t.Errorf("Users(%q, 2) = %q, want %q", c.after, got, c.want)
			}
		}
	})
}

func TestOnlyActiveAdministratorsCount(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		if has, err := db.HasAdmin(t.Context()); has || err != nil {
			t.Errorf("HasAdmin() = %v, %v, want false", has, err)
		}
		admin, suspended, plain := newUser(), newUser(), newUser()
		admin.IsAdmin, suspended.IsAdmin, suspended.Status = true, true, storage.Suspended
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(tx.InsertUser(ctx, admin), tx.InsertUser(ctx, suspended), tx.InsertUser(ctx, plain))
		})
		if n, err := db.CountAdmins(t.Context()); n != 1 || err != nil {
			t.Errorf("CountAdmins() = %d, %v, want 1", n, err)
		}
		if has, err := db.HasAdmin(t.Context()); !has || err != nil {
			t.Errorf("HasAdmin() = %v, %v, want true", has, err)
		}
	})
}

func TestPasswordsAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		p := &storage.Password{UserID: newWorld(t, db).user.ID}
		for _, hash := range []string{"$2a$12$abc", odd} { // the world has one: both replace
			p.Hash, p.ChangedAt = hash, storage.At(p.ChangedAt.Add(time.Hour))
			trip{
				"Password", p,
				func(ctx context.Context, tx *storage.Tx) error { return tx.SavePassword(ctx, p) },
				func(ctx context.Context, r storage.Reader) (any, error) { return r.Password(ctx, p.UserID) },
			}.check(t, db)
		}
	})
}

func TestOrganizationsAndMembersAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		o := newOrg()
		o.Name, o.Description, o.LogoURL = odd, odd+odd, "https://x.example/logo.svg"
		insertOrg := func(ctx context.Context, tx *storage.Tx) error { return tx.InsertOrganization(ctx, o) }
		trip{"Organization", o, insertOrg, func(ctx context.Context, r storage.Reader) (any, error) {
			return r.Organization(ctx, o.ID)
		}}.check(t, db)
		o = newOrg()
		o.IsActive = false
		trip{"OrganizationBySlug", o, insertOrg, func(ctx context.Context, r storage.Reader) (any, error) {
			return r.OrganizationBySlug(ctx, o.Slug)
		}}.check(t, db)

		m := newMember(o, w.user)
		m.Role, m.InvitedByID, m.CreatedAt = storage.RoleOwner, storage.Ref(w.user.ID), storage.At(noon.Add(1e9))
		m.InvitedAt, m.JoinedAt = storage.At(noon), storage.At(noon.Add(time.Second))
		insertMember := func(ctx context.Context, tx *storage.Tx) error { return tx.InsertMember(ctx, m) }
		trip{"Member", m, insertMember, func(ctx context.Context, r storage.Reader) (any, error) {
			return r.Member(ctx, m.OrganizationID, m.UserID)
		}}.check(t, db)
		nothing := func(context.Context, *storage.Tx) error { return nil }
		trip{
			"Memberships",
			[]storage.Member{*w.member, *m},
			nothing,
			func(ctx context.Context, r storage.Reader) (any, error) { return r.Memberships(ctx, w.user.ID) },
		}.check(t, db)
	})
}

func TestTheSecretOfAClientIsSealed(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		c := newClient()
		c.Secret = []byte("the secret itself")
		err := db.Update(t.Context(), func(tx *storage.Tx) error { return tx.InsertClient(t.Context(), c) })
		if err != nil {
			t.Fatal(err)
		}
		got, err := db.Client(t.Context(), c.ClientID)
		if err != nil || string(got.Secret) != "the secret itself" {
			t.Errorf("Client() has the secret %q: %v", got.Secret, err)
		}
		kept := got.SealedSecret
		if !strings.HasPrefix(kept, "v1.") || strings.Contains(kept, "secret itself") {
			t.Errorf("the row holds %q, want it sealed", kept)
		}
	})
}

func TestClientsAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		full, bare := newClient(), newClient()
		full.OrganizationID, full.Name, full.SecretHash, full.AuthMethod = storage.Ref(w.org.ID), odd, "hash", "none"
		full.RequirePKCE, full.SkipConsent = true, true
		full.OldSecretHash, full.OldSecretExpiresAt = "old hash", storage.At(noon)
		full.Allowed = storage.Words{"role:owner", "role:admin"}
		full.RedirectURIs = storage.Words{"https://a.example/cb?x='y'", "com.example:/cb"}
		full.PostLogoutRedirectURIs = storage.Words{"https://a.example/bye"}
		full.GrantTypes, full.ResponseTypes = storage.Words{"authorization_code", "implicit"}, storage.Phrases{"code", "id_token token"}
		full.Scopes, full.IDTokenAlg = storage.Words{"openid", "email", "päge"}, "ES256"
		full.AccessTokenLifetime, full.RefreshTokenLifetime, full.IDTokenLifetime = 900, 1<<40, 60
		full.LogoURI, full.ClientURI, full.PolicyURI, full.TOSURI = "l", "c", "p", "t"
		never := storage.Seconds(0)
		full.RegistrationHash = "registration"
		full.Options = storage.ClientOptions{Profile: "legacy", DefaultMaxAge: &never, Contacts: []string{odd}}
		bare.IsActive = false
		for _, c := range []*storage.Client{full, bare} {
			trip{
				"Client", c,
				func(ctx context.Context, tx *storage.Tx) error { return tx.InsertClient(ctx, c) },
				func(ctx context.Context, r storage.Reader) (any, error) { return r.Client(ctx, c.ClientID) },
			}.check(t, db)
			trip{
				"ClientByRow", c,
				func(context.Context, *storage.Tx) error { return nil },
				func(ctx context.Context, r storage.Reader) (any, error) { return r.ClientByRow(ctx, c.ID) },
			}.check(t, db)
		}
		all, err := db.Clients(t.Context(), "", "", 10) // each database has an order of its own
		byClientID := cmpopts.SortSlices(func(a, b storage.Client) bool { return a.ClientID < b.ClientID })
		if diff := cmp.Diff([]storage.Client{*bare, *w.client, *full}, all, asKept, byClientID); diff != "" || err != nil {
			t.Fatalf("Clients(): %v (-want +got):\n%s", err, diff)
		}
		ofOrg := slices.DeleteFunc(slices.Clone(all), func(c storage.Client) bool { return c.ID == bare.ID })
		for _, c := range []struct {
			org, after string
			limit      int
			want       []storage.Client
		}{
			{"", "", 10, all},
			{"", "", 2, all[:2]},
			{"", all[1].ClientID, 10, all[2:]},
			{w.org.ID, "", 10, ofOrg},
			{w.org.ID, ofOrg[0].ClientID, 10, ofOrg[1:]},
			{w.org.ID, ofOrg[1].ClientID, 10, nil},
			{storage.NewID(), "", 10, nil},
		} {
			clients, err := db.Clients(t.Context(), c.org, c.after, c.limit)
			if diff := cmp.Diff(c.want, clients, asKept); diff != "" || err != nil {
				t.Errorf("Clients(%q, %q, %d): %v (-want +got):\n%s", c.org, c.after, c.limit, err, diff)
			}
		}
	})
}

func TestConsentsAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		c := &storage.Consent{
			UserID: w.user.ID, ClientID: w.client.ID, Scopes: storage.Words{"openid", "email"},
			CreatedAt: storage.At(noon), UpdatedAt: storage.At(noon.Add(time.Hour)),
		}
		save := func(ctx context.Context, tx *storage.Tx) error {
			later := *c
			later.CreatedAt = later.UpdatedAt // the first time stays
			return tx.SaveConsent(ctx, &later)
		}
		trip{"Consent", c, save, func(ctx context.Context, r storage.Reader) (any, error) {
			return r.Consent(ctx, w.user.ID, w.client.ID)
		}}.check(t, db)
		trip{"Consents", []storage.Consent{*c}, save, func(ctx context.Context, r storage.Reader) (any, error) {
			return r.Consents(ctx, w.user.ID)
		}}.check(t, db)
	})
}

func TestSessionsAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := newSession(newWorld(t, db).user)
		s.Kind, s.Methods, s.IPAddress, s.UserAgent = storage.APISession, storage.Words{"pwd", "otp"}, "::1", odd
		insert := func(ctx context.Context, tx *storage.Tx) error { return tx.InsertSession(ctx, s) }
		save := func(ctx context.Context, tx *storage.Tx) error {
			s.RevokedAt, s.RevokedReason = storage.At(noon.Add(time.Hour)), odd
			s.UpdatedAt, s.TokenHash = s.RevokedAt, storage.Hash(s.TokenHash)
			if err := tx.SaveSession(ctx, s); err != nil {
				return err
			}
			_, err := tx.RevokeSession(ctx, s.ID, odd, s.RevokedAt.Time)
			return err
		}
		byID := func(ctx context.Context, r storage.Reader) (any, error) { return r.Session(ctx, s.ID) }
		byToken := func(ctx context.Context, r storage.Reader) (any, error) {
			return r.SessionByToken(ctx, s.TokenHash)
		}
		trip{"Session", s, insert, byID}.check(t, db)
		trip{"Session, saved", s, save, byID}.check(t, db)
		trip{"SessionByToken, saved", s, save, byToken}.check(t, db)
	})
}

func TestLiveSessionsAreNeitherRevokedNorExpired(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		user, other := newUser(), newUser()
		early, late, revoked, expired, foreign := newSession(user), newSession(user), newSession(user),
			newSession(user), newSession(other)
		expired.ExpiresAt = storage.At(noon)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			revoked.RevokedAt = storage.Time{}
			err := first(tx.InsertUser(ctx, user), tx.InsertUser(ctx, other))
			for _, s := range []*storage.Session{early, late, revoked, expired, foreign} {
				err = first(err, tx.InsertSession(ctx, s))
			}
			_, ended := tx.RevokeSession(ctx, revoked.ID, "ended", noon)
			return first(err, ended)
		})
		got, err := db.LiveSessions(t.Context(), user.ID, noon, "", 10)
		if diff := cmp.Diff([]storage.Session{*late, *early}, got, asKept); diff != "" || err != nil {
			t.Errorf("LiveSessions(): %v (-want +got):\n%s", err, diff)
		}
		got, err = db.LiveSessions(t.Context(), user.ID, noon, late.ID, 1)
		if diff := cmp.Diff([]storage.Session{*early}, got, asKept); diff != "" || err != nil {
			t.Errorf("LiveSessions(), page 2: %v (-want +got):\n%s", err, diff)
		}
		places, err := db.LiveAddresses(t.Context(), user.ID, noon)
		if diff := cmp.Diff([]string{early.IPAddress}, places); diff != "" || err != nil {
			t.Errorf("LiveAddresses(): %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestASessionIsTouchedForwardOnly(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		for _, c := range []struct{ touch, want time.Duration }{
			{time.Minute, time.Minute}, {time.Second, time.Minute}, {time.Hour, time.Hour},
		} {
			update(t, db, func(ctx context.Context, tx *storage.Tx) error {
				return tx.TouchSession(ctx, w.session.ID, noon.Add(c.touch))
			})
			db.Forget() // it is not worth a cached record
			s, err := db.Session(t.Context(), w.session.ID)
			if err != nil {
				t.Fatal(err)
			}
			if want := storage.At(noon.Add(c.want)); !s.LastActivityAt.Equal(want.Time) {
				t.Errorf("touched at +%v: last activity %v, want %v", c.touch, s.LastActivityAt, want)
			}
		}
	})
}
