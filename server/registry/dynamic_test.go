package registry

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/managed"
	"authy/storage"
	"authy/storage/storagetest"
)

// selfRegistered is how a client describes itself.
func selfRegistered(name string) Registration {
	return Registration{
		Name: name, RedirectURIs: []string{"https://rp.example/cb"}, GrantTypes: []string{"authorization_code"}, AuthMethod: AuthBasic,
	}
}

func TestAClientThatNobodyUsesIsDeletedAfterThirtyDays(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s, ctx := New(db), t.Context()
		s.Dynamic.Mode = RegistrationOpen
		_, token, err := s.MakeInitialToken(ctx, audit.Shell(), NewInitialToken{Uses: 1, Lifetime: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		enroll := func(token, name string) *Client {
			out, err := s.Enroll(ctx, audit.Actor{Kind: audit.Anonymous}, token, selfRegistered(name))
			if err != nil {
				t.Fatal(err)
			}
			return out.Client
		}
		unused, used, vouched, named := enroll("", "Unused"), enroll("", "Used"), enroll(token, "Vouched"), enroll("", "Named by a file")
		signs := selfRegistered("Signs")
		signs.AuthMethod = AuthSecretJWT
		sealed, err := s.Enroll(ctx, audit.Actor{}, "", signs)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		user := &storage.User{ID: storage.NewID(), Email: "u@example.com", Status: storage.Active, CreatedAt: storage.At(now), UpdatedAt: storage.At(now)}
		err = db.Update(ctx, func(tx *storage.Tx) error {
			if err := tx.InsertUser(ctx, user); err != nil {
				return err
			}
			for _, c := range []*Client{used, sealed.Client} {
				consent := &storage.Consent{UserID: user.ID, ClientID: c.ID, CreatedAt: storage.At(now), UpdatedAt: storage.At(now)}
				if err := tx.SaveConsent(ctx, consent); err != nil {
					return err
				}
			}
			return managed.Keep(ctx, tx, now, managed.Mark{Kind: managed.Client, ID: named.ID, File: "f"})
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			after time.Duration
			want  int
		}{{29 * 24 * time.Hour, 0}, {31 * 24 * time.Hour, 4}, {400 * 24 * time.Hour, 0}} {
			if n, err := s.cleanSlice(ctx, now.Add(c.after)); err != nil || n != c.want {
				t.Errorf("after %v: %d clients, %v, want %d", c.after, n, err, c.want)
			}
		}
		if _, err := s.Client(ctx, unused.ClientID); !errors.Is(err, ErrNoClient) {
			t.Errorf("the unused client: %v, want none", err)
		}
		for _, c := range []*Client{used, vouched, named} {
			if found, err := s.Client(ctx, c.ClientID); err != nil || !found.ExpiresAt.IsZero() {
				t.Errorf("%s: %+v, %v, want kept for good", c.Name, found, err)
			}
		}
		if found, err := s.Client(ctx, sealed.Client.ClientID); err != nil || string(found.Secret) != sealed.Secret {
			t.Errorf("the client that signs with its secret: %v, has lost it", err)
		}
		events, err := db.Events(ctx, 1)
		if err != nil || events[0].Action != "client.deleted" || events[0].Reason != "never_used" || events[0].ActorKind != string(audit.System) {
			t.Errorf("recorded: %+v, %v", events, err)
		}
	})
}

func TestOnlyAnAdministratorMakesRegistrationTokens(t *testing.T) {
	t.Parallel()
	s, ctx := New(storagetest.New(t)), t.Context()
	good := NewInitialToken{Uses: 1, Lifetime: time.Hour}
	made, text, err := s.MakeInitialToken(ctx, audit.Shell(), good)
	if err != nil || made.Hash == text || len(text) != 43 {
		t.Fatalf("MakeInitialToken() = %+v, %q, %v", made, text, err)
	}
	for _, by := range []audit.Actor{{}, audit.Shell().As("nobody"), audit.Shell().AsClient("web"), audit.Shell().AsService("t", "o")} {
		if _, _, err := s.MakeInitialToken(ctx, by, good); !errors.Is(err, ErrForbidden) {
			t.Errorf("made by %v: %v", by.Kind, err)
		}
		if _, err := s.InitialTokens(ctx, by, "", 10); !errors.Is(err, ErrForbidden) {
			t.Errorf("listed by %v: %v", by.Kind, err)
		}
		if err := s.DeleteInitialToken(ctx, by, made.ID); !errors.Is(err, ErrForbidden) {
			t.Errorf("deleted by %v: %v", by.Kind, err)
		}
	}
	for field, bad := range map[string]NewInitialToken{
		"uses":            {Uses: MaxTokenUses + 1, Lifetime: time.Hour},
		"lifetime":        {Uses: 1, Lifetime: MaxTokenLifetime + 1},
		"profile":         {Uses: 1, Lifetime: time.Hour, Profile: "x"},
		"organization_id": {Uses: 1, Lifetime: time.Hour, OrganizationID: "nowhere\x00"},
	} {
		if _, _, err := s.MakeInitialToken(ctx, audit.Shell(), bad); err == nil || !strings.HasPrefix(err.Error(), field+": ") {
			t.Errorf("a bad %s: %v", field, err)
		}
	}
	if err := s.DeleteInitialToken(ctx, audit.Shell(), "x\x00"); !errors.Is(err, ErrNoToken) {
		t.Errorf("deletion of nothing: %v", err)
	}
}

// What a client changes of itself while its sector is asked for counts from the
// next look on: nothing is kept that was not looked at.
func TestASectorThatWasNotAskedForIsNotKept(t *testing.T) {
	t.Parallel()
	s, ctx := New(storagetest.New(t)), t.Context()
	in := Defaults()
	in.ClientID, in.Name, in.RedirectURIs = "the-rp", "RP", []string{"https://a.example/cb"}
	c, err := s.Create(ctx, audit.Shell(), in)
	if err != nil {
		t.Fatal(err)
	}
	sector := func(r *Registration) { r.Options.SectorIdentifierURI = "https://a.example/sector" }
	if _, err := s.Update(ctx, audit.Shell(), "", "the-rp", sector); err == nil || !strings.HasPrefix(err.Error(), "sector_identifier_uri: ") {
		t.Errorf("a sector that cannot be asked for: %v", err)
	}
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		found, err := tx.Client(ctx, "the-rp")
		if err != nil {
			return err
		}
		_, err = s.changeIn(context.WithoutCancel(ctx), tx, audit.Shell(), time.Now(), found, Describe(c), sector)
		return err
	})
	if !errors.Is(err, errMeanwhile) {
		t.Errorf("a sector that nobody has looked at: %v, want refused", err)
	}
}
