// Package cmd is authy's command line. A command turns its arguments into one
// call of a service and prints what comes back; it holds no rule and knows
// nothing of how things are kept.
//
// Data goes to standard output, messages for people go to standard error, and
// --json makes data readable for programs. A command exits with 0 when it did
// what was asked, 1 when it could not, and 2 when it was not understood.
//
// Read cmd.go (the tree and its exit codes), app.go (what commands share),
// print.go and prompt.go (how they talk), then a file for each noun.
package cmd

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"authy/server/config"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitDrift   = 2 // of 'authy plan' alone, which is misused with exitFailure
)

// Main runs authy with arguments and returns its exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := untilSignaled()
	defer stop()
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, settings: config.Flags{}}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	out := &heeding{Writer: stdout}
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = out.err
	}
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errDrift) {
		return exitDrift
	}
	a.note("authy: %s", strings.ReplaceAll(told(ctx, err), "\n", "\nauthy: "))
	if misuse, ok := errors.AsType[usageError](err); ok {
		a.note("Run '%s --help' for usage.", misuse.command)
		if misuse.command == "authy plan" {
			return exitFailure
		}
		return exitUsage
	}
	return exitFailure
}

// told is what is said of an error: where a signal has ended ctx, that it was the signal.
func told(ctx context.Context, err error) string {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		return err.Error()
	}
	return strings.ReplaceAll(err.Error(), context.Canceled.Error(), "stopped by Ctrl-C or SIGTERM")
}

// heeding keeps the first error of writing, which cobra does not heed.
type heeding struct {
	io.Writer
	err error
}

func (h *heeding) Write(p []byte) (int, error) {
	n, err := h.Writer.Write(p)
	if h.err == nil {
		h.err = err
	}
	return n, err
}

// untilSignaled returns what ends at the first Ctrl-C or SIGTERM. A second one,
// however soon it comes, ends the process at once.
func untilSignaled() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for range signals {
			if ctx.Err() != nil {
				os.Exit(exitFailure)
			}
			cancel()
		}
	}()
	return ctx, func() { signal.Stop(signals); close(signals); cancel() }
}

// root is the tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "authy",
		Short: "A self-hosted identity server in one binary",
		Long: `authy signs people in: a JSON API for accounts, sessions and organizations,
an OpenID Connect provider, and the pages that go with them.`,
		Example: `  authy serve                                 # start the server; it needs no configuration
  authy seed                                  # add sample data to try it out
  authy demo rp                               # run an application that signs its users in at authy
  authy user create --admin me@example.com    # add an administrator`,
		SilenceErrors: true, SilenceUsage: true,
	}
	root.SetFlagErrorFunc(flagMisuse)
	root.PersistentFlags().BoolVar(&a.noInput, "no-input", false, "fail instead of asking anything")
	root.SetHelpCommand(helpCommand())
	a.addSettings(root)
	root.AddCommand(a.serveCommand(), a.seedCommand(), a.userCommand(), a.orgCommand(), a.clientCommand(), a.auditCommand(),
		a.tokenCommand(),
		a.sessionCommand(), a.inviteCommand(), a.keyCommand(),
		a.migrateCommand(), a.configCommand(),
		a.healthCommand(), a.demoCommand(), a.versionCommand())
	root.AddCommand(a.mailCommand(), a.brandCommand(), a.overviewCommand())
	root.AddCommand(a.explainCommand(), a.forwardAuthCommand(), a.doctorCommand(), a.adminCommand())
	root.AddCommand(a.recipeCommand(), a.importCommand())
	root.AddCommand(a.providerCommand(), a.samlCommand(), a.webhookCommand())
	root.AddCommand(a.backupCommand(), a.restoreCommand())
	root.AddCommand(a.planCommand(), a.applyCommand(), a.exportCommand(), a.releaseCommand())
	root.AddCommand(a.manCommand())
	root.CompletionOptions.HiddenDefaultCmd = true
	root.InitDefaultCompletionCmd()
	beStrict(root)
	return root
}

// addSettings adds the settings that every command takes as flags.
func (a *app) addSettings(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVar(&a.file, "config", "", "configuration `FILE` (default ./authy.toml if there is one)")
	for key, text := range map[string]string{
		"public_url":   "`URL` by which browsers and clients reach the server",
		"data_dir":     "`DIRECTORY` of the database and the secret key",
		"database.url": "`URL` of the database: sqlite:///path or postgres://user@host/name",
		"redis.url":    "`URL` of the Redis that counts attempts: redis://host:port/0",
		"log.level":    "`LEVEL` of the log: debug, info, warn or error",
		"log.format":   "`FORMAT` of the log: auto, text or json",
	} {
		flags.Var(settingFlag{a.settings, key}, config.FlagName(key), text)
	}
}

// settingFlag is a flag that stands for a key of the configuration.
type settingFlag struct {
	settings config.Flags
	key      string
}

// String returns what the key was set to.
func (f settingFlag) String() string { return f.settings[f.key] }

// Set notes text as what the key was set to; the configuration checks it.
func (f settingFlag) Set(text string) error {
	f.settings[f.key] = text
	return nil
}

// Type returns what stands for the value in a help text.
func (f settingFlag) Type() string { return "string" }
