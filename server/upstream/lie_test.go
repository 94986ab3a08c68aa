package upstream_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authy/server/provider"
	"authy/server/servertest"
)

type claims = map[string]any

func TestAnIDTokenThatIsNotRightIsRefused(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubOIDC(t), newService()
	p := at(provider.OIDC, stub)
	for name, c := range map[string]struct {
		claim  func(claims)
		reason string
	}{
		"wrong aud":            {func(c claims) { c["aud"] = "another" }, "wrong_audience"},
		"no aud":               {func(c claims) { delete(c, "aud") }, "wrong_audience"},
		"aud of a number":      {func(c claims) { c["aud"] = 1 }, "wrong_audience"},
		"extra aud, no azp":    {func(c claims) { c["aud"] = []string{p.ClientID, "another"} }, "wrong_party"},
		"azp of another":       {func(c claims) { c["azp"] = "another" }, "wrong_party"},
		"azp of nobody":        {func(c claims) { c["azp"] = "" }, "wrong_party"},
		"wrong iss":            {func(c claims) { c["iss"] = stub.Issuer + "/" }, "wrong_issuer"},
		"no iss":               {func(c claims) { delete(c, "iss") }, "wrong_issuer"},
		"expired":              {func(c claims) { c["exp"] = time.Now().Add(-time.Second).Unix() }, "expired_token"},
		"no exp":               {func(c claims) { delete(c, "exp") }, "wrong_times"},
		"exp of a text":        {func(c claims) { c["exp"] = "9999999999" }, "wrong_times"},
		"iat in ten minutes":   {func(c claims) { c["iat"] = time.Now().Add(10 * time.Minute).Unix() }, "wrong_times"},
		"no iat":               {func(c claims) { delete(c, "iat") }, "wrong_times"},
		"nbf in ten minutes":   {func(c claims) { c["nbf"] = time.Now().Add(10 * time.Minute).Unix() }, "wrong_times"},
		"no nonce":             {func(c claims) { delete(c, "nonce") }, "wrong_nonce"},
		"another nonce":        {func(c claims) { c["nonce"] = "n" }, "wrong_nonce"},
		"empty nonce":          {func(c claims) { c["nonce"] = "" }, "wrong_nonce"},
		"bad at_hash":          {func(c claims) { c["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" }, "wrong_access_hash"},
		"at_hash of null":      {func(c claims) { c["at_hash"] = nil }, "wrong_access_hash"},
		"no sub":               {func(c claims) { delete(c, "sub") }, "bad_subject"},
		"empty sub":            {func(c claims) { c["sub"] = "" }, "bad_subject"},
		"sub of a number":      {func(c claims) { c["sub"] = 7 }, "bad_subject"},
		"long sub":             {func(c claims) { c["sub"] = strings.Repeat("s", 256) }, "bad_subject"},
		"sub with a control":   {func(c claims) { c["sub"] = "person-1\x00" }, "bad_subject"},
		"sub that is no UTF-8": {func(c claims) { c["sub"] = "person-1\xff" }, "bad_subject"},
	} {
		stub.Set(func(s *servertest.StubOIDC) { s.Claim = c.claim })
		got, err := come(t, s, p, provider.Ask{})
		refused(t, "FE-11 "+name, err, provider.Untrue, c.reason)
		if got != nil {
			t.Errorf("FE-11 %s: a statement and a refusal", name)
		}
	}
	stub.Set(func(s *servertest.StubOIDC) {
		s.Claim = func(c claims) { c["aud"], c["azp"] = []string{"another", p.ClientID}, p.ClientID; delete(c, "at_hash") }
	})
	if _, err := come(t, s, p, provider.Ask{}); err != nil {
		t.Errorf("with two audiences and azp, without at_hash: %v", err)
	}
}

// mac signs with a secret.
func mac(t *testing.T, secret, payload []byte) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, nil)
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

func TestAnIDTokenThatTheProviderDidNotSignIsRefused(t *testing.T) {
	t.Parallel()
	stub, other := servertest.NewStubOIDC(t), servertest.NewStubOIDC(t)
	stub.Secret = strings.Repeat("long-enough-", 4)
	p, s := at(provider.OIDC, stub), newService()
	b64 := base64.RawURLEncoding.EncodeToString
	for name, c := range map[string]struct {
		sign   func(payload []byte) string
		kind   provider.Fault
		reason string
	}{
		"alg none":        {func(p []byte) string { return b64([]byte(`{"alg":"none"}`)) + "." + b64(p) + "." }, provider.Untrue, "wrong_algorithm"},
		"alg nOnE":        {func(p []byte) string { return b64([]byte(`{"alg":"nOnE"}`)) + "." + b64(p) + "." }, provider.Untrue, "wrong_algorithm"},
		"HS256 by secret": {func(payload []byte) string { return mac(t, []byte(p.Secret), payload) }, provider.Untrue, "wrong_algorithm"},
		"unknown kid": {func(payload []byte) string {
			var c claims
			if err := json.Unmarshal(payload, &c); err != nil {
				t.Error(err)
			}
			return other.Token("JWT", c)
		}, provider.Untrue, "wrong_signature"},
		"a payload changed": {func(payload []byte) string {
			parts := strings.Split(stub.Token("JWT", claims{"sub": "x"}), ".")
			return parts[0] + "." + b64(payload) + "." + parts[2]
		}, provider.Untrue, "wrong_signature"},
		"encrypted": {func([]byte) string { return "a.b.c.d.e" }, provider.Misconfigured, "encrypted_token"},
		"no token":  {func([]byte) string { return "token" }, provider.Untrue, "bad_token"},
		"missing":   {func([]byte) string { return "" }, provider.Untrue, "no_id_token"},
		"a claim twice": {func(p []byte) string {
			return b64([]byte(`{"alg":"RS256"}`)) + "." + b64([]byte(`{"sub":"a",`+string(p[1:]))) + ".AA"
		}, provider.Untrue, "bad_token"},
		"a critical one": {func(p []byte) string { return b64([]byte(`{"alg":"RS256","crit":["x"],"x":1}`)) + "." + b64(p) + ".AA" }, provider.Untrue, "bad_token"},
		"an access token": {func(payload []byte) string {
			var c claims
			if err := json.Unmarshal(payload, &c); err != nil {
				t.Error(err)
			}
			return stub.Token("at+jwt", c)
		}, provider.Untrue, "wrong_token_type"},
	} {
		stub.Set(func(s *servertest.StubOIDC) { s.Sign = c.sign })
		_, err := come(t, s, p, provider.Ask{})
		refused(t, "FE-11 "+name, err, c.kind, c.reason)
	}
	if n := stub.Asked("/keys"); n > 2 {
		t.Errorf("Z-33: the keys were asked for %d times, want twice at most", n)
	}
}

func TestMetadataThatIsNotTheProvidersIsRefused(t *testing.T) {
	t.Parallel()
	elsewhere := "https://evil.example"
	for name, c := range map[string]struct {
		announce func(claims)
		reason   string
	}{
		"issuer of another":    {func(m claims) { m["issuer"] = elsewhere }, "wrong_metadata"},
		"issuer with a slash":  {func(m claims) { m["issuer"] = m["issuer"].(string) + "/" }, "wrong_metadata"},
		"no issuer":            {func(m claims) { delete(m, "issuer") }, "wrong_metadata"},
		"issuer of a number":   {func(m claims) { m["issuer"] = 1 }, "bad_metadata"},
		"authorization http":   {func(m claims) { m["authorization_endpoint"] = "http://evil.example/" }, "bad_metadata"},
		"authorization script": {func(m claims) { m["authorization_endpoint"] = "javascript:alert(1)" }, "bad_metadata"},
		"token http":           {func(m claims) { m["token_endpoint"] = "http://evil.example/" }, "bad_metadata"},
		"token private":        {func(m claims) { m["token_endpoint"] = "http://10.0.0.1/" }, "bad_metadata"},
		"token missing":        {func(m claims) { delete(m, "token_endpoint") }, "bad_metadata"},
		"keys http":            {func(m claims) { m["jwks_uri"] = "http://evil.example/" }, "bad_metadata"},
		"keys missing":         {func(m claims) { delete(m, "jwks_uri") }, "bad_metadata"},
		"userinfo http":        {func(m claims) { m["userinfo_endpoint"] = "http://evil.example/" }, "bad_metadata"},
		"logout http":          {func(m claims) { m["end_session_endpoint"] = "http://evil.example/" }, "bad_metadata"},
		"a fragment":           {func(m claims) { m["authorization_endpoint"] = m["authorization_endpoint"].(string) + "#x" }, "bad_metadata"},
		"no method of ours":    {func(m claims) { m["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt"} }, "no_client_authentication"},
	} {
		stub := servertest.NewStubOIDC(t)
		stub.Announce = c.announce
		_, err := newService().Begin(t.Context(), at(provider.OIDC, stub), provider.Ask{State: "s", ReturnURL: returnURL})
		refused(t, "FE-13 "+name, err, provider.Misconfigured, c.reason)
	}
}

// over answers a path of a stub in another way.
func over(stub *servertest.StubOIDC, path string, answer http.HandlerFunc) {
	stub.Set(func(s *servertest.StubOIDC) {
		s.Before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == path {
				answer(w, r)
			}
			return r.URL.Path == path
		}
	})
}

func endless(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := w.Write([]byte(strings.Repeat(" ", 1<<16))); err != nil {
			return
		}
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func body(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		w.Write([]byte(text)) //nolint:errcheck // a test
	}
}

func TestAnswersThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	var leaked bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked = true }))
	t.Cleanup(elsewhere.Close)
	away := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, code) }
	}
	for name, c := range map[string]struct {
		path   string
		answer http.HandlerFunc
		kind   provider.Fault
		reason string
	}{
		"metadata missing":     {"/.well-known/openid-configuration", status(404), provider.Unreachable, "no_metadata"},
		"metadata redirected":  {"/.well-known/openid-configuration", away(302), provider.Unreachable, "no_metadata"},
		"metadata no JSON":     {"/.well-known/openid-configuration", body(200, "<html>"), provider.Misconfigured, "bad_metadata"},
		"metadata endless":     {"/.well-known/openid-configuration", endless, provider.Untrue, "answer_too_long"},
		"token redirected":     {"/token", away(307), provider.Misconfigured, "token_redirected"},
		"token endless":        {"/token", endless, provider.Untrue, "answer_too_long"},
		"token down":           {"/token", status(503), provider.Unreachable, "token_failed"},
		"token no JSON":        {"/token", body(200, "<html>"), provider.Untrue, "bad_token_answer"},
		"token null":           {"/token", body(200, "null"), provider.Untrue, "bad_token_answer"},
		"token a list":         {"/token", body(200, "[]"), provider.Untrue, "bad_token_answer"},
		"token refused":        {"/token", status(403), provider.Misconfigured, "token_refused"},
		"token of another":     {"/token", body(401, `{"error":"invalid_client"}`), provider.Misconfigured, "invalid_client"},
		"token error 200":      {"/token", body(200, `{"error":"invalid_grant"}`), provider.Untrue, "invalid_grant"},
		"token error of 1":     {"/token", body(200, `{"error":1,"access_token":"a","token_type":"Bearer"}`), provider.Misconfigured, "token_refused"},
		"token error unknown":  {"/token", body(400, `{"error":"<script>"}`), provider.Misconfigured, "token_refused"},
		"token of a MAC":       {"/token", body(200, `{"access_token":"a","token_type":"mac","id_token":"a"}`), provider.Untrue, "bad_token_answer"},
		"token with a newline": {"/token", body(200, `{"access_token":"a\r\nX: y","token_type":"Bearer","id_token":"a"}`), provider.Untrue, "bad_token_answer"},
		"keys down":            {"/keys", status(500), provider.Unreachable, "no_keys"},
		"keys endless":         {"/keys", endless, provider.Unreachable, "no_keys"},
		"keys of nobody":       {"/keys", body(200, `{"keys":[]}`), provider.Untrue, "wrong_signature"},
		"userinfo down":        {"/userinfo", status(500), provider.Unreachable, "userinfo_refused"},
		"userinfo forbidden":   {"/userinfo", status(401), provider.Untrue, "userinfo_refused"},
		"userinfo redirected":  {"/userinfo", away(302), provider.Untrue, "userinfo_refused"},
		"userinfo a JWT":       {"/userinfo", body(200, "a.b.c"), provider.Untrue, "bad_userinfo"},
		"userinfo endless":     {"/userinfo", endless, provider.Untrue, "answer_too_long"},
		"userinfo of another":  {"/userinfo", body(200, `{"sub":"person-2"}`), provider.Untrue, "wrong_userinfo_subject"},
		"userinfo of nobody":   {"/userinfo", body(200, `{"email":"a@example.com"}`), provider.Untrue, "wrong_userinfo_subject"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stub := servertest.NewStubOIDC(t)
			stub.Userinfo = []string{"email"} // so that it is asked
			over(stub, c.path, c.answer)
			_, err := come(t, newService(), at(provider.OIDC, stub), provider.Ask{})
			refused(t, name, err, c.kind, c.reason)
		})
	}
	t.Cleanup(func() {
		if leaked {
			t.Error("FE-13: a redirect was followed")
		}
	})
}

func TestAProviderThatIsSlowOrDownIsGivenUp(t *testing.T) {
	t.Parallel()
	stall := func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil { // once it is read, the end of the connection is seen
			t.Error(err)
		}
		<-r.Context().Done()
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/token", "/keys", "/userinfo"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			stub := servertest.NewStubOIDC(t)
			stub.Userinfo = []string{"email"}
			over(stub, path, stall)
			began := time.Now()
			_, err := come(t, newService(), at(provider.OIDC, stub), provider.Ask{})
			reason := map[bool]string{true: "no_keys", false: "too_slow"}[path == "/keys"]
			refused(t, path, err, provider.Unreachable, reason)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("%s: given up after %v", path, took)
			}
		})
	}
	t.Run("down", func(t *testing.T) {
		t.Parallel()
		gone := httptest.NewServer(nil)
		gone.Close()
		stub := servertest.NewStubOIDC(t)
		p := at(provider.OIDC, stub)
		p.Issuer = gone.URL
		_, err := come(t, newService(), p, provider.Ask{})
		refused(t, "down", err, provider.Unreachable, "unreachable")
	})
	t.Run("certificate", func(t *testing.T) {
		t.Parallel()
		untrusted := httptest.NewTLSServer(nil)
		t.Cleanup(untrusted.Close)
		p := at(provider.OIDC, servertest.NewStubOIDC(t))
		p.Issuer = untrusted.URL
		_, err := come(t, newService(), p, provider.Ask{})
		refused(t, "a certificate of nobody", err, provider.Unreachable, "bad_certificate")
	})
	t.Run("private", func(t *testing.T) {
		t.Parallel()
		p := at(provider.OIDC, servertest.NewStubOIDC(t))
		for _, issuer := range []string{"https://10.0.0.1", "https://169.254.169.254", "http://evil.example", ""} {
			p.Issuer = issuer
			_, err := come(t, newService(), p, provider.Ask{})
			refused(t, "issuer "+issuer, err, provider.Misconfigured, "address_not_allowed")
		}
	})
}

func TestUserinfoSaysWhatTheIDTokenLacks(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubOIDC(t), newService()
	stub.Person["groups"] = []string{"staff"}
	stub.Userinfo = []string{"email", "email_verified", "name", "groups"}
	p := at(provider.OIDC, stub)
	p.Options.Groups = "groups"
	got, err := come(t, s, p, provider.Ask{})
	if err != nil || got.Email != "pat@example.com" || !got.EmailVerified || got.Name != "Pat Doe" || len(got.Groups) != 1 {
		t.Errorf("all from userinfo: %+v, %v", got, err)
	}
	person := maps.Clone(stub.Person)
	for name, c := range map[string]struct {
		token, info claims
		email       string
		verified    bool
	}{
		"verified by the token, which has no address": {claims{"email_verified": true}, claims{"email": "b@example.com"}, "b@example.com", false},
		"verified by userinfo, of another address":    {claims{"email": "a@example.com"}, claims{"email": "b@example.com", "email_verified": true}, "a@example.com", false},
		"both by the token":                           {claims{"email": "a@example.com", "email_verified": true}, claims{"email": "b@example.com"}, "a@example.com", true},
		"both by userinfo":                            {claims{}, claims{"email": "b@example.com", "email_verified": "true"}, "b@example.com", true},
	} {
		stub.Set(func(s *servertest.StubOIDC) {
			s.Person = maps.Clone(person)
			delete(s.Person, "name")
			s.Userinfo = []string{"email", "email_verified"}
			s.Claim = func(all claims) { maps.Copy(all, c.token) }
			s.Tell = func(all claims) {
				delete(all, "email")
				delete(all, "email_verified")
				maps.Copy(all, c.info)
				all["amr"], all["auth_time"], all["sid"], all["acr"] = []string{"mfa"}, 1, "stolen", "phr"
			}
		})
		got, err := come(t, s, p, provider.Ask{})
		if err != nil || got.Email != c.email || got.EmailVerified != c.verified {
			t.Errorf("FE-04 %s: %+v, %v, want %s, verified: %v", name, got, err, c.email, c.verified)
		}
		if err == nil && (got.Methods != nil || got.SessionID != "" || got.Context != "" || got.AuthenticatedAt.Unix() == 1) {
			t.Errorf("%s: userinfo says how somebody has signed in: %+v", name, got)
		}
	}
}

func TestAnAddressIsVerifiedOnlyIfTheProviderSaysSo(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubOIDC(t), newService()
	p := at(provider.OIDC, stub)
	for _, c := range []struct {
		email, verified any
		want            string
		is              bool
	}{
		{"bob@acme-corp.com", true, "bob@acme-corp.com", true},
		{"Bob@Acme-Corp.com", "true", "bob@acme-corp.com", true},
		{"bob@acme-corp.com", false, "bob@acme-corp.com", false},
		{"bob@acme-corp.com", "false", "bob@acme-corp.com", false},
		{"bob@acme-corp.com", 1, "bob@acme-corp.com", false},
		{"bob@acme-corp.com", "yes", "bob@acme-corp.com", false},
		{"bob@acme-corp.com", nil, "bob@acme-corp.com", false},
		{"bob@acme-corp.com", []any{true}, "bob@acme-corp.com", false},
		{"bob@acme-corp.com\x00.evil.example", true, "", false},
		{"bob@acme-corp.com, eve@evil.example", true, "", false},
		{"bob@аcme-corp.com", true, "", false}, // with a Cyrillic letter
		{[]any{"bob@acme-corp.com"}, true, "", false},
		{"bob", true, "", false},
	} {
		stub.Set(func(s *servertest.StubOIDC) {
			s.Claim = func(all claims) { all["email"], all["email_verified"] = c.email, c.verified }
		})
		got, err := come(t, s, p, provider.Ask{})
		if err != nil || got.Email != c.want || got.EmailVerified != c.is {
			t.Errorf("FE-04 %v, verified %v: %+v, %v, want %q, %v", c.email, c.verified, got, err, c.want, c.is)
		}
	}
}
