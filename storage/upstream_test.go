package storage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

func newProvider() *storage.Provider {
	return &storage.Provider{
		ID: storage.NewID(), Slug: fmt.Sprintf("provider-%d", serial.Add(1)), Kind: "oidc", Name: "A Provider",
		Issuer: "https://id.example", ClientID: "authy", Secret: "a secret of theirs", IsActive: true,
		CreatedAt: storage.At(noon), UpdatedAt: storage.At(noon),
	}
}

func newDeparture(p *storage.Provider) *storage.Departure {
	return &storage.Departure{
		Hash: storage.Hash(storage.NewID()), ProviderID: p.ID, BrowserHash: storage.Hash("browser"),
		Purpose: "sign-in", Kind: storage.WebSession, Details: `{"nonce":"of the departure"}`,
		CreatedAt: storage.At(noon), ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
}

func newIdentity(p *storage.Provider, u *storage.User) *storage.Identity {
	return &storage.Identity{
		ID: storage.NewID(), UserID: u.ID, ProviderID: p.ID, Issuer: p.Issuer, Subject: storage.NewID(),
		LinkedAt: storage.At(noon), LastUsedAt: storage.At(noon),
	}
}

func newService() *storage.Service {
	n := serial.Add(1)
	return &storage.Service{
		ID: storage.NewID(), Slug: fmt.Sprintf("service-%d", n), EntityID: fmt.Sprintf("https://sp%d.example/", n),
		Name: "A Service", IsActive: true, CreatedAt: storage.At(noon), UpdatedAt: storage.At(noon),
	}
}

func TestProvidersAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, full := newWorld(t, db), newProvider()
		full.OrganizationID, full.Name, full.Secret, full.IsManaged = storage.Ref(w.org.ID), odd, odd, true
		full.Options = storage.ProviderOptions{
			Scopes: []string{"openid", "groups"}, Domains: []string{"example.com"}, Unsolicited: true, Metadata: odd,
			Roles:      []storage.ProviderRole{{Group: odd, OrganizationID: w.org.ID, Role: "admin"}},
			Attributes: map[string]string{"email": "urn:oid:0.9.2342.19200300.100.1.3"},
		}
		trip{
			"Provider", full,
			func(ctx context.Context, tx *storage.Tx) error { return tx.InsertProvider(ctx, full) },
			func(ctx context.Context, r storage.Reader) (any, error) { return r.Provider(ctx, full.ID) },
		}.check(t, db)
		full.Secret, full.IsActive = "another", false
		trip{
			"ProviderBySlug", full,
			func(ctx context.Context, tx *storage.Tx) error { return tx.SaveProvider(ctx, full) },
			func(ctx context.Context, r storage.Reader) (any, error) { return r.ProviderBySlug(ctx, full.Slug) },
		}.check(t, db)
		if kept := texts(t, db, "SELECT sealed_secret FROM providers"); strings.Contains(fmt.Sprint(kept), "another") {
			t.Errorf("the rows hold %q, want the secrets sealed", kept)
		}
		theirs, err := db.Providers(t.Context(), w.org.ID)
		if err != nil || len(theirs) != 2 {
			t.Errorf("Providers(%s) = %d, %v, want both", w.org.ID, len(theirs), err)
		}
		if ours, err := db.Providers(t.Context(), ""); err != nil || len(ours) != 0 {
			t.Errorf("Providers() of the server = %d, %v, want none", len(ours), err)
		}
	})
}

func TestADepartureIsItsBrowsersAndUsedOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		take := func(browser string, at time.Time) (d *storage.Departure, err error) {
			err = db.Update(t.Context(), func(tx *storage.Tx) (err error) {
				d, err = tx.TakeDeparture(t.Context(), w.departure.Hash, browser, at)
				return err
			})
			return d, err
		}
		if _, err := take(storage.Hash("another"), noon); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("another browser: TakeDeparture() = %v, want ErrNotFound", err)
		}
		if _, err := take(w.departure.BrowserHash, w.departure.ExpiresAt.Time); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("at its end: TakeDeparture() = %v, want ErrNotFound", err)
		}
		got, err := take(w.departure.BrowserHash, noon)
		if diff := cmp.Diff(w.departure, got, asKept); err != nil || diff != "" {
			t.Errorf("TakeDeparture(): %v (-want +got):\n%s", err, diff)
		}
		if _, err := take(w.departure.BrowserHash, noon); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a second time: TakeDeparture() = %v, want ErrNotFound", err)
		}
	})
}

func TestAnIdentityIsLinkedOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, other, elsewhere := newWorld(t, db), newUser(), newProvider()
		again := *w.identity
		again.ID, again.UserID = storage.NewID(), other.ID
		there := again
		there.ID, there.ProviderID = storage.NewID(), elsewhere.ID
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(tx.InsertUser(ctx, other), tx.InsertProvider(ctx, elsewhere), tx.InsertIdentity(ctx, &there))
		})
		err := db.Update(t.Context(), func(tx *storage.Tx) error { return tx.InsertIdentity(t.Context(), &again) })
		if !errors.Is(err, storage.ErrTaken) {
			t.Errorf("InsertIdentity() of one that is linked = %v, want ErrTaken", err)
		}
		got, err := db.IdentityOf(t.Context(), elsewhere.ID, there.Issuer, there.Subject)
		if err != nil || got.UserID != other.ID {
			t.Errorf("the same subject at another provider is %v, %v, want the other user's", got, err)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.DeleteProvider(ctx, w.provider.ID) })
		if _, err := db.Identity(t.Context(), w.identity.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Identity() of a deleted provider = %v, want ErrNotFound", err)
		}
	})
}

func TestWhatAProviderKnowsASessionByIsSealed(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		for _, hint := range []string{"an ID token", "", "a later one"} {
			u := &storage.UpstreamSession{
				SessionID: w.session.ID, IdentityID: w.identity.ID, ProviderID: w.provider.ID,
				Subject: w.identity.Subject, UpstreamID: "sid", Hint: hint, CreatedAt: storage.At(noon),
			}
			trip{
				"UpstreamSession", u,
				func(ctx context.Context, tx *storage.Tx) error { return tx.InsertUpstreamSession(ctx, u) },
				func(ctx context.Context, r storage.Reader) (any, error) { return r.UpstreamSession(ctx, w.session.ID) },
			}.check(t, db)
		}
		found, err := db.UpstreamSessions(t.Context(), w.provider.ID, w.identity.Subject)
		if err != nil || len(found) != 1 || strings.Contains(found[0].SealedHint, "later") {
			t.Errorf("UpstreamSessions() = %v, %v, want one that is sealed", found, err)
		}
	})
}

func TestServicesAndTheirVisitsAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, s := newWorld(t, db), newService()
		s.OrganizationID, s.Metadata, s.Allowed = storage.Ref(w.org.ID), odd, storage.Words{"role:owner"}
		s.Options = storage.ServiceOptions{Preset: "nextcloud", Attributes: map[string]string{"mail": "email"}}
		trip{
			"ServiceByEntity", s,
			func(ctx context.Context, tx *storage.Tx) error { return tx.InsertService(ctx, s) },
			func(ctx context.Context, r storage.Reader) (any, error) { return r.ServiceByEntity(ctx, s.EntityID) },
		}.check(t, db)
		for _, name := range []string{"first", "second"} {
			v := storage.ServiceVisit{
				ID: storage.NewID(), SessionID: w.session.ID, ServiceID: s.ID, NameID: name,
				NameIDFormat: "persistent", CreatedAt: storage.At(noon),
			}
			trip{
				"ServiceVisits",
				[]storage.ServiceVisit{v},
				func(ctx context.Context, tx *storage.Tx) error { return tx.SaveServiceVisit(ctx, &v) },
				func(ctx context.Context, r storage.Reader) (any, error) { return r.ServiceVisits(ctx, w.session.ID) },
			}.check(t, db)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.DeleteService(ctx, s.ID) })
		if n := count(t, db, "service_visits"); n != "0" {
			t.Errorf("%s visits left of a deleted service, want 0", n)
		}
	})
}

func TestADomainIsOneOrganizations(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, other := newWorld(t, db), newOrg()
		grant := func(org *storage.Organization) error {
			return db.Update(t.Context(), func(tx *storage.Tx) error {
				return tx.InsertDomain(t.Context(), &storage.Domain{
					Domain: "example.com", OrganizationID: org.ID, CreatedAt: storage.At(noon),
				})
			})
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertOrganization(ctx, other) })
		if err := first(grant(w.org)); err != nil {
			t.Fatal(err)
		}
		if err := grant(other); !errors.Is(err, storage.ErrTaken) {
			t.Errorf("InsertDomain() of another's = %v, want ErrTaken", err)
		}
		err := db.Update(t.Context(), func(tx *storage.Tx) error {
			return tx.DeleteDomain(t.Context(), "example.com", other.ID)
		})
		if !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("DeleteDomain() of another's = %v, want ErrNotFound", err)
		}
		if got, err := db.Domain(t.Context(), "example.com"); err != nil || got.OrganizationID != w.org.ID {
			t.Errorf("Domain() = %v, %v, want the first organization's", got, err)
		}
	})
}
