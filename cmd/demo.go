package cmd

import (
	"context"
	"log/slog"
	"net/netip"
	"net/url"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/demo"
)

func (a *app) demoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "demo",
		Short:   "Try authy out",
		Example: `  authy demo rp`,
	}
	c.AddCommand(a.demoRPCommand())
	return c
}

// demoFlags say which client of which provider the application is.
type demoFlags struct {
	client, issuer, redirect string
	secretStdin              bool
}

func (a *app) demoRPCommand() *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "rp",
		Short: "Run an application (a relying party) that signs its users in at authy",
		Long: `Run an application (a relying party) that signs its users in at authy and shows
what it learned of them. It stands for somebody else's program: start 'authy
serve' before, and 'authy seed' for its client.

For a client that is not of the sample data, give its redirect URL, and its
secret on standard input unless it is a public one.`,
		Example: `  authy demo rp
  authy demo rp --client acme-mobile-001
  authy demo rp --client my-app --redirect-url http://localhost:3000/callback --secret-stdin < secret`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error { return a.demoRP(c, f) },
	}
	c.Flags().StringVar(&f.client, "client", "acme-portal-001", "client `ID`")
	c.Flags().StringVar(&f.issuer, "issuer", "", "`URL` of the provider (default: public_url)")
	c.Flags().StringVar(&f.redirect, "redirect-url", "", "`URL` the provider sends the browser back to")
	c.Flags().BoolVar(&f.secretStdin, "secret-stdin", false, "read the client's secret from standard input")
	return c
}

func (a *app) demoRP(c *cobra.Command, f demoFlags) error {
	ctx := c.Context()
	settings, _, err := a.configure(ctx, slog.LevelWarn)
	if err != nil {
		return err
	}
	if f.issuer == "" {
		f.issuer = settings.PublicURL
	}
	d, err := a.demoConfig(ctx, f)
	if err != nil {
		return err
	}
	if d.RedirectURL == "" {
		return misused(c, "client %q is not of the sample data; give the redirect URL it has with --redirect-url", f.client)
	}
	rp, err := demo.New(ctx, d)
	if ctx.Err() != nil {
		return nil // Ctrl-C is how it ends
	}
	if err != nil {
		return err
	}
	a.note("Open %s and sign in as %s with the password %s\nCtrl-C ends it.",
		frontPage(d.RedirectURL), sampleUser, server.SeedPassword(sampleUser))
	return rp.Run(ctx)
}

// demoConfig completes what was asked for with what the sample data says.
func (a *app) demoConfig(ctx context.Context, f demoFlags) (d demo.Config, err error) {
	d = demo.Config{Issuer: f.issuer, ClientID: f.client, RedirectURL: f.redirect}
	if sample, ok := server.SeedClient(f.client); ok {
		d.ClientSecret = sample.Secret
		if d.RedirectURL == "" {
			d.RedirectURL = onThisMachine(sample.RedirectURIs)
		}
	}
	if f.secretStdin {
		d.ClientSecret, err = a.readLine(ctx)
	}
	return d, err
}

// onThisMachine returns the first of uris that is http on this machine, or "".
func onThisMachine(uris []string) string {
	for _, uri := range uris {
		u, err := url.Parse(uri)
		if err == nil && u.Scheme == "http" && isLoopback(u.Hostname()) {
			return uri
		}
	}
	return ""
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// frontPage returns the front page of the site that a URL is of.
func frontPage(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text // impossible: the application has read it
	}
	return u.Scheme + "://" + u.Host
}
