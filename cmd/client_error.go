package cmd

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/registry"
)

// clientErrorOut is why a request was refused, as programs see it.
type clientErrorOut struct {
	At          time.Time `json:"at"`
	Count       int64     `json:"count"`
	Error       string    `json:"error"`
	Parameter   string    `json:"parameter"`
	Description string    `json:"description"`
	Sent        string    `json:"sent"`
	Registered  []string  `json:"registered"`
	Difference  *int      `json:"difference"`
}

func (a *app) clientErrorsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "errors CLIENT_ID",
		Short: "Say why requests of a client were refused in the last hour",
		Long: `Say why authorization requests of a client were refused in the last hour, the
newest first: what it sent beside what it has registered. DIFFERS AFTER is how
many letters of a redirect URI are right. At most one of a second is kept, which
COUNT says more of, and 100 in all.`,
		Example: `  authy client errors acme-portal-001
  authy client errors --json acme-portal-001 | jq '.[0]'`,
		Args: takes("CLIENT_ID"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				refusals, err := s.Clients.Refusals(ctx, audit.Shell(), "", args[0])
				if err != nil {
					return err
				}
				return a.printClientErrors(refusals, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) printClientErrors(refusals []registry.Refusal, asJSON bool) error {
	out, rows := make([]clientErrorOut, len(refusals)), make([][]string, len(refusals))
	for i, r := range refusals {
		out[i] = clientErrorOut{
			At: r.At.UTC(), Count: r.Count, Error: r.Code, Parameter: r.Parameter, Description: r.Description,
			Sent: r.Sent, Registered: append([]string{}, r.Registered...),
		}
		differs := ""
		if r.Difference >= 0 {
			out[i].Difference, differs = &r.Difference, strconv.Itoa(r.Difference)
		}
		rows[i] = []string{
			instant(r.At), strconv.FormatInt(r.Count, 10), r.Code, r.Parameter, r.Sent, strings.Join(r.Registered, " "),
			differs, r.Description,
		}
	}
	head := []string{"AT", "COUNT", "ERROR", "PARAMETER", "SENT", "REGISTERED", "DIFFERS AFTER", "WHY"}
	return a.printList(asJSON, out, head, rows, "No request of the client was refused in the last hour.")
}
