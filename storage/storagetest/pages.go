package storagetest

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
)

// Pages returns how many pages of the SQLite file that url names each table takes
// with its indexes, and under "" how many are free.
func Pages(t testing.TB, url string) map[string]int {
	t.Helper()
	pool, err := sql.Open("sqlite", strings.Replace(url, "sqlite:", "file:", 1))
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	defer pool.Close() //nolint:errcheck // only read
	counted, err := texts(t.Context(), pool, `SELECT count(*) || ' ' || m.tbl_name FROM dbstat AS s
		JOIN sqlite_master AS m ON m.name = s.name GROUP BY m.tbl_name
		UNION ALL SELECT freelist_count || ' ' FROM pragma_freelist_count`)
	if err != nil {
		t.Fatalf("count the pages of %s: %v", url, err)
	}
	pages := map[string]int{}
	for _, line := range counted {
		number, table, _ := strings.Cut(line, " ")
		var n int
		if _, err := fmt.Sscan(number, &n); err != nil {
			t.Fatalf("count the pages of %s: %v", url, err)
		}
		pages[table] = n
	}
	return pages
}
