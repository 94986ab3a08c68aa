package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/registry"
)

func (a *app) updateClientCommand() *cobra.Command {
	var f clientFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "update CLIENT_ID",
		Short: "Change a client",
		Long: `Change a client: what you name is set, the rest stays. A list is set as a whole;
an empty value clears it. It counts from the next request on: tokens of users
who may no longer use the client are dead.`,
		Example: `  authy client update acme-portal-001 --name 'Acme Portal' --allow organization
  authy client update acme-portal-001 --redirect-uri https://a.example.com/cb --redirect-uri https://b.example.com/cb
  authy client update acme-portal-001 --no-pkce=false`,
		Args: takes("CLIENT_ID"),
		RunE: func(c *cobra.Command, args []string) error {
			if f.writeTo(new(registry.Registration)) == 0 {
				return misused(c, "say what to change")
			}
			if err := f.read(a, c); err != nil {
				return err
			}
			return a.updateClient(c.Context(), args[0], func(in *registry.Registration) { f.writeTo(in) }, asJSON)
		},
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) updateClient(ctx context.Context, id string, change func(*registry.Registration), asJSON bool) error {
	return a.with(ctx, func(s *server.Services) error {
		client, err := s.Clients.Update(ctx, audit.Shell(), "", id, change)
		if err != nil {
			return err
		}
		a.note("Changed the client %s.", id)
		if asJSON {
			return a.printJSON(clientOutOf(client))
		}
		return nil
	})
}

func (a *app) switchClientCommand(on bool) *cobra.Command {
	verb, short, done := "enable", "Let a disabled client work again", "Enabled the client %s: what it had been granted works again."
	if !on {
		verb, short, done = "disable", "Let a client do nothing until it is enabled",
			"Disabled the client %s: nothing that it has works until it is enabled."
	}
	return &cobra.Command{
		Use:     verb + " CLIENT_ID",
		Short:   short,
		Example: "  authy client " + verb + " acme-portal-001",
		Args:    takes("CLIENT_ID"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				_, err := s.Clients.Update(ctx, audit.Shell(), "", args[0], func(in *registry.Registration) { in.Disabled = !on })
				if err == nil {
					a.note(done, args[0])
				}
				return err
			})
		},
	}
}

func (a *app) rotateSecretCommand() *cobra.Command {
	var fromStdin, asJSON bool
	var y confirmation
	rotation := registry.Rotation{}
	c := &cobra.Command{
		Use:   "rotate-secret CLIENT_ID",
		Short: "Replace a client's secret",
		Long: `Replace a client's secret. The new one is made, and printed alone on standard
output, unless you give it. The old one works beside it for a day, so that
nothing fails meanwhile; with --overlap 0 it ends at once, which is right for
one that has leaked, and is asked about.`,
		Example: `  authy client rotate-secret acme-portal-001
  authy client rotate-secret --overlap 0 --yes acme-portal-001
  authy client rotate-secret --secret-stdin acme-portal-001 < secret`,
		Args: takes("CLIENT_ID"),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if rotation.Overlap <= 0 {
				if err := a.mayGo(c, y, "End the secret that "+args[0]+" has at once? Until it has the new one it is refused."); err != nil {
					return err
				}
			}
			if fromStdin {
				if rotation.Secret, err = a.secret(c); err != nil {
					return err
				}
			}
			return a.rotateSecret(c.Context(), args[0], rotation, asJSON)
		},
	}
	c.Flags().DurationVar(&rotation.Overlap, "overlap", registry.DefaultOverlap, "`HOW LONG` the old secret works too")
	c.Flags().BoolVar(&fromStdin, "secret-stdin", false, "read the secret from the first line of standard input")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	y.add(c)
	return c
}

func (a *app) rotateSecret(ctx context.Context, id string, rotation registry.Rotation, asJSON bool) error {
	return a.with(ctx, func(s *server.Services) error {
		client, secret, err := s.Clients.RotateSecret(ctx, audit.Shell(), "", id, rotation)
		if err != nil {
			return about(id, err)
		}
		if end := client.OldSecretExpiresAt; end.IsZero() {
			a.note("Replaced the secret of %s. The old one no longer works.", id)
		} else {
			a.note("Replaced the secret of %s. The old one works until %s.", id, instant(end.Time))
		}
		if rotation.Secret != "" {
			secret = "" // whoever gave it knows it
		}
		return a.printClientSecret(client, secret, asJSON)
	})
}

func (a *app) deleteClientCommand() *cobra.Command {
	var y confirmation
	c := &cobra.Command{
		Use:   "delete CLIENT_ID",
		Short: "Delete a client with all that it was granted",
		Long: `Delete a client with all that it was granted: its codes and tokens are dead, and
its users' consent is forgotten. It cannot be undone; 'authy client disable' can.`,
		Example: `  authy client delete acme-portal-001
  authy client delete --yes acme-portal-001`,
		Args: takes("CLIENT_ID"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.canConfirm(c, y); err != nil {
				return err
			}
			return a.deleteClient(c.Context(), args[0], y)
		},
	}
	y.add(c)
	return c
}

func (a *app) deleteClient(ctx context.Context, id string, y confirmation) error {
	return a.with(ctx, func(s *server.Services) error {
		client, err := s.Clients.Of(ctx, audit.Shell(), "", id)
		if err != nil {
			return err
		}
		question := "Delete " + client.Name + " (" + id + ") and all that it was granted, for good?"
		if err := a.confirm(ctx, y, printable(question)); err != nil {
			return err
		}
		if err := s.Clients.Delete(ctx, audit.Shell(), "", id); err != nil {
			return about(id, err)
		}
		a.note("Deleted the client %s: its tokens are dead.", id)
		return nil
	})
}
