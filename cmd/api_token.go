package cmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/token"
)

func (a *app) tokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke API tokens",
		Long: `Make, list and revoke API tokens: what programs use the JSON API with. A user's
token speaks for the user, an organization's acts as one of its admins, and
neither does more than its scopes say. The commands work beside a running
server, which heeds them at once, and without one.`,
		Example: `  authy token create --user bob@example.com --name Backup --scope organizations:read
  authy token list --org acme-corp
  authy token revoke 0198c0de-0000-7000-8000-000000000000`,
	}
	c.AddCommand(a.createTokenCommand(), a.listTokensCommand(), a.revokeTokenCommand())
	return c
}

// ownerFlags say whose tokens are meant.
type ownerFlags struct{ email, slug string }

func (f *ownerFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.email, "user", "", "`EMAIL` of the user whose it is")
	c.Flags().StringVar(&f.slug, "org", "", "`SLUG` of the organization whose it is")
}

func (f *ownerFlags) check(c *cobra.Command) error {
	if (f.email == "") == (f.slug == "") {
		return misused(c, "say whose: --user or --org")
	}
	return nil
}

// owner finds whose tokens are meant.
func (f *ownerFlags) owner(ctx context.Context, s *server.Services) (o token.Owner, err error) {
	if f.slug != "" {
		o.OrgID, err = orgID(ctx, s, f.slug)
		return o, err
	}
	u, err := s.Accounts.Find(ctx, f.email)
	if err == nil {
		o.UserID = u.ID
	}
	return o, about(f.email, err)
}

// tokenOut is an API token as programs see it.
type tokenOut struct {
	ID             string     `json:"id"`
	Kind           string     `json:"kind"`
	UserID         string     `json:"user_id"`
	OrganizationID string     `json:"organization_id"`
	Name           string     `json:"name"`
	Scopes         []string   `json:"scopes"`
	CreatedAt      *time.Time `json:"created_at"`
	ExpiresAt      *time.Time `json:"expires_at"`
	LastUsedAt     *time.Time `json:"last_used_at"`
	// Token is there only when it was just made.
	Token string `json:"token,omitempty"`
}

func tokenOutOf(t *token.Token) tokenOut {
	return tokenOut{
		ID: t.ID, Kind: t.Kind, UserID: string(t.UserID), OrganizationID: string(t.OrganizationID), Name: t.Name,
		Scopes: t.Scopes, CreatedAt: instantOrNull(t.CreatedAt.Time), ExpiresAt: instantOrNull(t.ExpiresAt.Time),
		LastUsedAt: instantOrNull(t.LastUsedAt.Time),
	}
}

// expiry returns when t expires as people read it.
func expiry(t *token.Token) string {
	if t.ExpiresAt.IsZero() {
		return "never"
	}
	return instant(t.ExpiresAt.Time)
}

func (a *app) createTokenCommand() *cobra.Command {
	var of ownerFlags
	var in token.NewToken
	var asJSON bool
	c := &cobra.Command{
		Use:   "create",
		Short: "Make an API token",
		Long: `Make an API token and print it alone on standard output, this once. It lasts 90
days unless told otherwise. A user's token can have the scopes
` + wrapped(token.Scopes) + `,
an organization's
` + wrapped(token.ServiceScopes) + `.`,
		Example: `  authy token create --user bob@example.com --name Backup --scope organizations:read
  authy token create --org acme-corp --name Provisioning --scope clients:read,clients:write --days 30
  authy token create --org acme-corp --name Monitor --scope audit:read --never`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := of.check(c); err != nil {
				return err
			}
			if in.Never {
				if c.Flags().Changed("days") {
					return misused(c, "--days and --never exclude each other")
				}
				in.Days = 0
			}
			return a.createToken(c.Context(), of, in, asJSON)
		},
	}
	of.add(c)
	c.Flags().StringVar(&in.Name, "name", "", "`NAME` that says what it is for")
	c.Flags().StringSliceVar(&in.Scopes, "scope", nil, "`SCOPE`s that it has")
	c.Flags().IntVar(&in.Days, "days", token.DefaultDays, fmt.Sprintf("how many days it lasts, 1 to %d", token.MaxDays))
	c.Flags().BoolVar(&in.Never, "never", false, "it does not expire, which is logged")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// wrapped returns words for a help text, a few on each line.
func wrapped(words []string) string {
	var b strings.Builder
	for i, word := range words {
		switch {
		case i > 0 && i%4 == 0:
			b.WriteString(",\n")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(word)
	}
	return b.String()
}

func (a *app) createToken(ctx context.Context, of ownerFlags, in token.NewToken, asJSON bool) error {
	return a.with(ctx, func(s *server.Services) error {
		owner, err := of.owner(ctx, s)
		if err != nil {
			return err
		}
		made, text, err := s.Tokens.Make(ctx, audit.Shell(), owner, in)
		if err != nil {
			return err
		}
		a.note("Made the API token %s, which expires: %s. It is shown this once:", made.ID, expiry(made))
		if asJSON {
			out := tokenOutOf(made)
			out.Token = text
			return a.printJSON(out)
		}
		return a.printLine(text)
	})
}

func (a *app) listTokensCommand() *cobra.Command {
	var of ownerFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the API tokens of a user or an organization",
		Long: `List the API tokens of a user or an organization that are good, the oldest
first. The tokens themselves are not kept, so they cannot be shown.`,
		Example: `  authy token list --user bob@example.com
  authy token list --org acme-corp --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := of.check(c); err != nil {
				return err
			}
			return a.listTokens(c.Context(), of, asJSON)
		},
	}
	of.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) listTokens(ctx context.Context, of ownerFlags, asJSON bool) error {
	return a.with(ctx, func(s *server.Services) error {
		owner, err := of.owner(ctx, s)
		if err != nil {
			return err
		}
		tokens, err := s.Tokens.List(ctx, audit.Shell(), owner, "", token.MaxTokens)
		if err != nil {
			return err
		}
		return a.printTokens(tokens, asJSON)
	})
}

func (a *app) printTokens(tokens []token.Token, asJSON bool) error {
	out, rows := make([]tokenOut, len(tokens)), make([][]string, len(tokens))
	for i := range tokens {
		t := &tokens[i]
		out[i] = tokenOutOf(t)
		rows[i] = []string{
			t.ID, t.Name, t.Scopes.String(), instant(t.CreatedAt.Time), expiry(t), instant(t.LastUsedAt.Time),
		}
	}
	head := []string{"ID", "NAME", "SCOPES", "CREATED", "EXPIRES", "LAST USED"}
	return a.printList(asJSON, out, head, rows, "There are no tokens. Make one with 'authy token create'.")
}

func (a *app) revokeTokenCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID",
		Short:   "End an API token at once",
		Example: "  authy token revoke 0198c0de-0000-7000-8000-000000000000",
		Args:    takes("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				err := s.Tokens.Revoke(ctx, audit.Shell(), token.Owner{}, args[0])
				if err == nil {
					a.note("Revoked the API token %s: it opens nothing any more.", args[0])
				}
				return about(args[0], err)
			})
		},
	}
}
