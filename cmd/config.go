package cmd

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/config"
)

// settingOut is one setting as programs see it.
type settingOut struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
	// Variable is the environment variable for it, Risk why the value is a weak choice.
	Variable string `json:"variable"`
	Meaning  string `json:"meaning"`
	Risk     string `json:"risk,omitempty"`
}

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Look at the configuration",
		Example: `  authy config show
  authy config show --changed`,
	}
	c.AddCommand(a.showConfigCommand(), a.checkURLCommand())
	return c
}

// checkURLOut is what was found at the public URL, as programs see it.
type checkURLOut struct {
	URL    string       `json:"url"`
	OK     bool         `json:"ok"`
	Checks []findingOut `json:"checks"`
}

type findingOut struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Text string `json:"text"`
}

func (a *app) checkURLCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check-url",
		Short: "See whether the public URL leads to the server that runs",
		Long: `See whether the public URL leads to the server that runs, and whether the proxy
before it passes everything on: the name, the certificate, headers, and where
visitors come from. Whatever is wrong is said, with what to do about it; the exit
code is 1 then.`,
		Example: `  authy config check-url
  authy config check-url --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error { return a.checkURL(ctx, s, asJSON) })
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) checkURL(ctx context.Context, s *server.Services, asJSON bool) error {
	found, err := s.Self.CheckAddress(ctx, audit.Shell())
	if err != nil {
		return err
	}
	out, rows := checkURLOut{URL: found.URL, OK: found.OK}, make([][]string, len(found.Findings))
	for i, f := range found.Findings {
		out.Checks = append(out.Checks, findingOut{f.Name, f.OK, f.String()})
		state := "ok"
		if !f.OK {
			state = "WRONG"
		}
		rows[i] = []string{f.Name, state, f.String()}
	}
	if asJSON {
		err = a.printJSON(out)
	} else {
		err = a.printTable([]string{"CHECK", "STATE", "FOUND"}, rows)
	}
	if err == nil && !found.OK {
		err = errors.New("something is wrong with " + found.URL)
	}
	return err
}

func (a *app) showConfigCommand() *cobra.Command {
	var effective, changed, asJSON bool
	c := &cobra.Command{
		Use:   "show",
		Short: "Show the settings in force and where each comes from",
		Long: `Show the settings in force and where each comes from: a flag wins over the
environment, which wins over the file, which wins over the default. Secrets are
masked. Nothing is opened or created.`,
		Example: `  authy config show
  authy config show --changed
  authy config show --json --config /etc/authy.toml`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if effective && changed {
				return misused(c, "--effective and --changed exclude each other")
			}
			_, report, err := a.configure(c.Context(), slog.LevelWarn)
			if err != nil {
				return err
			}
			return a.printSettings(report.Settings(), changed, asJSON)
		},
	}
	c.Flags().BoolVar(&effective, "effective", false, "show every setting, also those left at their defaults (this is usual)")
	c.Flags().BoolVar(&changed, "changed", false, "show only the settings that were given somewhere")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) printSettings(settings []config.Setting, changed, asJSON bool) error {
	if changed {
		settings = slices.DeleteFunc(settings, func(s config.Setting) bool { return !s.Given() })
	}
	out, rows := make([]settingOut, len(settings)), make([][]string, len(settings))
	for i, s := range settings {
		out[i] = settingOut{s.Key, s.Value, s.Origin, s.Variable(), config.Meaning(s.Key), s.Risk}
		rows[i] = []string{s.Key, s.Value, s.Origin}
	}
	if asJSON {
		return a.printJSON(out)
	}
	return a.printTable([]string{"KEY", "VALUE", "ORIGIN"}, rows)
}
