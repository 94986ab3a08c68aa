package faultbench

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"authy/storage"
)

// state is what is there: the facts as the database has them, and how many successful events each
// request has left.
type state struct {
	facts  map[string]string
	events map[string]int
}

// readings select facts, each row a key and its value.
var readings = []string{
	`SELECT 'user/' || email, 'alive' FROM users`,
	`SELECT 'session/' || token_hash, CASE WHEN revoked_at IS NULL THEN 'alive' ELSE 'gone' END FROM sessions`,
	`SELECT 'totp/' || email, CASE WHEN confirmed_at IS NULL THEN 'pending' ELSE 'on' END
		FROM totps JOIN users ON users.id = totps.user_id`,
	`SELECT 'step/' || email, CAST(last_step AS TEXT) FROM totps JOIN users ON users.id = totps.user_id
		WHERE confirmed_at IS NOT NULL`,
	`SELECT 'recovery/' || email, CAST(COUNT(*) AS TEXT)
		FROM recovery_codes JOIN users ON users.id = recovery_codes.user_id WHERE NOT pending GROUP BY email`,
	`SELECT 'org/' || slug, 'alive' FROM organizations`,
	`SELECT 'member/' || slug || '/' || email, role FROM members
		JOIN organizations ON organizations.id = organization_id JOIN users ON users.id = members.user_id`,
	`SELECT 'invitation/' || hash, 'alive' FROM invitations`,
	`SELECT 'link/' || hash, 'alive' FROM links`,
	`SELECT 'consent/' || email || '/' || clients.client_id, 'granted' FROM consents
		JOIN users ON users.id = consents.user_id JOIN clients ON clients.id = consents.client_id`,
	`SELECT 'code/' || hash, CASE WHEN used_at IS NULL THEN 'alive' ELSE 'used' END FROM codes`,
	`SELECT 'refresh/' || hash, CASE WHEN revoked_at IS NOT NULL THEN 'dead'
		WHEN used_at IS NOT NULL THEN 'used' ELSE 'alive' END
		FROM refresh_tokens JOIN grants ON grants.id = grant_id`,
	`SELECT 'client/' || client_id, 'alive' FROM clients`,
	`SELECT 'secret/' || client_id, secret_hash FROM clients`,
}

// invariants select what must not be: halves of things, whoever made them.
var invariants = map[string]string{
	"a user without a password": `SELECT email FROM users LEFT JOIN passwords ON users.id = user_id WHERE user_id IS NULL`,
	"an organization without an owner": `SELECT slug FROM organizations WHERE NOT EXISTS
		(SELECT 1 FROM members WHERE organization_id = organizations.id AND role = 'owner')`,
	"an authenticator without recovery codes": `SELECT email FROM totps JOIN users ON users.id = totps.user_id
		WHERE NOT EXISTS (SELECT 1 FROM recovery_codes WHERE recovery_codes.user_id = totps.user_id)`,
	"a grant without a code or token": `SELECT id FROM grants WHERE revoked_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM codes WHERE grant_id = grants.id)
		AND NOT EXISTS (SELECT 1 FROM refresh_tokens WHERE grant_id = grants.id)`,
	"a used code without a token": `SELECT codes.grant_id FROM codes JOIN grants ON grants.id = codes.grant_id
		WHERE used_at IS NOT NULL AND revoked_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM refresh_tokens WHERE refresh_tokens.grant_id = codes.grant_id)`,
}

// look opens the database of a process to read from it.
func (p *process) look() *sql.DB {
	p.t.Helper()
	driver, source := "pgx", p.database
	if p.engine == "sqlite" {
		driver, source = "sqlite", "file:"+p.file()+"?mode=ro&_pragma=busy_timeout(5000)"
	}
	return open(p.t, driver, source)
}

// meddle opens it to write to it, as nobody should: for what tests plant.
func (p *process) meddle() *sql.DB {
	p.t.Helper()
	if p.engine == "sqlite" {
		return open(p.t, "sqlite", "file:"+p.file()+"?_pragma=busy_timeout(5000)&_pragma=foreign_keys(0)")
	}
	return open(p.t, "pgx", p.database)
}

func open(t testing.TB, driver, source string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// file is the path of a SQLite database.
func (p *process) file() string {
	u, err := url.Parse(p.database)
	if err != nil {
		p.t.Fatal(err)
	}
	return u.Path
}

// look reads what is there.
func (p *process) state() *state {
	p.t.Helper()
	db := p.look()
	defer db.Close() //nolint:errcheck // only read from
	s := &state{facts: map[string]string{}, events: map[string]int{}}
	for _, query := range readings {
		each(p.t, db, query, func(rows *sql.Rows) error {
			var key, value string
			err := rows.Scan(&key, &value)
			s.facts[key] = value
			return err
		})
	}
	each(p.t, db, `SELECT request_id, COUNT(*) FROM events WHERE outcome = 'success' GROUP BY request_id`,
		func(rows *sql.Rows) error {
			var id string
			var n int
			err := rows.Scan(&id, &n)
			s.events[id] = n
			return err
		})
	return s
}

// halves are the invariants that do not hold.
func (p *process) halves() (found []string) {
	p.t.Helper()
	db := p.look()
	defer db.Close() //nolint:errcheck // only read from
	for name, query := range invariants {
		each(p.t, db, query, func(rows *sql.Rows) error {
			var what string
			err := rows.Scan(&what)
			found = append(found, name+": "+what)
			return err
		})
	}
	return found
}

// intact fails the test where the database is damaged in itself.
func (p *process) intact() {
	p.t.Helper()
	if p.engine != "sqlite" {
		return
	}
	db := p.look()
	defer db.Close() //nolint:errcheck // only read from
	each(p.t, db, "PRAGMA integrity_check", func(rows *sql.Rows) error {
		var said string
		err := rows.Scan(&said)
		if said != "ok" {
			p.t.Errorf("integrity_check: %s", said)
		}
		return err
	})
}

func each(t testing.TB, db *sql.DB, query string, row func(*sql.Rows) error) {
	t.Helper()
	rows, err := db.QueryContext(context.WithoutCancel(t.Context()), query)
	if err != nil {
		t.Fatalf("%s: %v", strings.Fields(query)[:6], err)
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		if err := row(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// write changes the database beside the server, by the rules of storage, as commands do.
func (p *process) write(fn func(tx *storage.Tx) error) (err error) {
	c := configuration()
	ctx := context.WithoutCancel(p.t.Context())
	db, err := storage.Open(ctx, storage.Options{URL: p.database, Secret: c.SecretBytes()})
	if err != nil {
		return err
	}
	return errors.Join(db.Update(ctx, fn), db.Close())
}
