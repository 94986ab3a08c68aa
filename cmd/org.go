package cmd

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
	"authy/server/managed"
	"authy/server/org"
)

func (a *app) orgCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "org",
		Short: "Add, look at and delete organizations, and change who is in them",
		Long: `Add, look at and delete organizations, and change who is in them. The commands
work beside a running server, which heeds them at once, and without one. An
organization is named by slug or ID, a user by address or ID.`,
		Example: `  authy org create acme --name 'Acme Corporation' --owner alice@example.com
  authy org member add acme bob@example.com --role admin
  authy org show acme`,
	}
	c.AddCommand(a.createOrgCommand(), a.listOrgsCommand(), a.showOrgCommand(), a.updateOrgCommand(), a.switchOrgCommand(true),
		a.switchOrgCommand(false), a.rescueOrgCommand(), a.deleteOrgCommand(), a.memberCommand())
	c.AddCommand(a.policyCommand(), a.complianceCommand())
	c.AddCommand(a.domainCommand())
	return c
}

// orgOut is an organization as programs see it.
type orgOut struct {
	ID          string     `json:"id"`
	Slug        string     `json:"slug"`
	Name        string     `json:"name"`
	Description string     `json:"description"`
	LogoURL     string     `json:"logo_url"`
	Active      bool       `json:"active"`
	CreatedAt   *time.Time `json:"created_at"`
	UpdatedAt   *time.Time `json:"updated_at"`
	ManagedBy   string     `json:"managed_by,omitempty"`
	// Members is there only when one organization is shown.
	Members *int64 `json:"member_count,omitempty"`
}

func orgOutOf(o *org.Organization) orgOut {
	return orgOut{
		ID: o.ID, Slug: o.Slug, Name: o.Name, Description: o.Description, LogoURL: o.LogoURL, Active: o.IsActive,
		CreatedAt: instantOrNull(o.CreatedAt.Time), UpdatedAt: instantOrNull(o.UpdatedAt.Time),
	}
}

func (a *app) createOrgCommand() *cobra.Command {
	var in org.NewOrg
	var owner string
	var asJSON bool
	c := &cobra.Command{
		Use:   "create SLUG",
		Short: "Add an organization with its first owner",
		Long: `Add an organization with its first owner. The slug stands in URLs and does not
change; without --name it is the name, too.`,
		Example: `  authy org create acme --name 'Acme Corporation' --owner alice@example.com`,
		Args:    takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			if owner == "" {
				return misused(c, "--owner is missing")
			}
			if in.Slug = args[0]; in.Name == "" {
				in.Name = in.Slug
			}
			return a.withUser(c.Context(), owner, func(s *server.Services, u *account.User) error {
				in.OwnerID = u.ID
				return a.createOrg(c.Context(), s, in, u.Email, asJSON)
			})
		},
	}
	c.Flags().StringVar(&in.Name, "name", "", "`NAME` of the organization")
	c.Flags().StringVar(&in.Description, "description", "", "`TEXT` about it")
	c.Flags().StringVar(&in.LogoURL, "logo-url", "", "`URL` of its logo")
	c.Flags().StringVar(&owner, "owner", "", "its first owner (`EMAIL-or-ID`)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) createOrg(ctx context.Context, s *server.Services, in org.NewOrg, owner string, asJSON bool) error {
	o, err := s.Orgs.Create(ctx, audit.Shell(), in)
	if err != nil {
		return err
	}
	a.note("Created the organization %s, which %s owns.", o.Slug, owner)
	if asJSON {
		return a.printJSON(orgOutOf(o))
	}
	return nil
}

func (a *app) listOrgsCommand() *cobra.Command {
	var search string
	var disabled bool
	var l listing
	c := &cobra.Command{
		Use:   "list",
		Short: "List organizations in the order of their slugs, or search them",
		Long: `List organizations in the order of their slugs. With --search those whose slug,
or any word of whose name, begins with a text, in the order of what fits.`,
		Example: `  authy org list
  authy org list --limit 50 --after acme
  authy org list --search corp
  authy org list --json | jq -r '.[].slug'`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := l.check(c); err != nil {
				return err
			}
			if l.after != "" && search != "" {
				return misused(c, "--after is for the list of all organizations; leave it out with --search")
			}
			var f org.Filter
			if c.Flags().Changed("disabled") {
				active := !disabled
				f.Active = &active
			}
			return a.listOrgs(c.Context(), f, search, l)
		},
	}
	c.Flags().StringVar(&search, "search", "", "only what is called like this `TEXT`, or has this ID")
	c.Flags().BoolVar(&disabled, "disabled", false, "only disabled ones; with --disabled=false only others")
	l.add(c, listed, "begin after this slug (`SLUG`)")
	return c
}

func (a *app) listOrgs(ctx context.Context, f org.Filter, search string, l listing) error {
	return a.with(ctx, func(s *server.Services) error {
		orgs, next, err := s.Orgs.Search(ctx, audit.Shell(), f, search, l.after, l.limit)
		if err != nil {
			return err
		}
		if len(orgs) == 0 && !l.asJSON && (search != "" || f.Active != nil) {
			a.note("There are no such organizations.")
			return nil
		}
		if err := a.printOrgs(orgs, l.asJSON); err != nil {
			return err
		}
		a.noteMore(next, search != "")
		return nil
	})
}

func (a *app) printOrgs(orgs []org.Organization, asJSON bool) error {
	out, rows := make([]orgOut, len(orgs)), make([][]string, len(orgs))
	for i := range orgs {
		o := orgOutOf(&orgs[i])
		out[i], rows[i] = o, []string{o.Slug, o.Name, yesOrNo(o.Active), instant(orgs[i].CreatedAt.Time), o.ID}
	}
	head := []string{"SLUG", "NAME", "ACTIVE", "CREATED", "ID"}
	return a.printList(asJSON, out, head, rows, "There are no organizations. Add one with 'authy org create SLUG --owner EMAIL'.")
}

func (a *app) showOrgCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show SLUG-or-ID",
		Short: "Show an organization",
		Example: `  authy org show acme
  authy org show --json 0198c0de-0000-7000-8000-000000000000`,
		Args: takes("SLUG-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withOrg(c.Context(), args[0], func(s *server.Services, o *org.Organization) error {
				view, err := s.Orgs.Show(c.Context(), audit.Shell(), o.ID)
				if err != nil {
					return err
				}
				file, err := setByFile(c.Context(), s, managed.Organization, o.ID)
				if err != nil {
					return err
				}
				return a.printOrg(view, file, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) printOrg(view *org.View, file string, asJSON bool) error {
	o := orgOutOf(view.Organization)
	o.ManagedBy = file
	if o.Members = &view.Members; asJSON {
		return a.printJSON(o)
	}
	return a.printTable(nil, append([][]string{
		{"ID", o.ID},
		{"Slug", o.Slug},
		{"Name", o.Name},
		{"Description", o.Description},
		{"Logo", o.LogoURL},
		{"Active", yesOrNo(o.Active)},
		{"Members", fmt.Sprint(view.Members)},
		{"Created", instant(view.Organization.CreatedAt.Time)},
		{"Changed", instant(view.Organization.UpdatedAt.Time)},
	}, setByRow(file)...))
}

func (a *app) deleteOrgCommand() *cobra.Command {
	var y confirmation
	c := &cobra.Command{
		Use:   "delete SLUG-or-ID",
		Short: "Delete an organization with its clients",
		Long: `Delete an organization with its clients, which stop at once, also on a running
server. Its members stay users. It cannot be undone.`,
		Example: `  authy org delete acme
  authy org delete --yes acme`,
		Args: takes("SLUG-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.canConfirm(c, y); err != nil {
				return err
			}
			return a.withOrg(c.Context(), args[0], func(s *server.Services, o *org.Organization) error {
				return a.deleteOrg(c.Context(), s, o, y)
			})
		},
	}
	y.add(c)
	return c
}

func (a *app) deleteOrg(ctx context.Context, s *server.Services, o *org.Organization, y confirmation) error {
	if err := a.confirm(ctx, y, "Delete "+o.Slug+" with its memberships and clients, for good?"); err != nil {
		return err
	}
	if err := s.Orgs.Delete(ctx, audit.Shell(), o.ID); err != nil {
		return err
	}
	a.note("Deleted %s: its clients have stopped, and its members are in it no more.", o.Slug)
	return nil
}

// withOrg finds the organization that an argument names and calls do.
func (a *app) withOrg(
	ctx context.Context, slugOrID string, do func(*server.Services, *org.Organization) error,
) error {
	return a.with(ctx, func(s *server.Services) error {
		o, err := s.Orgs.Find(ctx, slugOrID)
		if err != nil {
			return about(slugOrID, err)
		}
		return do(s, o)
	})
}
