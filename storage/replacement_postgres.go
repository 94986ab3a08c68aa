package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgresTables lists the tables of the schema that authy is in, and their columns; but
// for those that are not logged: what PostgreSQL itself forgets in a crash is in no archive.
const postgresTables = `SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relpersistence = 'p' AND a.attnum > 0 AND NOT a.attisdropped
	ORDER BY c.relname COLLATE "C", a.attname COLLATE "C"`

// restoring is the schema in which a replacement is made.
const restoring = "authy_restoring"

func (e *postgresEngine) catalogue() string { return postgresTables }

func (e *postgresEngine) snapshot(ctx context.Context) (*sql.Tx, error) {
	return e.pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
}

// beside makes a schema beside that which authy is in.
func (e *postgresEngine) beside(ctx context.Context, files fs.FS) (place, error) {
	p := &postgresPlace{config: e.config, files: files}
	if err := p.claim(ctx); err != nil {
		return nil, err
	}
	err := p.run(ctx, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, "SELECT current_schema()").Scan(&p.schema); err != nil {
			return err
		}
		old, err := p.oldTables(ctx, tx)
		if err != nil {
			return err
		}
		p.isFull = len(old) > 0
		if _, err = tx.Exec(ctx, "DROP SCHEMA IF EXISTS "+restoring+" CASCADE; CREATE SCHEMA "+restoring); err != nil {
			return err
		}
		return tx.QueryRow(ctx, "SELECT oid FROM pg_namespace WHERE nspname = $1", restoring).Scan(&p.made)
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w; who authy connects as must own its tables, and may need: "+
			"GRANT CREATE ON DATABASE %s TO %s", err, e.config.Database, e.config.User),
			p.conn.Close(context.WithoutCancel(ctx)))
	}
	return p, nil
}

// postgresPlace is a schema beside the database's own.
type postgresPlace struct {
	config *pgx.ConnConfig
	files  fs.FS
	conn   *pgx.Conn // holds the lock
	schema string
	made   uint32 // the number of the schema that was made
	isFull bool   // there are tables
}

// claim takes the lock of replacements, on a connection that is not cut for being idle.
func (p *postgresPlace) claim(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, p.config.Copy())
	if err != nil {
		return translate(err)
	}
	got, err := claimOn(ctx, conn, "pg_try_advisory_lock", replaceLock)
	if err == nil && !got {
		err = errReplacing
	}
	if err == nil {
		_, err = conn.Exec(ctx, "SET lock_timeout = '10s'")
	}
	if err == nil {
		_, err = conn.Exec(ctx, `SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'`)
	}
	if err != nil {
		return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}
	p.conn = conn
	return nil
}

func (p *postgresPlace) replaces() bool { return p.isFull }

func (p *postgresPlace) options() Options {
	return Options{URL: withSearchPath(p.config.ConnString(), restoring)}
}

// withSearchPath is a URL of a database, for what is in one of its schemas.
func withSearchPath(rawURL, schema string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return rawURL // impossible: it was opened
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// run runs fn in a transaction of the connection that holds the lock: without the lock
// nothing is done.
func (p *postgresPlace) run(ctx context.Context, fn func(pgx.Tx) error) error {
	return heldUp(pgx.BeginFunc(ctx, p.conn, fn))
}

// load copies without foreign keys, and adds them afterwards: to check them all at once
// takes a fraction of the time.
func (p *postgresPlace) load(ctx context.Context, db *DB, fn func(loader) error) error {
	held, err := db.bun.Conn(ctx)
	if err != nil {
		return translate(err)
	}
	defer held.Close() //nolint:errcheck // the transaction says what matters
	tx, err := held.Conn.BeginTx(ctx, nil)
	if err != nil {
		return translate(err)
	}
	if err := p.loadIn(ctx, held.Conn, tx, fn); err != nil {
		return errors.Join(err, ended(tx.Rollback()))
	}
	return translateCommit(tx.Commit())
}

func (p *postgresPlace) loadIn(ctx context.Context, held *sql.Conn, tx *sql.Tx, fn func(loader) error) error {
	drop, add, err := foreignKeys(ctx, tx)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, drop); err != nil {
		return translate(err)
	}
	if err := fn(postgresLoader{tx, held}); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, add); err != nil {
		return translate(err)
	}
	_, err = tx.ExecContext(ctx, "ANALYZE")
	return translate(err)
}

// foreignKeys returns the statements that drop them all and that add them again.
func foreignKeys(ctx context.Context, q querier) (drop, add string, err error) {
	rows, err := q.QueryContext(ctx, `SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
		FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace ORDER BY conname`)
	if err != nil {
		return "", "", translate(err)
	}
	defer rows.Close() //nolint:errcheck // Err says what matters
	var drops, adds strings.Builder
	for rows.Next() {
		var table, name, is string
		if err := rows.Scan(&table, &name, &is); err != nil {
			return "", "", translate(err)
		}
		key := pgx.Identifier{name}.Sanitize()
		fmt.Fprintf(&drops, "ALTER TABLE %s DROP CONSTRAINT %s;\n", table, key)
		fmt.Fprintf(&adds, "ALTER TABLE %s ADD CONSTRAINT %s %s;\n", table, key, is)
	}
	return drops.String(), adds.String(), translate(rows.Err())
}

// postgresLoader is a transaction and the connection that it is on.
type postgresLoader struct {
	*sql.Tx
	held *sql.Conn
}

func (l postgresLoader) run(ctx context.Context, statement string) (int64, error) {
	res, err := l.ExecContext(ctx, statement)
	if err != nil {
		return 0, translate(err)
	}
	return res.RowsAffected()
}

func (l postgresLoader) copy(ctx context.Context, t *table, next func() ([]any, error)) error {
	return l.held.Raw(func(driver any) error {
		_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{t.Name}, t.Columns, pgx.CopyFromFunc(next))
		return translate(err)
	})
}

// publish moves the tables, in one transaction: those that are there to a schema of their
// own, the new ones to where they were.
func (p *postgresPlace) publish(ctx context.Context, stamp string) (string, error) {
	aside := "authy_before_restore_" + stamp
	err := p.run(ctx, func(tx pgx.Tx) error {
		old, err := p.oldTables(ctx, tx)
		if err != nil {
			return err
		}
		fresh, err := tablesIn(ctx, tx, restoring)
		if err != nil {
			return err
		}
		if len(old) == 0 {
			aside = ""
		} else if _, err := tx.Exec(ctx, "CREATE SCHEMA "+aside); err != nil {
			return err
		}
		if err := moveTables(ctx, tx, old, p.schema, aside); err != nil {
			return err
		}
		if err := moveTables(ctx, tx, fresh, restoring, p.schema); err != nil {
			return err
		}
		if err := p.checkMade(ctx, tx); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "DROP SCHEMA "+restoring)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("put the new database in the place of the old one, which is as it was: %w", err)
	}
	if aside != "" {
		aside = "schema " + aside
	}
	return aside, nil
}

// oldTables are the tables that authy's migrations have made where authy is; those of other
// programs stay there. What a newer authy has made is not known: then all of them are.
func (p *postgresPlace) oldTables(ctx context.Context, tx pgx.Tx) ([]string, error) {
	found, err := tablesIn(ctx, tx, p.schema)
	if err != nil {
		return nil, err
	}
	var applied []string
	if slices.Contains(found, "migrations") {
		rows, err := tx.Query(ctx, "SELECT name FROM "+pgx.Identifier{p.schema, "migrations"}.Sanitize())
		if err != nil {
			return nil, err
		}
		if applied, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return nil, err
		}
	}
	known, err := stepNames(p.files)
	if err != nil || slices.ContainsFunc(applied, func(step string) bool { return !slices.Contains(known, step) }) {
		return found, err
	}
	ours, err := tablesEver(p.files)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(name string) bool { return !slices.Contains(ours, name) }), nil
}

// checkMade refuses a schema that is not the one that was loaded, but another of its name.
func (p *postgresPlace) checkMade(ctx context.Context, tx pgx.Tx) error {
	var same bool
	err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1 AND oid = $2)",
		restoring, p.made).Scan(&same)
	if err == nil && !same {
		err = fmt.Errorf("schema %s was made anew by another authy since it was loaded: stop that one, and try again", restoring)
	}
	return err
}

func tablesIn(ctx context.Context, tx pgx.Tx, schema string) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT relname::text FROM pg_class
		WHERE relnamespace = $1::text::regnamespace AND relkind = 'r' ORDER BY 1`, pgx.Identifier{schema}.Sanitize())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func moveTables(ctx context.Context, tx pgx.Tx, tables []string, from, to string) error {
	for _, table := range tables {
		_, err := tx.Exec(ctx, "ALTER TABLE "+pgx.Identifier{from, table}.Sanitize()+
			" SET SCHEMA "+pgx.Identifier{to}.Sanitize())
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *postgresPlace) discard() error {
	if p.conn == nil {
		return nil
	}
	ctx := context.Background()
	if p.conn.IsClosed() { // and with it the lock is gone
		p.conn = nil
		if err := p.claim(ctx); err != nil {
			return fmt.Errorf("remove schema %s, which is of no use and goes with the next restore or dry run: %w", restoring, err)
		}
	}
	err := p.run(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "DROP SCHEMA IF EXISTS "+restoring+" CASCADE")
		return err
	})
	err = errors.Join(err, p.conn.Close(ctx))
	p.conn = nil
	return err
}
