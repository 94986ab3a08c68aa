package web

import (
	"context"
	"strings"

	"authy/server/fault"
)

// The kinds of a field, beside those of HTML's inputs: "text", "email", "url", "number", "date",
// "password", "search".
const (
	textArea = "textarea" // several lines
	choice   = "choice"   // one of Options
	checkbox = "checkbox" // Value is "yes" where it is checked
	choices  = "choices"  // any of Options, each a checkbox of this name
)

// yes is the value of a checkbox.
func yes(checked bool) string {
	if checked {
		return "yes"
	}
	return ""
}

// inputView is a field of a form, with its label and what is wrong with it: the data of part
// "input".
type inputView struct {
	Name, Label, Kind, Value string
	Hint                     string
	Problem                  string
	Options                  []optionView
	Required, ReadOnly       bool
	Mono                     bool   // what is typed is read letter by letter: a URI, a key
	Autocomplete             string // "" is "off"
}

// optionView is one of the values of a field. Its Label is translated, unless it has a language
// of its own.
type optionView struct {
	Value, Label, Hint string
	Lang               string
	Chosen             bool
}

// ID is the id of the field.
func (i inputView) ID() string { return "field-" + strings.ReplaceAll(i.Name, ".", "-") }

// Type is the type of an input.
func (i inputView) Type() string {
	if i.Kind == "" {
		return "text"
	}
	return i.Kind
}

// DescribedBy are the ids of what is said about the field.
func (i inputView) DescribedBy() string {
	var ids []string
	if i.Hint != "" {
		ids = append(ids, i.ID()+"-hint")
	}
	if i.Problem != "" {
		ids = append(ids, i.ID()+"-problem")
	}
	return strings.Join(ids, " ")
}

// problemsOf gives each field what err says is wrong with it, and returns the rest: what is wrong
// with the form as a whole, or with fields that it does not have. It reports false if err is
// nothing to be said beside a form.
func problemsOf(ctx context.Context, err error, fields []inputView) (rest string, told bool) {
	f, told := fault.In(ctx, err)
	if !told || f.Kind == fault.Internal || f.Kind == fault.InDoubt {
		return "", false
	}
	if len(f.Fields) == 0 {
		return f.Message, true
	}
	said := map[string]bool{}
	for i := range fields {
		if problem, ok := f.Fields[fields[i].Name]; ok {
			fields[i].Problem, said[fields[i].Name] = strings.Join(problem, " "), true
		}
	}
	left := map[string][]string{}
	for name, problem := range f.Fields {
		if !said[name] {
			left[name] = problem
		}
	}
	if len(left) == 0 {
		return "", true
	}
	return (&fault.Error{Fields: left}).Error(), true
}

// lines are those of a text area, without spaces around them and without empty ones.
func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// pagerView leads to the next page of a list: the data of part "pager".
type pagerView struct {
	Next string // its address, "" if there is none
	Back string // the first page's, "" on it
}

// cliPart is the command that does what a page does: the data of part "cli".
type cliPart struct{ Line string }

// copyPart is a value that the reader copies elsewhere: the data of part "copy".
type copyPart struct{ Label, Value string }
