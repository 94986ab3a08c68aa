package cmd

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"authy/server/config"
)

// source is what documents can name of the code.
type source struct {
	files     []string            // their paths from the root
	functions map[string][]string // of tests, by the directory: "./server/servertest"
	texts     map[string]bool     // string literals
	limits    map[string]pace     // by their names in RateLimit-Policy
}

var readSource = sync.OnceValues(func() (*source, error) {
	s := &source{functions: map[string][]string{}, texts: map[string]bool{}, limits: map[string]pace{}}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		s.files = append(s.files, strings.TrimPrefix(filepath.ToSlash(path), "../"))
		return s.read(path)
	})
	return s, err
})

// read takes the names of tests, and the literals, of a file.
func (s *source) read(path string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if text, err := strconv.Unquote(literal.Value); err == nil {
				s.texts[text] = true
				for _, name := range variable.FindAllString(text, -1) {
					s.texts[name] = true
				}
			}
		}
		if rule, ok := n.(*ast.CompositeLit); ok && isLimit(rule) && !strings.HasSuffix(path, "_test.go") {
			name, p := paceOf(rule)
			s.limits[name] = p
		}
		return true
	})
	if !strings.HasSuffix(path, "_test.go") {
		return nil
	}
	dir := "./" + strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../")
	for _, declared := range file.Decls {
		if f, ok := declared.(*ast.FuncDecl); ok && f.Recv == nil && testName.MatchString(f.Name.Name) {
			s.functions[dir] = append(s.functions[dir], f.Name.Name)
		}
	}
	return nil
}

var testName = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*`)

func sourceOf(t *testing.T) *source {
	t.Helper()
	s, err := readSource()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// testsNothing says what is wrong with the words after "go test", "" for nothing: a package that
// has no tests, or a pattern by which none is found.
func testsNothing(words []string, functions map[string][]string) string {
	var names []string
	run, bench := "", "^$"
	for i, word := range words {
		switch {
		case word == "-run":
			run = words[i+1]
		case word == "-bench":
			bench = words[i+1]
		case strings.HasPrefix(word, "./") && !strings.HasSuffix(word, "..."):
			if len(functions[word]) == 0 {
				return word + " has no tests"
			}
			names = append(names, functions[word]...)
		}
	}
	if names == nil { // all packages, or an example's
		for _, some := range functions {
			names = append(names, some...)
		}
	}
	for _, one := range []struct{ prefix, pattern string }{{"Test", run}, {"Benchmark", bench}} {
		pattern, err := regexp.Compile(one.pattern)
		if err != nil {
			return err.Error()
		}
		if one.pattern != "^$" && !slices.ContainsFunc(names, func(name string) bool {
			return strings.HasPrefix(name, one.prefix) && pattern.MatchString(name)
		}) {
			return "no " + one.prefix + " has " + one.pattern + " in its name"
		}
	}
	return ""
}

func TestEachTestAndFileThatADocumentNamesIsThere(t *testing.T) {
	t.Parallel()
	s := sourceOf(t)
	there := map[string]bool{}
	for _, names := range s.functions {
		for _, name := range names {
			there[name] = true
		}
	}
	named := 0
	for _, d := range documents(t) {
		for _, name := range testName.FindAllString(d.text, -1) {
			named++
			if !there[name] {
				t.Errorf("%s names %s: there is no such test", d.path, name)
			}
		}
		for _, found := range goFile.FindAllStringSubmatch(d.text, -1) {
			named++
			if !slices.ContainsFunc(s.files, func(path string) bool { return isNamed(path, found[1]) }) {
				t.Errorf("%s names %s: there is no such file", d.path, found[1])
			}
		}
	}
	if named < 60 {
		t.Errorf("%d names, want many", named)
	}
}

// TestEachPromiseNamesTheTestsThatHoldIt reads docs/security.md; that the tests exist is looked at
// with all others.
func TestEachPromiseNamesTheTestsThatHoldIt(t *testing.T) {
	t.Parallel()
	_, promises, _ := strings.Cut(string(readRepository(t, "docs/security.md")), "\n## Promises\n")
	promises, _, _ = strings.Cut(promises, "\n## ")
	each := regexp.MustCompile(`(?m)^\d+\. `).Split(promises, -1)[1:]
	for _, promise := range each {
		if !testName.MatchString(promise) {
			t.Errorf("no test is named for: %s", promise)
		}
	}
	if len(each) < 20 {
		t.Errorf("%d promises, want all of them", len(each))
	}
}

// goFile is a file of the code in a document, whose parts may be <placeholders> or stars.
var goFile = regexp.MustCompile("`([\\w*/-]+\\.go)`")

// isNamed says whether a document means a file: by its path, its end, or a pattern of either.
func isNamed(path, name string) bool {
	parts, want := strings.Split(path, "/"), strings.Split(name, "/")
	if len(want) > len(parts) {
		return false
	}
	ok, err := filepath.Match(name, strings.Join(parts[len(parts)-len(want):], "/"))
	return ok && err == nil
}

var (
	span     = regexp.MustCompile("`([^`\n]+)`")
	dotted   = regexp.MustCompile(`^[a-z_]+\.[a-z_]+$`)
	variable = regexp.MustCompile(`\bAUTHY_[A-Z0-9_]*[A-Z0-9]`)
)

func TestEachSettingThatADocumentNamesIsThere(t *testing.T) {
	t.Parallel()
	s := sourceOf(t)
	settings, sections, variables := map[string]bool{}, map[string]bool{}, map[string]bool{"AUTHY_CONFIG": true}
	for _, one := range config.ReportOf(config.Defaults()).Settings() {
		settings[one.Key] = true
		section, _, below := strings.Cut(one.Key, ".")
		sections[section] = below
		variables[one.Variable()] = true
	}
	pages, named := documents(t), 0
	for _, path := range []string{"docs/compose/cluster.yaml", "docs/compose/sqlite.yaml"} {
		pages = append(pages, document{path, string(readRepository(t, path))})
	}
	proxy := string(readRepository(t, "docs/compose/Caddyfile")) // whose variables begin as ours do
	for _, d := range pages {
		for _, found := range span.FindAllStringSubmatch(d.prose(), -1) {
			section, _, _ := strings.Cut(found[1], ".")
			if !dotted.MatchString(found[1]) || !sections[section] || notSettings[found[1]] {
				continue
			}
			named++
			if !settings[found[1]] && !s.texts[found[1]] { // an event of the audit log
				t.Errorf("%s names %s: there is no such setting and no such event", d.path, found[1])
			}
		}
		for _, name := range variable.FindAllString(d.text, -1) {
			named++
			if !variables[name] && !variables[strings.TrimSuffix(name, "_FILE")] && !s.texts[name] &&
				!strings.HasPrefix(name, "AUTHY_PROVIDER_") && !strings.Contains(proxy, "{$"+name) {
				t.Errorf("%s names %s: there is no such variable", d.path, name)
			}
		}
	}
	if named < 100 {
		t.Errorf("%d names, want many", named)
	}
}

// notSettings look like settings and are files.
var notSettings = map[string]bool{"backup.key": true, "server.go": true}

// TestEachConfigurationInADocumentIsRead loads what is shown of authy.toml. What the recipes show
// is of other programs, and the state file has a test of its own.
func TestEachConfigurationInADocumentIsRead(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, d := range documents(t) {
		if strings.HasPrefix(d.path, "docs/apps/") {
			continue
		}
		for _, b := range d.blocks() {
			text := strings.Join(b.lines, "\n")
			if b.language != "toml" || strings.Contains(text, "[[user]]") {
				continue
			}
			seen++
			file := filepath.Join(t.TempDir(), "authy.toml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var environ []string
			if strings.Contains(text, "[mail]") { // whose password is elsewhere
				environ = []string{"AUTHY_MAIL_PASSWORD=known to the relay"}
			}
			if _, _, err := config.Load(file, nil, environ); err != nil {
				t.Errorf("%s:%d: %v", d.path, b.line, err)
			}
		}
	}
	if seen < 6 {
		t.Errorf("%d configurations, want more", seen)
	}
}

// TestEveryCommandWithinASentenceIsOne looks at `authy …` in prose, where what a command takes may
// be left out, at `go test …`, and at what units start.
func TestEveryCommandWithinASentenceIsOne(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, d := range documents(t) {
		for _, found := range unitLine.FindAllStringSubmatch(d.text, -1) {
			if wrong := misread(found[1]); wrong != "" {
				t.Errorf("%s has a unit that starts %s: %s", d.path, found[1], wrong)
			}
		}
		for _, found := range span.FindAllStringSubmatch(strings.ReplaceAll(d.prose(), "\n", " "), -1) {
			name, words := command{text: found[1]}.program()
			if name == "go" && len(words) > 2 && words[1] == "test" {
				if wrong := testsNothing(words[2:], sourceOf(t).functions); wrong != "" {
					t.Errorf("%s names `%s`: %s", d.path, found[1], wrong)
				}
			}
			if i := slices.Index(words, "/authy"); i > 0 { // in a container
				name, words = "authy", words[i:]
			}
			if len(words) < 2 || name != "authy" || found[1] == "authy news" { // a connection's name
				continue
			}
			seen++
			for _, one := range alternatives(words[1:]) {
				if wrong := misnamed(one); wrong != "" {
					t.Errorf("%s names `%s`: %s", d.path, found[1], wrong)
				}
			}
		}
	}
	if seen < 150 {
		t.Errorf("%d commands, want many", seen)
	}
}

// unitLine is what a unit of systemd starts.
var unitLine = regexp.MustCompile(`(?m)^ExecStart=(\S+/authy .*)$`)

// alternatives are the commands that words such as "key list|rotate" stand for.
func alternatives(words []string) [][]string {
	all := [][]string{nil}
	for _, word := range words {
		var next [][]string
		for _, begun := range all {
			for choice := range strings.SplitSeq(word, "|") {
				next = append(next, append(slices.Clone(begun), choice))
			}
		}
		all = next
	}
	return all
}

// misnamed says what is wrong with a command in a sentence: it must be one, with the flags that
// it has; arguments may be missing, and "…" is what the reader knows.
func misnamed(words []string) string {
	words = slices.DeleteFunc(words, func(word string) bool { return strings.HasPrefix(strings.Trim(word, "[]"), "…") })
	root := (&app{settings: config.Flags{}}).root()
	c, rest, err := root.Find(words)
	if err != nil {
		return err.Error()
	}
	if c.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return "there is no " + rest[0] + " of " + c.CommandPath()
	}
	for i, word := range rest {
		word = strings.Trim(word, "[]")
		name, isFlag := strings.CutPrefix(word, "--")
		name, _, _ = strings.Cut(name, "=")
		if isFlag && name != "help" && c.Flag(name) == nil && !slices.Contains(rest[:i], "--") {
			return c.CommandPath() + " has no --" + name
		}
	}
	return ""
}
