package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
	"authy/server/forward"
)

func (a *app) forwardAuthCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "forward-auth",
		Short: "Say whom the rules of forward-auth let through",
		Long: `Say whom the rules of forward-auth let through. They stand in the configuration
file, as tables [[forward_auth]]; docs/forward-auth.md has the settings of each
proxy.`,
		Example: `  authy forward-auth check https://app.example.com/admin --user bob@example.com`,
	}
	c.AddCommand(a.forwardCheckCommand())
	return c
}

// forwardOut is a verdict as programs see it.
type forwardOut struct {
	Allowed bool     `json:"allowed"`
	Reason  string   `json:"reason"`
	Rule    int      `json:"rule"`
	Who     []string `json:"who"`
	Factor  string   `json:"factor"`
	Text    string   `json:"text"`
}

func (a *app) forwardCheckCommand() *cobra.Command {
	var user, method string
	var asJSON bool
	c := &cobra.Command{
		Use:   "check URL",
		Short: "Say which rule decides about an address, and why",
		Long: `Say which rule of forward-auth decides about an address, and whether a user gets
through: as the server would, by the configuration as it is now. Without --user it
is about somebody who has not signed in. The reasons are admitted and public, which
let somebody in, and no_rule, ambiguous_path, closed, not_signed_in, not_allowed,
email_not_verified and second_factor_owed.`,
		Example: `  authy forward-auth check https://app.example.com/ --user bob@example.com
  authy forward-auth check https://app.example.com/api --method POST
  authy forward-auth check https://app.example.com/ --user bob@example.com --json | jq .allowed`,
		Args: takes("URL"),
		RunE: func(c *cobra.Command, args []string) error {
			explain := func(s *server.Services, u *account.User) error {
				return a.explainForward(c.Context(), s, args[0], method, u, asJSON)
			}
			if user != "" {
				return a.withUser(c.Context(), user, explain)
			}
			return a.with(c.Context(), func(s *server.Services) error { return explain(s, nil) })
		},
	}
	c.Flags().StringVar(&user, "user", "", "who asks, as `EMAIL-or-ID`")
	c.Flags().StringVar(&method, "method", "GET", "how it is asked for, as `METHOD`")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) explainForward(
	ctx context.Context, s *server.Services, address, method string, u *account.User, asJSON bool,
) error {
	found, err := s.Forward.Explain(ctx, audit.Shell(), address, method, u)
	if err != nil {
		return err
	}
	out := forwardOut{
		Allowed: found.Passes(), Reason: string(found.Reason), Who: []string{}, Factor: "none", Text: found.Text,
	}
	rule := "none"
	if r := found.Rule; r != nil {
		out.Rule, out.Who = r.Number, r.Who
		if !r.Public() {
			out.Factor = forward.FactorName(r.Factor)
		}
		rule = fmt.Sprintf("%d: %s", r.Number, strings.Join(r.Who, ", "))
	}
	if asJSON {
		return a.printJSON(out)
	}
	return a.printTable(nil, [][]string{
		{"Allowed", yesOrNo(out.Allowed)}, {"Rule", rule}, {"Factor", out.Factor}, {"Reason", out.Reason}, {"Why", out.Text},
	})
}
