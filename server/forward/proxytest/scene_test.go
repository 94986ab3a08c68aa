package proxytest_test

import (
	"encoding/base32"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/config"
	"authy/server/org"
	"authy/server/servertest"
	"authy/storage"
)

// People of the sample data, and their passwords.
const (
	bob, bobPass     = "bob@acme-corp.com", "UserPass123!"
	alice, alicePass = "admin@acme-corp.com", "AdminPass123!"
)

const (
	home     = "https://id.example.com"
	openApp  = "https://app.example.com"   // with a cookie of its own
	leftApp  = "https://left.example.org"  // with one of the domain example.org
	rightApp = "https://right.example.org" // as well
)

// guarded starts an authy with rules for hosts behind a proxy.
func guarded(t testing.TB) *servertest.Server {
	t.Helper()
	app := config.Words{"app.example.com"}
	return servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.PublicURL = home
		c.ForwardAuth = []*config.ForwardRule{
			{Hosts: app, Paths: config.Words{"/public"}, Who: config.Words{"public"}},
			{Hosts: app, Paths: config.Words{"/managers"}, Who: config.Words{"org:acme-corp:admin"}},
			{Hosts: app, Paths: config.Words{"/safe"}, Who: config.Words{"signed-in"}, Factor: "mfa"},
			{Hosts: app, Who: config.Words{"user:" + alice, "group:acme-corp"}},
			{Hosts: config.Words{"left.example.org", "right.example.org"}, Domain: "example.org", Who: config.Words{"signed-in"}},
		}
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	}})
}

// surfer is a browser that goes through a proxy.
func surfer(t testing.TB, s *servertest.Server) *http.Client {
	t.Helper()
	return browserBy(t, edge{s.Config.Listen})
}

// enters goes to an address of an application as a user, whom authy may ask to sign in, and returns
// what the application is told.
func enters(t testing.TB, s *servertest.Server, browser *http.Client, address, email string) map[string]string {
	t.Helper()
	for range 8 {
		page, _ := s.Visit(t, browser, address, email, passwordOf(email))
		to := page.Location()
		if to == nil {
			if told(page) == nil {
				t.Logf("%s ends with %d %s", address, page.Response.StatusCode, page.Body)
			}
			return told(page)
		}
		address = to.String()
	}
	t.Fatalf("%s leads round in circles", address)
	return nil
}

// asks sends a question as a proxy does.
func asks(t testing.TB, s *servertest.Server, path string, headers ...string) *servertest.Page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Config.Listen+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	return servertest.Do(t, browserBy(t, http.DefaultTransport), req)
}

// forwarded are the headers of a question about an address, and more.
func forwarded(address string, more ...string) []string {
	scheme, rest, _ := strings.Cut(address, "://")
	end := strings.IndexByte(rest, '/')
	return append([]string{
		"X-Forwarded-Proto", scheme, "X-Forwarded-Host", rest[:end], "X-Forwarded-Uri", rest[end:], "X-Forwarded-Method", "GET",
	}, more...)
}

func passwordOf(email string) string {
	if email == alice {
		return alicePass
	}
	return bobPass
}

func userID(t testing.TB, s *servertest.Server, email string) string {
	t.Helper()
	user, err := s.Accounts.Find(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	return user.ID
}

// joins makes a user a member of a new organization.
func joins(t testing.TB, s *servertest.Server, email, slug string) {
	t.Helper()
	by := audit.Shell()
	made, err := s.Orgs.Create(t.Context(), by, org.NewOrg{Slug: slug, Name: slug, OwnerID: userID(t, s, alice)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Orgs.AddMember(t.Context(), by, made.ID, userID(t, s, email), org.Member); err != nil {
		t.Fatal(err)
	}
}

// lastUse is the last event about a host behind a proxy.
func lastUse(t testing.TB, s *servertest.Server) storage.Event {
	t.Helper()
	events, err := s.DB.EventsMatching(t.Context(), storage.EventFilter{Action: "forward_auth.use"}, storage.EventKey{}, 1000)
	if err != nil || len(events) == 0 {
		t.Fatalf("events %v, %v", events, err)
	}
	return slices.MaxFunc(events, func(a, b storage.Event) int { return strings.Compare(a.ID, b.ID) })
}

// addTOTP gives bob an authenticator, and returns its secret.
func addTOTP(t testing.TB, s *servertest.Server) []byte {
	t.Helper()
	user, err := s.Accounts.Find(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	by, now := audit.Shell().As(user.ID), time.Now()
	var made *account.Enrollment
	err = s.DB.Update(t.Context(), func(tx *storage.Tx) (err error) {
		made, err = s.Accounts.EnrollTOTP(t.Context(), tx, by, now, user)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(made.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Accounts.ConfirmTOTP(t.Context(), by, user.ID, servertest.TOTP(secret, now.Add(-30*time.Second))); err != nil {
		t.Fatal(err)
	}
	return secret
}
