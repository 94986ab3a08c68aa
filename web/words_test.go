package web

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"html/template"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"
	"time"

	"github.com/leonelquinteros/gotext"

	"authy/embed"
	"authy/server/config"
	"authy/server/openid"
	"authy/server/words"
)

// said are the texts that pages say, each with where; the second of what is
// counted stands beside the first.
type said map[string]string

// saidBy gives each function whose texts are said the place of the text among
// its arguments.
var saidBy = map[string]int{"say": 1, "msg": 0, "view": 1, "console": 5, "adminPage": 4, "ownPage": 4, "orgPage": 5, "count": 2, "New": 2, "Field": 1}

// inTemplates finds what the templates say: the texts given to t, rich and count.
func (s said) inTemplates(t *testing.T) {
	t.Helper()
	var files []string
	for _, pattern := range []string{"templates/*.html", "templates/parts/*.html"} {
		found, err := fs.Glob(embed.Templates, pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	all := template.New("").Funcs(pageFuncs(words.English(), newStatic()))
	for _, file := range files {
		text, err := fs.ReadFile(embed.Templates, file)
		if err != nil {
			t.Fatal(err)
		}
		one, err := template.Must(all.Clone()).New(file).Parse(string(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range one.Templates() {
			if part.Tree != nil {
				s.inNode(file, reflect.ValueOf(part.Tree.Root))
			}
		}
	}
}

// inNode walks a parsed template, whatever its nodes are.
func (s said) inNode(file string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		if c, ok := v.Interface().(*parse.CommandNode); ok {
			s.inCommand(file, c)
		}
		if _, ok := v.Interface().(*parse.Tree); !ok {
			s.inNode(file, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			s.inNode(file, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				s.inNode(file, v.Field(i))
			}
		}
	default:
	}
}

func (s said) inCommand(file string, c *parse.CommandNode) {
	name, ok := c.Args[0].(*parse.IdentifierNode)
	if !ok {
		return
	}
	var texts []string
	for _, arg := range c.Args[1:] {
		if text, ok := arg.(*parse.StringNode); ok {
			texts = append(texts, text.Text)
		}
	}
	switch {
	case (name.Ident == "t" || name.Ident == "rich" || name.Ident == "copied") && len(texts) > 0 && texts[0] != "":
		s[texts[0]] = file
	case name.Ident == "count" && len(texts) > 1:
		s[texts[0]] = file
	}
}

// inGo finds what the program says in a directory: constant texts given to the
// functions of by.
func (s said) inGo(t *testing.T, dir string, by map[string]int) {
	t.Helper()
	s.each(t, dir, func(file string, n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			s.inCall(file, call, by)
		}
		return true
	})
}

// each looks at every node of the program in a directory, tests left out.
func (s said) each(t *testing.T, dir string, look func(file string, n ast.Node) bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool { return look(file, n) })
	}
}

func (s said) inCall(file string, call *ast.CallExpr, by map[string]int) {
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	at, ok := by[name]
	if !ok || at >= len(call.Args) {
		return
	}
	if text, ok := constant(call.Args[at]); ok && text != "" {
		s[text] = file
	}
}

// refusing are the packages whose refusals and findings people read.
var refusing = []string{
	"account", "activity", "audit", "backup", "brand", "fault", "keyring", "limit", "login", "logout", "managed", "openid", "org", "provider", "recipe", "registry", "saml2",
	"session",
	"token", "upstream", "webhook",
}

// sentence is what a refusal of a field looks like, with the places of values in it if it has any.
var sentence = regexp.MustCompile(`^([A-Z][^\n]* |%[sv][:.]? )[^\n]*([.?]|: %s)$`)

// unread are sentences that only programs are told, or that pages say in other words.
var unread = regexp.MustCompile(`^(The user (must|did not|may not|cannot sign in in|owes|is %s)|` +
	`The client is (not )?for |The organization of the client |On the %s ground |Something went wrong on our side. Reference)`)

// inRefusals finds what the rules say to people: the messages of faults, and sentences.
func (s said) inRefusals(t *testing.T) {
	t.Helper()
	for _, dir := range refusing {
		s.each(t, "../server/"+dir, func(file string, n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if len(n.Args) != 3 || !ofFault(n.Fun) {
					return !s.sentence(file, n)
				}
				if text, ok := composed(n.Args[2]); ok && !unread.MatchString(text) {
					s[text] = file
				}
				return false
			case *ast.FuncDecl: // its reasons stand behind a colon
				if n.Name.Name == "redirectProblem" {
					s.returned(file, n)
				}
			case ast.Expr:
				return !s.sentence(file, n)
			}
			return true
		})
	}
}

// sentence notes an expression if it is one.
func (s said) sentence(file string, e ast.Expr) bool {
	text, ok := composed(e)
	if ok && sentence.MatchString(text) && !unread.MatchString(text) {
		s[text] = file
		return true
	}
	_, whole := constant(e)
	return whole
}

// returned notes what a function returns.
func (s said) returned(file string, f *ast.FuncDecl) {
	ast.Inspect(f, func(n ast.Node) bool {
		if back, ok := n.(*ast.ReturnStmt); ok {
			if text, ok := composed(back.Results[0]); ok && text != "" {
				s[text] = file
			}
		}
		return true
	})
}

// weakness is what the risk of a setting looks like.
var weakness = regexp.MustCompile(`^[a-z_.]+(%d)? (is|holds|decides) .+\.$`)

// inSettings finds what settings are for, and why they are weak choices.
func (s said) inSettings(t *testing.T) {
	t.Helper()
	for _, setting := range config.ReportOf(config.Defaults()).Settings() {
		if meaning := config.Meaning(setting.Key); meaning != "" {
			s[meaning] = "server/config"
		}
	}
	s.each(t, "../server/config", func(file string, n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok {
			if text, ok := composed(e); ok && weakness.MatchString(text) {
				s[text] = file
				return false
			}
		}
		return true
	})
}

// ofFault says whether a function is fault.New.
func ofFault(f ast.Expr) bool {
	selector, ok := f.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "New" {
		return false
	}
	of, ok := selector.X.(*ast.Ident)
	return ok && of.Name == "fault"
}

// composed is a text with verbs in the places of its values; it reports false for what is no text.
func composed(e ast.Expr) (string, bool) {
	if text, ok := constant(e); ok {
		return text, true
	}
	switch e := e.(type) {
	case *ast.BinaryExpr:
		a, left := composed(e.X)
		b, right := composed(e.Y)
		return a + b, e.Op == token.ADD && (left || right)
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Sprintf" {
			return constant(e.Args[0])
		}
	}
	return "%s", false
}

// constant is the value of a literal, or of a sum of them.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		a, left := constant(e.X)
		b, right := constant(e.Y)
		return a + b, left && right
	}
	return "", false
}

// allSaid are all texts of the pages.
func allSaid(t *testing.T) said {
	t.Helper()
	s := said{}
	s.inTemplates(t)
	s.inGo(t, ".", saidBy)
	s.inGo(t, "../server/self", map[string]int{"good": 1, "bad": 1})
	s.inGo(t, "../server/doctor", map[string]int{"bad": 1, "one": 1})
	s.inGo(t, "../server/machine", map[string]int{"Sprintf": 0})
	s.inRefusals(t)
	s.inSettings(t)
	s.inGo(t, "../server/mail", map[string]int{"Text": 0, "Say": 0})
	for _, scope := range append(openid.Scopes(), openid.Describe("")) {
		s[scope.Detail] = "server/openid"
		if !scope.Own {
			s[scope.Title] = "server/openid"
		}
	}
	for m := time.January; m <= time.December; m++ {
		s[m.String()] = "server/words"
	}
	s["%[1]d %[2]s %[3]d"], s["English"], s["1.5"] = "server/words", "server/words", "server/words"
	s["an identity provider"], s["a service provider"] = "server/saml2", "server/saml2"
	return s
}

// catalogues are the texts of each file of a language.
func catalogues(t *testing.T, language string) map[string]map[string]*gotext.Translation {
	t.Helper()
	files, err := fs.Glob(embed.Words, "words/"+language+"/*.po")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]*gotext.Translation{}
	for _, file := range files {
		text, err := fs.ReadFile(embed.Words, file)
		if err != nil {
			t.Fatal(err)
		}
		po := gotext.NewPo()
		po.Parse(text)
		out[path.Base(file)] = po.GetDomain().GetTranslations()
		delete(out[path.Base(file)], "")
		if n := strings.Count("\n"+string(text), "\nmsgid "); n != len(out[path.Base(file)]) && path.Base(file) != "_.po" {
			t.Errorf("%s has %d entries, of which %d can be read: is one there twice?", file, n, len(out[path.Base(file)]))
		}
	}
	return out
}

var (
	verbs  = regexp.MustCompile(`%(\[\d+\])?[.\d]*[a-z%]`)
	markup = regexp.MustCompile(`</?[a-z]+[^>]*>`)
)

// parts are what a translation must have as its text has it.
func parts(text string) string {
	found := append(verbs.FindAllString(text, -1), markup.FindAllString(text, -1)...)
	for i := range found { // verbs may change places, if they say so
		found[i] = regexp.MustCompile(`\[\d+\]`).ReplaceAllString(found[i], "")
	}
	slices.Sort(found)
	return strings.Join(found, " ")
}

func TestEveryTextIsInEveryCatalogueOnce(t *testing.T) {
	t.Parallel()
	texts := allSaid(t)
	for _, l := range words.All()[1:] {
		where := map[string]string{}
		for _, file := range slices.Sorted(maps.Keys(catalogues(t, l.Tag()))) {
			for text, in := range catalogues(t, l.Tag())[file] {
				if at, twice := where[text]; twice {
					t.Errorf("%s: %q is in %s and in %s", l.Tag(), text, at, file)
				}
				where[text] = file
				if _, ok := texts[text]; !ok {
					t.Errorf("%s/%s: nothing says %q any more", l.Tag(), file, text)
				}
				for form, means := range in.Trs {
					if want := parts(text); means == "" || in.PluralID == "" && parts(means) != want {
						t.Errorf("%s/%s: form %d of %q is %q, want the parts %s", l.Tag(), file, form, text, means, want)
					}
				}
			}
		}
		for _, text := range slices.Sorted(maps.Keys(texts)) {
			if where[text] == "" {
				t.Errorf("%s lacks %q of %s", l.Tag(), text, texts[text])
			}
		}
	}
}

func TestEveryPageIsMadeInEveryLanguage(t *testing.T) {
	t.Parallel()
	for _, l := range words.All() {
		for name, data := range pageData() {
			t.Run(fmt.Sprint(l.Tag(), "/", name), func(t *testing.T) {
				t.Parallel()
				v := filled(data, "Ada", true)
				v.Lang, v.Console = l, consoleOf(name)
				body := get(t, name, v).Body.String()
				if !strings.Contains(body, `<html lang="`+l.Tag()+`" dir="ltr">`) || strings.Contains(body, "%!") {
					t.Errorf("the page is not in %s, or says something unfinished:\n%s", l.Tag(), body)
				}
			})
		}
	}
}
