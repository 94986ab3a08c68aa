package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"slices"
	"strings"
)

// made finds the tables that a step makes.
var made = regexp.MustCompile(`(?i)(?:CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?|RENAME TO )(\w+)`)

// tablesEver are the names of all tables that steps in files have made, at whatever time.
func tablesEver(files fs.FS) (names []string, err error) {
	scripts, err := fs.Glob(files, "*.tx.up.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	names = []string{"migrations"}
	for _, script := range scripts {
		text, err := fs.ReadFile(files, script)
		if err != nil {
			return nil, fmt.Errorf("read migration %s: %w", script, err)
		}
		for _, match := range made.FindAllSubmatch(text, -1) {
			names = append(names, string(match[1]))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// tablesAfter are the tables that there are after steps. They are the same on both databases,
// but for what PostgreSQL does not log: so SQLite makes them, in memory.
func tablesAfter(ctx context.Context, files fs.FS, steps []string) (tables []table, err error) {
	pool, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	pool.SetMaxOpenConns(1) // each has a memory of its own
	scripts := []string{createMigrations}
	for _, step := range steps {
		script, err := scriptOf(files, step, "sqlite", "up")
		if err != nil {
			return nil, err
		}
		scripts = append(scripts, script)
	}
	for i, script := range scripts {
		if _, err := pool.ExecContext(ctx, script); err != nil {
			return nil, fmt.Errorf("find the tables of step %d: %w", i, err)
		}
	}
	return tablesOf(ctx, pool, sqliteTables)
}

// ours are the tables that steps have made, which must be there as they made them. What
// else there is, is named in the log.
func (db *DB) ours(ctx context.Context, q querier, files fs.FS, steps []string) ([]table, error) {
	known, err := stepNames(files)
	if err != nil {
		return nil, err
	}
	for _, step := range steps {
		if !slices.Contains(known, step) { // of a newer authy, whose tables are not known here
			return tablesOf(ctx, q, db.engine.catalogue())
		}
	}
	tables, err := tablesAfter(ctx, files, steps)
	if err != nil {
		return nil, err
	}
	columns, err := columnsOf(ctx, q, db.engine.catalogue())
	if err != nil {
		return nil, err
	}
	for i := range tables {
		if columns, err = tables[i].takeFrom(columns); err != nil {
			return nil, err
		}
	}
	if len(columns) > 0 {
		slog.WarnContext(ctx, "tables and columns that are not authy's are left out of the copy: save them in another way",
			"left_out", strings.Join(others(tables, columns), ", "))
	}
	return tables, nil
}

// takeFrom returns columns without those of t, which must all be there.
func (t *table) takeFrom(columns []listed) ([]listed, error) {
	if !slices.ContainsFunc(columns, func(c listed) bool { return c.table == t.Name }) {
		return nil, fmt.Errorf("table %s, which a migration made, is not there: restore a backup that has it", t.Name)
	}
	for i, name := range t.Columns {
		at := slices.IndexFunc(columns, func(c listed) bool { return c.table == t.Name && c.name == name })
		if at < 0 {
			return nil, fmt.Errorf("column %s of table %s, which a migration made, is not there: "+
				"add it again, or restore a backup that has it", name, t.Name)
		}
		if c := columns[at]; c.kind() != t.Kinds[i] {
			return nil, fmt.Errorf("column %s of table %s is of type %s, and a migration made it to hold %s: "+
				"change it back, or restore a backup", name, t.Name, c.declared, t.Kinds[i])
		}
		columns = slices.Delete(columns, at, at+1)
	}
	return columns, nil
}

// others names the tables of columns, and those columns that are in one of tables.
func others(tables []table, columns []listed) (names []string) {
	for _, c := range columns {
		name := c.table
		if slices.ContainsFunc(tables, func(t table) bool { return t.Name == c.table }) {
			name += "." + c.name
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// listed is a column of a table, and its type as the database calls it.
type listed struct{ table, name, declared string }

// kind is "" for a type that no column of authy has.
func (c listed) kind() kind { return kinds[strings.ToUpper(c.declared)] }

// columnsOf are the columns that a catalogue lists, in its order.
func columnsOf(ctx context.Context, q querier, catalogue string) (columns []listed, err error) {
	rows, err := q.QueryContext(ctx, catalogue)
	if err != nil {
		return nil, translate(err)
	}
	defer rows.Close() //nolint:errcheck // Err says what matters
	for rows.Next() {
		var c listed
		if err := rows.Scan(&c.table, &c.name, &c.declared); err != nil {
			return nil, translate(err)
		}
		columns = append(columns, c)
	}
	return columns, translate(rows.Err())
}

// tablesOf are the tables that a catalogue lists, in the order of their names.
func tablesOf(ctx context.Context, q querier, catalogue string) (tables []table, err error) {
	columns, err := columnsOf(ctx, q, catalogue)
	if err != nil {
		return nil, err
	}
	for _, c := range columns {
		if c.kind() == "" || !isName(c.table) || !isName(c.name) {
			return nil, fmt.Errorf("column %s of table %s, of type %s, is not authy's: "+
				"give authy a database, or a schema, of its own", c.name, c.table, c.declared)
		}
		if len(tables) == 0 || tables[len(tables)-1].Name != c.table {
			tables = append(tables, table{Name: c.table})
		}
		t := &tables[len(tables)-1]
		t.Columns, t.Kinds = append(t.Columns, c.name), append(t.Kinds, c.kind())
	}
	return tables, nil
}
