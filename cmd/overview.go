package cmd

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/overview"
)

func (a *app) overviewCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "overview",
		Short: "Show how the server fares, and what needs attention",
		Long: `Show how the server fares, and what needs attention: people and sessions, today's
sign-ins, the room that is left, and what is not as it should be. docs/api.md says
what each code means. How fast requests are answered only the server itself knows:
see /admin, or /api/v1/admin/overview.`,
		Example: `  authy overview
  authy overview --json | jq -r '.attention[] | select(.level == "problem") | .code'`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error { return a.overview(c.Context(), asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// overviewOut is how the server fares as programs see it.
type overviewOut struct {
	Users         int64       `json:"users"`
	Admins        int64       `json:"administrators"`
	Active        [3]int64    `json:"active"` // within a day, a week, thirty days
	Sessions      int64       `json:"sessions"`
	Organizations int64       `json:"organizations"`
	Clients       int64       `json:"clients"`
	SignIns       int64       `json:"sign_ins_today"`
	Failures      int64       `json:"failures_today"`
	Engine        string      `json:"engine"`
	Database      int64       `json:"database_bytes"`
	Free          int64       `json:"disk_free_bytes"`
	Attention     []noticeOut `json:"attention"`
}

// noticeOut is what needs attention.
type noticeOut struct {
	Code  string     `json:"code"`
	Level string     `json:"level"`
	Count int64      `json:"count"`
	At    *time.Time `json:"at"`
}

func overviewOutOf(r *overview.Report) overviewOut {
	p, today := r.Population, r.Days[len(r.Days)-1]
	out := overviewOut{
		Admins: p.Admins, Active: [3]int64{p.ActiveDay, p.ActiveWeek, p.ActiveMonth}, Sessions: p.Sessions,
		Organizations: p.Organizations, Clients: p.Clients, Engine: r.Room.Engine, Database: r.Room.Database, Free: r.Room.Free,
		Attention: make([]noticeOut, len(r.Attention)),
	}
	for _, n := range p.Users {
		out.Users += n
	}
	for _, n := range today.SignIns {
		out.SignIns += n
	}
	for _, n := range today.Failures {
		out.Failures += n
	}
	for i, n := range r.Attention {
		out.Attention[i] = noticeOut{n.Code, string(n.Level), n.Count, instantOrNull(n.At)}
	}
	return out
}

func (a *app) overview(ctx context.Context, asJSON bool) error {
	return a.with(ctx, func(s *server.Services) error {
		r, err := s.Overview.Report(ctx, audit.Shell())
		if err != nil {
			return err
		}
		out := overviewOutOf(r)
		if asJSON {
			return a.printJSON(out)
		}
		err = a.printTable(nil, [][]string{
			{"Users", fmt.Sprintf("%d, %d of them administrators", out.Users, out.Admins)},
			{"Active", fmt.Sprintf("%d today, %d in a week, %d in thirty days", out.Active[0], out.Active[1], out.Active[2])},
			{"Sessions", strconv.FormatInt(out.Sessions, 10)},
			{"Today", fmt.Sprintf("%d sign-ins, %d attempts failed", out.SignIns, out.Failures)},
			{"Organizations", strconv.FormatInt(out.Organizations, 10)},
			{"Apps", strconv.FormatInt(out.Clients, 10)},
			{"Database", fmt.Sprintf("%s, %d bytes", out.Engine, out.Database)},
		})
		if err != nil {
			return err
		}
		rows := make([][]string, len(out.Attention))
		for i, n := range out.Attention {
			rows[i] = []string{n.Level, n.Code, strconv.FormatInt(n.Count, 10)}
		}
		return a.printList(false, nil, []string{"LEVEL", "ATTENTION", "COUNT"}, rows, "Nothing needs attention.")
	})
}
