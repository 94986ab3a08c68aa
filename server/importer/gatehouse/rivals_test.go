package gatehouse_test

import (
	"fmt"
	"strings"
	"testing"

	"authy/server/importer"
	"authy/server/importer/gatehouse/gatehousetest"
	"authy/storage/storagetest"
)

const (
	upper, lower = "ABCDEFAB-0000-4000-8000-00000000000B", "abcdefab-0000-4000-8000-00000000000b"
	gone, alive  = "ABCDEFAB-0000-4000-8000-00000000000C", "abcdefab-0000-4000-8000-00000000000c"
	kate         = "40000000-0000-4000-8000-000000000001"
	karl         = "40000000-0000-4000-8000-000000000004"
	variant      = "30000000-0000-4000-8000-000000000001"
	home         = "50000000-0000-4000-8000-000000000001"
)

func aUser(id, email string) string {
	return fmt.Sprintf(`INSERT INTO users (id, created_at, updated_at, email, email_verified, full_name, status)
		VALUES ('%s', '2026-01-16', '2026-01-16', '%s', FALSE, 'X', 'ACTIVE')`, id, email)
}

func aGitHub(n int, user string) string {
	return fmt.Sprintf(`INSERT INTO authentication_methods
		(id, created_at, updated_at, user_id, method_type, provider_data, is_primary, verified)
		VALUES ('60000000-0000-4000-8000-%012d', '2026-01-16', '2026-01-16', '%s', 'GITHUB', '{"raw_data": {"id": %d}}', TRUE, TRUE)`,
		n, user, 4000+n)
}

func anOrg(id, slug string) string {
	return fmt.Sprintf(`INSERT INTO organizations (id, created_at, updated_at, name, slug, is_active, settings)
		VALUES ('%s', '2026-01-16', '2026-01-16', 'X', '%s', TRUE, '{}')`, id, slug)
}

func anOwner(id, user, org string) string {
	return fmt.Sprintf(`INSERT INTO organization_members (id, created_at, updated_at, user_id, organization_id, role)
		VALUES ('%s', '2026-01-16', '2026-01-16', '%s', '%s', 'OWNER')`, id, user, org)
}

func aClient(id, clientID, org string) string {
	return fmt.Sprintf(`INSERT INTO oidc_clients SELECT '%s', created_at, updated_at, deleted_at, '%s', name, '%s',
		client_secret_hash, redirect_uris, grant_types, response_types, scopes, logo_uri, client_uri, policy_uri, tos_uri,
		is_active, is_confidential, require_pkce, access_token_lifetime, refresh_token_lifetime, id_token_lifetime
		FROM oidc_clients WHERE client_id = 'acme-portal-001'`, id, org, clientID)
}

// rivals are records that are one only once they are in the form that they have here.
var rivals = []string{
	aUser(upper, "attacker@x.org"), aUser(lower, "victim@x.org"), aGitHub(1, lower), anOwner(upper, lower, home),
	aUser(gone, "gone@x.org"), aUser(alive, "alive@x.org"), aGitHub(2, alive), anOwner(alive, gone, home),
	"UPDATE users SET deleted_at = '2026-01-17' WHERE id = '" + gone + "'",
	aUser(variant, "Kate@x.org"), aUser(kate, "kate@x.org"), anOwner("ABCDEFAB-0000-4000-8000-00000000000D", kate, home),
	anOwner("abcdefab-0000-4000-8000-00000000000d", karl, home),
	aUser("30000000-0000-4000-8000-000000000002", "Lea@x.org"), aUser("30000000-0000-4000-8000-000000000003", "LEA@x.org"),
	aUser("30000000-0000-4000-8000-000000000004", "\u212aarl@x.org"), aUser(karl, "karl@x.org"),
	anOrg(home, "home"), anOrg("40000000-0000-4000-8000-000000000001", "HOME"),
	anOrg(upper, "first"), anOrg(lower, "second"), anOwner("70000000-0000-4000-8000-000000000001", kate, lower),
	aClient(upper, "first", home), aClient(lower, "second", home), aClient("80000000-0000-4000-8000-000000000099", "third", lower),
}

func TestWhatIsOneOnlyHereIsNotMistakenForAnother(t *testing.T) {
	t.Parallel()
	targets(t, func(t *testing.T, to target) {
		source := gatehousetest.New(t, "sqlite", append([]string{"PRAGMA foreign_keys = off"}, rivals...)...)
		report := to.bring(read(t, source), importer.Options{EmailsVerified: true})
		for of, want := range map[[2]string]string{
			{"user", "attacker@x.org"}:           "left out: another there has this id in another spelling",
			{"user", "victim@x.org"}:             "left out: another there has this id in another spelling",
			{"user", "alive@x.org"}:              "left out: one that was deleted there has this id in another spelling",
			{"user", "Kate@x.org"}:               "left out: another there is spelled kate@x.org",
			{"user", "kate@x.org"}:               "came: ",
			{"membership", "kate@x.org in home"}: "came: ",
			{"membership", "karl@x.org in home"}: "came: ",
			{"user", "Lea@x.org"}:                "left out: several there would be lea@x.org",
			{"user", "LEA@x.org"}:                "left out: several there would be lea@x.org",
			{"user", "\u212aarl@x.org"}:          "left out: the address cannot be one",
			{"user", "karl@x.org"}:               "came: ",
			{"organization", "home"}:             "came: ",
			{"organization", "HOME"}:             "left out: another there is spelled home",
			{"organization", "first"}:            "left out: another there has this id in another spelling",
			{"organization", "second"}:           "left out: another there has this id in another spelling",
			{"client", "first"}:                  "left out: another there has this id in another spelling",
			{"client", "second"}:                 "left out: another there has this id in another spelling",
			{"client", "third"}:                  "left out: its organization was left out",
		} {
			if got := said(report, of[0], of[1]); !strings.HasPrefix(got, want) {
				t.Errorf("%v: %q, want %q", of, got, want)
			}
		}
		for table, rows := range storagetest.Dump(t, to.url, "users", "members", "passwords", "identities") {
			for _, row := range rows {
				if strings.Contains(row, lower) || strings.Contains(row, alive) {
					t.Errorf("%s has %s", table, row)
				}
			}
		}
		if m, _, err := to.db.Members(t.Context(), home, "", 10); err != nil || len(m) != 2 || m[0].UserID == m[1].UserID {
			t.Errorf("the members are %+v, %v", m, err)
		}
		before := storagetest.Dump(t, to.url)
		if to.bring(read(t, source), importer.Options{}); len(before["users"]) != len(storagetest.Dump(t, to.url)["users"]) {
			t.Error("a second run has changed something")
		}
	})
}
