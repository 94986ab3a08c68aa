package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
)

func (a *app) explainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain",
		Short: "Say who may use what, and what an application would be told",
		Long: `Say who may use what, and what an application would be told: by the rules that
decide when somebody signs in there, so that the two cannot disagree. A user is
named by address or ID, a client by its client_id.`,
		Example: `  authy explain access bob@example.com acme-portal-001
  authy explain claims bob@example.com acme-portal-001`,
	}
	c.AddCommand(a.explainAccessCommand(), a.explainClaimsCommand())
	return c
}

// verdictOut is a verdict as programs see it.
type verdictOut struct {
	Allowed bool   `json:"allowed"`
	Rule    string `json:"rule"`
	Text    string `json:"text"`
}

func (a *app) explainAccessCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "access EMAIL-or-ID CLIENT_ID",
		Short: "Say whether a user may use a client, and why",
		Long: `Say whether a user may use a client now, and by which rule: everyone, organization
or a role such as role:admin lets them in; user_suspended, user_inactive,
client_disabled, organization_disabled, not_allowed and second_factor_owed keep
them out.`,
		Example: `  authy explain access bob@example.com acme-portal-001
  authy explain access --json bob@example.com acme-portal-001 | jq .allowed`,
		Args: takes("EMAIL-or-ID", "CLIENT_ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.explainAccess(c.Context(), args[0], args[1], asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) explainAccess(ctx context.Context, emailOrID, clientID string, asJSON bool) error {
	return a.withUser(ctx, emailOrID, func(s *server.Services, u *account.User) error {
		verdict, err := s.OpenID.ExplainAccess(ctx, audit.Shell(), u.ID, clientID)
		if err != nil {
			return err
		}
		if asJSON {
			return a.printJSON(verdictOut(verdict))
		}
		return a.printTable(nil, [][]string{
			{"Allowed", yesOrNo(verdict.Allowed)}, {"Rule", verdict.Rule}, {"Why", verdict.Text},
		})
	})
}

func (a *app) explainClaimsCommand() *cobra.Command {
	var scope string
	c := &cobra.Command{
		Use:   "claims EMAIL-or-ID CLIENT_ID",
		Short: "Print what the tokens of a user would say to a client",
		Long: `Print what the ID token, userinfo and the access token would say to a client if
the user signed in now by password, as JSON. Nothing is signed or kept: what
depends on a signature or is made anew each time is an example. Whether the user may
use the client at all says 'authy explain access'.`,
		Example: `  authy explain claims bob@example.com acme-portal-001
  authy explain claims bob@example.com acme-portal-001 --scope 'openid email' | jq .id_token`,
		Args: takes("EMAIL-or-ID", "CLIENT_ID"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return a.withUser(ctx, args[0], func(s *server.Services, u *account.User) error {
				claims, err := s.OpenID.ExplainClaims(ctx, audit.Shell(), u.ID, args[1], scope)
				if err != nil {
					return err
				}
				return a.printJSON(claims)
			})
		},
	}
	c.Flags().StringVar(&scope, "scope", "", "what the client asks for, as `SCOPES` (default all that it may)")
	return c
}
