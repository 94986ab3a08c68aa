package words_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/words"
)

func TestTheBestLanguageIsChosen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wishes []string
		want   string
	}{
		{nil, "en"},
		{[]string{"", "", ""}, "en"},
		{[]string{"", "de-CH", "es"}, "de"},
		{[]string{"fr-CA fr de"}, "de"},
		{[]string{"ja", "es-419,es;q=0.9,en;q=0.8"}, "es"},
		{[]string{"en-GB,en;q=0.9,de;q=0.8"}, "en"},
		{[]string{"es;q=0.1,de;q=0.9"}, "de"},
		{[]string{"x;y;z", "../../etc", "de"}, "de"},
		{[]string{"*"}, "en"},
	} {
		if got := words.Choose(c.wishes...).Tag(); got != c.want {
			t.Errorf("Choose(%q) = %s, want %s", c.wishes, got, c.want)
		}
	}
}

func TestEveryLanguageIsNamedByItsTag(t *testing.T) {
	t.Parallel()
	var want []string
	for _, l := range words.All() {
		want = append(want, l.Tag())
	}
	if diff := cmp.Diff(want, words.Tags()); diff != "" {
		t.Errorf("Tags (-want +got):\n%s", diff)
	}
}

func TestALanguageSaysItsName(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{"en": "English", "de": "Deutsch", "es": "Español"} {
		if got := words.Choose(tag); got.Name() != want || got.Direction() != "ltr" {
			t.Errorf("%s is named %q and runs %s", tag, got.Name(), got.Direction())
		}
	}
}

func TestADayIsWrittenAsTheLanguageDoes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.March, 4, 6, 6, 7, 0, time.FixedZone("", 3600))
	for tag, want := range map[string]string{
		"en": "4 March 2026, 05:06 UTC", "de": "4. März 2026, 05:06 UTC", "es": "4 de marzo de 2026, 05:06 UTC",
	} {
		if got := words.Choose(tag).Moment(at); got != want {
			t.Errorf("%s: %s, want %s", tag, got, want)
		}
	}
}

func TestWhatACatalogueLacksIsSaidInEnglish(t *testing.T) {
	t.Parallel()
	for _, l := range words.All() {
		if got := l.Say("xyzzy %s 100%%", "a%sb"); got != "xyzzy a%sb 100%" {
			t.Errorf("%s says %q", l.Tag(), got)
		}
		for n, want := range map[int]string{0: "0 frotz", 1: "1 frob", 2: "2 frotz"} {
			if got := l.Count(n, "%d frob", "%d frotz"); got != want {
				t.Errorf("%s counts %q, want %q", l.Tag(), got, want)
			}
		}
	}
}

func TestATextThatRunsTheOtherWayMovesNothingBesideIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                    "",
		"Zoë & 日本 😀":          "Zoë & 日本 😀",
		"عادل 12":             "\u2068عادل 12\u2069",
		"Ada \u200f":          "\u2068Ada \u200f\u2069",
		"gpj\u202eexe.txt":    "\u2068gpjexe.txt\u2069",
		"out\u2069\u202eside": "\u2068outside\u2069",
	} {
		if got := words.Isolate(text); got != want {
			t.Errorf("Isolate(%+q) = %+q, want %+q", text, got, want)
		}
		if got := words.Isolate(words.Isolate(text)); got != want {
			t.Errorf("isolated twice %+q is %+q, want %+q", text, got, want)
		}
		for _, l := range words.All() {
			if got := l.Say("xyzzy %s", text); got != "xyzzy "+want {
				t.Errorf("%s says %+q of %+q", l.Tag(), got, text)
			}
			if got := l.Count(2, "%d frob of %s", "%d frotz of %s", text); got != "2 frotz of "+want {
				t.Errorf("%s counts %+q of %+q", l.Tag(), got, text)
			}
			if got := l.Say(text); got != want {
				t.Errorf("%s says %+q where no catalogue has a text", l.Tag(), got)
			}
		}
	}
}
