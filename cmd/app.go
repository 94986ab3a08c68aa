package cmd

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/lmittmann/tint"

	"authy/server"
	"authy/server/backup"
	"authy/server/config"
	"authy/storage"
)

// app is what the commands share: the streams and the configuration.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	file           string
	settings       config.Flags
	noInput        bool // nobody is there to be asked
}

// configure loads the configuration and starts logging by it, at the level
// least unless the configuration names one.
func (a *app) configure(ctx context.Context, least slog.Level) (*config.Config, *config.Report, error) {
	c, report, err := config.Load(a.file, a.settings, os.Environ())
	if err != nil {
		return nil, nil, err
	}
	slog.SetDefault(slog.New(traced{newSparing(quiet{a.logHandler(c.Log, levelOf(c, report, least))})}))
	for _, text := range report.Warnings() {
		slog.WarnContext(ctx, "check the configuration", "warning", text)
	}
	return c, report, nil
}

// levelOf returns the level of the log that was asked for, or least.
func levelOf(c *config.Config, report *config.Report, least slog.Level) slog.Level {
	for _, s := range report.Settings() {
		if s.Key == "log.level" && !s.Given() {
			return least
		}
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		return least // impossible: the configuration is checked
	}
	return level
}

// logHandler writes to standard error: coloured text on a terminal, JSON
// elsewhere, unless the configuration says otherwise.
func (a *app) logHandler(c config.Log, level slog.Level) slog.Handler {
	terminal := isTerminal(a.stderr)
	if c.Format == "json" || c.Format == "auto" && !terminal {
		return slog.NewJSONHandler(a.stderr, &slog.HandlerOptions{Level: level})
	}
	return tint.NewTextHandler(a.stderr, &tint.Options{
		Level: level, TimeFormat: "15:04:05", NoColor: !terminal || os.Getenv("NO_COLOR") != "",
	})
}

// quiet leaves out the lines by which a library tells of the routes it adds.
type quiet struct{ slog.Handler }

// Handle implements [slog.Handler].
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "registered route" {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}

// prepare makes the data directory and the secret key where they are missing,
// and returns the paths it made. A restore that was interrupted is finished first.
func prepare(ctx context.Context, c *config.Config) ([]string, error) {
	if err := finish(ctx, c); err != nil {
		return nil, err
	}
	if err := server.KeyKept(ctx, c); err != nil {
		return nil, err
	}
	created, err := c.Prepare()
	for _, path := range created {
		slog.InfoContext(ctx, "created", "path", path)
	}
	return created, err
}

// finish has the secret key of an interrupted restore take its place.
func finish(ctx context.Context, c *config.Config) error {
	aside, finished, err := backup.Finish(ctx, c)
	if finished {
		slog.WarnContext(ctx, "a restore was interrupted, and is finished: the secret key is that of the backup", "old_key", aside)
	}
	return err
}

// ready configures a command that is not the server, and prepares the data
// directory. A new one is mentioned: maybe another was meant.
func (a *app) ready(ctx context.Context) (*config.Config, error) {
	c, _, err := a.configure(ctx, slog.LevelWarn)
	if err != nil {
		return nil, err
	}
	created, err := prepare(ctx, c)
	if len(created) > 0 {
		a.note("Created %s.", strings.Join(created, " and "))
	}
	return c, err
}

// with opens the services, calls do, and closes them.
func (a *app) with(ctx context.Context, do func(*server.Services) error) error {
	c, err := a.ready(ctx)
	if err != nil {
		return err
	}
	s, err := server.Open(ctx, c)
	if err != nil {
		return explain(err)
	}
	return errors.Join(do(s), s.Close())
}

// withDatabase opens the database as it is, calls do, and closes it.
func (a *app) withDatabase(ctx context.Context, do func(*storage.DB) error) error {
	c, err := a.ready(ctx)
	if err != nil {
		return err
	}
	db, err := server.OpenDB(ctx, c)
	if err != nil {
		return err
	}
	return errors.Join(explain(do(db)), db.Close())
}

// explain adds what to do next to errors that need it.
func explain(err error) error { return server.Explain(err) }
