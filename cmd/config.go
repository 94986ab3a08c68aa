package cmd

import (
	"log/slog"
	"slices"

	"github.com/spf13/cobra"

	"authy/server/config"
)

// settingOut is one setting as programs see it.
type settingOut struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Look at the configuration",
		Example: `  authy config show
  authy config show --changed`,
	}
	c.AddCommand(a.showConfigCommand())
	return c
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
		settings = slices.DeleteFunc(settings, func(s config.Setting) bool { return s.Origin == "default" })
	}
	out, rows := make([]settingOut, len(settings)), make([][]string, len(settings))
	for i, s := range settings {
		out[i], rows[i] = settingOut(s), []string{s.Key, s.Value, s.Origin}
	}
	if asJSON {
		return a.printJSON(out)
	}
	return a.printTable([]string{"KEY", "VALUE", "ORIGIN"}, rows)
}
