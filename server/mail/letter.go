package mail

import (
	"fmt"
	htmltemplate "html/template"
	"io"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode"

	"authy/embed"
	"authy/server/words"
)

// letter is a message in words.
type letter struct {
	Subject    string
	Paragraphs []string
	Action     string // what the link does; "" where there is none
	Link       string
	Server     string // whose mail it is
	Signature  string // says so
	Language   string // its tag
}

// wording puts messages into words.
type wording struct {
	// said is by language, then by kind: its subject, its paragraphs, its action.
	said map[string]*template.Template
	text *template.Template
	html *htmltemplate.Template
}

// newWording parses what is embedded. An error is a mistake in a template.
func newWording() (*wording, error) {
	w := &wording{said: map[string]*template.Template{}}
	for _, l := range words.All() {
		said, err := template.New(l.Tag()).Option("missingkey=error").
			ParseFS(embed.Templates, "templates/mail/words."+l.Tag()+".txt")
		if err != nil {
			return nil, fmt.Errorf("parse the words of mails: %w", err)
		}
		w.said[l.Tag()] = said
	}
	var err error
	if w.text, err = template.ParseFS(embed.Templates, "templates/mail/layout.txt"); err != nil {
		return nil, fmt.Errorf("parse the layout of mails: %w", err)
	}
	if w.html, err = htmltemplate.ParseFS(embed.Templates, "templates/mail/layout.html"); err != nil {
		return nil, fmt.Errorf("parse the layout of mails: %w", err)
	}
	return w, nil
}

// letter puts a message from server into words.
func (w *wording) letter(kind Kind, b body, server string) (*letter, error) {
	lang := words.Choose(b.Language)
	l := &letter{Link: b.Link, Server: server, Language: lang.Tag(), Signature: lang.Say("%s at %s", "authy", server)}
	facts := speak(lang, b.Facts)
	subject, err := w.say(lang, kind, ".subject", facts)
	if err != nil {
		return nil, err
	}
	l.Subject = oneLine(subject)
	all, err := w.say(lang, kind, "", facts)
	if err != nil {
		return nil, err
	}
	for paragraph := range strings.SplitSeq(all, "\n\n") {
		if paragraph = oneLine(paragraph); paragraph != "" {
			l.Paragraphs = append(l.Paragraphs, paragraph)
		}
	}
	if l.Link == "" {
		return l, nil
	}
	action, err := w.say(lang, kind, ".action", facts)
	l.Action = oneLine(action)
	return l, err
}

func (w *wording) say(l *words.Language, kind Kind, part string, f Facts) (string, error) {
	var text strings.Builder
	if err := w.said[l.Tag()].ExecuteTemplate(&text, string(kind)+part, clean(f)); err != nil {
		return "", fmt.Errorf("put mail %s into words: %w", kind, err)
	}
	return text.String(), nil
}

// spoken are the facts that are words of ours, and not names.
var spoken = []string{
	AnAuthenticator, APasskey, EveryPasskey, theOperator,
	words.Text("owner"), words.Text("admin"), words.Text("member"), words.Text("guest"),
}

// speak returns f in a language.
func speak(l *words.Language, f Facts) Facts {
	if at, err := time.Parse(time.RFC3339, f.At); err == nil {
		f.At = l.Moment(at)
	}
	for _, fact := range []*string{&f.Place, &f.About, &f.Role} {
		if slices.Contains(spoken, *fact) {
			*fact = l.Say(*fact)
		}
	}
	for i, way := range f.Ways {
		switch {
		case i == 0:
			f.About = l.Say(way)
		case f.Any:
			f.About = l.Say("%s or %s", f.About, l.Say(way))
		default:
			f.About = l.Say("%s and %s", f.About, l.Say(way))
		}
	}
	return f
}

// clean returns f without what would begin a paragraph, a header or a line.
func clean(f Facts) Facts {
	for _, fact := range []*string{&f.At, &f.Place, &f.Agent, &f.About, &f.Email, &f.Organization, &f.Role} {
		*fact = oneLine(*fact)
	}
	return f
}

// oneLine returns text with single spaces for all that is white or control.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}

func (w *wording) writeText(to io.Writer, l *letter) error { return w.text.Execute(to, l) }

func (w *wording) writeHTML(to io.Writer, l *letter) error { return w.html.Execute(to, l) }
