package dpop

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"authy/server/dpop/dpoptest"
)

// tokenURL is where the proofs of the tests are sent to.
const tokenURL = "https://id.example/oidc/token"

// honest is what an honest proof says; pairs change it, and nil leaves one out.
func honest(pairs ...any) map[string]any {
	return dpoptest.Claims("POST", tokenURL, pairs...)
}

func public(p *dpoptest.Prover) jose.JSONWebKey { return jose.JSONWebKey{Key: p.Key.Public()} }

func TestAProofIsReadOnlyIfItIsWholeAndSigned(t *testing.T) {
	t.Parallel()
	ec, other := dpoptest.NewProver(t, "ES256"), dpoptest.NewProver(t, "ES256")
	ed, rs := dpoptest.NewProver(t, "Ed25519"), dpoptest.NewProver(t, "RS256")
	ps := &dpoptest.Prover{Alg: jose.PS256, Key: rs.Key}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	short := &dpoptest.Prover{Alg: jose.RS256, Key: weak}
	hmac := dpoptest.SignBy(t, jose.HS256, []byte(strings.Repeat("k", 32)), honest(), map[string]any{"typ": proofType, "jwk": public(ec)})
	good := ec.Sign(t, honest())
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"dpop+jwt","alg":"none"}`))
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"ES256":              {good, nil},
		"EdDSA":              {dpoptest.NewProver(t, "EdDSA").Sign(t, honest()), nil},
		"Ed25519":            {dpoptest.NewProver(t, "Ed25519").Sign(t, honest()), nil},
		"RS256":              {rs.Sign(t, honest()), nil},
		"PS256":              {ps.Sign(t, honest()), nil},
		"a part of a second": {ec.Sign(t, honest("iat", 1700000000.5)), nil},

		"empty":                  {"", errProofForm},
		"two parts":              {parts[0] + "." + parts[1], errProofForm},
		"two proofs":             {good + "," + good, errProofForm},
		"a space":                {good + " ", errProofForm},
		"too long":               {ec.Sign(t, honest("x", strings.Repeat("x", 9000))), errProofForm},
		"typ JWT":                {ec.Sign(t, honest(), "typ", "JWT"), errProofForm},
		"no typ":                 {ec.Sign(t, honest(), "typ", nil), errProofForm},
		"no jwk":                 {ec.Sign(t, honest(), "jwk", nil), errProofForm},
		"a private jwk":          {ec.Sign(t, honest(), "jwk", jose.JSONWebKey{Key: ec.Key}), errProofForm},
		"an HMAC":                {hmac, errProofForm},
		"a secret jwk":           {ec.Sign(t, honest(), "jwk", jose.JSONWebKey{Key: []byte("secret")}), errProofForm},
		"no signature":           {none + "." + parts[1] + ".", errProofForm},
		"ES384":                  {dpoptest.NewProver(t, "ES384").Sign(t, honest()), errProofForm},
		"a short key":            {short.Sign(t, honest()), errProofKey},
		"another kind":           {ec.Sign(t, honest(), "jwk", public(rs)), errProofKey},
		"another key":            {ec.Sign(t, honest(), "jwk", public(other)), errProofSigned},
		"crit by Ed25519":        {ed.Sign(t, honest(), "crit", []string{"exp"}), errProofSigned},
		"Ed25519 of a P-256 key": {ed.Sign(t, honest(), "jwk", public(ec)), errProofKey},
		"Ed25519 of another key": {ed.Sign(t, honest(), "jwk", public(dpoptest.NewProver(t, "Ed25519"))), errProofSigned},
		"another claim":          {parts[0] + "." + strings.Split(ec.Sign(t, honest()), ".")[1] + "." + parts[2], errProofSigned},
		"no jti":                 {ec.Sign(t, honest("jti", nil)), errProofClaims},
		"an empty jti":           {ec.Sign(t, honest("jti", "")), errProofClaims},
		"a long jti":             {ec.Sign(t, honest("jti", strings.Repeat("j", 257))), errProofClaims},
		"no htm":                 {ec.Sign(t, honest("htm", nil)), errProofClaims},
		"no htu":                 {ec.Sign(t, honest("htu", nil)), errProofClaims},
		"no iat":                 {ec.Sign(t, honest("iat", nil)), errProofClaims},
		"iat in words":           {ec.Sign(t, honest("iat", "now")), errProofClaims},
		"iat beyond all":         {ec.Sign(t, honest("iat", 1e300)), errProofClaims},
		"htm of a list":          {ec.Sign(t, honest("htm", []string{"POST"})), errProofClaims},
	} {
		if _, err := parseProof(c.text); !errors.Is(err, c.want) {
			t.Errorf("parseProof, %s: %v, want %v", name, err, c.want)
		}
	}
}

// The example of RFC 9449, section 5, and the thumbprint of its key (section 6.1).
func TestTheProofOfTheRFCIsRead(t *testing.T) {
	t.Parallel()
	const text = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik" +
		"VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR" +
		"nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE" +
		"QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIj" +
		"oiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwia" +
		"WF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg" +
		"4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	got, err := parseProof(text)
	if err != nil {
		t.Fatal(err)
	}
	if got.key != "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" || got.ID != "-BwC3ESc6acc2lTc" {
		t.Errorf("key %s, jti %s, want those of the RFC", got.key, got.ID)
	}
	if err := got.isFor("POST", "https://server.example.com/token", ""); err != nil {
		t.Error(err)
	}
}

func TestAProofIsForOneRequest(t *testing.T) {
	t.Parallel()
	const address = "https://id.example/oidc/token"
	for _, c := range []struct {
		method, target string
		want           error
	}{
		{"POST", address, nil},
		{"POST", address + "?a=b#c", nil},
		{"POST", "HTTPS://ID.Example:443/oidc/token", nil},
		{"post", address, errProofMethod},
		{"GET", address, errProofMethod},
		{"POST", "http://id.example/oidc/token", errProofTarget},
		{"POST", "https://id.example:8443/oidc/token", errProofTarget},
		{"POST", "https://id.example/oidc/token/", errProofTarget},
		{"POST", "https://id.example/oidc/userinfo", errProofTarget},
		{"POST", "https://id.example/oidc%2Ftoken", errProofTarget},
		{"POST", "https://other.example/oidc/token", errProofTarget},
		{"POST", "https://x@id.example/oidc/token", errProofTarget},
		{"POST", "/oidc/token", errProofTarget},
		{"POST", "https:id.example/oidc/token", errProofTarget},
		{"POST", "%", errProofTarget},
	} {
		p := &proof{Method: c.method, Target: c.target}
		if err := p.isFor("POST", address, ""); !errors.Is(err, c.want) {
			t.Errorf("%s %s: %v, want %v", c.method, c.target, err, c.want)
		}
	}
	for ath, want := range map[string]error{
		tokenHash("token"): nil, "": errProofToken, tokenHash("other"): errProofToken, "token": errProofToken,
	} {
		p := &proof{Method: "GET", Target: address, Token: ath}
		if err := p.isFor("GET", address, "token"); !errors.Is(err, want) {
			t.Errorf("ath %q: %v, want %v", ath, err, want)
		}
	}
}

func FuzzParseProof(f *testing.F) {
	good := dpoptest.NewProver(f, "ES256").Sign(f, map[string]any{"jti": "j", "htm": "POST", "htu": "https://a/b", "iat": 1})
	for _, seed := range []string{good, "", "a.b.c", "e30.e30.e30", strings.Replace(good, ".", "..", 1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseProof(text)
		if (p == nil) == (err == nil) {
			t.Fatalf("parseProof(%q) = %v, %v", text, p, err)
		}
		if p == nil {
			return
		}
		if p.ID == "" || p.Method == "" || p.Target == "" || p.IssuedAt == nil || len(p.key) != 43 {
			t.Errorf("parseProof(%q) is not whole: %+v", text, p)
		}
		if err := p.isFor("POST", "https://a/b", "x"); err == nil && p.Token != tokenHash("x") {
			t.Errorf("parseProof(%q) is for a token that it does not name", text)
		}
	})
}
