package openid

import (
	"strings"
	"testing"
)

// Z-08: compared as S256 and nothing else, whoever the client is.
func TestAVerifierFitsItsChallenge(t *testing.T) {
	t.Parallel()
	// RFC 7636, appendix B.
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	long := strings.Repeat("~", 128)
	for _, c := range []struct {
		name, challenge, verifier string
		want                      bool
	}{
		{"RFC 7636, appendix B", challenge, verifier, true},
		{"neither", "", "", true},
		{"no challenge", "", verifier, false},
		{"no verifier", challenge, "", false},
		{"the challenge itself", challenge, challenge, false},
		{"plain", verifier, verifier, false},
		{"padding", challenge, verifier + "=", false},
		{"42 letters", challenge, verifier[:42], false},
		{"white space", challenge, " " + verifier, false},
		{"other case", challenge, strings.ToUpper(verifier), false},
		{"a challenge cut short", challenge[:42], verifier, false},
		{"128 letters", s256(long), long, true},
		{"129 letters", s256(long + "~"), long + "~", false},
		{"42 letters and their challenge", s256(verifier[:42]), verifier[:42], false},
		{"letters outside the set", s256(verifier + "/"), verifier + "/", false},
	} {
		if got := verifies(c.challenge, c.verifier); got != c.want {
			t.Errorf("%s: verifies(%q, %q) = %v, want %v", c.name, c.challenge, c.verifier, got, c.want)
		}
	}
}

func TestUnreservedLettersAreThoseOfRFC7636(t *testing.T) {
	t.Parallel()
	if all := "ABCXYZabcxyz0189-._~"; !isUnreserved(all) || !isUnreserved("") {
		t.Errorf("isUnreserved(%q) = false", all)
	}
	for _, letter := range []string{"+", "/", "=", " ", "%", "\x00", "é", "Ａ", "\xff", "\n", "@", "[", "`", "{", ":"} {
		if isUnreserved("a" + letter) {
			t.Errorf("isUnreserved(%q) = true", "a"+letter)
		}
	}
}
