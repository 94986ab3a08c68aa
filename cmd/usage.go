package cmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"authy/server/config"
)

// usageError is a command line that was not understood.
type usageError struct {
	error
	command string // whose help to read
}

// Unwrap returns what was not understood.
func (e usageError) Unwrap() error { return e.error }

func usage(c *cobra.Command, err error) error {
	return usageError{error: err, command: c.CommandPath()}
}

// misused is [usage] with a message of its own.
func misused(c *cobra.Command, format string, args ...any) error {
	return usage(c, fmt.Errorf(format, args...))
}

// beStrict makes every misuse of c and the commands below it a [usageError], and
// has a command that only groups others name the nearest of them.
func beStrict(c *cobra.Command) {
	switch check := c.Args; {
	case c.HasSubCommands():
		c.Args = noSuchCommand
		if c.RunE == nil {
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	case check != nil:
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usage(c, err)
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		beStrict(sub)
	}
}

// takes checks the arguments of a command that takes exactly the named ones.
func takes(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return errors.New(names[len(args)] + " is missing")
		case len(args) > len(names):
			return fmt.Errorf("unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// noSuchCommand refuses what is left over where a command should stand.
func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage(c, unknownCommand(c, args[0]))
}

// unknownCommand names the nearest commands, if any are near.
func unknownCommand(c *cobra.Command, name string) error {
	text := fmt.Sprintf("unknown command %q for %q", name, c.CommandPath())
	for distance := 1; distance <= 2; distance++ {
		c.SuggestionsMinimumDistance = distance
		if near := c.SuggestionsFor(name); len(near) > 0 {
			return errors.New(text + "; did you mean " + strings.Join(near, " or ") + "?")
		}
	}
	return errors.New(text)
}

// flagMisuse explains a flag that was not understood. After a mistyped command
// the flags cannot be known: then the command is what is wrong.
func flagMisuse(c *cobra.Command, err error) error {
	if c.HasSubCommands() && c.Flags().NArg() > 0 {
		return usage(c, unknownCommand(c, c.Flags().Arg(0)))
	}
	if unknown := new(pflag.NotExistError); errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		return misused(c, "%w%s", err, config.Suggest("--"+unknown.GetSpecifiedName(), flagsOf(c)))
	}
	return usage(c, err)
}

// flagsOf returns the flags that a command takes, as they are typed.
func flagsOf(c *cobra.Command) (names []string) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	})
	return names
}

func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]...",
		Short: "Help about a command",
		Example: `  authy help serve
  authy help user create`,
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err != nil {
				return usage(c, err)
			}
			if len(rest) > 0 {
				return usage(c, unknownCommand(about, rest[0]))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}
