package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/servertest"
	"authy/storage"
)

// office is the browser of the administrator of a server.
func office(t *testing.T, s *servertest.Server) visitor {
	t.Helper()
	makeAdmin(t, s, root)
	v := newVisitor(t, s)
	s.SignIn(t, v.browser, root, "SuperAdmin123!")
	return v
}

// after wants a form to lead to a page that says what was done.
func (v visitor) after(page *servertest.Page, to, says string) *servertest.Page {
	v.t.Helper()
	v.leads(page, to)
	return v.page(v.get(to), 200, says)
}

// adminPages are pages of the administration, given a user and an organization.
func adminPages(user, organization string) []string {
	u, o := "/admin/users/"+user, "/admin/organizations/"+organization
	return []string{
		"/admin", "/admin/users", "/admin/users/new", u, u + "/sign-in", u + "/sessions", u + "/access", u + "/activity",
		u + "/do/suspend", "/admin/sessions", "/admin/organizations", "/admin/organizations/new", o, o + "/do/delete",
		"/admin/audit", "/admin/audit/verify", "/admin/audit/tail",
	}
}

func TestThePagesOfTheAdministrationAreForAdministrators(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, other, nobody := office(t, s), newVisitor(t, s), newVisitor(t, s)
	s.SignIn(t, other.browser, bob, bobPass)
	all := adminPages(userID(t, s, bob), orgID(t, s, "acme-corp"))
	for _, path := range all {
		v.page(v.get(path), 200, "")
		other.page(other.get(path), 403, "for administrators of the server")
		nobody.leads(nobody.get(path), "/sign-in")
	}
	for _, path := range []string{
		all[3], "/admin/users/new", "/admin/organizations/new", all[8], all[12], all[13], "/admin/audit/verify", "/admin/audit/export",
		"/admin/sessions/x",
	} {
		other.page(other.post(path, "email", "x@example.com", "name", "x"), 403, "for administrators of the server")
		nobody.leads(nobody.post(path), "/sign-in")
	}
	for _, path := range []string{
		"/admin/users/nobody", "/admin/users/nobody/sign-in", "/admin/users/nobody/do/suspend", all[3] + "/do/nothing",
		"/admin/organizations/nothing", all[12] + "/do/nothing", "/admin/sessions/nothing", "/admin/audit/nothing", "/admin/users/%00",
	} {
		v.page(v.get(path), 404, "")
	}
	v.page(v.post("/admin/audit/nothing"), 404, "")
	v.page(v.get("/admin/users?search=a&after=x"), 400, "")
}

func TestAnAdministratorAddsAUserOnThePages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := office(t, s)
	tr := newTrail(t, s)
	v.page(v.post("/admin/users/new", "email", "no address", "full_name", "Typed"), 400, `value="Typed"`)
	v.page(v.post("/admin/users/new", "email", bob), 409, "already registered")
	v.page(v.post("/admin/users/new", "email", "x@example.com", "password", "short"), 400, `id="field-password-problem"`)
	page := v.post("/admin/users/new", "email", "new@example.com", "full_name", "New One", "email_verified", "yes")
	path := page.Location().Path
	tr.wants("adding", "user.register success by user to user", "user.password_reset_requested success handed_out by user to user")
	shown := v.page(v.get(path), 200, "Give them this link").Body
	link := regexp.MustCompile(`reset-password\?token=[A-Z2-7]+`).FindString(shown)
	if link == "" || strings.Contains(v.get(path).Body, link) {
		t.Fatalf("the link %q is to be shown once", link)
	}
	token := strings.TrimPrefix(link, "reset-password?token=")
	reader := newVisitor(t, s)
	reader.leads(reader.post("/reset-password", "token", token, "password", newer, "password_confirm", newer), "/reset-password/done")
	s.SignIn(t, reader.browser, "new@example.com", newer)

	page = v.post("/admin/users/new", "email", "with@example.com", "password", newer, "is_admin", "yes")
	v.after(page, page.Location().Path, "can sign in now")
	u, err := s.Accounts.Find(t.Context(), "with@example.com")
	if err != nil || !u.IsAdmin || !u.EmailVerifiedAt.IsZero() {
		t.Errorf("added %+v, %v", u, err)
	}
}

func TestAnAdministratorChangesAUserOnThePages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, bobs := office(t, s), newVisitor(t, s)
	s.SignIn(t, bobs.browser, bob, bobPass)
	path := "/admin/users/" + userID(t, s, bob)
	tr := newTrail(t, s)
	v.page(v.post(path, "full_name", "Robert", "phone_number", "123"), 400, "Not a valid phone number")
	v.after(v.post(path, "full_name", "Robert", "nickname", "<b>Bobby"), path, "&lt;b&gt;Bobby")
	tr.wants("saving", "user.update success by user to user")
	for _, act := range []struct{ name, says, recorded string }{
		{"unverify-email", "not verified", "user.update"},
		{"verify-email", "marked as verified", "user.update"},
		{"make-admin", "is an administrator", "user.update"},
		{"unmake-admin", "no administrator", "user.update"},
		{"unlock", "can try again", "user.unlock"},
		{"sign-out", "signed out everywhere", "session.revoke_all"},
		{"suspend", "is suspended", "user.suspend"},
		{"activate", "is active", "user.activate"},
	} {
		v.page(v.get(path+"/do/"+act.name), 200, `id="do"`)
		tr.wants("looking at " + act.name)
		page := v.post(path + "/do/" + act.name)
		v.after(page, page.Location().Path, act.says)
		tr.wants(act.name, act.recorded+" success by user to user")
		if act.name == "sign-out" {
			bobs.signedIn(false)
		}
	}
	for act, want := range map[string]int{"remove-authenticator": 409, "remove-passkeys": 404, "unlink": 404, "remove-app": 404} {
		v.page(v.post(path+"/do/"+act, "id", "x"), want, "")
	}
	v.page(v.post(path+"/do/delete", "confirm", "eve@acme-corp.com"), 400, "not the address of the user")
	v.after(v.post(path+"/do/delete", "confirm", bob), "/admin/users", "is deleted")
	v.page(v.get(path), 404, "")
}

func TestAnAdministratorCannotLockEverybodyOut(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := office(t, s)
	path := "/admin/users/" + userID(t, s, root)
	for _, act := range []string{"suspend", "unmake-admin"} {
		v.page(v.post(path+"/do/"+act), 409, "the only administrator")
	}
	v.page(v.post(path+"/do/delete", "confirm", root), 409, "")
	v.page(v.post(path+"/do/reset-link"), 403, "cannot hand yourself a link")
	v.signedIn(true)
}

// takeable gives a user an account elsewhere, and an app that uses theirs.
func takeable(t *testing.T, s *servertest.Server, userID string) {
	t.Helper()
	now := storage.At(time.Now())
	change(t, s, func(ctx context.Context, tx *storage.Tx) error {
		app, err := tx.Client(ctx, "acme-portal-001")
		if err != nil {
			return err
		}
		provider := &storage.Provider{
			ID: storage.NewID(), Slug: "elsewhere", Kind: "oidc", Name: "A Provider", Issuer: "https://id.example", IsActive: true,
			CreatedAt: now, UpdatedAt: now,
		}
		return errors.Join(
			tx.SaveConsent(ctx, &storage.Consent{UserID: userID, ClientID: app.ID, Scopes: storage.Words{"openid"}, CreatedAt: now, UpdatedAt: now}),
			tx.InsertProvider(ctx, provider),
			tx.InsertIdentity(ctx, &storage.Identity{
				ID: "linked", UserID: userID, ProviderID: provider.ID, Issuer: provider.Issuer, Subject: "s", LinkedAt: now, LastUsedAt: now,
			}),
		)
	})
}

func TestAnAdministratorTakesAwayWhatAUserHasLost(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := office(t, s)
	enrolled(t, logIn(t, s, bob, bobPass))
	takeable(t, s, userID(t, s, bob))
	path := "/admin/users/" + userID(t, s, bob)
	v.page(v.get("/admin/users?kind=factor"), 200, path)
	v.page(v.get("/admin/users?kind=plain-admin"), 200, userID(t, s, root))
	v.page(v.get(path+"/sign-in"), 200, "recovery codes left")
	v.after(v.post(path+"/do/remove-authenticator"), path+"/sign-in", "is removed")
	if page := v.get("/admin/users?kind=factor"); strings.Contains(page.Body, path) {
		t.Error("bob has a second factor still")
	}
	v.page(v.get(path+"/sign-in"), 200, "A Provider") // what takeable has given
	v.after(v.post(path+"/do/unlink", "id", "linked"), path+"/sign-in", "is unlinked")
	v.page(v.get(path+"/access"), 200, "Acme")
	v.after(v.post(path+"/do/remove-app", "id", "acme-portal-001"), path+"/access", "access is removed")
	v.page(v.get(path+"/access"), 200, "not let any app")
	page := v.post(path + "/do/reset-link")
	v.leads(page, path+"/sign-in")
	v.page(v.get(path+"/sign-in"), 200, s.URL+"/reset-password?token=")
}

func TestAnAdministratorEndsSessionsOnThePages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, first, second := office(t, s), newVisitor(t, s), newVisitor(t, s)
	for _, one := range []visitor{first, second} {
		s.SignIn(t, one.browser, bob, bobPass)
	}
	list := v.page(v.get("/admin/sessions?user="+url.QueryEscape(bob)+"&kind=web"), 200, bob)
	ids := regexp.MustCompile(`href="(/admin/sessions/[0-9a-f-]{36})"`).FindAllStringSubmatch(list.Body, -1)
	if len(ids) != 2 {
		t.Fatalf("%d sessions of bob can be ended, want 2", len(ids))
	}
	v.page(v.get(ids[0][1]), 200, `id="do"`)
	v.after(v.post(ids[0][1]), "/admin/sessions", "has ended")
	second.signedIn(false) // the newest is first
	first.signedIn(true)
	path := "/admin/users/" + userID(t, s, bob)
	v.after(v.post(path+"/do/end-sessions"), path+"/sessions", "have ended")
	first.signedIn(false)
	v.page(v.get("/admin/sessions?user=nobody@example.com"), 200, "no such sessions")
	v.page(v.get("/admin/sessions?address=192.0.2.77"), 200, "no such sessions")
}

func TestAnAdministratorRunsOrganizationsOnThePages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := office(t, s)
	tr := newTrail(t, s)
	for says, form := range map[string][]string{
		"There is no user with this address": {"name", "New", "slug", "new", "owner", "nobody@example.com"},
		"lower-case letters":                 {"name", "New", "slug", "No Slug", "owner", bob},
		"Length must be between":             {"name", "", "slug", "new", "owner", bob},
	} {
		v.page(v.post("/admin/organizations/new", form...), 400, says)
	}
	page := v.post("/admin/organizations/new", "name", "New <b>", "slug", "new-one", "owner", bob)
	path := page.Location().Path
	v.after(page, path, "New &lt;b&gt;")
	tr.wants("adding", "org.create success by user to organization", "org.member.add success by user to user")
	v.page(v.get("/admin/organizations?search=new"), 200, path)
	v.page(v.get(path), 200, bob)
	v.after(v.post(path, "name", "Newer", "description", "x", "logo_url", ""), path, "Newer")
	v.page(v.post(path, "name", ""), 400, "Length must be between")
	v.page(v.post(path+"/do/rescue", "owner", "carol@acme-corp.com"), 409, "has an owner who can sign in")
	v.after(v.post(path+"/do/disable"), path, "is disabled")
	v.page(v.get("/admin/organizations?active=false"), 200, path)
	v.after(v.post(path+"/do/enable"), path, "is enabled")
	if err := s.Accounts.Suspend(t.Context(), audit.Shell(), userID(t, s, bob)); err != nil {
		t.Fatal(err)
	}
	v.page(v.post(path+"/do/rescue", "owner", "nobody@example.com"), 400, "There is no user with this address")
	v.after(v.post(path+"/do/rescue", "owner", "carol@acme-corp.com"), path, "has an owner")
	v.page(v.post(path+"/do/delete", "confirm", "acme-corp"), 400, "not its short name")
	v.after(v.post(path+"/do/delete", "confirm", "new-one"), "/admin/organizations", "is deleted")
}

func TestListsOfTheAdministrationGoOnPageByPage(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := office(t, s)
	by := audit.Shell()
	for i := range 55 {
		if _, err := s.Accounts.Invite(t.Context(), by, newUser(fmt.Sprintf("z%02d@example.com", i))); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	next, pages := "/admin/users?search=z", 0
	for next != "" {
		page := v.page(v.get(next), 200, "")
		for _, id := range regexp.MustCompile(`href="/admin/users/([0-9a-f-]{36})"`).FindAllStringSubmatch(page.Body, -1) {
			if seen[id[1]] {
				t.Errorf("%s is listed twice", id[1])
			}
			seen[id[1]] = true
		}
		link := regexp.MustCompile(`id="next-page" href="([^"]*)"`).FindStringSubmatch(page.Body)
		next, pages = "", pages+1
		if link != nil {
			next = strings.ReplaceAll(link[1], "&amp;", "&")
		}
	}
	if len(seen) != 55 || pages != 2 {
		t.Errorf("%d users on %d pages, want 55 on 2", len(seen), pages)
	}
}
