package servertest

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// stubKey is the key of all stubs: RSA keys are slow to make.
var stubKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// StubOIDC is somebody else's OpenID provider: a real server that signs in whoever
// [StubOIDC.Person] is, without a question. It is strict with its clients, and the hooks
// make it lie to them. Change it by [StubOIDC.Set] once it is in use.
type StubOIDC struct {
	URL string
	// Issuer is what a provider is set to that leads here.
	Issuer           string
	ClientID, Secret string
	// Person are the claims about who signs in next, for the ID token. What of them
	// Userinfo names is only at userinfo.
	Person   map[string]any
	Userinfo []string
	// SignedInAt is when they signed in here. prompt=login is as if they did again.
	SignedInAt time.Time

	// Before may take a request over, by writing an answer and returning true: to
	// be slow, down, or endless. It runs outside the lock.
	Before   func(w http.ResponseWriter, r *http.Request) bool
	Announce func(metadata map[string]any)     // changes the metadata
	Respond  func(answer url.Values)           // changes the authorization response
	Claim    func(claims map[string]any)       // changes the ID token
	Sign     func(payload []byte) (jwt string) // replaces its signature
	Grant    func(tokens map[string]any)       // changes the token response
	Tell     func(info map[string]any)         // changes userinfo
	// Inform replaces userinfo as a whole, by its content type and body.
	Inform func(info map[string]any) (kind, body string)
	// Proves looks at a client assertion, where a client sends one in the place of
	// the secret.
	Proves func(assertion string) bool

	// KeyIssuer is which issuer the key of [NewStubMicrosoft] is for: "" for that of any tenant,
	// "none" for a key that does not say.
	KeyIssuer string
	// Ended are the parameters of the last request to end a session.
	Ended url.Values

	t      testing.TB
	places places
	key    *rsa.PrivateKey
	kid    string

	mu     sync.Mutex
	asked  map[string]int
	codes  map[string]url.Values     // what each code was asked for with
	people map[string]map[string]any // by access token
}

// places are the paths of a provider.
type places struct{ metadata, authorize, token, keys, userinfo, end string }

// NewStubOIDC starts a provider that is as the specifications have it; it stops
// when the test ends.
func NewStubOIDC(t testing.TB) *StubOIDC {
	t.Helper()
	return newStub(t, places{
		"/.well-known/openid-configuration", "/authorize", "/token", "/keys", "/userinfo", "/end",
	})
}

func newStub(t testing.TB, at places) *StubOIDC {
	t.Helper()
	key, err := stubKey()
	if err != nil {
		t.Fatal(err)
	}
	s := &StubOIDC{
		t: t, key: key, kid: rand.Text(), places: at, ClientID: "authy-at-stub", Secret: "s3cret/with+signs",
		SignedInAt: time.Now().Add(-time.Hour),
		Person: map[string]any{
			"sub": "person-1", "email": "pat@example.com", "email_verified": true, "name": "Pat Doe",
		},
		asked: map[string]int{}, codes: map[string]url.Values{}, people: map[string]map[string]any{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+at.metadata, s.metadata)
	mux.HandleFunc("GET "+at.authorize, s.authorize)
	mux.HandleFunc("POST "+at.token, s.token)
	mux.HandleFunc("GET "+at.keys, s.keySet)
	mux.HandleFunc("GET "+at.userinfo, s.userinfo)
	if at.end != "" {
		mux.HandleFunc(at.end, s.end)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked[r.URL.Path]++
		before := s.Before
		s.mu.Unlock()
		if before != nil && before(w, r) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.URL, s.Issuer = server.URL, server.URL
	return s
}

// Set changes the stub while it runs.
func (s *StubOIDC) Set(change func(s *StubOIDC)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// Asked returns how often a path was asked for.
func (s *StubOIDC) Asked(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[path]
}

// Token returns claims as a token that the stub has signed, with the header typ.
func (s *StubOIDC) Token(typ string, claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		s.t.Error(err)
	}
	options := new(jose.SignerOptions).WithType(jose.ContentType(typ))
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: s.key, KeyID: s.kid},
	}, options)
	if err != nil {
		s.t.Error(err)
		return ""
	}
	object, err := signer.Sign(payload)
	if err != nil {
		s.t.Error(err)
		return ""
	}
	text, err := object.CompactSerialize()
	if err != nil {
		s.t.Error(err)
	}
	return text
}

// LogoutToken returns a token that says that the sessions of a subject, or the one
// of a session id, have ended (OpenID Connect Back-Channel Logout 1.0, section 2.4).
func (s *StubOIDC) LogoutToken(subject, sessionID string) string {
	now := time.Now()
	claims := map[string]any{
		"iss": s.Issuer, "aud": s.ClientID, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": rand.Text(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if subject != "" {
		claims["sub"] = subject
	}
	if sessionID != "" {
		claims["sid"] = sessionID
	}
	return s.Token("logout+jwt", claims)
}

func (s *StubOIDC) metadata(w http.ResponseWriter, _ *http.Request) {
	document := map[string]any{
		"issuer": s.Issuer, "authorization_endpoint": s.URL + s.places.authorize,
		"token_endpoint": s.URL + s.places.token, "jwks_uri": s.URL + s.places.keys,
		"userinfo_endpoint": s.URL + s.places.userinfo, "end_session_endpoint": s.URL + s.places.end,
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported":          []string{"RS256"},
		"scopes_supported":                               []string{"openid", "profile", "email", "groups"},
		"token_endpoint_auth_methods_supported":          []string{"client_secret_basic"},
		"authorization_response_iss_parameter_supported": true,
		"backchannel_logout_supported":                   true,
	}
	if s.Announce != nil {
		s.Announce(document)
	}
	stubReply(w, http.StatusOK, document)
}

func (s *StubOIDC) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Get("client_id") != s.ClientID || query.Get("response_type") != "code" || query.Get("nonce") == "" ||
		query.Get("code_challenge_method") != "S256" || !slices.Contains(strings.Fields(query.Get("scope")), "openid") {
		http.Error(w, "a bad request", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	s.codes[code] = query
	answer := url.Values{"code": {code}, "state": {query.Get("state")}, "iss": {s.Issuer}}
	if s.Respond != nil {
		s.Respond(answer)
	}
	stubAnswer(w, query, answer)
}

// stubAnswer brings a browser back with an answer, as the client wants it.
func stubAnswer(w http.ResponseWriter, query, answer url.Values) {
	if query.Get("response_mode") != "form_post" {
		stubRedirect(w, query.Get("redirect_uri"), answer)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	page := `<!DOCTYPE html><body onload="document.forms[0].submit()"><form method="post" action="` +
		html.EscapeString(query.Get("redirect_uri")) + `">`
	for _, name := range slices.Sorted(maps.Keys(answer)) {
		page += fmt.Sprintf(`<input type="hidden" name="%s" value="%s">`, name, html.EscapeString(answer.Get(name)))
	}
	_, _ = w.Write([]byte(page + `<button>Continue</button></form>`)) // the browser is the test's
}

func (s *StubOIDC) token(w http.ResponseWriter, r *http.Request) {
	id, secret, basic := r.BasicAuth()
	if basic { // RFC 6749, section 2.3.1
		id, secret = stubUnescape(id), stubUnescape(secret)
	} else {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if s.Proves != nil && r.PostFormValue("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" &&
		s.Proves(r.PostFormValue("client_assertion")) {
		secret = s.Secret
	}
	if id != s.ClientID || secret != s.Secret || basic && r.PostForm.Has("client_secret") {
		stubFail(w, http.StatusUnauthorized, "invalid_client", "The client is not known by this secret.")
		return
	}
	code := r.PostFormValue("code")
	asked, known := s.codes[code]
	delete(s.codes, code)
	if !known || r.PostFormValue("grant_type") != "authorization_code" ||
		r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") ||
		stubChallenge(r.PostFormValue("code_verifier")) != asked.Get("code_challenge") {
		stubFail(w, http.StatusBadRequest, "invalid_grant", "The code is not good.")
		return
	}
	access := rand.Text()
	s.people[access] = maps.Clone(s.Person)
	tokens := map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": 3600, "scope": asked.Get("scope"),
		"id_token": s.idToken(asked, access),
	}
	if s.Grant != nil {
		s.Grant(tokens)
	}
	stubReply(w, http.StatusOK, tokens)
}

func (s *StubOIDC) idToken(asked url.Values, access string) string {
	now := time.Now()
	sum := sha256.Sum256([]byte(access))
	claims := maps.Clone(s.Person)
	for _, name := range s.Userinfo {
		delete(claims, name)
	}
	at := s.SignedInAt
	if asked.Get("prompt") == "login" {
		at = now
	}
	maps.Copy(claims, map[string]any{
		"iss": s.Issuer, "aud": s.ClientID, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"nonce": asked.Get("nonce"), "auth_time": at.Unix(), "at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
	})
	if s.Claim != nil {
		s.Claim(claims)
	}
	if s.Sign == nil {
		return s.Token("JWT", claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		s.t.Error(err)
	}
	return s.Sign(payload)
}

func (s *StubOIDC) keySet(w http.ResponseWriter, _ *http.Request) {
	stubReply(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: s.key.Public(), KeyID: s.kid, Algorithm: "RS256", Use: "sig"},
	}})
}

func (s *StubOIDC) userinfo(w http.ResponseWriter, r *http.Request) {
	access, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	info, known := s.people[access]
	if !known {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	info = maps.Clone(info)
	if s.Tell != nil {
		s.Tell(info)
	}
	if s.Inform != nil {
		kind, body := s.Inform(info)
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write([]byte(body)) // who asks sees what is missing
		return
	}
	stubReply(w, http.StatusOK, info)
}

func (s *StubOIDC) end(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "a bad form", http.StatusBadRequest)
		return
	}
	s.Ended = maps.Clone(r.Form)
	back := url.Values{"state": r.Form["state"]}
	stubRedirect(w, cmp.Or(r.Form.Get("post_logout_redirect_uri"), "/"), back)
}

// stubRedirect sends a browser where the client wants it: a stub is for any client.
func stubRedirect(w http.ResponseWriter, to string, answer url.Values) {
	w.Header().Set("Location", to+"?"+answer.Encode())
	w.WriteHeader(http.StatusFound)
}

func stubChallenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func stubUnescape(text string) string {
	out, err := url.QueryUnescape(text)
	if err != nil {
		return text
	}
	return out
}

func stubReply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who asks sees what is missing
}

func stubFail(w http.ResponseWriter, status int, code, description string) {
	stubReply(w, status, map[string]string{"error": code, "error_description": description})
}
