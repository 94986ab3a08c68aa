package cmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
)

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "key",
		Short:   "Look at the keys that sign tokens",
		Example: `  authy key list`,
	}
	c.AddCommand(a.listKeysCommand())
	return c
}

// keyOut is a key as programs see it, without what is private.
type keyOut struct {
	ID         string    `json:"id"`
	Algorithm  string    `json:"algorithm"`
	State      string    `json:"state"`
	Thumbprint string    `json:"thumbprint"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

func (a *app) listKeysCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the keys that sign tokens, the oldest first",
		Long: `List the keys that sign tokens, the oldest first, without what is private in
them. The thumbprint is that of RFC 7638.`,
		Example: `  authy key list
  authy key list --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error { return a.listKeys(c.Context(), asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) listKeys(ctx context.Context, asJSON bool) error {
	return a.with(ctx, func(s *server.Services) error {
		keys, err := s.Keys.List(ctx, audit.Shell())
		if err != nil {
			return err
		}
		out, rows := make([]keyOut, len(keys)), make([][]string, len(keys))
		for i, k := range keys {
			out[i] = keyOut(k)
			rows[i] = []string{k.ID, k.Algorithm, k.State, instant(k.CreatedAt), k.Thumbprint}
		}
		switch {
		case asJSON:
			return a.printJSON(out)
		case len(keys) == 0:
			a.note("There are no keys yet: the server makes them when it starts.")
			return nil
		}
		return a.printTable([]string{"ID", "ALGORITHM", "STATE", "CREATED", "THUMBPRINT"}, rows)
	})
}
