package servertest_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"authy/server/config"
	"authy/server/servertest"
)

// door is a request that is counted; body may have a %d for how many there were.
type door struct{ method, path, body, authorization, cookie string }

func (d door) knock(t *testing.T, s *servertest.Server, n int, path, address string) *servertest.Page {
	t.Helper()
	body := strings.Replace(d.body, "%d", fmt.Sprint(n), 1)
	req, err := http.NewRequestWithContext(t.Context(), d.method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(body, "{") {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range map[string]string{
		"X-Forwarded-For": address, "Sec-Fetch-Site": "same-origin", "Authorization": d.authorization, "Cookie": d.cookie,
	} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	return servertest.Do(t, &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, req)
}

// HT-28, Z-18: every door that can be tried at is counted as docs/security.md says,
// doors to the same thing together, and no other spelling of one is a door.
func TestEveryDoorIsCounted(t *testing.T) {
	t.Parallel()
	s, _ := servertest.WithMail(t, func(c *config.Config) {
		c.RateLimit.Enabled, c.TrustedProxies = true, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	})
	eve := "Bearer " + in(t, s, "eve@acme-corp.com").token
	v := newVisitor(t, s)
	s.SignIn(t, v.browser, "eve@acme-corp.com", bobPass)
	cookie := "authy_session=" + v.cookie("authy_session")
	const api, post = "/api/v1/auth/", http.MethodPost
	link, chosen := `{"token":"x%d"}`, `,"password":"`+passphrase+`","password_confirm":"`+passphrase+`"}`
	wrong := url.Values{"client_id": {"data-api-001"}, "client_secret": {"x"}, "grant_type": {"client_credentials"}, "token": {"x"}}.Encode()
	for i, c := range []struct {
		policy string
		most   int
		doors  []door
	}{
		{"register-address", 30, []door{{method: post, path: api + "register", body: `{"email":"a%d@example.com"` + chosen}}},
		{"sign-in-address", 300, []door{
			{method: post, path: api + "login", body: `{"email":"a%d@example.com","password":"x"}`},
			{method: post, path: "/sign-in", body: "email=b%d@example.com&password=x"},
		}},
		{"mail-address", 30, []door{
			{method: post, path: api + "forgot-password", body: `{"email":"a%d@example.com"}`},
			{method: post, path: "/forgot-password", body: "email=b%d@example.com"},
		}},
		{"link-address", 60, []door{
			{method: post, path: api + "reset-password", body: `{"token":"x"` + chosen},
			{method: post, path: api + "verify-email", body: link},
			{method: post, path: api + "confirm-email", body: link},
			{method: post, path: "/reset-password", body: "token=x&password=" + url.QueryEscape(passphrase) + "&password_confirm=" + url.QueryEscape(passphrase)},
			{method: post, path: "/verify-email", body: "token=x"},
			{method: post, path: "/confirm-email", body: "token=x"},
		}},
		{"invitation-address", 60, []door{
			{method: post, path: "/api/v1/invitations/accept", body: link, authorization: eve},
			{method: post, path: "/api/v1/invitations/decline", body: link, authorization: eve},
			{method: post, path: "/invitations", body: "token=x%d&answer=accept", cookie: cookie},
			{method: post, path: "/invitations", body: "token=x%d&answer=decline", cookie: cookie},
		}},
		{"client-address", 30, []door{
			{method: post, path: "/oidc/token", body: wrong},
			{method: post, path: "/oidc/introspect", body: wrong},
			{method: post, path: "/oidc/revoke", body: wrong},
			{method: post, path: "/oidc/par", body: wrong},
		}},
		{"password-session", 10, []door{
			{method: post, path: "/api/v1/users/me/password", body: `{"current_password":"x%d","new_password":"` + passphrase + `","new_password_confirm":"` + passphrase + `"}`, authorization: eve},
			{method: "DELETE", path: mePath, body: `{"password":"x%d"}`, authorization: eve},
		}},
		{"push-address", 1500, []door{
			{method: post, path: "/oidc/par", body: "client_id=acme-mobile-001&scope=openid"},
			{method: post, path: "/oidc/par", body: "client_id=acme-mobile-001&state=x"},
		}},
		{"saml-logout-address", 300, []door{
			{method: post, path: "/saml/sp/slo", body: "SAMLRequest=x"},
			{method: post, path: "/saml/sp/slo", body: "SAMLResponse=x"},
		}},
		{"challenge-address", 1500, []door{
			{method: post, path: api + "webauthn/login/begin", body: `{}`},
			{method: post, path: "/passkey/begin", body: "x=1"},
		}},
	} {
		// Spellings of one address, and addresses of one subscriber, are one.
		addresses := []string{fmt.Sprintf("192.0.2.%d", i+1), fmt.Sprintf("::ffff:192.0.2.%d", i+1)}
		if i%2 == 0 {
			addresses = []string{fmt.Sprintf("2001:db8:0:%d::1", i), fmt.Sprintf("2001:db8:0:%d:ffff::2", i)}
		}
		n := 0
		for ; n < 2*c.most; n++ {
			d := c.doors[n%len(c.doors)]
			if d.knock(t, s, n, d.path, addresses[n%2]).Response.StatusCode == http.StatusTooManyRequests {
				break
			}
		}
		if n < c.most || n > c.most+c.most/10 { // some have come back meanwhile
			t.Errorf("%s: %d were looked at, want %d", c.policy, n, c.most)
		}
		for _, d := range c.doors {
			page := d.knock(t, s, 0, d.path, addresses[0])
			for more := 0; more < 5 && page.Response.StatusCode != http.StatusTooManyRequests; more++ {
				page = d.knock(t, s, 0, d.path, addresses[0]) // some have come back meanwhile
			}
			h := page.Response.Header
			if page.Response.StatusCode != http.StatusTooManyRequests || h.Get("Retry-After") == "" ||
				!strings.HasPrefix(h.Get("RateLimit-Policy"), fmt.Sprintf(`"%s";q=%d;`, c.policy, c.most)) {
				t.Errorf("%s at %s: %d, Retry-After %q, RateLimit-Policy %q", c.policy, d.path, page.Response.StatusCode,
					h.Get("Retry-After"), h.Get("RateLimit-Policy"))
			}
			for _, other := range []string{d.path + "/", "/" + d.path, strings.ToUpper(d.path), d.path + "%20", "/." + d.path} {
				if got := d.knock(t, s, 0, other, addresses[0]).Response.StatusCode; got != http.StatusNotFound {
					t.Errorf("%s is another door: %d", other, got)
				}
			}
		}
	}
}

// Whoever invites cannot send one person mail without end, by revoking.
func TestInvitingIsLimited(t *testing.T) {
	t.Parallel()
	s := limited(t)
	frank := in(t, s, frank)
	path := frank.makeOrg("flooding") + "/invitations"
	sent, doors := 0, []string{path, strings.TrimSuffix(path, "invitations") + "members"}
	for ; sent < 20; sent++ {
		o := frank.call("POST", doors[sent%2], object{"email": "victim@example.com", "role": "guest"})
		if o.Code == 429 {
			if o.Header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
			break
		}
		frank.call("DELETE", path+"/"+o.text("invitation", "id"), nil).succeeded(200, "Invitation revoked successfully")
	}
	if sent != 10 {
		t.Errorf("%d invitations to one address, want 10", sent)
	}
	// Nobody else is kept from inviting them.
	eve := in(t, s, "eve@acme-corp.com")
	eve.call("POST", eve.makeOrg("friendly")+"/invitations", object{"email": "victim@example.com", "role": "guest"}).
		succeeded(201, "Invitation created successfully")
	frank.call("POST", path, object{"email": "other@example.com", "role": "guest"}).succeeded(201, "Invitation created successfully")
}

// Recovery codes are guessed no faster than codes of the authenticator.
func TestGuessesOfRecoveryCodesAreLimited(t *testing.T) {
	t.Parallel()
	s := limited(t)
	enrolled(t, logIn(t, s, bob, bobPass))
	looked := 0
	for i := range 16 {
		o := verify(t, s, half(t, s), "AAAA-AAAA-AAAA-A", "is_backup_code", i%2 == 0)
		if o.Code != 429 {
			looked++
		} else if o.Header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	if looked != 10 {
		t.Errorf("%d guesses were looked at, want 10", looked)
	}
}
