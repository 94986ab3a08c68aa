package doctor_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/org"
	"authy/server/recipe"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
)

const (
	clientID = "the-patient"
	secret   = "a secret of the client's own, which is long"
)

// clinic is an authy with a client that is sound: a well-known application, by its recipe.
type clinic struct {
	*servertest.Server
	t *testing.T
}

// newClinic starts an authy whose public URL is not this machine's alone.
func newClinic(t *testing.T, change func(in *registry.Registration)) clinic {
	t.Helper()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.PublicURL, c.Security.InsecureHTTP = "http://id.example.com", true
		c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}})
	s.URL = "http://" + s.Config.Listen
	s.Doctor.Resolve(func(_ context.Context, host string) error {
		if strings.HasSuffix(host, ".example.com") {
			return nil
		}
		return &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	})
	r, err := recipe.Find("grafana")
	if err != nil {
		t.Fatal(err)
	}
	in := r.Registration("https://grafana.example.com")
	in.ClientID, in.Secret = clientID, secret
	if change != nil {
		change(&in)
	}
	if _, err := s.Clients.Create(t.Context(), audit.Shell(), in); err != nil {
		t.Fatal(err)
	}
	return clinic{s, t}
}

// sets changes what is kept of the client, past the rules.
func (c clinic) sets(assignments string, args ...any) {
	c.t.Helper()
	beside(c.t, c.Server, "UPDATE clients SET "+fmt.Sprintf(assignments, args...)+" WHERE client_id = '"+clientID+"'")
}

func (c clinic) examine() []string {
	c.t.Helper()
	p, err := c.Doctor.ExamineClient(c.t.Context(), audit.Shell(), clientID)
	if err != nil {
		c.t.Fatal(err)
	}
	var out []string
	for _, f := range p.Findings {
		if strings.Contains(f.String(), "%!") || strings.Contains(f.String(), "\n") || strings.Contains(f.String(), secret) {
			c.t.Errorf("%s: %q", f.Name, f)
		}
		out = append(out, f.Name+": "+f.String())
	}
	return out
}

// asks sends an authorization request that differs from a sound one.
func (c clinic) asks(pairs ...string) {
	c.t.Helper()
	q := url.Values{
		"client_id": {clientID}, "response_type": {"code"}, "redirect_uri": {"https://grafana.example.com/login/generic_oauth"},
		"scope": {"openid"}, "state": {"s"}, "code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.URL+"/oidc/authorize?"+q.Encode(), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	answer, err := servertest.Browser(c.t).Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		c.t.Error(err)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		kept, err := c.Clients.Refusals(c.t.Context(), audit.Shell(), "", clientID)
		if err != nil {
			c.t.Fatal(err)
		}
		if len(kept) > 0 {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatal("no refusal was kept")
		}
	}
}

// redeems sends something to the token endpoint with a secret.
func (c clinic) redeems(with string) {
	c.t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "redirect_uri": {"x"}}
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.URL+"/oidc/token", strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(clientID, url.QueryEscape(with))
	answer, err := servertest.Browser(c.t).Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusUnauthorized {
		c.t.Fatalf("a wrong secret: %d, %v", answer.StatusCode, err)
	}
}

func TestAClientOfARecipeHasNothingWrong(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	if found := c.examine(); len(found) > 0 {
		t.Errorf("found %q", found)
	}
	for _, r := range recipe.All() {
		in := r.Registration("https://" + r.ID + ".example.com")
		in.ClientID = "made-by-" + r.ID
		if !r.IsPublic() {
			in.Secret = secret
		}
		if in.Options.BackChannelURI != "" {
			in.Options.BackChannelURI = c.URL + "/logout" // where somebody answers
		}
		if _, err := c.Clients.Create(t.Context(), audit.Shell(), in); err != nil {
			t.Fatal(err)
		}
		p, err := c.Doctor.ExamineClient(t.Context(), audit.Shell(), in.ClientID)
		if err != nil || len(p.Findings) > 0 {
			t.Errorf("%s: %v, %v", r.ID, p, err)
		}
	}
}

func TestEachBrokenClientHasExactlyOneFinding(t *testing.T) {
	t.Parallel()
	long := time.Now().Add(-3 * 365 * 24 * time.Hour).UnixMilli()
	lately := time.Now().Add(-time.Minute)
	for name, b := range map[string]struct {
		want   string
		change func(in *registry.Registration)
		after  func(c clinic)
	}{
		"disabled":                 {"disabled: ", nil, func(c clinic) { c.sets("is_active = FALSE") }},
		"a pattern":                {"redirect_uris: By the rules of today", nil, func(c clinic) { c.sets("redirect_uris = 'https://*.example.com/cb'") }},
		"plain http":               {"redirect_uris: By the rules of today", nil, func(c clinic) { c.sets("redirect_uris = 'http://app.example.com/cb'") }},
		"no redirect URI":          {"redirect_uris: By the rules of today", nil, func(c clinic) { c.sets("redirect_uris = ''") }},
		"a name that is not known": {"redirect_uris: The name app.example.org", func(in *registry.Registration) { in.RedirectURIs = []string{"https://app.example.org/cb"} }, nil},
		"everybody's own machine": {
			"redirect_uris: http://localhost:3000/cb leads everybody",
			func(in *registry.Registration) { in.RedirectURIs = []string{"http://localhost:3000/cb"} }, nil,
		},
		"where people go after signing out": {
			"post_logout_redirect_uris: The name bye.example.org",
			func(in *registry.Registration) { in.PostLogoutRedirectURIs = []string{"https://bye.example.org/"} }, nil,
		},
		"another redirect URI is sent": {
			"redirect_uri: The application sent the redirect URI https://grafana.example.com/login,", nil,
			func(c clinic) { c.asks("redirect_uri", "https://grafana.example.com/login") },
		},
		"PKCE is not sent":  {"refused: A request was refused", nil, func(c clinic) { c.asks("code_challenge", "", "code_challenge_method", "") }},
		"another secret":    {"authentication: The client could not prove itself", nil, func(c clinic) { c.redeems("guess") }},
		"no secret":         {"secret: The client is to prove itself", nil, func(c clinic) { c.sets("secret_hash = ''") }},
		"an old secret":     {"secret: The secret is in use since", nil, func(c clinic) { c.sets("created_at = %d", long); c.uses(lately) }},
		"nobody uses it":    {"unused: ", func(in *registry.Registration) { in.Secret, in.AuthMethod = "", registry.AuthNone }, func(c clinic) { c.sets("created_at = %d", long) }},
		"no refresh tokens": {"scopes: The client may refresh", func(in *registry.Registration) { in.Scopes = []string{"openid"} }, nil},
		"no refresh grant":  {"grant_types: The client may ask for offline_access", func(in *registry.Registration) { in.GrantTypes = []string{"authorization_code"} }, nil},
		"no openid":         {"scopes: The client may not ask for openid", func(in *registry.Registration) { in.Scopes = []string{"profile", "offline_access"} }, nil},
		"no grant":          {"grant_types: The client has no grant", func(in *registry.Registration) { in.GrantTypes, in.RedirectURIs = nil, nil }, nil},
		"tokens in front": {"grant_types: The client is registered for the grant implicit", legacy, func(c clinic) {
			c.sets("grant_types = 'authorization_code implicit', response_types = 'code,id_token'")
		}},
		"keys that are gone": {"jwks_uri: The keys of the client cannot be had", nil, func(c clinic) { c.options(func(o *registry.Options) { o.JWKSURI = gone(c.t) }) }},
		"no keys": {"jwks_uri: There is no key", nil, func(c clinic) {
			empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":[]}`) }))
			c.t.Cleanup(empty.Close)
			c.options(func(o *registry.Options) { o.JWKSURI = empty.URL })
		}},
		"it cannot be told of logouts": {
			"backchannel_logout_uri: The application cannot be told", nil,
			func(c clinic) { c.options(func(o *registry.Options) { o.BackChannelURI = gone(c.t) }) },
		},
		"it cannot be told, by a rule of ours": {
			"outbound.allow", nil,
			func(c clinic) {
				c.options(func(o *registry.Options) { o.BackChannelURI = "https://10.255.0.1/logout" })
			},
		},
		"an organization without such people": {"access: Only role:guest", nil, func(c clinic) {
			c.sets("organization_id = '%s', allowed = 'role:guest'", c.org("a-new-one"))
		}},
		"an organization that is disabled": {"organization: ", nil, func(c clinic) {
			id := c.org("a-new-one")
			off := false
			if _, err := c.Orgs.Update(c.t.Context(), audit.Shell(), id, org.Change{Active: &off}); err != nil {
				c.t.Fatal(err)
			}
			c.sets("organization_id = '%s'", id)
		}},
		"an algorithm that is gone": {"id_token_signed_response_alg: ", nil, func(c clinic) {
			beside(c.t, c.Server, "UPDATE keys SET state = 'retired' WHERE algorithm = 'RS256'")
		}},
		"it gets data unasked": {"consent: ", func(in *registry.Registration) { in.SkipConsent = true }, func(c clinic) { c.sets("registration_hash = 'x'") }},
		"it is about to go":    {"expires: ", nil, func(c clinic) { c.sets("expires_at = %d", time.Now().Add(time.Hour).UnixMilli()) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t, b.change)
			if b.after != nil {
				b.after(c)
			}
			// The server sees a moment later what was written beside it.
			found := c.examine()
			for end := time.Now().Add(5 * time.Second); len(found) != 1 && time.Now().Before(end); found = c.examine() {
				time.Sleep(50 * time.Millisecond)
			}
			t.Log(strings.Join(found, "\n"))
			if len(found) != 1 || !strings.Contains(found[0], b.want) {
				t.Errorf("found %q, want one that says %q", found, b.want)
			}
		})
	}
}

// legacy is for what only such clients may have.
func legacy(in *registry.Registration) { in.Options.Profile = registry.Legacy }

// gone is where nobody listens.
func gone(t *testing.T) string {
	t.Helper()
	return "http://127.0.0.1:" + free(t) + "/x"
}

func (c clinic) options(change func(o *registry.Options)) {
	c.t.Helper()
	_, err := c.Clients.Update(c.t.Context(), audit.Shell(), "", clientID, func(in *registry.Registration) { change(&in.Options) })
	if err != nil {
		c.t.Fatal(err)
	}
}

// uses notes that the client was used.
func (c clinic) uses(at time.Time) {
	c.t.Helper()
	err := c.DB.Update(c.t.Context(), func(tx *storage.Tx) error {
		return audit.Record(c.t.Context(), tx, audit.Shell(), at, audit.Event{
			Action: "authorize.granted", TargetKind: "client", TargetID: clientID,
		})
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c clinic) org(slug string) (id string) {
	c.t.Helper()
	owner, err := c.DB.UserByEmail(c.t.Context(), "bob@acme-corp.com")
	if err != nil {
		c.t.Fatal(err)
	}
	o, err := c.Orgs.Create(c.t.Context(), audit.Shell(), org.NewOrg{Slug: slug, Name: slug, OwnerID: owner.ID})
	if err != nil {
		c.t.Fatal(err)
	}
	return o.ID
}

// What was refused before it was mended is no finding.
func TestWhatIsMendedIsNoFinding(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	c.asks("redirect_uri", "https://grafana.example.com/login")
	_, err := c.Clients.Update(t.Context(), audit.Shell(), "", clientID, func(in *registry.Registration) {
		in.RedirectURIs = append(slices.Clone(in.RedirectURIs), "https://grafana.example.com/login")
	})
	if err != nil {
		t.Fatal(err)
	}
	if found := c.examine(); len(found) > 0 {
		t.Errorf("found %q", found)
	}
}

func TestAClientThatIsNotThereIsSaid(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, id := range []string{"nobody-here", "", "a\x00b"} {
		if _, err := s.Doctor.ExamineClient(t.Context(), audit.Shell(), id); err == nil {
			t.Errorf("%q was examined", id)
		}
	}
}
