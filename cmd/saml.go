package cmd

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/saml2"
)

func (a *app) samlCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "saml",
		Short: "Set SAML up",
		Long: `Set SAML 2.0 up: the services that sign people in here, the keys that sign messages,
and the metadata of the identity providers that people come from. Those are added
with 'authy provider add saml'. The commands work beside a running server, which
heeds them at once, and without one.`,
		Example: `  authy saml sp add --metadata https://cloud.example.com/saml/metadata --preset nextcloud
  authy saml key list
  authy saml refresh acme-corp-okta`,
	}
	c.AddCommand(a.serviceCommand(), a.samlKeyCommand(), a.samlRefreshCommand())
	return c
}

func (a *app) samlKeyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Look at the keys that sign SAML messages, and replace them",
		Long: `Look at the keys that sign SAML messages, and replace them. Each has a certificate
for ten years, which peers know from the metadata at /saml/sp/metadata. Many read
that once, by hand: so a key is published first, and signs when you say so.`,
		Example: `  authy saml key list
  authy saml key rotate
  authy saml key rotate --now`,
	}
	c.AddCommand(a.listSAMLKeysCommand(), a.rotateSAMLKeysCommand(), a.retireSAMLKeyCommand())
	return c
}

// samlKeyOut is a SAML key as programs see it, without what is private.
type samlKeyOut struct {
	ID        string    `json:"id"` // the SHA-256 of the certificate
	State     string    `json:"state"`
	EndsAt    time.Time `json:"ends_at"`
	CreatedAt time.Time `json:"created_at"`
}

func (a *app) listSAMLKeysCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the keys that sign SAML messages, the one that signs first",
		Long: `List the keys that sign SAML messages, the one that signs first, without what is
private in them. The ID is the SHA-256 of the certificate.`,
		Example: `  authy saml key list
  authy saml key list --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				keys, err := s.SAMLKeys.List(ctx, audit.Shell())
				if err != nil {
					return err
				}
				return a.printSAMLKeys(keys, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) printSAMLKeys(keys []*saml2.Key, asJSON bool) error {
	out, rows := make([]samlKeyOut, len(keys)), make([][]string, len(keys))
	for i, k := range keys {
		ends := k.Certificate.NotAfter.UTC()
		out[i] = samlKeyOut{ID: k.ID, State: k.State, EndsAt: ends, CreatedAt: k.CreatedAt}
		rows[i] = []string{k.ID, k.State, instant(k.CreatedAt), instant(ends)}
		if k.State == "signing" && k.EndsSoon(time.Now()) {
			a.note("The certificate of the key that signs ends on %s: publish the next one with 'authy saml key rotate'.",
				ends.Format(time.DateOnly))
		}
	}
	if asJSON {
		return a.printJSON(out)
	}
	return a.printTable([]string{"ID", "STATE", "CREATED", "ENDS"}, rows)
}

func (a *app) rotateSAMLKeysCommand() *cobra.Command {
	var now, asJSON bool
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Publish the key that signs next, or have it sign now",
		Long: `Publish the key that signs next: it is in the metadata from then on. When every
peer has read that, have it sign with --now. The key that signed before is retired:
it stays in the metadata, and what is encrypted to it is read, until you take it
out with 'authy saml key retire'.

With --now and no key published, a new one signs at once, because the old one has
leaked: peers refuse what it signs until they have read the metadata again.`,
		Example: `  authy saml key rotate
  authy saml key rotate --now`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				key, err := s.SAMLKeys.Rotate(ctx, audit.Shell(), now)
				if err != nil {
					return err
				}
				if now {
					a.note("The key signs now. Take the old one out with 'authy saml key retire' when no peer needs it.")
				} else {
					a.note("The key is published. Have it sign with --now when every peer has read the metadata.")
				}
				return a.printSAMLKeys([]*saml2.Key{key}, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&now, "now", false, "have the published key, or a new one, sign at once")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) retireSAMLKeyCommand() *cobra.Command {
	var y confirmation
	c := &cobra.Command{
		Use:   "retire KEY",
		Short: "Delete a SAML key that does not sign",
		Long: `Delete a SAML key that does not sign: it goes out of the metadata, and what is
encrypted to it is not read any more.`,
		Example: `  authy saml key list
  authy saml key retire --yes 3f1c0a5b4f6f8f0f9f3b6b0f1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d`,
		Args: takes("KEY"),
		RunE: func(c *cobra.Command, args []string) error {
			question := "Delete the SAML key " + args[0] + ", for good?"
			return a.ifConfirmed(c, y, question, func(s *server.Services) error {
				if err := s.SAMLKeys.Retire(c.Context(), audit.Shell(), args[0]); err != nil {
					return err
				}
				a.note("The key is gone.")
				return nil
			})
		},
	}
	y.add(c)
	return c
}

func (a *app) samlRefreshCommand() *cobra.Command {
	var accept bool
	c := &cobra.Command{
		Use:   "refresh SLUG",
		Short: "Fetch the metadata of a SAML identity provider anew",
		Long: `Fetch the metadata of a SAML identity provider anew, from the URL that it was added
with, also of one that the configuration sets: a server does so once a day by itself.
What is different is printed. New
keys and addresses are kept only if the metadata is signed by a key that was known,
or with --accept: compare them first with what whoever runs the provider tells you.`,
		Example: `  authy saml refresh acme-corp-okta
  authy saml refresh acme-corp-okta --accept`,
		Args: takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				changes, err := s.Providers.Refresh(ctx, audit.Shell(), args[0], accept)
				for _, change := range changes {
					a.note("%s", change)
				}
				if errors.Is(err, saml2.ErrMetadataChanged) {
					a.note("Nothing was changed. If this is right, use --accept.")
				}
				if err != nil {
					return err
				}
				a.note("The metadata is kept.")
				return nil
			})
		},
	}
	c.Flags().BoolVar(&accept, "accept", false, "keep new keys and addresses, too")
	return c
}
