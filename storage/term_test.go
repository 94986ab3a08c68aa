package storage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

// named adds a user with an address and a name.
func named(t *testing.T, db *storage.DB, email, name string) *storage.User {
	t.Helper()
	u := newUser()
	u.Email, u.FullName = email, name
	update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertUser(ctx, u) })
	return u
}

// foundUsers are the addresses of the users that a search finds, by pages of two.
func foundUsers(t *testing.T, db *storage.DB, text string, f storage.UserFilter) (emails []string) {
	t.Helper()
	for after := (storage.TermKey{}); ; {
		users, keys, err := db.UsersFound(t.Context(), f, text, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(users) == 0 {
			return emails
		}
		for _, u := range users {
			emails = append(emails, u.Email)
		}
		after = keys[len(keys)-1]
	}
}

func TestASearchFindsTheBeginningOfAnAddressAndOfAnyWordOfAName(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		bob := named(t, db, "bob@example.com", "Bob  Builder Bobson")
		named(t, db, "zoe@example.com", "ZOË O'Brien-Müller")
		odd := named(t, db, "o'dd%_@example.com", odd)
		named(t, db, "nobody@example.com", "")
		for text, want := range map[string]string{
			"bob": "bob@example.com", "BOB@EX": "bob@example.com", "build": "bob@example.com",
			"  builder   bobs ": "bob@example.com", "bobson": "bob@example.com", "ob": "",
			"zoë": "zoe@example.com o'dd%_@example.com", "brien": "zoe@example.com", "o'b": "zoe@example.com", "MÜL": "zoe@example.com",
			"o'": "zoe@example.com o'dd%_@example.com", "%": "", "_": "", "'": "", "🦊": "", "one": odd.Email,
			"nobody@example.com": "nobody@example.com", "nobody@example.comm": "",
			"x' OR '1'='1": "", "example": "", strings.Repeat("x", 5000): "",
		} {
			if got := strings.Join(foundUsers(t, db, text, storage.UserFilter{}), " "); got != want {
				t.Errorf("search %q finds %q, want %q", text, got, want)
			}
		}
		bob.Email, bob.FullName = "rob@example.com", "Robert"
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.SaveUser(ctx, bob) })
		if got := foundUsers(t, db, "bo", storage.UserFilter{}); got != nil {
			t.Errorf("a name that was changed is found still: %q", got)
		}
		if got := foundUsers(t, db, "rob", storage.UserFilter{}); len(got) != 1 {
			t.Errorf("a name that was changed is not found: %q", got)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.DeleteUser(ctx, bob.ID) })
		if n := count(t, db, "user_terms WHERE user_id = '"+bob.ID+"'"); n != "0" {
			t.Errorf("%s terms of a deleted user are left", n)
		}
	})
}

func TestASearchIsNarrowedByFilters(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		home, yes := newOrg(), true
		a, b, c := newUser(), newUser(), newUser()
		for i, u := range []*storage.User{a, b, c} {
			u.Email, u.FullName = fmt.Sprintf("same%d@example.com", i), "Same Samesame"
		}
		b.Status, c.IsAdmin = storage.Suspended, true
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			if err := tx.InsertOrganization(ctx, home); err != nil {
				return err
			}
			for _, u := range []*storage.User{a, b, c} {
				if err := tx.InsertUser(ctx, u); err != nil {
					return err
				}
			}
			for _, u := range []*storage.User{a, b} {
				if err := tx.InsertMember(ctx, newMember(home, u)); err != nil {
					return err
				}
			}
			return nil
		})
		for name, f := range map[string]struct {
			filter storage.UserFilter
			want   []string
		}{
			"all":             {storage.UserFilter{}, []string{a.Email, b.Email, c.Email}},
			"suspended":       {storage.UserFilter{Status: storage.Suspended}, []string{b.Email}},
			"administrators":  {storage.UserFilter{Admin: &yes}, []string{c.Email}},
			"in":              {storage.UserFilter{Organization: home.ID}, []string{a.Email, b.Email}},
			"in and active":   {storage.UserFilter{Organization: home.ID, Status: storage.Active}, []string{a.Email}},
			"nowhere":         {storage.UserFilter{Organization: "x'"}, nil},
			"address as well": {storage.UserFilter{EmailPrefix: "same2"}, []string{c.Email}},
		} {
			if diff := cmp.Diff(f.want, foundUsers(t, db, "sam", f.filter)); diff != "" {
				t.Errorf("%s, search (-want +got):\n%s", name, diff)
			}
			if f.filter.Organization == "" {
				continue
			}
			in, err := db.UsersIn(t.Context(), f.filter, "", 10)
			if err != nil || len(in) != len(f.want) {
				t.Errorf("%s: %d users, %v, want %d", name, len(in), err, len(f.want))
			}
		}
	})
}

func TestOrganizationsAndClientsAreFoundToo(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx, home, client, off := t.Context(), newOrg(), newClient(), false
		home.Slug, home.Name = "acme", "The Acme Works"
		client.ClientID, client.Name, client.OrganizationID = "portal", "Wiki of Acme", storage.Ref(home.ID)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			if err := tx.InsertOrganization(ctx, home); err != nil {
				return err
			}
			return tx.InsertClient(ctx, client)
		})
		none := storage.TermKey{}
		for text, want := range map[string][2]int{"acme": {1, 1}, "work": {1, 0}, "PORT": {0, 1}, "wiki": {0, 1}, "orks": {}} {
			orgs, _, err := db.OrganizationsFound(ctx, storage.OrganizationFilter{}, text, none, 9)
			if err != nil || len(orgs) != want[0] {
				t.Errorf("%s: %d organizations, %v, want %d", text, len(orgs), err, want[0])
			}
			clients, _, err := db.ClientsFound(ctx, home.ID, text, none, 9)
			if err != nil || len(clients) != want[1] {
				t.Errorf("%s: %d clients, %v, want %d", text, len(clients), err, want[1])
			}
		}
		if orgs, _, err := db.OrganizationsFound(ctx, storage.OrganizationFilter{Active: &off}, "acme", none, 9); err != nil || len(orgs) != 0 {
			t.Errorf("%d disabled organizations, %v, want 0", len(orgs), err)
		}
		if clients, _, err := db.ClientsFound(ctx, "another", "acme", none, 9); err != nil || len(clients) != 0 {
			t.Errorf("%d clients of another organization, %v, want 0", len(clients), err)
		}
		home.Name, client.Name = "Renamed", "Renamed"
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			if err := tx.SaveOrganization(ctx, home); err != nil {
				return err
			}
			return tx.SaveClient(ctx, client)
		})
		for _, text := range []string{"works", "wiki"} {
			orgs, _, err1 := db.OrganizationsFound(ctx, storage.OrganizationFilter{}, text, none, 9)
			clients, _, err2 := db.ClientsFound(ctx, "", text, none, 9)
			if len(orgs)+len(clients) > 0 || err1 != nil || err2 != nil {
				t.Errorf("%s is found after a change of name: %v %v", text, err1, err2)
			}
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.DeleteOrganization(ctx, home.ID) })
		if n := count(t, db, "client_terms"); n != "0" {
			t.Errorf("%s terms of a deleted client are left", n)
		}
	})
}

// manyUsers adds 20,000 users: names of two words, five in the thousand
// suspended, one in 1,000 an administrator, with two sessions each.
func manyUsers(t *testing.T, db *storage.DB) {
	t.Helper()
	numbers := "SELECT g AS n FROM generate_series(1, 20000) AS g"
	if db.IsSQLite() {
		numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 20000) SELECT n FROM c"
	}
	update(t, db, func(ctx context.Context, tx *storage.Tx) error {
		for _, query := range []string{
			`INSERT INTO users (id, email, full_name, avatar_url, status, is_admin, created_at, updated_at, last_login_ip)
				SELECT 'u' || n, 'user' || n || '@example.com', 'Given' || (n % 100) || ' Family' || (n % 5000), '',
				CASE WHEN n % 200 = 0 THEN 'suspended' ELSE 'active' END, n % 1000 = 0, 1, 1, '' FROM (` + numbers + `) AS numbers`,
			`INSERT INTO user_terms (term, user_id) SELECT email, id FROM users`,
			`INSERT INTO user_terms (term, user_id) SELECT lower(full_name), id FROM users`,
			`INSERT INTO user_terms (term, user_id) SELECT 'family' || (n % 5000), 'u' || n FROM (` + numbers + `) AS numbers`,
			`INSERT INTO sessions (id, user_id, kind, token_hash, methods, ip_address, user_agent, authenticated_at,
				created_at, updated_at, last_activity_at, expires_at, revoked_reason)
				SELECT 's' || n, 'u' || n, CASE WHEN n % 500 = 0 THEN 'api' ELSE 'web' END, 'h' || n, '',
				'10.0.0.' || (n % 250), '', 1, 1, 1, 1, 1, '' FROM (` + numbers + `) AS numbers`,
			"ANALYZE",
		} {
			if err := tx.Exec(ctx, query); err != nil {
				return err
			}
		}
		return nil
	})
}

// No list or search of administrators reads a whole table.
func TestAdministratorsListsUseTheirIndex(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		manyUsers(t, db)
		db.Reconnect()
		yes := true
		for name, c := range map[string]struct {
			plan  string
			index string
		}{
			"all":              {db.ExplainUsers(t, storage.UserFilter{}, "", 50), "users_email"},
			"all, deep":        {db.ExplainUsers(t, storage.UserFilter{}, "user5", 50), "users_email"},
			"suspended":        {db.ExplainUsers(t, storage.UserFilter{Status: storage.Suspended}, "user5", 50), "users_status"},
			"administrators":   {db.ExplainUsers(t, storage.UserFilter{Admin: &yes}, "", 50), "users_admin"},
			"search":           {db.ExplainSearch(t, "fam", storage.TermKey{}, storage.UserFilter{}), "user_terms"},
			"search, deep":     {db.ExplainSearch(t, "fam", storage.TermKey{Term: "family3000", ID: "u3"}, storage.UserFilter{}), "user_terms"},
			"search, filtered": {db.ExplainSearch(t, "fam", storage.TermKey{}, storage.UserFilter{Status: storage.Active}), "user_terms"},
			"sessions":         {db.ExplainSessions(t, storage.SessionFilter{}, ""), "sessions"},
			"sessions, deep":   {db.ExplainSessions(t, storage.SessionFilter{}, "s5"), "sessions"},
			"of a user":        {db.ExplainSessions(t, storage.SessionFilter{UserID: "u7"}, ""), "sessions_user"},
			"of a kind":        {db.ExplainSessions(t, storage.SessionFilter{Kind: "api"}, "s5"), "sessions_kind"},
			"from an address":  {db.ExplainSessions(t, storage.SessionFilter{IPAddress: "10.0.0.7"}, ""), "sessions_address"},
		} {
			bad := strings.Contains(c.plan, "Seq Scan") || strings.Contains(c.plan, "TEMP B-TREE")
			if bad || !strings.Contains(c.plan, c.index) {
				t.Errorf("%s: the plan does without %s:\n%s", name, c.index, c.plan)
			}
		}
	})
}

// Who was there before the index is found, too.
func TestTheMigrationIndexesWhatIsThere(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		named(t, db, "bob@example.com", "Bob  van Builder "+strings.Repeat("x", 200))
		named(t, db, "nobody@example.com", "")
		files := storagetest.Files(t)
		for {
			step, err := db.Rollback(t.Context(), files)
			if err != nil || step == "" {
				t.Fatalf("Rollback() = %q, %v", step, err)
			}
			if strings.HasSuffix(step, "_administration") {
				break
			}
		}
		if _, err := db.Migrate(t.Context(), files); err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string]int{"bob": 1, "van": 1, "build": 1, "uilder": 0, "nobody@": 1, "xx": 1} {
			if got := foundUsers(t, db, text, storage.UserFilter{}); len(got) != want {
				t.Errorf("search %q finds %q, want %d", text, got, want)
			}
		}
	})
}
