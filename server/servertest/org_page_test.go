package servertest_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"authy/server/audit"
	"authy/server/org"
	"authy/server/servertest"
)

// orgVisitor is somebody of the cast in a browser, at an organization.
type orgVisitor struct {
	t       *testing.T
	st      *stage
	browser *http.Client
}

// at signs somebody of the cast in at the pages of the stage.
func (st *stage) at(part string) orgVisitor {
	st.t.Helper()
	v := orgVisitor{st.t, st, servertest.Browser(st.t)}
	st.s.SignIn(st.t, v.browser, cast[part], bobPass)
	return v
}

func (v orgVisitor) path(path string) string {
	return v.st.s.URL + v.st.fill("/organizations/{org}"+path)
}

func (v orgVisitor) get(path string) *servertest.Page {
	v.t.Helper()
	return servertest.Get(v.t, v.browser, v.path(path))
}

func (v orgVisitor) post(path string, pairs ...string) *servertest.Page {
	v.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], v.st.fill(pairs[i+1]))
	}
	return servertest.Post(v.t, v.browser, v.path(path), form)
}

// does wants a form to be done, and to lead to a page that says so.
func (v orgVisitor) does(path, to, notice string, pairs ...string) {
	v.t.Helper()
	page := v.post(path, pairs...)
	if at := page.Location(); at == nil || at.Path != v.st.fill(to) {
		v.t.Fatalf("%s: %d to %v, want %s: %s", path, page.Response.StatusCode, at, to, page.Body)
	}
	if page = servertest.Get(v.t, v.browser, page.Location().String()); !strings.Contains(page.Body, notice) {
		v.t.Errorf("after %s the page lacks %q:\n%s", path, notice, page.Body)
	}
}

// refused wants a form to be refused with a status, and the page to say why.
func (v orgVisitor) refused(status int, path, why string, pairs ...string) {
	v.t.Helper()
	page := v.post(path, pairs...)
	if page.Response.StatusCode != status || !strings.Contains(page.Body, why) {
		v.t.Errorf("%s %v: %d, want %d and %q:\n%s", path, pairs, page.Response.StatusCode, status, why, page.Body)
	}
}

// Who may open which page: what the navigation shows, and what the address
// answers, go together.
func TestPagesOfAnOrganizationAreForWhoseRoleGoesSoFar(t *testing.T) {
	t.Parallel()
	st := newTheatre(t, servertest.New(t)).stage()
	pages := []struct{ path, who string }{
		{"", "owner admin member guest"},
		{"/members", "owner admin member"},
		{"/members/{target}", "owner admin"},
		{"/members/{target}/remove", "owner admin"},
		{"/members/{target}/transfer", "owner admin"},
		{"/invitations", "owner admin"},
		{"/invitations/{invitation}/revoke", "owner admin"},
		{"/invite", "owner admin"},
		{"/security", "owner admin"},
		{"/audit", "owner admin"},
		{"/tokens", "owner admin"},
		{"/new-token", "owner admin"},
		{"/settings", "owner admin"},
		{"/delete", "owner"},
	}
	for part, otherwise := range map[string]int{"owner": 403, "admin": 403, "member": 403, "guest": 403, "outsider": 404} {
		v := st.at(part)
		front := v.get("").Body
		for _, p := range pages {
			want := otherwise
			if strings.Contains(p.who, part) {
				want = http.StatusOK
			}
			page := v.get(p.path)
			if page.Response.StatusCode != want {
				t.Errorf("%s at %s: %d, want %d", part, p.path, page.Response.StatusCode, want)
			}
			item := `<li><a href="` + st.fill("/organizations/{org}"+p.path) + `"`
			if want != http.StatusOK && strings.Contains(front, item) {
				t.Errorf("the navigation leads %s to %s", part, p.path)
			}
		}
	}
	anyone := orgVisitor{t, st, servertest.Browser(t)}
	for _, p := range pages {
		if to := anyone.get(p.path).Location(); to == nil || to.Path != "/sign-in" {
			t.Errorf("%s leads whoever is not signed in to %v", p.path, to)
		}
	}
}

// What a role may not do it cannot do by sending the form, either.
func TestFormsOfAnOrganizationAreRefusedToWhoMayNot(t *testing.T) {
	t.Parallel()
	st := newTheatre(t, servertest.New(t)).stage()
	for _, part := range []string{"member", "guest", "outsider"} {
		v, want := st.at(part), 403
		if part == "outsider" {
			want = 404
		}
		for _, form := range [][]string{
			{"/members/{target}/role", "role", "guest"},
			{"/members/{target}/factor", "mfa_override_mode", "exempt"},
			{"/members/{target}/remove"},
			{"/members/{target}/transfer", "confirm", "{slug}"},
			{"/invite", "email", "new@example.com", "role", "guest"},
			{"/invitations/{invitation}/resend"},
			{"/invitations/{invitation}/revoke"},
			{"/security", "mfa_policy_mode", "optional", "mfa_grace_period_days", "1", "notify_days_before", "1"},
			{"/security/remind", "user", "{target}"},
			{"/audit/export", "format", "csv"},
			{"/new-token", "name", "x", "scopes", "clients:read", "expires_in_days", "9"},
			{"/tokens/nonsense/revoke"},
			{"/settings", "name", "Other"},
			{"/delete", "confirm", "{slug}"},
		} {
			if page := v.post(form[0], form[1:]...); page.Response.StatusCode != want {
				t.Errorf("%s sends %s: %d, want %d", part, form[0], page.Response.StatusCode, want)
			}
		}
	}
	admin := st.at("admin")
	admin.refused(403, "/members/{owner}/role", "roles below your own", "role", "member")
	admin.refused(403, "/members/{admin2}/remove", "roles below your own")
	admin.refused(403, "/members/{target}/transfer", "Requires a higher role", "confirm", "{slug}")
	admin.refused(403, "/delete", "Requires a higher role", "confirm", "{slug}")
	admin.refused(403, "/members/{owner}/factor", "roles below your own", "mfa_override_mode", "exempt")
	admin.refused(403, "/invite", "roles below your own", "email", "new@example.com", "role", "owner")
	if after := st.snapshot(); after != st.before {
		t.Errorf("changed\n%s\nto\n%s", st.before, after)
	}
}

func TestMembersAreFoundByNameAddressAndRole(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		st := newTheatre(t, s).stage()
		owner := st.at("owner")
		for query, want := range map[string]string{
			"":                      "bob carol david eve grace iris jack",
			"?q=iris":               "iris",
			"?q=Analyst":            "iris",
			"?q=%20CAROL%40acme%20": "carol",
			"?q=frank":              "", // who is no member
			"?role=admin":           "david grace jack",
			"?q=d&role=admin":       "david jack", // Jack Data
			"?q=d&role=owner":       "",
			"?q=%00%ff":             "bob carol david eve grace iris jack", // nothing is left of it
		} {
			page := owner.get("/members" + query)
			if page.Response.StatusCode != http.StatusOK {
				t.Errorf("%q: %d", query, page.Response.StatusCode)
			}
			_, list, _ := strings.Cut(page.Body, "<h1>")
			for _, name := range []string{"bob", "carol", "david", "eve", "frank", "grace", "iris", "jack"} {
				if got := strings.Contains(list, ">"+name+"@"); got != strings.Contains(want, name) {
					t.Errorf("%q finds %s: %v", query, name, got)
				}
			}
		}
		for _, query := range []string{"?after=%21", "?after=AA", "?after=bm9uc2Vuc2U", "?q=a&after=bm9uc2Vuc2U", "?role=king"} {
			if page := owner.get("/members" + query); page.Response.StatusCode != http.StatusBadRequest {
				t.Errorf("%q: %d, want 400", query, page.Response.StatusCode)
			}
		}
		member := st.at("member").get("/members").Body
		if strings.Contains(member, "Second factor") || strings.Contains(member, "/members/"+st.ids["target"]) {
			t.Error("a member is told of second factors, or led to the page of another")
		}
	})
}

func TestAnOwnerLooksAfterMembersOnThePages(t *testing.T) {
	t.Parallel()
	st := newTheatre(t, servertest.New(t)).stage()
	owner, tr := st.at("owner"), newTrail(t, st.s)
	const one = "/organizations/{org}/members/{target}"
	owner.does("/members/{target}/role", one, "The role is changed.", "role", "admin")
	tr.wants("a role", "org.member.role_change success by user to user")
	owner.refused(400, "/members/{target}/role", "Must be one of", "role", "king")
	owner.refused(409, "/members/{owner}/role", "needs an owner", "role", "guest")
	owner.does("/members/{target}/factor", one, "The exception is saved.", "mfa_override_mode", "exempt")
	tr.wants("an exception", "user.security_policy.override_update success by user to user")
	if page := owner.get("/members/{target}"); !strings.Contains(page.Body, `value="exempt" selected`) {
		t.Error("the page forgets the exception")
	}
	owner.refused(400, "/members/{target}/factor", "Nothing can be forced", "mfa_override_mode", "exempt", "force_totp", "yes")
	if page := owner.get("/members/nonsense"); page.Response.StatusCode != http.StatusNotFound {
		t.Errorf("nobody's page: %d", page.Response.StatusCode)
	}
	owner.does("/members/{target}/remove", "/organizations/{org}/members", "The member is removed.")
	tr.wants("removing", "org.member.remove success by user to user")
	owner.refused(404, "/members/{target}/remove", "Member not found")
	owner.refused(400, "/members/{admin}/transfer", "not the short name", "confirm", "other")
	owner.does("/members/{admin}/transfer", "/organizations/{org}/members", "has a new owner", "confirm", "{slug}")
	tr.wants("transferring", "org.member.role_change success transfer by user to user", "org.member.role_change success transfer by user to user")
	if page := owner.get("/delete"); page.Response.StatusCode != http.StatusForbidden {
		t.Errorf("who is no owner any more is offered to delete it: %d", page.Response.StatusCode)
	}
	st.at("admin").does("/delete", "/organizations", "The organization is deleted.", "confirm", "{slug}")
	tr.wants("deleting", "user.login success by user to user", "session.create success by user to session",
		"org.delete success by user to organization")
}

func TestAnInvitationIsSentShownOnceAndSentAnew(t *testing.T) {
	t.Parallel()
	st := newTheatre(t, servertest.New(t)).stage() // without mail
	admin, tr := st.at("admin"), newTrail(t, st.s)
	link := func(path string, pairs ...string) string {
		t.Helper()
		to := admin.post(path, pairs...).Location()
		if to == nil || to.Path != st.fill("/organizations/{org}/invitations") {
			t.Fatalf("%s leads to %v", path, to)
		}
		body := servertest.Get(t, admin.browser, to.String()).Body
		_, rest, found := strings.Cut(body, `<code class="copy-value">`)
		text, _, _ := strings.Cut(rest, "<")
		if !found || !strings.HasPrefix(text, st.s.URL+"/invitations?token=") {
			t.Fatalf("no link on %s", body)
		}
		if again := admin.get("/invitations").Body; strings.Contains(again, text) {
			t.Error("the link is shown twice")
		}
		return text
	}
	first := link("/invite", "email", "New.One@Example.com", "role", "member")
	tr.wants("inviting", "org.invitation.create success by user to invitation")
	admin.refused(409, "/invite", "invited already", "email", "new.one@example.com", "role", "member")
	admin.refused(409, "/invite", "already a member", "email", cast["target"], "role", "member")
	admin.refused(400, "/invite", "field-email-problem", "email", "nonsense", "role", "member")
	admin.refused(400, "/invite", "field-role-problem", "email", "two@example.com", "role", "king")
	list, err := st.s.Orgs.Invitations(t.Context(), audit.Shell(), st.id, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	id := list[len(list)-1].ID
	second := link("/invitations/" + id + "/resend")
	tr.wants("sending anew", "org.invitation.revoke success by user to invitation", "org.invitation.create success by user to invitation")
	for address, want := range map[string]int{first: 404, second: 200} {
		if page := servertest.Get(t, servertest.Browser(t), address); page.Response.StatusCode != want {
			t.Errorf("%s: %d, want %d", address, page.Response.StatusCode, want)
		}
	}
	admin.refused(404, "/invitations/"+id+"/resend", "answered or revoked")
	admin.refused(403, "/invitations/{invited}/resend", "roles below your own")
	admin.does("/invitations/{invitation}/revoke", "/organizations/{org}/invitations", "The invitation is revoked.")
	if strings.Contains(admin.get("/invitations").Body, cast["outsider"]) {
		t.Error("the list still has it")
	}
}

func TestARuleIsSetAndWhoLacksItIsReminded(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	st := newTheatre(t, s).stage()
	owner := st.at("owner")
	set := []string{"mfa_policy_mode", org.RequireEither, "mfa_grace_period_days", "14", "notify_days_before", "0"}
	owner.does("/security", "/organizations/{org}/security", "The rule is saved.", set...)
	for field, value := range map[string]string{
		"mfa_policy_mode": "king", "mfa_grace_period_days": "many", "notify_days_before": "31",
	} {
		form := slices.Clone(set)
		for i := 0; i < len(set); i += 2 {
			if set[i] == field {
				form[i+1] = value
			}
		}
		owner.refused(400, "/security", "field-"+field+"-problem", form...)
	}
	if body := owner.get("?").Body; !strings.Contains(body, "7 members have yet to set up a second factor.") {
		t.Errorf("the overview does not say what is to do:\n%s", body)
	}
	tr := newTrail(t, s)
	owner.does("/security/remind", "/organizations/{org}/security", "The reminder is on its way.", "user", "{target}")
	box.Next(t, cast["target"], "second factor")
	tr.wants("reminding", "mfa.policy.user_notified success by user to user")
	owner.refused(409, "/security/remind", "reminded in the last 24 hours", "user", "{target}")
	owner.refused(404, "/security/remind", "Member not found", "user", "nonsense")
	for state, want := range map[string]bool{"": true, org.InGrace: true, org.Overdue: false, org.Compliant: false} {
		if has := strings.Contains(owner.get("/security?status="+state).Body, cast["target"]); has != want {
			t.Errorf("the list of %q has iris: %v", state, has)
		}
	}
	if page := owner.get("/security?status=king"); page.Response.StatusCode != http.StatusBadRequest {
		t.Errorf("no state: %d", page.Response.StatusCode)
	}
}

func TestTheLogOfAnOrganizationIsReadAndExported(t *testing.T) {
	t.Parallel()
	st := newTheatre(t, servertest.New(t)).stage()
	owner := st.at("owner")
	body := owner.get("/audit").Body
	for _, want := range []string{"Member added", cast["target"], "Invitation sent", "An operator of the server"} {
		if !strings.Contains(body, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	_, rows, _ := strings.Cut(owner.get("/audit?action=org.member.remove&from=2020-01-01&to=2999-01-01").Body, "<tbody>")
	if !strings.Contains(rows, "Member removed") || strings.Contains(rows, "Member added") {
		t.Errorf("filtered, the log says %s", rows)
	}
	if body := owner.get("/audit?from=2999-01-01").Body; !strings.Contains(body, "Nothing like that has happened.") {
		t.Error("there is something in the future")
	}
	for _, query := range []string{"?from=nonsense", "?to=1-1-1", "?outcome=king", "?action=%00", "?after=bm9uc2Vuc2U"} {
		if page := owner.get("/audit" + query); page.Response.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %d, want 400", query, page.Response.StatusCode)
		}
	}
	tr := newTrail(t, st.s)
	page := owner.post("/audit/export", "format", "csv", "action", "org.member.remove")
	if lines := strings.Count(page.Body, "\n"); lines != 2 || page.Response.Header.Get("Content-Type") != "text/csv; charset=utf-8" ||
		!strings.Contains(page.Response.Header.Get("Content-Disposition"), st.slug+"-audit-") {
		t.Errorf("the file: %v\n%s", page.Response.Header, page.Body)
	}
	tr.wants("exporting", "audit.export success by user to audit")
	owner.refused(400, "/audit/export", "jsonl or csv", "format", "exe")
}

func TestAnOrganizationsTokenIsShownOnceAndRevoked(t *testing.T) {
	t.Parallel()
	st := newTheatre(t, servertest.New(t)).stage()
	admin, tr := st.at("admin"), newTrail(t, st.s)
	admin.refused(400, "/new-token", "field-name-problem", "name", "", "scopes", "clients:read", "expires_in_days", "9")
	admin.refused(400, "/new-token", "field-scopes-problem", "name", "x", "expires_in_days", "9")
	admin.refused(400, "/new-token", "field-expires_in_days-problem", "name", "x", "scopes", "clients:read", "expires_in_days", "many")
	admin.does("/new-token", "/organizations/{org}/tokens", "authy_pat_", "name", "A <b>", "scopes", "clients:read", "expires_in_days", "9")
	tr.wants("making it", "token.create success by user to token")
	body := admin.get("/tokens").Body
	if strings.Contains(body, "authy_pat_") || !strings.Contains(body, "A &lt;b&gt;") {
		t.Errorf("afterwards: %s", body)
	}
	_, rest, _ := strings.Cut(body, st.fill(`href="/organizations/{org}`)+"/tokens/")
	id, _, _ := strings.Cut(rest, "/")
	if page := admin.get("/tokens/" + id + "/revoke"); page.Response.StatusCode != http.StatusOK {
		t.Errorf("asking: %d", page.Response.StatusCode)
	}
	admin.does("/tokens/"+id+"/revoke", "/organizations/{org}/tokens", "The token is revoked.")
	admin.refused(404, "/tokens/"+id+"/revoke", "Token not found")
}

func TestSettingsAreKeptAndProblemsShownAtTheirFields(t *testing.T) {
	t.Parallel()
	st := newTheatre(t, servertest.New(t)).stage()
	owner, tr := st.at("owner"), newTrail(t, st.s)
	owner.does("/settings", "/organizations/{org}/settings", "The settings are saved.",
		"name", "Stage & Sons", "description", "One\r\nTwo", "logo_url", "https://img.example/logo.png")
	tr.wants("saving", "org.update success by user to organization")
	page := owner.get("")
	if !strings.Contains(page.Body, "Stage &amp; Sons") || !strings.Contains(page.Body, `src="https://img.example/logo.png"`) ||
		!strings.Contains(page.Response.Header.Get("Content-Security-Policy"), "https://img.example") {
		t.Errorf("the overview: %v\n%s", page.Response.Header, page.Body)
	}
	owner.refused(400, "/settings", "field-name-problem", "name", "")
	owner.refused(400, "/settings", "field-logo_url-problem", "name", "x", "logo_url", "javascript:alert(1)")
	owner.refused(400, "/delete", "not the short name", "confirm", "")
}

func TestAnOrganizationIsMadeOnThePage(t *testing.T) {
	t.Parallel()
	s, browser := servertest.New(t), servertest.Browser(t)
	s.SignIn(t, browser, bob, bobPass)
	create := func(name, slug string) *servertest.Page {
		return servertest.Post(t, browser, s.URL+"/organizations", url.Values{"name": {name}, "slug": {slug}})
	}
	for slug, problem := range map[string]string{
		"Not A Slug": "lower-case letters", "acme-corp": "Another organization has this short name",
	} {
		page := create("New", slug)
		if !strings.Contains(page.Body, problem) || !strings.Contains(page.Body, `value="New"`) || page.Location() != nil {
			t.Errorf("%q: %d %s", slug, page.Response.StatusCode, page.Body)
		}
	}
	to := create("Bob's <i>", "of-bob").Location()
	if to == nil {
		t.Fatal("it was not made")
	}
	if page := servertest.Get(t, browser, to.String()); !strings.Contains(page.Body, "Your organization is ready.") ||
		!strings.Contains(page.Body, "Bob&#39;s &lt;i&gt;") {
		t.Errorf("its page: %s", page.Body)
	}
	list := servertest.Get(t, browser, s.URL+"/organizations").Body
	for _, name := range []string{"Acme Corporation", "Bob&#39;s &lt;i&gt;"} {
		if !strings.Contains(list, name) {
			t.Errorf("the list lacks %s", name)
		}
	}
	for _, path := range []string{"/organizations", "/organizations/new"} {
		if to := servertest.Get(t, servertest.Browser(t), s.URL+path).Location(); to == nil || to.Path != "/sign-in" {
			t.Errorf("%s leads whoever is not signed in to %v", path, to)
		}
	}
}
