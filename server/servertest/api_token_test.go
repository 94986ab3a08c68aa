package servertest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/org"
	"authy/server/servertest"
	"authy/server/token"
	"authy/storage"
)

const tokensPath = mePath + "/tokens"

// makeToken makes an API token at a path of tokens and returns a program that
// has it, and its id.
func (p caller) makeToken(path string, scopes ...string) (with caller, id string) {
	p.t.Helper()
	o := p.call("POST", path, object{"name": "Test", "scopes": scopes}).succeeded(201, "Token created successfully")
	return caller{t: p.t, s: p.s, token: o.text("token")}, o.text("api_token", "id")
}

// dead wants the program's API token to be refused.
func (p caller) dead() {
	p.t.Helper()
	o := p.call("GET", mePath, nil).failed(401, "INVALID_TOKEN", "Invalid or expired token")
	if got := o.Header.Get("WWW-Authenticate"); got != `Bearer error="invalid_token"` {
		p.t.Errorf("WWW-Authenticate: %q", got)
	}
}

// lacks wants an answer that names the scope which the token lacks.
func (o outcome) lacks(scope string) {
	o.t.Helper()
	o.failed(403, "AUTHORIZATION_ERROR", "The token needs the scope "+scope+".")
	want := `Bearer error="insufficient_scope", scope="` + scope + `"`
	if got := o.Header.Get("WWW-Authenticate"); got != want {
		o.t.Errorf("%s: WWW-Authenticate: %s, want %s", o.call, got, want)
	}
}

func TestATokenSpeaksForItsUserAsFarAsItsScopesGo(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p, tr := logIn(t, s, bob, bobPass), newTrail(t, s)
		o := p.call("POST", tokensPath, object{"name": " Backup ", "scopes": []string{"profile:write", "profile:read", "profile:read"}}).
			succeeded(201, "Token created successfully")
		made := tr.wants("making one", "token.create success by user to token")
		if len(made) == 1 && (made[0].TargetID != o.text("api_token", "id") || !strings.Contains(made[0].Details, `"scopes":"profile:read profile:write"`)) {
			t.Errorf("the event is %+v", made[0])
		}
		text := o.text("token")
		if len(text) != 53 || !strings.HasPrefix(text, "authy_pat_") || o.text("api_token", "name") != "Backup" {
			t.Errorf("made %s", o.Raw)
		}
		wantTime(t, "expires_at", o.text("api_token", "expires_at"), 90*24*time.Hour)

		with := caller{t: t, s: s, token: text}
		if got := with.call("GET", mePath, nil).succeeded(200, "User profile retrieved successfully").text("user", "email"); got != bob {
			t.Errorf("it speaks for %s", got)
		}
		with.call("PATCH", mePath, object{"nickname": "B"}).succeeded(200, "Profile updated successfully")
		for _, e := range tr.wants("a change", "user.update success by user to user") {
			if e.SessionID != o.text("api_token", "id") || e.ActorID != userID(t, s, bob) {
				t.Errorf("the event is %+v, want the token named", e)
			}
		}
		with.call("GET", "/api/v1/organizations", nil).lacks("organizations:read")
		with.call("GET", "/api/v1/admin/users", nil).lacks("admin:read")
		with.call("GET", "/api/v1/auth/sessions", nil).failed(403, "AUTHORIZATION_ERROR", "API tokens cannot do this: sign in.")
		tr.wants("what was refused")

		list := p.call("GET", tokensPath, nil).succeeded(200, "Tokens retrieved successfully")
		if strings.Contains(list.Raw, text[10:]) || strings.Contains(list.Raw, storage.Hash(text)) || list.at("count") != 1.0 {
			t.Errorf("the list is %s", list.Raw)
		}
		one, _ := list.at("tokens").([]any)[0].(map[string]any)
		if used, _ := one["last_used_at"].(string); len(one) != 8 || one["kind"] != "personal" || used == "" {
			t.Errorf("the token is listed as %v", one)
		}
		p.call("DELETE", tokensPath+"/"+o.text("api_token", "id"), nil).succeeded(200, "Token revoked successfully")
		tr.wants("revoking it", "token.revoke success by user to token")
		with.dead()
		p.call("DELETE", tokensPath+"/"+o.text("api_token", "id"), nil).failed(404, "NOT_FOUND", "Token not found")
		p.me(true)
	})
}

func TestATokenThatMayNotBeMadeIsRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p := logIn(t, s, bob, bobPass)
	read := []string{"profile:read"}
	for field, bodies := range map[string][]object{
		"name": {
			{"scopes": read},
			{"name": " ", "scopes": read},
			{"name": strings.Repeat("é", 101), "scopes": read},
			{"name": "a\nb", "scopes": read},
			{"name": 1, "scopes": read},
		},
		"scopes": {
			{"name": "x"},
			{"name": "x", "scopes": []string{}},
			{"name": "x", "scopes": nil},
			{"name": "x", "scopes": []string{"everything"}},
			{"name": "x", "scopes": []string{"profile:read profile:write"}},
			{"name": "x", "scopes": []string{"admin:read"}},
			{"name": "x", "scopes": []string{"Profile:Read"}},
		},
		"expires_in_days": {
			{"name": "x", "scopes": read, "expires_in_days": 0},
			{"name": "x", "scopes": read, "expires_in_days": -1},
			{"name": "x", "scopes": read, "expires_in_days": 367},
			{"name": "x", "scopes": read, "expires_in_days": 1.5},
			{"name": "x", "scopes": read, "expires_in_days": 90, "never_expires": true},
		},
		"user_id": {{"name": "x", "scopes": read, "user_id": userID(t, s, "eve@acme-corp.com")}},
	} {
		for _, body := range bodies {
			o := p.call("POST", tokensPath, body).failed(400, "VALIDATION_ERROR", "Validation failed")
			if o.Problem.Details[field] == nil || len(o.Problem.Details) != 1 {
				t.Errorf("%v: details %v, want them about %s", body, o.Problem.Details, field)
			}
		}
	}
	if got := p.call("GET", tokensPath, nil).at("count"); got != 0.0 {
		t.Errorf("%v tokens after all were refused", got)
	}
	p.call("POST", tokensPath, object{"name": "x", "scopes": read, "expires_in_days": 366}).succeeded(201, "Token created successfully")
	o := p.call("POST", tokensPath, object{"name": "x", "scopes": read, "never_expires": true}).succeeded(201, "Token created successfully")
	if o.at("api_token", "expires_at") != nil {
		t.Errorf("never is %s", o.Raw)
	}
}

func TestWhatIsNoTokenIsRefusedInTheEnvelope(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p := logIn(t, s, bob, bobPass)
	good, _ := p.makeToken(tokensPath, "profile:read")
	last := byte('A')
	if good.token[52] == last {
		last = 'E'
	}
	for _, text := range []string{
		"authy_pat_", "authy_pat_" + strings.Repeat("A", 43), good.token[:52], good.token + "A", good.token[:52] + string(last),
		"authy_pat_" + strings.Repeat("x", 10<<10), strings.Replace(good.token, "authy_pat_", "authy_pat_\xff", 1),
		"authy_pat_" + p.token, "authy_pat_" + good.token[10:52] + "=",
	} {
		caller{t: t, s: s, token: text}.dead()
	}
	for _, text := range []string{strings.ToUpper(good.token), good.token[10:], " " + p.token[:42], "AUTHY_PAT_" + good.token[10:]} {
		caller{t: t, s: s, token: text}.me(false)
	}
	good.call("GET", mePath, nil).succeeded(200, "User profile retrieved successfully")
}

// Tokens are for the JSON API: no other door takes one, and theirs takes
// nothing else.
func TestNoOtherDoorTakesAToken(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	with, _ := logIn(t, s, bob, bobPass).makeToken(tokensPath, "profile:read")
	for _, method := range []string{"GET", "POST"} {
		page := surface(t, s, method, "/oidc/userinfo", "", "", "Authorization", "Bearer "+with.token)
		if page.Response.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s userinfo: %d %s", method, page.Response.StatusCode, page.Body)
		}
	}
	page := surface(t, s, "GET", "/account", "", "", "Cookie", "authy_session="+with.token)
	if page.Response.StatusCode != http.StatusSeeOther {
		t.Errorf("the pages take it as a cookie: %d", page.Response.StatusCode)
	}
	page = surface(t, s, "GET", mePath+"?access_token="+with.token, "", "")
	if page.Response.StatusCode != http.StatusUnauthorized {
		t.Errorf("it is read from a query: %d", page.Response.StatusCode)
	}
	got := acmePortal.tokens(t, s, servertest.Browser(t))
	for _, text := range []string{got.Access, got.ID, got.Refresh} {
		caller{t: t, s: s, token: text}.me(false)
	}
}

func TestATokenEndsWithWhatItsUserEnds(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		ctx, shell := t.Context(), audit.Shell()
		for name, end := range map[string]func(p caller, id string) error{
			"suspension":          func(_ caller, id string) error { return s.Accounts.Suspend(ctx, shell, id) },
			"sign out everywhere": func(_ caller, id string) error { return s.Accounts.SignOut(ctx, shell, id) },
			"a password set at the shell": func(_ caller, id string) error {
				return s.Accounts.SetPassword(ctx, shell, id, newer)
			},
			"a changed password": func(p caller, _ string) error {
				p.changePassword(passphrase, newer).succeeded(200, "Password changed successfully")
				return nil
			},
			"deletion": func(p caller, _ string) error {
				p.call("DELETE", mePath, nil).succeeded(200, "Account deleted successfully")
				return nil
			},
		} {
			email := strings.ReplaceAll(name, " ", "-") + "@example.com"
			p := caller{t: t, s: s}
			p.token = p.call("POST", "/api/v1/auth/register", object{"email": email, "password": passphrase, "password_confirm": passphrase}).
				succeeded(201, "Registration successful").text("token")
			time.Sleep(2 * time.Millisecond) // a token of the same millisecond as the password would be dead
			with, _ := p.makeToken(tokensPath, "profile:read")
			with.call("GET", mePath, nil).succeeded(200, "User profile retrieved successfully")
			if err := end(p, userID(t, s, email)); err != nil {
				t.Fatal(err)
			}
			with.dead()
			if name == "suspension" {
				if err := s.Accounts.Activate(ctx, shell, userID(t, s, email)); err != nil {
					t.Fatal(err)
				}
				with.dead()
			}
		}
	})
}

func TestATokenCannotManageTokens(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p := logIn(t, s, bob, bobPass)
	all := slices.DeleteFunc(slices.Clone(token.Scopes), token.ForAdmin)
	with, id := p.makeToken(tokensPath, all...)
	for _, call := range [][2]string{
		{"POST", tokensPath}, {"GET", tokensPath}, {"DELETE", tokensPath + "/" + id}, {"POST", "/api/v1/organizations/x/tokens"},
	} {
		with.call(call[0], call[1], nil).failed(403, "AUTHORIZATION_ERROR", "API tokens cannot do this: sign in.")
	}
	// The rule does not rely on the table of the API.
	by := audit.Actor{Kind: audit.User, ID: userID(t, s, bob), TokenID: id}
	if _, _, err := s.Tokens.Make(t.Context(), by, token.Owner{UserID: by.ID}, token.NewToken{Name: "x", Scopes: all}); err == nil {
		t.Error("the rule lets a token make another")
	}
	with.call("GET", mePath, nil).succeeded(200, "User profile retrieved successfully")
}

func TestSomebodyElsesTokenIsNotFound(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	with, id := logIn(t, s, bob, bobPass).makeToken(tokensPath, "profile:read")
	eve := logIn(t, s, "eve@acme-corp.com", bobPass)
	for _, id := range []string{id, storage.NewID(), "nonsense", "%00", "%ff", strings.ToUpper(id), strings.Repeat("a", 4000)} {
		eve.call("DELETE", tokensPath+"/"+id, nil).failed(404, "NOT_FOUND", "Token not found")
	}
	if got := eve.call("GET", tokensPath, nil).at("count"); got != 0.0 {
		t.Errorf("eve sees %v tokens", got)
	}
	with.call("GET", mePath, nil).succeeded(200, "User profile retrieved successfully")
}

func TestAnOwnerHasFiftyTokensAtMost(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := logIn(t, s, bob, bobPass)
		for range token.MaxTokens - 3 {
			p.makeToken(tokensPath, "profile:read")
		}
		var wait sync.WaitGroup
		codes := make([]int, 8)
		for i := range codes {
			wait.Go(func() {
				codes[i] = p.call("POST", tokensPath, object{"name": "race", "scopes": []string{"profile:read"}}).Code
			})
		}
		wait.Wait()
		slices.Sort(codes)
		if !slices.Equal(codes, []int{201, 201, 201, 409, 409, 409, 409, 409}) {
			t.Errorf("8 at once with room for 3: %v", codes)
		}
		first := p.call("GET", tokensPath+"?limit=30", nil)
		second := p.call("GET", tokensPath+"?limit=30&cursor="+nextOf(t, first), nil)
		if first.at("count") != 30.0 || second.at("count") != 20.0 || nextOf(t, second) != "" {
			t.Errorf("pages of %v and %v", first.at("count"), second.at("count"))
		}
		p.changePassword(bobPass, newer).succeeded(200, "Password changed successfully")
		p.makeToken(tokensPath, "profile:read") // the dead ones take no room
		if n, err := s.DB.APITokensOfUser(t.Context(), userID(t, s, bob)); err != nil || len(n) != 1 {
			t.Errorf("%d rows are left, %v", len(n), err)
		}
	})
}

// nextOf is the cursor of the next page.
func nextOf(t *testing.T, o outcome) string {
	t.Helper()
	var body struct{ Meta struct{ Next string } }
	if err := json.Unmarshal([]byte(o.Raw), &body); err != nil {
		t.Fatal(err)
	}
	return body.Meta.Next
}

// administer makes a user an administrator of the server, or one no more.
func administer(t *testing.T, s *servertest.Server, email string, is bool) {
	t.Helper()
	change(t, s, func(ctx context.Context, tx *storage.Tx) error {
		u, err := tx.UserByEmail(ctx, email)
		if err != nil {
			return err
		}
		u.IsAdmin = is
		return tx.SaveUser(ctx, u)
	})
}

func TestATokenOfAnAdministratorIsOneByItsScopesAlone(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	administer(t, s, bob, true)
	root := logIn(t, s, bob, bobPass)
	reads, _ := root.makeToken(tokensPath, "admin:read")
	plain, _ := root.makeToken(tokensPath, "profile:read", "audit:read")
	foreign, err := s.Orgs.BySlug(t.Context(), "tech-startup")
	if err != nil {
		t.Fatal(err)
	}
	id := userID(t, s, bob)
	reads.call("GET", "/api/v1/admin/users/"+id, nil).succeeded(200, "User retrieved successfully")
	reads.call("POST", "/api/v1/admin/users/"+id+"/suspend", nil).lacks("admin:write")
	plain.call("GET", "/api/v1/admin/audit", nil).lacks("admin:read")
	root.call("GET", "/api/v1/organizations/"+foreign.ID+"/audit", nil).succeeded(200, "Audit events retrieved successfully")
	plain.call("GET", "/api/v1/organizations/"+foreign.ID+"/audit", nil).failed(404, "NOT_FOUND", "Organization not found")

	administer(t, s, bob, false)
	reads.call("GET", "/api/v1/admin/users/"+id, nil).failed(403, "AUTHORIZATION_ERROR", "")
}

func TestARoleThatIsLostIsLostToTokensAtOnce(t *testing.T) {
	t.Parallel()
	th := newTheatre(t, servertest.New(t))
	st := th.stage()
	with, _ := th.callers["admin"].makeToken(tokensPath, "organizations:read", "organizations:write", "clients:read", "audit:read")
	path := st.fill("/api/v1/organizations/{org}")
	with.call("PATCH", path, object{"name": "By token"}).succeeded(200, "Organization updated successfully")
	if err := th.s.Orgs.Remove(t.Context(), audit.Shell(), st.id, th.ids["admin"]); err != nil {
		t.Fatal(err)
	}
	if err := th.s.Orgs.AddMember(t.Context(), audit.Shell(), st.id, th.ids["admin"], org.Member); err != nil {
		t.Fatal(err)
	}
	with.call("PATCH", path, object{"name": "Again"}).failed(403, "AUTHORIZATION_ERROR", "")
	with.call("GET", path+"/clients", nil).failed(403, "AUTHORIZATION_ERROR", "")
	with.call("GET", path+"/audit", nil).failed(403, "AUTHORIZATION_ERROR", "")
	with.call("GET", path, nil).succeeded(200, "Organization retrieved successfully")
}
