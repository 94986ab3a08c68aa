package storage

import (
	"context"
	"strings"
	"testing"
	"time"
)

// Names of cached records, for tests that look into the cache.
const (
	UserKey      = userKey
	SessionKey   = sessionKey
	TokenKey     = tokenKey
	ClientKey    = clientKey
	ClientRowKey = clientRowKey
	GrantKey     = grantKey
	MemberKey    = memberKey
	OrgKey       = orgKey
	KeysKey      = keysKey
	RevokedKey   = revokedKey
	APITokenKey  = apiTokenKey
	PasswordKey  = passwordKey
)

// Lived are the tables of what is made and ends.
func Lived() (tables []string) {
	for _, l := range lived {
		tables = append(tables, l.table)
	}
	return tables
}

// Holds says whether the cache holds the record under key.
func (db *DB) Holds(key string) bool {
	_, ok := db.cache.records.GetIfPresent(cacheKeyOf(key))
	return ok
}

// Forget empties the cache.
func (db *DB) Forget() { db.cache.dropAll() }

// IsCaching says whether records are being cached.
func (db *DB) IsCaching() bool {
	db.cache.mu.RLock()
	defer db.cache.mu.RUnlock()
	return !db.cache.off
}

// Waiting returns how many transactions wait for SQLite's writer.
func (db *DB) Waiting() int { return len(db.engine.(*sqliteEngine).writer.jobs) }

// IsSQLite says whether db is SQLite.
func (db *DB) IsSQLite() bool {
	_, ok := db.engine.(*sqliteEngine)
	return ok
}

// Reconnect has SQLite read with new connections: those that are open plan by the
// statistics that they found when they were opened.
func (db *DB) Reconnect() {
	if e, ok := db.engine.(*sqliteEngine); ok {
		e.pool.SetMaxIdleConns(-1)
		e.pool.SetMaxIdleConns(readers)
	}
}

// Tables are the names of all tables.
func (db *DB) Tables(ctx context.Context) ([]string, error) { return db.engine.tables(ctx) }

// CheckRoom says whether the disk has room for a snapshot.
func (db *DB) CheckRoom(ctx context.Context) error { return db.checkRoom(ctx) }

// swollen is an engine that takes so many bytes.
type swollen struct {
	engine
	bytes int64
}

func (s swollen) size(context.Context) (int64, error) { return s.bytes, nil }

// Swell makes the database as large as the disk has no room for.
func (db *DB) Swell(bytes int64) { db.engine = swollen{db.engine, bytes} }

// Exec runs a statement as it is, and tells no cache.
func (tx *Tx) Exec(ctx context.Context, statement string) error {
	_, err := tx.conn.ExecContext(ctx, statement)
	return translate(err)
}

// Exec runs a statement on a connection that reads.
func (db *DB) Exec(ctx context.Context, statement string) error {
	_, err := db.conn.ExecContext(ctx, statement)
	return translate(err)
}

// Texts returns the first column of what a query finds.
func (r Reader) Texts(ctx context.Context, query string) ([]string, error) {
	rows, err := r.conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err says what matters
	var texts []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, rows.Err()
}

// ExplainEvents returns the plan of [Reader.EventsMatching].
func (db *DB) ExplainEvents(t testing.TB, f EventFilter, after EventKey, limit int) string {
	t.Helper()
	var events []Event
	return db.Explain(t, db.matching(&events, f, after, limit).String())
}

// MFAPlans returns the plans of what is asked about policies, by name.
func (db *DB) MFAPlans(t testing.TB) map[string]string {
	t.Helper()
	var states []MFAState
	out := map[string]string{
		"states of a user": db.mfaStates(&states).Where("m.user_id = ?", "u").OrderExpr("m.created_at, m.id").String(),
		"states in an organization": db.mfaStates(&states).Where("m.organization_id = ? AND m.id > ?", "o", "m").
			OrderExpr("m.id").Limit(5).String(),
		"policies to sweep": "SELECT organization_id FROM mfa_policies WHERE sweep_at <= 5 ORDER BY sweep_at, organization_id LIMIT 1",
		"overdue records": "SELECT user_id FROM mfa_compliance WHERE status = 'in_grace' AND deadline_at <= 5 " +
			"ORDER BY deadline_at LIMIT 5",
	}
	for name, query := range out {
		out[name] = db.Explain(t, query)
	}
	return out
}

// Explain returns the plan of a query.
func (db *DB) Explain(t testing.TB, query string) string {
	t.Helper()
	if !db.IsSQLite() {
		lines, err := db.Texts(t.Context(), "EXPLAIN "+query)
		if err != nil {
			t.Fatalf("explain %s: %v", query, err)
		}
		return strings.Join(lines, "\n")
	}
	rows, err := db.conn.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query)
	if err != nil {
		t.Fatalf("explain %s: %v", query, err)
	}
	defer rows.Close() //nolint:errcheck // Err says what matters
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(detail + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}

// ExplainUsers returns the plan of [Reader.Users].
func (db *DB) ExplainUsers(t testing.TB, f UserFilter, after string, limit int) string {
	t.Helper()
	var users []User
	return db.Explain(t, db.usersByEmail(&users, f, after, limit).String())
}

// ExplainSearch returns the plan by which [Reader.UsersFound] searches.
func (db *DB) ExplainSearch(t testing.TB, text string, after TermKey, f UserFilter) string {
	t.Helper()
	return db.Explain(t, db.searching(userTerms, text, after, 50, f.narrowFound).String())
}

// ExplainSessions returns the plan of [Reader.SessionsMatching].
func (db *DB) ExplainSessions(t testing.TB, f SessionFilter, before string) string {
	t.Helper()
	var sessions []Session
	return db.Explain(t, db.sessionsOf(&sessions, f, before, 50).String())
}

// StandStill has the database have said nothing for a while.
func (db *DB) StandStill(d time.Duration) { db.cache.hears(time.Now().Add(-d)) }

// ServerLock is the lock that servers share.
const ServerLock = serverLock
