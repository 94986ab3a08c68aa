package servertest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"authy/server/servertest"
)

// b64 is how the parts of a JWT are written.
func b64(text []byte) string { return base64.RawURLEncoding.EncodeToString(text) }

// keysOf reads the published keys.
func keysOf(t *testing.T, s *servertest.Server) (set jose.JSONWebKeySet, body []byte) {
	t.Helper()
	r := raw(t, http.MethodGet, s.URL+"/oidc/jwks", "", nil)
	if err := json.Unmarshal([]byte(r.body), &set); err != nil || len(set.Keys) == 0 {
		t.Fatalf("keys %s: %v", r.body, err)
	}
	return set, []byte(r.body)
}

// forgeries returns variants of a good token that no one may accept, by name.
func forgeries(t *testing.T, s *servertest.Server, token string) map[string]string {
	t.Helper()
	parts := strings.Split(token, ".")
	header, payload := claimsOf(t, token)
	out := map[string]string{
		"TK-13 no signature":             parts[0] + "." + parts[1] + ".",
		"TK-13 two parts":                parts[0] + "." + parts[1],
		"TK-47 cut short":                token[:len(token)-4],
		"TK-47 four parts":               token + "." + parts[2],
		"TK-47 another's claims":         parts[0] + "." + b64(encode(t, member(payload, "sub", "someone-else"))) + "." + parts[2],
		"TK-47 another signature":        parts[0] + "." + parts[1] + "." + b64([]byte(letters(64))),
		"TK-47 white space within":       parts[0] + ". " + parts[1] + "." + parts[2],
		"TK-47 padding":                  token + "=",
		"TK-13 the full JSON form of it": `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
	}
	for _, alg := range []string{"none", "None", "NONE", "nOnE", ""} {
		head := b64(encode(t, member(header, "alg", alg)))
		out["TK-13 alg "+alg+", no signature"] = head + "." + parts[1] + "."
		out["TK-13 alg "+alg+", the old signature"] = head + "." + parts[1] + "." + parts[2]
	}
	set, body := keysOf(t, s)
	for _, k := range set.Keys {
		der, err := x509.MarshalPKIXPublicKey(k.Key)
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		for name, secret := range map[string][]byte{
			"PEM": text, "PEM without newline": []byte(strings.TrimSpace(string(text))), "DER": der, "JWKS": body,
			"kid": []byte(k.KeyID), "nothing": nil,
		} {
			head := member(member(header, "alg", "HS256"), "kid", k.KeyID)
			out["TK-14 HS256 by "+name+" of "+k.Algorithm] = hs256(t, head, payload, secret)
		}
	}
	maps.Copy(out, foreignKeys(t, set, header, payload))
	return out
}

// foreignKeys signs with a key of the attacker's, in every way to offer it.
func foreignKeys(t *testing.T, set jose.JSONWebKeySet, header, payload map[string]any) map[string]string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := set.Keys[0].MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := (&jose.JSONWebKey{Key: &key.PublicKey, KeyID: "mine"}).MarshalJSON()
	if err != nil || string(ours) == string(jwk) {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, more := range map[string]map[string]any{
		"our kid": {}, "kid of none": {"kid": "mine"}, "no kid": {"kid": nil},
		"jwk": {"kid": "mine", "jwk": json.RawMessage(jwk)}, "jwk with our kid": {"jwk": json.RawMessage(jwk)},
		"jku": {"kid": "mine", "jku": "http://127.0.0.1:1/jwks"}, "x5u": {"kid": "mine", "x5u": "http://127.0.0.1:1/x"},
		"x5c":               {"kid": "mine", "x5c": []string{"AAAA"}},
		"kid with path":     {"kid": "../../../dev/null"},
		"kid of other kind": {"kid": 1}, "crit": {"crit": []string{"exp"}, "exp": 1},
	} {
		head := maps.Clone(header)
		head["alg"] = "ES256"
		maps.Copy(head, more)
		if head["kid"] == nil {
			delete(head, "kid")
		}
		input := b64(encode(t, head)) + "." + b64(encode(t, payload))
		sum := sha256.Sum256([]byte(input))
		r, sig, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		raw := make([]byte, 64)
		r.FillBytes(raw[:32])
		sig.FillBytes(raw[32:])
		out["TK-16 "+name] = input + "." + b64(raw)
	}
	return out
}

func hs256(t *testing.T, header, payload map[string]any, secret []byte) string {
	t.Helper()
	input := b64(encode(t, header)) + "." + b64(encode(t, payload))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + b64(mac.Sum(nil))
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// member returns an object with one member changed.
func member(object map[string]any, name string, value any) map[string]any {
	out := maps.Clone(object)
	out[name] = value
	return out
}

// malformed are JWTs whose claims have the wrong shape, by name.
func malformed(t *testing.T, s *servertest.Server) map[string]string {
	t.Helper()
	set, _ := keysOf(t, s)
	out := map[string]string{
		"empty": "", "dots": "..", "one dot": ".", "not base64": "!.!.!", "a JSON null": b64([]byte("null")) + "." + b64([]byte("null")) + ".AA",
		"a header that is a list": b64([]byte("[]")) + "." + b64([]byte("{}")) + ".AA",
		"8 kB and a byte":         letters(8193), "20 kB": letters(20_000),
	}
	header := encode(t, map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": set.Keys[0].KeyID})
	for name, payload := range map[string]string{
		"aud of numbers": `{"iss":"` + s.URL + `","aud":[1]}`, "aud of null": `{"aud":[null]}`, "aud of an object": `{"aud":{"a":1}}`,
		"exp of letters": `{"exp":"x"}`, "exp beyond numbers": `{"exp":1e400}`, "amr of numbers": `{"amr":[1]}`, "iss of a list": `{"iss":[]}`,
		"nothing": ``, "half an object": `{`, "a deep list": strings.Repeat("[", 5000), "NUL": "\x00",
	} {
		out[name] = b64(header) + "." + b64([]byte(payload)) + "." + b64([]byte(letters(64)))
	}
	deep := `{"alg":"ES256","kid":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + `}`
	out["a deep header"] = b64([]byte(deep))[:8000] + ".e30.AA"
	out["a typ that is a list"] = b64([]byte(`{"alg":"ES256","typ":["at+jwt"],"kid":"`+set.Keys[0].KeyID+`"}`)) + ".e30.AA"
	return out
}
