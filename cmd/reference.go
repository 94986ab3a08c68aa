package cmd

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIRECTORY",
		Short: "Write the manual pages",
		Long: `Write a manual page of section 1 for each command to DIRECTORY, which is made
if it is missing.`,
		Example: `  authy man /usr/local/share/man/man1`,
		Hidden:  true, // for who packages it
		Args:    takes("DIRECTORY"),
		RunE:    func(c *cobra.Command, args []string) error { return writeManual(c.Root(), args[0]) },
	}
}

func writeManual(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // everybody reads manuals
		return fmt.Errorf("make %s: %w", dir, err)
	}
	root.DisableAutoGenTag = true // the same source makes the same bytes
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "authy"}, dir); err != nil {
		return fmt.Errorf("write the manual to %s: %w", dir, err)
	}
	return nil
}

// writeReference writes what the help of all commands says, as one document.
func writeReference(w io.Writer, root *cobra.Command) error {
	root.DisableAutoGenTag = true
	if _, err := fmt.Fprint(w, "# The commands\n\nWhat `--help` says, in one place. Made from the commands; "+
		"a test keeps it true.\n"); err != nil {
		return err
	}
	return writeCommand(w, root)
}

func writeCommand(w io.Writer, c *cobra.Command) error {
	if !c.IsAvailableCommand() && c.HasParent() {
		return nil
	}
	var page bytes.Buffer
	fmt.Fprintf(&page, "\n## %s\n\n%s\n", c.CommandPath(), firstOf(c.Long, c.Short))
	if c.Runnable() {
		fmt.Fprintf(&page, "\n    %s\n", c.UseLine())
	}
	if c.HasExample() {
		fmt.Fprintf(&page, "\n```sh\n%s\n```\n", strings.Trim(unindented(c.Example), "\n"))
	}
	if flags := c.NonInheritedFlags(); flags.HasAvailableFlags() {
		fmt.Fprintf(&page, "\n```\n%s```\n", flags.FlagUsagesWrapped(100))
	}
	if _, err := w.Write(page.Bytes()); err != nil {
		return err
	}
	for _, sub := range c.Commands() {
		if err := writeCommand(w, sub); err != nil {
			return err
		}
	}
	return nil
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// unindented takes the two spaces away that examples have in a help text.
func unindented(text string) string {
	return strings.TrimPrefix(strings.ReplaceAll("\n"+text, "\n  ", "\n"), "\n")
}
