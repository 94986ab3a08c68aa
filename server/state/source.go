package state

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"authy/server/config"
)

const (
	// maxFile is how large a file may be, in bytes.
	maxFile = 32 << 20
	// maxMistakes is how many mistakes are told at once.
	maxMistakes = 20
	// maxDepth is how deep keys are looked for; those of a document are not nearly so deep.
	maxDepth = 32
)

// source is a file, and where in it each key is.
type source struct {
	file     string
	at       map[string]position // by path, such as client[3].redirect_uris
	mistakes []mistake
}

type position struct{ line, column int }

// mistake is what is wrong at a place.
type mistake struct {
	position
	text string
}

// note notes what is wrong with the key at a path: there, or where it is missing. What is
// wrong with no key has the path "".
func (s *source) note(path, format string, args ...any) {
	at, found := s.at[path]
	for parent := path; !found && parent != ""; at, found = s.at[parent] {
		parent = parent[:max(strings.LastIndexAny(parent, ".["), 0)]
	}
	text := fmt.Sprintf(format, args...)
	if path != "" {
		text = shown(path) + ": " + text
	}
	s.mistakes = append(s.mistakes, mistake{at, text})
}

// line is the line of a path.
func (s *source) line(path string) int { return s.at[path].line }

// shown is a path without the numbers of the objects, which nobody has counted.
func shown(path string) string {
	var b strings.Builder
	quoted, number := false, false
	for i, r := range path {
		switch {
		case r == '"' && (i == 0 || path[i-1] != '\\'):
			quoted = !quoted
		case !quoted && (r == '[' || r == ']'):
			number = r == '['
			continue
		}
		if !number {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// err is what was noted, in the order of the file; nil if that is nothing.
func (s *source) err() error {
	slices.SortStableFunc(s.mistakes, func(a, b mistake) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	var errs []error
	for i, m := range s.mistakes {
		if i == maxMistakes {
			errs = append(errs, fmt.Errorf("%s: and %d more", s.file, len(s.mistakes)-i))
			break
		}
		if m.line == 0 {
			errs = append(errs, fmt.Errorf("%s: %s", s.file, m.text))
			continue
		}
		errs = append(errs, fmt.Errorf("%s:%d:%d: %s", s.file, m.line, m.column, m.text))
	}
	return errors.Join(errs...)
}

// Read reads a file. Its error names every mistake in it with file, line, column, key,
// what was expected and what may have been meant.
func Read(path string) (*Document, error) {
	data, err := config.ReadRegular(path, maxFile)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Parse reads what a file holds.
func Parse(path string, data []byte) (*Document, error) {
	data = config.WithoutMark(data)
	s := &source{file: path, at: map[string]position{}}
	values := map[string]any{}
	if err := toml.Unmarshal(data, &values); err != nil {
		return nil, config.SyntaxError(path, data, err)
	}
	s.locate(data)
	d := &Document{source: s}
	s.decode("", values, d)
	if len(s.mistakes) == 0 { // otherwise what is misspelt would be missing, too
		s.check(d)
	}
	if err := s.err(); err != nil {
		return nil, err
	}
	return d, nil
}

// locate notes where each key of a valid document is.
func (s *source) locate(data []byte) {
	l := locator{source: s, arrays: map[string]int{}, lines: []int{0}}
	for i, b := range data {
		if b == '\n' {
			l.lines = append(l.lines, i+1)
		}
	}
	l.parser.Reset(data)
	section := ""
	for l.parser.NextExpression() {
		node := l.parser.Expression()
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			section = l.head(node)
		case unstable.KeyValue:
			l.keyValue(section, node)
		}
	}
}

type locator struct {
	parser unstable.Parser
	source *source
	arrays map[string]int // how many tables each array has until now
	lines  []int          // where each begins
}

// head notes the head of a table, and returns its path.
func (l *locator) head(node *unstable.Node) (path string) {
	for keys, depth := node.Key(), 0; keys.Next() && depth < maxDepth; depth++ {
		key := keys.Node()
		path = join(path, string(key.Data))
		if node.Kind == unstable.ArrayTable && keys.IsLast() {
			l.note(path, key)
			l.arrays[path]++
		}
		if n := l.arrays[path]; n > 0 {
			path = element(path, n-1)
		}
		l.note(path, key)
	}
	return path
}

func (l *locator) keyValue(path string, node *unstable.Node) {
	for keys, depth := node.Key(), 0; keys.Next() && depth < maxDepth; depth++ {
		path = join(path, string(keys.Node().Data))
		l.note(path, keys.Node())
	}
	l.value(path, node.Value())
}

// value notes what is within a value.
func (l *locator) value(path string, node *unstable.Node) {
	if strings.Count(path, ".")+strings.Count(path, "[") > maxDepth {
		return
	}
	i := 0
	for children := node.Children(); children.Next(); {
		child := children.Node()
		switch {
		case node.Kind == unstable.InlineTable && child.Kind == unstable.KeyValue:
			l.keyValue(path, child)
		case node.Kind == unstable.Array && child.Kind != unstable.Comment:
			l.value(element(path, i), child)
			i++
		}
	}
}

func (l *locator) note(path string, key *unstable.Node) {
	if _, known := l.source.at[path]; !known {
		at := int(key.Raw.Offset)
		line, begins := slices.BinarySearch(l.lines, at)
		if !begins {
			line--
		}
		l.source.at[path] = position{line + 1, at - l.lines[line] + 1}
	}
}

// join is the path of a key below a path.
func join(path, key string) string {
	if strings.ContainsAny(key, `."[] `) || key == "" {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
