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

func TestThingsAreCountedAsTheLanguageDoes(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string][3]string{
		"en": {"0 recovery codes left", "1 recovery code left", "2 recovery codes left"},
		"de": {"0 Wiederherstellungscodes übrig", "1 Wiederherstellungscode übrig", "2 Wiederherstellungscodes übrig"},
		"es": {"Quedan 0 códigos de recuperación", "Queda 1 código de recuperación", "Quedan 2 códigos de recuperación"},
	} {
		for n, text := range want {
			if got := words.Choose(tag).Count(n, "%d recovery code left", "%d recovery codes left"); got != text {
				t.Errorf("%s: %q, want %q", tag, got, text)
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

func TestANumberIsWrittenAsTheLanguageDoes(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{"en": "4.5 GB", "de": "4,5 GB", "es": "4,5 GB"} {
		if got := words.Choose(tag).Decimal("4.5 GB"); got != want {
			t.Errorf("%s: %s, want %s", tag, got, want)
		}
	}
}

func TestATextIsKnownAgainWithValuesInIt(t *testing.T) {
	t.Parallel()
	german := words.Choose("de")
	for text, want := range map[string]string{
		"Must be one of: a, b.":           "Muss eines davon sein: a, b.",
		"The parameter %s<b> is missing.": "Der Parameter %s<b> fehlt.",
		"Event 7 (e) was altered.":        "Ereignis 7 (e) wurde geändert.",
		"A new chain begins at event 8 (found by hand): Event 7 is missing.":   "Bei Ereignis 8 beginnt eine neue Kette (found by hand): Ereignis 7 fehlt.",
		"It cannot be used: Is not valid any more: its validUntil has passed.": "Nicht verwendbar: Ist nicht mehr gültig: validUntil ist vorbei.",
		"name: Too long.": "name: Zu lang.",
		"https://*.example.com: patterns are not supported; register each URI": "https://*.example.com: Muster werden nicht unterstützt; registrieren Sie jede URI",
		"Not a valid URL: the host is missing.":                                "Keine gültige URL: der Host fehlt.",
		"x or y":                                                               "x or y", "Bob: and what he likes": "Bob: and what he likes", "": "",
	} {
		if got := german.Say(text); got != want {
			t.Errorf("%q is said as %q, want %q", text, got, want)
		}
		if got := words.English().Say(text); got != text {
			t.Errorf("%q is said as %q in English", text, got)
		}
	}
}
