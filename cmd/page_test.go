package cmd

import (
	"html"
	"regexp"
	"slices"
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

// shellWords are the words of a line as a shell reads it, up to a redirection, a pipe or a remark.
func shellWords(line string) (words []string) {
	var word strings.Builder
	var quote rune
	begun, escaped := false, false
	for _, c := range line + " " {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\\':
			escaped, begun = true, true
		case c == '\'' || c == '"':
			quote, begun = c, true
		case strings.ContainsRune("<>|;&#", c) && !begun:
			return words
		case c == ' ':
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	return words
}

// misread says what is wrong with a command line, "" for nothing.
func misread(line string) string { return misreadWords(shellWords(line)[1:]) }

// misreadWords is misread of the words after "authy".
func misreadWords(words []string) string {
	root := (&app{settings: config.Flags{}}).root()
	c, rest, err := root.Find(words)
	if err == nil && slices.Contains(words, "--help") {
		return ""
	}
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
