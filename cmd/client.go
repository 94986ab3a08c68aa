package cmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/managed"
	"authy/server/registry"
)

func (a *app) clientCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "client",
		Short: "Add, look at and change OpenID clients",
		Long: `Add, look at and change OpenID clients: the applications that sign their users in
here. The commands work beside a running server, which heeds them at once, and
without one. A client is named by its client_id.`,
		Example: `  authy client create --name Portal --redirect-uri https://portal.example.com/callback
  authy client list
  authy client rotate-secret acme-portal-001`,
	}
	c.AddCommand(a.addClientCommand(), a.createClientCommand(), a.listClientsCommand(), a.showClientCommand(), a.updateClientCommand(),
		a.rotateSecretCommand(), a.switchClientCommand(true), a.switchClientCommand(false), a.deleteClientCommand(),
		a.clientErrorsCommand(), a.registrationTokenCommand())
	return c
}

func (a *app) createClientCommand() *cobra.Command {
	var f clientFlags
	var id, slug string
	var fromStdin, public, asJSON bool
	c := &cobra.Command{
		Use:   "create",
		Short: "Register a client",
		Long: `Register a client. Its client_id and its secret are made unless you give them; a
secret that was made is printed alone on standard output, this once. Without
more it may use the code flow with PKCE and refresh tokens, and ask for openid,
profile, email and offline_access.`,
		Example: `  authy client create --name Portal --redirect-uri https://portal.example.com/callback
  authy client create --id wiki --name Wiki --org acme-corp --allow role:owner,role:admin \
      --redirect-uri https://wiki.example.com/callback --secret-stdin < secret
  authy client create --name 'Phone App' --public --native --redirect-uri com.example.app:/callback
  authy client create --name Gateway --grant urn:ietf:params:oauth:grant-type:token-exchange \
      --exchange delegation --exchange-for portal --scope openid,api:read
  authy client create --name Robot --grant client_credentials --scope api:read
  authy client create --name Old --redirect-uri https://old.example.com/cb --profile legacy --no-pkce --code-lifetime 5m
  authy client create --name 'Old Page' --public --redirect-uri https://page.example.com/cb --profile legacy \
      --grant implicit --response-type 'id_token token'
  authy client create --name Bank --redirect-uri https://bank.example.com/cb --auth-method private_key_jwt \
      --jwks keys.json --require-par --dpop`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if err := f.read(a, c); err != nil {
				return err
			}
			in := registry.Defaults()
			f.writeTo(&in)
			in.ClientID = id
			switch {
			case public && fromStdin:
				return misused(c, "--public and --secret-stdin exclude each other: a public client has no secret")
			case fromStdin:
				in.Secret, err = a.secret(c)
			}
			if err != nil {
				return err
			}
			return a.createClient(c.Context(), in, slug, public, asJSON)
		},
	}
	f.add(c)
	c.Flags().StringVar(&id, "id", "", "`CLIENT_ID` (default one that is made)")
	c.Flags().StringVar(&slug, "org", "", "`SLUG` of the organization that it belongs to")
	c.Flags().BoolVar(&public, "public", false, "it can keep no secret, as an app on a device or in a browser")
	c.Flags().BoolVar(&fromStdin, "secret-stdin", false, "read the secret from the first line of standard input")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// secret returns a secret from standard input.
func (a *app) secret(c *cobra.Command) (string, error) {
	secret, err := a.readLine(c.Context())
	if err == nil && secret == "" {
		return "", misused(c, "there is no secret on standard input")
	}
	return secret, err
}

func (a *app) createClient(ctx context.Context, in registry.Registration, slug string, public, asJSON bool) error {
	return a.with(ctx, func(s *server.Services) (err error) {
		if in.OrganizationID, err = orgID(ctx, s, slug); err != nil {
			return err
		}
		client, secret, err := s.Clients.Register(ctx, audit.Shell(), in, public)
		if err != nil {
			return err
		}
		a.note("Created the client %s. Its provider is %s.", client.ClientID, s.Config.PublicURL)
		if in.Secret != "" {
			secret = "" // whoever gave it knows it
		}
		return a.printClientSecret(client, secret, asJSON)
	})
}

// printClientSecret prints a secret that was made alone, or with its client as
// JSON.
func (a *app) printClientSecret(client *registry.Client, secret string, asJSON bool) error {
	if secret != "" {
		a.note("Its secret is shown this once:")
	}
	switch {
	case asJSON:
		out := clientOutOf(client)
		out.Secret = secret
		return a.printJSON(out)
	case secret != "":
		return a.printLine(secret)
	}
	return nil
}

// orgID returns the id of an organization, "" for no slug.
func orgID(ctx context.Context, s *server.Services, slug string) (string, error) {
	if slug == "" {
		return "", nil
	}
	home, err := s.Orgs.BySlug(ctx, slug)
	if err != nil {
		return "", err
	}
	return home.ID, nil
}

func (a *app) listClientsCommand() *cobra.Command {
	var slug, search string
	var l listing
	c := &cobra.Command{
		Use:   "list",
		Short: "List clients in the order of their client_ids, or search them",
		Long: `List clients in the order of their client_ids. With --search those whose
client_id, or any word of whose name, begins with a text, in the order of what
fits.`,
		Example: `  authy client list
  authy client list --search portal
  authy client list --org acme-corp
  authy client list --json | jq -r '.[] | select(.public) | .client_id'`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := l.check(c); err != nil {
				return err
			}
			if l.after != "" && search != "" {
				return misused(c, "--after is for the list of all clients; leave it out with --search")
			}
			return a.listClients(c.Context(), slug, search, l)
		},
	}
	c.Flags().StringVar(&search, "search", "", "only what is called like this `TEXT`")
	c.Flags().StringVar(&slug, "org", "", "only those of the organization with this `SLUG`")
	l.add(c, listed, "begin after this `CLIENT_ID`")
	return c
}

func (a *app) listClients(ctx context.Context, slug, search string, l listing) error {
	return a.with(ctx, func(s *server.Services) error {
		home, err := orgID(ctx, s, slug)
		if err != nil {
			return err
		}
		clients, next, err := s.Clients.Search(ctx, audit.Shell(), home, search, l.after, l.limit)
		if err != nil {
			return err
		}
		if len(clients) == 0 && !l.asJSON && search != "" {
			a.note("There are no such clients.")
			return nil
		}
		if err := a.printClients(clients, l.asJSON); err != nil {
			return err
		}
		a.noteMore(next, search != "")
		return nil
	})
}

func (a *app) printClients(clients []registry.Client, asJSON bool) error {
	out, rows := make([]clientOut, len(clients)), make([][]string, len(clients))
	for i := range clients {
		c := clientOutOf(&clients[i])
		out[i] = c
		rows[i] = []string{
			c.ClientID, c.Name, kindOf(c), yesOrNo(c.IsActive), strings.Join(c.Allow, " "), strings.Join(c.GrantTypes, " "),
		}
	}
	head := []string{"CLIENT ID", "NAME", "KIND", "ENABLED", "ALLOWED", "GRANTS"}
	return a.printList(asJSON, out, head, rows, "There are no clients. Add one with 'authy client create'.")
}

func kindOf(c clientOut) string {
	kind := c.ApplicationType
	if c.Public {
		kind += ", public"
	}
	if c.Dynamic {
		kind += ", registered itself"
	}
	return kind
}

func (a *app) showClientCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show CLIENT_ID",
		Short: "Show a client",
		Long:  `Show a client. Secrets are not kept, so they cannot be shown.`,
		Example: `  authy client show acme-portal-001
  authy client show --json acme-portal-001`,
		Args: takes("CLIENT_ID"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				client, err := s.Clients.Of(ctx, audit.Shell(), "", args[0])
				if err != nil {
					return err
				}
				file, err := setByFile(ctx, s, managed.Client, client.ID)
				if err != nil {
					return err
				}
				return a.printClient(client, file, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
