package openid

import (
	"strings"
	"testing"
)

func FuzzParseUserCode(f *testing.F) {
	for _, seed := range []string{"WDJB-MJHT", "wdjbmjht", "", "AAAA-AAAA", "WDJB\u2011MJHT", "WDJB MJHT "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code := parseUserCode(typed)
		if code != "" && (len(code) != userCodeLength || strings.Trim(code, userCodeLetters) != "" || parseUserCode(code) != code) {
			t.Errorf("parseUserCode(%q) = %q", typed, code)
		}
	})
}

func TestUserCodesAreTypedAsPeopleType(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"WDJB-MJHT": "WDJBMJHT", "wdjb-mjht": "WDJBMJHT", " wdjb mjht ": "WDJBMJHT", "WDJB\u2011MJHT": "WDJBMJHT",
		"WDJBMJHT": "WDJBMJHT", "WDJB-MJH": "", "WDJB-MJHTT": "", "AEIO-UAEI": "", "": "", "WDJB/MJHT": "",
		strings.Repeat("-", 60) + "WDJBMJHT": "",
	} {
		if got := parseUserCode(typed); got != want {
			t.Errorf("parseUserCode(%q) = %q, want %q", typed, got, want)
		}
	}
	seen := map[rune]int{}
	for range 2000 {
		code := newUserCode()
		if parseUserCode(code) != code {
			t.Fatalf("newUserCode() = %q, which cannot be typed", code)
		}
		for _, letter := range code {
			seen[letter]++
		}
	}
	for _, letter := range userCodeLetters { // 800 of each are expected
		if n := seen[letter]; n < 600 || n > 1000 {
			t.Errorf("%c came %d times in 16,000, want about 800", letter, n)
		}
	}
}
