// Package words says what pages and mails say in the language of who reads it. The texts of the
// program are English, and are themselves the keys of the other languages' catalogues, which are
// gettext's PO files under embed/words: a text that a catalogue lacks is said in English.
//
// It refuses to know what is said, and to whom: package web and package mail choose the language
// and bring the texts.
package words

import (
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/leonelquinteros/gotext"
	"golang.org/x/text/language"

	"authy/embed"
)

// Language is one that texts are said in.
type Language struct {
	tag   language.Tag
	po    *gotext.Po                     // nil for English
	texts map[string]*gotext.Translation // what po says, by the English text
	// patterns are those of texts that values are put into.
	patterns func() []pattern
}

// languages are those there are, English first, read when they are first asked
// for: most commands speak to nobody else. matcher finds the best of them.
var (
	languages = sync.OnceValue(load)
	matcher   = sync.OnceValue(func() language.Matcher { return language.NewMatcher(tags()) })
)

// load reads every catalogue. The files are part of the program, so that it
// cannot fail on a program that was built.
func load() []*Language {
	all := []*Language{{tag: language.English}}
	for _, dir := range dirs() {
		po := read(dir.Name())
		l := &Language{tag: language.MustParse(dir.Name()), po: po, texts: po.GetDomain().GetTranslations()}
		l.patterns = sync.OnceValue(l.withPlaces)
		all = append(all, l)
	}
	return all
}

// Tags are the BCP 47 tags of all languages, English first. No catalogue is read
// for them.
func Tags() []string {
	out := []string{language.English.String()}
	for _, dir := range dirs() {
		out = append(out, dir.Name())
	}
	return out
}

// dirs are the directories of the catalogues, one for each language but English.
func dirs() []fs.DirEntry {
	dirs, err := fs.ReadDir(embed.Words, "words")
	if err != nil {
		panic(fmt.Sprintf("impossible: list the embedded catalogues: %v", err))
	}
	return dirs
}

// read returns all catalogues of a language as one.
func read(dir string) *gotext.Po {
	files, err := fs.Glob(embed.Words, "words/"+dir+"/*.po")
	if err != nil {
		panic(fmt.Sprintf("impossible: list the catalogues of %s: %v", dir, err))
	}
	var all strings.Builder
	for _, file := range files {
		text, err := fs.ReadFile(embed.Words, file)
		if err != nil {
			panic(fmt.Sprintf("impossible: read the catalogue %s: %v", file, err))
		}
		all.Write(text)
		all.WriteString("\n")
	}
	po := gotext.NewPo()
	po.Parse([]byte(all.String()))
	return po
}

func tags() []language.Tag {
	out := make([]language.Tag, len(languages()))
	for i, l := range languages() {
		out[i] = l.tag
	}
	return out
}

// All returns every language there is, English first.
func All() []*Language { return languages() }

// English is the language of the program.
func English() *Language { return languages()[0] }

// Choose returns the language that suits best who asks for these, the dearest
// wish first: each is a list of BCP 47 tags as in ui_locales (OpenID Connect
// Core 1.0, section 3.1.2.1) or a header Accept-Language (RFC 9110, section
// 12.5.4). A wish that nothing here comes near is passed over.
func Choose(wishes ...string) *Language {
	for _, wish := range wishes {
		wanted, _, err := language.ParseAcceptLanguage(strings.Join(strings.Fields(wish), ","))
		if err != nil || len(wanted) == 0 {
			continue
		}
		if _, i, confidence := matcher().Match(wanted...); confidence > language.No {
			return languages()[i]
		}
	}
	return English()
}

// Tag is the language's BCP 47 tag, for the attribute lang.
func (l *Language) Tag() string { return l.tag.String() }

// Name is the language's name for itself: what its catalogue says for "English".
func (l *Language) Name() string { return l.Say("English") }

// Direction is how the language is written, "ltr" or "rtl".
func (l *Language) Direction() string {
	if script, _ := l.tag.Script(); strings.Contains(" Arab Hebr Thaa Nkoo Syrc ", " "+script.String()+" ") {
		return "rtl"
	}
	return "ltr"
}

// Say returns text in this language, with args in the places of its verbs, each
// isolated from the rest. A text without args may have its values in it already, as
// refusals do; one that no catalogue has is isolated, too: it may be somebody's.
func (l *Language) Say(text string, args ...any) string {
	said, known := l.texts[text]
	if known {
		text = said.Get()
	}
	switch {
	case len(args) > 0:
		return fmt.Sprintf(text, isolated(args)...)
	case known:
		return text
	case l.po != nil:
		return l.sayComposed(text)
	}
	return Isolate(text)
}

// isolated are args with every text isolated.
func isolated(args []any) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		out[i] = arg
		if text, ok := arg.(string); ok {
			out[i] = Isolate(text)
		}
	}
	return out
}

// Text marks a text that is said where it is shown, so that the catalogues are
// seen to have it.
func Text(text string) string { return text }

// Count returns one or many, as n things are spoken of in this language, with n
// and then args in the places of its verbs.
func (l *Language) Count(n int, one, many string, args ...any) string {
	text := many
	switch {
	case l.po != nil:
		text = l.po.GetN(one, many, n)
	case n == 1:
		text = one
	}
	return fmt.Sprintf(text, append([]any{n}, isolated(args)...)...)
}

// Day returns a day in UTC: "4 March 2026".
func (l *Language) Day(t time.Time) string {
	t = t.UTC()
	return l.Say("%[1]d %[2]s %[3]d", t.Day(), l.Say(t.Month().String()), t.Year())
}

// Decimal returns a number that is written with a point as the language writes
// it: "1,5" for "1.5".
func (l *Language) Decimal(number string) string {
	return strings.Replace(number, ".", l.Say("1.5")[1:2], 1)
}

// Moment returns a time in UTC: "4 March 2026, 05:06 UTC".
func (l *Language) Moment(t time.Time) string {
	return l.Day(t) + t.UTC().Format(", 15:04 UTC")
}
