package servertest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/config"
	"authy/server/org"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

const (
	mePath = "/api/v1/users/me"
	newer  = "velvet harpoon"
)

// fields are those of the user in an answer.
func (o outcome) user() map[string]any {
	o.t.Helper()
	user, ok := o.at("user").(map[string]any)
	if !ok {
		o.t.Fatalf("%s: no user in %s", o.call, o.Raw)
	}
	return user
}

func TestAProfileIsChangedAndCleared(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := logIn(t, s, bob, bobPass)
		before := p.call("GET", mePath, nil).succeeded(200, "User profile retrieved successfully").user()
		if len(before) != 26 || before["email"] != bob || before["locale"] != nil {
			t.Errorf("%d fields in %v", len(before), before)
		}
		tr := newTrail(t, s)
		after := p.call("PATCH", mePath, fullProfile).succeeded(200, "Profile updated successfully").user()
		for name, want := range fullProfile {
			if after[name] != want {
				t.Errorf("%s = %v, want %s", name, after[name], want)
			}
		}
		if after["updated_at"] == before["updated_at"] {
			t.Error("updated_at stays")
		}
		events := tr.wants("a change", "user.update success by user to user")
		if want := strings.Join(slices.Sorted(maps.Keys(fullProfile)), " "); !strings.Contains(events[0].Details, want) {
			t.Errorf("the event says %s, want %s", events[0].Details, want)
		}
		if strings.Contains(events[0].Details, "Zurich") {
			t.Errorf("the event holds values: %s", events[0].Details)
		}

		for _, same := range []any{object{}, object{"nickname": "Bobby"}, object{"full_name": " Bob A. Builder "}} {
			got := p.call("PATCH", mePath, same).succeeded(200, "Profile updated successfully").user()
			if diff := cmp.Diff(after, got); diff != "" {
				t.Errorf("%v changes something (-want +got):\n%s", same, diff)
			}
		}
		tr.wants("no change")

		cleared := object{}
		for name := range fullProfile {
			cleared[name] = nil
		}
		got := p.call("PATCH", mePath, cleared).succeeded(200, "Profile updated successfully").user()
		for name := range fullProfile {
			if value, there := got[name]; value != nil || !there {
				t.Errorf("%s = %v, want null", name, value)
			}
		}
	})
}

func TestAProfileTakesNoOtherField(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p := logIn(t, s, bob, bobPass)
	before := p.call("GET", mePath, nil).Data
	for _, name := range []string{
		"id", "email", "email_verified", "email_verified_at", "status", "is_admin", "admin", "role", "created_at", "updated_at",
		"last_login_at", "last_login_ip", "signed_out_at", "password", "hash", "organizations", "Full_Name", "FullName", "__proto__", "Profile",
	} {
		for _, value := range []any{"x", true, nil} {
			o := p.call("PATCH", mePath, object{name: value, "nickname": "Eve"}).failed(400, "VALIDATION_ERROR", "Validation failed")
			if diff := cmp.Diff(map[string][]string{name: {"Unknown field."}}, o.Problem.Details); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
	for _, body := range []string{"[]", "null", `"x"`} {
		p.call("PATCH", mePath, body).failed(400, "VALIDATION_ERROR", "Validation failed")
	}
	o := p.call("PATCH", mePath, object{"full_name": 1, "locale": object{}, "nickname": []string{"x"}, "website": "javascript:alert(1)"})
	if details := o.failed(400, "VALIDATION_ERROR", "").Problem.Details; details["full_name"] == nil || details["locale"] == nil {
		t.Errorf("details = %v", details)
	}
	if diff := cmp.Diff(before, p.call("GET", mePath, nil).Data); diff != "" {
		t.Errorf("what was refused changed something (-want +got):\n%s", diff)
	}
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		caller{t: t, s: s}.call(method, mePath, nil).failed(401, "AUTH_REQUIRED", "")
	}
}

// Claims say of a user what the profile says, by scope, and nothing else.
func TestClaimsFollowTheProfile(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		logIn(t, s, bob, bobPass).call("PATCH", mePath, fullProfile).succeeded(200, "Profile updated successfully")
		all := register(t, s, registry.Registration{
			ClientID: "says-all", Secret: "a secret of its own", Name: "All", Scopes: []string{"openid", "profile", "phone", "address"},
		})
		browser := servertest.Browser(t)
		got := all.tokens(t, s, browser, "scope", "openid profile phone address")
		_, claims := claimsOf(t, got.ID)
		for source, fields := range map[string]map[string]any{"userinfo": userinfo(t, s, got.Access).fields, "the ID token": claims} {
			address, _ := fields["address"].(map[string]any)
			if want := "Bahnhofstrasse 1\n8001 Zürich\nZH\nSchweiz"; address["formatted"] != want {
				t.Errorf("%s: formatted = %q, want %q", source, address["formatted"], want)
			}
			maps.Copy(fields, address)
			for name, want := range fullProfile {
				if claim := (map[string]string{"full_name": "name", "avatar_url": "picture", "profile_url": "profile"})[name]; claim != "" {
					name = claim
				}
				if fields[name] != want {
					t.Errorf("%s: %s = %v, want %s", source, name, fields[name], want)
				}
			}
			if fields["phone_number_verified"] != false {
				t.Errorf("%s: phone_number_verified = %v", source, fields["phone_number_verified"])
			}
		}
		less := all.tokens(t, s, browser, "scope", "openid")
		for name := range userinfo(t, s, less.Access).fields {
			if name != "sub" {
				t.Errorf("%s is told without its scope", name)
			}
		}
	})
}

func TestAChangedPasswordEndsEverythingElse(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		// LG-25: three sessions, one of them remembered, a browser, and an application's grants.
		p, second, browser := logIn(t, s, bob, bobPass), logIn(t, s, bob, bobPass), servertest.Browser(t)
		remembered := caller{t: t, s: s}
		remembered.token = remembered.call("POST", "/api/v1/auth/login",
			object{"email": bob, "password": bobPass, "remember_me": true}).succeeded(200, "Login successful").text("token")
		offline := acmePortal.tokens(t, s, browser)
		online := dashboard.tokens(t, s, browser, "scope", "openid")
		code, verifier := acmePortal.code(t, s, browser)
		eve, others := logIn(t, s, "eve@acme-corp.com", bobPass), othersTokens(t, s)
		alive(t, s, offline.Access, true)
		tr := newTrail(t, s)
		p.changePassword(bobPass, newer).succeeded(200, "Password changed successfully")
		tr.wants("the change", "user.password_change success by user to user", "session.revoke_others success by user to user",
			"grant.revoke_all success password_changed by user to user")

		p.me(true)
		second.me(false)
		remembered.me(false)
		eve.me(true)
		if page := servertest.Get(t, browser, s.URL+"/account"); page.Response.StatusCode != http.StatusSeeOther {
			t.Errorf("the browser still sees %d", page.Response.StatusCode)
		}
		alive(t, s, offline.Access, false)
		alive(t, s, online.Access, false)
		alive(t, s, others.Access, true)
		// TK-11: a refresh token of before, and a code that was on its way.
		acmePortal.refresh(t, s, offline.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
		acmePortal.post(t, s, tokenPath, acmePortal.redemption(code, verifier)).refused(t, http.StatusBadRequest, "invalid_grant")
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}).
			failed(401, "AUTHENTICATION_ERROR", "Invalid email or password")
		logIn(t, s, bob, newer)
	})
}

// changePassword asks for another password.
func (p caller) changePassword(current, chosen string) outcome {
	p.t.Helper()
	return p.call("POST", mePath+"/password", object{
		"current_password": current, "new_password": chosen, "new_password_confirm": chosen,
	})
}

func TestAPasswordThatMayNotBeChosenIsRefused(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p, other := logIn(t, s, bob, bobPass), logIn(t, s, bob, bobPass)
		tr := newTrail(t, s)
		differs := p.call("POST", mePath+"/password", object{
			"current_password": bobPass, "new_password": newer, "new_password_confirm": newer + "x",
		}).failed(400, "VALIDATION_ERROR", "New passwords do not match")
		if diff := cmp.Diff(map[string][]string{"new_password_confirm": {"Passwords do not match"}}, differs.Problem.Details); diff != "" {
			t.Errorf("details (-want +got):\n%s", diff)
		}
		for _, weak := range []string{"short", strings.Repeat("x", 129), "password1", bob} {
			o := p.changePassword(bobPass, weak).failed(400, "VALIDATION_ERROR", "Validation failed")
			if len(o.Problem.Details["new_password"]) != 1 || strings.Contains(o.Raw, `"`+weak+`"`) {
				t.Errorf("%q: %s", weak, o.Raw)
			}
		}
		p.call("POST", mePath+"/password", object{}).failed(400, "VALIDATION_ERROR", "")
		p.call("POST", mePath+"/password", object{
			"current_password": bobPass, "new_password": newer, "new_password_confirm": newer, "user_id": "x",
		}).failed(400, "VALIDATION_ERROR", "")
		tr.wants("what was refused by its form")
		p.changePassword("a wrong guess", newer).failed(401, "AUTHENTICATION_ERROR", "Current password is incorrect")
		tr.wants("a wrong guess", "user.password_change failure wrong_password by user to user")
		p.me(true)
		other.me(true)
		logIn(t, s, bob, bobPass)
		// No class of characters is asked for.
		p.changePassword(bobPass, "quite plain words").succeeded(200, "Password changed successfully")
	})
}

func TestGuessingAPasswordWithinASessionEnds(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.RateLimit.Enabled = true }})
	thief, bobs := logIn(t, s, bob, bobPass), logIn(t, s, bob, bobPass)
	looked := 0
	for range 15 {
		if o := thief.changePassword("guess "+strconv.Itoa(looked), newer); o.Code == 401 {
			looked++
		} else if o.failed(429, "RATE_LIMIT_EXCEEDED", ""); o.Header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	if looked != 10 {
		t.Errorf("%d guesses were looked at, want 10", looked)
	}
	thief.call("DELETE", mePath, object{"password": "guess"}).failed(429, "RATE_LIMIT_EXCEEDED", "")
	thief.changePassword(bobPass, newer).failed(429, "RATE_LIMIT_EXCEEDED", "")
	// The owner is not locked out, and throws the thief out.
	bobs.changePassword(bobPass, newer).succeeded(200, "Password changed successfully")
	thief.me(false)
}

// Of many changes at once that prove the same password one is made.
func TestOneOfManyPasswordChangesIsMade(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		var made atomic.Int64
		var winner atomic.Value
		var all sync.WaitGroup
		sessions := make([]caller, 8)
		for i := range sessions {
			sessions[i] = logIn(t, s, bob, bobPass)
		}
		for i, p := range sessions {
			all.Go(func() {
				chosen := "velvet harpoon " + strconv.Itoa(i)
				switch o := p.changePassword(bobPass, chosen); o.Code {
				case 200:
					made.Add(1)
					winner.Store(chosen)
				case 401:
				default:
					t.Errorf("%d: %s", i, o.Raw)
				}
			})
		}
		all.Wait()
		if made.Load() != 1 {
			t.Fatalf("%d changes were made, want 1", made.Load())
		}
		chosen, _ := winner.Load().(string)
		if list := logIn(t, s, bob, chosen).sessions(); len(list) != 2 {
			t.Errorf("%d sessions, want the winner's and the new one", len(list))
		}
	})
}

// A code that is issued while the password changes is either ended with the
// rest, or not issued: the session that it needs is over.
func TestNothingSlipsThroughWhileAPasswordChanges(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		current, chosen := bobPass, newer
		p := logIn(t, s, bob, current)
		for range 4 {
			browser, verifier := servertest.Browser(t), letters(43)
			s.Visit(t, browser, authorizeURL(s, acmePortal.request(verifier)), bob, current)
			codes := make(chan string, 100)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for range 5 {
						if page := servertest.Get(t, browser, authorizeURL(s, acmePortal.request(verifier))); gotCode(page) {
							codes <- page.Location().Query().Get("code")
						}
					}
				})
			}
			all.Go(func() { p.changePassword(current, chosen).succeeded(200, "Password changed successfully") })
			all.Wait()
			close(codes)
			for code := range codes {
				acmePortal.post(t, s, tokenPath, acmePortal.redemption(code, verifier)).refused(t, http.StatusBadRequest, "invalid_grant")
			}
			current, chosen = chosen, current
		}
		p.me(true)
	})
}

func TestAnAccountIsDeletedByItsOwner(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p, other, browser := logIn(t, s, bob, bobPass), logIn(t, s, bob, bobPass), servertest.Browser(t)
		got := acmePortal.tokens(t, s, browser)
		alive(t, s, got.Access, true)
		p.call("DELETE", mePath, object{"password": "wrong"}).failed(401, "AUTHENTICATION_ERROR", "Current password is incorrect")
		p.call("DELETE", mePath, object{"password": bobPass, "id": userID(t, s, "eve@acme-corp.com")}).failed(400, "VALIDATION_ERROR", "")
		p.me(true)
		tr := newTrail(t, s)
		p.call("DELETE", mePath, object{"password": bobPass}).succeeded(200, "Account deleted successfully")
		tr.wants("the deletion", "user.delete success by user to user")
		p.me(false)
		other.me(false)
		alive(t, s, got.Access, false)
		acmePortal.refresh(t, s, got.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}).
			failed(401, "AUTHENTICATION_ERROR", "Invalid email or password")

		// The contract's form has no body. The only owner of an organization stays.
		eve := logIn(t, s, "eve@acme-corp.com", bobPass)
		if o := eve.call("DELETE", mePath, nil).succeeded(200, "Account deleted successfully"); strings.Contains(o.Raw, `"data"`) {
			t.Errorf("deletion answers data: %s", o.Raw)
		}
		owner := logIn(t, s, "superadmin@acme-corp.com", "SuperAdmin123!")
		owner.call("DELETE", mePath, nil).failed(409, "CONFLICT", "")
		owner.me(true)
	})
}

// next is the cursor of the page that follows, "" after the last.
func (o outcome) next() string {
	o.t.Helper()
	var body struct{ Meta struct{ Next string } }
	if err := json.Unmarshal([]byte(o.Raw), &body); err != nil {
		o.t.Fatal(err)
	}
	return body.Meta.Next
}

func TestMyOrganizationsArePagedWithMyRole(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		for _, slug := range []string{"zebra", "badger"} {
			_, err := s.Orgs.Create(t.Context(), audit.Shell(), org.NewOrg{Slug: slug, Name: slug, OwnerID: userID(t, s, bob)})
			if err != nil {
				t.Fatal(err)
			}
		}
		p, roles, path := logIn(t, s, bob, bobPass), map[string]any{}, mePath+"/organizations?limit=2"
		for pages := 0; path != ""; pages++ {
			o := p.call("GET", path, nil).succeeded(200, "Organizations retrieved successfully")
			list, _ := o.at("organizations").([]any)
			if float64(len(list)) != o.at("count") || len(list) > 2 || pages > 3 {
				t.Fatalf("count in %s", o.Raw)
			}
			for _, one := range list {
				m, _ := one.(map[string]any)
				slug, _ := m["slug"].(string)
				roles[slug] = m["role"]
			}
			if path = ""; o.next() != "" {
				path = mePath + "/organizations?limit=2&cursor=" + o.next()
			}
		}
		if diff := cmp.Diff(map[string]any{"acme-corp": "member", "badger": "owner", "zebra": "owner"}, roles); diff != "" {
			t.Errorf("organizations (-want +got):\n%s", diff)
		}
		for _, query := range []string{"limit=0", "limit=201", "limit=x", "cursor=%00", "cursor=*", "page=1"} {
			p.call("GET", mePath+"/organizations?"+query, nil).failed(400, "VALIDATION_ERROR", "")
		}
	})
}

func TestAnExportHoldsAllThatIsKeptAndNoSecret(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p, browser := logIn(t, s, bob, bobPass), servertest.Browser(t)
		p.call("PATCH", mePath, fullProfile).succeeded(200, "Profile updated successfully")
		got := acmePortal.tokens(t, s, browser)
		api, apiID := p.makeToken(tokensPath, "profile:read")
		admin := audit.Actor{Kind: audit.User, IPAddress: "198.51.100.7", UserAgent: "an administrator's"}.As(addAdmin(t, s))
		if err := s.Accounts.Activate(t.Context(), admin, userID(t, s, bob)); err != nil {
			t.Fatal(err)
		}
		p.changePassword("a wrong guess", newer).failed(401, "AUTHENTICATION_ERROR", "")
		o := p.call("GET", mePath+"/export", nil).succeeded(200, "Data exported successfully")
		for _, want := range []string{
			bob, "+41446681800", "1980-02-29", "acme-portal-001", "acme-corp", "offline_access", "127.0.0.1", `"kind":"web"`,
			"user.password_change", "wrong_password", "user.export", "user.activate", "consents", `"events_left_out":false`,
			`"tokens":[{"id":"` + apiID + `"`, "token.create",
		} {
			if !strings.Contains(strings.ToLower(o.Raw), strings.ToLower(want)) {
				t.Errorf("the export lacks %s", want)
			}
		}
		kept, err := s.DB.Password(t.Context(), userID(t, s, bob))
		if err != nil {
			t.Fatal(err)
		}
		for what, secret := range map[string]string{
			"the password": bobPass, "its hash": kept.Hash, "a token": p.token, "its hash too": storage.Hash(p.token),
			"a refresh token": got.Refresh, "the hash of that": storage.Hash(got.Refresh),
			"an API token": api.token[10:], "the hash of one": storage.Hash(api.token),
			"where an administrator was": admin.IPAddress, "their program": admin.UserAgent, "who they are": admin.ID,
		} {
			if strings.Contains(o.Raw, secret) {
				t.Errorf("the export holds %s", what)
			}
		}
		if events, _ := o.at("events").([]any); len(events) < 8 {
			t.Errorf("%d events", len(events))
		}
		if other := logIn(t, s, "eve@acme-corp.com", bobPass).call("GET", mePath+"/export", nil); strings.Contains(other.Raw, bob) {
			t.Errorf("eve's export holds bob: %s", other.Raw)
		}
	})
}

// addAdmin adds an administrator and returns their id.
func addAdmin(t *testing.T, s *servertest.Server) string {
	t.Helper()
	u, err := s.Accounts.Create(t.Context(), audit.Shell(), account.NewUser{Email: "root@example.com", Password: passphrase, Admin: true})
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

// LG-37: every door of a suspended user is shut, on every node.
func TestSuspensionBitesAtOnce(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := servertest.Start(t, servertest.Options{DatabaseURL: storagetest.Migrated(t, engine)})
			p, browser := logIn(t, s, bob, bobPass), servertest.Browser(t)
			got := acmePortal.tokens(t, s, browser)
			p.call("GET", mePath, nil).succeeded(200, "User profile retrieved successfully")
			if err := s.Accounts.Suspend(t.Context(), audit.Shell(), userID(t, s, bob)); err != nil {
				t.Fatal(err)
			}
			for _, c := range [][2]string{
				{"GET", mePath}, {"GET", mePath + "/organizations"}, {"GET", mePath + "/export"}, {"DELETE", mePath},
			} {
				p.call(c[0], c[1], nil).failed(401, "INVALID_TOKEN", "")
			}
			p.call("PATCH", mePath, object{"nickname": "x"}).failed(401, "INVALID_TOKEN", "")
			p.changePassword(bobPass, newer).failed(401, "INVALID_TOKEN", "")
			caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}).
				failed(403, "AUTHORIZATION_ERROR", "Your account has been suspended")
			if page := servertest.Get(t, browser, s.URL+"/account"); page.Response.StatusCode != http.StatusSeeOther {
				t.Errorf("the browser still sees %d", page.Response.StatusCode)
			}
			alive(t, s, got.Access, false)
			acmePortal.refresh(t, s, got.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
		})
	}
}
