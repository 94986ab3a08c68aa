package keyset

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

// The keys of RFC 7517, appendix A.1, and RFC 8037, appendix A.2.
const (
	ecKey = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
		"y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"}`
	edKey = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"2"}`
)

func TestASetLeavesOutWhatItCannotUse(t *testing.T) {
	t.Parallel()
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := json.Marshal(jose.JSONWebKey{Key: short.Public()})
	if err != nil {
		t.Fatal(err)
	}
	signing := strings.Replace(ecKey, "enc", "sig", 1)
	for name, c := range map[string]struct {
		keys string
		want int
	}{
		"none":                    {"", 0},
		"a key":                   {signing, 1},
		"two":                     {signing + "," + edKey, 2},
		"one for encryption":      {ecKey, 0},
		"a type of the future":    {`{"kty":"XY","kid":"1"},` + edKey, 1},
		"a curve of the future":   {`{"kty":"EC","crv":"P-999","x":"AA","y":"AA"},` + edKey, 1},
		"one without its members": {`{"kty":"RSA"},` + edKey, 1},
		"a point off the curve":   {strings.Replace(signing, "MKBC", "AKBC", 1), 0},
		"a weak one":              {string(weak), 0},
		"not an object":           {`1,"x",null,` + edKey, 1},
	} {
		set, err := Parse([]byte(`{"keys":[` + c.keys + `]}`))
		if err != nil || set.Len() != c.want {
			t.Errorf("%s: Parse() = %v, %v, want %d keys", name, set, err, c.want)
		}
	}
	for name, document := range map[string]string{
		"a shared secret": `{"keys":[{"kty":"oct","k":"AAAA"}]}`,
		"a private key":   `{"keys":[` + strings.Replace(edKey, `"kid"`, `"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","kid"`, 1) + `]}`,
		"no JSON":         "{", "a list": "[]", "33 keys": `{"keys":[` + strings.Repeat(edKey+",", 32) + edKey + `]}`,
		"too long": `{"keys":[]}` + strings.Repeat(" ", MaxDocument),
	} {
		if set, err := Parse([]byte(document)); err == nil {
			t.Errorf("%s: Parse() = %v, want refused", name, set)
		}
	}
}

// RFC 8037, appendix A.4: a signature with Ed25519.
func TestASignatureOfTheStandardIsVerified(t *testing.T) {
	t.Parallel()
	set, err := Parse([]byte(`{"keys":[` + edKey + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	const vector = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc." +
		"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	if token := (&Token{Algorithm: "EdDSA", text: vector}); !set.Verifies(token) {
		t.Error("the vector is refused")
	}
	if token := (&Token{Algorithm: "EdDSA", text: strings.Replace(vector, ".hg", ".ig", 1)}); set.Verifies(token) {
		t.Error("another signature is accepted")
	}
}

// RFC 9864, section 2.2: the header says Ed25519, the key and its
// registration may say either.
func TestEd25519IsEdDSAByItsOwnName(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token := func(alg string) *Token {
		enc := base64.RawURLEncoding.EncodeToString
		text := enc([]byte(`{"alg":"`+alg+`"}`)) + "." + enc([]byte(`{"sub":"x"}`))
		read, err := Read(text+"."+enc(ed25519.Sign(private, []byte(text))), 1<<12)
		if err != nil {
			t.Fatal(err)
		}
		return read
	}
	for _, c := range []struct {
		key, token string
		want       bool
	}{
		{"", "EdDSA", true},
		{"", "Ed25519", true},
		{"EdDSA", "EdDSA", true},
		{"EdDSA", "Ed25519", true},
		{"Ed25519", "Ed25519", true},
		{"Ed25519", "EdDSA", false},
		{"ES256", "Ed25519", false},
		{"", "Ed448", false},
		{"", "ed25519", false},
	} {
		set := &Set{[]key{{JSONWebKey: jose.JSONWebKey{Key: public, Algorithm: c.key}}}}
		if got := set.Verifies(token(c.token)); got != c.want {
			t.Errorf("a token of %s by a key of %q: verified %v, want %v", c.token, c.key, got, c.want)
		}
	}
	set := &Set{[]key{{JSONWebKey: jose.JSONWebKey{Key: public}}}}
	other := token("Ed25519")
	other.text = strings.Replace(other.text, ".eyJzdWIi", ".eyJzdWJi", 1)
	if set.Verifies(other) {
		t.Error("another payload is accepted")
	}
	if set := (&Set{[]key{{JSONWebKey: jose.JSONWebKey{Key: rsaKey(t)}}}}); set.Verifies(token("Ed25519")) {
		t.Error("an RSA key verifies it")
	}
}

func rsaKey(t *testing.T) *rsa.PublicKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

func TestATokenHasOneSpelling(t *testing.T) {
	t.Parallel()
	enc := base64.RawURLEncoding.EncodeToString
	head, sig := enc([]byte(`{"alg":"ES256"}`)), enc(make([]byte, 64))
	token := func(payload string) string { return head + "." + enc([]byte(payload)) + "." + sig }
	of := func(header string) string { return enc([]byte(header)) + "." + enc([]byte("{}")) + "." + sig }
	for _, good := range []string{
		token(`{}`), token(`{"a":{"b":1},"c":{"b":1}}`), token(`{"a":[{"b":1},{"b":2}],"b":"a"}`), token(`{"a":"a","b":{"a":"b"}}`),
		token(` { "a" : 1 } `), of(`{"alg":"ES256","kid":"","jwk":{"kty":"EC"},"jku":"https://a.example/","x":[]}`),
	} {
		if _, err := Read(good, 1<<12); err != nil {
			t.Errorf("Read(%q) = %v", good, err)
		}
	}
	plain := token(`{}`)
	for name, bad := range map[string]string{
		"empty": "", "dots": "..", "two parts": head + "." + sig, "four": plain + "." + sig, "a line break": head + ".\n" + plain[len(head)+1:],
		"padding": plain + "=", "other spare bits": head + "." + "e31." + sig, "a space": " " + plain,
		"no JSON": token("x"), "a list": token("[]"), "null": token("null"), "a number": token("1"), "two values": token("{}{}"),
		"cut off": token(`{"a":`), "twice": token(`{"a":1,"a":1}`), "twice, spelled otherwise": token(`{"a":1,"\u0061":1}`),
		"twice, deep": token(`{"x":[{"a":1,"a":1}]}`), "deep": token(`{"x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`),
		"no alg": of(`{}`), "alg of a number": of(`{"alg":1}`), "alg null": of(`{"alg":null}`), "alg twice": of(`{"alg":"ES256","alg":"none"}`),
		"kid of a list": of(`{"alg":"ES256","kid":[]}`), "crit": of(`{"alg":"ES256","crit":["exp"],"exp":1}`), "crit of nothing": of(`{"alg":"ES256","crit":[]}`),
		"b64": of(`{"alg":"ES256","b64":false}`), "too long": token(`{"a":"` + strings.Repeat("a", 1<<12) + `"}`),
	} {
		if got, err := Read(bad, 1<<12); !errors.Is(err, ErrToken) || got != nil {
			t.Errorf("%s: Read(%q) = %v, %v, want ErrToken", name, bad, got, err)
		}
	}
	if _, err := Read("a.b.c.d.e", 100); !errors.Is(err, ErrEncrypted) {
		t.Errorf("five parts: %v, want ErrEncrypted", err)
	}
}

func TestClaimsAreOfTheirTypes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`{}`: nil, `{"aud":"a"}`: {"a"}, `{"aud":["a"]}`: {"a"}, `{"aud":["a","b"]}`: {"a", "b"}, `{"aud":""}`: {""},
	} {
		claims, err := members([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := claims.Audience()
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: Audience() = %v (-want +got):\n%s", text, err, diff)
		}
	}
	// Z-22: nothing but a text or a list of texts.
	for _, text := range []string{`1`, `null`, `[]`, `[1]`, `[null]`, `{"a":1}`, `["a",null]`, `true`} {
		if got, err := (Claims{"aud": json.RawMessage(text)}).Audience(); err == nil {
			t.Errorf("aud %s: Audience() = %q, want refused", text, got)
		}
	}
	for text, want := range map[string]time.Time{
		"1": time.Unix(1, 0), "1.5": time.Unix(1, 5e8), "2e9": time.Unix(2e9, 0),
	} {
		if got, err := (Claims{"exp": json.RawMessage(text)}).Time("exp"); err != nil || !got.Equal(want) {
			t.Errorf("exp %s: Time() = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{`"1"`, `null`, `0`, `-1`, `1e300`, `1e400`, `[]`, `{}`, `true`} {
		if got, err := (Claims{"exp": json.RawMessage(text)}).Time("exp"); err == nil {
			t.Errorf("exp %s: Time() = %v, want refused", text, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	one := newPair(f, "one")
	set, err := Parse([]byte(one.document))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"", "..", "a.b.c.d.e", one.token.text, "eyJhbGciOiJub25lIn0.e30.", one.token.text + "=", "eyJhbGciOltdfQ.e30.AA",
		strings.Replace(one.token.text, ".", ".\n", 1),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := Read(text, 1<<12)
		if (err == nil) != (token != nil) {
			t.Fatalf("Read(%q) = %v, %v", text, token, err)
		}
		if token == nil {
			return
		}
		if text != one.token.text && set.Verifies(token) {
			t.Fatalf("%q is accepted", text)
		}
		if token.SharedBy([]byte(one.document)) {
			t.Fatalf("%q is accepted as signed with a public key", text)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"keys":[` + ecKey + `,` + edKey + `]}`, `{"keys":[null,1,{}]}`, `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		set, err := Parse([]byte(document))
		if err != nil {
			return
		}
		for _, key := range set.keys {
			if !key.IsPublic() || !key.Valid() || key.Use != "" && key.Use != "sig" {
				t.Fatalf("%q gives the key %v", document, key)
			}
		}
	})
}
