package words

import (
	"strings"

	"golang.org/x/text/unicode/bidi"
)

// The marks around a text that runs as its own first letter does, whatever stands
// beside it, and moves nothing there (Unicode Standard Annex #9, section 2.4).
const (
	isolate = "\u2068" // first strong isolate
	endOf   = "\u2069" // pop directional isolate
)

// Isolate is a text that somebody typed, to be said among others: letters of it
// that run from right to left stay apart from what stands beside it. Text that
// runs as English does is returned as it is.
func Isolate(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return turns(r) || runsBack(r) }) {
		return text
	}
	return isolate + Straight(text) + endOf
}

// Straight is text without the marks that turn round what follows them, or end
// what is around it. Letters run as they do without marks.
func Straight(text string) string {
	if !strings.ContainsFunc(text, turns) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if turns(r) {
			return -1
		}
		return r
	}, text)
}

// turns says whether r is an embedding, an override, an isolate, or the end of one
// (Unicode Standard Annex #9, sections 2.1 to 2.5).
func turns(r rune) bool { return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' }

// runsBack says whether r runs from right to left by itself.
func runsBack(r rune) bool {
	if r < '\u0590' { // before the Hebrew letters
		return false
	}
	p, _ := bidi.LookupRune(r)
	switch p.Class() {
	case bidi.R, bidi.AL, bidi.AN:
		return true
	}
	return false
}
