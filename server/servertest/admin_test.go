package servertest_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/servertest"
)

// rooted signs in as the administrator of a server.
func rooted(t *testing.T, s *servertest.Server) caller {
	t.Helper()
	makeAdmin(t, s, root)
	return in(t, s, root)
}

// pages lists what a path answers with, page by page: one field of each record.
func (p caller) pages(path, list, field string) (got []string) {
	p.t.Helper()
	for next := path; ; {
		o := p.call("GET", next, nil)
		records, ok := o.at(list).([]any)
		if o.Code != 200 || !ok || o.at("count") != float64(len(records)) {
			p.t.Fatalf("%s: %s", next, o.Raw)
		}
		for _, r := range records {
			got = append(got, fmt.Sprint(r.(map[string]any)[field]))
		}
		_, cursor, more := strings.Cut(o.Raw, `"next":"`)
		if !more {
			return got
		}
		cursor, _, _ = strings.Cut(cursor, `"`)
		next = path + "&cursor=" + cursor
	}
}

func TestAdministratorsSearchForUsers(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := rooted(t, s)
		suspend(t, s, "grace@tech-startup.com")
		acme, err := s.Orgs.BySlug(t.Context(), "acme-corp")
		if err != nil {
			t.Fatal(err)
		}
		bobID := userID(t, s, bob)
		for query, want := range map[string]string{
			"search=Dev":                                 "carol@acme-corp.com",
			"search=f":                                   "frank@tech-startup.com",
			"search=alice+adm":                           "admin@acme-corp.com",
			"search=CAROL@":                              "carol@acme-corp.com",
			"search=" + bobID:                            bob,
			"search=" + strings.ToUpper(bobID):           bob,
			"search=" + bobID + "&status=suspended":      "",
			"search=" + bobID + "&organization=" + bobID: "",
			"search=" + acme.ID:                          "",
			"search=%25":                                 "",
			"search=%ff":                                 "",
			"search=g&status=suspended":                  "grace@tech-startup.com",
			"search=a&organization=" + acme.ID:           "admin@acme-corp.com",
			"status=suspended":                           "grace@tech-startup.com",
			"admin=true":                                 root,
			"admin=true&status=suspended":                "",
			"admin=true&search=bob":                      "",
			"organization=nowhere":                       "",
		} {
			got := p.pages("/api/v1/admin/users?limit=1&"+query, "users", "email")
			if diff := cmp.Diff(strings.Fields(want), got); diff != "" && want+strings.Join(got, "") != "" {
				t.Errorf("%s (-want +got):\n%s", query, diff)
			}
		}
		members := p.pages("/api/v1/admin/users?limit=2&organization="+acme.ID, "users", "email")
		all := p.pages("/api/v1/admin/organizations/"+acme.ID+"/members?limit=2", "members", "user_id")
		if len(members) != len(all) || len(all) < 3 {
			t.Errorf("members %q, of the organization itself %q", members, all)
		}
		if got := p.pages("/api/v1/admin/users?limit=4&admin=false", "users", "email"); len(got) != 11 {
			t.Errorf("%d are no administrators, want 11: %q", len(got), got)
		}
		for _, bad := range []string{"admin=maybe", "search=" + strings.Repeat("x", 255), "search=a&cursor=YQ", "organisation=x", "search=%00", "email=%00", "organization=%00", "cursor=AA"} {
			p.call("GET", "/api/v1/admin/users?"+bad, nil).failed(400, "VALIDATION_ERROR", "")
		}
	})
}

func TestAnAdministratorAddsAndCorrectsUsers(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := rooted(t, s)
		const users = "/api/v1/admin/users"
		made := p.call("POST", users, object{"email": " New@Example.com", "full_name": "New One"}).
			succeeded(201, "User created successfully")
		if made.text("user", "email") != "new@example.com" || made.at("user", "is_admin") != false {
			t.Errorf("made %s", made.Raw)
		}
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": "new@example.com", "password": passphrase}).
			failed(401, "AUTHENTICATION_ERROR", "Invalid email or password")
		p.call("POST", users, object{"email": "new@example.com"}).failed(409, "CONFLICT", "Email address already registered")
		p.call("POST", users, object{"email": "with@example.com", "password": passphrase, "email_verified": true}).
			succeeded(201, "User created successfully")
		logIn(t, s, "with@example.com", passphrase)
		for field, body := range map[string]object{
			"email":    {"email": "nonsense"},
			"password": {"email": "x@example.com", "password": "short"},
			"status":   {"email": "x@example.com", "status": "active"},
		} {
			o := p.call("POST", users, body).failed(400, "VALIDATION_ERROR", "")
			if len(o.Problem.Details[field]) == 0 {
				t.Errorf("%s is not named: %s", field, o.Raw)
			}
		}
		p.call("POST", users, object{"email": "x@example.com", "password": ""}).failed(400, "VALIDATION_ERROR", "")

		one := users + "/" + made.text("user", "id")
		changed := p.call("PATCH", one, object{"full_name": nil, "is_admin": true, "email_verified": true}).
			succeeded(200, "User updated successfully")
		if changed.at("user", "full_name") != nil || changed.at("user", "is_admin") != true || changed.at("user", "email_verified") != true {
			t.Errorf("changed to %s", changed.Raw)
		}
		if got := p.pages(users+"?search=new+one", "users", "email"); got != nil {
			t.Errorf("a name that was cleared finds %q", got)
		}
		for _, body := range []object{{"email": "y@example.com"}, {"status": "active"}, {"id": "x"}, {"is_admin": "yes"}} {
			p.call("PATCH", one, body).failed(400, "VALIDATION_ERROR", "")
		}
		for _, id := range []string{"nobody", "%00", "01a21402-1b71-76d7-8466-d8be983b391d"} {
			p.call("PATCH", users+"/"+id, object{"full_name": "X"}).failed(404, "NOT_FOUND", "User not found")
		}
		p.call("PATCH", one, object{"is_admin": false}).succeeded(200, "User updated successfully")
		p.call("PATCH", users+"/"+userID(t, s, root), object{"is_admin": false}).failed(409, "CONFLICT", "")
		p.call("GET", users, nil).succeeded(200, "Users retrieved successfully")
	})
}

func TestAnAdministratorDisablesAnOrganization(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p, owner := rooted(t, s), in(t, s, alice)
		acme, err := s.Orgs.BySlug(t.Context(), "acme-corp")
		if err != nil {
			t.Fatal(err)
		}
		office, home := "/api/v1/admin/organizations/"+acme.ID, "/api/v1/organizations/"+acme.ID
		link := owner.call("POST", home+"/invitations", object{"email": frank, "role": "member"}).text("link")
		_, secret, _ := strings.Cut(link, "token=")
		for _, body := range []object{{"is_active": false}, {"slug": "other"}} {
			owner.call("PATCH", home, body).failed(400, "VALIDATION_ERROR", "")
		}
		p.call("PATCH", office, object{"slug": "other"}).failed(400, "VALIDATION_ERROR", "")
		token := acmePortal.tokens(t, s, servertest.Browser(t)).Access
		p.call("PATCH", office, object{"is_active": false, "name": "Closed"}).succeeded(200, "Organization updated successfully")

		owner.call("GET", home, nil).failed(404, "NOT_FOUND", "")
		owner.call("PATCH", home, object{"name": "Open"}).failed(404, "NOT_FOUND", "")
		owner.call("GET", home+"/clients", nil).failed(404, "NOT_FOUND", "")
		in(t, s, frank).call("POST", "/api/v1/invitations/accept", object{"token": secret}).failed(404, "NOT_FOUND", "")
		alive(t, s, token, false)
		if got := p.pages("/api/v1/admin/organizations?limit=1&active=false", "organizations", "slug"); len(got) != 1 {
			t.Errorf("disabled: %q", got)
		}
		p.call("GET", office, nil).succeeded(200, "Organization retrieved successfully")

		p.call("PATCH", office, object{"is_active": true}).succeeded(200, "Organization updated successfully")
		owner.call("GET", home, nil).succeeded(200, "Organization retrieved successfully")
		alive(t, s, token, true)
		for _, id := range []string{"nothing", "%00", "01a21402-1b71-76d7-8466-d8be983b391d"} {
			p.call("PATCH", "/api/v1/admin/organizations/"+id, object{"name": "X"}).failed(404, "NOT_FOUND", "Organization not found")
		}
	})
}

func TestAdministratorsSearchForOrganizations(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := rooted(t, s)
		acme, err := s.Orgs.BySlug(t.Context(), "acme-corp")
		if err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string]string{
			"active=true": "acme-corp data-systems tech-startup", "active=false": "", "search=corp": "acme-corp",
			"search=tech": "tech-startup", "search=INC": "tech-startup data-systems", "search=inc&active=false": "",
			"search=" + acme.ID: "acme-corp", "search=" + acme.ID + "&active=false": "", "search=orp": "",
		} {
			got := strings.Join(p.pages("/api/v1/admin/organizations?limit=1&"+query, "organizations", "slug"), " ")
			if got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
		p.call("GET", "/api/v1/admin/organizations?search=a&cursor=YQ", nil).failed(400, "VALIDATION_ERROR", "")
		one := p.call("GET", "/api/v1/admin/organizations/"+acme.ID, nil)
		if n, _ := one.at("member_count").(float64); n < 3 {
			t.Errorf("%s", one.Raw)
		}
	})
}

func TestAnOrganizationWithoutAnActiveOwnerIsRescued(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := rooted(t, s)
		acme, err := s.Orgs.BySlug(t.Context(), "acme-corp")
		if err != nil {
			t.Fatal(err)
		}
		path := "/api/v1/admin/organizations/" + acme.ID + "/owner"
		to := func(email string) object { return object{"user_id": userID(t, s, email)} }
		p.call("PUT", path, to(bob)).failed(409, "CONFLICT", "")
		suspend(t, s, alice)
		suspend(t, s, "grace@tech-startup.com")
		p.call("PUT", path, to("grace@tech-startup.com")).failed(400, "VALIDATION_ERROR", "")
		for _, id := range []string{"nobody", "", "01a21402-1b71-76d7-8466-d8be983b391d"} {
			p.call("PUT", path, object{"user_id": id}).failed(404, "NOT_FOUND", "User not found")
		}
		o := p.call("PUT", path, to(bob)).succeeded(200, "Organization owner set successfully")
		if o.text("member", "role") != "owner" {
			t.Errorf("%s", o.Raw)
		}
		p.call("PUT", path, to(frank)).failed(409, "CONFLICT", "")
		suspend(t, s, bob)
		p.call("PUT", path, to(frank)).succeeded(200, "Organization owner set successfully")
		in(t, s, frank).call("DELETE", "/api/v1/organizations/"+acme.ID, nil).succeeded(200, "Organization deleted successfully")
	})
}

func TestAdministratorsManageEveryClient(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := rooted(t, s)
		const all = "/api/v1/admin/clients"
		made := p.call("POST", all, described("Server Wiki")).succeeded(201, "Client created successfully")
		one := all + "/" + made.text("client", "client_id")
		if made.at("client", "organization_id") != nil || len(made.text("client_secret")) != 43 {
			t.Errorf("made %s", made.Raw)
		}
		for _, extra := range []string{"client_id", "client_secret", "skip_consent", "organization_id"} {
			body := described("X")
			body[extra] = "x"
			p.call("POST", all, body).failed(400, "VALIDATION_ERROR", "")
		}
		for _, client := range []string{one, all + "/acme-portal-001"} {
			p.call("PATCH", client, object{"name": "Renamed", "is_active": false}).succeeded(200, "Client updated successfully")
			p.call("PATCH", client, object{"redirect_uris": []string{"javascript:alert(1)"}}).failed(400, "VALIDATION_ERROR", "")
			p.call("POST", client+"/secret", object{}).succeeded(200, "Client secret rotated successfully")
			p.call("DELETE", client, nil).succeeded(200, "Client deleted successfully")
			p.call("DELETE", client, nil).failed(404, "NOT_FOUND", "")
		}
		acme, err := s.Orgs.BySlug(t.Context(), "acme-corp")
		if err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string]string{
			"organization=" + acme.ID: "acme-mobile-001", "organization=nowhere": "", "search=ACME-": "acme-mobile-001",
			"search=mobile": "acme-mobile-001", "search=mobile&organization=nowhere": "", "search=obile": "",
		} {
			got := strings.Join(p.pages(all+"?limit=1&"+query, "clients", "client_id"), " ")
			if got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
		p.call("GET", all+"?search=a&cursor=YQ", nil).failed(400, "VALIDATION_ERROR", "")
	})
}

func TestAdministratorsSeeAndEndSessions(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := rooted(t, s)
		first, second := in(t, s, bob), in(t, s, bob)
		const all = "/api/v1/admin/sessions"
		of := "?limit=1&user=" + userID(t, s, bob)
		ids := p.pages(all+of, "sessions", "id")
		if len(ids) != 2 || ids[0] <= ids[1] {
			t.Fatalf("sessions of bob, the newest first: %q", ids)
		}
		p.call("DELETE", all+"/"+ids[1], nil).succeeded(200, "Session revoked successfully")
		p.call("DELETE", all+"/"+ids[1], nil).succeeded(200, "Session revoked successfully")
		first.me(false)
		second.me(true)
		if got := p.pages(all+of, "sessions", "status"); strings.Join(got, " ") != "active revoked" {
			t.Errorf("states %q", got)
		}
		suspend(t, s, bob)
		if got := p.pages(all+of, "sessions", "status"); strings.Join(got, " ") != "revoked revoked" {
			t.Errorf("states of a suspended user's: %q", got)
		}
		for query, want := range map[string]int{
			"kind=web": 0, "kind=api": 3, "address=" + url.QueryEscape("127.0.0.1"): 3, "address=10.9.9.9": 0, "user=x": 0, "user=%ff": 0,
		} {
			if got := p.pages(all+"?limit=2&"+query, "sessions", "email"); len(got) != want {
				t.Errorf("%s: %q, want %d", query, got, want)
			}
		}
		for _, bad := range []string{"kind=other", "user=%00", "address=%00"} {
			p.call("GET", all+"?"+bad, nil).failed(400, "VALIDATION_ERROR", "")
		}
		for _, id := range []string{"none", "%00", "%ff", "01a21402-1b71-76d7-8466-d8be983b391d"} {
			p.call("DELETE", all+"/"+id, nil).failed(404, "NOT_FOUND", "Session not found")
		}
	})
}

func TestKeysAreListedWithoutWhatIsPrivate(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p := rooted(t, s)
	acmePortal.tokens(t, s, servertest.Browser(t)) // by when there are keys
	o := p.call("GET", "/api/v1/admin/keys", nil).succeeded(200, "Keys retrieved successfully")
	keys, _ := o.at("keys").([]any)
	if len(keys) != 4 {
		t.Fatalf("%s", o.Raw)
	}
	for _, k := range keys {
		key, _ := k.(map[string]any)
		if len(key) != 9 || key["state"] != "signing" || key["thumbprint"] != key["id"] {
			t.Errorf("key %v", key)
		}
	}
}
