package storage_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

// contents are the files of a directory, but for the index of SQLite's log, in which every
// reader notes where it reads.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "-shm") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(content)
	}
	return files
}

// A server of a newer authy was killed: what it wrote last is still in SQLite's log.
func TestANewerDatabaseIsRefusedAsItIs(t *testing.T) {
	t.Parallel()
	running := filepath.Join(t.TempDir(), "authy.db")
	newer := again(t, sqliteURL(running))
	if _, err := newer.Migrate(t.Context(), withStep(t, correctUp)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"authy.db", "authy.db-wal"} {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(running), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := contents(t, dir)
	if len(before["authy.db-wal"]) == 0 {
		t.Fatal("the log is empty, and shows nothing")
	}
	o := storage.Options{URL: sqliteURL(filepath.Join(dir, "authy.db")), Secret: storagetest.Secret}
	err := storage.CheckVersion(t.Context(), o, storagetest.Files(t))
	if err == nil || !strings.Contains(err.Error(), nextStep) {
		t.Errorf("CheckVersion() = %v, want an error that names %s", err, nextStep)
	}
	if !maps.Equal(contents(t, dir), before) {
		t.Error("the files of a newer authy were changed")
	}
	if err := storage.CheckVersion(t.Context(), o, withStep(t, correctUp)); err != nil {
		t.Errorf("CheckVersion() of the newer authy = %v", err)
	}
	for _, name := range []string{"missing.db", "authy.db-wal"} { // not there; no database
		o.URL = sqliteURL(filepath.Join(dir, name))
		if err := storage.CheckVersion(t.Context(), o, storagetest.Files(t)); err != nil {
			t.Errorf("CheckVersion(%s) = %v, want that Open says it", name, err)
		}
	}
}

func TestARefusedNewerDatabaseKeepsEveryRow(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		newer := again(t, url)
		if _, err := newer.Migrate(t.Context(), withStep(t, correctUp)); err != nil {
			t.Fatal(err)
		}
		newWorld(t, newer)
		rows, shape := storagetest.Dump(t, url), schema(t, newer)
		db := again(t, url)
		if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err == nil {
			t.Error("Migrate() of a newer database succeeded")
		}
		if diff := cmp.Diff(rows, storagetest.Dump(t, url)); diff != "" {
			t.Errorf("rows after a refusal (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(shape, schema(t, newer)); diff != "" {
			t.Errorf("schema after a refusal (-want +got):\n%s", diff)
		}
	})
}

// lastFree is the last step that was written before servers of two versions had to serve
// together. Every later one is held to what those can bear.
const lastFree = "20261202000061_pictures"

var (
	newTable    = regexp.MustCompile(`(?i)^CREATE TABLE (\w+)`)
	uniqueIndex = regexp.MustCompile(`(?i)^CREATE UNIQUE INDEX \w+ ON (\w+)`)
	onTable     = regexp.MustCompile(`(?i)^(?:ALTER TABLE|DROP TABLE(?: IF EXISTS)?) (\w+)`)
	comment     = regexp.MustCompile(`(?m)^\s*--.*$`)
)

// breaks says why a server that does not know a step could not go on after it, "" if it can.
func breaks(script string) string {
	made := map[string]bool{}
	for statement := range strings.SplitSeq(comment.ReplaceAllString(script, ""), ";\n") {
		statement = strings.TrimSpace(strings.Join(strings.Fields(statement), " "))
		if m := newTable.FindStringSubmatch(statement); m != nil {
			made[m[1]] = true
		}
		if why := breakOf(statement, made); why != "" {
			return why + ": " + statement
		}
	}
	return ""
}

func breakOf(statement string, made map[string]bool) string {
	upper := strings.ToUpper(statement)
	if m := uniqueIndex.FindStringSubmatch(statement); m != nil && !made[m[1]] {
		return "an older server may write what is not unique"
	}
	m := onTable.FindStringSubmatch(statement)
	if m == nil || made[m[1]] {
		return ""
	}
	added, isColumn := strings.CutPrefix(upper, "ALTER TABLE "+strings.ToUpper(m[1])+" ADD COLUMN ")
	switch {
	case !isColumn:
		return "an older server uses what this takes away or changes"
	case strings.Contains(added, "NOT NULL") && !strings.Contains(added, "DEFAULT"):
		return "an older server writes no such column"
	case strings.Contains(added, "UNIQUE") || strings.Contains(added, "CHECK"):
		return "an older server may write what this refuses"
	}
	return ""
}

func TestServersOfTwoVersionsServeTogether(t *testing.T) {
	t.Parallel()
	files := storagetest.Files(t)
	for _, name := range sqlFiles(t) {
		step, kind, _ := strings.Cut(name, ".")
		if step <= lastFree || !strings.HasSuffix(kind, "up.sql") {
			continue
		}
		script, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		if why := breaks(string(script)); why != "" {
			t.Errorf("%s: %s\nadd now, and take away one version later: see docs/decisions/0012-upgrades.md", name, why)
		}
	}
}

func TestStepsThatAnOlderServerCannotBearAreFound(t *testing.T) {
	t.Parallel()
	for _, script := range []string{
		"DROP TABLE users;\n",
		"ALTER TABLE users RENAME TO people;\n",
		"alter table users\n\trename column email to mail;\n",
		"ALTER TABLE users DROP COLUMN email;\n",
		"ALTER TABLE users ALTER COLUMN website SET NOT NULL;\n",
		"ALTER TABLE users ADD COLUMN age BIGINT NOT NULL;\n",
		"ALTER TABLE users ADD COLUMN age BIGINT CHECK (age > 0);\n",
		"CREATE UNIQUE INDEX users_phone ON users (phone_number);\n",
		"CREATE TABLE a (id TEXT);\nDROP TABLE b;\n",
	} {
		if breaks(script) == "" {
			t.Errorf("no fault is found with %q", script)
		}
	}
	for _, script := range []string{
		"-- DROP TABLE users;\nALTER TABLE users ADD COLUMN age BIGINT NOT NULL DEFAULT 0;\n",
		"ALTER TABLE users ADD COLUMN age BIGINT;\nCREATE INDEX users_age ON users (age);\n",
		"CREATE TABLE a (id TEXT);\nCREATE UNIQUE INDEX a_id ON a (id);\nALTER TABLE a RENAME TO b;\n",
	} {
		if why := breaks(script); why != "" {
			t.Errorf("%q is refused: %s", script, why)
		}
	}
}

// filesUntil are the steps up to and with the newest that is named.
func filesUntil(t *testing.T, newest string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range sqlFiles(t) {
		if step, _, _ := strings.Cut(name, "."); step > newest {
			continue
		}
		text, err := fs.ReadFile(storagetest.Files(t), name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	return files
}

// prefixes are the schemas that are migrated from: all of them where there is time.
func prefixes(t *testing.T) []string {
	t.Helper()
	all := steps(t)
	if long {
		return all
	}
	return []string{all[0], all[len(all)/2], all[len(all)-2]}
}

func TestAnySchemaMigratesToTheNewestInOneStep(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		fresh := schema(t, again(t, storagetest.Migrated(t, engine)))
		for _, newest := range prefixes(t) {
			t.Run(engine+"/"+newest, func(t *testing.T) {
				t.Parallel()
				url := storagetest.URL(t, engine)
				db := again(t, url)
				if _, err := db.Migrate(t.Context(), filesUntil(t, newest)); err != nil {
					t.Fatal(err)
				}
				fillAny(t, db)
				before := counts(t, db)
				applied, err := db.Migrate(t.Context(), storagetest.Files(t))
				if err != nil || len(applied) != len(steps(t))-1-slices.Index(steps(t), newest) {
					t.Errorf("Migrate() = %d steps, %v", len(applied), err)
				}
				if diff := cmp.Diff(fresh, schema(t, db)); diff != "" {
					t.Errorf("the schema that was migrated differs from a new one (-want +got):\n%s", diff)
				}
				after := counts(t, db)
				for table, rows := range before {
					if table != "migrations" && after[table] != rows {
						t.Errorf("%s has %s rows, had %s", table, after[table], rows)
					}
				}
			})
		}
	}
}

// counts are how many rows each table has.
func counts(t *testing.T, db *storage.DB) map[string]string {
	t.Helper()
	tables, err := db.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, table := range tables {
		rows[table] = count(t, db, table)
	}
	return rows
}
