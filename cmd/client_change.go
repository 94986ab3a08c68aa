package cmd

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/registry"
)

// clientFlags are the flags that describe a client.
type clientFlags struct {
	name                               string
	redirects, logouts                 []string
	scopes, grants, responses, allow   []string
	native, noPKCE, skipConsent        bool
	access, refresh, id                time.Duration
	logoURI, clientURI, policy, tosURI string
	profile                            string
	exchange, exchangeFor              []string
	options                            optionFlags
}

func (f *clientFlags) add(c *cobra.Command) {
	flags, d := c.Flags(), registry.Defaults()
	flags.SortFlags = false // what belongs together stays together
	flags.StringVar(&f.name, "name", "", "`NAME` that its users see")
	flags.StringArrayVar(&f.redirects, "redirect-uri", nil, "`URI` that a code may be sent to; repeat for more")
	flags.StringArrayVar(&f.logouts, "post-logout-redirect-uri", nil,
		"`URI` that a browser may be sent to after sign-out; repeat for more")
	flags.StringSliceVar(&f.scopes, "scope", d.Scopes, "`SCOPE`s that it may ask for")
	flags.StringSliceVar(&f.grants, "grant", d.GrantTypes,
		"`GRANT`s: "+strings.Join(registry.GrantTypes, ", ")+"; and implicit, for tokens without a code")
	flags.StringSliceVar(&f.responses, "response-type", nil,
		"`TYPE`s of answers: code with the grant authorization_code; 'id_token' and 'id_token token' with the grant implicit, "+
			"for applications of the profile legacy where openid.implicit is on (default what its grants leave)")
	flags.StringSliceVar(&f.allow, "allow", d.Allowed,
		"`WHO` may use it: everyone, organization, or roles such as role:owner,role:admin")
	flags.BoolVar(&f.native, "native", false, "it runs on its users' devices and chooses loopback ports by itself")
	flags.StringVar(&f.profile, "profile", registry.OAuth21, "`PROFILE`: oauth2.1, or legacy for applications that cannot do what it asks")
	flags.BoolVar(&f.noPKCE, "no-pkce", false, "let it do without PKCE; for applications of the profile legacy")
	flags.BoolVar(&f.skipConsent, "skip-consent", false, "do not ask its users; for your own applications")
	flags.DurationVar(&f.access, "access-token-lifetime", d.AccessTokenLifetime, "`HOW LONG` access tokens last")
	flags.DurationVar(&f.refresh, "refresh-token-lifetime", d.RefreshTokenLifetime, "`HOW LONG` refresh tokens last unused")
	flags.DurationVar(&f.id, "id-token-lifetime", d.IDTokenLifetime, "`HOW LONG` ID tokens last")
	flags.StringSliceVar(&f.exchange, "exchange", nil, "`HOW` it may exchange tokens: impersonation, delegation or both")
	flags.StringSliceVar(&f.exchangeFor, "exchange-for", nil, "`CLIENT_ID`s whose tokens it may exchange beside its own")
	flags.StringVar(&f.logoURI, "logo-uri", "", "`URL` of its logo")
	flags.StringVar(&f.clientURI, "client-uri", "", "`URL` of its home page")
	flags.StringVar(&f.policy, "policy-uri", "", "`URL` of what it says about data")
	flags.StringVar(&f.tosURI, "tos-uri", "", "`URL` of its terms")
	f.options.add(c)
}

// writeTo writes the flags that c was given to the description of a client and
// returns how many there were.
func (f *clientFlags) writeTo(c *cobra.Command, in *registry.Registration) (given int) {
	writes := map[string]func(){
		"name":                     func() { in.Name = f.name },
		"redirect-uri":             func() { in.RedirectURIs = valuesOf(f.redirects) },
		"post-logout-redirect-uri": func() { in.PostLogoutRedirectURIs = valuesOf(f.logouts) },
		"scope":                    func() { in.Scopes = f.scopes },
		"grant":                    func() { in.GrantTypes = f.grants },
		"response-type":            func() { in.ResponseTypes = f.responses },
		"allow":                    func() { in.Allowed = f.allow },
		"native":                   func() { in.ApplicationType = applicationType(f.native) },
		"no-pkce":                  func() { in.RequirePKCE = !f.noPKCE },
		"profile":                  func() { in.Options.Profile = f.profile },
		"skip-consent":             func() { in.SkipConsent = f.skipConsent },
		"access-token-lifetime":    func() { in.AccessTokenLifetime = f.access },
		"refresh-token-lifetime":   func() { in.RefreshTokenLifetime = f.refresh },
		"id-token-lifetime":        func() { in.IDTokenLifetime = f.id },
		"exchange":                 func() { in.Options.Exchange = valuesOf(f.exchange) },
		"exchange-for":             func() { in.Options.ExchangeFor = valuesOf(f.exchangeFor) },
		"logo-uri":                 func() { in.LogoURI = f.logoURI },
		"client-uri":               func() { in.ClientURI = f.clientURI },
		"policy-uri":               func() { in.PolicyURI = f.policy },
		"tos-uri":                  func() { in.TOSURI = f.tosURI },
	}
	maps.Copy(writes, f.options.writes(in))
	for name, write := range writes {
		if c.Flags().Changed(name) {
			write()
			given++
		}
	}
	return given
}

// valuesOf returns the values of a flag; one that is empty stands for none.
func valuesOf(values []string) []string {
	if len(values) == 1 && values[0] == "" {
		return nil
	}
	return values
}

func applicationType(native bool) string {
	if native {
		return "native"
	}
	return "web"
}

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
			if f.writeTo(c, new(registry.Registration)) == 0 {
				return misused(c, "say what to change")
			}
			if err := f.options.read(a, c); err != nil {
				return err
			}
			return a.updateClient(c.Context(), args[0], func(in *registry.Registration) { f.writeTo(c, in) }, asJSON)
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
	rotation := registry.Rotation{}
	c := &cobra.Command{
		Use:   "rotate-secret CLIENT_ID",
		Short: "Replace a client's secret",
		Long: `Replace a client's secret. The new one is made, and printed alone on standard
output, unless you give it. The old one works beside it for a day, so that
nothing fails meanwhile; with --overlap 0 it ends at once, which is right for
one that has leaked.`,
		Example: `  authy client rotate-secret acme-portal-001
  authy client rotate-secret --overlap 0 acme-portal-001
  authy client rotate-secret --secret-stdin acme-portal-001 < secret`,
		Args: takes("CLIENT_ID"),
		RunE: func(c *cobra.Command, args []string) (err error) {
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
	return c
}

func (a *app) rotateSecret(ctx context.Context, id string, rotation registry.Rotation, asJSON bool) error {
	return a.with(ctx, func(s *server.Services) error {
		client, secret, err := s.Clients.RotateSecret(ctx, audit.Shell(), "", id, rotation)
		if err != nil {
			return err
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
			return err
		}
		a.note("Deleted the client %s: its tokens are dead.", id)
		return nil
	})
}
