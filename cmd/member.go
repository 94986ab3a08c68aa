package cmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
	"authy/server/managed"
	"authy/server/org"
)

func (a *app) memberCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "member",
		Short: "Add, list, change and remove the members of an organization",
		Long: `Add, list, change and remove the members of an organization. The roles are
owner, admin, member and guest. An organization always has an owner.`,
		Example: `  authy org member add acme bob@example.com --role admin
  authy org member role acme bob@example.com owner
  authy org member remove acme bob@example.com`,
	}
	c.AddCommand(a.addMemberCommand(), a.listMembersCommand(), a.memberRoleCommand(), a.removeMemberCommand())
	return c
}

// memberOut is a member as programs see it, or an invitation to become one.
type memberOut struct {
	UserID    string     `json:"user_id,omitempty"`
	Email     string     `json:"email"`
	Role      string     `json:"role"`
	JoinedAt  *time.Time `json:"joined_at,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	Link      string     `json:"link,omitempty"`
	ManagedBy string     `json:"managed_by,omitempty"`
}

func memberOutOf(p *org.Place) memberOut {
	return memberOut{
		UserID: p.User.ID, Email: p.User.Email, Role: string(p.Member.Role), JoinedAt: instantOrNull(p.Member.JoinedAt.Time),
	}
}

func (a *app) addMemberCommand() *cobra.Command {
	var role string
	var asJSON bool
	c := &cobra.Command{
		Use:   "add SLUG-or-ID EMAIL",
		Short: "Add a member, or invite who has no account yet",
		Long: `Add a member. Whoever has no account yet, or one whose address is not verified,
is invited: the link, which works once, for that address, within seven days, is
printed alone on standard output.`,
		Example: `  authy org member add acme bob@example.com
  authy org member add acme carol@example.com --role admin`,
		Args: takes("SLUG-or-ID", "EMAIL"),
		RunE: func(c *cobra.Command, args []string) error {
			email, err := account.ParseEmail(args[1])
			if err != nil {
				return err
			}
			return a.withOrg(c.Context(), args[0], func(s *server.Services, o *org.Organization) error {
				added, err := s.Orgs.Add(c.Context(), audit.Shell(), o.ID, email, org.Role(role))
				if err != nil {
					return err
				}
				return a.printAdded(s, o, added, asJSON)
			})
		},
	}
	c.Flags().StringVar(&role, "role", string(org.Member), "`ROLE` to give: owner, admin, member or guest")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) printAdded(s *server.Services, o *org.Organization, added *org.Added, asJSON bool) error {
	if i := added.Invitation; i != nil {
		link := org.InvitationLink(s.Config.PublicURL, added.Secret)
		a.note("%s has no account with a verified address and is invited as %s of %s. The link is shown this once:", i.Email, i.Role, o.Slug)
		if asJSON {
			return a.printJSON(memberOut{
				Email: i.Email, Role: string(i.Role), ExpiresAt: instantOrNull(i.ExpiresAt.Time), Link: link,
			})
		}
		return a.printLine(link)
	}
	m := memberOutOf(added.Place)
	a.note("Added %s to %s as %s.", m.Email, o.Slug, m.Role)
	if asJSON {
		return a.printJSON(m)
	}
	return nil
}

func (a *app) listMembersCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list SLUG-or-ID",
		Short: "List the members of an organization, the oldest first",
		Example: `  authy org member list acme
  authy org member list acme --json | jq -r '.[] | select(.role == "owner") | .email'`,
		Args: takes("SLUG-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withOrg(c.Context(), args[0], func(s *server.Services, o *org.Organization) error {
				return a.listMembers(c.Context(), s, o, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// membersAtOnce is how many members are read at a time.
const membersAtOnce = 200

func (a *app) listMembers(ctx context.Context, s *server.Services, o *org.Organization, asJSON bool) error {
	out, rows, after := []memberOut{}, [][]string{}, ""
	for {
		places, err := s.Orgs.Members(ctx, audit.Shell(), o.ID, after, membersAtOnce)
		if err != nil {
			return err
		}
		ids := make([]string, len(places))
		for i := range places {
			ids[i] = places[i].Member.ID
		}
		files, err := s.State.Files(ctx, managed.Member, ids)
		if err != nil {
			return err
		}
		for i := range places {
			m := memberOutOf(&places[i])
			m.ManagedBy = files[ids[i]]
			out = append(out, m)
			rows = append(rows, []string{m.Email, m.Role, instant(places[i].Member.JoinedAt.Time), m.UserID})
			after = places[i].Member.ID
		}
		if len(places) < membersAtOnce {
			break
		}
	}
	if asJSON {
		return a.printJSON(out)
	}
	return a.printTable([]string{"EMAIL", "ROLE", "JOINED", "USER ID"}, rows)
}

func (a *app) memberRoleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "role SLUG-or-ID EMAIL-or-ID ROLE",
		Short: "Give a member another role",
		Example: `  authy org member role acme bob@example.com admin
  authy org member role acme carol@example.com owner`,
		Args: takes("SLUG-or-ID", "EMAIL-or-ID", "ROLE"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withMember(c.Context(), args, func(s *server.Services, o *org.Organization, u *account.User) error {
				p, err := s.Orgs.SetRole(c.Context(), audit.Shell(), o.ID, u.ID, org.Role(args[2]))
				if err != nil {
					return err
				}
				a.note("%s is %s of %s now.", u.Email, p.Member.Role, o.Slug)
				return nil
			})
		},
	}
}

func (a *app) removeMemberCommand() *cobra.Command {
	var y confirmation
	c := &cobra.Command{
		Use:   "remove SLUG-or-ID EMAIL-or-ID",
		Short: "Remove a member; the last owner stays",
		Example: `  authy org member remove acme bob@example.com
  authy org member remove --yes acme bob@example.com`,
		Args: takes("SLUG-or-ID", "EMAIL-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.canConfirm(c, y); err != nil {
				return err
			}
			return a.withMember(c.Context(), args, func(s *server.Services, o *org.Organization, u *account.User) error {
				if err := a.confirm(c.Context(), y, "Remove "+u.Email+" from "+o.Slug+"?"); err != nil {
					return err
				}
				if err := s.Orgs.Remove(c.Context(), audit.Shell(), o.ID, u.ID); err != nil {
					return err
				}
				a.note("Removed %s from %s.", u.Email, o.Slug)
				return nil
			})
		},
	}
	y.add(c)
	return c
}

// withMember finds the organization and the user that the first two arguments
// name and calls do.
func (a *app) withMember(
	ctx context.Context, args []string, do func(*server.Services, *org.Organization, *account.User) error,
) error {
	return a.withOrg(ctx, args[0], func(s *server.Services, o *org.Organization) error {
		user, err := s.Accounts.Find(ctx, args[1])
		if err != nil {
			return about(args[1], err)
		}
		return do(s, o, user)
	})
}
