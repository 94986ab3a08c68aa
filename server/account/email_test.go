package account

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/fault"
)

func TestAnAddressHasOneSpelling(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"bob@acme-corp.com":        "bob@acme-corp.com",
		"Bob@Acme-Corp.com":        "bob@acme-corp.com",
		"BOB@ACME-CORP.COM":        "bob@acme-corp.com",
		" bob@acme-corp.com":       "bob@acme-corp.com",
		"bob@acme-corp.com \t\r\n": "bob@acme-corp.com",
		"bob+x@acme-corp.com":      "bob+x@acme-corp.com",
		"o'brien_{1}@a-b.example":  "o'brien_{1}@a-b.example",
		"root@localhost":           "root@localhost",
	} {
		if got, err := ParseEmail(text); err != nil || got != want {
			t.Errorf("ParseEmail(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestATagIsPartOfTheAddress(t *testing.T) {
	t.Parallel()
	plain, err := ParseEmail("bob@acme-corp.com")
	if err != nil {
		t.Fatal(err)
	}
	tagged, err := ParseEmail("bob+x@acme-corp.com")
	if err != nil {
		t.Fatal(err)
	}
	if plain == tagged {
		t.Errorf("both are %q", plain)
	}
}

// Whatever a reader could take for somebody else's address is no address.
func TestAddressesThatLookLikeOthersAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"bob\u200b@acme-corp.com",           // zero width space
		"b\u043eb@acme-corp.com",            // Cyrillic o
		"\u212aarl@acme-corp.com",           // the sign for kelvin, which is k in small letters
		"bob@\u212aelvin.example",           // the same in a host
		"eve@acme\u037ecorp.com",            // the Greek question mark, which NFC makes a semicolon
		"bob@acme-corp.com.",                // the root of the DNS
		"\uff42ob@acme-corp.com",            // full width b
		"bob\uff20acme-corp.com",            // full width @
		"bob@xn--acme-corp-9db.com",         // Punycode
		"bob@acme-corp.xn--p1ai",            // the same in the last label
		"bob\u202e@acme-corp.com",           // right-to-left override
		"bob\x00@acme-corp.com",             // NUL
		"bob\x7f@acme-corp.com",             // DEL
		"bob\xff@acme-corp.com",             // not UTF-8
		"bob\r\nbcc:eve@acme-corp.com",      // a header of mail
		"bob@acme-corp.com,eve@example.com", // a list
		"Bob <bob@acme-corp.com>",           // a name with it
		"<bob@acme-corp.com>",
		`"bob"@acme-corp.com`,
		`"bob eve"@acme-corp.com`,
		"bob(comment)@acme-corp.com",
		"bob @acme-corp.com",
		"bob@[127.0.0.1]",
		"bob@acme_corp.com",
		"bob@-acme.com",
		"bob@acme-.com",
		"bob@acme..com",
		"bob@.com",
		"bob@com",
		"bob@acme-corp.com:25",
		"bob@acme-corp.com/x",
		"bob@@acme-corp.com",
		"bob@eve@acme-corp.com",
		"bob..eve@acme-corp.com",
		".bob@acme-corp.com",
		"bob",
		"@acme-corp.com",
		"bob@",
		strings.Repeat("a", 65) + "@example.com",
		"bob@" + strings.Repeat("a", 64) + ".com",
		"bob@" + strings.Repeat("abcdefg.", 32) + "com",
	} {
		got, err := ParseEmail(text)
		f, ok := fault.As(err)
		if !ok {
			t.Errorf("ParseEmail(%q) = %q, %v, want a refusal", text, got, err)
			continue
		}
		want := map[string][]string{"email": {"Not a valid email address."}}
		if diff := cmp.Diff(want, f.Fields); diff != "" || f.Kind != fault.Invalid {
			t.Errorf("ParseEmail(%q) (-want +got):\n%s", text, diff)
		}
	}
}

func TestNoAddressIsMissing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", " ", "\t\n"} {
		_, err := ParseEmail(text)
		if f, ok := fault.As(err); !ok || f.Fields["email"][0] != "Missing data for required field." {
			t.Errorf("ParseEmail(%q): %v", text, err)
		}
	}
}

func FuzzParseEmail(f *testing.F) {
	for _, seed := range []string{"bob@acme-corp.com", "B@X.de", `"a"@b.c`, "é@x.de", "a@b.c,d@e.f", "\xff@a.b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		email, err := ParseEmail(text)
		if err != nil {
			return
		}
		if again, err := ParseEmail(email); err != nil || again != email {
			t.Errorf("ParseEmail(%q) = %q, which is read as %q, %v", text, email, again, err)
		}
		for _, c := range email {
			if c <= ' ' || c > '~' {
				t.Errorf("ParseEmail(%q) = %q holds %q", text, email, c)
			}
		}
	})
}
