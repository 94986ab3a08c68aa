package storagetest

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Dump returns every row of the database that url names, as text, by table and in
// order; but for the tables and columns that are named.
func Dump(t testing.TB, url string, except ...string) map[string][]string {
	t.Helper()
	ctx, kind := t.Context(), engineOf(url)
	pool, err := sql.Open(kind.driver, strings.Replace(url, "sqlite:", "file:", 1))
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	defer pool.Close() //nolint:errcheck // only read
	tables, err := texts(ctx, pool, kind.tables)
	if err != nil {
		t.Fatalf("find the tables of %s: %v", url, err)
	}
	all := map[string][]string{}
	for _, table := range tables {
		if slices.Contains(except, table) {
			continue
		}
		if all[table], err = dumpTable(ctx, pool, table, except); err != nil {
			t.Fatalf("dump %s: %v", table, err)
		}
	}
	return all
}

// texts are the answers to a query for one text.
func texts(ctx context.Context, pool *sql.DB, query string) (all []string, err error) {
	rows, err := pool.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	defer rows.Close() //nolint:errcheck // Err says what matters
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("%s: %w", query, err)
		}
		all = append(all, text)
	}
	return all, rows.Err()
}

func dumpTable(ctx context.Context, pool *sql.DB, table string, except []string) (all []string, err error) {
	rows, err := pool.QueryContext(ctx, "SELECT * FROM "+table) //nolint:gosec // a name that the database gave
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err says what matters
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		var b strings.Builder
		for i, column := range columns {
			if !slices.Contains(except, column) {
				fmt.Fprintf(&b, "%s=%v ", column, values[i])
			}
		}
		all = append(all, b.String())
	}
	slices.Sort(all)
	return all, rows.Err()
}
