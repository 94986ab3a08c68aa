package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/config"
)

func (a *app) serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Start the server",
		Long: `Start the server. Without any configuration it keeps everything in ./authy-data
and answers on http://localhost:5000. Ctrl-C finishes the requests it has begun
and stops; a second Ctrl-C stops at once.

If there is no administrator, a link is printed that makes the first one.`,
		Example: `  authy serve
  authy serve --listen 0.0.0.0:5000 --public-url https://id.example.com
  AUTHY_DATABASE_URL=postgres://authy@db/authy authy serve`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error { return a.serve(c.Context()) },
	}
	c.Flags().Var(settingFlag{a.settings, "listen"}, config.FlagName("listen"), "`HOST:PORT` to accept connections on")
	return c
}

func (a *app) serve(ctx context.Context) (err error) {
	c, report, err := a.configure(ctx, slog.LevelInfo)
	if err != nil {
		return err
	}
	if _, err := prepare(ctx, c); err != nil {
		return err
	}
	s, err := server.Open(ctx, c)
	if err != nil {
		return explain(err)
	}
	s.Self.Report, s.Backups.Version = report, version()
	defer func() { err = errors.Join(err, s.Close()) }()
	unlock, err := s.DB.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := listenAndServe(ctx, s); err != nil {
		return err
	}
	slog.InfoContext(ctx, "stopped")
	return nil
}

func listenAndServe(ctx context.Context, s *server.Services) error {
	address := s.Config.Listen
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; is another authy running, or is the port taken? "+
			"Choose another with --listen", address, err)
	}
	announce(ctx, s.Config, l.Addr())
	if err := announceSetup(ctx, s); err != nil {
		return errors.Join(err, l.Close())
	}
	return s.Serve(ctx, l, version())
}

// announce logs the facts that matter, one line each.
func announce(ctx context.Context, c *config.Config, address net.Addr) {
	slog.InfoContext(ctx, "listening", "address", address.String(), "version", version())
	slog.InfoContext(ctx, "issuer", "url", c.PublicURL)
	slog.InfoContext(ctx, "database", "url", withoutPassword(c.DatabaseURL()))
	store := "in this process"
	if text := c.Redis.URL.Reveal(); text != "" {
		store = withoutPassword(text)
	}
	slog.InfoContext(ctx, "session store", "at", store)
}

func withoutPassword(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "[unreadable]"
	}
	return u.Redacted()
}

// announceSetup prints a link that makes the first administrator, if there is
// none.
func announceSetup(ctx context.Context, s *server.Services) error {
	token, err := s.Accounts.NewSetupLink(ctx)
	if err != nil || token == "" {
		return err
	}
	slog.WarnContext(ctx, "no administrator yet: open this link to make the first one; it works once, for 24 hours",
		"url", s.Config.PublicURL+"/setup?token="+token)
	return nil
}
