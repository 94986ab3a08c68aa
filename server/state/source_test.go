package state

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// FuzzParse: whatever a file holds is read or refused with a place in it, and what is read
// is written in a form that says the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "[[user]]\nemail = \"a@b.cc\"\n[user.profile]\n\"\" = \"x\"\n", "user = [{email = \"a@b.cc\"}, {}]\n", "a.b.c = 1\n[[a]]\n",
		"[[organization]]\nslug = \"a\"\nname = \"\"\"x\n\\\"y\\u0085\"\"\"\nmembers.\"a@b.cc\" = \"owner\"\n", "branding = 1979-05-27\n",
		"[[client]]\nclient_id = \"abc\"\nname = \"x\"\njwks = '{\"keys\":[]}'\ndefault_max_age = 0\ntoken_endpoint_auth_method = \"none\"\n",
		"[[user]]\n[[user.email]]\n[user.email.x]\n", "user = [[], [[1]], 5]\n", "[[client]]\nid_token_lifetime = \"1h\"\nscopes = []\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse("state.toml", []byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "state.toml:") {
				t.Errorf("%q is refused without a place: %v", text, err)
			}
			return
		}
		written := encode(d)
		again, err := Parse("state.toml", written)
		if err != nil {
			t.Fatalf("%q is read, and written as %q: %v", text, written, err)
		}
		if twice := encode(again); string(twice) != string(written) {
			t.Errorf("%q is written as %q, and read again as %q", text, written, twice)
		}
	})
}

func TestAMistakeNamesTheKeyAndTheLineThatMendIt(t *testing.T) {
	t.Parallel()
	const members = "[[organization]]\nslug = \"acme\"\nname = \"Acme\"\n[organization.members]\n"
	for text, want := range map[string]string{
		"[[user]]\nemail = \"ann@acme.example\"\npassword = \"x\"\n":      "name a file with password_hash_file or ",
		"[[user]]\nemail = \"ann@acme.example\"\npassword_hash = \"x\"\n": "environment variable with password_hash_env",
		"[[client]]\nclient_secret = \"x\"\n":                             "name a file with client_secret_file or ",
		members + "\"ann@acme.example\" = \"owner\"\n\"ANN@acme.example\" = \"admin\"\n": "state.toml:5:1: organization.members.\"ann@acme.example\": " +
			"the member with this address, ann@acme.example, is also in line 6",
		"[[user]]\nemail = \"ann@acme.example\"\nfull_name = \"a\\u0000b\"\n": "state.toml:3:1: user.full_name: expected a text without the character",
		"\ufeff[[user]]\nemial = \"ann@acme.example\"\n":                      "state.toml:2:1: user.emial",
	} {
		if _, err := Parse("state.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, want %q in it", text, err, want)
		}
	}
}

// What is nested very deeply is refused as soon as anything else is.
func TestDeepKeysAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		strings.Repeat("a.", 200_000) + "a = 1\n", "[" + strings.Repeat("a.", 200_000) + "a]\n",
		"user = " + strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000) + "\n",
	} {
		began := time.Now()
		if _, err := Parse("state.toml", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), "state.toml:1:") || len(err.Error()) > 200 {
			t.Errorf("Parse(%.20q…) = %.200v, want one mistake in line 1", text, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%.20q… was refused after %v", text, took)
		}
	}
}

// Where keys stand is known without reading the file once for each.
func TestALongFileIsReadInLinearTime(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&text, "[[user]]\nemail = \"u%d@example.com\"\nfull_name = \"U\"\n\n", i)
	}
	began := time.Now()
	_, err := Parse("state.toml", []byte(text.String()+"[[user]]\n  emial = \"x\"\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "state.toml:80002:3: user.emial: unknown key") {
		t.Errorf("the mistake is told as %v", err)
	}
	if took := time.Since(began); took > 20*time.Second { // it were minutes
		t.Errorf("it took %v", took)
	}
}
