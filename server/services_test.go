package server

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"authy/server/config"
)

// A command does not upgrade the file of a server of before under it.
func TestACommandLeavesTheSchemaOfARunningServer(t *testing.T) {
	t.Parallel()
	c := config.Defaults()
	c.DataDir = t.TempDir()
	c.Security.SecretKey = "a secret key of thirty-two bytes"
	names, err := fs.Glob(Migrations(), "*.sql")
	if err != nil || len(names) < 20 {
		t.Fatalf("%d files of migrations, %v", len(names), err)
	}
	first := fstest.MapFS{}
	for _, name := range names[:len(names)-10] {
		text, err := fs.ReadFile(Migrations(), name)
		if err != nil {
			t.Fatal(err)
		}
		first[name] = &fstest.MapFile{Data: text}
	}
	older, err := OpenDB(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer older.Close() //nolint:errcheck // nothing is written at its end
	before, err := older.Migrate(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := older.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "stop that server") {
		t.Fatalf("a command beside the older server: %v, %v", s, err)
	}
	steps, err := older.Migrations(t.Context(), first)
	if err != nil || len(steps) != len(before) {
		t.Errorf("the schema has the steps %v, %v, want %v", steps, err, before)
	}
	unlock()
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatalf("a command without it: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
