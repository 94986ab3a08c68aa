package cmd

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/config"
	"authy/server/servertest"
)

// shownCommand is what a page shows as its equivalent.
var shownCommand = regexp.MustCompile(`(?s)<pre><code>(authy .*?)</code></pre>`)

// shellWords are the words of a line as a shell reads it, up to a redirection.
func shellWords(line string) (words []string) {
	line, _, _ = strings.Cut(line, " < ")
	var word strings.Builder
	quoted, begun := false, false
	for _, c := range line + " " {
		switch {
		case c == '\'':
			quoted, begun = !quoted, true
		case c == ' ' && !quoted:
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		case c == '\\' && !quoted: // what follows is a quote, which stands for itself
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	return words
}

// misread says what is wrong with a command line, "" for nothing.
func misread(line string) string {
	root := (&app{settings: config.Flags{}}).root()
	c, rest, err := root.Find(shellWords(line)[1:])
	if err == nil {
		err = c.ParseFlags(rest)
	}
	if err == nil {
		err = c.ValidateArgs(c.Flags().Args())
	}
	switch {
	case err != nil:
		return err.Error()
	case c.HasSubCommands() && !hasOwnFlags(c):
		return "that is no command"
	}
	return ""
}

// hasOwnFlags tells a command that does something from one that only groups others,
// which has --help alone.
func hasOwnFlags(c *cobra.Command) bool {
	for line := range strings.Lines(c.LocalNonPersistentFlags().FlagUsages()) {
		if !strings.Contains(line, "--help") {
			return true
		}
	}
	return false
}

func TestEveryCommandThatAPageShowsIsOne(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	home := s.Furnish(t, "acme-corp")
	const root, owner = "superadmin@acme-corp.com", "admin@acme-corp.com"
	u, err := s.Accounts.Find(t.Context(), root)
	if err == nil {
		_, err = s.Accounts.Correct(t.Context(), audit.Shell(), u.ID, account.Correction{Admin: new(true)})
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{}
	for who, where := range map[string][2]string{root: {"SuperAdmin123!", "/admin"}, owner: {"AdminPass123!", home}} {
		browser := servertest.Browser(t)
		s.SignIn(t, browser, who, where[0])
		for _, stop := range s.Tour(t, browser, where[1]) {
			shown := shownCommand.FindAllStringSubmatch(stop.Body, -1)
			for _, one := range shown {
				for line := range strings.Lines(html.UnescapeString(one[1])) {
					lines[strings.TrimSpace(line)] = stop.Address
				}
			}
			inConsole := strings.HasPrefix(stop.Address, "/admin") || strings.HasPrefix(stop.Address, "/organizations/")
			if len(shown) == 0 && stop.Response.StatusCode == 200 && inConsole &&
				strings.HasPrefix(stop.Response.Header.Get("Content-Type"), "text/html") {
				t.Errorf("%s shows no command", stop.Address)
			}
		}
	}
	for line, address := range lines {
		if wrong := misread(line); wrong != "" {
			t.Errorf("%s shows %q: %s", address, line, wrong)
		}
	}
	if len(lines) < 60 {
		t.Errorf("%d commands, want many", len(lines))
	}
	for line, want := range map[string]bool{
		"authy user suspend a@example.com": true, "authy user suspend": false, "authy user frobnicate x": false,
		"authy user list --nothing": false, "authy user": false, "authy org list --search 'a b'": true,
	} {
		if wrong := misread(line); (wrong == "") != want {
			t.Errorf("misread(%q) = %q", line, wrong)
		}
	}
}
