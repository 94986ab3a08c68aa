package cmd

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/keyring"
)

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Look at the keys that sign tokens, and replace them",
		Long: `Look at the keys that sign tokens, and replace them. A key is published first, so
that everyone knows it, then signs, and stays published until all that it signed
has ended. The server does this by itself, every keys.rotate_every.`,
		Example: `  authy key list
  authy key rotate
  authy key rotate --alg ES256 --now`,
	}
	c.AddCommand(a.listKeysCommand(), a.rotateKeysCommand(), a.retireKeyCommand())
	return c
}

// keyOut is a key as programs see it, without what is private.
type keyOut struct {
	ID         string     `json:"id"`
	Algorithm  string     `json:"algorithm"`
	State      string     `json:"state"`
	Thumbprint string     `json:"thumbprint"`
	SignsAt    time.Time  `json:"signs_at"`
	EndsAt     *time.Time `json:"ends_at"`
	NextAt     *time.Time `json:"next_at"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
}

func (a *app) listKeysCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the keys that sign tokens, the oldest first",
		Long: `List the keys that sign tokens, the oldest first, without what is private in
them: those that are published and sign later, those that sign, and those that
are retired and stay until all that they signed has ended. The ID is the
thumbprint of RFC 7638.`,
		Example: `  authy key list
  authy key list --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				keys, err := s.Keys.List(ctx, audit.Shell())
				if err != nil {
					return err
				}
				return a.printKeys(keys, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) printKeys(keys []keyring.Info, asJSON bool) error {
	out, rows := make([]keyOut, len(keys)), make([][]string, len(keys))
	for i, k := range keys {
		out[i] = keyOut{
			ID: k.ID, Algorithm: k.Algorithm, State: k.State, Thumbprint: k.Thumbprint,
			SignsAt: k.SignsAt.UTC(), EndsAt: instantOrNull(k.EndsAt), NextAt: instantOrNull(k.NextAt),
			CreatedAt: k.CreatedAt, UpdatedAt: k.UpdatedAt,
		}
		rows[i] = []string{k.ID, k.Algorithm, k.State, instant(k.CreatedAt), instant(k.SignsAt), instant(k.EndsAt)}
	}
	head := []string{"ID", "ALGORITHM", "STATE", "PUBLISHED", "SIGNS", "ENDS"}
	return a.printList(asJSON, out, head, rows, "There are no keys yet: the server makes them when it starts.")
}

func (a *app) rotateKeysCommand() *cobra.Command {
	var alg string
	var now, asJSON bool
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Publish new keys, which sign later or now",
		Long: `Publish new keys, one for each algorithm or for the one that you name. They sign
after keys.publish_for, when everyone has had the time to learn of them; what
the old ones signed stays good until it ends.

With --now they sign at once, because an old one has leaked; on PostgreSQL two
seconds later, when every node has heard of them. Applications that
keep the keys then refuse new tokens until they fetch them again, which the good
ones do at once and others within five minutes. The old key is trusted until you
take it out with 'authy key retire', which ends whatever it signed.`,
		Example: `  authy key rotate
  authy key rotate --alg RS256
  authy key rotate --alg ES256 --now && authy key retire OLD-KEY`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.rotateKeys(c.Context(), alg, now, asJSON)
		},
	}
	c.Flags().StringVar(&alg, "alg", "", "only for this `ALGORITHM`: "+strings.Join(keyring.Algorithms, ", "))
	c.Flags().BoolVar(&now, "now", false, "sign with them at once")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) rotateKeys(ctx context.Context, alg string, now, asJSON bool) error {
	return a.with(ctx, func(s *server.Services) error {
		keys, err := s.Keys.Rotate(ctx, audit.Shell(), alg, now)
		if err != nil {
			return err
		}
		if now {
			a.note("The new keys sign now. Applications that keep the old ones refuse new tokens for up to five minutes.")
			a.note("The old keys are trusted still: take one that has leaked out with 'authy key retire KEY'.")
		} else {
			a.note("The new keys are published, and sign when their time has come.")
		}
		return a.printKeys(keys, asJSON)
	})
}

func (a *app) retireKeyCommand() *cobra.Command {
	var y confirmation
	c := &cobra.Command{
		Use:   "retire KEY",
		Short: "Take a key out of the published ones at once",
		Long: `Take a key out of the published ones at once, because it has leaked: whatever it
signed is refused from then on, here at once and by applications within five
minutes. The key that signs cannot be taken out: rotate the keys of its algorithm
first, with --now.`,
		Example: `  authy key list
  authy key retire --yes 3sLwmNLiCmHoNmHcsm0iq2ZfKc8YpHv_z1wG6-0oTSA`,
		Args: takes("KEY"),
		RunE: func(c *cobra.Command, args []string) error {
			question := "Retire the key " + args[0] + " and refuse whatever it has signed, for good?"
			return a.ifConfirmed(c, y, question, func(s *server.Services) error {
				if err := s.Keys.Retire(c.Context(), audit.Shell(), args[0]); err != nil {
					return err
				}
				a.note("The key is gone, and whatever it signed is refused.")
				return nil
			})
		},
	}
	y.add(c)
	return c
}
