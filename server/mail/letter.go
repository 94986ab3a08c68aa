package mail

import (
	"fmt"
	htmltemplate "html/template"
	"io"
	"strings"
	"text/template"
	"unicode"

	"authy/embed"
)

// letter is a message in words.
type letter struct {
	Subject    string
	Paragraphs []string
	Action     string // what the link does; "" where there is none
	Link       string
	Name       string // of the server
	Server     string // its address
}

// words puts messages into words.
type words struct {
	said *template.Template // by kind: its subject, its paragraphs, its action
	text *template.Template
	html *htmltemplate.Template
}

// newWords parses what is embedded. An error is a mistake in a template.
func newWords() (*words, error) {
	said, err := template.New("words.txt").Option("missingkey=error").ParseFS(embed.Templates, "templates/mail/words.txt")
	if err != nil {
		return nil, fmt.Errorf("parse the words of mails: %w", err)
	}
	text, err := template.ParseFS(embed.Templates, "templates/mail/layout.txt")
	if err != nil {
		return nil, fmt.Errorf("parse the layout of mails: %w", err)
	}
	html, err := htmltemplate.ParseFS(embed.Templates, "templates/mail/layout.html")
	if err != nil {
		return nil, fmt.Errorf("parse the layout of mails: %w", err)
	}
	return &words{said, text, html}, nil
}

// letter puts a message from the server with a name into words.
func (w *words) letter(kind Kind, b body, name, server string) (*letter, error) {
	l := &letter{Link: b.Link, Name: oneLine(name), Server: server}
	subject, err := w.say(kind, ".subject", b.Facts)
	if err != nil {
		return nil, err
	}
	l.Subject = oneLine(subject)
	all, err := w.say(kind, "", b.Facts)
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
	action, err := w.say(kind, ".action", b.Facts)
	l.Action = oneLine(action)
	return l, err
}

func (w *words) say(kind Kind, part string, f Facts) (string, error) {
	var text strings.Builder
	if err := w.said.ExecuteTemplate(&text, string(kind)+part, clean(f)); err != nil {
		return "", fmt.Errorf("put mail %s into words: %w", kind, err)
	}
	return text.String(), nil
}

// clean returns f without what would begin a paragraph, a header or a line.
func clean(f Facts) Facts {
	for _, fact := range []*string{&f.At, &f.Place, &f.About, &f.Email, &f.Organization, &f.Role} {
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

func (w *words) writeText(to io.Writer, l *letter) error { return w.text.Execute(to, l) }

func (w *words) writeHTML(to io.Writer, l *letter) error { return w.html.Execute(to, l) }
