package cmd

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/config"
)

// TestTheReferenceIsWhatTheHelpSays fails when docs/cli.md is older than the commands. With
// AUTHY_TEST_UPDATE=1 it writes it.
func TestTheReferenceIsWhatTheHelpSays(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	root := (&app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, settings: config.Flags{}}).root()
	if err := writeReference(&want, root); err != nil {
		t.Fatal(err)
	}
	matchesReference(t, "docs/cli.md", want.String(), "the commands say")
}

// matchesReference fails when a document is not made anew from what it is made from. With
// AUTHY_TEST_UPDATE=1 it writes it.
func matchesReference(t *testing.T, path, want, source string) {
	t.Helper()
	if os.Getenv("AUTHY_TEST_UPDATE") != "" {
		if err := os.WriteFile(filepath.Join("..", path), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(readRepository(t, path)), want); diff != "" {
		t.Errorf("%s is not what %s; AUTHY_TEST_UPDATE=1 go test ./cmd -run Reference writes it:\n%s", path, source, diff)
	}
}

func TestEachCommandHasAManualPage(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "man1")
	var stderr bytes.Buffer
	if code := Main([]string{"man", dir}, strings.NewReader(""), io.Discard, &stderr); code != exitOK {
		t.Fatalf("authy man: %d, %s", code, &stderr)
	}
	for name, want := range map[string]string{
		"authy.1": "SEE ALSO", "authy-user-create.1": "admin", "authy-serve.1": "systemd",
	} {
		page, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(page), want) {
			t.Errorf("%s: %v, and does not say %q", name, err, want)
		}
	}
}
