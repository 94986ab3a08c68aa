package servertest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/login"
	"authy/server/servertest"
)

const (
	chief     = "root@example.com"
	chiefPass = "a quiet word or four"
)

// adminCaller calls the API as someone.
type adminCaller struct {
	t     *testing.T
	s     *servertest.Server
	token string
}

// envelope is what the API answers about users.
type userEnvelope struct {
	Data struct {
		Users []struct{ ID, Email, Status string }
		User  struct {
			ID, Email, Status string
			IsAdmin           bool `json:"is_admin"`
		}
		Count int
	}
	Meta  struct{ Next string }
	Error struct{ Type string }
}

func signedInAs(t *testing.T, s *servertest.Server, email, password string) adminCaller {
	t.Helper()
	in, _, err := s.Login.Program(t.Context(), audit.Shell(), login.Credentials{Email: email, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return adminCaller{t, s, in.Token}
}

func (c adminCaller) call(method, path string) (status int, answer userEnvelope) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.s.URL+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	page := servertest.Do(c.t, servertest.Browser(c.t), req)
	if err := json.Unmarshal([]byte(page.Body), &answer); err != nil {
		c.t.Fatalf("%s %s: %v in %s", method, path, err, page.Body)
	}
	return page.Response.StatusCode, answer
}

// administered is a server with an administrator, signed in.
func administered(t *testing.T) (*servertest.Server, adminCaller) {
	t.Helper()
	s := servertest.New(t)
	_, err := s.Accounts.Create(t.Context(), audit.Shell(), account.NewUser{Email: chief, Password: chiefPass, Admin: true})
	if err != nil {
		t.Fatal(err)
	}
	return s, signedInAs(t, s, chief, chiefPass)
}

func TestAdministratorsPageThroughUsers(t *testing.T) {
	t.Parallel()
	_, admin := administered(t)
	var got []string
	for path := "/api/v1/admin/users?limit=5"; path != ""; {
		status, page := admin.call("GET", path)
		if status != http.StatusOK || page.Data.Count != len(page.Data.Users) || page.Data.Count > 5 {
			t.Fatalf("%s: %d, %+v", path, status, page)
		}
		for _, u := range page.Data.Users {
			got = append(got, u.Email)
		}
		path = ""
		if page.Meta.Next != "" {
			path = "/api/v1/admin/users?limit=5&cursor=" + page.Meta.Next
		}
	}
	want := []string{
		"admin@acme-corp.com", "bob@acme-corp.com", "carol@acme-corp.com", "charlie@cross-org.com",
		"david@acme-corp.com", "eve@acme-corp.com", "frank@tech-startup.com", "grace@tech-startup.com",
		"henry@tech-startup.com", "iris@data-systems.com", "jack@data-systems.com", chief, "superadmin@acme-corp.com",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, page := admin.call("GET", "/api/v1/admin/users?email=CA"); page.Data.Count != 1 || page.Data.Users[0].Email != "carol@acme-corp.com" {
		t.Errorf("addresses that begin with ca: %+v", page.Data)
	}
	for _, bad := range []string{"limit=0", "limit=201", "limit=x", "cursor=***", "status=happy", "sort=email"} {
		if status, page := admin.call("GET", "/api/v1/admin/users?"+bad); status != http.StatusBadRequest || page.Error.Type != "VALIDATION_ERROR" {
			t.Errorf("%s: %d %s", bad, status, page.Error.Type)
		}
	}
}

func TestAnAdministratorSuspendsAndActivates(t *testing.T) {
	t.Parallel()
	s, admin := administered(t)
	bobs := signedInAs(t, s, bob, bobPass)
	_, found := admin.call("GET", "/api/v1/admin/users/"+bob)
	path := "/api/v1/admin/users/" + found.Data.User.ID

	succeed := func(method, path string) {
		t.Helper()
		if status, _ := admin.call(method, path); status != http.StatusOK {
			t.Fatalf("%s %s: %d", method, path, status)
		}
	}
	succeed("POST", path+"/suspend")
	if status, _ := bobs.call("GET", "/api/v1/auth/me"); status != http.StatusUnauthorized {
		t.Errorf("the session of a suspended user is answered %d", status)
	}
	if _, page := admin.call("GET", "/api/v1/admin/users?status=suspended"); page.Data.Count != 1 {
		t.Errorf("%d users are suspended, want 1", page.Data.Count)
	}
	succeed("POST", path+"/activate")
	again := signedInAs(t, s, bob, bobPass)
	succeed("POST", path+"/sign-out")
	if status, _ := again.call("GET", "/api/v1/auth/me"); status != http.StatusUnauthorized {
		t.Errorf("a session that was signed out is answered %d", status)
	}
	succeed("DELETE", path)
	if status, _ := admin.call("GET", path); status != http.StatusNotFound {
		t.Errorf("a deleted user is answered %d", status)
	}
	events, err := s.DB.Events(t.Context(), 20)
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, e := range events {
		if e.ActorKind == string(audit.User) && e.TargetID == found.Data.User.ID && e.ActorID != e.TargetID {
			did = append(did, e.Action)
		}
	}
	want := []string{"user.delete", "session.revoke_all", "user.activate", "user.suspend"}
	if diff := cmp.Diff(want, did); diff != "" {
		t.Errorf("events, newest first (-want +got):\n%s", diff)
	}
}

func TestOnlyAdministratorsAdminister(t *testing.T) {
	t.Parallel()
	s, admin := administered(t)
	_, found := admin.call("GET", "/api/v1/admin/users/"+bob)
	id := found.Data.User.ID
	routes := []struct{ method, path string }{
		{"GET", "/api/v1/admin/users"},
		{"GET", "/api/v1/admin/users/" + id},
		{"POST", "/api/v1/admin/users/" + id + "/suspend"},
		{"POST", "/api/v1/admin/users/" + id + "/activate"},
		{"POST", "/api/v1/admin/users/" + id + "/sign-out"},
		{"POST", "/api/v1/admin/users/" + id + "/unlock"},
		{"DELETE", "/api/v1/admin/users/" + id},
	}
	for who, want := range map[adminCaller]int{
		{t, s, ""}:                      http.StatusUnauthorized,
		{t, s, strings.Repeat("x", 43)}: http.StatusUnauthorized,
		signedInAs(t, s, bob, bobPass):  http.StatusForbidden,
		signedInAs(t, s, "admin@acme-corp.com", "AdminPass123!"): http.StatusForbidden,
	} {
		for _, r := range routes {
			if status, _ := who.call(r.method, r.path); status != want {
				t.Errorf("%s %s: %d, want %d", r.method, r.path, status, want)
			}
		}
	}
	for _, r := range routes[1:] {
		for _, unknown := range []string{"nobody", "%00", "01a21402-1b71-76d7-8466-d8be983b391d"} {
			path := strings.Replace(r.path, id, unknown, 1)
			if status, _ := admin.call(r.method, path); status != http.StatusNotFound {
				t.Errorf("%s %s: %d, want 404", r.method, path, status)
			}
		}
	}
	_, me := admin.call("GET", "/api/v1/admin/users/"+chief)
	for _, r := range []struct{ method, path string }{{"POST", "/suspend"}, {"DELETE", ""}} {
		path := "/api/v1/admin/users/" + me.Data.User.ID + r.path
		if status, _ := admin.call(r.method, path); status != http.StatusConflict {
			t.Errorf("the only administrator, %s %s: %d, want 409", r.method, r.path, status)
		}
	}
}
