package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/managed"
	"authy/server/provider"
)

// errTested is the end of a test that has found something.
var errTested = errors.New("something about the identity provider is not right; see above")

func (a *app) providerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "provider",
		Short: "Add, look at, try and change identity providers that people come from",
		Long: `Add, look at, try and change identity providers that people come from: Google,
GitHub, Microsoft, any OpenID Connect provider and any SAML 2.0 identity provider.
The commands work beside a running server, which heeds them at once, and without
one. A provider is named by its slug, which stands in the URL that it sends people
back to. Those that the configuration file sets can only be looked at here.`,
		Example: `  authy provider add google --client-id 1234.apps.googleusercontent.com --secret-stdin < secret
  authy provider test google
  authy provider list`,
	}
	c.AddCommand(a.addProviderCommand(), a.listProvidersCommand(), a.showProviderCommand(), a.updateProviderCommand(),
		a.removeProviderCommand(), a.testProviderCommand())
	return c
}

func (a *app) addProviderCommand() *cobra.Command {
	var f providerFlags
	var slug, home string
	var asJSON bool
	c := &cobra.Command{
		Use:   "add KIND",
		Short: "Add an identity provider: google, github, microsoft, oidc or saml",
		Long: `Add an identity provider: google, github, microsoft, oidc or saml. What is printed is
the URL to register there, as redirect URI (or assertion consumer service). Register
it first if the provider wants it before it gives a client ID: it is
PUBLIC_URL/external/SLUG/callback.`,
		Example: `  authy provider add google --client-id 1234.apps.googleusercontent.com --secret-stdin < secret
  authy provider add github --client-id Iv1.abc --secret-stdin < secret
  authy provider add github --slug ghe --issuer https://github.example.com --client-id Iv1.abc --secret-stdin < secret
  authy provider add microsoft --tenant organizations --client-id 0a1b --secret-stdin < secret
  authy provider add oidc --slug keycloak --name Keycloak --issuer https://sso.example.com/realms/main \
      --client-id authy --secret-stdin --groups groups --role 'staff=acme-corp:member' < secret
  authy provider add saml --org acme-corp --slug acme-corp-okta --name Okta \
      --metadata-url https://acme.okta.com/app/abc/sso/saml/metadata --domain acme-corp.com`,
		Args: takes("KIND"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.read(a, c); err != nil {
				return err
			}
			d := provider.Description{Kind: args[0], Slug: slug}
			return a.with(c.Context(), func(s *server.Services) error {
				return a.addProvider(c, s, &f, d, home, asJSON)
			})
		},
	}
	f.add(c)
	c.Flags().StringVar(&slug, "slug", "", "`SLUG` in URLs (default the kind; with --org that of the organization goes before)")
	c.Flags().StringVar(&home, "org", "", "`SLUG` of the organization that it belongs to (default the whole server)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) addProvider(
	c *cobra.Command, s *server.Services, f *providerFlags, d provider.Description, home string, asJSON bool,
) (err error) {
	ctx := c.Context()
	if d.OrganizationID, err = orgID(ctx, s, home); err != nil {
		return err
	}
	if err := f.resolve(ctx, s); err != nil {
		return err
	}
	f.writeTo(c, &d)
	p, err := s.Providers.Create(ctx, audit.Shell(), d)
	if err != nil {
		return err
	}
	a.note("Added the identity provider %s. Register this URL there:", p.Slug)
	if asJSON {
		return a.printJSON(providerOutOf(s, p))
	}
	return a.printLine(s.Providers.RedirectURI(p))
}

func (a *app) listProvidersCommand() *cobra.Command {
	var home string
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List identity providers in the order of their slugs",
		Example: `  authy provider list
  authy provider list --org acme-corp
  authy provider list --json | jq -r '.[].redirect_uri'`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				id, err := orgID(ctx, s, home)
				if err != nil {
					return err
				}
				list, err := s.Providers.List(ctx, audit.Shell(), id)
				if err != nil {
					return err
				}
				return a.printProviders(s, list, asJSON)
			})
		},
	}
	c.Flags().StringVar(&home, "org", "", "only those of the organization with this `SLUG`")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) showProviderCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show SLUG",
		Short: "Show an identity provider",
		Long:  `Show an identity provider, without its secret.`,
		Example: `  authy provider show google
  authy provider show --json google`,
		Args: takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				p, err := s.Providers.Show(ctx, audit.Shell(), "", args[0])
				if err != nil {
					return err
				}
				file, err := setByFile(ctx, s, managed.Provider, p.ID)
				if err != nil {
					return err
				}
				return a.printProvider(s, p, file, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) updateProviderCommand() *cobra.Command {
	var f providerFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "update SLUG",
		Short: "Change an identity provider",
		Long: `Change an identity provider: what you name is set, the rest stays. A list is set as
a whole; an empty value clears it. Another issuer needs the secret again.`,
		Example: `  authy provider update google --secret-stdin < secret
  authy provider update google --domain acme-corp.com --registration domains
  authy provider update google --disabled`,
		Args: takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			if f.writeTo(c, new(provider.Description)) == 0 {
				return misused(c, "say what to change")
			}
			if err := f.read(a, c); err != nil {
				return err
			}
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				if err := f.resolve(ctx, s); err != nil {
					return err
				}
				p, err := s.Providers.Update(ctx, audit.Shell(), "", args[0],
					func(d *provider.Description) { f.writeTo(c, d) })
				if err != nil {
					return err
				}
				a.note("Changed the identity provider %s.", p.Slug)
				if asJSON {
					return a.printJSON(providerOutOf(s, p))
				}
				return nil
			})
		},
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) removeProviderCommand() *cobra.Command {
	var y confirmation
	c := &cobra.Command{
		Use:   "remove SLUG",
		Short: "Delete an identity provider with the accounts' links to it",
		Long: `Delete an identity provider with the accounts' links to it: who has no other way to
sign in needs a link to set a password then ('authy user reset-link'). It cannot be
undone; 'authy provider update --disabled' can.`,
		Example: `  authy provider remove google
  authy provider remove --yes google`,
		Args: takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.canConfirm(c, y); err != nil {
				return err
			}
			return a.removeProvider(c.Context(), args[0], y)
		},
	}
	y.add(c)
	return c
}

func (a *app) removeProvider(ctx context.Context, slug string, y confirmation) error {
	return a.with(ctx, func(s *server.Services) error {
		p, err := s.Providers.Show(ctx, audit.Shell(), "", slug)
		if err != nil {
			return err
		}
		question := "Delete " + p.Name + " (" + p.Slug + ") and the accounts' links to it, for good?"
		if err := a.confirm(ctx, y, printable(question)); err != nil {
			return err
		}
		if err := s.Providers.Remove(ctx, audit.Shell(), "", slug); err != nil {
			return err
		}
		a.note("Deleted the identity provider %s: nobody can come from it.", slug)
		return nil
	})
}

func (a *app) testProviderCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "test SLUG",
		Short: "Look what is wrong with an identity provider",
		Long: `Look what is wrong with an identity provider: whether this machine can reach it, it is
who it should be, its keys can be used, and the clocks agree. Each line says what was
found and what to do; the command exits with 1 if something is not right.`,
		Example: `  authy provider test google
  authy provider test --json google`,
		Args: takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				checks, err := s.Providers.Test(ctx, audit.Shell(), "", args[0])
				if err != nil {
					return err
				}
				return a.printChecks(checks, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
