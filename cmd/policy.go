package cmd

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/org"
)

// policyOut is a policy as programs see it.
type policyOut struct {
	OrganizationID string `json:"organization_id"`
	Mode           string `json:"mfa_policy_mode"`
	GraceDays      int64  `json:"mfa_grace_period_days"`
	NotifyDays     int64  `json:"notify_days_before"`
	Version        int64  `json:"policy_version"`
}

func (a *app) policyCommand() *cobra.Command {
	var mode string
	var grace, notify int64
	var asJSON bool
	c := &cobra.Command{
		Use:   "policy SLUG-or-ID",
		Short: "Show or set what an organization asks as a second factor",
		Long: `Show what an organization asks of its members as a second factor; with --mode,
--grace-days or --notify-days set it first. What is not given stays. The modes
are disabled, optional, require_totp, require_webauthn and
require_totp_or_webauthn. A policy binds those who are signed in, too: after the
days of grace they can do no more than set a second factor up.`,
		Example: `  authy org policy acme
  authy org policy acme --mode require_totp_or_webauthn --grace-days 14
  authy org policy acme --mode optional`,
		Args: takes("SLUG-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			var in org.PolicyChange
			if c.Flags().Changed("mode") {
				in.Mode = &mode
			}
			if c.Flags().Changed("grace-days") {
				in.GraceDays = &grace
			}
			if c.Flags().Changed("notify-days") {
				in.NotifyDays = &notify
			}
			return a.withOrg(c.Context(), args[0], func(s *server.Services, o *org.Organization) error {
				return a.policy(c.Context(), s, o, in, asJSON)
			})
		},
	}
	c.Flags().StringVar(&mode, "mode", "", "`MODE` to set")
	c.Flags().Int64Var(&grace, "grace-days", 0, "how many `DAYS` members get, 0 to 365")
	c.Flags().Int64Var(&notify, "notify-days", 0, "how many `DAYS` before the end they are reminded, 0 to 30")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) policy(
	ctx context.Context, s *server.Services, o *org.Organization, in org.PolicyChange, asJSON bool,
) (err error) {
	var p *org.Policy
	if in == (org.PolicyChange{}) {
		p, err = s.Orgs.Policy(ctx, audit.Shell(), o.ID)
	} else if p, err = s.Orgs.SetPolicy(ctx, audit.Shell(), o.ID, in); err == nil {
		a.note("Set the policy of %s.", o.Slug)
	}
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(policyOut(*p))
	}
	return a.printTable(nil, [][]string{
		{"Mode", p.Mode},
		{"Grace days", fmt.Sprint(p.GraceDays)},
		{"Reminder days", fmt.Sprint(p.NotifyDays)},
		{"Version", fmt.Sprint(p.Version)},
	})
}

// complianceOut is a member and how they meet the policy, as programs see it.
type complianceOut struct {
	UserID     string     `json:"user_id"`
	Email      string     `json:"email"`
	Status     string     `json:"status"`
	AppliedAt  *time.Time `json:"applied_at"`
	DeadlineAt *time.Time `json:"deadline_at"`
}

func (a *app) complianceCommand() *cobra.Command {
	var status string
	var asJSON bool
	c := &cobra.Command{
		Use:   "compliance SLUG-or-ID",
		Short: "List which members meet the policy of an organization",
		Example: `  authy org compliance acme
  authy org compliance acme --status past_due
  authy org compliance acme --json | jq -r '.[] | select(.status == "in_grace") | .email'`,
		Args: takes("SLUG-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withOrg(c.Context(), args[0], func(s *server.Services, o *org.Organization) error {
				return a.compliance(c.Context(), s, o, status, asJSON)
			})
		},
	}
	c.Flags().StringVar(&status, "status", "",
		"only members in this `STATE`: not_applicable, in_grace, compliant, past_due or suspended")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) compliance(
	ctx context.Context, s *server.Services, o *org.Organization, status string, asJSON bool,
) error {
	out, rows := []complianceOut{}, [][]string{}
	for after, more := "", true; more; more = after != "" {
		found, next, err := s.Orgs.Compliance(ctx, audit.Shell(), o.ID, status, after, membersAtOnce)
		if err != nil {
			return err
		}
		after = next
		for _, f := range found {
			out = append(out, complianceOut{
				UserID: f.User.ID, Email: f.User.Email, Status: f.Status,
				AppliedAt: instantOrNull(f.AppliedAt), DeadlineAt: instantOrNull(f.DeadlineAt),
			})
			rows = append(rows, []string{f.User.Email, f.Status, instant(f.DeadlineAt), f.User.ID})
		}
	}
	if asJSON {
		return a.printJSON(out)
	}
	return a.printTable([]string{"EMAIL", "STATUS", "DEADLINE", "USER ID"}, rows)
}
