package storagetest

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
)

// Exec runs statements on the database that url names, which need not be authy's.
func Exec(t testing.TB, url string, statements ...string) {
	t.Helper()
	pool, err := sql.Open(engineOf(url).driver, strings.Replace(url, "sqlite:", "file:", 1))
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	for _, statement := range statements {
		if _, err := pool.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(errors.Join(err, pool.Close()))
		}
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
}
