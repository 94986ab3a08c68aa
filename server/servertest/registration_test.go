package servertest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

const clientsPath = "/oidc/register"

// registering starts a server at which clients may register themselves.
func registering(t *testing.T, engine, mode string, more ...func(*config.Config)) *servertest.Server {
	t.Helper()
	return servertest.Start(t, servertest.Options{
		DatabaseURL: storagetest.Migrated(t, engine),
		Configure: func(c *config.Config) {
			c.OpenID.Registration = mode
			c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			for _, change := range more {
				change(c)
			}
		},
	})
}

// enroll sends a description of a client, with a token or "" for none.
func enroll(t *testing.T, s *servertest.Server, token string, description any) reply {
	t.Helper()
	return manage(t, http.MethodPost, s.URL+clientsPath, token, description)
}

// manage sends a request about the registration of a client.
func manage(t *testing.T, method, address, token string, description any) reply {
	t.Helper()
	body, isText := description.(string)
	if !isText && description != nil {
		text, err := json.Marshal(description)
		if err != nil {
			t.Fatal(err)
		}
		body = string(text)
	}
	return raw(t, method, address, body, func(r *http.Request) {
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	})
}

// registeredOf requires that a client was registered, and returns it.
func registeredOf(t *testing.T, r reply) (a app, token string) {
	t.Helper()
	if r.status != http.StatusCreated {
		t.Fatalf("registration = %d %s, want 201", r.status, r.body)
	}
	if r.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(r.header.Get("Content-Type"), "application/json") {
		t.Errorf("registration has the header %v", r.header)
	}
	a.id, _ = r.fields["client_id"].(string)
	a.secret, _ = r.fields["client_secret"].(string)
	if uris, _ := r.fields["redirect_uris"].([]any); len(uris) > 0 {
		a.redirect, _ = uris[0].(string)
	}
	token, _ = r.fields["registration_access_token"].(string)
	return a, token
}

// initialToken makes a token that registers clients.
func initialToken(t *testing.T, s *servertest.Server, in registry.NewInitialToken) string {
	t.Helper()
	if in.Lifetime == 0 {
		in.Lifetime = time.Hour
	}
	_, text, err := s.Clients.MakeInitialToken(t.Context(), audit.Shell(), in)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var honestClient = object{"client_name": "An RP", "redirect_uris": []string{"https://rp.example/cb"}}

func honestBut(pairs ...any) object {
	out := maps.Clone(honestClient)
	for i := 0; i < len(pairs); i += 2 {
		out[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return out
}

func bothEngines(t *testing.T, fn func(t *testing.T, engine string)) {
	t.Helper()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			fn(t, engine)
		})
	}
}

func TestAClientThatRegistersItselfSignsItsUsersIn(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, engine string) {
		s := registering(t, engine, "open")
		discovery := raw(t, http.MethodGet, s.URL+"/.well-known/openid-configuration", "", nil)
		if discovery.fields["registration_endpoint"] != s.URL+clientsPath {
			t.Errorf("discovery = %s", discovery.body)
		}
		r := enroll(t, s, "", honestBut("grant_types", []string{"authorization_code", "refresh_token"},
			"client_name#de", "Eine RP", "an_unknown_member", object{"x": 1}, "CLIENT_ID", "mine", "Client_Secret", "mine"))
		a, token := registeredOf(t, r)
		want := map[string]any{
			"client_id": a.id, "client_secret": a.secret, "client_id_issued_at": r.fields["client_id_issued_at"],
			"client_secret_expires_at": 0., "registration_access_token": token,
			"registration_client_uri": s.URL + clientsPath + "/" + a.id, "client_name": "An RP", "application_type": "web",
			"redirect_uris": []any{"https://rp.example/cb"}, "response_types": []any{"code"},
			"grant_types": []any{"authorization_code", "refresh_token"}, "subject_type": "public",
			"scope":                      "openid profile email address phone offline_access roles groups",
			"token_endpoint_auth_method": "client_secret_basic", "id_token_signed_response_alg": "RS256",
		}
		if diff := cmp.Diff(want, r.fields); diff != "" {
			t.Errorf("the answer (-want +got):\n%s", diff)
		}
		if len(a.secret) != 43 || len(token) != 43 || r.fields["client_id_issued_at"] == 0. {
			t.Errorf("the answer = %s, want 256 bits each", r.body)
		}
		browser := servertest.Browser(t)
		got := a.tokens(t, s, browser)
		a.refresh(t, s, got.Refresh).tokens(t)
		alive(t, s, got.Access, true)
		// The same may be read, and ends with the client.
		read := manage(t, http.MethodGet, s.URL+clientsPath+"/"+a.id, token, nil)
		delete(want, "client_secret")
		delete(want, "client_secret_expires_at")
		if diff := cmp.Diff(want, read.fields); diff != "" || read.status != http.StatusOK {
			t.Errorf("what is read (-want +got):\n%s", diff)
		}
		if r := manage(t, http.MethodDelete, s.URL+clientsPath+"/"+a.id, token, nil); r.status != http.StatusNoContent || r.body != "" {
			t.Errorf("DELETE = %d %q, want 204", r.status, r.body)
		}
		alive(t, s, got.Access, false)
		manage(t, http.MethodGet, s.URL+clientsPath+"/"+a.id, token, nil).refused(t, http.StatusUnauthorized, "invalid_token")
		actions := map[string]string{}
		for _, e := range eventsNow(t, s) {
			if e.TargetID == a.id && strings.HasPrefix(e.Action, "client.") {
				actions[e.Action] = e.ActorKind + " " + e.Details
			}
		}
		if diff := cmp.Diff(map[string]string{"client.registered": `anonymous {"dynamic":"true"}`, "client.deleted": "client "}, actions); diff != "" {
			t.Errorf("audit (-want +got):\n%s", diff)
		}
	})
}

// TK-45, SD-08: nobody registers anything unless the server was told so.
func TestRegistrationIsAsOpenAsTheConfigurationSays(t *testing.T) {
	t.Parallel()
	evil := honestBut("organization_id", "01900001-0000-7000-8000-000000000001", "scope", "openid roles api:write", "skip_consent", true,
		"profile", "legacy", "require_pkce", false, "client_id", "mine", "client_secret", "mine", "allow", []string{"everyone"})
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		s := servertest.New(t)
		for _, path := range []string{clientsPath, clientsPath + "/acme-portal-001"} {
			for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodPut, http.MethodDelete} {
				if r := manage(t, method, s.URL+path, "x", evil); r.status != http.StatusNotFound {
					t.Errorf("TK-45 %s %s = %d, want 404", method, path, r.status)
				}
			}
		}
		if r := raw(t, http.MethodGet, s.URL+"/.well-known/openid-configuration", "", nil); r.fields["registration_endpoint"] != nil {
			t.Error("the endpoint is advertised")
		}
	})
	t.Run("open", func(t *testing.T) {
		t.Parallel()
		s := registering(t, "sqlite", "open")
		a, _ := registeredOf(t, enroll(t, s, "", evil))
		c, err := s.Clients.Client(t.Context(), a.id)
		if err != nil || c.OrganizationID != "" || c.SkipConsent || !c.RequirePKCE || registry.ProfileOf(c) != registry.OAuth21 ||
			a.id == "mine" || a.secret == "mine" || c.Scopes.String() != "openid roles" || !registry.IsDynamic(c) {
			t.Errorf("TK-45 the client is %+v, %v", c, err)
		}
		enroll(t, s, "not a token", evil).refused(t, http.StatusUnauthorized, "invalid_token")
	})
	bothEngines(t, func(t *testing.T, engine string) {
		s := registering(t, engine, "token")
		if r := enroll(t, s, "", evil); r.status != http.StatusUnauthorized || r.header.Get("WWW-Authenticate") != `Bearer realm="authy"` {
			t.Errorf("TK-45 without a token: %d %v", r.status, r.header)
		}
		enroll(t, s, letters(43), evil).refused(t, http.StatusUnauthorized, "invalid_token")
		acme, err := s.Orgs.BySlug(t.Context(), "acme-corp")
		if err != nil {
			t.Fatal(err)
		}
		token := initialToken(t, s, registry.NewInitialToken{Uses: 3, OrganizationID: acme.ID, Profile: registry.Legacy})
		enroll(t, s, token, honestBut("redirect_uris", []string{"https://a.example/#f"})).refused(t, 400, "invalid_redirect_uri")
		a, _ := registeredOf(t, enroll(t, s, token, honestClient))
		c, err := s.Clients.Client(t.Context(), a.id)
		if err != nil || string(c.OrganizationID) != acme.ID || c.RequirePKCE || registry.ProfileOf(c) != registry.Legacy || !c.ExpiresAt.IsZero() {
			t.Errorf("the client is %+v, %v", c, err)
		}
		// Two uses are left, however many come at once.
		var made atomic.Int64
		for _, r := range atOnce(8, func() reply { return enroll(t, s, token, honestClient) }) {
			switch r.status {
			case http.StatusCreated:
				made.Add(1)
			default:
				r.refused(t, http.StatusUnauthorized, "invalid_token")
			}
		}
		if made.Load() != 2 {
			t.Errorf("%d clients were registered with two uses", made.Load())
		}
	})
}

func TestAClientManagesItselfWithItsOwnTokenAlone(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, engine string) {
		s := registering(t, engine, "open")
		a, token := registeredOf(t, enroll(t, s, "", honestBut("logo_uri", "https://rp.example/logo.png")))
		_, foreign := registeredOf(t, enroll(t, s, "", honestClient))
		own := s.URL + clientsPath + "/" + a.id
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			for name, bad := range map[string]string{"another's": foreign, "a secret": a.secret, "a guess": letters(43)} {
				r := manage(t, method, own, bad, nil)
				r.refused(t, http.StatusUnauthorized, "invalid_token")
				if !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer ") {
					t.Errorf("%s with %s: %v", method, name, r.header)
				}
			}
			if r := manage(t, method, own, "", nil); r.status != http.StatusUnauthorized {
				t.Errorf("%s without a token: %d", method, r.status)
			}
			// Those that an administrator has made have no such token.
			manage(t, method, s.URL+clientsPath+"/acme-portal-001", token, nil).refused(t, http.StatusUnauthorized, "invalid_token")
			manage(t, method, s.URL+clientsPath+"/nobody", token, nil).refused(t, http.StatusUnauthorized, "invalid_token")
		}
		for name, bad := range map[string]object{
			"no client_id":       honestBut(),
			"another client_id":  honestBut("client_id", "acme-portal-001"),
			"another secret":     honestBut("client_id", a.id, "client_secret", "mine"),
			"its token":          honestBut("client_id", a.id, "registration_access_token", token),
			"its URI":            honestBut("client_id", a.id, "registration_client_uri", own),
			"its time":           honestBut("client_id", a.id, "client_id_issued_at", 1),
			"its secret's end":   honestBut("client_id", a.id, "client_secret_expires_at", 0),
			"another method":     honestBut("client_id", a.id, "token_endpoint_auth_method", "none"),
			"grants of machines": honestBut("client_id", a.id, "grant_types", []string{"client_credentials"}),
		} {
			t.Run(name, func(t *testing.T) {
				manage(t, http.MethodPut, own, token, bad).refused(t, http.StatusBadRequest, "invalid_client_metadata")
			})
		}
		r := manage(t, http.MethodPut, own, token, honestBut("client_id", a.id, "client_secret", a.secret, "client_name", "Another",
			"redirect_uris", []string{"https://other.example/cb"}, "scope", "openid email api:write"))
		if r.status != http.StatusOK || r.fields["client_name"] != "Another" || r.fields["scope"] != "openid email" ||
			r.fields["logo_uri"] != nil || r.text("registration_access_token") == token {
			t.Errorf("PUT = %d %s", r.status, r.body)
		}
		token = r.text("registration_access_token")
		moved := app{a.id, a.secret, "https://other.example/cb"}
		moved.tokens(t, s, servertest.Browser(t), "scope", "openid email")
		refusedHere(t, servertest.Get(t, servertest.Browser(t), authorizeURL(s, a.request("v"))), "redirect_uri")
		// A client that was disabled does nothing about it.
		if _, err := s.Clients.Update(t.Context(), audit.Shell(), "", a.id, func(in *registry.Registration) { in.Disabled = true }); err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			manage(t, method, own, token, honestBut("client_id", a.id)).refused(t, http.StatusForbidden, "access_denied")
		}
	})
}

func TestADescriptionThatDoesNotHoldIsRefused(t *testing.T) {
	t.Parallel()
	s := registering(t, "sqlite", "open")
	uris := func(uri ...string) object { return honestBut("redirect_uris", uri) }
	for name, bad := range map[string]any{
		"AZ-07 redirect-uri-regfrag": uris("https://rp.example/cb#frag"), "AZ-07 an empty fragment": uris("https://rp.example/cb#"),
		"AZ-13 javascript": uris("javascript:alert(1)//"), "AZ-13 data": uris("data:text/html,x"), "AZ-13 vbscript": uris("vbscript:x"),
		"AZ-13 file": uris("file:///etc/passwd"), "AZ-14 a wildcard host": uris("https://*.acme-corp.com/cb"),
		"AZ-14 a wildcard path": uris("https://acme-corp.com/*"), "AZ-14 a wildcard": uris("*"), "Z-03 a glob": uris("https://a.example/[a-z]"),
		"AZ-09 a query of the answer": uris("https://rp.example/cb?code=x"), "plain http": uris("http://rp.example/cb"),
		"one of two": uris("https://rp.example/cb", "https://rp.example/#x"), "none": uris(),
		"missing": object{"client_name": "x"},
	} {
		t.Run(name, func(t *testing.T) {
			enroll(t, s, "", bad).refused(t, http.StatusBadRequest, "invalid_redirect_uri")
		})
	}
	for name, bad := range map[string]any{
		"no JSON": "{", "an array": "[]", "a text": `"x"`, "null": "null", "two values": `{} {}`,
		"a name twice":     `{"redirect_uris":["https://rp.example/cb"],"redirect_uris":["https://evil.example/cb"]}`,
		"a name twice, in": `{"redirect_uris":["https://rp.example/cb"],"jwks":{"keys":[],"keys":[]}}`,
		"deep":             `{"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
		"not UTF-8":        "{\"client_name\":\"\xff\"}",
		"a wrong type":     `{"redirect_uris":"https://rp.example/cb"}`, "a wrong type, in": `{"redirect_uris":[1]}`,
		"an unknown grant": honestBut("grant_types", []string{"password"}), "implicit": honestBut("grant_types", []string{"implicit"}),
		"client_credentials": honestBut("grant_types", []string{"authorization_code", "client_credentials"}),
		"id_token":           honestBut("response_types", []string{"id_token"}), "code token": honestBut("response_types", []string{"code", "code token"}),
		"code without its grant": honestBut("grant_types", []string{"refresh_token"}, "response_types", []string{"code"}),
		"an unknown method":      honestBut("token_endpoint_auth_method", "tls_client_auth"),
		"private_key_jwt":        honestBut("token_endpoint_auth_method", "private_key_jwt"),
		"none as algorithm":      honestBut("id_token_signed_response_alg", "none"), "HS256": honestBut("id_token_signed_response_alg", "HS256"),
		"an unknown subject": honestBut("subject_type", "x"), "no such scope": honestBut("scope", "api:write"),
		"offline_access alone": honestBut("scope", "offline_access", "grant_types", []string{"authorization_code", "refresh_token"}),
		"a script as logo":     honestBut("logo_uri", "javascript:alert(1)"), "a script as policy": honestBut("policy_uri", "javascript:alert(1)"),
		"a script as terms": honestBut("tos_uri", "data:text/html,x"), "a script as home": honestBut("client_uri", "javascript:alert(1)"),
		"a script to begin at":   honestBut("initiate_login_uri", "javascript:alert(1)"),
		"a fragment of logout":   honestBut("backchannel_logout_uri", "https://rp.example/out#x"),
		"a foreign front":        honestBut("frontchannel_logout_uri", "https://evil.example/out"),
		"a bad logout URI":       honestBut("post_logout_redirect_uris", []string{"javascript:alert(1)"}),
		"a control in the name":  honestBut("client_name", "a\u0007b"),
		"both jwks and jwks_uri": honestBut("jwks", object{"keys": []any{}}, "jwks_uri", "https://rp.example/jwks"),
		"a symmetric key":        honestBut("jwks", object{"keys": []any{object{"kty": "oct", "k": "AAAA"}}}),
		"a negative age":         honestBut("default_max_age", -1),
	} {
		t.Run(name, func(t *testing.T) {
			enroll(t, s, "", bad).refused(t, http.StatusBadRequest, "invalid_client_metadata")
		})
	}
	enroll(t, s, "", honestBut("software_statement", "e30.e30.")).refused(t, http.StatusBadRequest, "invalid_software_statement")
	enroll(t, s, "", honestBut("client_name", letters(registry.MaxDocument))).refused(t, http.StatusRequestEntityTooLarge, "invalid_client_metadata")
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"} {
		raw(t, http.MethodPost, s.URL+clientsPath, `{"redirect_uris":["https://rp.example/cb"]}`, func(r *http.Request) {
			r.Header.Set("Content-Type", kind)
		}).refused(t, http.StatusUnsupportedMediaType, "invalid_client_metadata")
	}
	if clients, _, err := s.Clients.Search(t.Context(), audit.Shell(), "", "An RP", "", 10); err != nil || len(clients) > 0 {
		t.Errorf("%d clients were registered, %v", len(clients), err)
	}
}

// The modules registration-sector-uri and -sector-bad; the address of a sector is
// asked for where that is allowed alone.
func TestASectorListsEveryRedirectURIAndIsAskedForAtPublicAddresses(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	sector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Write([]byte(map[string]string{ //nolint:errcheck // a test
			"/good": `["https://a.example/cb","https://b.example/cb"]`, "/bad": `["https://a.example/cb"]`,
			"/object": `{"redirect_uris":["https://a.example/cb","https://b.example/cb"]}`,
			"/large":  `["https://a.example/cb","https://b.example/cb","` + strings.Repeat("x", registry.MaxDocument) + `"]`,
		}[r.URL.Path]))
	}))
	t.Cleanup(sector.Close)
	pairwise := func(uri string) object {
		return object{
			"redirect_uris": []string{"https://a.example/cb", "https://b.example/cb"}, "subject_type": "pairwise", "sector_identifier_uri": uri,
		}
	}
	s := registering(t, "sqlite", "open")
	r := enroll(t, s, "", pairwise(sector.URL+"/good"))
	a, token := registeredOf(t, r)
	if r.fields["subject_type"] != "pairwise" || r.fields["sector_identifier_uri"] != sector.URL+"/good" {
		t.Errorf("the answer = %s", r.body)
	}
	for _, path := range []string{"/bad", "/object", "/large", "/none"} {
		enroll(t, s, "", pairwise(sector.URL+path)).refused(t, http.StatusBadRequest, "invalid_client_metadata")
	}
	enroll(t, s, "", pairwise("")).refused(t, http.StatusBadRequest, "invalid_client_metadata")
	// A change is looked at, too.
	own := s.URL + clientsPath + "/" + a.id
	change := pairwise(sector.URL + "/good")
	change["client_id"], change["redirect_uris"] = a.id, []string{"https://evil.example/cb"}
	manage(t, http.MethodPut, own, token, change).refused(t, http.StatusBadRequest, "invalid_client_metadata")
	_, err := s.Clients.Update(t.Context(), audit.Shell(), "", a.id, func(in *registry.Registration) {
		in.RedirectURIs = append(in.RedirectURIs, "https://evil.example/cb")
	})
	if err == nil {
		t.Error("a redirect URI outside of the sector was added")
	}
	// Without leave the same is never asked.
	before := asked.Load()
	shut := registering(t, "sqlite", "open", func(c *config.Config) { c.Outbound.Allow = nil })
	for _, uri := range []string{
		sector.URL + "/good", strings.Replace(sector.URL, "http:", "https:", 1) + "/good", "https://169.254.169.254/", "https://[::1]/",
		"https://10.0.0.1/", "https://user@a.example/", "file:///etc/passwd",
	} {
		r := enroll(t, shut, "", pairwise(uri))
		r.refused(t, http.StatusBadRequest, "invalid_client_metadata")
		for _, inside := range []string{"refused", "dial", "address", "timeout"} {
			if strings.Contains(r.body, inside) {
				t.Errorf("%s: the answer tells of the network: %s", uri, r.body)
			}
		}
	}
	// A jwks_uri is not asked for at registration at all.
	registeredOf(t, enroll(t, s, "", honestBut("jwks_uri", sector.URL+"/jwks", "token_endpoint_auth_method", "private_key_jwt")))
	if asked.Load() != before {
		t.Errorf("%d requests were made to a private address", asked.Load()-before)
	}
}

// eventsNow returns what the audit log holds.
func eventsNow(t *testing.T, s *servertest.Server) []storage.Event {
	t.Helper()
	all, err := s.DB.Events(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRegistrationsAreLimited(t *testing.T) {
	t.Parallel()
	s := registering(t, "sqlite", "open", func(c *config.Config) { c.RateLimit.Enabled = true })
	a, _ := registeredOf(t, enroll(t, s, "", honestClient))
	tooMany := func(r reply) bool {
		if r.status != http.StatusTooManyRequests {
			return false
		}
		r.refused(t, http.StatusTooManyRequests, "temporarily_unavailable")
		if wait, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || wait < 1 {
			t.Errorf("Retry-After = %q", r.header.Get("Retry-After"))
		}
		return true
	}
	made := 1
	for !tooMany(enroll(t, s, "", honestClient)) && made < 100 {
		made++
	}
	if made < 30 || made > 31 { // one comes back each 30 seconds
		t.Errorf("%d clients were registered from one address", made)
	}
	tried := 0
	for !tooMany(manage(t, http.MethodGet, s.URL+clientsPath+"/"+a.id, letters(43), nil)) && tried < 200 {
		tried++
	}
	if tried < 60 || tried > 62 {
		t.Errorf("%d tokens were tried from one address", tried)
	}
}

// Nothing that opens anything is in a row or in the audit log, in plain.
func TestWhatARegistrationShowsOnceIsKeptNowhere(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, engine string) {
		s := registering(t, engine, "token")
		initial := initialToken(t, s, registry.NewInitialToken{Uses: 2})
		a, token := registeredOf(t, enroll(t, s, initial, honestBut("token_endpoint_auth_method", "client_secret_jwt")))
		b, other := registeredOf(t, enroll(t, s, initial, honestClient))
		r := manage(t, http.MethodPut, s.URL+clientsPath+"/"+b.id, other, honestBut("client_id", b.id, "client_name", "Other", "client_secret", b.secret))
		secrets := map[string]string{
			"initial access token": initial, "registration access token": token, "sealed secret": a.secret, "secret": b.secret, "other token": other, "the next": r.text("registration_access_token"),
		}
		for table, rows := range storagetest.Dump(t, s.Config.DatabaseURL()) {
			nowhere(t, table, strings.Join(rows, "\n"), secrets)
		}
	})
}

// Of the plan of the suite: what a client registers by each of its modules is
// answered as it was sent.
func TestWhatTheConformanceSuiteRegistersIsTaken(t *testing.T) {
	t.Parallel()
	s := registering(t, "sqlite", "open", func(c *config.Config) { c.OpenID.RegistrationProfile = registry.Legacy })
	keys := object{"keys": []any{object{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "one",
		"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
	}}}
	suite := func(pairs ...any) object {
		return honestBut(append([]any{
			"client_name", "the suite", "grant_types",
			[]any{"authorization_code"},
			"response_types",
			[]any{"code"},
			"contacts",
			[]any{"certification@rp.example"},
			"jwks", keys, "token_endpoint_auth_method", "private_key_jwt",
		}, pairs...)...)
	}
	for name, description := range map[string]object{
		"server":                suite(),
		"idtoken-rs256":         suite("id_token_signed_response_alg", "RS256"),
		"userinfo-rs256":        suite("userinfo_signed_response_alg", "RS256"),
		"redirect-uri-query-OK": suite("redirect_uris", []any{"https://rp.example/cb?foo=bar"}),
		"ensure-redirect-uri-in-authorization-request": suite("redirect_uris", []any{"https://rp.example/cb", "https://rp.example/cb2"}),
		"registration-logo-uri":                        suite("logo_uri", "https://rp.example/logo.png"),
		"registration-policy-uri":                      suite("policy_uri", "https://rp.example/policy"),
		"registration-tos-uri":                         suite("tos_uri", "https://rp.example/tos"),
		"request-uri-unsigned":                         suite("request_uris", []any{"https://rp.example/r#hash"}, "request_object_signing_alg", "none"),
		"request-uri-signed-rs256":                     suite("request_uris", []any{"https://rp.example/r"}, "request_object_signing_alg", "RS256"),
		"refresh-token":                                suite("grant_types", []any{"authorization_code", "refresh_token"}),
		"3rd-party-init-login":                         suite("initiate_login_uri", "https://rp.example/begin"),
		"backchannel-rp-initiated-logout": suite("backchannel_logout_uri", "https://rp.example/out", "backchannel_logout_session_required", true,
			"post_logout_redirect_uris", []any{"https://rp.example/bye"}),
		"frontchannel-rp-initiated-logout": suite("frontchannel_logout_uri", "https://rp.example/front", "frontchannel_logout_session_required", true),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := enroll(t, s, "", description)
			a, token := registeredOf(t, r)
			if a.secret != "" {
				t.Error("a client that signs with a key has a secret")
			}
			read := manage(t, http.MethodGet, s.URL+clientsPath+"/"+a.id, token, nil)
			for _, got := range []reply{r, read} {
				for member, want := range description {
					text, err := json.Marshal(want)
					if err != nil {
						t.Fatal(err)
					}
					var sent any
					if err := json.Unmarshal(text, &sent); err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(sent, got.fields[member]); diff != "" {
						t.Errorf("%s (-sent +answered):\n%s", member, diff)
					}
				}
			}
		})
	}
	// The profile of the configuration is what lets the suite go without PKCE.
	a, _ := registeredOf(t, enroll(t, s, "", honestClient))
	c, err := s.Clients.Client(t.Context(), a.id)
	if err != nil || c.RequirePKCE || strings.Join(registry.Relaxed(c), " ") != "pkce nonce" {
		t.Errorf("the client is %+v, %v", c, err)
	}
	// A public client needs it all the same.
	public, _ := registeredOf(t, enroll(t, s, "", honestBut("token_endpoint_auth_method", "none")))
	if c, err := s.Clients.Client(t.Context(), public.id); err != nil || !c.RequirePKCE || public.secret != "" {
		t.Errorf("the public client is %+v, %v", c, err)
	}
}
