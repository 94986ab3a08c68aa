package cmd

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/registry"
)

func (a *app) registrationTokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "registration-token",
		Short: "Make, list and delete tokens with which clients register themselves",
		Long: `Make, list and delete the tokens with which clients register themselves (RFC
7591), where openid.registration is token or open.`,
		Example: `  authy client registration-token create --org acme-corp --uses 10
  authy client registration-token list
  authy client registration-token delete 0198c0de-0000-7000-8000-000000000000`,
	}
	c.AddCommand(a.createRegistrationTokenCommand(), a.listRegistrationTokensCommand(), a.deleteRegistrationTokenCommand())
	return c
}

// registrationTokenOut is a registration token as programs see it.
type registrationTokenOut struct {
	ID             string     `json:"id"`
	OrganizationID string     `json:"organization_id"`
	Profile        string     `json:"profile"`
	UsesLeft       int64      `json:"uses_left"`
	CreatedAt      *time.Time `json:"created_at"`
	ExpiresAt      *time.Time `json:"expires_at"`
	// Token is there only when it was just made.
	Token string `json:"token,omitempty"`
}

func registrationTokenOutOf(t *registry.InitialToken) registrationTokenOut {
	return registrationTokenOut{
		ID: t.ID, OrganizationID: string(t.OrganizationID), Profile: t.Profile, UsesLeft: t.UsesLeft,
		CreatedAt: instantOrNull(t.CreatedAt.Time), ExpiresAt: instantOrNull(t.ExpiresAt.Time),
	}
}

func (a *app) createRegistrationTokenCommand() *cobra.Command {
	var in registry.NewInitialToken
	var slug string
	var asJSON bool
	c := &cobra.Command{
		Use:   "create",
		Short: "Make a token with which clients register themselves",
		Long: `Make a token with which clients register themselves, and print it alone on
standard output, this once. The clients belong to no organization, and have the
profile of the configuration, unless the token says otherwise.`,
		Example: `  authy client registration-token create
  authy client registration-token create --org acme-corp --uses 10 --lifetime 720h
  authy client registration-token create --profile legacy`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.createRegistrationToken(c.Context(), in, slug, asJSON)
		},
	}
	c.Flags().StringVar(&slug, "org", "", "`SLUG` of the organization that the clients belong to")
	c.Flags().StringVar(&in.Profile, "profile", "", "`PROFILE` of the clients: oauth2.1 or legacy (default the configuration's)")
	c.Flags().Int64Var(&in.Uses, "uses", 1, fmt.Sprintf("how many clients it registers, 1 to %d", registry.MaxTokenUses))
	c.Flags().DurationVar(&in.Lifetime, "lifetime", registry.DefaultTokenLifetime, "`HOW LONG` it is good")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) createRegistrationToken(ctx context.Context, in registry.NewInitialToken, slug string, asJSON bool) error {
	return a.with(ctx, func(s *server.Services) (err error) {
		if in.OrganizationID, err = orgID(ctx, s, slug); err != nil {
			return err
		}
		made, text, err := s.Clients.MakeInitialToken(ctx, audit.Shell(), in)
		if err != nil {
			return err
		}
		if !s.Clients.Dynamic.Enabled() {
			a.note("The token is good once openid.registration is token or open.")
		}
		a.note("Made the registration token %s, good until %s. It is shown this once:", made.ID, instant(made.ExpiresAt.Time))
		if asJSON {
			out := registrationTokenOutOf(made)
			out.Token = text
			return a.printJSON(out)
		}
		return a.printLine(text)
	})
}

func (a *app) listRegistrationTokensCommand() *cobra.Command {
	var l listing
	c := &cobra.Command{
		Use:   "list",
		Short: "List the tokens with which clients register themselves",
		Long: `List the tokens with which clients register themselves, the oldest first. The
tokens themselves are not kept, so they cannot be shown.`,
		Example: `  authy client registration-token list
  authy client registration-token list --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := l.check(c); err != nil {
				return err
			}
			return a.listRegistrationTokens(c.Context(), l)
		},
	}
	l.add(c, listed, "begin after this `ID`")
	return c
}

func (a *app) listRegistrationTokens(ctx context.Context, l listing) error {
	return a.with(ctx, func(s *server.Services) error {
		tokens, err := s.Clients.InitialTokens(ctx, audit.Shell(), l.after, l.limit+1)
		if err != nil {
			return err
		}
		next := ""
		if len(tokens) > l.limit {
			tokens = tokens[:l.limit]
			next = tokens[l.limit-1].ID
		}
		if err := a.printRegistrationTokens(tokens, l.asJSON); err != nil {
			return err
		}
		a.noteMore(next, false)
		return nil
	})
}

func (a *app) printRegistrationTokens(tokens []registry.InitialToken, asJSON bool) error {
	out, rows := make([]registrationTokenOut, len(tokens)), make([][]string, len(tokens))
	for i := range tokens {
		t := registrationTokenOutOf(&tokens[i])
		out[i] = t
		rows[i] = []string{
			t.ID, t.OrganizationID, t.Profile, strconv.FormatInt(t.UsesLeft, 10),
			instant(tokens[i].CreatedAt.Time), instant(tokens[i].ExpiresAt.Time),
		}
	}
	head := []string{"ID", "ORGANIZATION", "PROFILE", "USES LEFT", "CREATED", "EXPIRES"}
	return a.printList(asJSON, out, head, rows, "There are no registration tokens. Make one with 'authy client registration-token create'.")
}

func (a *app) deleteRegistrationTokenCommand() *cobra.Command {
	var y confirmation
	c := &cobra.Command{
		Use:     "delete ID",
		Short:   "End a registration token at once",
		Long:    `End a registration token at once. The clients that it registered stay.`,
		Example: "  authy client registration-token delete --yes 0198c0de-0000-7000-8000-000000000000",
		Args:    takes("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			question := "Delete the registration token " + args[0] + ", for good?"
			return a.ifConfirmed(c, y, question, func(s *server.Services) error {
				err := s.Clients.DeleteInitialToken(c.Context(), audit.Shell(), args[0])
				if err == nil {
					a.note("Deleted the registration token %s: it registers nothing any more.", args[0])
				}
				return err
			})
		},
	}
	y.add(c)
	return c
}
