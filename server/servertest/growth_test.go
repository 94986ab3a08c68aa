package servertest_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

// TestTheDatabaseDoesNotGrowUnderASteadyLoad lets an hour of everything that expires
// pass, over and over: what is left has as many rows as before, and on SQLite the
// pages of what went are used again. The audit log is kept, and left out.
func TestTheDatabaseDoesNotGrowUnderASteadyLoad(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			database := storagetest.Migrated(t, engine)
			s := servertest.Start(t, servertest.Options{DatabaseURL: database, Configure: func(c *config.Config) {
				c.OpenID.MaxGrantLifetime.Duration = 30 * time.Minute
			}})
			l := newLoad(t, s)
			var rows [2]map[string]int
			var pages [2]int
			for i := range rows {
				for range 3 {
					l.run(t)
					if table := l.pass(t, database); table != "" {
						t.Errorf("the table %s is as large as under load", table)
					}
				}
				rows[i] = counted(t, database)
				if engine == "sqlite" {
					pages[i] = taken(t, database)
				}
			}
			if diff := cmp.Diff(rows[0], rows[1]); diff != "" {
				t.Errorf("rows after twice the load (-before +after):\n%s", diff)
			}
			if pages[1]*100 > pages[0]*105 { // hashes lie now here, now there
				t.Errorf("%d pages after twice the load, want %d, as before", pages[1], pages[0])
			}
		})
	}
}

// load is what a server is asked for all the time.
type load struct {
	s       *servertest.Server
	browser *http.Client
	apps    []app
}

// perRound is how many times each thing is done in a round.
const perRound = 12

func newLoad(t *testing.T, s *servertest.Server) *load {
	t.Helper()
	l := &load{s: s, browser: servertest.Browser(t)}
	for name, random := range map[string]bool{"jwt": false, "opaque": true} {
		in := registry.Defaults()
		in.ClientID, in.Secret, in.Name, in.RedirectURIs = name, "a secret of its own", name, []string{callback}
		in.IDTokenAlg, in.Options.OpaqueTokens = "ES256", random
		in.GrantTypes = append(in.GrantTypes, registry.DeviceCode)
		if _, err := s.Clients.Create(t.Context(), audit.Shell(), in); err != nil {
			t.Fatal(err)
		}
		l.apps = append(l.apps, app{name, in.Secret, callback})
	}
	return l
}

// run leaves something behind of every kind that clients can make at will.
func (l *load) run(t *testing.T) {
	t.Helper()
	for _, a := range l.apps {
		for range perRound {
			got := a.tokens(t, l.s, l.browser)
			got = a.refresh(t, l.s, got.Refresh).tokens(t)
			a.post(t, l.s, revokePath, url.Values{"token": {got.Access}})
			a.post(t, l.s, "/oidc/par", a.request("verifier"))
			a.post(t, l.s, "/oidc/device_authorization", url.Values{"scope": {"openid"}})
			servertest.Get(t, servertest.Browser(t), authorizeURL(l.s, a.request("verifier")))
			servertest.Get(t, l.browser, authorizeURL(l.s, a.request("verifier", "redirect_uri", "https://elsewhere.example")))
		}
	}
}

// expiring are the tables that the load fills.
var expiring = []string{
	"grants", "codes", "refresh_tokens", "access_tokens", "revoked_tokens", "pushed_requests", "device_codes", "flows",
}

// pass lets some hours pass for what expires. It returns a table that did not lose
// what the load had put there, "" for none.
func (l *load) pass(t *testing.T, database string) string {
	t.Helper()
	before, later := counted(t, database), time.Now().Add(3*time.Hour)
	for more := true; more; {
		err := l.s.DB.Update(t.Context(), func(tx *storage.Tx) (err error) {
			more, err = tx.DeleteExpired(t.Context(), later, 100)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	after := counted(t, database)
	for _, table := range expiring {
		if before[table] < perRound || after[table] > 0 {
			return table
		}
	}
	return ""
}

// counted is how many rows each table has, but for those that are bounded in
// another way: audit by its own rules, what went wrong by its places, counts by
// the days, refusals by how many a client keeps, marks by their names, and what
// nodes share by a sweep of their own. Refusals and marks come a while after the
// load, so that a slow computer sees them and a quick not.
func counted(t *testing.T, database string) map[string]int {
	t.Helper()
	rows := map[string]int{}
	for table, all := range storagetest.Dump(t, database, "events", "event_heads", "incidents", "daily_counts", "refusals", "meta", "holds") {
		rows[table] = len(all)
	}
	return rows
}

// taken is how many pages of an SQLite file hold, or once held, what is no event.
func taken(t *testing.T, database string) int {
	t.Helper()
	n := 0
	for table, pages := range storagetest.Pages(t, database) {
		if table != "events" {
			n += pages
		}
	}
	return n
}
