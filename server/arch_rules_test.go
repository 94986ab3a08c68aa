package server_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The hard limits, in lines and, for comments, in characters.
const (
	maxFile         = 600
	maxTestFile     = 1000
	maxFunction     = 60
	maxLongFunction = 120 // in cmd, which describes commands, and in tests
	maxComment      = 100
)

// within reports whether the package is one of the homes or lies under one.
func within(pkg string, homes []string) bool {
	return slices.ContainsFunc(homes, func(home string) bool {
		return pkg == home || strings.HasPrefix(pkg, home+"/")
	})
}

// depth returns the layer of the package, counted from the top. A package that is not in the
// picture is below everything: it may import nothing.
func depth(pkg string) int {
	layer := slices.IndexFunc(picture, func(l []string) bool { return slices.Contains(l, pkg) })
	if layer < 0 {
		return len(picture)
	}
	return layer
}

func unknownPackages(p *project) (bad []string) {
	for _, f := range p.files {
		drawn := depth(f.pkg) < len(picture) || f.pkg == demo || slices.Contains(support, f.pkg)
		if !drawn {
			bad = append(bad, p.violation(f, f.tree.Package, "package %s: add it to the picture", f.pkg))
		}
	}
	return bad
}

func importsAgainstTheLayers(p *project) (bad []string) {
	for _, f := range p.files {
		for _, i := range f.tree.Imports {
			to, ours := strings.CutPrefix(importPath(i), module+"/")
			if ours && !mayImport(f, to) {
				bad = append(bad, p.violation(f, i.Pos(), "%s may not import %s", f.pkg, to))
			}
		}
	}
	return bad
}

// mayImport reports whether the file may import authy's package to. Tests may also import
// neighbours of the package they test, and test support.
func mayImport(f *file, to string) bool {
	from := f.pkg
	switch {
	case slices.Contains(support, to):
		return f.test || slices.Contains(support, from) && to == "storage/storagetest"
	case to == demo:
		return f.test || from == "cmd"
	case from == demo:
		return false
	case slices.Contains(support, from):
		return depth(to) >= depth("server")
	case f.test:
		return depth(to) >= depth(from)
	}
	return depth(to) > depth(from) || slices.Contains(sanctioned[from], to)
}

// A technology is a set of imports with the packages that may have them, or that may not.
type technology struct {
	imports []string
	only    []string
	never   []string
}

var technologies = []technology{
	{
		imports: []string{
			"database/sql", "github.com/uptrace/bun", "github.com/jackc/pgx", "modernc.org/sqlite",
			"github.com/redis", "github.com/alicebob/miniredis",
		},
		only: []string{"storage"},
	},
	{
		imports: []string{
			"github.com/zitadel/oidc/v3/pkg/op", "github.com/zitadel/oidc/v3/pkg/oidc",
			"github.com/zitadel/oidc/v3/pkg/crypto",
		},
		only: []string{"server/openid"},
	},
	{
		imports: []string{"github.com/zitadel/oidc/v3/pkg/client/rp"},
		only:    append([]string{"server/upstream"}, support...),
	},
	{
		imports: []string{
			"github.com/crewjam/saml", "github.com/russellhaering/goxmldsig", "github.com/beevik/etree",
			"github.com/russellhaering/gosaml2", "github.com/zitadel/saml",
		},
		only: append([]string{"server/saml2"}, support...),
	},
	{imports: []string{"filippo.io/age"}, only: []string{"server/backup", "cmd"}},
	{imports: []string{"github.com/go-webauthn"}, only: []string{"server/account"}},
	{imports: []string{"github.com/spf13/cobra", "github.com/spf13/pflag"}, only: []string{"cmd"}},
	{imports: []string{"html/template"}, only: []string{"web", "server/mail", "server/demo"}},
	{imports: []string{"github.com/danielgtaylor/huma"}, only: []string{"server/api"}},
	{
		imports: []string{"net/http"}, // the rules and the records know no HTTP
		never:   []string{"storage", "server/account", "server/activity", "server/org", "server/session", "server/token"},
	},
}

// welcomes reports whether the package may import what the technology consists of.
func (t technology) welcomes(pkg string) bool {
	if t.never != nil {
		return !within(pkg, t.never)
	}
	return within(pkg, t.only)
}

func technologyOutOfItsHome(p *project) (bad []string) {
	for _, f := range p.files {
		for _, i := range f.tree.Imports {
			strange := func(t technology) bool {
				return within(importPath(i), t.imports) && !t.welcomes(f.pkg)
			}
			if !f.test && slices.ContainsFunc(technologies, strange) {
				bad = append(bad, p.violation(f, i.Pos(), "%s may not import %s", f.pkg, importPath(i)))
			}
		}
	}
	return bad
}

// A use is something of the standard library that only some packages may touch.
type use struct {
	path  string
	names []string
	only  []string
	why   string
}

var uses = []use{
	{"os", []string{"Args"}, []string{"cmd", "main"}, "the command line belongs to cmd"},
	{
		"os",
		[]string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"},
		[]string{"cmd", "server/config"},
		"the environment belongs to cmd and server/config",
	},
	{"time", []string{"Sleep"}, nil, "wait for what happens, with a context"},
	{"fmt", []string{"Print", "Printf", "Println"}, nil, "write to a writer that was passed in"},
	{"net/http", []string{"DefaultClient"}, nil, "it has no timeout"},
}

// timed lists the packages in which things begin and end: by the time that does not go back.
var timed = []string{
	"server/account", "server/activity", "server/brand", "server/dpop", "server/forward", "server/importer",
	"server/keyring", "server/keyset", "server/login", "server/logout", "server/mail", "server/openid", "server/org",
	"server/provider", "server/registry", "server/saml2", "server/self", "server/session", "server/state",
	"server/token", "server/upstream", "server/webhook",
}

// machineTime reports whether something reads the machine's clock where it should not.
func machineTime(pkg, path, name string) bool {
	return path == "time" && slices.Contains([]string{"Now", "Since", "Until"}, name) && within(pkg, timed)
}

func forbiddenUses(p *project) (bad []string) {
	for _, f := range p.production() {
		for n := range ast.Preorder(f.tree) {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				continue
			}
			from := f.importedAs(s.X)
			if machineTime(f.pkg, from, s.Sel.Name) && !slices.Contains(support, f.pkg) {
				bad = append(bad, p.violation(f, s.Pos(), "time.%s: what begins or ends does so by server/steady", s.Sel.Name))
			}
			for _, u := range uses {
				if u.path == from && slices.Contains(u.names, s.Sel.Name) && !within(f.pkg, u.only) {
					bad = append(bad, p.violation(f, s.Pos(), "%s.%s: %s", u.path, s.Sel.Name, u.why))
				}
			}
		}
	}
	return bad
}

// importedAs returns the path of the package that x names in this file, "" where it names none.
func (f *file) importedAs(x ast.Expr) string {
	id, ok := x.(*ast.Ident)
	if !ok {
		return ""
	}
	for _, i := range f.tree.Imports {
		imported := importPath(i)
		name := imported[strings.LastIndexByte(imported, '/')+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		if name == id.Name {
			return imported
		}
	}
	return ""
}

func panicsWithoutReason(p *project) (bad []string) {
	for _, f := range p.production() {
		for n := range ast.Preorder(f.tree) {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				continue
			}
			if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "panic" && !p.impossible(f, call) {
				bad = append(bad, p.violation(f, call.Pos(),
					"a panic needs a comment that says why it is impossible"))
			}
		}
	}
	return bad
}

// impossible reports whether the text of a panic, or a comment on its line or the one before it,
// says that it is never reached.
func (p *project) impossible(f *file, call *ast.CallExpr) bool {
	for n := range ast.Preorder(call) {
		if text, ok := n.(*ast.BasicLit); ok && strings.Contains(text.Value, "impossible") {
			return true
		}
	}
	return slices.ContainsFunc(f.tree.Comments, func(c *ast.CommentGroup) bool {
		distance := p.line(call.Pos()) - p.line(c.End())
		return (distance == 0 || distance == 1) && strings.Contains(c.Text(), "impossible")
	})
}

var statement = regexp.MustCompile(`(?i)^\s*(select|insert into|update \w+ set|delete from)\b`)

func statementsOutsideStorage(p *project) (bad []string) {
	for _, f := range p.files {
		if f.test || within(f.pkg, []string{"storage"}) {
			continue
		}
		for n := range ast.Preorder(f.tree) {
			text, ok := n.(*ast.BasicLit)
			if ok && text.Kind == token.STRING && statement.MatchString(text.Value[1:]) {
				bad = append(bad, p.violation(f, text.Pos(), "SQL outside storage: %s", text.Value))
			}
		}
	}
	return bad
}

var writeVerbs = []string{"Insert", "Save", "Delete", "Take", "Touch", "Use", "Revoke"}

// writes reports whether a method of this name changes a record: UseCode does, Users does not.
func writes(name string) bool {
	return slices.ContainsFunc(writeVerbs, func(verb string) bool {
		rest, ok := strings.CutPrefix(name, verb)
		next, _ := utf8.DecodeRuneInString(rest)
		return ok && (rest == "" || !unicode.IsLower(next))
	})
}

// A method is a method with the type it belongs to.
type method struct {
	file    *file
	decl    *ast.FuncDecl
	base    string // the type, without star and type parameters
	pointer bool
}

// methods returns the methods that the file declares.
func (f *file) methods() (list []method) {
	for _, d := range f.tree.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv == nil || len(fn.Recv.List) == 0 {
			continue
		}
		typ, m := fn.Recv.List[0].Type, method{file: f, decl: fn}
		if star, ok := typ.(*ast.StarExpr); ok {
			typ, m.pointer = star.X, true
		}
		switch x := typ.(type) {
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		}
		if id, ok := typ.(*ast.Ident); ok {
			m.base = id.Name
		}
		list = append(list, m)
	}
	return list
}

// storageWrites returns the methods of package storage that change records.
func (p *project) storageWrites() (list []method) {
	for _, f := range p.production() {
		if f.pkg != "storage" {
			continue
		}
		for _, m := range f.methods() {
			if writes(m.decl.Name.Name) {
				list = append(list, m)
			}
		}
	}
	return list
}

func writesOutsideTx(p *project) (bad []string) {
	for _, m := range p.storageWrites() {
		if m.base != "Tx" || !m.pointer {
			bad = append(bad, p.violation(m.file, m.decl.Pos(),
				"%s writes, so its receiver must be *Tx", m.decl.Name.Name))
		}
	}
	return bad
}

func recordsWithoutOneWriter(p *project) (bad []string) {
	callers := map[string][]string{}
	for _, f := range p.production() {
		for _, name := range f.calledOnTx() {
			if !slices.Contains(callers[name], f.pkg) {
				callers[name] = append(callers[name], f.pkg)
			}
		}
	}
	for _, m := range p.storageWrites() {
		name := m.decl.Name.Name
		if m.base != "Tx" || len(callers[name]) == 1 {
			continue
		}
		problem := "nobody calls it"
		if len(callers[name]) > 1 {
			problem = "one package must be its writer, not " + strings.Join(callers[name], " and ")
		}
		bad = append(bad, p.violation(m.file, m.decl.Pos(), "Tx.%s: %s", name, problem))
	}
	return bad
}

// calledOnTx returns what the file selects from parameters and fields of type *storage.Tx.
func (f *file) calledOnTx() (names []string) {
	txs := f.txNames()
	for n := range ast.Preorder(f.tree) {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			continue
		}
		switch x := s.X.(type) {
		case *ast.Ident:
			ok = slices.Contains(txs, x.Name)
		case *ast.SelectorExpr:
			ok = slices.Contains(txs, x.Sel.Name)
		default:
			ok = false
		}
		if ok {
			names = append(names, s.Sel.Name)
		}
	}
	return names
}

// txNames returns the names that the file declares as *storage.Tx, outside storage itself.
func (f *file) txNames() (names []string) {
	for n := range ast.Preorder(f.tree) {
		field, ok := n.(*ast.Field)
		if !ok {
			continue
		}
		star, ok := field.Type.(*ast.StarExpr)
		if !ok {
			continue
		}
		s, ok := star.X.(*ast.SelectorExpr)
		if ok && s.Sel.Name == "Tx" && f.importedAs(s.X) == module+"/storage" {
			for _, id := range field.Names {
				names = append(names, id.Name)
			}
		}
	}
	return names
}

func surfacesOnStorage(p *project) (bad []string) {
	for _, f := range p.production() {
		if f.pkg != "server/api" && f.pkg != "web" {
			continue
		}
		for _, i := range f.tree.Imports {
			if within(importPath(i), []string{module + "/storage"}) {
				bad = append(bad, p.violation(f, i.Pos(), "%s answers with its own types", f.pkg))
			}
		}
	}
	return bad
}

func packageComments(p *project) (bad []string) {
	first, commented := map[string]*file{}, map[string]*file{}
	for _, f := range p.files {
		if f.test {
			continue
		}
		if first[f.pkg] == nil {
			first[f.pkg] = f
		}
		if f.tree.Doc.Text() == "" {
			continue
		}
		if one := commented[f.pkg]; one != nil {
			bad = append(bad, p.violation(f, f.tree.Package, "%s has the package comment", one.path))
		}
		commented[f.pkg] = f
	}
	for _, f := range p.files {
		if first[f.pkg] == f && commented[f.pkg] == nil {
			bad = append(bad, p.violation(f, f.tree.Package, "%s has no package comment", f.pkg))
		}
	}
	return bad
}

var meaningless = []string{
	"base", "common", "helper", "helpers", "misc", "model", "models", "shared", "types", "util", "utils",
}

func emptyNames(p *project) (bad []string) {
	for _, f := range p.files {
		name := strings.TrimSuffix(f.tree.Name.Name, "_test")
		if slices.Contains(meaningless, name) {
			bad = append(bad, p.violation(f, f.tree.Name.Pos(), "package %s says nothing", name))
		}
	}
	return bad
}

func longFiles(p *project) (bad []string) {
	for _, f := range p.files {
		limit := maxFile
		if f.test {
			limit = maxTestFile
		}
		if n := len(f.lines); n > limit {
			bad = append(bad, p.violation(f, f.tree.FileEnd, "%d lines, more than %d", n, limit))
		}
	}
	return bad
}

func longFunctions(p *project) (bad []string) {
	for _, f := range p.files {
		limit := maxFunction
		if f.test || f.pkg == "cmd" {
			limit = maxLongFunction
		}
		for _, d := range f.tree.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || isTable(fn) {
				continue
			}
			if n := p.line(fn.End()) - p.line(fn.Type.Pos()) + 1; n > limit {
				bad = append(bad, p.violation(f, fn.Type.Pos(),
					"%s: %d lines, more than %d", fn.Name.Name, n, limit))
			}
		}
	}
	return bad
}

// isTable reports whether the function does nothing but return one composite literal.
func isTable(fn *ast.FuncDecl) bool {
	if fn.Body == nil || len(fn.Body.List) != 1 {
		return false
	}
	ret, ok := fn.Body.List[0].(*ast.ReturnStmt)
	if !ok || len(ret.Results) != 1 {
		return false
	}
	value := ret.Results[0]
	if address, ok := value.(*ast.UnaryExpr); ok {
		value = address.X
	}
	_, ok = value.(*ast.CompositeLit)
	return ok
}

// directive matches the comments that are read by tools, which nobody can wrap.
var directive = regexp.MustCompile(`^//(go|nolint)\b`)

func wideComments(p *project) (bad []string) {
	for _, f := range p.files {
		for _, group := range f.tree.Comments {
			for _, c := range group.List {
				if !directive.MatchString(c.Text) {
					bad = append(bad, p.wideLines(f, c)...)
				}
			}
		}
	}
	return bad
}

// wideLines returns the lines of the comment that are too wide. An address cannot be wrapped.
func (p *project) wideLines(f *file, c *ast.Comment) (bad []string) {
	tokens := p.fset.File(c.Pos())
	for n := p.line(c.Pos()); n <= p.line(c.End()); n++ {
		text := f.lines[n-1]
		if width := utf8.RuneCountInString(text); width > maxComment && !strings.Contains(text, "://") {
			bad = append(bad, p.violation(f, tokens.LineStart(n),
				"%d characters in a line with a comment, more than %d", width, maxComment))
		}
	}
	return bad
}

func receiverNames(p *project) (bad []string) {
	known := map[string]string{}
	for _, f := range p.files {
		for _, m := range f.methods() {
			names := m.decl.Recv.List[0].Names
			if len(names) == 0 || names[0].Name == "_" {
				continue
			}
			typ, name := f.pkg+"."+m.base, names[0].Name
			if known[typ] == "" {
				known[typ] = name
			}
			if known[typ] != name {
				bad = append(bad, p.violation(f, m.decl.Pos(),
					"the receiver of %s is called %s here and %s elsewhere", typ, name, known[typ]))
			}
		}
	}
	return bad
}
