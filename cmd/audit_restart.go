package cmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
)

// seam is where a new chain begins, as programs see it.
type seam struct {
	Seq    int64     `json:"seq"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	Damage *damage   `json:"damage"`
	Head   string    `json:"head"` // of the chain before
}

func seamOf(s *audit.Seam) seam {
	return seam{Seq: s.Seq, At: s.At, Reason: s.Reason, Damage: damageOf(&s.Damage), Head: s.Head}
}

func damageOf(d *audit.Damage) *damage {
	return &damage{Kind: d.Kind, Seq: d.Seq, EventID: d.EventID, Message: d.String()}
}

func (a *app) restartAuditCommand() *cobra.Command {
	var reason string
	var asJSON bool
	c := &cobra.Command{
		Use:   "restart --reason TEXT",
		Short: "Begin a new chain after damage was found",
		Long: `Begin a new chain after damage was found, so that what is written from now on is
protected. An event records the damage, where the log seemed to end, and the
reason. Nothing is known of the events from the damage up to that one: look
into what happened first, and keep a copy of the database. A verification names
the seam from then on, and reports any other damage.`,
		Example: `  authy audit restart --reason "Incident 7: backup of Nov 3 put back"`,
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if reason == "" {
				return misused(c, "--reason is missing; say what happened")
			}
			return a.restartAudit(c.Context(), reason, asJSON)
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "`TEXT` that says what happened")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) restartAudit(ctx context.Context, reason string, asJSON bool) error {
	return a.with(ctx, func(s *server.Services) error {
		begun, err := s.Activity.Restart(ctx, audit.Shell(), reason)
		if err != nil {
			return err
		}
		if asJSON {
			return a.printJSON(seamOf(begun))
		}
		a.note("%s", begun)
		return nil
	})
}
