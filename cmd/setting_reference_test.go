package cmd

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"authy/server/config"
)

// settingsIntro is what docs/configuration.md says before its tables.
const settingsIntro = "<!-- Made from authy.example.toml: AUTHY_TEST_UPDATE=1 go test ./cmd -run Reference. " +
	"Change it there. -->\n\n" + `# Configuration

Every setting, as [authy.example.toml](../authy.example.toml) says it: copy that file to ` + "`authy.toml`" + `, in the
directory authy starts in, and keep what differs. authy needs none of it to start.

- A flag wins over the environment, the environment over the file, the file over the default. ` + "`authy config show`" + `
  tells the value in use and where it came from, ` + "`authy config show --changed`" + ` only what was given.
- Each setting has an environment variable; in a list commas separate. With ` + "`_FILE`" + ` at its end the variable names
  a file that holds the value, as for secrets of containers: ` + "`AUTHY_SECURITY_SECRET_KEY_FILE`" + `.
- ` + "`--config`" + ` and ` + "`AUTHY_CONFIG`" + ` name another file than ` + "`authy.toml`" + `.
- A key that is not known, a value that cannot be, and two that do not fit stop the start; each is told with its line.
  What works and is weak is logged as a risk at each start.
- Spans of time are such as ` + "`\"90s\"`, `\"15m\"` and `\"24h\"`" + `.
- Settings are read when authy starts: a change needs a restart, which interrupts nobody
  ([operations.md](operations.md#restarting-without-an-interruption)). Where the last column says *contents*, the file that
  is named is read again without one.
`

// exampleKey is a setting of the example file, commented out or not, with the words above it.
type exampleKey struct {
	names    []string // several where the words are about all of them
	defaults []string
	words    string
}

// exampleSection is a table of the example file.
type exampleSection struct {
	name  string // "" for the keys that stand before the first table
	words string // what stands above an optional one
	keys  []exampleKey
}

var (
	tableLine = regexp.MustCompile(`^#?\[+([a-z_.]+)\]+$`)
	keyLine   = regexp.MustCompile(`^#?([a-z_]+) = (.+)$`)
)

// readExample reads the example file: a table is [name], or #[name] where it is optional, and the
// words about a key stand in the lines before it.
func readExample(text string) []exampleSection {
	_, text, _ = strings.Cut(text, "\n\n") // how the file is used
	sections := []exampleSection{{}}
	var words []string
	fresh := true
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		at := &sections[len(sections)-1]
		switch table, key := tableLine.FindStringSubmatch(line), keyLine.FindStringSubmatch(line); {
		case table != nil:
			sections = append(sections, exampleSection{name: table[1], words: strings.Join(words, " ")})
			words, fresh = nil, true
		case key != nil && (len(words) > 0 || fresh):
			at.keys = append(at.keys, exampleKey{[]string{key[1]}, []string{key[2]}, strings.Join(words, " ")})
			words, fresh = nil, false
		case key != nil:
			last := &at.keys[len(at.keys)-1]
			last.names, last.defaults = append(last.names, key[1]), append(last.defaults, key[2])
		case strings.HasPrefix(line, "# "):
			words = append(words, strings.TrimPrefix(line, "# "))
		case line == "":
			words = nil
		}
	}
	return sections
}

// rereadWords tell, in the words of a setting, that its file is read while authy runs.
var rereadWords = regexp.MustCompile(`read again when it changes|at SIGHUP`)

// writeSettings writes the tables of docs/configuration.md.
func writeSettings(text string, root *cobra.Command) string {
	var b strings.Builder
	b.WriteString(settingsIntro)
	for _, s := range readExample(text) {
		optional := s.words != ""
		title := "[" + s.name + "]"
		switch s.name {
		case "":
			title = "The server"
		case "forward_auth":
			title = "[[forward_auth]]"
		}
		fmt.Fprintf(&b, "\n## %s\n\n", title)
		if optional {
			fmt.Fprintf(&b, "%s\n\n| Key | Example | Meaning |\n|---|---|---|\n", linked(s.words))
		} else {
			b.WriteString("| Key | Default | Meaning | Variable and flag | Restart |\n|---|---|---|---|---|\n")
		}
		for _, k := range s.keys {
			if optional {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", code(k.names), code(k.defaults), cell(k.words))
				continue
			}
			key := strings.TrimPrefix(s.name+"."+k.names[0], ".")
			restart := "yes"
			// A key is read together with its certificate.
			if rereadWords.MatchString(k.words) || key == "tls.key_file" {
				restart = "yes; *contents*: no"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.names[0], code(k.defaults), cell(k.words), variableAndFlag(key, root), restart)
		}
	}
	return b.String()
}

// variableAndFlag is how a key is called elsewhere.
func variableAndFlag(key string, root *cobra.Command) string {
	for _, one := range config.ReportOf(config.Defaults()).Settings() {
		if one.Key != key {
			continue
		}
		serve, _, err := root.Find([]string{"serve"})
		if name := config.FlagName(key); err == nil && serve.Flag(name) != nil {
			return "`" + one.Variable() + "`, `--" + name + "`"
		}
		return "`" + one.Variable() + "`"
	}
	return ""
}

// code is values in a cell of a table.
func code(values []string) string {
	return "`" + strings.Join(values, "`, `") + "`"
}

// cell is words in a cell of a table, in which <, | and * would mean something. A page is a link.
func cell(words string) string {
	return linked(strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`).Replace(words))
}

var pageName = regexp.MustCompile(`docs/([a-z-]+\.md)`)

func linked(words string) string { return pageName.ReplaceAllString(words, "[$1]($1)") }

// TestTheReferenceOfSettingsIsWhatTheExampleFileSays fails when docs/configuration.md is older than
// authy.example.toml. With AUTHY_TEST_UPDATE=1 it writes it.
func TestTheReferenceOfSettingsIsWhatTheExampleFileSays(t *testing.T) {
	t.Parallel()
	root := (&app{settings: config.Flags{}}).root()
	want := writeSettings(string(readRepository(t, "authy.example.toml")), root)
	const path = "docs/configuration.md"
	matchesReference(t, path, want, "authy.example.toml says")
	for _, s := range config.ReportOf(config.Defaults()).Settings() {
		words := cell(config.Meaning(s.Key))
		row := slices.IndexFunc(strings.Split(want, "\n"), func(line string) bool {
			return strings.Contains(line, "`"+s.Variable()+"`") && strings.Contains(line, words) && words != ""
		})
		if row < 0 {
			t.Errorf("%s has no row of %s with its variable and %q", s.Key, path, words)
		}
	}
	for _, optional := range []string{"| `hosts` | `[\"app.example.com\"]` |", "| `paths`, `methods` |", "| `subject_attribute` |"} {
		if !strings.Contains(want, optional) {
			t.Errorf("%s lacks %s", path, optional)
		}
	}
}
