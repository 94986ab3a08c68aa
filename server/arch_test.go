package server_test

// The structure test reads the source of the whole module, compiles nothing, and holds it to the
// rules of docs/architecture.md. This file has the picture, the list of rules, and the two tests:
// that the module keeps every rule, and that every rule can be broken. The rules themselves are in
// arch_rules_test.go.

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the import path of this module.
const module = "authy"

// picture is the layers from the top down. A package imports only packages of lower layers.
var picture = [][]string{
	{"main"},
	{"cmd"},
	{"server"},
	{"server/api", "web"},
	{"server/importer/gatehouse", "server/doctor"},
	{"server/login", "server/recipe", "server/importer", "server/state"},
	{"server/forward"},
	{"server/openid", "server/saml2", "server/upstream", "server/token", "server/overview"},
	{"server/dpop", "server/registry", "server/provider", "server/self", "server/backup", "server/webhook"},
	{"server/keyring", "server/keyset"},
	{"server/account", "server/activity", "server/brand", "server/org", "server/session"},
	{"server/audit", "server/mail", "server/config", "server/limit", "server/logout", "server/machine", "server/managed", "server/outbound", "server/picture", "server/place", "server/seen"},
	{"server/delivery", "server/fault", "server/metric", "server/steady", "server/words"},
	{"storage", "embed"},
	{"storage/kv", "storage/foreign"},
	{"storage/disk"},
}

// sanctioned lists the only imports between neighbours. Each has its reason.
var sanctioned = map[string][]string{
	// The relay and the sender; what was given up is recorded.
	"server/mail": {"server/config", "server/audit"},
	// What an application was told is recorded; it is asked from here.
	"server/logout": {"server/audit", "server/outbound"},
	// Who acts for the file that sets an object may change it.
	"server/managed": {"server/audit"},
}

// demo is the demonstration relying party: it stands for somebody else's program, so it imports
// nothing of authy, and only the command line starts it.
const demo = "server/demo"

// support lists the packages that exist for tests. They may use everything from server down.
var support = []string{
	"server/dpop/dpoptest", "server/faultbench", "server/forward/proxytest",
	"server/importer/gatehouse/gatehousetest", "server/machine/machinetest", "server/servertest",
	"storage/storagetest", "web/browsertest",
}

// A rule looks at a project and returns one line for each violation, beginning with the file.
type rule struct {
	name  string
	check func(p *project) []string
}

var rules = []rule{
	{"every package is in the picture", unknownPackages},
	{"imports point down", importsAgainstTheLayers},
	{"each technology has its home", technologyOutOfItsHome},
	{"what is forbidden is not used", forbiddenUses},
	{"panics are for the impossible", panicsWithoutReason},
	{"SQL stays in storage", statementsOutsideStorage},
	{"writes are methods of Tx", writesOutsideTx},
	{"each record has one writer", recordsWithoutOneWriter},
	{"surfaces know no storage", surfacesOnStorage},
	{"each package has one comment", packageComments},
	{"package names say something", emptyNames},
	{"files stay small", longFiles},
	{"functions stay small", longFunctions},
	{"comments stay narrow", wideComments},
	{"receivers keep their name", receiverNames},
}

func TestArchitectureHolds(t *testing.T) {
	t.Parallel()
	sources, err := readModule("..")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := sources["server/arch_test.go"]; !ok {
		t.Fatal("the module was not read: server/arch_test.go is missing from it")
	}
	p, err := parse(sources)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for _, violation := range r.check(p) {
				t.Error(violation)
			}
		})
	}
}

func TestArchitectureRulesCanBeBroken(t *testing.T) {
	t.Parallel()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if len(broken[r.name]) == 0 {
				t.Fatalf("no sample breaks %q, so nobody has seen it fail", r.name)
			}
			for _, s := range broken[r.name] {
				breaksOnly(t, r.name, s)
			}
		})
	}
}

// breaksOnly checks that the named rule, and no other, complains about the sample's culprit.
func breaksOnly(t *testing.T, name string, s sample) {
	t.Helper()
	p, err := parse(s.sources)
	if err != nil {
		t.Fatalf("%s: %v", s.why, err)
	}
	for _, r := range rules {
		got := r.check(p)
		if r.name != name {
			if len(got) > 0 {
				t.Errorf("%s: the sample also breaks %q: %q", s.why, r.name, got)
			}
			continue
		}
		named := func(v string) bool { return strings.HasPrefix(v, s.culprit+":") }
		if !slices.ContainsFunc(got, named) {
			t.Errorf("%s: violations = %q, want one that names %s", s.why, got, s.culprit)
		}
	}
}

func TestArchitectureRulesAcceptWhatIsAllowed(t *testing.T) {
	t.Parallel()
	p, err := parse(sound)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		for _, violation := range r.check(p) {
			t.Errorf("%s: %s", r.name, violation)
		}
	}
}

// A project is the parsed source of a module.
type project struct {
	fset  *token.FileSet
	files []*file // in the order of their paths
}

// A file is one parsed source file.
type file struct {
	path  string   // relative to the module, with slashes
	pkg   string   // its directory; "main" at the top
	test  bool     // a _test.go file
	lines []string // without their line ends
	tree  *ast.File
}

// readModule returns the Go files under root by their path. It leaves out what the go command
// leaves out: hidden and underscored directories, testdata, vendor and nested modules.
func readModule(root string) (map[string]string, error) {
	sources := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if name != root && outside(name) {
				return fs.SkipDir
			}
			return nil
		case path.Ext(name) != ".go":
			return nil
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		sources[filepath.ToSlash(rel)] = string(source)
		return err
	})
	return sources, err
}

// outside reports whether the directory is no part of the module.
func outside(dir string) bool {
	base := filepath.Base(dir)
	if base[0] == '.' || base[0] == '_' || base == "testdata" || base == "vendor" {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// parse reads the sources, given by their path in the module.
func parse(sources map[string]string) (*project, error) {
	p := &project{fset: token.NewFileSet()}
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		mode := parser.ParseComments | parser.SkipObjectResolution
		tree, err := parser.ParseFile(p.fset, name, sources[name], mode)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", name, err)
		}
		f := &file{
			path:  name,
			pkg:   path.Dir(name),
			test:  strings.HasSuffix(name, "_test.go"),
			lines: strings.Split(strings.TrimSuffix(sources[name], "\n"), "\n"),
			tree:  tree,
		}
		if f.pkg == "." {
			f.pkg = "main"
		}
		p.files = append(p.files, f)
	}
	return p, nil
}

// production returns the files that end up in the program: no tests, no test support.
func (p *project) production() []*file {
	return slices.DeleteFunc(slices.Clone(p.files), func(f *file) bool {
		return f.test || slices.Contains(support, f.pkg)
	})
}

// line returns the number of the line that pos is on.
func (p *project) line(pos token.Pos) int {
	return p.fset.Position(pos).Line
}

// violation describes what is wrong at pos, a place in f.
func (p *project) violation(f *file, pos token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", f.path, p.line(pos), fmt.Sprintf(format, args...))
}

// importPath returns the path that the import declaration names.
func importPath(i *ast.ImportSpec) string {
	name, err := strconv.Unquote(i.Path.Value)
	if err != nil {
		return i.Path.Value // impossible: the parser has accepted it
	}
	return name
}

// A sample is a small project that breaks one rule in the file culprit.
type sample struct {
	why     string
	culprit string
	sources map[string]string
}

// source returns a file of the named package, with a package comment in front of it.
func source(name, body string) string {
	return "// Package " + name + " is a sample.\npackage " + name + "\n\n" + body + "\n"
}

// importing returns a file of the named package that imports the paths.
func importing(name string, paths ...string) string {
	return source(name, "import (\n\t\""+strings.Join(paths, "\"\n\t\"")+"\"\n)")
}

// alone returns a sample of a single file.
func alone(why, culprit, text string) sample {
	return sample{why: why, culprit: culprit, sources: map[string]string{culprit: text}}
}

// insertUser is a package storage with one write.
const insertUser = "type Tx struct{}\n\nfunc (t *Tx) InsertUser() error { return nil }"

// callInsertUser is the body of a package that makes use of it.
const callInsertUser = `import "authy/storage"

func create(tx *storage.Tx) error { return tx.InsertUser() }`

// sound keeps every rule where a careless version of the rule would complain.
var sound = map[string]string{
	"main.go": "// Authy is a sample.\npackage main\n\nimport \"authy/cmd\"\n",
	"cmd/cmd.go": source("cmd", `import (
	"authy/server/demo"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func list() { fmt.Fprintln(os.Stdout, os.Args, os.Getenv("HOME")) }`),
	"server/demo/demo.go": source("demo", ""),
	"storage/user.go": source("storage", insertUser+`

func (d *DB) User() {}
func (d *DB) Users() { _ = "SELECT id FROM users" }`),
	"server/account/account.go": source("account", callInsertUser+`

func must() {
	// impossible: the caller has checked it
	panic("account: no user")
}`),
	"server/account/account_test.go": "package account_test\n\nimport (\n" +
		"\t\"authy/server/org\"\n\t\"authy/server/servertest\"\n\t\"time\"\n)\n\n" +
		"func wait() { time.Sleep(1); panic(1) }\n",
	"server/api/api.go": source("api", `import "authy/server/session"

func (s *sessions) revoke() { s.InsertUser() }`),
	"server/audit/audit.go": importing("audit", "authy/server/fault", "authy/storage"),
	"server/servertest/servertest.go": importing("servertest",
		"authy/server", "authy/storage/storagetest", "github.com/zitadel/oidc/v3/pkg/client/rp"),
	"server/config/config.go": source("config", "func table() []int {\n\treturn []int{"+
		strings.Repeat("\n\t\t1,", maxFunction)+"\n\t}\n}\n\n// See https://"+
		strings.Repeat("a", maxComment)),
}

// broken has, for each rule, samples that break it and no other.
var broken = map[string][]sample{
	"every package is in the picture": {
		alone("a package nobody drew", "server/queue/queue.go", source("queue", "")),
	},
	"imports point down": {
		alone("upwards", "storage/storage.go", importing("storage", "authy/server/fault")),
		alone("a neighbour", "server/org/org.go", importing("org", "authy/server/account")),
		alone("a neighbour, the wrong way", "server/fault/fault.go",
			importing("fault", "authy/server/audit")),
		alone("test support in the program", "server/server.go",
			importing("server", "authy/server/servertest")),
		alone("test support in test support", "web/browsertest/browsertest.go",
			importing("browsertest", "authy/server/servertest")),
		alone("test support on the command line", "server/servertest/servertest.go",
			importing("servertest", "authy/cmd")),
		alone("a test upwards", "storage/kv/kv_test.go", "package kv_test\n\nimport \"authy/storage\"\n"),
		alone("the demonstration uses authy", "server/demo/demo.go",
			importing("demo", "authy/server/fault")),
		alone("authy uses the demonstration", "server/server.go", importing("server", "authy/server/demo")),
	},
	"each technology has its home": {
		alone("bun", "server/org/org.go", importing("org", "github.com/uptrace/bun/dialect/pgdialect")),
		alone("SQL", "cmd/cmd.go", importing("cmd", "database/sql")),
		alone("Redis", "server/session/session.go", importing("session", "github.com/redis/go-redis/v9")),
		alone("miniredis", "server/jobs.go", importing("server", "github.com/alicebob/miniredis/v2")),
		alone("PostgreSQL", "server/jobs.go", importing("server", "github.com/jackc/pgx/v5")),
		alone("SQLite", "server/jobs.go", importing("server", "modernc.org/sqlite")),
		alone("the provider", "server/login/login.go",
			importing("login", "github.com/zitadel/oidc/v3/pkg/op")),
		alone("its types", "server/api/api.go", importing("api", "github.com/zitadel/oidc/v3/pkg/oidc")),
		alone("its crypto", "server/server.go",
			importing("server", "github.com/zitadel/oidc/v3/pkg/crypto")),
		alone("its client", "server/openid/openid.go",
			importing("openid", "github.com/zitadel/oidc/v3/pkg/client/rp")),
		alone("SAML", "server/login/login.go", importing("login", "github.com/crewjam/saml/samlsp")),
		alone("passkeys", "server/api/api.go", importing("api", "github.com/go-webauthn/webauthn/protocol")),
		alone("cobra", "server/server.go", importing("server", "github.com/spf13/cobra")),
		alone("templates", "server/api/api.go", importing("api", "html/template")),
		alone("huma", "server/server.go", importing("server", "github.com/danielgtaylor/huma/v2")),
		alone("HTTP in a record", "storage/kv/kv.go", importing("kv", "net/http")),
		alone("HTTP in a rule", "server/account/account.go", importing("account", "net/http/httptest")),
	},
	"what is forbidden is not used": {
		using("os", "os.Args"),
		using("os", "os.Getenv"),
		using("os", "os.LookupEnv"),
		using("os", "os.Environ"),
		using("time", "time.Sleep"),
		using("fmt", "fmt.Printf"),
		using("net/http", "http.DefaultClient"),
		alone("the machine's clock", "server/org/org.go", source("org", "import \"time\"\n\nvar now = time.Now()")),
		alone("under another name", "server/jobs.go",
			source("server", "import clock \"time\"\n\nvar wait = clock.Sleep")),
	},
	"panics are for the impossible": {
		alone("no comment", "server/jobs.go", source("server", "func run() { panic(1) }")),
		alone("another comment", "server/jobs.go",
			source("server", "func run() {\n\t// too late\n\tpanic(1)\n}")),
		alone("a string without a reason", "server/jobs.go", source("server", "func run() { panic(\"oh no\") }")),
	},
	"SQL stays in storage": {
		stating("SELECT 1"),
		stating(" insert into users values (1)"),
		stating("UPDATE users SET name = 1"),
		stating("\n\tDELETE FROM users"),
	},
	"writes are methods of Tx": {
		alone("on the database", "storage/user.go",
			source("storage", "type DB struct{}\n\nfunc (d *DB) SaveUser() {}")),
		alone("on a copy", "storage/code.go", source("storage", "func (DB) UseCode() {}")),
		alone("a bare verb", "storage/cache.go", source("storage", "func (c *cache[K]) Delete() {}")),
	},
	"each record has one writer": {
		alone("nobody", "storage/user.go", source("storage", insertUser)),
		{"two", "storage/user.go", map[string]string{
			"storage/user.go":           source("storage", insertUser),
			"server/account/account.go": source("account", callInsertUser),
			"server/org/org.go":         source("org", callInsertUser),
		}},
		{"a test only", "storage/user.go", map[string]string{
			"storage/user.go":          source("storage", insertUser),
			"server/org/org_test.go":   source("org", callInsertUser),
			"server/org/org.go":        source("org", ""),
			"server/api/api.go":        source("api", "func run(tx *tax) { tx.InsertUser() }"),
			"server/session/cookie.go": source("session", "func run() { sessions.InsertUser() }"),
		}},
	},
	"surfaces know no storage": {
		alone("the API", "server/api/user.go", importing("api", "authy/storage")),
		alone("the pages", "web/user.go", importing("web", "authy/storage/kv")),
	},
	"each package has one comment": {
		alone("none", "server/org/org.go", "package org\n"),
		alone("only a directive", "server/org/org.go", "//go:build linux\npackage org\n"),
		{"two", "server/org/role.go", map[string]string{
			"server/org/org.go":  source("org", ""),
			"server/org/role.go": source("org", ""),
		}},
	},
	"package names say something": {
		alone("util", "server/org/org.go", source("util", "")),
		alone("its test", "server/org/org_test.go", "package helpers_test\n"),
	},
	"files stay small": {
		alone("a file", "server/jobs.go", source("server", strings.Repeat("\n", maxFile))),
		alone("a test", "server/jobs_test.go", source("server", strings.Repeat("\n", maxTestFile))),
	},
	"functions stay small": {
		alone("a function", "server/jobs.go", source("server", lines(maxFunction))),
		alone("a command", "cmd/serve.go", source("cmd", lines(maxLongFunction))),
		alone("a test", "server/jobs_test.go", source("server", lines(maxLongFunction))),
	},
	"comments stay narrow": {
		alone("a line", "server/jobs.go", source("server", "// "+strings.Repeat("a", maxComment))),
		alone("in a block", "server/jobs.go",
			source("server", "/*\n"+strings.Repeat("a", maxComment+1)+"\n*/")),
		alone("after code", "server/jobs.go",
			source("server", "var a = 1 // "+strings.Repeat("é", maxComment))),
	},
	"receivers keep their name": {
		{"two files", "server/org/role.go", map[string]string{
			"server/org/org.go":  source("org", "func (s *Service) a() {}"),
			"server/org/role.go": "package org\n\nfunc (svc Service) b() {}\n",
		}},
	},
}

// using returns a sample that makes use of the expression, which is from the imported package.
func using(imported, expression string) sample {
	return alone(expression, "server/jobs.go",
		source("server", "import \""+imported+"\"\n\nvar _ = "+expression))
}

// stating returns a sample with the statement in a string.
func stating(sql string) sample {
	return alone(sql, "server/org/org.go", source("org", "const q = `"+sql+"`"))
}

// lines returns a function that is two lines longer than n.
func lines(n int) string {
	return "func run() {\n" + strings.Repeat("\trun()\n", n) + "}"
}
