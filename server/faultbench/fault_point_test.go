package faultbench

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"modernc.org/sqlite"
)

// points are the places at which the writes of a server can be made to fail: each change of a row,
// and the commit. They are numbered as they are passed, from 1. The program has no part in it: on
// SQLite they are temporary triggers of the connection that writes, on PostgreSQL triggers.
type points interface {
	// arm starts the numbers anew and lets the n-th point fail; 0 lets none.
	arm(n int)
	// fired says whether a point has failed since, and which.
	fired() string
}

// quiet are changes that a server makes by itself, at any time: they are no points.
var quiet = map[string]bool{
	"events UPDATE": true, "event_heads INSERT": true, "event_heads UPDATE": true, "meta INSERT": true,
	"meta UPDATE": true, "sessions UPDATE": true, "daily_counts INSERT": true, "daily_counts UPDATE": true,
	"mails UPDATE": true, "flows DELETE": true, "mfa_policies UPDATE": true, "incidents INSERT": true,
	"incidents UPDATE": true, "refusals INSERT": true, "refusals UPDATE": true,
}

var operations = []string{"INSERT", "UPDATE", "DELETE"}

// pointsOf plants the points of a process's database, before its server is started.
func pointsOf(t testing.TB, p *process) points {
	t.Helper()
	if p.engine == "postgres" {
		return postgresPoints(t, p)
	}
	s := &sqlitePoints{path: p.file()}
	hooked()
	known.Store(s.path, s)
	t.Cleanup(func() { known.Delete(s.path) })
	return s
}

// sqlitePoints are those of one file.
type sqlitePoints struct {
	path string

	mu       sync.Mutex
	left     int // passes until the one that fails; below zero when it is over
	last     string
	eventful bool // the transaction has an event, as those of requests have
}

var errPlanted = errors.New("planted fault")

func (s *sqlitePoints) arm(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.last, s.eventful = n, "", false
}

func (s *sqlitePoints) fired() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// pass passes a point.
func (s *sqlitePoints) pass(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch name {
	case "events INSERT":
		s.eventful = true
	case "COMMIT":
		if !s.eventful {
			return nil
		}
		s.eventful = false
	}
	if s.left--; s.left != 0 {
		return nil
	}
	s.last = name
	return errPlanted
}

var (
	// known are the points of each file.
	known sync.Map
	// hooked has each connection that writes to a known file carry the triggers.
	hooked = sync.OnceFunc(func() {
		sqlite.MustRegisterScalarFunction("fault_point", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			if s, ok := known.Load(args[0]); ok {
				name, _ := args[1].(string)
				return nil, s.(*sqlitePoints).pass(name)
			}
			return nil, nil
		})
		sqlite.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, dsn string) error {
			path, options, _ := strings.Cut(strings.TrimPrefix(dsn, "file:"), "?")
			s, ok := known.Load(path)
			if !ok || !strings.Contains(options, "_txlock=immediate") {
				return nil
			}
			conn.(sqlite.HookRegisterer).RegisterCommitHook(func() int32 {
				if s.(*sqlitePoints).pass("COMMIT") != nil {
					return 1
				}
				return 0
			})
			return sqliteTriggers(conn, path)
		})
	})
)

func sqliteTriggers(conn sqlite.ExecQuerierContext, path string) error {
	ctx := context.Background()
	rows, err := conn.QueryContext(ctx, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'", nil)
	if err != nil {
		return err
	}
	var tables []string
	row := make([]driver.Value, 1)
	for rows.Next(row) == nil {
		name, _ := row[0].(string)
		tables = append(tables, name)
	}
	if err := rows.Close(); err != nil {
		return err
	}
	for _, table := range tables {
		for _, operation := range operations {
			name := table + " " + operation
			if quiet[name] {
				continue
			}
			_, err := conn.ExecContext(ctx, fmt.Sprintf(
				`CREATE TEMP TRIGGER "fault %[1]s" BEFORE %[2]s ON main.%[3]s BEGIN SELECT fault_point('%[4]s', '%[1]s'); END`,
				name, operation, table, path), nil)
			if err != nil {
				return fmt.Errorf("trigger on %s: %w", name, err)
			}
		}
	}
	return nil
}

// pgPoints are those of one database. Their number and the one that fails are sequences, which
// no transaction takes back.
type pgPoints struct {
	t  testing.TB
	db *sql.DB
}

const pgFault = `
CREATE SEQUENCE fault_passed;
CREATE SEQUENCE fault_fails MINVALUE 0;
CREATE SEQUENCE fault_fired MINVALUE 0;
CREATE FUNCTION fault_point() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF nextval('fault_passed') = (SELECT last_value FROM fault_fails) THEN
		PERFORM setval('fault_fired', 1);
		RAISE EXCEPTION 'planted fault at % %', TG_TABLE_NAME, TG_OP;
	END IF;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER fault_commit AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION fault_point();`

func postgresPoints(t testing.TB, p *process) points {
	t.Helper()
	db := open(t, "pgx", p.database)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &pgPoints{t, db}
	s.exec(pgFault)
	var tables []string
	each(t, db, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'", func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		tables = append(tables, name)
		return err
	})
	for _, table := range tables {
		for _, operation := range operations {
			if !quiet[table+" "+operation] {
				s.exec(fmt.Sprintf(`CREATE TRIGGER fault_%[1]s BEFORE %[1]s ON %[2]s FOR EACH STATEMENT EXECUTE FUNCTION fault_point()`,
					operation, table))
			}
		}
	}
	return s
}

func (s *pgPoints) exec(statement string) {
	s.t.Helper()
	if _, err := s.db.ExecContext(s.t.Context(), statement); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

func (s *pgPoints) arm(n int) {
	s.t.Helper()
	s.exec(fmt.Sprintf("SELECT setval('fault_passed', 1, false), setval('fault_fired', 0), setval('fault_fails', %d)", n))
}

func (s *pgPoints) fired() (name string) {
	s.t.Helper()
	each(s.t, s.db, "SELECT CASE WHEN last_value = 1 THEN 'a point' ELSE '' END FROM fault_fired",
		func(rows *sql.Rows) error { return rows.Scan(&name) })
	return name
}
