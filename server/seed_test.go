package server

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/config"
	"authy/storage"
	"authy/storage/storagetest"
)

// eachSeeded runs fn on both engines over the sample data.
func eachSeeded(t *testing.T, fn func(t *testing.T, s *Services, made []Seeded)) {
	t.Helper()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := open(t, func(c *config.Config) { c.Database.URL = config.Secret(storagetest.URL(t, engine)) })
			made, err := s.Seed(t.Context(), audit.Shell())
			if err != nil {
				t.Fatal(err)
			}
			fn(t, s, made)
		})
	}
}

func TestTheSampleHasItsUsers(t *testing.T) {
	t.Parallel()
	want := map[string]string{ // memberships by address
		"admin@acme-corp.com": "acme-corp owner, data-systems owner", "superadmin@acme-corp.com": "tech-startup owner",
		"bob@acme-corp.com": "acme-corp member", "carol@acme-corp.com": "acme-corp admin", "david@acme-corp.com": "",
		"eve@acme-corp.com": "", "frank@tech-startup.com": "tech-startup admin", "grace@tech-startup.com": "tech-startup member",
		"henry@tech-startup.com": "", "iris@data-systems.com": "data-systems member", "jack@data-systems.com": "data-systems member",
		"charlie@cross-org.com": "acme-corp guest, tech-startup member",
	}
	eachSeeded(t, func(t *testing.T, s *Services, _ []Seeded) {
		ctx, got := t.Context(), map[string]string{}
		users, _, err := s.Accounts.Search(ctx, audit.Shell(), account.Filter{}, "", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range users {
			if u.EmailVerifiedAt.IsZero() || u.Status != storage.Active || u.IsAdmin || u.FullName == "" {
				t.Errorf("user %+v", u)
			}
			match, err := s.Accounts.CheckPassword(ctx, &u, SeedPassword(u.Email))
			if err != nil || match == nil {
				t.Errorf("%s cannot sign in with %q: %v", u.Email, SeedPassword(u.Email), err)
			}
			of, err := s.Orgs.Of(ctx, u.ID)
			if err != nil {
				t.Fatal(err)
			}
			text := ""
			for i, m := range of {
				if i > 0 {
					text += ", "
				}
				text += m.Organization.Slug + " " + string(m.Role)
			}
			got[u.Email] = text
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestTheSampleHasItsClients(t *testing.T) {
	t.Parallel()
	type row struct {
		Org, Name              string
		Public, PKCE           bool
		Access, Refresh, Token time.Duration
		Redirects, Scopes      int
	}
	want := map[string]row{
		"acme-portal-001":    {"acme-corp", "Acme Internal Portal", false, true, time.Hour, 720 * time.Hour, time.Hour, 2, 4},
		"acme-mobile-001":    {"acme-corp", "Acme Mobile App", true, true, 30 * time.Minute, 168 * time.Hour, 30 * time.Minute, 2, 4},
		"tech-dashboard-001": {"tech-startup", "Tech Startup Dashboard", false, true, time.Hour, 720 * time.Hour, time.Hour, 2, 4},
		"data-api-001":       {"data-systems", "Data Systems API Client", false, false, 2 * time.Hour, 720 * time.Hour, time.Hour, 2, 5},
	}
	eachSeeded(t, func(t *testing.T, s *Services, _ []Seeded) {
		for id, w := range want {
			c, err := s.Clients.Client(t.Context(), id)
			if err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			o, err := s.DB.Organization(t.Context(), string(c.OrganizationID))
			if err != nil {
				t.Fatal(err)
			}
			got := row{
				o.Slug, c.Name, c.SecretHash == "", c.RequirePKCE, c.AccessTokenLifetime.Duration(),
				c.RefreshTokenLifetime.Duration(), c.IDTokenLifetime.Duration(), len(c.RedirectURIs), len(c.Scopes),
			}
			if diff := cmp.Diff(w, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", id, diff)
			}
			if sample, ok := SeedClient(id); !ok || sample.Name != w.Name {
				t.Errorf("SeedClient(%q) = %v, %v", id, sample, ok)
			}
		}
	})
}

func TestSeedingAgainMakesNothing(t *testing.T) {
	t.Parallel()
	eachSeeded(t, func(t *testing.T, s *Services, made []Seeded) {
		ctx := t.Context()
		counts := map[string]int{}
		for _, one := range made {
			counts[one.Kind]++
			if !one.Made {
				t.Errorf("%+v was there before", one)
			}
		}
		want := map[string]int{"user": 12, "organization": 3, "membership": 11, "client": 4}
		if diff := cmp.Diff(want, counts); diff != "" {
			t.Errorf("made (-want +got):\n%s", diff)
		}
		bob, err := s.Accounts.Find(ctx, "bob@acme-corp.com")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Accounts.SetPassword(ctx, audit.Shell(), bob.ID, "orchid lantern"); err != nil {
			t.Fatal(err)
		}
		before := events(t, s)
		again, err := s.Seed(ctx, audit.Shell())
		if err != nil {
			t.Fatal(err)
		}
		for i := range again {
			if again[i].Made {
				t.Errorf("%+v was made again", again[i])
			}
			again[i].Made = true
		}
		if diff := cmp.Diff(made, again); diff != "" {
			t.Errorf("told (-first +second):\n%s", diff)
		}
		if after := events(t, s); after != before {
			t.Errorf("%d events became %d", before, after)
		}
		if match, err := s.Accounts.CheckPassword(ctx, bob, "orchid lantern"); err != nil || match == nil {
			t.Errorf("bob's own password is gone: %v", err)
		}
	})
}

func events(t *testing.T, s *Services) int {
	t.Helper()
	list, err := s.DB.Events(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestStrangersAreNotInTheSample(t *testing.T) {
	t.Parallel()
	if got := SeedPassword("mallory@example.com"); got != "" {
		t.Errorf("SeedPassword = %q", got)
	}
	if c, ok := SeedClient("nobody"); ok {
		t.Errorf("SeedClient = %v", fmt.Sprint(c))
	}
}
