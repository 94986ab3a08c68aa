package storagetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver

	"authy/storage"
)

// Size is how much [Fill] puts into a database. Each user has a password, a
// place in an organization, and a grant with a code, a refresh token, an opaque
// access token and a consent; every tenth a flow. There is an organization for a hundred users;
// the first has up to 10,000 members.
type Size struct {
	Users, Sessions, Events int
	PasswordHash            string // of every user; "" for one that no password has
}

// BigOrg is how many members the first organization has at most.
const BigOrg = 10_000

// Shares of the events that one actor, target or organization has, and of what is
// rare: of so many events, one.
const (
	busy = 50
	rare = 1000
)

// prime and factor scatter numbers: i * factor % prime is different for each i.
const (
	prime  = 2147483647
	factor = 1103515245
)

// clients is how many there are; the first ten are used.
const clients = 1000

// fillSlice is how many rows one statement adds.
const fillSlice = 500_000

// UserID is the id of a user of a filled database; the first is 1.
func UserID(i int) string { return fmt.Sprintf("01900001-0000-7000-8000-%012d", i) }

// OrgID is the id of an organization of a filled database.
func OrgID(i int) string { return fmt.Sprintf("01900002-0000-7000-8000-%012d", i) }

// MemberID is the id of a user's place in an organization of a filled database.
func MemberID(i int) string { return fmt.Sprintf("01900005-0000-7000-8000-%012d", i) }

// EventID is the id of an event of a filled database.
func EventID(i int) string { return fmt.Sprintf("01900009-0000-7000-8000-%012d", i) }

// Email is the address of a user of a filled database. Addresses have another
// order than ids; see [EmailAt].
func Email(i int) string { return fmt.Sprintf("user-%010d@example.com", i*factor%prime) }

// EmailAt is where in the order of addresses a part of all, 0 to 1, has been passed.
func EmailAt(part float64) string { return fmt.Sprintf("user-%010d", int(part*prime)) }

// TokenHash is the hash of the token of a session of a filled database.
func TokenHash(i int) string { return fmt.Sprintf("%010d%s", i*factor%prime, strings.Repeat("s", 33)) }

// RefreshHash is the hash of a refresh token of a filled database.
func RefreshHash(i int) string {
	return fmt.Sprintf("%010d%s", i*factor%prime, strings.Repeat("r", 33))
}

// AccessHash is the hash of an opaque access token of a filled database.
func AccessHash(i int) string {
	return fmt.Sprintf("%010d%s", i*factor%prime, strings.Repeat("a", 33))
}

// EventAt is when an event of a filled database happened, given how many it has.
func EventAt(i, events int) time.Time { return fillEnd.Add(time.Duration(i-events) * time.Second) }

// fillEnd is when the newest event happened.
var fillEnd = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// filling is what Fill puts into a table: so many rows, numbered by i from 1.
type filling struct {
	table, columns, values string
	rows                   int
}

// insert is the statement that adds the rows from one number to another.
func (f filling) insert(from, to int) string {
	numbers := fmt.Sprintf("SELECT CAST(%d AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < %d", from, to)
	return "WITH RECURSIVE n(i) AS (" + numbers + ") INSERT INTO " + f.table + " (" + f.columns + ") SELECT " +
		f.values + " FROM n"
}

// digits is SQL for a number with leading zeros, so many digits in all.
func digits(n int, expr string) string {
	return fmt.Sprintf("substr(CAST(1%s + (%s) AS TEXT), 2)", strings.Repeat("0", n), expr)
}

func scattered(expr string) string { return fmt.Sprintf("((%s) * %d %% %d)", expr, factor, prime) }

func idOf(kind int, expr string) string {
	return fmt.Sprintf("'0190000%d-0000-7000-8000-' || %s", kind, digits(12, expr))
}

func hashOf(letter, expr string) string {
	return digits(10, scattered(expr)) + " || '" + strings.Repeat(letter, 33) + "'"
}

// fillings lists what a database of a size has, in terms that both engines know.
func (s Size) fillings() []filling {
	c := cells{
		now: strconv.FormatInt(fillEnd.UnixMilli(), 10),
		end: strconv.FormatInt(time.Now().Add(24*time.Hour).UnixMilli(), 10) + " + i",
	}
	orgs := max(1, s.Users/100)
	all := append(append(s.people(c, orgs), s.applications(c)...), s.logouts(c)...)
	return append(append(all, s.peers(c, orgs)...), s.events(orgs))
}

// cells are SQL for when something happened and when it ends.
type cells struct{ now, end string }

// people are users, where they belong, and their sessions.
func (s Size) people(c cells, orgs int) []filling {
	hash := s.PasswordHash
	if hash == "" {
		hash = "none"
	}
	org := idOf(2, fmt.Sprintf("CASE WHEN i <= %d THEN 1 ELSE i %% %d + 1 END", BigOrg, orgs))
	return []filling{
		{
			"users", `id, email, email_verified_at, full_name, avatar_url, status, is_admin, created_at, updated_at,
				last_login_ip`,
			row(idOf(1, "i"), "'user-' || "+digits(10, scattered("i"))+" || '@example.com'", c.now,
				"'A Person of Some Name'", "''", "CASE WHEN i % 100 = 0 THEN 'suspended' ELSE 'active' END",
				"FALSE", c.now, c.now, "''"), s.Users,
		},
		{"user_terms", "term, user_id", row("'user-' || "+digits(10, scattered("i"))+" || '@example.com'", idOf(1, "i")), s.Users},
		{"user_terms", "term, user_id", row("'person of some name'", idOf(1, "i")), s.Users},
		{"passwords", "user_id, hash, changed_at", row(idOf(1, "i"), "'"+hash+"'", c.now), s.Users},
		{
			"organizations", "id, slug, name, description, logo_url, is_active, created_at, updated_at",
			row(idOf(2, "i"), "'org-' || "+digits(10, scattered("i")), "'An Organization'", "''", "''", "TRUE",
				c.now, c.now), orgs,
		},
		{"organization_terms", "term, organization_id", row("'org-' || "+digits(10, scattered("i")), idOf(2, "i")), orgs},
		{
			"members", "id, organization_id, user_id, role, joined_at, created_at, updated_at",
			row(idOf(5, "i"), org, idOf(1, "i"), "CASE WHEN i % 100 = 1 THEN 'owner' ELSE 'member' END",
				c.now, c.now, c.now), s.Users,
		},
		{
			"sessions", `id, user_id, kind, token_hash, methods, ip_address, user_agent, authenticated_at, created_at,
				updated_at, last_activity_at, expires_at, revoked_reason`,
			row(idOf(3, "i"), idOf(1, within(s.Users)), "'api'", hashOf("s", "i"), "'pwd'", "'192.0.2.10'",
				"'Mozilla/5.0 (X11; Linux)'", c.now, c.now, c.now, c.now, c.end, "''"), s.Sessions,
		},
	}
}

// applications are clients and what users granted them.
func (s Size) applications(c cells) []filling {
	client, session := idOf(4, "1 + i % 10"), idOf(3, within(s.Sessions))
	return []filling{
		{
			"clients", `id, client_id, name, secret_hash, auth_method, application_type, require_pkce, is_active,
				skip_consent, redirect_uris, post_logout_redirect_uris, grant_types, response_types, scopes,
				id_token_alg, access_token_lifetime, refresh_token_lifetime, id_token_lifetime, logo_uri, client_uri,
				policy_uri, tos_uri, created_at, updated_at`,
			row(idOf(4, "i"), "'client-' || "+digits(4, "i"), "'A Client', '', '', 'web', TRUE, TRUE, FALSE",
				"'', '', '', '', 'openid', '', 3600, 3600, 3600, '', '', '', ''", c.now, c.now), clients,
		},
		{"client_terms", "term, client_id", row("'client-' || "+digits(4, "i"), idOf(4, "i")), clients},
		{
			"consents", "user_id, client_id, scopes, created_at, updated_at",
			row(idOf(1, "i"), client, "'openid'", c.now, c.now), s.Users,
		},
		{
			"grants", `id, user_id, client_id, session_id, scopes, methods, authenticated_at, created_at, expires_at,
				revoked_reason`,
			row(idOf(6, "i"), idOf(1, "i"), client, session, "'openid profile'", "'pwd'", c.now, c.now, c.end, "''"),
			s.Users,
		},
		{
			"codes", "hash, grant_id, redirect_uri, code_challenge, nonce, created_at, expires_at, used_at",
			row(hashOf("c", "i"), idOf(6, "i"), "'https://portal.example.com/callback'", "'challenge'", "''",
				c.now, c.now, c.now), s.Users,
		},
		{
			"refresh_tokens", "hash, grant_id, created_at, expires_at",
			row(hashOf("r", "i"), idOf(6, "i"), c.now, c.end), s.Users,
		},
		{
			"access_tokens", "hash, grant_id, scopes, audience, jkt, actor, created_at, expires_at",
			row(hashOf("a", "i"), idOf(6, "i"), "'openid profile'", "''", "''", "''", c.now, c.end), s.Users,
		},
		{
			"api_tokens", "id, user_id, kind, name, token_hash, scopes, created_at",
			row(idOf(8, "i"), idOf(1, "i"), "'personal'", "'A Token'", hashOf("t", "i"), "'profile:read'", c.now), s.Users / 10,
		},
		{
			"passkeys", "id, user_id, credential_id, public_key, sign_count, transports, aaguid, backup_eligible, backed_up, user_verified, name, created_at",
			row(idOf(0, "i"), idOf(1, "i"), hashOf("k", "i"), "'key'", "0", "''", "''", "FALSE", "FALSE", "TRUE", "'A Passkey'", c.now), s.Users / 10,
		},
		{
			"flows", "id, browser_hash, session_id, request, created_at, expires_at",
			row(idOf(7, "i"), "'browser'", session, "'{}'", c.now, c.end), s.Users / 10,
		},
	}
}

// logouts are the clients that sessions went to, and what was told to some.
func (s Size) logouts(c cells) []filling {
	return []filling{
		{"visits", "session_id, client_id, subject, created_at", row(idOf(3, "i"), idOf(4, "1 + i % 10"), "'bob'", c.now), s.Sessions},
		{
			"logouts", "id, client_id, user_id, subject, name_id_format, session_id, session_index, uri, state, attempts, last_error, created_at, next_at, expires_at",
			row(idOf(9, "i"), idOf(4, "1 + i"), idOf(1, within(s.Users)), "'bob', ''", idOf(3, "i"), "'', 'https://rp.example.com/logout'",
				"CASE WHEN i % 10 = 0 THEN 'retrying' ELSE 'delivered' END", "1", "''", c.now,
				"CASE WHEN i % 10 = 0 THEN "+c.now+" END", c.end), min(s.Sessions, clients-1),
		},
	}
}

// within is SQL for the numbers from 1 to n, over and over.
func within(n int) string { return fmt.Sprintf("(i - 1) %% %d + 1", n) }

// row is SQL for the values of a row.
func row(values ...string) string { return strings.Join(values, ", ") }

// events are by and about users in turn, but for one in busy that is by user 1, and
// the next, that is about user 1; half are of an organization, one in busy of the first.
func (s Size) events(orgs int) filling {
	turn := fmt.Sprintf("i / %d %% %d + 1", busy, orgs)
	other := fmt.Sprintf("%s %% %d + 1", scattered("i"), s.Users)
	return filling{
		"events",
		`id, at, action, outcome, reason, actor_kind, actor_id, target_kind, target_id, organization_id, ip_address,
			user_agent, request_id, session_id, details, seq, hash`,
		row(
			idOf(9, "i"), fmt.Sprintf("%d + (i - %d) * 1000", fillEnd.UnixMilli(), s.Events),
			fmt.Sprintf("CASE WHEN i %% %d < 2 THEN 'user.delete' WHEN i %% 10 < 7 THEN 'user.login' ELSE 'session.revoke' END", rare),
			"CASE WHEN i % 20 = 0 THEN 'failure' ELSE 'success' END", "''", "'user'",
			idOf(1, fmt.Sprintf("CASE WHEN i %% %d = 0 THEN 1 ELSE %s END", busy, other)), "'user'",
			idOf(1, fmt.Sprintf("CASE WHEN i %% %d = 1 THEN 1 ELSE %s END", busy, other)),
			fmt.Sprintf("CASE WHEN i %% %d = 0 THEN %s WHEN i %% 2 = 1 THEN %s ELSE '' END", busy, idOf(2, "1"), idOf(2, turn)),
			"'192.0.2.10'", "'Mozilla/5.0 (X11; Linux)'", digits(26, "i"), idOf(3, fmt.Sprintf("i %% %d + 1", s.Sessions)),
			"''", "i", hashOf("e", "i"),
		), s.Events,
	}
}

// Fill migrates the empty database that url names and fills it, a million rows in
// some ten seconds. Nothing may have it open. What it writes can be lost in a crash.
func Fill(t testing.TB, url string, s Size) {
	t.Helper()
	began := time.Now()
	ctx := t.Context()
	db, err := storage.Open(ctx, storage.Options{URL: url, Secret: Secret})
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	_, err = db.Migrate(ctx, Files(t))
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatalf("migrate %s: %v", url, err)
	}
	kind := engineOf(url)
	pool, err := sql.Open(kind.driver, strings.Replace(url, "sqlite:", "file:", 1))
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	defer pool.Close() //nolint:errcheck // what was written is seen to be there
	pool.SetMaxOpenConns(1)
	if err := kind.fill(ctx, pool, s.fillings()); err != nil {
		t.Fatalf("fill %s: %v", url, err)
	}
	t.Logf("%d users, %d sessions and %d events written in %v", s.Users, s.Sessions, s.Events,
		time.Since(began).Round(time.Millisecond))
}

// bulk is how an engine is filled quickly.
type bulk struct {
	driver        string
	before, after []string
	indexes       string // the query for the names of indexes and what makes them
	tables        string // the query for the names of tables
}

func engineOf(url string) bulk {
	if strings.HasPrefix(url, "sqlite:") {
		return bulk{
			driver: "sqlite",
			before: []string{
				"PRAGMA synchronous = OFF", "PRAGMA cache_size = -500000", "PRAGMA wal_autocheckpoint = 20000",
			},
			after:   []string{"PRAGMA wal_checkpoint(TRUNCATE)"},
			indexes: "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
			tables:  "SELECT name FROM sqlite_master WHERE type = 'table'",
		}
	}
	return bulk{
		driver: "pgx",
		before: []string{"SET session_replication_role = replica", "SET maintenance_work_mem = '512MB'"},
		after:  []string{"VACUUM ANALYZE"},
		indexes: `SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
			AND indexname NOT IN (SELECT conindid::regclass::text FROM pg_constraint WHERE conindid <> 0)`,
		tables: "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
	}
}

// fill adds rows without indexes, which are made when all is there: in order they
// are quicker to make.
func (k bulk) fill(ctx context.Context, pool *sql.DB, all []filling) error {
	for _, statement := range k.before {
		if _, err := pool.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	indexes, err := k.dropIndexes(ctx, pool)
	if err != nil {
		return err
	}
	for _, f := range all {
		for from := 1; from <= f.rows; from += fillSlice {
			statement := f.insert(from, min(f.rows, from+fillSlice-1))
			if _, err := pool.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
	}
	// Whoever opens the database next marks it with their secret key.
	for _, statement := range append(append(indexes, "DELETE FROM meta"), k.after...) {
		if _, err := pool.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// dropIndexes drops every index and returns what makes them again.
func (k bulk) dropIndexes(ctx context.Context, pool *sql.DB) (create []string, err error) {
	rows, err := pool.QueryContext(ctx, k.indexes)
	if err != nil {
		return nil, fmt.Errorf("find indexes: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err says what matters
	var drop []string
	for rows.Next() {
		var name, statement string
		if err := rows.Scan(&name, &statement); err != nil {
			return nil, fmt.Errorf("find indexes: %w", err)
		}
		drop, create = append(drop, "DROP INDEX "+name), append(create, statement)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("find indexes: %w", err)
	}
	for _, statement := range drop {
		if _, err := pool.ExecContext(ctx, statement); err != nil {
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
	}
	return create, nil
}
