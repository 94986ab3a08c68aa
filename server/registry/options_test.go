package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keySet is a JWK Set of keys.
func keySet(t testing.TB, keys ...any) string {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key})
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAnOptionThatDoesNotHoldIsNamed(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := keySet(t, key.Public())
	age := func(n Seconds) *Seconds { return &n }
	good := Defaults()
	good.ClientID, good.Name, good.RedirectURIs = "rp", "RP", []string{"https://a.example/cb"}
	for name, c := range map[string]struct {
		change func(*Registration)
		fields string // that are named, "" for none
	}{
		"nothing":     {func(*Registration) {}, ""},
		"keys":        {func(r *Registration) { r.AuthMethod, r.Options.JWKS = AuthPrivateKey, keys }, ""},
		"keys by URI": {func(r *Registration) { r.AuthMethod, r.Options.JWKSURI = AuthPrivateKey, "https://a.example/jwks" }, ""},
		"keys twice": {func(r *Registration) {
			r.AuthMethod, r.Options.JWKS, r.Options.JWKSURI = AuthPrivateKey, keys, "https://a.example/jwks"
		}, "jwks"},
		"no keys":        {func(r *Registration) { r.AuthMethod = AuthPrivateKey }, "token_endpoint_auth_method"},
		"keys over http": {func(r *Registration) { r.Options.JWKSURI = "http://a.example/jwks" }, "jwks_uri"},
		"keys nearby":    {func(r *Registration) { r.Options.JWKSURI = "http://127.0.0.1:1/jwks" }, ""},
		"a secret's alg of a key": {func(r *Registration) {
			r.AuthMethod, r.Options.JWKS, r.Options.AuthAlg = AuthPrivateKey, keys, "HS256"
		}, "token_endpoint_auth_signing_alg"},
		"a key's alg of a secret": {func(r *Registration) { r.AuthMethod, r.Options.AuthAlg = AuthSecretJWT, "RS256" }, "token_endpoint_auth_signing_alg"},
		"an alg of a secret":      {func(r *Registration) { r.AuthMethod, r.Options.AuthAlg = AuthSecretJWT, "HS512" }, ""},
		"an alg of who sends it":  {func(r *Registration) { r.AuthMethod, r.Options.AuthAlg = AuthBasic, "RS256" }, "token_endpoint_auth_signing_alg"},
		"alg none of assertions":  {func(r *Registration) { r.AuthMethod, r.Options.AuthAlg = AuthSecretJWT, "none" }, "token_endpoint_auth_signing_alg"},
		"public subjects":         {func(r *Registration) { r.Options.SubjectType = "public" }, ""},
		"other subjects":          {func(r *Registration) { r.Options.SubjectType = "private" }, "subject_type"},
		"pairwise":                {func(r *Registration) { r.Options.SubjectType = "pairwise" }, ""},
		"pairwise, ports":         {func(r *Registration) { pairwise(r, "https://a.example/cb", "https://a.example:1/cb") }, ""},
		"pairwise, hosts":         {func(r *Registration) { pairwise(r, "https://a.example/cb", "https://b.example/cb") }, "sector_identifier_uri"},
		"pairwise, no host":       {func(r *Registration) { pairwise(r, "com.example:/cb") }, "sector_identifier_uri"},
		"pairwise with a sector": {func(r *Registration) {
			pairwise(r, "com.example:/cb")
			r.Options.SectorIdentifierURI = "https://a.example/s"
		}, ""},
		"a sector over http":        {func(r *Registration) { r.Options.SectorIdentifierURI = "http://a.example/s" }, "sector_identifier_uri"},
		"no ID token alg":           {func(r *Registration) { r.IDTokenAlg = "none" }, "id_token_signed_response_alg"},
		"signed userinfo":           {func(r *Registration) { r.Options.UserinfoAlg = "RS256" }, ""},
		"userinfo by HMAC":          {func(r *Registration) { r.Options.UserinfoAlg = "HS256" }, "userinfo_signed_response_alg"},
		"introspection by HMAC":     {func(r *Registration) { r.Options.IntrospectionAlg = "HS256" }, "introspection_signed_response_alg"},
		"introspection, none":       {func(r *Registration) { r.Options.IntrospectionAlg = "none" }, "introspection_signed_response_alg"},
		"userinfo, none":            {func(r *Registration) { r.Options.UserinfoAlg = "none" }, "userinfo_signed_response_alg"},
		"unsigned objects":          {func(r *Registration) { r.Options.RequestAlg = Unsigned }, ""},
		"signed objects":            {func(r *Registration) { r.Options.RequestAlg, r.Options.JWKS = "RS256", keys }, ""},
		"signed objects, no keys":   {func(r *Registration) { r.Options.RequestAlg = "RS256" }, "jwks_uri"},
		"objects by HMAC":           {func(r *Registration) { r.Options.RequestAlg, r.Options.JWKS = "HS256", keys }, "request_object_signing_alg"},
		"unsigned that are signed":  {func(r *Registration) { r.Options.RequestAlg, r.Options.SignedRequest = Unsigned, true }, "request_object_signing_alg"},
		"signed, no keys":           {func(r *Registration) { r.Options.SignedRequest = true }, "jwks_uri"},
		"a request_uri with a hash": {func(r *Registration) { r.Options.RequestURIs = []string{"https://a.example/r#abc"} }, ""},
		"a request_uri over http":   {func(r *Registration) { r.Options.RequestURIs = []string{"http://a.example/r"} }, "request_uris"},
		"a request_uri of nothing":  {func(r *Registration) { r.Options.RequestURIs = []string{"#x"} }, "request_uris"},
		"65 request_uris":           {func(r *Registration) { r.Options.RequestURIs = numbered("https://a.example/", 65) }, "request_uris"},
		"a back channel":            {func(r *Registration) { r.Options.BackChannelURI = "https://b.example/out?x=1" }, ""},
		"a back channel's fragment": {func(r *Registration) { r.Options.BackChannelURI = "https://a.example/out#x" }, "backchannel_logout_uri"},
		"a session of no channel":   {func(r *Registration) { r.Options.BackChannelSession = true }, "backchannel_logout_session_required"},
		"a front channel":           {func(r *Registration) { r.Options.FrontChannelURI = "https://a.example:443/out" }, ""},
		"a foreign front channel":   {func(r *Registration) { r.Options.FrontChannelURI = "https://b.example/out" }, "frontchannel_logout_uri"},
		"another port in front":     {func(r *Registration) { r.Options.FrontChannelURI = "https://a.example:8443/out" }, "frontchannel_logout_uri"},
		"a script in front":         {func(r *Registration) { r.Options.FrontChannelURI = "javascript:alert(1)" }, "frontchannel_logout_uri"},
		"a session of no front":     {func(r *Registration) { r.Options.FrontChannelSession = true }, "frontchannel_logout_session_required"},
		"an age of 0":               {func(r *Registration) { r.Options.DefaultMaxAge = age(0) }, ""},
		"an age below 0":            {func(r *Registration) { r.Options.DefaultMaxAge = age(-1) }, "default_max_age"},
		"an ACR with a space":       {func(r *Registration) { r.Options.DefaultACR = []string{"a b"} }, "default_acr_values"},
		"17 ACRs":                   {func(r *Registration) { r.Options.DefaultACR = numbered("acr", 17) }, "default_acr_values"},
		"a resource":                {func(r *Registration) { r.Options.Resources = []string{"https://api.example/x", "urn:example:api"} }, ""},
		"a relative resource":       {func(r *Registration) { r.Options.Resources = []string{"/api"} }, "resources"},
		"a resource's fragment":     {func(r *Registration) { r.Options.Resources = []string{"https://api.example/#x"} }, "resources"},
		"65 resources":              {func(r *Registration) { r.Options.Resources = numbered("https://api.example/", 65) }, "resources"},
		"a script that begins":      {func(r *Registration) { r.Options.InitiateLoginURI = "javascript:x" }, "initiate_login_uri"},
		"17 contacts":               {func(r *Registration) { r.Options.Contacts = numbered("c", 17) }, "contacts"},
		"a contact's control":       {func(r *Registration) { r.Options.Contacts = []string{"a\x00"} }, "contacts"},
		"a long software_id":        {func(r *Registration) { r.Options.SoftwareID = strings.Repeat("x", 256) }, "software_id"},
		"a software_version's":      {func(r *Registration) { r.Options.SoftwareVersion = "\x1b[2J" }, "software_version"},
		"another profile":           {func(r *Registration) { r.Options.Profile = "fapi" }, "profile"},
		"no PKCE":                   {func(r *Registration) { r.RequirePKCE = false }, "require_pkce"},
		"no PKCE, legacy":           {func(r *Registration) { r.RequirePKCE, r.Options.Profile = false, Legacy }, ""},
		"longer codes":              {func(r *Registration) { r.Options.CodeLifetime = 300 }, "code_lifetime"},
		"longer codes, legacy":      {func(r *Registration) { r.Options.CodeLifetime, r.Options.Profile = 600, Legacy }, ""},
		"too long codes":            {func(r *Registration) { r.Options.CodeLifetime, r.Options.Profile = 601, Legacy }, "code_lifetime"},
		"codes below 0":             {func(r *Registration) { r.Options.CodeLifetime, r.Options.Profile = -1, Legacy }, "code_lifetime"},
	} {
		in := good
		c.change(&in)
		in = in.normal()
		got := slices.Sorted(maps.Keys(in.problems(in.AuthMethod)))
		if strings.Join(got, " ") != c.fields {
			t.Errorf("%s: problems with %q, want %q", name, got, c.fields)
		}
	}
}

func pairwise(r *Registration, redirects ...string) {
	r.Options.SubjectType, r.RedirectURIs = "pairwise", redirects
}

func numbered(prefix string, n int) (out []string) {
	for i := range n {
		out = append(out, prefix+strings.Repeat("x", i))
	}
	return out
}

func TestAKeySetHoldsPublicKeysAlone(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	weak := &rsa.PublicKey{N: new(big.Int).Rsh(strong.N, 1024), E: 65537}
	public := keySet(t, key.Public())
	inner := strings.TrimSuffix(strings.TrimPrefix(public, `{"keys":[`), `]}`)
	for text, good := range map[string]bool{
		"": true, public: true, keySet(t, strong.Public(), key.Public()): true,
		`{"keys":[` + inner + `,{"kty":"new-type","x":"1"}]}`: true, // RFC 7517, section 5: ignored
		`{"keys":[{"kty":"new-type","x":"1"}]}`:               false,
		keySet(t, key):                                        false,
		keySet(t, []byte("a symmetric secret of 32 bytes .")): false,
		keySet(t, weak):                                       false,
		`{"keys":[]}`:                                         false,
		`{}`:                                                  false,
		`[]`:                                                  false,
		`null`:                                                false,
		`x`:                                                   false,
		`{"keys":{}}`:                                         false,
		`{"keys":[1]}`:                                        false,
		`{"keys":[{}]}`:                                       false,
		public + public:                                       false,
		`{"keys":[` + inner + `],"keys":[]}`:                  false,
		`{"Keys":[` + inner + `]}`:                            false,
		`{"keys":[` + strings.TrimSuffix(inner, "}") + `,"x":"AA"}]}`:                  false,
		`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`:                      false,
		`{"keys":[` + strings.Repeat(inner+",", maxKeys) + inner + `]}`:                false,
		`{"keys":[` + inner + `],"x":"` + strings.Repeat("x", MaxDocument) + `"}`:      false,
		`{"keys":[` + strings.Replace(inner, "{", `{"k":"c2VjcmV0",`, 1) + `]}`:        false,
		`{"keys":[` + strings.Replace(inner, "{", `{"use":"sig","kid":"1",`, 1) + `]}`: true,
	} {
		if got := jwksProblem(text); (got == "") != good {
			t.Errorf("jwksProblem(%.200s) = %q, want good: %v", text, got, good)
		}
	}
}

func TestEachRelaxationIsNamed(t *testing.T) {
	t.Parallel()
	code := []string{"authorization_code"}
	for want, c := range map[string]*Client{
		"":              {RequirePKCE: true, GrantTypes: code},
		"pkce nonce":    {GrantTypes: code},
		"code_lifetime": {RequirePKCE: true, GrantTypes: code, Options: Options{CodeLifetime: 300}},
		"consent":       {SkipConsent: true, GrantTypes: []string{"client_credentials"}},
		"code":          {RequirePKCE: true, GrantTypes: []string{Implicit}},
		"pkce nonce code_lifetime consent": {
			SkipConsent: true, GrantTypes: code, Options: Options{CodeLifetime: Seconds(time.Minute / time.Second)},
		},
	} {
		if got := strings.Join(Relaxed(c), " "); got != want {
			t.Errorf("Relaxed() = %q, want %q", got, want)
		}
	}
}

func TestJSONOfAClientHasOneMeaning(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		`{}`: true, ` {"a":{"a":[1,"x",null,{"b":true}]}} `: true, `{"a":1,"A":2}`: true,
		`{"a":1,"a":1}`: false, `{"x":{"a":1,"\u0061":1}}`: false, `[]`: false, `"x"`: false, ``: false, `{`: false, `{"a"}`: false,
		`{"a":1}x`: false, `{"a":1,}`: false, "{\"a\":\"\xff\"}": false,
		`{"a":` + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1) + `}`: true,
		`{"a":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}`:     false,
		`{"a":[1` + strings.Repeat(",1", maxValues) + `]}`:                                false,
	} {
		if err := CheckJSON([]byte(text)); (err == nil) != good {
			t.Errorf("CheckJSON(%.60s) = %v, want good: %v", text, err, good)
		}
	}
}
