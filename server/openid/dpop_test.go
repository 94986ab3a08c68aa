package openid

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"authy/storage"
	"authy/storage/kv"
)

// signProof signs claims as a proof whose header is changed by pairs; nil leaves one out.
func signProof(t testing.TB, alg jose.SignatureAlgorithm, key any, claims map[string]any, pairs ...any) string {
	t.Helper()
	header := map[string]any{"typ": proofType}
	if s, ok := key.(crypto.Signer); ok {
		header["jwk"] = jose.JSONWebKey{Key: s.Public()}
	}
	for i := 0; i < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		if header[name] = pairs[i+1]; pairs[i+1] == nil {
			delete(header, name)
		}
	}
	o := &jose.SignerOptions{}
	for name, value := range header {
		o.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// edProof signs claims with the algorithm Ed25519 (RFC 9864), which the library has not.
func edProof(t testing.TB, key ed25519.PrivateKey, claims map[string]any, pairs ...any) string {
	t.Helper()
	header := map[string]any{"typ": proofType, "alg": "Ed25519", "jwk": jose.JSONWebKey{Key: key.Public()}}
	for i := 0; i < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		header[name] = pairs[i+1]
	}
	var parts []string
	for _, part := range []any{header, claims} {
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(text))
	}
	text := strings.Join(parts, ".")
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(text)))
}

func newECKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// honest is what an honest proof says; pairs change it, and nil leaves one out.
func honest(pairs ...any) map[string]any {
	claims := map[string]any{
		"jti": rand.Text(), "htm": "POST", "htu": testIssuer + TokenPath, "iat": time.Now().Unix(),
	}
	for i := 0; i < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		if claims[name] = pairs[i+1]; pairs[i+1] == nil {
			delete(claims, name)
		}
	}
	return claims
}

func TestAProofIsReadOnlyIfItIsWholeAndSigned(t *testing.T) {
	t.Parallel()
	ec, other := newECKey(t, elliptic.P256()), newECKey(t, elliptic.P256())
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	otherEd, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good := signProof(t, jose.ES256, ec, honest())
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"dpop+jwt","alg":"none"}`))
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"ES256":              {good, nil},
		"EdDSA":              {signProof(t, jose.EdDSA, ed, honest()), nil},
		"Ed25519":            {edProof(t, ed, honest()), nil},
		"RS256":              {signProof(t, jose.RS256, key, honest()), nil},
		"PS256":              {signProof(t, jose.PS256, key, honest()), nil},
		"a part of a second": {signProof(t, jose.ES256, ec, honest("iat", 1700000000.5)), nil},

		"empty":                  {"", errProofForm},
		"two parts":              {parts[0] + "." + parts[1], errProofForm},
		"two proofs":             {good + "," + good, errProofForm},
		"a space":                {good + " ", errProofForm},
		"too long":               {signProof(t, jose.ES256, ec, honest("x", strings.Repeat("x", 9000))), errProofForm},
		"typ JWT":                {signProof(t, jose.ES256, ec, honest(), "typ", "JWT"), errProofForm},
		"no typ":                 {signProof(t, jose.ES256, ec, honest(), "typ", nil), errProofForm},
		"no jwk":                 {signProof(t, jose.ES256, ec, honest(), "jwk", nil), errProofForm},
		"a private jwk":          {signProof(t, jose.ES256, ec, honest(), "jwk", jose.JSONWebKey{Key: ec}), errProofForm},
		"an HMAC":                {signProof(t, jose.HS256, []byte(strings.Repeat("k", 32)), honest(), "jwk", jose.JSONWebKey{Key: ec.Public()}), errProofForm},
		"a secret jwk":           {signProof(t, jose.ES256, ec, honest(), "jwk", jose.JSONWebKey{Key: []byte("secret")}), errProofForm},
		"no signature":           {none + "." + parts[1] + ".", errProofForm},
		"ES384":                  {signProof(t, jose.ES384, newECKey(t, elliptic.P384()), honest()), errProofForm},
		"a short key":            {signProof(t, jose.RS256, short, honest()), errProofKey},
		"another kind":           {signProof(t, jose.ES256, ec, honest(), "jwk", jose.JSONWebKey{Key: key.Public()}), errProofKey},
		"another key":            {signProof(t, jose.ES256, ec, honest(), "jwk", jose.JSONWebKey{Key: other.Public()}), errProofSigned},
		"crit by Ed25519":        {edProof(t, ed, honest(), "crit", []string{"exp"}), errProofSigned},
		"Ed25519 of a P-256 key": {edProof(t, ed, honest(), "jwk", jose.JSONWebKey{Key: ec.Public()}), errProofKey},
		"Ed25519 of another key": {edProof(t, ed, honest(), "jwk", jose.JSONWebKey{Key: otherEd}), errProofSigned},
		"another claim":          {parts[0] + "." + strings.Split(signProof(t, jose.ES256, ec, honest()), ".")[1] + "." + parts[2], errProofSigned},
		"no jti":                 {signProof(t, jose.ES256, ec, honest("jti", nil)), errProofClaims},
		"an empty jti":           {signProof(t, jose.ES256, ec, honest("jti", "")), errProofClaims},
		"a long jti":             {signProof(t, jose.ES256, ec, honest("jti", strings.Repeat("j", 257))), errProofClaims},
		"no htm":                 {signProof(t, jose.ES256, ec, honest("htm", nil)), errProofClaims},
		"no htu":                 {signProof(t, jose.ES256, ec, honest("htu", nil)), errProofClaims},
		"no iat":                 {signProof(t, jose.ES256, ec, honest("iat", nil)), errProofClaims},
		"iat in words":           {signProof(t, jose.ES256, ec, honest("iat", "now")), errProofClaims},
		"iat beyond all":         {signProof(t, jose.ES256, ec, honest("iat", 1e300)), errProofClaims},
		"htm of a list":          {signProof(t, jose.ES256, ec, honest("htm", []string{"POST"})), errProofClaims},
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

// told is the error code that a client is told, "" for none.
func told(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*oidc.Error](err)
	if !ok {
		t.Fatalf("%v is nothing to be told", err)
	}
	return string(e.ErrorType)
}

func TestAProofIsFreshOrHasANonce(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	now := p.replays.began.Add(time.Hour).Truncate(time.Second)
	nonce := p.newNonce(now)
	forged := []byte(nonce)
	forged[3] ^= 1
	for name, c := range map[string]struct {
		iat    time.Time
		nonce  string
		needed bool
		want   bool
	}{
		"now":                       {now, "", false, true},
		"a minute old":              {now.Add(-time.Minute), "", false, true},
		"a minute ahead":            {now.Add(time.Minute), "", false, true},
		"older":                     {now.Add(-61 * time.Second), "", false, false},
		"further ahead":             {now.Add(62 * time.Second), "", false, false},
		"now, but a nonce needed":   {now, "", true, false},
		"now, with a nonce":         {now, nonce, true, true},
		"a wrong clock and a nonce": {now.Add(-time.Hour), nonce, false, true},
		"now, with a bad nonce":     {now, "x", false, false},
		"a forged nonce":            {now, string(forged), false, false},
		"a nonce of two minutes":    {now, p.newNonce(now.Add(-2 * time.Minute)), false, true},
		"an older nonce":            {now, p.newNonce(now.Add(-2*time.Minute - time.Second)), false, false},
		"a nonce from ahead":        {now, p.newNonce(now.Add(6 * time.Second)), false, false},
	} {
		iat := float64(c.iat.Unix())
		if got := p.isFresh(&proof{IssuedAt: &iat, Nonce: c.nonce}, c.needed, now); got != c.want {
			t.Errorf("isFresh, %s: %v, want %v", name, got, c.want)
		}
	}
	// What was used before this process began may be forgotten.
	soon := p.replays.began
	early := float64(soon.Add(-time.Second).Unix())
	if p.isFresh(&proof{IssuedAt: &early}, false, soon) {
		t.Error("a proof from before the process began is taken")
	}
	if p.isFresh(&proof{IssuedAt: &early, Nonce: p.newNonce(soon.Add(-time.Second))}, false, soon) {
		t.Error("a nonce from before the process began is taken")
	}
	huge := math.Inf(1)
	if p.isFresh(&proof{IssuedAt: &huge}, false, now) {
		t.Error("a proof from the end of time is taken")
	}
}

func TestAProofWorksOnceEvenWhileTheSharedStoreIsAway(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	key := newECKey(t, elliptic.P256())
	use := func(text string) string {
		_, err := p.ProvenKey(t.Context(), http.Header{proofHeader: {text}}, TokenPath, newClient(t, p, false))
		return told(t, err)
	}
	text := signProof(t, jose.ES256, key, honest())
	if first, second := use(text), use(text); first != "" || second != invalidProof {
		t.Errorf("a proof, twice: %q and %q, want only the second refused", first, second)
	}
	away, err := kv.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := away.Close(); err != nil {
		t.Fatal(err)
	}
	p.replays.shared = away
	text = signProof(t, jose.ES256, key, honest())
	if first, second := use(text), use(text); first != "" || second != invalidProof {
		t.Errorf("while the store is away, twice: %q and %q, want only the second refused", first, second)
	}
	// The same jti of another key is another proof.
	claims := honest()
	if a, b := use(signProof(t, jose.ES256, key, claims)), use(signProof(t, jose.ES256, newECKey(t, elliptic.P256()), claims)); a+b != "" {
		t.Errorf("one jti of two keys: %q and %q, want both taken", a, b)
	}
}

func newClient(t *testing.T, p *Provider, bound bool) *storage.Client {
	t.Helper()
	c, err := p.clients.Client(t.Context(), "machine")
	if err != nil {
		t.Fatal(err)
	}
	changed := *c
	changed.Options.DPoPTokens = bound
	return &changed
}

func TestAClientThatIsRegisteredForItNeedsAProofWithANonce(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c, key := newClient(t, p, true), newECKey(t, elliptic.P256())
	for name, want := range map[string]struct {
		header http.Header
		code   string
	}{
		"no proof":        {http.Header{}, invalidProof},
		"no nonce":        {http.Header{proofHeader: {signProof(t, jose.ES256, key, honest())}}, needsNonce},
		"two proofs":      {http.Header{proofHeader: {"a", "b"}}, invalidProof},
		"an empty header": {http.Header{proofHeader: {""}}, invalidProof},
		"a nonce":         {http.Header{proofHeader: {signProof(t, jose.ES256, key, honest("nonce", p.newNonce(time.Now())))}}, ""},
	} {
		if _, err := p.ProvenKey(t.Context(), want.header, TokenPath, c); told(t, err) != want.code {
			t.Errorf("ProvenKey, %s: %v, want %q", name, err, want.code)
		}
	}
	if got, err := p.ProvenKey(t.Context(), http.Header{}, TokenPath, newClient(t, p, false)); got != "" || err != nil {
		t.Errorf("ProvenKey of a client that needs none: %q, %v", got, err)
	}
}

func TestAPushedRequestIsBoundToTheKeyThatItProves(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	key := newECKey(t, elliptic.P256())
	sum, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	thumbprint, named := base64.RawURLEncoding.EncodeToString(sum), strings.Repeat("B", 43)
	web, err := p.clients.Client(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		proof bool
		named string
		want  string
		code  string
	}{
		"no proof":               {false, named, named, ""},
		"a proof":                {true, "", thumbprint, ""},
		"a proof, the same key":  {true, thumbprint, thumbprint, ""},
		"a proof of another key": {true, strings.Repeat("A", 43), "", invalidProof},
	} {
		form, h := url.Values{
			"client_id": {"web"}, "redirect_uri": {"https://web.example/cb"}, "response_type": {"code"}, "scope": {"openid"},
			"code_challenge": {s256("verifier")}, "code_challenge_method": {"S256"}, "dpop_jkt": {c.named},
		}, http.Header{}
		if c.named == "" {
			form.Del("dpop_jkt")
		}
		if c.proof {
			h[proofHeader] = []string{signProof(t, jose.ES256, key, honest("htu", testIssuer+PushPath))}
		}
		proved, err := p.pushedKey(t.Context(), h)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ref, err := p.push(t.Context(), web, form, proved)
		if refusal, _ := errors.AsType[*Refusal](err); err != nil && (refusal == nil || refusal.Code != c.code) || err == nil && c.code != "" {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
		if err != nil {
			continue
		}
		r, err := p.ParseRequest(t.Context(), url.Values{"client_id": {"web"}, "request_uri": {ref.RequestURI}})
		if err != nil || r.JKT != c.want {
			t.Errorf("%s: %v, %v, want the key %s", name, r, err, c.want)
		}
	}
}

func TestTheKeyOfAnAuthorizationRequestIsAThumbprint(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	for sent, ok := range map[string]bool{
		"": true, strings.Repeat("A", 43): true, strings.Repeat("A", 42): false, strings.Repeat("A", 44): false,
		strings.Repeat("A", 42) + "=": false,
	} {
		r := new(Request)
		refusal := p.checkKey(t.Context(), nil, r, url.Values{"dpop_jkt": {sent}})
		if (refusal == nil) != ok || ok && r.JKT != sent {
			t.Errorf("dpop_jkt %q: %v, kept %q", sent, refusal, r.JKT)
		}
	}
}

func FuzzParseProof(f *testing.F) {
	good := signProof(f, jose.ES256, newECKey(f, elliptic.P256()), map[string]any{"jti": "j", "htm": "POST", "htu": "https://a/b", "iat": 1})
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

func TestARememberedProofOutlivesItsUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, err := kv.Open(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close() //nolint:errcheck // it is in this process
		r := replays{store, store, time.Now()}
		keep := nonceLife + 2*proofWindow
		use := func() bool {
			first, err := r.first(t.Context(), "key", "id", keep)
			if err != nil {
				t.Fatal(err)
			}
			return first
		}
		if !use() {
			t.Fatal("the first use is refused")
		}
		time.Sleep(keep - time.Second)
		if use() {
			t.Error("a second use is taken")
		}
		time.Sleep(2 * time.Second)
		if !use() {
			t.Error("it is remembered for ever")
		}
	})
}
