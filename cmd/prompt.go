package cmd

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"authy/server"
	"authy/server/config"
)

// maxLine is the longest line read from standard input, in bytes.
const maxLine = 4096

var (
	errInterrupted = errors.New("interrupted; nothing was changed")
	errDeclined    = errors.New("not confirmed; nothing was changed")
	errDiffer      = errors.New("the two passwords differ; nothing was changed")
)

// cannotAsk returns why nothing can be asked, or nothing where it can.
func (a *app) cannotAsk() string {
	switch {
	case a.noInput:
		return "--no-input forbids to ask"
	case !isTerminal(a.stdin):
		return "there is no terminal to ask at"
	}
	return ""
}

// isTerminal says whether a person sits at the other end of stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// passwordFlags say where a command gets a password from.
type passwordFlags struct{ fromStdin, generate bool }

func (p *passwordFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&p.fromStdin, "password-stdin", false, "read the password from the first line of standard input")
	c.Flags().BoolVar(&p.generate, "generate", false, "make a random password and print it, once")
}

// password returns the password that a command was given. It is never an
// argument: those can be read by others in the list of processes.
func (a *app) password(c *cobra.Command, from passwordFlags) (string, error) {
	no := a.cannotAsk()
	switch {
	case from.fromStdin && from.generate:
		return "", misused(c, "--password-stdin and --generate exclude each other")
	case from.generate:
		return rand.Text(), nil
	case from.fromStdin:
		return a.readLine(c.Context())
	case no != "":
		return "", misused(c, "%s for a password; give one with --password-stdin, or have one made with --generate", no)
	}
	first, err := a.askSecret(c.Context(), "Password: ")
	if err != nil {
		return "", err
	}
	second, err := a.askSecret(c.Context(), "The same again: ")
	if err == nil && first != second {
		err = errDiffer
	}
	return first, err
}

// askSecret asks at the terminal, without showing what is typed.
func (a *app) askSecret(ctx context.Context, question string) (string, error) {
	terminal := int(a.stdin.(*os.File).Fd()) // it is a terminal, so it is a file
	before, err := term.GetState(terminal)
	if err != nil {
		return "", fmt.Errorf("ask for a password: %w", err)
	}
	fmt.Fprint(a.stderr, printable(question))
	text, err := await(ctx, func() (string, error) {
		text, err := term.ReadPassword(terminal)
		return string(text), err
	})
	a.note("")
	if err != nil {
		// Reading may still go on: what is typed next must be seen again.
		return "", errors.Join(fmt.Errorf("read password: %w", err), term.Restore(terminal, before))
	}
	return text, nil
}

// readLine returns the first line of standard input without its end.
func (a *app) readLine(ctx context.Context) (string, error) {
	line, err := await(ctx, func() (string, error) {
		return bufio.NewReader(io.LimitReader(a.stdin, maxLine)).ReadString('\n')
	})
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read standard input: %w", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// await returns what read returns, or [errInterrupted] when ctx ends first: a
// read of standard input cannot be called off.
func await(ctx context.Context, read func() (string, error)) (string, error) {
	var text string
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		text, err = read()
	}()
	select {
	case <-done:
		return text, err
	case <-ctx.Done():
		return "", errInterrupted
	}
}

// confirmation is the flag of commands that ask before they go ahead.
type confirmation struct{ yes bool }

func (y *confirmation) add(c *cobra.Command) {
	c.Flags().BoolVar(&y.yes, "yes", false, "go ahead without asking")
}

// canConfirm refuses a command that would have to ask where nobody is.
func (a *app) canConfirm(c *cobra.Command, y confirmation) error {
	if no := a.cannotAsk(); !y.yes && no != "" {
		return misused(c, "%s; add --yes to go ahead", no)
	}
	return nil
}

// confirm asks whether to go ahead, and returns nil for yes.
func (a *app) confirm(ctx context.Context, y confirmation, question string) error {
	if y.yes {
		return nil
	}
	fmt.Fprint(a.stderr, printable(question)+" [y/N] ")
	answer, err := a.readLine(ctx)
	if err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errDeclined
}

// mayGo asks whether to go ahead, and refuses where nobody can be asked.
func (a *app) mayGo(c *cobra.Command, y confirmation, question string) error {
	if err := a.canConfirm(c, y); err != nil {
		return err
	}
	return a.confirm(c.Context(), y, question)
}

// ifConfirmed asks whether to go ahead, and opens the services for do if so.
func (a *app) ifConfirmed(c *cobra.Command, y confirmation, question string, do func(*server.Services) error) error {
	if err := a.mayGo(c, y, question); err != nil {
		return err
	}
	return a.with(c.Context(), do)
}

// warnOfPassword says that a password in the URL of a flag is seen by others.
func (a *app) warnOfPassword(flag, url string) {
	if config.HasPassword(url) {
		a.note("Every user of this machine can read the password in %s while this runs: leave it out, and set PGPASSWORD or "+
			"PGPASSFILE.", flag)
	}
}
