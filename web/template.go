package web

import (
	"cmp"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"authy/embed"
	"authy/server/words"
)

// layout is the template that every page fills.
const layout = "layout.html"

// pages are the templates of every page, in every language.
type pages struct {
	// byLanguage holds them by the language's tag, then by the page's name. A page
	// is parsed when it is first asked for.
	byLanguage map[string]map[string]parsed
	// referrer is the Referrer-Policy. With no-referrer browsers send "Origin:
	// null"; over plain http to another host they say nothing else of where a
	// form comes from, so that there it must be same-origin.
	referrer string
}

// parsed returns a template, which is parsed once.
type parsed func() (*template.Template, error)

// newPages finds every page that is embedded.
func newPages() (*pages, error) {
	files, err := fs.Glob(embed.Templates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("list the pages: %w", err)
	}
	p := &pages{byLanguage: map[string]map[string]parsed{}, referrer: "no-referrer"}
	static := newStatic()
	for _, l := range words.All() {
		base := sync.OnceValues(func() (*template.Template, error) { return parseLayout(l, static) })
		byName := make(map[string]parsed, len(files))
		for _, file := range files {
			if name := path.Base(file); name != layout {
				byName[strings.TrimSuffix(name, ".html")] = sync.OnceValues(func() (*template.Template, error) {
					return parsePage(base, file)
				})
			}
		}
		p.byLanguage[l.Tag()] = byName
	}
	return p, nil
}

// find returns the template of a page in a language. An error is a mistake in
// the template.
func (p *pages) find(l *words.Language, name string) (*template.Template, error) {
	page, ok := p.byLanguage[l.Tag()][name]
	if !ok {
		return nil, fmt.Errorf("there is no page %q in %s", name, l.Tag())
	}
	return page()
}

// parseLayout parses what every page in a language shares.
func parseLayout(l *words.Language, static *static) (*template.Template, error) {
	base, err := template.New(layout).Funcs(pageFuncs(l, static)).
		ParseFS(embed.Templates, "templates/"+layout, "templates/parts/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the layout: %w", err)
	}
	return base, nil
}

// parsePage gives a page its own copy of the layout, because every page fills the same blocks.
func parsePage(base parsed, file string) (*template.Template, error) {
	shared, err := base()
	if err != nil {
		return nil, err
	}
	page, err := shared.Clone()
	if err != nil {
		return nil, fmt.Errorf("copy the layout for %s: %w", file, err)
	}
	if _, err := page.ParseFS(embed.Templates, file); err != nil {
		return nil, fmt.Errorf("parse page %s: %w", file, err)
	}
	return page, nil
}

// pageFuncs are what the templates can call. What they say they say in l: t a
// text, rich a text with markup of its own, count a number of things.
func pageFuncs(l *words.Language, static *static) template.FuncMap {
	return template.FuncMap{
		"t":       l.Say,
		"rich":    func(text string, args ...any) template.HTML { return rich(l, text, args...) },
		"count":   l.Count,
		"app":     func(c clientView) template.HTML { return app(l, c) },
		"bdi":     bdi,
		"isolate": words.Isolate,
		"static":  static.url,
		"initial": initial,
		"moment":  func(t time.Time) template.HTML { return clock("moment", t, l.Moment(t)) },
		"day":     func(t time.Time) template.HTML { return clock("day", t, l.Day(t)) },
		"cli":     cliOf,
		"copied":  func(label, value string) copyPart { return copyPart{label, value} },
		"docsTable": func(caption string, fields []docsField) docsTable {
			return docsTable{caption, fields}
		},
	}
}

// cliOf is the command line of its words, which can be pasted: those after the
// first that a shell might read as more than a word, or options, are quoted. What
// people are called must not run when an administrator copies it.
func cliOf(words ...string) cliPart {
	line := make([]string, len(words))
	for i, word := range words {
		if i > 0 && !plainWord.MatchString(word) {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		line[i] = word
	}
	return cliPart{strings.Join(line, " ")}
}

// cliWith is [cliOf] with those flags that have a value.
func cliWith(words []string, flags [][2]string) cliPart {
	for _, flag := range flags {
		if flag[1] != "" {
			words = append(words, flag[0], flag[1])
		}
	}
	return cliOf(words...)
}

// cliLines are commands after one another.
func cliLines(parts ...cliPart) (all cliPart) {
	for i, part := range parts {
		if i > 0 {
			all.Line += "\n"
		}
		all.Line += part.Line
	}
	return all
}

// plainWord is what every shell takes as it is: a word, or options.
var plainWord = regexp.MustCompile(`^([A-Za-z0-9@%_+=:,./-]+|--[A-Za-z0-9-]+( [A-Za-z0-9@%_+=:,./-]+)*)$`)

// rich says a text that has markup, with args in its places: those that are no
// markup themselves are escaped.
func rich(l *words.Language, text string, args ...any) template.HTML {
	safe := make([]any, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case template.HTML, int, int64:
			safe[i] = arg
		default:
			safe[i] = template.HTMLEscapeString(fmt.Sprint(arg))
		}
	}
	return template.HTML(l.Say(text, safe...)) //nolint:gosec // of the program and its catalogues, escaped above
}

// app is the name of an application, or where it is at home if it has none.
func app(l *words.Language, c clientView) template.HTML {
	return "<strong>" + bdi(cmp.Or(c.Name, c.Host, l.Say(msg("the application")))) + "</strong>"
}

// bdi is a text that somebody typed, among others: if it runs the other way, it
// turns nothing round it.
func bdi(text string) template.HTML {
	return template.HTML("<bdi>" + template.HTMLEscapeString(words.Straight(text)) + "</bdi>") //nolint:gosec // escaped
}

// clock is a time in UTC, which the script rewrites to the reader's own clock.
func clock(show string, t time.Time, text string) template.HTML {
	return template.HTML(fmt.Sprintf( //nolint:gosec // escaped
		`<time datetime="%s" data-show="%s">%s</time>`, t.UTC().Format(time.RFC3339), show, template.HTMLEscapeString(text)))
}

// initial is the first letter or digit of a name, for the avatar beside it.
func initial(name string) string {
	for _, c := range name {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return string(unicode.ToUpper(c))
		}
	}
	return "•"
}
