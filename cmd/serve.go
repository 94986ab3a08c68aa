package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

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
and stops; a second Ctrl-C stops at once. SIGTERM does the same. Settings are read
at the start; SIGHUP has the file of state.file applied again, and nothing else.

Under systemd it takes the socket of authy.socket, and tells when it is ready and
when it stops: docs/operations.md has the units.

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
	s, err := server.OpenServer(ctx, c)
	if err != nil {
		return explain(err)
	}
	s.Self.Report, s.Backups.Version = report, version()
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.DB.TryWriting(ctx); err != nil {
		return err
	}
	unwatch, err := s.WatchClock(ctx)
	if err != nil {
		return err
	}
	defer unwatch()
	if err := listenAndServe(ctx, s); err != nil {
		return err
	}
	slog.InfoContext(ctx, "stopped")
	return nil
}

func listenAndServe(ctx context.Context, s *server.Services) error {
	l, err := listen(ctx, s.Config.Listen)
	if err != nil {
		return err
	}
	announce(ctx, s.Config, l.Addr())
	if err := announceSetup(ctx, s); err != nil {
		return errors.Join(err, l.Close())
	}
	defer onHangUp(ctx, s)()
	s.Started = func() { notify(ctx, "READY=1") }
	s.Stopping = func() { notify(ctx, "STOPPING=1") }
	return s.Serve(ctx, l, version())
}

// listen returns the socket that systemd passes, or else listens on address.
func listen(ctx context.Context, address string) (net.Listener, error) {
	if l, err := inherited(); l != nil || err != nil {
		return l, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; is another authy running, or is the port taken? "+
			"Choose another with --listen", address, err)
	}
	return l, nil
}

// onHangUp has SIGHUP, which would end the process, apply the state file again, until end
// is called. A mistake in the file changes nothing.
func onHangUp(ctx context.Context, s *server.Services) (end func()) {
	hung := make(chan os.Signal, 1)
	signal.Notify(hung, syscall.SIGHUP)
	go func() {
		for range hung {
			if s.Config.State.File == "" {
				slog.WarnContext(ctx, "SIGHUP changes nothing: settings are read at the start, restart authy to have them read anew")
				continue
			}
			if err := s.ApplyState(ctx); err != nil {
				slog.ErrorContext(ctx, "state file not applied at SIGHUP: nothing has changed", "err", err)
			}
		}
	}()
	return func() { signal.Stop(hung); close(hung) }
}

// announce logs the facts that matter, one line each.
func announce(ctx context.Context, c *config.Config, address net.Addr) {
	slog.InfoContext(ctx, "listening", "address", address.String(), "version", version())
	slog.InfoContext(ctx, "issuer", "url", c.PublicURL)
	slog.InfoContext(ctx, "database", "url", config.MaskURL(c.DatabaseURL()))
	store := "in this process"
	switch text := c.Redis.URL.Reveal(); {
	case text != "":
		store = config.MaskURL(text)
	case !strings.HasPrefix(c.DatabaseURL(), "sqlite:"):
		store = "in the database"
	}
	slog.InfoContext(ctx, "attempts are counted", "at", store)
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
