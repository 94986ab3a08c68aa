package servertest_test

import (
	"fmt"
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
