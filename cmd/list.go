package cmd

import (
	"fmt"

	"github.com/spf13/cobra"
)

const (
	listed    = 100  // rows in a list unless told otherwise
	maxListed = 1000 // at most
)

// listing is the flags that every long list has: which part of it is shown, and how.
type listing struct {
	after  string
	limit  int
	asJSON bool
}

// add adds the flags; usual is how many are listed unless told otherwise, and after says
// what a list begins after.
func (l *listing) add(c *cobra.Command, usual int, after string) {
	c.Flags().StringVar(&l.after, "after", "", after)
	c.Flags().IntVar(&l.limit, "limit", usual, fmt.Sprintf("how many to list at most, 1 to %d", maxListed))
	c.Flags().BoolVar(&l.asJSON, "json", false, "print JSON")
}

// check refuses what no list is as long as.
func (l *listing) check(c *cobra.Command) error {
	if l.limit < 1 || l.limit > maxListed {
		return misused(c, "--limit is %d; give 1 to %d", l.limit, maxListed)
	}
	return nil
}

// printList prints a list as one JSON document, or its rows in columns under head; if
// there are none, that there are none.
func (a *app) printList(asJSON bool, list any, head []string, rows [][]string, none string) error {
	switch {
	case asJSON:
		return a.printJSON(list)
	case len(rows) == 0:
		a.note("%s", none)
		return nil
	}
	return a.printTable(head, rows)
}
