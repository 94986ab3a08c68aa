package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/org"
)

func (a *app) updateOrgCommand() *cobra.Command {
	var name, description, logo string
	var asJSON bool
	c := &cobra.Command{
		Use:   "update SLUG-or-ID",
		Short: "Change an organization's name, description and logo",
		Long: `Change an organization: what you name is set, the rest stays; an empty value
clears. The slug does not change.`,
		Example: `  authy org update acme --name 'Acme Corporation'
  authy org update acme --description ''`,
		Args: takes("SLUG-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			var in org.Change
			for flag, set := range map[string]func(){
				"name":        func() { in.Name = &name },
				"description": func() { in.Description = &description },
				"logo-url":    func() { in.LogoURL = &logo },
			} {
				if c.Flags().Changed(flag) {
					set()
				}
			}
			if in == (org.Change{}) {
				return misused(c, "say what to change")
			}
			return a.changeOrg(c.Context(), args[0], in, asJSON, "Changed the organization %s.")
		},
	}
	c.Flags().StringVar(&name, "name", "", "`NAME` of the organization")
	c.Flags().StringVar(&description, "description", "", "`TEXT` about it")
	c.Flags().StringVar(&logo, "logo-url", "", "`URL` of its logo")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// changeOrg changes an organization and says done, in which %s is its slug.
func (a *app) changeOrg(ctx context.Context, slugOrID string, in org.Change, asJSON bool, done string) error {
	return a.withOrg(ctx, slugOrID, func(s *server.Services, o *org.Organization) error {
		changed, err := s.Orgs.Update(ctx, audit.Shell(), o.ID, in)
		if err != nil {
			return err
		}
		a.note(done, changed.Slug)
		if asJSON {
			return a.printJSON(orgOutOf(changed))
		}
		return nil
	})
}

func (a *app) switchOrgCommand(on bool) *cobra.Command {
	verb, short, done := "enable", "Let a disabled organization work again",
		"Enabled the organization %s: its members and clients are back."
	if !on {
		verb, short, done = "disable", "Stop an organization's clients and shut its members out",
			"Disabled the organization %s: its clients have stopped, and its members are shut out, until it is enabled."
	}
	return &cobra.Command{
		Use:     verb + " SLUG-or-ID",
		Short:   short,
		Example: "  authy org " + verb + " acme",
		Args:    takes("SLUG-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.changeOrg(c.Context(), args[0], org.Change{Active: &on}, false, done)
		},
	}
}

func (a *app) rescueOrgCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rescue SLUG-or-ID EMAIL-or-ID",
		Short: "Give an organization an owner when none of its owners can sign in",
		Long: `Give an organization an owner, a member or not, when none of its owners can sign
in: they are suspended, say. Otherwise 'authy org member role' does it.`,
		Example: `  authy org rescue acme bob@example.com`,
		Args:    takes("SLUG-or-ID", "EMAIL-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return a.withOrg(ctx, args[0], func(s *server.Services, o *org.Organization) error {
				user, err := s.Accounts.Find(ctx, args[1])
				if err != nil {
					return about(args[1], err)
				}
				p, err := s.Orgs.Rescue(ctx, audit.Shell(), o.ID, user.ID)
				if err != nil {
					return err
				}
				a.note("%s owns %s now.", p.User.Email, o.Slug)
				return nil
			})
		},
	}
}
