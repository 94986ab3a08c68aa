package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

const defaultFile = "authy.toml"

// readFile applies the file and reports whether it could be read at all. Without
// any file that is so, too.
func (l *loader) readFile(file string, env environment) bool {
	if file == "" {
		file = env[envConfig]
	}
	if file == "" {
		if _, err := os.Lstat(defaultFile); errors.Is(err, fs.ErrNotExist) {
			return true
		}
		file = defaultFile
	}
	data, err := readRegular(file)
	if errors.Is(err, fs.ErrNotExist) {
		l.fail("configuration file: %s does not exist: make it, an empty one has every setting as it is by default, "+
			"or name none by --config or %s", file, envConfig)
		return false
	}
	if err != nil {
		l.fail("configuration file: %w", err)
		return false
	}
	data = WithoutMark(data)
	values := map[string]any{}
	if err := toml.Unmarshal(data, &values); err != nil {
		l.fail("%w", SyntaxError(file, data, err))
		return false
	}
	for _, e := range listEntries(data) {
		l.readEntry(file, e, values)
	}
	return true
}

// SyntaxError says where in data, which is what file holds, there is no TOML, and what to write
// where a text has no quotes.
func SyntaxError(file string, data []byte, err error) error {
	at, ok := errors.AsType[*toml.DecodeError](err)
	if !ok {
		return fmt.Errorf("%s: %w", file, err)
	}
	line, column := at.Position()
	said := fmt.Sprintf("%s:%d:%d: %s", file, line, column, strings.TrimPrefix(at.Error(), "toml: "))
	lines := strings.Split(string(data), "\n")
	if found := bare.FindStringSubmatch(lines[min(max(line, 1), len(lines))-1]); found != nil {
		said += fmt.Sprintf("; a text is written %s = \"…\", in quotes, as are spans of time and addresses", found[1])
	}
	return errors.New(said)
}

// bare is a line whose value is not in quotes, and neither a list nor a table.
var bare = regexp.MustCompile(`^\s*([A-Za-z0-9_.-]+)\s*=\s*[^\s"'\[{#]`)

func (l *loader) readEntry(file string, e entry, values map[string]any) {
	key, origin := e.key(), file+":"+strconv.Itoa(e.line)
	s, ok := findSetting(key)
	switch {
	case ok:
		text, err := s.fromTOML(valueAt(values, e.path))
		if err != nil {
			l.fail("%s: %s: %w", origin, key, err)
			return
		}
		if _, twice := l.origins[key]; twice && s.provider != "" {
			l.fail("%s: both %s and %[2]s_file are there; leave one out", origin, key)
			return
		}
		l.set(s, text, origin)
	case l.readProviderFile(origin, e, valueAt(values, e.path)):
	case l.readRuleHead(origin, e):
	case e.section && e.isProvider():
		l.config.provider(e.path[1])
	case len(e.path) > 1 && e.path[0] == providerSection && !providerName.MatchString(e.path[1]):
		l.fail("%s: %s: the name of a provider has 1 to 63 lower-case letters, digits and hyphens", origin, key)
	case !slices.Contains(sections(), key):
		l.fail("%s: unknown key %q%s", origin, key, Suggest(key, e.candidates()))
	case !e.section:
		l.fail("%s: %s: expected a section; write its keys under [%[2]s]", origin, key)
	}
}

// valueAt returns the value at path, or nil. The tables of an array are counted from 1.
func valueAt(values map[string]any, path []string) any {
	var value any = values
	for _, part := range path {
		switch in := value.(type) {
		case map[string]any:
			value = in[part]
		case []any:
			n, err := strconv.Atoi(part)
			if err != nil || n < 1 || n > len(in) {
				return nil
			}
			value = in[n-1]
		default:
			return nil
		}
	}
	return value
}

// entry is a key, or the head of a section, in a file.
type entry struct {
	path    []string
	line    int
	section bool
}

// key joins the path. A part that holds a dot is quoted, so that it cannot pass
// for a path.
func (e entry) key() string {
	parts := make([]string, len(e.path))
	for i, part := range e.path {
		if parts[i] = part; strings.ContainsAny(part, `."`) {
			parts[i] = strconv.Quote(part)
		}
	}
	return strings.Join(parts, ".")
}

// isProvider says whether e is the head of a provider, such as [provider.google].
func (e entry) isProvider() bool {
	return len(e.path) == 2 && e.path[0] == providerSection && providerName.MatchString(e.path[1])
}

// candidates returns what may have been meant by an unknown key.
func (e entry) candidates() []string {
	switch {
	case len(e.path) == 1 && e.section:
		return sections()
	case len(e.path) == 3 && e.path[0] == providerSection && providerName.MatchString(e.path[1]):
		return providerKeys(e.path[1])
	}
	return keys()
}

// listEntries returns the entries of a valid document in order. The head of a
// section is among them only where no key follows that would tell as much.
func listEntries(data []byte) []entry {
	w := walker{}
	w.parser.Reset(data)
	skip := false // inside [[…]], of which there are no others than rules
	rules := 0
	var section []string
	for w.parser.NextExpression() {
		node := w.parser.Expression()
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			skip = node.Kind == unstable.ArrayTable
			section = w.add(nil, node.Key(), !skip)
			if skip && slices.Equal(section, []string{forwardSection}) {
				rules, skip = rules+1, false
				section = append(section, strconv.Itoa(rules))
				head := &w.entries[len(w.entries)-1]
				head.path, head.section = section, true
			}
		case unstable.KeyValue:
			if !skip {
				w.keyValue(section, node)
			}
		}
	}
	return w.withoutHeads()
}

type walker struct {
	parser  unstable.Parser
	entries []entry
}

// add notes an entry below prefix and returns its path.
func (w *walker) add(prefix []string, key unstable.Iterator, section bool) []string {
	path, line := append([]string{}, prefix...), 0
	for key.Next() {
		part := key.Node()
		path = append(path, string(part.Data))
		line = w.parser.Shape(part.Raw).Start.Line
	}
	w.entries = append(w.entries, entry{path, line, section})
	return path
}

func (w *walker) keyValue(prefix []string, node *unstable.Node) {
	value := node.Value()
	inline := value.Kind == unstable.InlineTable
	path := w.add(prefix, node.Key(), inline)
	if !inline {
		return
	}
	for children := value.Children(); children.Next(); {
		w.keyValue(path, children.Node())
	}
}

func (w *walker) withoutHeads() []entry {
	var list []entry
	for i, e := range w.entries {
		followed := i+1 < len(w.entries) && strings.HasPrefix(w.entries[i+1].key(), e.key()+".")
		if !e.section || !followed {
			list = append(list, e)
		}
	}
	return list
}

// WithoutMark returns what a file holds without the byte order mark that some editors
// begin it with.
func WithoutMark(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\ufeff")) }
