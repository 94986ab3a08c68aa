package demo_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	clientID     = "portal"
	clientSecret = "portal-secret"
	subject      = "user-1"
)

// newKey is made once: RSA keys are slow.
var newKey = sync.OnceValues(func() (*rsa.PrivateKey, error) {
	return rsa.GenerateKey(rand.Reader, 2048)
})

// stub is an OpenID provider that signs user-1 in without a question. The hooks make it lie.
type stub struct {
	t   *testing.T
	url string
	key *rsa.PrivateKey

	mu     sync.Mutex
	codes  map[string]url.Values // what each code was asked for with
	access map[string]bool       // the access tokens in use
	fresh  map[string]bool       // the refresh tokens in use
	ended  url.Values            // the last request to end the session
	public bool                  // the client has no secret
	post   bool                  // the secret comes in the form

	announce func(document map[string]any) // changes discovery
	respond  func(response url.Values)     // changes the authorization response
	claim    func(claims map[string]any)   // changes the ID token
	sign     func(payload []byte) string   // replaces the signature
	grant    func(token map[string]any)    // changes the token response
	tell     func(userinfo map[string]any) // changes userinfo
}

func newStub(t *testing.T) *stub {
	t.Helper()
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	p := &stub{
		t: t, key: key,
		codes: map[string]url.Values{}, access: map[string]bool{}, fresh: map[string]bool{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /userinfo", p.userinfo)
	mux.HandleFunc("GET /end", p.end)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// set changes the stub while it runs.
func (p *stub) set(change func(p *stub)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *stub) discovery(w http.ResponseWriter, _ *http.Request) {
	document := map[string]any{
		"issuer":                 p.url,
		"authorization_endpoint": p.url + "/authorize",
		"token_endpoint":         p.url + "/token",
		"jwks_uri":               p.url + "/keys",
		"userinfo_endpoint":      p.url + "/userinfo",
		"end_session_endpoint":   p.url + "/end",
		"authorization_response_iss_parameter_supported": true,
		"id_token_signing_alg_values_supported":          []string{"RS256"},
	}
	if p.announce != nil {
		p.announce(document)
	}
	reply(w, http.StatusOK, document)
}

func (p *stub) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Get("client_id") != clientID || query.Get("response_type") != "code" ||
		query.Get("code_challenge_method") != "S256" || query.Get("nonce") == "" {
		http.Error(w, "a bad request", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.codes[code] = query
	response := url.Values{"code": {code}, "state": {query.Get("state")}, "iss": {p.url}}
	if p.respond != nil {
		p.respond(response)
	}
	http.Redirect(w, r, query.Get("redirect_uri")+"?"+response.Encode(), http.StatusSeeOther)
}

func (p *stub) token(w http.ResponseWriter, r *http.Request) {
	if !p.authentic(r) {
		fail(w, http.StatusUnauthorized, "invalid_client", "")
		return
	}
	switch r.PostFormValue("grant_type") {
	case "authorization_code":
		p.exchange(w, r)
	case "refresh_token":
		p.refresh(w, r)
	default:
		fail(w, http.StatusBadRequest, "unsupported_grant_type", "")
	}
}

// authentic reports whether the client is the one that the stub knows, by the method it should use.
func (p *stub) authentic(r *http.Request) bool {
	if p.public {
		return r.Header.Get("Authorization") == "" && r.PostFormValue("client_id") == clientID &&
			!r.PostForm.Has("client_secret")
	}
	if p.post {
		return r.Header.Get("Authorization") == "" && r.PostFormValue("client_id") == clientID &&
			r.PostFormValue("client_secret") == clientSecret
	}
	id, secret, ok := r.BasicAuth()
	return ok && id == clientID && secret == clientSecret
}

func (p *stub) exchange(w http.ResponseWriter, r *http.Request) {
	asked, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	// RFC 7636, section 4.6.
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	proof := base64.RawURLEncoding.EncodeToString(sum[:])
	if !ok || proof != asked.Get("code_challenge") ||
		r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") {
		fail(w, http.StatusBadRequest, "invalid_grant", "The code is not valid.")
		return
	}
	p.issue(w, asked.Get("nonce"))
}

func (p *stub) refresh(w http.ResponseWriter, r *http.Request) {
	old := r.PostFormValue("refresh_token")
	if !p.fresh[old] {
		fail(w, http.StatusBadRequest, "invalid_grant", "The refresh token is not valid.")
		return
	}
	delete(p.fresh, old)
	p.issue(w, "")
}

// issue answers with new tokens.
func (p *stub) issue(w http.ResponseWriter, nonce string) {
	access, refresh := rand.Text(), rand.Text()
	p.access[access], p.fresh[refresh] = true, true
	token := map[string]any{
		"access_token": access, "refresh_token": refresh, "token_type": "Bearer",
		"expires_in": 300, "scope": "openid profile email offline_access",
		"id_token": p.idToken(access, nonce),
	}
	if p.grant != nil {
		p.grant(token)
	}
	reply(w, http.StatusOK, token)
}

func (p *stub) idToken(access, nonce string) string {
	sum := sha256.Sum256([]byte(access))
	now := time.Now()
	claims := map[string]any{
		"iss": p.url, "sub": subject, "aud": clientID, "name": "Ada <b>Lovelace</b>",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if p.claim != nil {
		p.claim(claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		p.t.Error(err)
	}
	if p.sign != nil {
		return p.sign(payload)
	}
	return signed(p.t, p.key, payload)
}

// signed returns the payload as a JWT.
func signed(t *testing.T, key *rsa.PrivateKey, payload []byte) string {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "one"}}, nil)
	if err != nil {
		t.Error(err)
		return ""
	}
	object, err := signer.Sign(payload)
	if err != nil {
		t.Error(err)
		return ""
	}
	text, err := object.CompactSerialize()
	if err != nil {
		t.Error(err)
	}
	return text
}

func (p *stub) keys(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: p.key.Public(), KeyID: "one", Algorithm: "RS256", Use: "sig"},
	}})
}

func (p *stub) userinfo(w http.ResponseWriter, r *http.Request) {
	token, ok := bearer(r)
	if !ok || !p.access[token] {
		fail(w, http.StatusUnauthorized, "invalid_token", "")
		return
	}
	info := map[string]any{"sub": subject, "email": "ada@example.com"}
	if p.tell != nil {
		p.tell(info)
	}
	reply(w, http.StatusOK, info)
}

func (p *stub) end(w http.ResponseWriter, r *http.Request) {
	p.ended = maps.Clone(r.URL.Query())
	back := p.ended.Get("post_logout_redirect_uri")
	http.Redirect(w, r, back+"?"+url.Values{"state": p.ended["state"]}.Encode(), http.StatusSeeOther)
}

func bearer(r *http.Request) (string, bool) {
	const prefix = "Bearer "
	header := r.Header.Get("Authorization")
	if len(header) < len(prefix) || header[:len(prefix)] != prefix {
		return "", false
	}
	return header[len(prefix):], true
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is the test, which sees what is missing
}

func fail(w http.ResponseWriter, status int, code, description string) {
	reply(w, status, map[string]string{"error": code, "error_description": description})
}
