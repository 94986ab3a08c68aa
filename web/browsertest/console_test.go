package browsertest_test

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"authy/server/org"
	"authy/server/servertest"
)

const (
	rootAdmin, rootPass = "superadmin@acme-corp.com", "SuperAdmin123!"
	owner, ownerPass    = "admin@acme-corp.com", "AdminPass123!"
)

// furnished is a server with one of each thing that the console has pages about, which rootAdmin
// administers, and the path of the pages of an organization.
func furnished(t *testing.T) (s *servertest.Server, organization string) {
	t.Helper()
	s, _ = servertest.WithMail(t)
	administers(t, s, rootAdmin)
	organization = s.Furnish(t, "acme-corp")
	// One request of an app is refused.
	wrong := url.Values{
		"client_id": {"shop-001"}, "redirect_uri": {"https://shop.example/else"}, "response_type": {"code"}, "scope": {"openid"},
	}
	servertest.Get(t, http.DefaultClient, s.URL+"/oidc/authorize?"+wrong.Encode())
	return s, organization
}

// ofMany are parts of paths that are alike: what is done to a user, the recipes.
var ofMany = regexp.MustCompile(`/(do|new)/[a-z0-9-]+`)

// oneOfEach is an address of each page of a tour.
func oneOfEach(stops []servertest.Stop) (out []string) {
	seen := map[string]bool{}
	for _, stop := range stops {
		path, query, _ := strings.Cut(servertest.ShapeOf(stop.Address), "?")
		shape := ofMany.ReplaceAllString(path, "/$1/*")
		if query == "kind" && strings.HasSuffix(path, "/new") {
			shape += "?kind"
		}
		if !seen[shape] && stop.Response.StatusCode == http.StatusOK && strings.Contains(stop.Body, `class="console"`) {
			seen[shape] = true
			out = append(out, stop.Address)
		}
	}
	return out
}

// Every page of the administration and of an organization, as its owner and as its member see it.
func TestNoPageOfTheConsoleKeepsAnyoneOut(t *testing.T) {
	t.Parallel()
	if os.Getenv("AUTHY_TEST_AXE") == "" {
		t.Skip("AUTHY_TEST_AXE names no axe-core: what else there is to see, the journeys look at")
	}
	s, organization := furnished(t)
	seen := 0
	for _, who := range []struct{ email, password, root string }{
		{rootAdmin, rootPass, "/admin"}, {owner, ownerPass, organization}, {bob, bobPass, organization},
	} {
		client := servertest.Browser(t)
		s.SignIn(t, client, who.email, who.password)
		pages := oneOfEach(s.Tour(t, client, who.root))
		seen += len(pages)
		for i, some := range slices.Collect(slices.Chunk(pages, 8)) {
			t.Run(who.email+strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				v := newTour(t, s)
				v.open("/sign-in")
				v.password(who.email, who.password, "#sign-out")
				for _, page := range some {
					v.visit(page, page)
				}
				v.quiet()
			})
		}
	}
	if seen < 80 {
		t.Errorf("%d pages, want all", seen)
	}
}

// via opens a page and takes a link of it.
func (v tour) via(path, link, next string) {
	v.t.Helper()
	v.open(path)
	v.Click(link, next)
}

// administer goes through what an administrator does, which needs no script.
func administer(t *testing.T, prepare func(v tour), after func(v tour)) {
	t.Helper()
	s, organization := furnished(t)
	for name, part := range map[string]func(v tour){
		"people": tour.people, "apps": tour.clients, "server": tour.server,
		"organizations": func(v tour) { v.organizations(organization) },
	} {
		t.Run(name, func(t *testing.T) {
			v := newTour(t, s)
			prepare(v)
			v.open("/sign-in")
			v.password(rootAdmin, rootPass, "#sign-out")
			part(v)
			after(v)
		})
	}
}

func (v tour) people() {
	v.via("/admin/users", "#add-user", "#field-email")
	v.Fill("#field-email", "eve@example.com")
	v.Fill("#field-full_name", "Eve")
	v.Click("#create", "#made")
	v.open("/admin/users?search=eve")
	v.Click("tbody th a", "#save")
	v.Fill("#field-nickname", "Evie")
	v.Click("#save", "#notice")
	v.Click(".tabs a[href$='/sign-in']", "#reset-link")
	v.Click("#reset-link", "#do")
	v.Click("#do", "#made")
	v.says("/reset-password?token=")
	for act, says := range map[string]string{"make-admin": "is an administrator", "suspend": "is suspended", "verify-email": "marked as verified"} {
		v.via("/admin/users?search=eve", "tbody th a", "#acts")
		v.Click("#acts a[href$='/"+act+"']", "#do")
		v.Click("#do", "#notice")
		v.says(says)
	}
	v.Click("#delete", "#do")
	v.Fill("#field-confirm", "somebody else")
	v.Click("#do", "#problem")
	v.Fill("#field-confirm", "eve@example.com")
	v.Click("#do", "#notice")
	v.says("The user is deleted.")
	v.open("/admin/sessions?kind=web")
	v.says(rootAdmin)
}

func (v tour) organizations(organization string) {
	v.open("/admin/organizations/new")
	v.Fill("#field-name", "Eve's")
	v.Fill("#field-slug", "eves")
	v.Fill("#field-owner", bob)
	v.Click("#create", "#notice")
	v.says(bob)
	v.Click("a[href$='/domains']", "#grant")
	v.Fill("#field-domain", "eves.example")
	v.Click("#grant", "#notice")
	v.Click("td.end a", "#take-away")
	v.Click("#take-away", "#notice")
	v.Click(".crumb a:last-child", "#save")
	for _, act := range []string{"disable", "enable"} {
		v.Click("a[href$='/do/"+act+"']", "#do")
		v.Click("#do", "#notice")
	}
	// While an owner can sign in, nobody decides over their head.
	v.Click("a[href$='/do/rescue']", "#do")
	v.Fill("#field-owner", carol)
	v.Click("#do", "#problem")
	v.via("/admin"+organization, "#delete", "#do")
	v.Click(".acts a", "#save") // cancelled
	v.says("acme-corp")
}

func (v tour) clients() {
	v.via("/admin/clients?q=shop", "tbody th a", "#rotate")
	v.says("/.well-known/openid-configuration")
	v.Click("#rotate", "#make-secret")
	v.choose("#field-overlap", "1h0m0s")
	v.Click("#make-secret", "#made")
	v.says("The secret before this one works until")
	v.Click(".tabs a[href$='/preview']", "#look")
	v.Fill("#field-user", bob)
	v.Click("#look", "#id-token")
	v.says("Bob Builder may use this app.")
	v.Click(".tabs a[href$='/problems']", ".beside")
	v.says("https://shop.example/else")
	v.says("https://shop.example/cb")
	v.Click(".tabs a[href$='/sign-outs']", ".nothing")
	v.Click(".tabs a[href$='/settings']", "#save")
	v.choose("#field-redirect_uris", "not a URI")
	v.Click("#save", "#field-redirect_uris-problem")
	v.choose("#field-redirect_uris", "https://shop.example/else")
	v.Click("#save", "#notice")
}

func (v tour) server() {
	v.open("/admin/audit")
	v.Fill("#action", "org.create")
	v.Click("form[role=search] button", "a[href='/admin/audit'].button")
	v.Click("#events tbody th a", "#chain-heading")
	v.says("org.create")
	v.via("/admin/audit", "#verify", "#run")
	v.Click("#run", "#result")
	v.says("whole and in their place")
	v.open("/admin/settings")
	v.Fill("#q", "session.")
	v.Click("#find", "#q[value='session.']")
	if !v.Has("main tbody th code") || strings.Contains(v.Text("main"), "rate_limit.enabled") {
		v.t.Errorf("the search finds %s", v.Text("main"))
	}
	v.via("/admin/keys", "a[href$='alg=ES256']", "#rotate")
	v.Click("#rotate", "#notice")
	v.says("is published")
	v.Click("a[href='/admin/saml/keys']", "#publish")
	v.Click("#publish", "#notice")
	v.open("/admin/mail")
	v.Fill("#field-to", "root@example.com")
	v.Click("#send-test", "#notice")
	v.says("The relay took the mail to root@example.com")
	v.open("/admin")
	v.says("Active users")
	v.Click("#sign-out", "#signed-out")
}

func TestAnAdministratorNeedsNoScript(t *testing.T) {
	t.Parallel()
	administer(t, func(v tour) { v.WithoutScript() }, func(tour) {})
}

func TestAnAdministratorWorksWithScript(t *testing.T) {
	t.Parallel()
	administer(t, func(tour) {}, tour.quiet)
}

// What an owner of an organization does, without script.
func TestAnOwnerNeedsNoScript(t *testing.T) {
	t.Parallel()
	s, home := furnished(t)
	v := newTour(t, s)
	v.WithoutScript()
	v.open("/sign-in")
	v.password(owner, ownerPass, "#sign-out")
	v.via(home, "#invite", "#send-invitation")
	v.Fill("#field-email", "dana@example.com")
	v.Click("#send-invitation", "#notice")
	v.says("dana@example.com")
	v.Click("a[href$='/revoke']", "#confirm-it")
	v.Click("#confirm-it", "#notice")
	v.via(home+"/members?q=carol", "tbody a", "#save-role")
	v.choose("#field-role", "member")
	v.Click("#save-role", "#notice")
	v.Click("#remove", "#confirm-it")
	v.Click("#confirm-it", "#notice")
	v.open(home + "/security")
	v.choose("#field-mfa_policy_mode", org.RequireEither)
	v.Click("#save-policy", "#notice")
	v.says("Has time left")
	v.Click("td.end button", "#notice")
	v.says("The reminder is on its way.")
	v.open(home + "/audit")
	v.choose("#action", "org.member.remove")
	v.Click("form[method=get] button", "tbody th")
	v.says(owner)
	v.open(home + "/new-token")
	v.Fill("#field-name", "Backup")
	v.Do(chromedp.Click(chromedp.CSS("#field-scopes-0")))
	v.Click("#make-token", "#made")
	v.via(home+"/domains", "main table", "main table")
	v.says("acme-corp.example")
	v.via(home+"/providers", "tbody a", "#test")
	v.Click("#switch", "#notice")
	v.via(home+"/saml", "tbody a", "#change")
	v.Click("#switch", "#notice")
	v.open(home + "/settings")
	v.Fill("#field-name", "Acme & Co")
	v.Click("#save-settings", "#notice")
	v.says("The settings are saved.")
}
