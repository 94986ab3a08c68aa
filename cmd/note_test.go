package cmd

import (
	"bytes"
	"strings"
	"testing"
)

// What somebody has typed goes to standard error without what moves the cursor of a terminal.
func TestErrorsAndNotesLeaveTheTerminalAlone(t *testing.T) {
	t.Parallel()
	const odd = "a\x1b[31m\u202e\rfoo"
	dir := t.TempDir()
	for _, args := range [][]string{
		{"--data-dir", dir + "/" + odd, "user", "list"},
		{"--data-dir", dir, "user", "show", "--", odd},
		{"--config", dir + "/" + odd, "user", "list"},
		{"plan", odd},
		{odd},
	} {
		var out, told bytes.Buffer
		Main(args, strings.NewReader(""), &out, &told)
		if text := told.String(); strings.ContainsAny(text, "\x1b\u202e\r") || !strings.Contains(text, "foo") && args[1] != dir {
			t.Errorf("%q is told %q", args, text)
		}
	}
}
