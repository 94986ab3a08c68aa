package words

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pattern is a text of a catalogue that values are put into: where a rule has put
// them in, the text is known again by what stands between them.
type pattern struct {
	text    string
	between []string // before, between and after the values
	means   string
}

// leastBetween is how much of a text must stand between values for it to be known
// again, in bytes: "%s or %s" is found in too much else.
const leastBetween = 10

// place is where a value goes: "%s", "%.2f" or "%[2]s".
var place = regexp.MustCompile(`%(?:\[(\d+)\])?[.\d]*[a-z]`)

// withPlaces returns the patterns of a catalogue, those that say most first.
func (l *Language) withPlaces() []pattern {
	var all []pattern
	for text, said := range l.texts {
		between := place.Split(text, -1)
		if len(between) > 1 && len(strings.Join(between, "")) >= leastBetween && said.PluralID == "" && !strings.Contains(text, "%[") {
			all = append(all, pattern{text, between, said.Get()})
		}
	}
	slices.SortFunc(all, func(a, b pattern) int {
		return cmp.Or(len(strings.Join(b.between, ""))-len(strings.Join(a.between, "")), cmp.Compare(a.text, b.text))
	})
	return all
}

// values are those that text has in the places of the pattern, nil if it is
// another.
func (p pattern) values(text string) []string {
	last := len(p.between) - 1
	rest, ok := strings.CutPrefix(text, p.between[0])
	var out []string
	for i := 1; ok && i < last; i++ {
		var value string
		value, rest, ok = strings.Cut(rest, p.between[i])
		out = append(out, value)
	}
	if !ok {
		return nil
	}
	if rest, ok = strings.CutSuffix(rest, p.between[last]); !ok {
		return nil
	}
	return append(out, rest)
}

// sayComposed says a text that has values in it. Where it is none, what follows
// the name of a field may be: "name: Too long."
func (l *Language) sayComposed(text string) string {
	for _, p := range l.patterns() {
		if values := p.values(text); values != nil {
			return l.fill(p.means, values)
		}
	}
	if name, rest, ok := strings.Cut(text, ": "); ok {
		return Isolate(name) + ": " + l.Say(rest)
	}
	return Isolate(text)
}

// fill puts values in the places of a text. Those that are sentences, which have
// lost their full stop, are said as well.
func (l *Language) fill(text string, values []string) string {
	next := 0
	return place.ReplaceAllStringFunc(text, func(verb string) string {
		at := next
		if number, err := strconv.Atoi(place.FindStringSubmatch(verb)[1]); err == nil {
			at = number - 1
		}
		next++
		value := values[at]
		if said, ok := l.texts[value+"."]; ok {
			return strings.TrimSuffix(said.Get(), ".")
		}
		if strings.Contains(value, " ") {
			return l.Say(value)
		}
		return Isolate(value)
	})
}
