package cmd

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
	"authy/server/org"
)

func (a *app) inviteCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "invite",
		Short: "Invite people to organizations",
		Long: `Invite people to organizations. An invitation works once, for its address, within
seven days. An organization is named by slug or ID.`,
		Example: `  authy invite create acme carol@example.com --role admin
  authy invite list acme
  authy invite revoke acme carol@example.com`,
	}
	c.AddCommand(a.createInviteCommand(), a.listInvitesCommand(), a.revokeInviteCommand())
	return c
}

// inviteOut is an invitation as programs see it.
type inviteOut struct {
	ID        string     `json:"id"`
	Email     string     `json:"email"`
	Role      string     `json:"role"`
	CreatedAt *time.Time `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	// Link is there only when the invitation was just made.
	Link string `json:"link,omitempty"`
}

func inviteOutOf(i *org.Invitation) inviteOut {
	return inviteOut{
		ID: i.ID, Email: i.Email, Role: string(i.Role),
		CreatedAt: instantOrNull(i.CreatedAt.Time), ExpiresAt: instantOrNull(i.ExpiresAt.Time),
	}
}

func (a *app) createInviteCommand() *cobra.Command {
	var role string
	var asJSON bool
	c := &cobra.Command{
		Use:   "create SLUG-or-ID EMAIL",
		Short: "Invite who has an address, whether they have an account or not",
		Long: `Invite who has an address, whether they have an account or not. The link, which
works once, for that address, within seven days, is printed alone on standard
output.`,
		Example: `  authy invite create acme carol@example.com
  authy invite create acme carol@example.com --role admin`,
		Args: takes("SLUG-or-ID", "EMAIL"),
		RunE: func(c *cobra.Command, args []string) error {
			email, err := account.ParseEmail(args[1])
			if err != nil {
				return err
			}
			return a.withOrg(c.Context(), args[0], func(s *server.Services, o *org.Organization) error {
				return a.createInvite(c.Context(), s, o, email, org.Role(role), asJSON)
			})
		},
	}
	c.Flags().StringVar(&role, "role", string(org.Member), "`ROLE` to offer: owner, admin, member or guest")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) createInvite(
	ctx context.Context, s *server.Services, o *org.Organization, email string, role org.Role, asJSON bool,
) error {
	i, secret, err := s.Orgs.Invite(ctx, audit.Shell(), o.ID, email, role)
	if err != nil {
		return err
	}
	link := org.InvitationLink(s.Config.PublicURL, secret)
	a.note("Invited %s as %s of %s. The link is shown this once:", i.Email, i.Role, o.Slug)
	if asJSON {
		out := inviteOutOf(i)
		out.Link = link
		return a.printJSON(out)
	}
	return a.printLine(link)
}

// eachInvite calls do for every invitation to an organization that waits for
// an answer, the oldest first, until it wants no more.
func eachInvite(ctx context.Context, s *server.Services, o *org.Organization, do func(*org.Invitation) (more bool)) error {
	for after := ""; ; {
		found, err := s.Orgs.Invitations(ctx, audit.Shell(), o.ID, after, membersAtOnce)
		if err != nil {
			return err
		}
		for i := range found {
			if !do(&found[i]) {
				return nil
			}
			after = found[i].ID
		}
		if len(found) < membersAtOnce {
			return nil
		}
	}
}

func (a *app) listInvitesCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list SLUG-or-ID",
		Short: "List the invitations that wait for an answer, the oldest first",
		Example: `  authy invite list acme
  authy invite list acme --json | jq -r '.[].email'`,
		Args: takes("SLUG-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withOrg(c.Context(), args[0], func(s *server.Services, o *org.Organization) error {
				return a.listInvites(c.Context(), s, o, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) listInvites(ctx context.Context, s *server.Services, o *org.Organization, asJSON bool) error {
	out, rows := []inviteOut{}, [][]string{}
	err := eachInvite(ctx, s, o, func(i *org.Invitation) bool {
		out = append(out, inviteOutOf(i))
		rows = append(rows, []string{i.Email, string(i.Role), instant(i.ExpiresAt.Time), i.ID})
		return true
	})
	if err != nil {
		return err
	}
	none := fmt.Sprintf("No invitation to %s waits for an answer.", o.Slug)
	return a.printList(asJSON, out, []string{"EMAIL", "ROLE", "EXPIRES", "ID"}, rows, none)
}

func (a *app) revokeInviteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "revoke SLUG-or-ID EMAIL-or-ID",
		Short:   "Take an invitation back",
		Example: `  authy invite revoke acme carol@example.com`,
		Args:    takes("SLUG-or-ID", "EMAIL-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withOrg(c.Context(), args[0], func(s *server.Services, o *org.Organization) error {
				return a.revokeInvite(c.Context(), s, o, args[1])
			})
		},
	}
}

func (a *app) revokeInvite(ctx context.Context, s *server.Services, o *org.Organization, emailOrID string) error {
	id := emailOrID
	if email, err := account.ParseEmail(emailOrID); err == nil {
		err := eachInvite(ctx, s, o, func(i *org.Invitation) bool {
			if i.Email == email {
				id = i.ID
			}
			return i.Email != email
		})
		if err != nil {
			return err
		}
	}
	if err := s.Orgs.Revoke(ctx, audit.Shell(), o.ID, id); err != nil {
		return err
	}
	a.note("Took the invitation of %s to %s back: its link is dead.", emailOrID, o.Slug)
	return nil
}
