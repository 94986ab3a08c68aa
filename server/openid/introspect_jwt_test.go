package openid

import (
	"strings"
	"testing"
)

func TestASignedAnswerIsForWhoAsksForIt(t *testing.T) {
	t.Parallel()
	const signed = "application/token-introspection+jwt"
	for accept, want := range map[string]bool{
		signed:                                     true,
		"Application/Token-Introspection+JWT":      true,
		" " + signed + " ; q=0.1 , text/html":      true,
		signed + ", application/json":              true,
		signed + ";q=0.5, application/json;q=0.5":  true,
		signed + ", */*":                           true,
		"application/json, " + signed + ";q=1.000": true,

		"":                                    false,
		"*/*":                                 false,
		"application/*":                       false,
		"application/json":                    false,
		"application/jwt":                     false,
		signed + "x":                          false,
		"x" + signed:                          false,
		signed + ";q=0":                       false,
		signed + ";q=0.000, application/*":    false,
		signed + ";q=2":                       false,
		signed + ";q=-1":                      false,
		signed + ";q=NaN":                     false,
		signed + ";q=x":                       false,
		signed + ";q":                         false,
		signed + ";q=0.5, application/json":   false,
		"application/json;x=" + signed:        false,
		`application/json;x="` + signed + `"`: false,
	} {
		if got := wantsSigned([]string{accept}); got != want {
			t.Errorf("wantsSigned(%q) = %v, want %v", accept, got, want)
		}
	}
	if !wantsSigned([]string{"text/html", signed}) || wantsSigned([]string{signed + ";q=0.5", "application/json"}) {
		t.Error("the second of two headers is passed over")
	}
}

func FuzzWantsSigned(f *testing.F) {
	for _, seed := range []string{"", "*/*", introspectionType, introspectionType + ";q=0.5,application/json", ",;q=,", `a/b;x="`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		if wantsSigned([]string{accept}) && !strings.Contains(strings.ToLower(accept), introspectionType) {
			t.Fatalf("%q asks for a signed answer", accept)
		}
	})
}
