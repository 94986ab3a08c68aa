package servertest_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"authy/server/audit"
	"authy/server/org"
	"authy/server/servertest"
)

// cast are the users of the sample data by the part that they play.
var cast = map[string]string{
	"guest": "bob@acme-corp.com", "member": "carol@acme-corp.com", "admin": "david@acme-corp.com",
	"owner": "eve@acme-corp.com", "outsider": "frank@tech-startup.com", "suspended": "grace@tech-startup.com",
	"removed": "henry@tech-startup.com", "target": "iris@data-systems.com", "admin2": "jack@data-systems.com",
}

// theatre is a server where the cast is signed in.
type theatre struct {
	t       *testing.T
	s       *servertest.Server
	callers map[string]caller
	ids     map[string]string
}

func newTheatre(t *testing.T, s *servertest.Server) *theatre {
	t.Helper()
	th := &theatre{t, s, map[string]caller{"none": {t: t, s: s}}, map[string]string{}}
	for part, email := range cast {
		th.callers[part], th.ids[part] = logIn(t, s, email, bobPass), userID(t, s, email)
	}
	suspend(t, s, cast["suspended"])
	return th
}

// stage is an organization with everybody in their place.
type stage struct {
	*theatre
	id, slug           string
	invitation, secret string // to the outsider, as a member
	invited            string // id of an invitation to be an admin
	before             string
}

// stages numbers the organizations of a test process.
var stages atomic.Int64

func (th *theatre) stage() *stage {
	th.t.Helper()
	ctx, shell, orgs := th.t.Context(), audit.Shell(), th.s.Orgs
	slug := fmt.Sprintf("stage-%d", stages.Add(1))
	o, err := orgs.Create(ctx, shell, org.NewOrg{Slug: slug, Name: "Stage", OwnerID: th.ids["owner"]})
	if err != nil {
		th.t.Fatal(err)
	}
	for part, role := range map[string]org.Role{
		"guest": org.Guest, "member": org.Member, "admin": org.Admin, "suspended": org.Admin, "removed": org.Admin,
		"target": org.Member, "admin2": org.Admin,
	} {
		if err := orgs.AddMember(ctx, shell, o.ID, th.ids[part], role); err != nil {
			th.t.Fatal(err)
		}
	}
	if err := orgs.Remove(ctx, shell, o.ID, th.ids["removed"]); err != nil {
		th.t.Fatal(err)
	}
	st := &stage{theatre: th, id: o.ID, slug: slug}
	i, secret, err := orgs.Invite(ctx, shell, o.ID, cast["outsider"], org.Member)
	if err != nil {
		th.t.Fatal(err)
	}
	st.invitation, st.secret = i.ID, secret
	if i, _, err = orgs.Invite(ctx, shell, o.ID, "director@example.com", org.Admin); err != nil {
		th.t.Fatal(err)
	}
	st.invited = i.ID
	st.before = st.snapshot()
	return st
}

// snapshot is all that there is to see of the organization.
func (st *stage) snapshot() string {
	st.t.Helper()
	ctx, shell, orgs := st.t.Context(), audit.Shell(), st.s.Orgs
	view, err := orgs.Show(ctx, shell, st.id)
	if err != nil {
		return err.Error()
	}
	places, err := orgs.Members(ctx, shell, st.id, "", 100)
	if err != nil {
		st.t.Fatal(err)
	}
	invitations, err := orgs.Invitations(ctx, shell, st.id, "", 100)
	if err != nil {
		st.t.Fatal(err)
	}
	text := fmt.Sprintf("%+v", *view.Organization)
	for _, p := range places {
		text += fmt.Sprintf("\n%+v", *p.Member)
	}
	return text + fmt.Sprintf("\n%+v", invitations)
}

// path fills the names of a path or body in.
func (st *stage) fill(text string) string {
	pairs := []string{
		"{org}", st.id, "{slug}", st.slug, "{invitation}", st.invitation, "{invited}", st.invited, "{secret}", st.secret,
	}
	for part, id := range st.ids {
		pairs = append(pairs, "{"+part+"}", id, "{"+part+"@}", cast[part])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// What everybody may do. The columns are guest, member, admin, owner, who has
// never been a member (but is invited), and who was one. Nobody may do
// anything without a token, or while suspended.
var orgMatrix = []struct {
	what, call, body string
	want             [6]int
}{
	{"list mine", "GET /organizations", "", [6]int{200, 200, 200, 200, 200, 200}},
	{"make", "POST /organizations", `{"name":"New","slug":"{slug}-new"}`, [6]int{201, 201, 201, 201, 201, 201}},
	{"read", "GET /organizations/{org}", "", [6]int{200, 200, 200, 200, 404, 404}},
	{"change", "PATCH /organizations/{org}", `{"name":"New"}`, [6]int{403, 403, 200, 200, 404, 404}},
	{"delete", "DELETE /organizations/{org}", "", [6]int{403, 403, 403, 200, 404, 404}},
	{"list members", "GET /organizations/{org}/members", "", [6]int{403, 200, 200, 200, 404, 404}},
	{
		"add a member", "POST /organizations/{org}/members", `{"email":"{removed@}","role":"member"}`,
		[6]int{403, 403, 201, 201, 404, 404},
	},
	{
		"add an admin", "POST /organizations/{org}/members", `{"email":"{removed@}","role":"admin"}`,
		[6]int{403, 403, 403, 201, 404, 404},
	},
	{
		"add an owner", "POST /organizations/{org}/members", `{"email":"{removed@}","role":"owner"}`,
		[6]int{403, 403, 403, 201, 404, 404},
	},
	{
		"add a stranger", "POST /organizations/{org}/members", `{"email":"new@example.com","role":"guest"}`,
		[6]int{403, 403, 201, 201, 404, 404},
	},
	{
		"add a strange owner", "POST /organizations/{org}/members", `{"email":"new@example.com","role":"owner"}`,
		[6]int{403, 403, 403, 201, 404, 404},
	},
	{"remove a member", "DELETE /organizations/{org}/members/{target}", "", [6]int{403, 403, 200, 200, 404, 404}},
	{"remove an admin", "DELETE /organizations/{org}/members/{admin2}", "", [6]int{403, 403, 403, 200, 404, 404}},
	{"remove the owner", "DELETE /organizations/{org}/members/{owner}", "", [6]int{403, 403, 403, 409, 404, 404}},
	{"remove nobody", "DELETE /organizations/{org}/members/{removed}", "", [6]int{403, 403, 404, 404, 404, 404}},
	{
		"demote a member", "PATCH /organizations/{org}/members/{target}/role", `{"role":"guest"}`,
		[6]int{403, 403, 200, 200, 404, 404},
	},
	{
		"make an admin", "PATCH /organizations/{org}/members/{target}/role", `{"role":"admin"}`,
		[6]int{403, 403, 403, 200, 404, 404},
	},
	{
		"make an owner", "PATCH /organizations/{org}/members/{target}/role", `{"role":"owner"}`,
		[6]int{403, 403, 403, 200, 404, 404},
	},
	{
		"demote an admin", "PATCH /organizations/{org}/members/{admin2}/role", `{"role":"guest"}`,
		[6]int{403, 403, 403, 200, 404, 404},
	},
	{
		"demote the owner", "PATCH /organizations/{org}/members/{owner}/role", `{"role":"guest"}`,
		[6]int{403, 403, 403, 409, 404, 404},
	},
	{
		"promote the admin", "PATCH /organizations/{org}/members/{admin}/role", `{"role":"owner"}`,
		[6]int{403, 403, 403, 200, 404, 404},
	},
	{
		"promote nobody", "PATCH /organizations/{org}/members/{outsider}/role", `{"role":"guest"}`,
		[6]int{403, 403, 404, 404, 404, 404},
	},
	{"read the policy", "GET /organizations/{org}/security-policy", "", [6]int{200, 200, 200, 200, 404, 404}},
	{
		"set the policy", "PUT /organizations/{org}/security-policy", `{"mfa_policy_mode":"optional"}`,
		[6]int{403, 403, 200, 200, 404, 404},
	},
	{"list who meets it", "GET /organizations/{org}/mfa-compliance", "", [6]int{403, 403, 200, 200, 404, 404}},
	{
		"exempt a member", "PATCH /organizations/{org}/users/{target}/security-policy", `{"mfa_override_mode":"exempt"}`,
		[6]int{403, 403, 200, 200, 404, 404},
	},
	{
		"exempt an admin", "PATCH /organizations/{org}/users/{admin}/security-policy", `{"mfa_override_mode":"exempt"}`,
		[6]int{403, 403, 403, 200, 404, 404},
	},
	{
		"exempt the owner", "PATCH /organizations/{org}/users/{owner}/security-policy", `{"mfa_override_mode":"exempt"}`,
		[6]int{403, 403, 403, 200, 404, 404},
	},
	{
		"exempt nobody", "PATCH /organizations/{org}/users/{removed}/security-policy", `{"mfa_override_mode":"exempt"}`,
		[6]int{403, 403, 404, 404, 404, 404},
	},
	{"leave", "POST /organizations/{org}/leave", "", [6]int{200, 200, 200, 409, 404, 404}},
	{
		"hand over", "POST /organizations/{org}/transfer", `{"user_id":"{target}"}`,
		[6]int{403, 403, 403, 200, 404, 404},
	},
	{
		"hand over to nobody", "POST /organizations/{org}/transfer", `{"user_id":"{outsider}"}`,
		[6]int{403, 403, 403, 404, 404, 404},
	},
	{
		"hand over to the suspended", "POST /organizations/{org}/transfer", `{"user_id":"{suspended}"}`,
		[6]int{403, 403, 403, 409, 404, 404},
	},
	{"list invitations", "GET /organizations/{org}/invitations", "", [6]int{403, 403, 200, 200, 404, 404}},
	{
		"invite", "POST /organizations/{org}/invitations", `{"email":"{removed@}","role":"member"}`,
		[6]int{403, 403, 201, 201, 404, 404},
	},
	{
		"invite an admin", "POST /organizations/{org}/invitations", `{"email":"{removed@}","role":"admin"}`,
		[6]int{403, 403, 403, 201, 404, 404},
	},
	{
		"revoke", "DELETE /organizations/{org}/invitations/{invitation}", "",
		[6]int{403, 403, 200, 200, 404, 404},
	},
	{
		"revoke an admin's", "DELETE /organizations/{org}/invitations/{invited}", "",
		[6]int{403, 403, 403, 200, 404, 404},
	},
	{"accept", "POST /invitations/accept", `{"token":"{secret}"}`, [6]int{404, 404, 404, 404, 200, 404}},
	{"decline", "POST /invitations/decline", `{"token":"{secret}"}`, [6]int{404, 404, 404, 404, 200, 404}},
}

// orgOperations are the operations that the matrix covers.
func orgOperations() []string {
	var out []string
	for _, row := range orgMatrix {
		path := strings.NewReplacer("{org}", "{id}", "{invited}", "{invitation}", "{target}", "{user}", "{admin2}", "{user}",
			"{admin}", "{user}", "{owner}", "{user}", "{removed}", "{user}", "{outsider}", "{user}").Replace(row.call)
		out = append(out, strings.Replace(path, " ", " /api/v1", 1))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestWhoMayDoWhatInAnOrganization(t *testing.T) {
	t.Parallel()
	th := newTheatre(t, servertest.New(t))
	kinds := map[int]string{401: "", 403: "AUTHORIZATION_ERROR", 404: "NOT_FOUND", 409: "CONFLICT"}
	for _, row := range orgMatrix {
		st := th.stage()
		cells := map[string]int{"none": 401, "suspended": 401}
		for i, part := range []string{"guest", "member", "admin", "owner", "outsider", "removed"} {
			cells[part] = row.want[i]
		}
		for part, want := range cells {
			var body any
			if row.body != "" {
				body = st.fill(row.body)
			}
			method, path, _ := strings.Cut(st.fill(row.call), " ")
			o := th.callers[part].call(method, "/api/v1"+path, body)
			if o.Code != want || o.Problem != nil && kinds[want] != "" && o.Problem.Type != kinds[want] {
				t.Errorf("%s by %s: %s, want %d", row.what, part, o.Raw, want)
			}
			if o.Code >= 400 {
				if after := st.snapshot(); after != st.before {
					t.Errorf("%s by %s was refused and changed\n%s\nto\n%s", row.what, part, st.before, after)
				}
				continue
			}
			st = th.stage()
		}
	}
}

// Another organization's admin can do nothing with ids of this one.
func TestIDsOfAnotherOrganizationAreNotFound(t *testing.T) {
	t.Parallel()
	th := newTheatre(t, servertest.New(t))
	st := th.stage()
	frank := th.callers["outsider"]
	own := frank.call("POST", "/api/v1/organizations", object{"name": "Own", "slug": "own-of-frank"}).
		succeeded(201, "Organization created successfully").text("organization", "id")
	for _, call := range []struct{ method, path string }{
		{"DELETE", "/invitations/" + st.invitation},
		{"DELETE", "/members/" + th.ids["target"]},
		{"DELETE", "/invitations/nonsense"},
		{"DELETE", "/members/nonsense"},
		{"DELETE", "/members/%00"},
		{"DELETE", "/members/" + strings.ToUpper(th.ids["target"])},
		{"DELETE", "/members/%ff"},
	} {
		frank.call(call.method, "/api/v1/organizations/"+own+call.path, nil).failed(404, "NOT_FOUND", "")
	}
	for _, id := range []string{own[:35], "nonsense", "%00", "%ff", "own-of-frank", strings.ToUpper(own), strings.Repeat("a", 4000)} {
		frank.call("GET", "/api/v1/organizations/"+id, nil).failed(404, "NOT_FOUND", "Organization not found")
	}
	if after := st.snapshot(); after != st.before {
		t.Errorf("changed\n%s\nto\n%s", st.before, after)
	}
}
