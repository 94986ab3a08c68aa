package storage_test

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

const (
	nextStep  = "29990101000000_next"
	brokenUp  = "CREATE TABLE nexts (id TEXT);\nCREATE TABLE others (id TEXT);\nINSERT INTO nowhere VALUES (1);\n"
	correctUp = "CREATE TABLE nexts (id TEXT);\nCREATE TABLE others (id TEXT);\n"
	nextDown  = "DROP TABLE nexts;\nDROP TABLE others;\n"
)

// withStep returns authy's migrations and one more step.
func withStep(t *testing.T, up string) fs.FS {
	t.Helper()
	files := fstest.MapFS{
		nextStep + ".tx.up.sql":   {Data: []byte(up)},
		nextStep + ".tx.down.sql": {Data: []byte(nextDown)},
	}
	for _, name := range sqlFiles(t) {
		text, err := fs.ReadFile(storagetest.Files(t), name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	return files
}

func sqlFiles(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(storagetest.Files(t), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// steps are the names of authy's own steps.
func steps(t *testing.T) []string {
	t.Helper()
	names := map[string]bool{}
	for _, file := range sqlFiles(t) {
		name, _, _ := strings.Cut(file, ".")
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// eachURL runs fn once per engine with an empty database, not migrated.
func eachURL(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			fn(t, storagetest.URL(t, engine))
		})
	}
}

// schema describes every table and index.
func schema(t *testing.T, db *storage.DB) []string {
	t.Helper()
	if db.IsSQLite() {
		return texts(t, db, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
	}
	return slices.Concat(
		texts(t, db, `SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
			FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1`),
		texts(t, db, "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"),
		texts(t, db, "SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint "+
			"WHERE connamespace = 'public'::regnamespace ORDER BY 1"),
	)
}

func TestMigrateMakesTheSchemaOnce(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		db := again(t, url)
		before, err := db.Migrations(t.Context(), storagetest.Files(t))
		if err != nil || len(before) != len(steps(t)) || !before[0].AppliedAt.IsZero() || !before[0].Known {
			t.Errorf("Migrations() = %v, %v, want steps that wait", before, err)
		}
		for _, want := range [][]string{steps(t), nil} {
			got, err := db.Migrate(t.Context(), storagetest.Files(t))
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("Migrate(): %v (-want +got):\n%s", err, diff)
			}
		}
		after, err := db.Migrations(t.Context(), storagetest.Files(t))
		if err != nil || len(after) != len(before) || after[0].AppliedAt.IsZero() || !after[0].Known {
			t.Errorf("Migrations() = %v, %v, want applied steps", after, err)
		}
	})
}

func TestTheWayDownAndUpAgainGivesTheSameSchema(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		want, files := schema(t, db), storagetest.Files(t)
		if len(want) < 20 {
			t.Fatalf("the schema is %q", want)
		}
		for _, step := range slices.Backward(append([]string{""}, steps(t)...)) {
			if got, err := db.Rollback(t.Context(), files); got != step || err != nil {
				t.Fatalf("Rollback() = %q, %v, want %q", got, err, step)
			}
		}
		for _, line := range schema(t, db) {
			if !strings.Contains(line, "migrations") {
				t.Errorf("left after all the way down: %s", line)
			}
		}
		if _, err := db.Migrate(t.Context(), files); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, schema(t, db)); diff != "" {
			t.Errorf("the schema after down and up (-want +got):\n%s", diff)
		}
	})
}

func TestSeveralProcessesMayMigrateAtOnce(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		var mu sync.Mutex
		var applied []string
		parallel(6, func(int) {
			db := again(t, url)
			names, err := db.Migrate(t.Context(), withStep(t, correctUp))
			if err != nil {
				t.Errorf("Migrate() = %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			applied = append(applied, names...)
		})
		slices.Sort(applied)
		if diff := cmp.Diff(append(steps(t), nextStep), applied); diff != "" {
			t.Errorf("what ran in six processes together (-want +got):\n%s", diff)
		}
	})
}

func TestABrokenStepLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		db := again(t, url)
		names, err := db.Migrate(t.Context(), withStep(t, brokenUp))
		if err == nil || !strings.Contains(err.Error(), nextStep) {
			t.Errorf("Migrate() = %v, want an error that names the step", err)
		}
		if diff := cmp.Diff(steps(t), names); diff != "" {
			t.Errorf("steps before the broken one (-want +got):\n%s", diff)
		}
		if found := strings.Join(schema(t, db), "\n"); strings.Contains(found, "nexts") {
			t.Errorf("the broken step left a table:\n%s", found)
		}
		names, err = db.Migrate(t.Context(), withStep(t, correctUp))
		if diff := cmp.Diff([]string{nextStep}, names); diff != "" || err != nil {
			t.Errorf("the corrected step: %v (-want +got):\n%s", err, diff)
		}
		if found := strings.Join(schema(t, db), "\n"); !strings.Contains(found, "nexts") {
			t.Errorf("the corrected step made no table:\n%s", found)
		}
	})
}

func TestADatabaseOfANewerAuthyIsRefused(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		newer, db := again(t, url), again(t, url)
		if _, err := newer.Migrate(t.Context(), withStep(t, correctUp)); err != nil {
			t.Fatal(err)
		}
		_, err := db.Migrate(t.Context(), storagetest.Files(t))
		if err == nil || !strings.Contains(err.Error(), nextStep) {
			t.Errorf("Migrate() = %v, want an error that names %s", err, nextStep)
		}
		all, err := db.Migrations(t.Context(), storagetest.Files(t))
		if err != nil || all[len(all)-1].Name != nextStep || all[len(all)-1].Known {
			t.Errorf("Migrations() = %v, %v, want an unknown step at the end", all, err)
		}
		if _, err := db.Rollback(t.Context(), storagetest.Files(t)); err == nil {
			t.Error("Rollback of an unknown step succeeded")
		}
	})
}

func TestAStepMayBeWrittenForOneEngine(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		files := withStep(t, brokenUp).(fstest.MapFS)
		for _, engine := range storagetest.Engines {
			files[nextStep+"."+engine+".tx.up.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE for_" + engine + " (id TEXT)")}
		}
		db := again(t, url)
		names, err := db.Migrate(t.Context(), files)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(names, nextStep) {
			t.Errorf("Migrate() = %q, want %s among them", names, nextStep)
		}
		mine, other := "for_postgres", "for_sqlite"
		if db.IsSQLite() {
			mine, other = other, mine
		}
		found := strings.Join(schema(t, db), "\n")
		if !strings.Contains(found, mine) || strings.Contains(found, other) {
			t.Errorf("want the table %s, not %s, in:\n%s", mine, other, found)
		}
	})
}

func TestAnotherSecretKeyIsRefused(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		for _, c := range []struct {
			key  string
			want error
		}{
			{string(storagetest.Secret), nil},
			{"another secret key of 32 bytes !", storage.ErrSecretKey},
			{string(storagetest.Secret), nil},
		} {
			db, err := storage.Open(t.Context(), storage.Options{URL: url, Secret: []byte(c.key)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Migrate(t.Context(), storagetest.Files(t)); !errors.Is(err, c.want) {
				t.Errorf("Migrate() with %q = %v, want %v", c.key, err, c.want)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
