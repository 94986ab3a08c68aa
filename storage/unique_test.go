package storage_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

// insertion is a write that meets a value that is in use.
type insertion struct {
	what  string
	write func(ctx context.Context, tx *storage.Tx) error
}

// duplicates lists, for every unique value of w, a record that wants it too.
func duplicates(w *world, signing *storage.Key, event *storage.Event) []insertion {
	user, email := newUser(), newUser()
	user.ID, email.Email = w.user.ID, w.user.Email
	org, slug := newOrg(), newOrg()
	org.ID, slug.Slug = w.org.ID, w.org.Slug
	client, clientID := newClient(), newClient()
	client.ID, clientID.ClientID = w.client.ID, w.client.ClientID
	session, token := newSession(w.user), newSession(w.user)
	session.ID, token.TokenHash = w.session.ID, w.session.TokenHash
	key := newKey("EdDSA", storage.RetiredKey)
	key.ID = signing.ID
	type (
		ctx = context.Context
		tx  = *storage.Tx
	)
	return []insertion{
		{"user id", func(c ctx, t tx) error { return t.InsertUser(c, user) }},
		{"user address", func(c ctx, t tx) error { return t.InsertUser(c, email) }},
		{"organization id", func(c ctx, t tx) error { return t.InsertOrganization(c, org) }},
		{"organization slug", func(c ctx, t tx) error { return t.InsertOrganization(c, slug) }},
		{"member of a pair", func(c ctx, t tx) error { return t.InsertMember(c, newMember(w.org, w.user)) }},
		{"invitation of a pair", func(c ctx, t tx) error {
			return first(t.InsertInvitation(c, newInvitation(w.org, "x@example.com")), t.InsertInvitation(c, newInvitation(w.org, "x@example.com")))
		}},
		{"client row", func(c ctx, t tx) error { return t.InsertClient(c, client) }},
		{"client id", func(c ctx, t tx) error { return t.InsertClient(c, clientID) }},
		{"session id", func(c ctx, t tx) error { return t.InsertSession(c, session) }},
		{"session token", func(c ctx, t tx) error { return t.InsertSession(c, token) }},
		{"API token", func(c ctx, t tx) error {
			again := newAPIToken(w.user, nil)
			again.TokenHash = w.token.TokenHash
			return t.InsertAPIToken(c, again)
		}},
		{"grant id", func(c ctx, t tx) error { return t.InsertGrant(c, w.grant) }},
		{"code", func(c ctx, t tx) error { return t.InsertCode(c, w.code) }},
		{"refresh token", func(c ctx, t tx) error { return t.InsertRefreshToken(c, w.refresh) }},
		{"flow", func(c ctx, t tx) error { return t.InsertFlow(c, w.flow) }},
		{"link", func(c ctx, t tx) error { return t.InsertLink(c, w.link) }},
		{"key id", func(c ctx, t tx) error { return t.InsertKey(c, key) }},
		{"signing key", func(c ctx, t tx) error {
			return t.InsertKey(c, newKey(signing.Algorithm, storage.SigningKey))
		}},
		{"published key", func(c ctx, t tx) error {
			return first(t.InsertKey(c, newKey("PS256", storage.PublishedKey)), t.InsertKey(c, newKey("PS256", storage.PublishedKey)))
		}},
		{"event", func(c ctx, t tx) error { return t.InsertEvent(c, event) }},
	}
}

func TestAUniqueValueInUseIsTaken(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, signing, event := newWorld(t, db), newKey("RS256", storage.SigningKey), newEvent()
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(tx.InsertKey(ctx, signing), tx.InsertEvent(ctx, event))
		})
		for _, d := range duplicates(w, signing, event) {
			err := db.Update(t.Context(), func(tx *storage.Tx) error { return d.write(t.Context(), tx) })
			if !errors.Is(err, storage.ErrTaken) {
				t.Errorf("%s a second time: %v, want ErrTaken", d.what, err)
			}
		}
		other := newUser()
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertUser(ctx, other) })
		err := db.Update(t.Context(), func(tx *storage.Tx) error {
			other.Email = w.user.Email
			return tx.SaveUser(t.Context(), other)
		})
		if !errors.Is(err, storage.ErrTaken) {
			t.Errorf("a user changed to an address in use: %v, want ErrTaken", err)
		}
	})
}

func TestSeveralRetiredKeysMayHaveOneAlgorithm(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(
				tx.InsertKey(ctx, newKey("RS256", storage.RetiredKey)),
				tx.InsertKey(ctx, newKey("RS256", storage.RetiredKey)),
				tx.InsertKey(ctx, newKey("RS256", storage.SigningKey)),
				tx.InsertKey(ctx, newKey("ES256", storage.SigningKey)),
			)
		})
	})
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		lookups := map[string]func() (any, error){
			"User":               func() (any, error) { return db.User(ctx, "x") },
			"UserByEmail":        func() (any, error) { return db.UserByEmail(ctx, "x") },
			"Password":           func() (any, error) { return db.Password(ctx, "x") },
			"Organization":       func() (any, error) { return db.Organization(ctx, "x") },
			"OrganizationBySlug": func() (any, error) { return db.OrganizationBySlug(ctx, "x") },
			"Member":             func() (any, error) { return db.Member(ctx, "x", "x") },
			"Client":             func() (any, error) { return db.Client(ctx, "x") },
			"ClientByRow":        func() (any, error) { return db.ClientByRow(ctx, "x") },
			"Consent":            func() (any, error) { return db.Consent(ctx, "x", "x") },
			"Session":            func() (any, error) { return db.Session(ctx, "x") },
			"SessionByToken":     func() (any, error) { return db.SessionByToken(ctx, "x") },
			"Grant":              func() (any, error) { return db.Grant(ctx, "x") },
			"Code":               func() (any, error) { return db.Code(ctx, "x") },
			"RefreshToken":       func() (any, error) { return db.RefreshToken(ctx, "x") },
			"Flow":               func() (any, error) { return db.Flow(ctx, "x") },
			"Link":               func() (any, error) { return db.Link(ctx, storage.SetupLink, "x") },
		}
		for name, lookup := range lookups {
			if _, err := lookup(); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("%s of nothing: %v, want ErrNotFound", name, err)
			}
		}
	})
}

func TestWritesToWhatIsNotThereAreNotFound(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for _, w := range []insertion{
			{"SaveUser", func(ctx context.Context, tx *storage.Tx) error { return tx.SaveUser(ctx, newUser()) }},
			{"DeleteUser", func(ctx context.Context, tx *storage.Tx) error { return tx.DeleteUser(ctx, "x") }},
			{"SaveClient", func(ctx context.Context, tx *storage.Tx) error { return tx.SaveClient(ctx, newClient()) }},
			{"DeleteClient", func(ctx context.Context, tx *storage.Tx) error { return tx.DeleteClient(ctx, newClient()) }},
			{"SaveSession", func(ctx context.Context, tx *storage.Tx) error {
				return tx.SaveSession(ctx, newSession(newUser()))
			}},
			{"SaveFlow", func(ctx context.Context, tx *storage.Tx) error { return tx.SaveFlow(ctx, newFlow()) }},
			{"TakeFlow", func(ctx context.Context, tx *storage.Tx) error { return tx.TakeFlow(ctx, "x") }},
			{"TakeLink", func(ctx context.Context, tx *storage.Tx) error {
				return tx.TakeLink(ctx, storage.SetupLink, "x", noon)
			}},
		} {
			err := db.Update(t.Context(), func(tx *storage.Tx) error { return w.write(t.Context(), tx) })
			if !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("%s of nothing: %v, want ErrNotFound", w.what, err)
			}
		}
	})
}

func TestAReferenceToNothingIsRefused(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, stranger := newWorld(t, db), newUser()
		for _, i := range []insertion{
			{"member", func(ctx context.Context, tx *storage.Tx) error {
				return tx.InsertMember(ctx, newMember(w.org, stranger))
			}},
			{"session", func(ctx context.Context, tx *storage.Tx) error {
				return tx.InsertSession(ctx, newSession(stranger))
			}},
			{"grant", func(ctx context.Context, tx *storage.Tx) error {
				return tx.InsertGrant(ctx, newGrant(stranger, w.client))
			}},
			{"code", func(ctx context.Context, tx *storage.Tx) error {
				return tx.InsertCode(ctx, newCode(newGrant(w.user, w.client)))
			}},
		} {
			err := db.Update(t.Context(), func(tx *storage.Tx) error { return i.write(t.Context(), tx) })
			if err == nil || errors.Is(err, storage.ErrTaken) || errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("a %s of nobody: %v, want a refusal", i.what, err)
			}
		}
	})
}

// rows returns how many rows each table with other people's things has.
func rows(t *testing.T, db *storage.DB) map[string]string {
	t.Helper()
	counts := map[string]string{}
	for _, table := range []string{
		"users", "passwords", "organizations", "members", "sessions", "clients", "consents", "grants",
		"codes", "refresh_tokens", "flows", "links", "device_codes",
	} {
		if n := count(t, db, table); n != "0" {
			counts[table] = n
		}
	}
	return counts
}

func TestWhatBelongsToSomethingGoesWithIt(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		kept := newWorld(t, db)
		all := map[string]string{
			"users": "1", "passwords": "1", "organizations": "1", "members": "1", "sessions": "1",
			"clients": "1", "consents": "1", "grants": "1", "codes": "1", "refresh_tokens": "1",
			"flows": "1", "links": "1", "device_codes": "4",
		}
		for _, c := range []struct {
			what      string
			delete    func(w *world) string // a statement, "" if the owner is deleted by DeleteUser
			remaining map[string]string
		}{
			{"user", nil, map[string]string{"organizations": "2", "clients": "2", "device_codes": "7"}},
			{
				"client", func(w *world) string { return "DELETE FROM clients WHERE id = '" + w.client.ID + "'" },
				map[string]string{
					"users": "2", "passwords": "2", "organizations": "2", "members": "2", "sessions": "2",
					"flows": "2", "links": "2",
				},
			},
			{
				"organization", func(w *world) string { return "DELETE FROM organizations WHERE id = '" + w.org.ID + "'" },
				map[string]string{"users": "2", "passwords": "2", "sessions": "2", "flows": "2", "links": "2"},
			},
			{
				"session", func(w *world) string { return "DELETE FROM sessions WHERE id = '" + w.session.ID + "'" },
				map[string]string{
					"users": "2", "passwords": "2", "organizations": "2", "members": "2", "clients": "2",
					"consents": "2", "grants": "2", "codes": "2", "refresh_tokens": "2", "links": "2",
					"device_codes": "8",
				},
			},
		} {
			w := newWorld(t, db)
			if c.delete == nil {
				update(t, db, func(ctx context.Context, tx *storage.Tx) error {
					return tx.DeleteUser(ctx, w.user.ID)
				})
			} else {
				execute(t, db, c.delete(w))
			}
			want := map[string]string{}
			maps.Copy(want, all)
			maps.Copy(want, c.remaining)
			if diff := cmp.Diff(want, rows(t, db)); diff != "" {
				t.Errorf("after a %s was deleted (-want +got):\n%s", c.what, diff)
			}
			execute(t, db, "DELETE FROM users WHERE id <> '"+kept.user.ID+"'",
				"DELETE FROM organizations WHERE id <> '"+kept.org.ID+"'",
				"DELETE FROM clients WHERE id <> '"+kept.client.ID+"'")
			if diff := cmp.Diff(all, rows(t, db)); diff != "" {
				t.Fatalf("the world beside it was harmed (-want +got):\n%s", diff)
			}
		}
	})
}

func TestAnInvitationOutlivesWhoeverInvited(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, inviter := newWorld(t, db), newUser()
		invited := newUser()
		m := newMember(w.org, invited)
		m.InvitedByID = storage.Ref(inviter.ID)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(tx.InsertUser(ctx, inviter), tx.InsertUser(ctx, invited), tx.InsertMember(ctx, m))
		})
		if got, err := db.Memberships(t.Context(), invited.ID); err != nil || got[0].InvitedByID == "" {
			t.Fatalf("Memberships() = %v, %v, want one with an inviter", got, err)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return tx.DeleteUser(ctx, inviter.ID)
		})
		if got, err := db.Memberships(t.Context(), invited.ID); err != nil || got[0].InvitedByID != "" {
			t.Errorf("Memberships() = %v, %v, want one without an inviter", got, err)
		}
	})
}
