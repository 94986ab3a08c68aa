package servertest

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// StubEmail is an address of somebody at GitHub.
type StubEmail struct {
	Email      string  `json:"email"`
	Primary    bool    `json:"primary"`
	Verified   bool    `json:"verified"`
	Visibility *string `json:"visibility"`
}

// StubTeam is a team of somebody at GitHub.
type StubTeam struct{ Organization, Slug string }

// StubGitHub is somebody else's GitHub Enterprise: OAuth 2.0 without OpenID Connect,
// answers as forms for who does not ask for JSON, errors with the status 200, a mail
// address that /user hides, and lists in pages. Change it by [StubGitHub.Set] once it is in use.
type StubGitHub struct {
	URL              string
	ClientID, Secret string
	// ID, Login and so on are who signs in next.
	ID          int64
	Login, Name string
	Emails      []StubEmail
	Teams       []StubTeam // and the organizations they are of
	// Scopes are what the person grants of what is asked for; nil is all of it.
	Scopes []string

	// Before may take a request over, as in [StubOIDC].
	Before  func(w http.ResponseWriter, r *http.Request) bool
	Respond func(answer url.Values)     // changes the authorization response
	Grant   func(tokens map[string]any) // changes the token response
	Tell    func(user map[string]any)   // changes /user

	mu     sync.Mutex
	asked  map[string]int
	codes  map[string]url.Values
	tokens map[string]string // scopes by access token
}

// NewStubGitHub starts a GitHub; it stops when the test ends.
func NewStubGitHub(t testing.TB) *StubGitHub {
	t.Helper()
	g := &StubGitHub{
		ClientID: "Iv1.8a61f9b3a7aba766", Secret: "gh-secret", ID: 583231, Login: "octopat", Name: "Pat Doe",
		Emails: []StubEmail{
			{Email: "583231+octopat@users.noreply.github.com", Verified: true},
			{Email: "old@example.com", Verified: false},
			{Email: "pat@example.com", Primary: true, Verified: true},
		},
		asked: map[string]int{}, codes: map[string]url.Values{}, tokens: map[string]string{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login/oauth/authorize", g.authorize)
	mux.HandleFunc("POST /login/oauth/access_token", g.token)
	mux.HandleFunc("GET /api/v3/user", g.read("", g.user))
	mux.HandleFunc("GET /api/v3/user/emails", g.read("user:email", func() any { return g.Emails }))
	mux.HandleFunc("GET /api/v3/user/orgs", g.read("read:org", g.orgs))
	mux.HandleFunc("GET /api/v3/user/teams", g.read("read:org", g.teams))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.asked[r.URL.Path]++
		before := g.Before
		g.mu.Unlock()
		if before != nil && before(w, r) {
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	g.URL = server.URL
	return g
}

// Set changes the stub while it runs.
func (g *StubGitHub) Set(change func(g *StubGitHub)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
}

// Asked returns how often a path was asked for.
func (g *StubGitHub) Asked(path string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked[path]
}

func (g *StubGitHub) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Get("client_id") != g.ClientID {
		http.NotFound(w, r) // which is what GitHub shows
		return
	}
	code := strings.ToLower(rand.Text())[:20]
	g.codes[code] = query
	answer := url.Values{"code": {code}, "state": {query.Get("state")}}
	if g.Respond != nil {
		g.Respond(answer)
	}
	stubRedirect(w, query.Get("redirect_uri"), answer)
}

func (g *StubGitHub) token(w http.ResponseWriter, r *http.Request) {
	code := r.PostFormValue("code")
	asked, known := g.codes[code]
	var tokens map[string]any
	switch {
	case r.PostFormValue("client_id") != g.ClientID || r.PostFormValue("client_secret") != g.Secret:
		tokens = map[string]any{
			"error": "incorrect_client_credentials", "error_description": "The client_id and/or client_secret passed are incorrect.",
		}
	case !known || r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") ||
		asked.Has("code_challenge") && stubChallenge(r.PostFormValue("code_verifier")) != asked.Get("code_challenge"):
		tokens = map[string]any{
			"error": "bad_verification_code", "error_description": "The code passed is incorrect or expired.",
		}
	default:
		delete(g.codes, code)
		scopes := g.Scopes
		if scopes == nil {
			scopes = strings.Fields(asked.Get("scope"))
		}
		access := "gho_" + rand.Text()
		g.tokens[access] = strings.Join(scopes, ",")
		tokens = map[string]any{"access_token": access, "token_type": "bearer", "scope": g.tokens[access]}
	}
	if g.Grant != nil {
		g.Grant(tokens)
	}
	if r.Header.Get("Accept") == "application/json" {
		stubReply(w, http.StatusOK, tokens)
		return
	}
	form := url.Values{}
	for name, value := range tokens {
		if text, is := value.(string); is {
			form.Set(name, text)
		}
	}
	w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	_, _ = w.Write([]byte(form.Encode())) // who asks sees it
}

// read answers with a document to who has an access token with a scope.
func (g *StubGitHub) read(scope string, what func() any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		access, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		scopes, known := g.tokens[access]
		switch {
		case r.UserAgent() == "":
			http.Error(w, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header", http.StatusForbidden)
		case !known:
			stubReply(w, http.StatusUnauthorized, map[string]string{"message": "Bad credentials"})
		case !strings.Contains(","+scopes+",", ","+scope) && scope != "":
			stubReply(w, http.StatusNotFound, map[string]string{"message": "Not Found"})
		default:
			body := what()
			if many, is := body.([]any); is {
				body = page(many, r.URL.Query())
			}
			stubReply(w, http.StatusOK, body)
		}
	}
}

// page returns a page of a list: thirty, if nobody asks for more.
func page(all []any, query url.Values) []any {
	size, err := strconv.Atoi(query.Get("per_page"))
	if err != nil || size > 100 {
		size = 30
	}
	number, err := strconv.Atoi(query.Get("page"))
	if err != nil {
		number = 1
	}
	from := min((number-1)*size, len(all))
	return all[from:min(from+size, len(all))]
}

func (g *StubGitHub) user() any {
	user := map[string]any{
		"id": g.ID, "login": g.Login, "name": g.Name, "email": nil, "avatar_url": "https://avatars.example/u/583231?v=4", "type": "User",
	}
	if g.Tell != nil {
		g.Tell(user)
	}
	return user
}

func (g *StubGitHub) orgs() any {
	seen, out := map[string]bool{}, []any{}
	for _, team := range g.Teams {
		if !seen[team.Organization] {
			seen[team.Organization] = true
			out = append(out, map[string]any{"login": team.Organization, "id": len(seen)})
		}
	}
	return out
}

func (g *StubGitHub) teams() any {
	out := []any{}
	for i, team := range g.Teams {
		out = append(out, map[string]any{
			"id": i + 1, "slug": team.Slug, "name": team.Slug, "organization": map[string]any{"login": team.Organization},
		})
	}
	return out
}
