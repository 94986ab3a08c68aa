package storage_test

import (
	"slices"
	"testing"

	"authy/storage"
)

// firstRows are rows for the tables of the first schema. What came later has defaults, so that
// every schema takes them.
var firstRows = []string{
	`INSERT INTO users (id, email, full_name, avatar_url, status, is_admin, created_at, updated_at, last_login_ip)
		VALUES ('u1', 'zoë@example.com', 'Zoë "Z" O''Neil', '', 'active', TRUE, 1, 2, ''),
		('u2', 'b@example.com', '', '', 'suspended', FALSE, 1, 2, '::1')`,
	`INSERT INTO passwords (user_id, hash, changed_at) VALUES ('u1', '$2a$04$x', 1), ('u2', '$2a$04$y', 1)`,
	`INSERT INTO organizations (id, slug, name, description, logo_url, is_active, created_at, updated_at)
		VALUES ('o1', 'acme', 'Acme Ltd', '', '', TRUE, 1, 2)`,
	`INSERT INTO members (id, organization_id, user_id, role, invited_by_id, created_at, updated_at)
		VALUES ('m1', 'o1', 'u1', 'owner', NULL, 1, 2), ('m2', 'o1', 'u2', 'member', 'u1', 1, 2)`,
	`INSERT INTO sessions (id, user_id, kind, token_hash, methods, ip_address, user_agent, authenticated_at,
			created_at, updated_at, last_activity_at, expires_at, revoked_at, revoked_reason)
		VALUES ('s1', 'u1', 'web', 't1', 'pwd', '', '', 1, 1, 1, 1, 9, NULL, ''),
		('s2', 'u2', 'api', 't2', 'pwd', '', '', 1, 1, 1, 1, 9, 5, 'logout')`,
	`INSERT INTO clients (id, client_id, organization_id, name, secret_hash, auth_method, application_type,
			require_pkce, is_active, skip_consent, redirect_uris, post_logout_redirect_uris, grant_types, response_types,
			scopes, id_token_alg, access_token_lifetime, refresh_token_lifetime, id_token_lifetime, logo_uri, client_uri,
			policy_uri, tos_uri, created_at, updated_at)
		VALUES ('c1', 'portal', 'o1', 'The Portal', '', 'client_secret_basic', 'web', TRUE, TRUE, FALSE, '', '', '',
			'', '', 'RS256', 1, 1, 1, '', '', '', '', 1, 2),
		('c2', 'old', NULL, 'Old', 'hash', 'client_secret_post', 'web', FALSE, TRUE, FALSE, '', '', '',
			'', '', 'RS256', 1, 1, 1, '', '', '', '', 1, 2)`,
	`INSERT INTO consents (user_id, client_id, scopes, created_at, updated_at) VALUES ('u1', 'c1', 'openid', 1, 2)`,
	`INSERT INTO grants (id, user_id, client_id, session_id, scopes, methods, authenticated_at, created_at,
			expires_at, revoked_reason)
		VALUES ('g1', 'u1', 'c1', 's1', 'openid', 'pwd', 1, 1, 9, ''), ('g2', 'u2', 'c2', NULL, 'openid', '', 1, 1, 9, '')`,
	`INSERT INTO codes (hash, grant_id, redirect_uri, code_challenge, nonce, created_at, expires_at)
		VALUES ('h1', 'g1', '', '', '', 1, 9)`,
	`INSERT INTO refresh_tokens (hash, grant_id, created_at, expires_at) VALUES ('h2', 'g1', 1, 9)`,
	`INSERT INTO revoked_tokens (id, expires_at) VALUES ('j1', 9)`,
	`INSERT INTO keys (id, algorithm, state, private, created_at, updated_at)
		VALUES ('k1', 'RS256', 'signing', 'v1.x', 1, 2), ('k2', 'RS256', 'retired', 'v1.y', 1, 2)`,
	`INSERT INTO flows (id, browser_hash, session_id, request, created_at, expires_at) VALUES ('f1', 'b', 's1', '{}', 1, 9)`,
	`INSERT INTO links (hash, purpose, user_id, created_at, expires_at) VALUES ('l1', 'setup', 'u1', 1, 9)`,
	`INSERT INTO events (id, at, action, outcome, reason, actor_kind, actor_id, target_kind, target_id,
			organization_id, ip_address, user_agent, request_id, session_id, details)
		VALUES ('e1', 1, 'user.login', 'success', '', 'user', 'u1', 'user', 'u1', '', '', '', '', '', '')`,
}

// laterRows are rows for tables that a later step makes anew, by the table that they are for
// and the column that the old one has not.
var laterRows = map[[2]string]string{
	{"logouts", "service_id"}: `INSERT INTO logouts (id, client_id, user_id, subject, session_id, uri, state, attempts,
			last_error, created_at, expires_at)
		VALUES ('x1', 'c1', 'u1', 'u1', 's1', 'https://app.example/out', 'waiting', 0, '', 1, 9)`,
}

// fillAny puts rows into a database of whichever schema.
func fillAny(t *testing.T, db *storage.DB) {
	t.Helper()
	execute(t, db, firstRows...)
	tables, err := db.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for of, statement := range laterRows {
		if slices.Contains(tables, of[0]) && !slices.Contains(columns(t, db, of[0]), of[1]) {
			execute(t, db, statement)
		}
	}
}

func columns(t *testing.T, db *storage.DB, table string) []string {
	t.Helper()
	if db.IsSQLite() {
		return texts(t, db, "SELECT name FROM pragma_table_info('"+table+"')")
	}
	return texts(t, db, "SELECT column_name FROM information_schema.columns WHERE table_name = '"+table+"'")
}
