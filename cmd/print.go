package cmd

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// note writes a message for people, which is not data, to standard error. What they have typed
// may be in it.
func (a *app) note(format string, args ...any) {
	fmt.Fprintln(a.stderr, strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return harmless(r)
	}, fmt.Sprintf(format, args...)))
}

// noteMore says how to see more of a list that ends before next, "" if that is
// all of it. What a search has found has no order to go on by.
func (a *app) noteMore(next string, isSearch bool) {
	switch {
	case next == "":
	case isSearch:
		a.note("There are more: say more exactly which, or raise --limit.")
	default:
		a.note("There are more: add --after %s", next)
	}
}

// printLine writes one line of data to standard output.
func (a *app) printLine(text string) error {
	if _, err := fmt.Fprintln(a.stdout, text); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// printJSON writes v to standard output as one JSON document.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}

// printTable writes rows to standard output, in columns under head. An empty
// cell is a hyphen.
func (a *app) printTable(head []string, rows [][]string) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	if len(head) > 0 {
		fmt.Fprintln(w, strings.Join(head, "\t"))
	}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}

// printable returns s without what could move the cursor of a terminal, change
// its colours or turn the direction of the text around.
func printable(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(harmless, s)
}

func harmless(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

// instant returns t as tables show it: RFC 3339 in UTC, "" for the zero time.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// instantOrNull returns t as JSON shows it: RFC 3339 in UTC, null for the zero
// time.
func instantOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func yesOrNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// about says what an error is about, where it does not say so itself.
func about(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
