package web

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"authy/server/registry"
)

// clientDescription is what the settings of a client describe.
type clientDescription = registry.Registration

// clientField is a setting of a client: its field in a form, and what it is of a description.
type clientField struct {
	input inputView
	show  func(in *clientDescription) []string         // of one value, or of those that are chosen
	take  func(in *clientDescription, sent []string)   // what was sent; none for nothing
	check func(sent string) (problem string)           // what is wrong with the form of one value
	fixed func(in *clientDescription, admin bool) bool // whether it cannot be changed here
	apart func(in *clientDescription, inOrg bool) bool // whether it is left out
}

// firstSent is the first value that was sent, without spaces around it.
func firstSent(sent []string) string {
	if len(sent) == 0 {
		return ""
	}
	return strings.TrimSpace(sent[0])
}

// settingLine is a setting of one line of text.
func settingLine(name, label, hint string, of func(*clientDescription) *string) clientField {
	return clientField{
		input: inputView{Name: name, Label: label, Hint: hint},
		show:  func(in *clientDescription) []string { return []string{*of(in)} },
		take:  func(in *clientDescription, sent []string) { *of(in) = firstSent(sent) },
	}
}

// settingURL is a setting of one URL.
func settingURL(name, label, hint string, of func(*clientDescription) *string) clientField {
	f := settingLine(name, label, hint, of)
	f.input.Kind, f.input.Mono = "url", true
	return f
}

// settingLines is a setting of many values, each on a line of its own.
func settingLines(name, label, hint string, of func(*clientDescription) *[]string) clientField {
	return clientField{
		input: inputView{Name: name, Label: label, Hint: hint, Kind: textArea, Mono: true},
		show:  func(in *clientDescription) []string { return []string{strings.Join(*of(in), "\n")} },
		take:  func(in *clientDescription, sent []string) { *of(in) = lines(firstSent(sent)) },
	}
}

// settingWords is a setting of many words on one line.
func settingWords(name, label, hint string, of func(*clientDescription) *[]string) clientField {
	return clientField{
		input: inputView{Name: name, Label: label, Hint: hint, Mono: true},
		show:  func(in *clientDescription) []string { return []string{strings.Join(*of(in), " ")} },
		take:  func(in *clientDescription, sent []string) { *of(in) = strings.Fields(firstSent(sent)) },
	}
}

// settingFlag is a setting that is so or is not.
func settingFlag(name, label, hint string, of func(*clientDescription) *bool) clientField {
	return clientField{
		input: inputView{Name: name, Label: label, Hint: hint, Kind: checkbox},
		show: func(in *clientDescription) []string {
			if *of(in) {
				return []string{"yes"}
			}
			return nil
		},
		take: func(in *clientDescription, sent []string) { *of(in) = firstSent(sent) == "yes" },
	}
}

// settingChoice is a setting that is one of some values.
func settingChoice(name, label, hint string, options []optionView, of func(*clientDescription) *string) clientField {
	f := settingLine(name, label, hint, of)
	f.input.Kind, f.input.Options, f.input.Required = choice, options, true
	return f
}

// settingChoices is a setting that is any of some values.
func settingChoices(name, label, hint string, options []optionView, of func(*clientDescription) *[]string) clientField {
	return clientField{
		input: inputView{Name: name, Label: label, Hint: hint, Kind: choices, Options: options},
		show:  func(in *clientDescription) []string { return *of(in) },
		take:  func(in *clientDescription, sent []string) { *of(in) = append([]string{}, sent...) },
	}
}

// settingSeconds is a setting of how long something lasts.
func settingSeconds(name, label, hint string, of func(*clientDescription) *time.Duration) clientField {
	return clientField{
		input: inputView{Name: name, Label: label, Hint: hint, Kind: "number", Required: true},
		show: func(in *clientDescription) []string {
			return []string{strconv.FormatInt(int64(*of(in)/time.Second), 10)}
		},
		take: func(in *clientDescription, sent []string) {
			*of(in) = time.Duration(secondsOf(firstSent(sent))) * time.Second
		},
		check: wholeSeconds,
	}
}

// longestSeconds is more seconds than any lifetime may have, and fewer than a duration can hold.
const longestSeconds = 1 << 32

// secondsOf reads a number of seconds that wholeNumber lets pass; "" is 0.
func secondsOf(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func wholeSeconds(text string) string {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > longestSeconds {
		return msg("Must be a whole number of seconds.")
	}
	return ""
}

// emptyOrSeconds lets a number be left empty.
func emptyOrSeconds(text string) string {
	if text == "" {
		return ""
	}
	return wholeSeconds(text)
}

// words are options that are called what they are.
func plainOptions(values ...string) []optionView {
	out := make([]optionView, len(values))
	for i, value := range values {
		out[i] = optionView{Value: value, Label: value}
	}
	return out
}

// withUnset puts an option for nothing before others.
func withUnset(label string, options []optionView) []optionView {
	return append([]optionView{{Label: label}}, options...)
}

// view is the field as a form shows it.
func (f *clientField) view(in *clientDescription, admin bool) inputView {
	v := f.input
	v.Options = slices.Clone(v.Options)
	v.ReadOnly = f.fixed != nil && f.fixed(in, admin)
	v.set(f.show(in))
	return v
}

// set has the field show values.
func (i *inputView) set(values []string) {
	if len(i.Options) == 0 {
		i.Value = strings.Join(values, "\n")
		return
	}
	for k := range i.Options {
		i.Options[k].Chosen = slices.Contains(values, i.Options[k].Value)
	}
	if i.Kind == choice {
		i.Value = firstSent(values)
	}
}
