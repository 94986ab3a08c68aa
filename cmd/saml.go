package cmd

import "github.com/spf13/cobra"

func (a *app) samlCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "saml",
		Short: "Set SAML up",
		Long: `Set SAML 2.0 up. The commands work beside a running server, which heeds them at
once, and without one.`,
		Example: `  authy saml sp add --metadata https://cloud.example.com/saml/metadata --preset nextcloud
  authy saml sp list`,
	}
	c.AddCommand(a.serviceCommand())
	return c
}
