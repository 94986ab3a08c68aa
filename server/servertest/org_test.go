package servertest_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/servertest"
	"authy/storage"
)

const orgsPath = "/api/v1/organizations"

var (
	orgNames    = []string{"id", "created_at", "updated_at", "name", "slug", "description", "logo_url", "is_active", "settings"}
	memberNames = []string{
		"id", "created_at", "updated_at", "user_id", "organization_id", "role", "invited_by_id", "invited_at", "joined_at", "user",
	}
	personNames = []string{"id", "email", "full_name", "avatar_url"}
	inviteNames = []string{"id", "created_at", "organization_id", "email", "role", "invited_by_id", "expires_at"}
)

// makeOrg makes an organization and returns its path.
func (p caller) makeOrg(slug string) string {
	p.t.Helper()
	o := p.call("POST", orgsPath, object{"name": "Org " + slug, "slug": slug})
	return orgsPath + "/" + o.succeeded(201, "Organization created successfully").text("organization", "id")
}

// secretOf is the secret of the link in an answer.
func (o outcome) secretOf(s *servertest.Server) string {
	o.t.Helper()
	link := o.text("link")
	u, err := url.Parse(link)
	if err != nil || !strings.HasPrefix(link, s.URL+"/invitations?token=") {
		o.t.Fatalf("link %q: %v", link, err)
	}
	return u.Query().Get("token")
}

func TestAnOrganizationFromItsBeginningToItsEnd(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		owner, admin := logIn(t, s, bob, bobPass), logIn(t, s, "eve@acme-corp.com", bobPass)
		tr := newTrail(t, s)
		o := owner.call("POST", orgsPath, object{
			"name": " New Org ", "slug": "new-org", "description": nil, "logo_url": "https://example.com/l.png",
		}).succeeded(201, "Organization created successfully")
		o.wantNames([]string{"organization"})
		o.wantNames(orgNames, "organization")
		if o.at("organization", "name") != "New Org" || o.at("organization", "description") != nil {
			t.Errorf("made %s", o.Raw)
		}
		tr.wants("making", "org.create success by user to organization", "org.member.add success by user to user")
		path := orgsPath + "/" + o.text("organization", "id")
		owner.call("POST", orgsPath, object{"name": "x", "slug": "new-org"}).failed(409, "CONFLICT", "Organization slug already exists")

		o = owner.call("POST", path+"/members", object{"email": "Eve@acme-corp.com", "role": "admin"}).
			succeeded(201, "Member added successfully")
		o.wantNames([]string{"member"})
		o.wantNames(memberNames, "member")
		o.wantNames(personNames, "member", "user")
		tr.wants("adding", "org.member.add success by user to user")
		owner.call("POST", path+"/members", object{"email": "eve@acme-corp.com", "role": "guest"}).
			failed(409, "CONFLICT", "User is already a member of this organization")

		admin.call("PATCH", path, object{}).succeeded(200, "Organization updated successfully")
		tr.wants("changing nothing")
		o = admin.call("PATCH", path, object{"description": "Text", "logo_url": nil}).succeeded(200, "Organization updated successfully")
		if o.at("organization", "description") != "Text" || o.at("organization", "logo_url") != nil || o.at("organization", "name") != "New Org" {
			t.Errorf("changed to %s", o.Raw)
		}
		tr.wants("changing", "org.update success by user to organization")
		o = admin.call("GET", path, nil).succeeded(200, "Organization retrieved successfully")
		o.wantNames([]string{"organization", "role", "member_count"})
		if o.at("role") != "admin" || o.at("member_count") != 2.0 {
			t.Errorf("read %s", o.Raw)
		}
		admin.call("PATCH", path+"/members/"+userID(t, s, bob)+"/role", object{"role": "guest"}).failed(403, "AUTHORIZATION_ERROR", "")
		tr.wants("reaching too high", "org.member.role_change failure rank_too_low by user to organization")

		owner.call("POST", path+"/transfer", object{"user_id": userID(t, s, "eve@acme-corp.com")}).
			succeeded(200, "Ownership transferred successfully")
		tr.wants("handing over", "org.member.role_change success transfer by user to user",
			"org.member.role_change success transfer by user to user")
		owner.call("DELETE", path, nil).failed(403, "AUTHORIZATION_ERROR", "Requires one of the following roles: owner")
		tr.news()
		owner.call("POST", path+"/leave", nil).succeeded(200, "Organization left successfully")
		tr.wants("leaving", "org.member.remove success left by user to user")
		owner.call("GET", path, nil).failed(404, "NOT_FOUND", "Organization not found")
		admin.call("DELETE", path, nil).succeeded(200, "Organization deleted successfully")
		tr.wants("deleting", "org.delete success by user to organization")
		admin.call("GET", path, nil).failed(404, "NOT_FOUND", "Organization not found")
		if again := admin.makeOrg("new-org"); again == path {
			t.Errorf("the new organization has the old id")
		}
	})
}

func TestStrangersAreInvitedByALink(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		owner, eve := logIn(t, s, bob, bobPass), logIn(t, s, "eve@acme-corp.com", bobPass)
		path, tr := owner.makeOrg("inviting"), newTrail(t, s)
		in := object{"email": "New@Example.com", "role": "member"}
		o := owner.call("POST", path+"/members", in).succeeded(201, "Invitation created successfully")
		o.wantNames([]string{"invitation", "link"})
		o.wantNames(inviteNames, "invitation")
		wantTime(t, "expires_at", o.text("invitation", "expires_at"), 7*24*time.Hour)
		secret := o.secretOf(s)
		owner.call("POST", path+"/invitations", in).failed(409, "CONFLICT", "")
		list := owner.call("GET", path+"/invitations", nil).succeeded(200, "Invitations retrieved successfully")
		if list.at("count") != 1.0 || strings.Contains(list.Raw, secret) || strings.Contains(list.Raw, storage.Hash(secret)) {
			t.Errorf("listed %s", list.Raw)
		}
		eve.call("POST", "/api/v1/invitations/accept", object{"token": secret}).failed(404, "NOT_FOUND", "")
		p := caller{t: t, s: s}
		p.token = p.call("POST", "/api/v1/auth/register", object{
			"email": "new@example.com", "password": passphrase, "password_confirm": passphrase,
		}).text("token")
		tr.news()
		o = p.call("POST", "/api/v1/invitations/accept", object{"token": secret}).succeeded(200, "Invitation accepted successfully")
		o.wantNames([]string{"organization", "role"})
		events := tr.wants("accepting", "org.invitation.accept success by user to invitation", "org.member.add success by user to user")
		for _, e := range events {
			if text := fmt.Sprintf("%+v", e); strings.Contains(text, secret) {
				t.Errorf("the audit log holds the secret: %s", text)
			}
		}
		p.call("POST", "/api/v1/invitations/accept", object{"token": secret}).failed(404, "NOT_FOUND", "")
		owner.call("POST", path+"/invitations", in).failed(409, "CONFLICT", "User is already a member of this organization")

		o = owner.call("POST", path+"/invitations", object{"email": "eve@acme-corp.com", "role": "guest"}).
			succeeded(201, "Invitation created successfully")
		id := o.text("invitation", "id")
		owner.call("DELETE", path+"/invitations/"+id, nil).succeeded(200, "Invitation revoked successfully")
		owner.call("DELETE", path+"/invitations/"+id, nil).failed(404, "NOT_FOUND", "")
		eve.call("POST", "/api/v1/invitations/accept", object{"token": o.secretOf(s)}).failed(404, "NOT_FOUND", "")
		eve.call("GET", path, nil).failed(404, "NOT_FOUND", "")
	})
}

func TestMembersAreListedInPages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	owner := logIn(t, s, bob, bobPass)
	path, want := owner.makeOrg("paging"), []string{bob}
	for _, email := range []string{"eve@acme-corp.com", "carol@acme-corp.com", "jack@data-systems.com", "iris@data-systems.com"} {
		owner.call("POST", path+"/members", object{"email": email, "role": "member"}).succeeded(201, "Member added successfully")
		want = append(want, email)
	}
	var got []string
	for next := ""; ; {
		o := owner.call("GET", path+"/members?limit=2&cursor="+next, nil).succeeded(200, "Members retrieved successfully")
		list, _ := o.at("members").([]any)
		for _, one := range list {
			m, _ := one.(map[string]any)
			user, _ := m["user"].(map[string]any)
			got = append(got, fmt.Sprint(user["email"]))
		}
		_, after, more := strings.Cut(o.Raw, `"meta":{"next":"`)
		if !more {
			break
		}
		next, _, _ = strings.Cut(after, `"`)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	for _, query := range []string{
		"limit=0", "limit=-1", "limit=201", "limit=1e9", "limit=abc", "cursor=!", "cursor=AA", "cursor=J3x8", "sort=id", "offset=1",
	} {
		owner.call("GET", path+"/members?"+query, nil).wantOneOf(400)
	}
}

func TestBadOrganizationsAreRefusedFieldByField(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	owner := logIn(t, s, bob, bobPass)
	path := owner.makeOrg("fields")
	for _, c := range []struct {
		method, path, body string
		fields             []string
	}{
		{"POST", orgsPath, `{}`, []string{"name", "slug"}},
		{"POST", orgsPath, `{"name":" ","slug":"-"}`, []string{"name", "slug"}},
		{"POST", orgsPath, `{"name":"x","slug":"x","logo_url":"javascript:alert(1)"}`, []string{"logo_url"}},
		{"POST", orgsPath, `{"name":"x","slug":"x","logo_url":"//example.com/x"}`, []string{"logo_url"}},
		{
			"POST", orgsPath, `{"name":"x","slug":"x","id":"1","owner_id":"1","is_active":false,"created_at":"x","members":[]}`,
			[]string{"created_at", "id", "is_active", "members", "owner_id"},
		},
		{"PATCH", path, `{"slug":"other"}`, []string{"slug"}},
		{"PATCH", path, `{"is_active":false,"settings":{}}`, []string{"is_active", "settings"}},
		{"PATCH", path, `{"name":""}`, []string{"name"}},
		{"PATCH", path, `{"name":null}`, []string{"name"}},
		{"PATCH", path, `{"description":1}`, []string{"description"}},
		{"POST", path + "/members", `{}`, []string{"email", "role"}},
		{"POST", path + "/members", `{"email":"x","role":"member"}`, []string{"email"}},
		{"POST", path + "/members", `{"email":"x@example.com","role":"king"}`, []string{"role"}},
		{"POST", path + "/members", `{"email":"x@example.com","role":"member","user_id":"1"}`, []string{"user_id"}},
		{"POST", path + "/transfer", `{"user_id":"` + userID(t, s, bob) + `"}`, []string{"user_id"}},
		{"POST", "/api/v1/invitations/accept", `{"token":""}`, []string{"token"}},
	} {
		o := owner.call(c.method, c.path, c.body).failed(400, "VALIDATION_ERROR", "Validation failed")
		if o.Problem == nil || len(o.Problem.Details) != len(c.fields) {
			t.Errorf("%s %s: %s, want %v", c.path, c.body, o.Raw, c.fields)
			continue
		}
		for _, name := range c.fields {
			if len(o.Problem.Details[name]) == 0 {
				t.Errorf("%s %s: %s, want %v", c.path, c.body, o.Raw, c.fields)
			}
		}
	}
}

func TestADeletedOrganizationEndsItsClients(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := newPortal(t, s, "acme-portal-001", "acme_secret_portal_2024", callback)
		a, browser := newAttempt(), servertest.Browser(t)
		page, _ := s.Visit(t, browser, p.url(a), bob, bobPass)
		token, _ := p.exchange(t, s, a, page.Location())
		alive(t, s, token.AccessToken, true)
		admin := logIn(t, s, "admin@acme-corp.com", "AdminPass123!")
		acme, err := s.Orgs.BySlug(t.Context(), "acme-corp")
		if err != nil {
			t.Fatal(err)
		}
		admin.call("DELETE", orgsPath+"/"+acme.ID, nil).succeeded(200, "Organization deleted successfully")
		alive(t, s, token.AccessToken, false)
		old := *token
		old.Expiry = time.Now().Add(-time.Hour)
		if fresh, err := p.config.TokenSource(t.Context(), &old).Token(); err == nil {
			t.Errorf("a refresh token of a deleted client gave %v", fresh.Type())
		}
		if page := servertest.Get(t, browser, p.url(newAttempt())); page.Response.StatusCode < 400 {
			t.Errorf("a deleted client may still ask: %d", page.Response.StatusCode)
		}
		logIn(t, s, bob, bobPass).me(true)
	})
}
