package storage_test

import (
	"strings"
	"testing"

	"authy/storage"
	"authy/storage/storagetest"
)

// planOf returns how the first statement of what run does would be run.
func planOf(t *testing.T, db *storage.DB, run func(tx *storage.Tx)) (plan string) {
	t.Helper()
	ran := db.Probe(t, run)
	db.Probe(t, func(tx *storage.Tx) {
		lines, err := tx.Plan(t.Context(), ran[0])
		if err != nil {
			t.Fatal(err)
		}
		plan = strings.Join(lines, "\n")
	})
	return plan
}

// SQLite chooses better ways once it knows what is in its tables, and none that reads all of
// a large one. What it knows is for each connection that is opened.
func TestStatisticsMakeBetterPlans(t *testing.T) {
	t.Parallel()
	url := storagetest.URL(t, "sqlite")
	storagetest.Fill(t, url, storagetest.Size{Users: 5000, Sessions: 2000, Events: 5000})
	db := again(t, url)
	all := statements(t, db)
	search := func(tx *storage.Tx) {
		tx.UsersFound(t.Context(), storage.UserFilter{Status: storage.Active}, "a", storage.TermKey{}, 50) //nolint:errcheck // it runs
	}
	grants := func(tx *storage.Tx) {
		tx.RevokeGrantsTo(t.Context(), same, same, "", noon) //nolint:errcheck // it runs
	}
	if plan := planOf(t, db, search); !strings.Contains(plan, "USE TEMP B-TREE") {
		t.Errorf("a search sorts nothing before:\n%s", plan)
	}
	if err := db.Analyze(t.Context()); err != nil {
		t.Fatal(err)
	}
	opened := again(t, url)
	for _, db := range []*storage.DB{db, opened} {
		if plan := planOf(t, db, search); strings.Contains(plan, "USE TEMP B-TREE") {
			t.Errorf("a search of those with a status sorts them by itself:\n%s", plan)
		}
		if plan := planOf(t, db, grants); !strings.Contains(plan, "grants_user") {
			t.Errorf("the grants of a user are looked for among those of the client:\n%s", plan)
		}
		db.Probe(t, func(tx *storage.Tx) {
			for name, why := range slowPlans(t, tx, all, nil) {
				t.Errorf("%s: %s", name, why)
			}
		})
	}
	known := texts(t, db, `SELECT tbl FROM sqlite_stat1 GROUP BY tbl
		HAVING MAX(CAST(stat AS INTEGER)) < 1000`)
	if len(known) > 0 {
		t.Errorf("small tables are known, and may be large soon: %v", known)
	}
}

// BenchmarkAnalyze is how long the first statistics take on a database of a size, and the
// next when nothing has changed.
func BenchmarkAnalyze(b *testing.B) {
	url := storagetest.URL(b, "sqlite")
	storagetest.Fill(b, url, storagetest.Size{Users: 200_000, Sessions: 200_000, Events: 500_000})
	for _, when := range []string{"first", "again"} {
		b.Run(when, func(b *testing.B) {
			db := again(b, url)
			for b.Loop() {
				if err := db.Analyze(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
