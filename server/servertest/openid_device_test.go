package servertest_test

import (
	"database/sql"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/dpop/dpoptest"
	"authy/server/org"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
)

const (
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	devicePath  = "/oidc/device_authorization"
)

// device asks for the codes of a device of a's.
func (a app) device(t *testing.T, s *servertest.Server, scope string) reply {
	t.Helper()
	r := a.post(t, s, devicePath, url.Values{"scope": {scope}})
	if r.status != http.StatusOK || r.text("device_code") == "" {
		t.Fatalf("device authorization: %d %s", r.status, r.body)
	}
	return r
}

func (r reply) text(name string) string {
	text, _ := r.fields[name].(string)
	return text
}

// poll asks for the tokens of a device.
func (a app) poll(t *testing.T, s *servertest.Server, code string) reply {
	t.Helper()
	return a.post(t, s, tokenPath, url.Values{"grant_type": {deviceGrant}, "device_code": {code}})
}

// typeCode types the code of a device, lets bob sign in if he is asked to, and returns
// the page that asks whether the device may be let in, or what came instead.
func typeCode(t *testing.T, s *servertest.Server, browser *http.Client, code string) *servertest.Page {
	t.Helper()
	page := servertest.Post(t, browser, s.URL+"/device", url.Values{"user_code": {code}})
	for page.Location() != nil {
		page = servertest.Get(t, browser, page.Location().String())
		if strings.Contains(page.Body, `id="sign-in"`) {
			form := with(page.Hidden(), "email", bob, "password", bobPass)
			page = servertest.Post(t, browser, s.URL+"/sign-in", form)
		}
	}
	return page
}

// decideOn answers the page that asks about a device, and returns the last page.
func decideOn(t *testing.T, s *servertest.Server, browser *http.Client, asked *servertest.Page, decision string) *servertest.Page {
	t.Helper()
	if !strings.Contains(asked.Body, `id="allow"`) {
		t.Fatalf("status %d: nobody is asked: %s", asked.Response.StatusCode, asked.Body)
	}
	page := servertest.Post(t, browser, s.URL+"/consent", with(asked.Hidden(), "decision", decision))
	for page.Location() != nil {
		page = servertest.Get(t, browser, page.Location().String())
	}
	return page
}

// deviceSignsIn lets a device of a's in and returns its tokens.
func deviceSignsIn(t *testing.T, s *servertest.Server, a app, browser *http.Client) tokens {
	t.Helper()
	codes := a.device(t, s, allScopes)
	decideOn(t, s, browser, typeCode(t, s, browser, codes.text("user_code")), "allow")
	return a.poll(t, s, codes.text("device_code")).tokens(t)
}

func TestADeviceIsLetInByWhoTypesItsCode(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	tv := newTV(t, s, "living-room")
	codes := tv.device(t, s, allScopes)
	for name, want := range map[string]any{
		"expires_in": 600.0, "interval": 5.0, "verification_uri": s.URL + "/device",
		"verification_uri_complete": s.URL + "/device?user_code=" + codes.text("user_code"),
	} {
		if codes.fields[name] != want {
			t.Errorf("%s = %v, want %v", name, codes.fields[name], want)
		}
	}
	userCode, code := codes.text("user_code"), codes.text("device_code")
	if !regexp.MustCompile(`^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$`).MatchString(userCode) || len(code) != 43 {
		t.Errorf("codes %q and %q, want eight consonants and 256 bits", userCode, code)
	}
	if codes.header.Get("Cache-Control") != "no-store" {
		t.Error("the codes may be stored")
	}
	tv.poll(t, s, code).refused(t, http.StatusBadRequest, "authorization_pending")
	browser := servertest.Browser(t)
	asked := typeCode(t, s, browser, strings.ToLower(userCode))
	for _, text := range []string{"127.0.0.1", "begun it yourself", bob, "Stay connected"} {
		if !strings.Contains(asked.Body, text) {
			t.Errorf("the page does not say %q: %s", text, asked.Body)
		}
	}
	done := decideOn(t, s, browser, asked, "allow")
	if !strings.Contains(done.Body, "The device is connected") {
		t.Errorf("the last page is %s", done.Body)
	}
	got := tv.poll(t, s, code).tokens(t)
	if got.ID == "" || got.Refresh == "" || got.Scope != allScopes {
		t.Errorf("got %+v, want all tokens for %s", got, allScopes)
	}
	alive(t, s, got.Access, true)
	tv.refresh(t, s, got.Refresh).tokens(t)
	tv.poll(t, s, code).refused(t, http.StatusBadRequest, "invalid_grant") // Z-25
	alive(t, s, got.Access, false)
	for _, action := range []string{"device.requested", "device.allowed", "device.exchanged"} {
		if !recorded(t, s, action, "") {
			t.Errorf("%s was not recorded", action)
		}
	}
	// Who is signed in and has agreed before is asked all the same.
	decideOn(t, s, browser, typeCode(t, s, browser, tv.device(t, s, allScopes).text("user_code")), "allow")
}

// newTV registers a public client for devices.
func newTV(t *testing.T, s *servertest.Server, id string) app {
	t.Helper()
	return register(t, s, registry.Registration{
		ClientID: id, Name: "Television", AuthMethod: registry.AuthNone,
		GrantTypes: []string{deviceGrant, "refresh_token"},
	})
}

func TestADeviceThatIsDeniedOrTooLateGetsNothing(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	tv, browser := newTV(t, s, "living-room"), servertest.Browser(t)
	denied := tv.device(t, s, allScopes)
	page := decideOn(t, s, browser, typeCode(t, s, browser, denied.text("user_code")), "deny")
	if !strings.Contains(page.Body, "was not connected") {
		t.Errorf("the last page is %s", page.Body)
	}
	for range 2 {
		tv.poll(t, s, denied.text("device_code")).refused(t, http.StatusBadRequest, "access_denied")
	}
	if again := typeCode(t, s, browser, denied.text("user_code")); again.Response.StatusCode != http.StatusNotFound {
		t.Errorf("a code that was denied, typed again: %d, want 404", again.Response.StatusCode)
	}
	late, allowed := tv.device(t, s, allScopes), tv.device(t, s, allScopes)
	asked := typeCode(t, s, browser, late.text("user_code"))
	decideOn(t, s, browser, typeCode(t, s, browser, allowed.text("user_code")), "allow")
	expire(t, s)
	for _, one := range []reply{late, allowed} { // Z-25: also one that was allowed
		tv.poll(t, s, one.text("device_code")).refused(t, http.StatusBadRequest, "expired_token")
	}
	page = servertest.Post(t, browser, s.URL+"/consent", with(asked.Hidden(), "decision", "allow"))
	if page.Response.StatusCode != http.StatusNotFound {
		t.Errorf("allowed too late: %d, want 404", page.Response.StatusCode)
	}
	if got := typeCode(t, s, browser, late.text("user_code")); got.Response.StatusCode != http.StatusNotFound {
		t.Errorf("a code that has expired: %d, want 404", got.Response.StatusCode)
	}
}

// expire ends every device code.
func expire(t *testing.T, s *servertest.Server) {
	t.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(s.Config.DatabaseURL(), "sqlite://"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // nothing is written later
	if _, err := db.ExecContext(t.Context(), "UPDATE device_codes SET expires_at = 1"); err != nil {
		t.Fatal(err)
	}
}

func TestADevicePollsNoFasterThanItIsTold(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	tv := newTV(t, s, "living-room")
	code := tv.device(t, s, allScopes).text("device_code")
	tv.poll(t, s, code).refused(t, http.StatusBadRequest, "authorization_pending")
	tv.poll(t, s, code).refused(t, http.StatusBadRequest, "slow_down")
	kept, err := s.DB.DeviceCode(t.Context(), storage.Hash(code))
	if err != nil || kept.Pause != 10_000 {
		t.Errorf("pause %v, %v, want ten seconds", kept, err)
	}
}

func TestTheDeviceFlowIsForClientsThatAreRegisteredForIt(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	tv, other := newTV(t, s, "living-room"), newTV(t, s, "other")
	acmeMobile.post(t, s, devicePath, url.Values{"scope": {"openid"}}).refused(t, http.StatusBadRequest, "unauthorized_client")
	acmeMobile.poll(t, s, "x").refused(t, http.StatusBadRequest, "unauthorized_client")
	tv.post(t, s, devicePath, url.Values{"scope": {"admin"}}).refused(t, http.StatusBadRequest, "invalid_scope")
	tv.post(t, s, devicePath, url.Values{"scope": {"openid"}, "client_secret": {"x"}}).refused(t, http.StatusUnauthorized, "invalid_client")
	app{id: "nobody"}.post(t, s, devicePath, url.Values{"scope": {"openid"}}).refused(t, http.StatusUnauthorized, "invalid_client")
	some := tv.device(t, s, "openid admin")
	code := some.text("device_code")
	other.poll(t, s, code).refused(t, http.StatusBadRequest, "invalid_grant")
	tv.poll(t, s, code+"x").refused(t, http.StatusBadRequest, "invalid_grant")
	tv.poll(t, s, some.text("user_code")).refused(t, http.StatusBadRequest, "invalid_grant")
	tv.poll(t, s, "").refused(t, http.StatusBadRequest, "invalid_request")
	browser := servertest.Browser(t)
	decideOn(t, s, browser, typeCode(t, s, browser, some.text("user_code")), "allow")
	other.poll(t, s, code).refused(t, http.StatusBadRequest, "invalid_grant")
	if got := tv.poll(t, s, code).tokens(t); got.Scope != "openid" {
		t.Errorf("scope %q, want openid", got.Scope)
	}
	for _, reason := range []string{"unknown_code", "code_of_another_client"} {
		if !recorded(t, s, "device.exchanged", reason) {
			t.Errorf("nothing was recorded of %s", reason)
		}
	}
}

func TestAUserWhoMayNotUseADevicesClientDoesNotLetItIn(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	home, err := s.Orgs.Create(t.Context(), audit.Shell(), org.NewOrg{
		Slug: "elsewhere", Name: "Elsewhere", OwnerID: userID(t, s, cast["owner"]),
	})
	if err != nil {
		t.Fatal(err)
	}
	tv := newTV(t, s, "living-room")
	restrict(t, s, tv.id, home.ID)
	codes, browser := tv.device(t, s, allScopes), servertest.Browser(t)
	page := typeCode(t, s, browser, codes.text("user_code"))
	if !strings.Contains(page.Body, "You may not use this application") {
		t.Errorf("the page is %d %s", page.Response.StatusCode, page.Body)
	}
	tv.poll(t, s, codes.text("device_code")).refused(t, http.StatusBadRequest, "authorization_pending")
}

func TestADeviceWithoutOfflineAccessEndsWithTheSessionThatLetItIn(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	tv, browser := newTV(t, s, "living-room"), servertest.Browser(t)
	codes := tv.device(t, s, "openid")
	decideOn(t, s, browser, typeCode(t, s, browser, codes.text("user_code")), "allow")
	got := tv.poll(t, s, codes.text("device_code")).tokens(t)
	alive(t, s, got.Access, true)
	servertest.Post(t, browser, s.URL+"/sign-out", nil)
	alive(t, s, got.Access, false)
}

func TestADevicesTokensCanBeBoundToItsKey(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	tv, browser := newTV(t, s, "living-room"), servertest.Browser(t)
	key := dpoptest.NewProver(t, "ES256")
	codes := tv.device(t, s, allScopes)
	decideOn(t, s, browser, typeCode(t, s, browser, codes.text("user_code")), "allow")
	got := tv.prove(t, s, key, url.Values{"grant_type": {deviceGrant}, "device_code": {codes.text("device_code")}}).tokens(t)
	if r := presented(t, s, key, got.Access); r.status != http.StatusOK {
		t.Errorf("userinfo = %d %s, want 200", r.status, r.body)
	}
	tv.refresh(t, s, got.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
}

func TestTheDevicePageDoesNothingByALinkOrFromElsewhere(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	tv, browser := newTV(t, s, "living-room"), servertest.Browser(t)
	s.SignIn(t, browser, bob, bobPass)
	codes := tv.device(t, s, allScopes)
	page := servertest.Get(t, browser, codes.text("verification_uri_complete"))
	if !strings.Contains(page.Body, `value="`+codes.text("user_code")+`"`) || strings.Contains(page.Body, `id="allow"`) {
		t.Errorf("the page of the link is %s", page.Body)
	}
	for _, name := range []string{"X-Frame-Options", "Content-Security-Policy"} { // AZ-35
		if got := page.Response.Header.Get(name); !strings.Contains(got, "DENY") && !strings.Contains(got, "frame-ancestors 'none'") {
			t.Errorf("AZ-35 %s: %q", name, got)
		}
	}
	for _, path := range []string{"/device", "/consent"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path,
			strings.NewReader("user_code="+codes.text("user_code")))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		if page := servertest.Do(t, browser, req); page.Response.StatusCode != http.StatusForbidden {
			t.Errorf("%s from another site: %d, want 403", path, page.Response.StatusCode)
		}
	}
	if page := servertest.Get(t, browser, s.URL+"/device/done?outcome=x"); page.Location() == nil || page.Location().Path != "/device" {
		t.Errorf("an outcome of nothing leads to %v, want /device", page.Location())
	}
}

func TestUserCodesCannotBeGuessed(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.RateLimit.Enabled = true }})
	tv, browser := newTV(t, s, "living-room"), servertest.Browser(t)
	codes := tv.device(t, s, allScopes)
	for range 30 { // those that are good are not counted
		if page := servertest.Post(t, browser, s.URL+"/device", url.Values{"user_code": {codes.text("user_code")}}); page.Location() == nil {
			t.Fatalf("a good code: %d", page.Response.StatusCode)
		}
	}
	refused := 0
	for range 25 {
		page := servertest.Post(t, browser, s.URL+"/device", url.Values{"user_code": {"BBBB-BBBB"}})
		if page.Response.StatusCode == http.StatusTooManyRequests && page.Response.Header.Get("Retry-After") != "" {
			refused++
		}
	}
	if refused != 5 {
		t.Errorf("%d of 25 guesses were refused, want 5", refused)
	}
	many := 0
	for range 105 {
		if r := tv.post(t, s, devicePath, url.Values{"scope": {"openid"}}); r.status == http.StatusTooManyRequests {
			many++
		}
	}
	if many == 0 {
		t.Error("one address may ask for any number of codes")
	}
}

func TestOneDeviceCodeRacesForOneSetOfTokens(t *testing.T) {
	t.Parallel()
	onNodes(t, func(t *testing.T, s *servertest.Server, next func() *servertest.Server) {
		tv, browser := newTV(t, s, "living-room"), servertest.Browser(t)
		for round := range roundsOf(t, 3) {
			codes := tv.device(t, s, allScopes)
			decideOn(t, s, browser, typeCode(t, s, browser, codes.text("user_code")), "allow")
			good := 0
			for _, r := range atOnce(crowd(round), func() reply { return tv.poll(t, next(), codes.text("device_code")) }) {
				if r.status == http.StatusOK {
					good++
					continue
				}
				r.refused(t, http.StatusBadRequest, "invalid_grant")
			}
			if good != 1 {
				t.Fatalf("RC-04 %d of %d polls got tokens, want 1", good, crowd(round))
			}
		}
	})
}
