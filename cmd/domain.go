package cmd

import (
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/org"
	"authy/server/provider"
)

func (a *app) domainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "domain",
		Short: "Grant organizations the domains of addresses that they answer for",
		Long: `Grant organizations the domains of addresses that they answer for. People with such
an address are led to the organization's own identity provider, which is believed
about their addresses: grant a domain only to whom it belongs.`,
		Example: `  authy org domain add acme-corp acme-corp.com
  authy org domain list acme-corp`,
	}
	c.AddCommand(a.addDomainCommand(), a.listDomainsCommand(), a.removeDomainCommand())
	return c
}

// domainOut is a domain as programs see it.
type domainOut struct {
	Domain    string     `json:"domain"`
	CreatedAt *time.Time `json:"created_at"`
}

func domainOutOf(d *provider.Domain) domainOut {
	return domainOut{d.Domain, instantOrNull(d.CreatedAt.Time)}
}

func (a *app) addDomainCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "add SLUG-or-ID DOMAIN",
		Short:   "Grant an organization a domain",
		Long:    `Grant an organization a domain. Public ones, such as gmail.com, are refused.`,
		Example: `  authy org domain add acme-corp acme-corp.com`,
		Args:    takes("SLUG-or-ID", "DOMAIN"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withOrg(c.Context(), args[0], func(s *server.Services, o *org.Organization) error {
				d, err := s.Providers.AddDomain(c.Context(), audit.Shell(), o.ID, args[1])
				if err != nil {
					return err
				}
				a.note("Granted %s to %s.", d.Domain, o.Slug)
				if asJSON {
					return a.printJSON(domainOutOf(d))
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) listDomainsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list SLUG-or-ID",
		Short: "List the domains of an organization",
		Example: `  authy org domain list acme-corp
  authy org domain list --json acme-corp`,
		Args: takes("SLUG-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withOrg(c.Context(), args[0], func(s *server.Services, o *org.Organization) error {
				domains, err := s.Providers.Domains(c.Context(), audit.Shell(), o.ID)
				if err != nil {
					return err
				}
				return a.printDomains(domains, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) printDomains(domains []provider.Domain, asJSON bool) error {
	out, rows := make([]domainOut, len(domains)), make([][]string, len(domains))
	for i := range domains {
		out[i], rows[i] = domainOutOf(&domains[i]), []string{domains[i].Domain, instant(domains[i].CreatedAt.Time)}
	}
	switch {
	case asJSON:
		return a.printJSON(out)
	case len(domains) == 0:
		a.note("It has no domains. Grant one with 'authy org domain add'.")
		return nil
	}
	return a.printTable([]string{"DOMAIN", "GRANTED"}, rows)
}

func (a *app) removeDomainCommand() *cobra.Command {
	var y confirmation
	c := &cobra.Command{
		Use:   "remove SLUG-or-ID DOMAIN",
		Short: "Take a domain from an organization",
		Long: `Take a domain from an organization: its identity providers are no longer believed
about addresses there. Accounts that are linked stay linked.`,
		Example: `  authy org domain remove acme-corp acme-corp.com
  authy org domain remove --yes acme-corp acme-corp.com`,
		Args: takes("SLUG-or-ID", "DOMAIN"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.canConfirm(c, y); err != nil {
				return err
			}
			return a.withOrg(c.Context(), args[0], func(s *server.Services, o *org.Organization) error {
				if err := a.confirm(c.Context(), y, printable("Take "+args[1]+" from "+o.Slug+"?")); err != nil {
					return err
				}
				if err := s.Providers.RemoveDomain(c.Context(), audit.Shell(), o.ID, args[1]); err != nil {
					return err
				}
				a.note("Took %s from %s.", args[1], o.Slug)
				return nil
			})
		},
	}
	y.add(c)
	return c
}
