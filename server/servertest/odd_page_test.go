package servertest_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/config"
	"authy/server/servertest"
	"authy/storage/storagetest"
)

// askedPages are pages with what can be asked of them; {} stands in the place of a name.
var askedPages = map[string]string{
	"/admin/users": "search status kind after", "/admin/users/{}": "", "/admin/users/{}/sessions": "after",
	"/admin/users/{}/do/suspend": "id", "/admin/users/USER/do/{}": "id", "/admin/users/USER/sessions": "after",
	"/admin/users/USER/activity": "after", "/admin/users/USER/do/unlink": "id", "/admin/users/USER/do/remove-app": "id",
	"/admin/organizations": "search active after", "/admin/organizations/{}": "after", "/admin/organizations/ORG": "after",
	"/admin/organizations/ORG/do/{}": "", "/admin/organizations/{}/domains": "", "/admin/organizations/ORG/domains/remove": "domain",
	"/admin/sessions": "user kind address after", "/admin/sessions/{}": "",
	"/admin/clients": "q after", "/admin/clients/new/{}": "", "/admin/clients/app/{}": "", "/admin/clients/app/CLIENT/preview": "user",
	"/admin/clients/app/CLIENT/sign-outs": "after", "/admin/clients/registration": "after", "/admin/clients/registration/delete": "id",
	"/admin/saml": "search after", "/admin/saml/new": "preset", "/admin/saml/services/{}": "", "/admin/saml/keys/retire/{}": "",
	"/admin/providers": "q after", "/admin/providers/{}": "", "/admin/providers/new": "kind slug", "/admin/providers/{}/edit": "",
	"/admin/audit":      "actor target action organization outcome from to reference after",
	"/admin/audit/tail": "since actor target action organization outcome from to", "/admin/audit/{}": "",
	"/admin/keys/rotate": "alg", "/admin/keys/retire": "kid", "/admin/mail": "after", "/admin/settings": "q given",
	"/admin/webhooks/{}": "after", "/admin/webhooks/{}/rotate": "", "/admin/webhooks/{}/remove": "",
	"/admin/branding/preview.css": "light dark",
	"/organizations":              "after", "/organizations/{}": "", "/organizations/ORG/members": "q role after",
	"/organizations/ORG/members/{}": "", "/organizations/ORG/members/{}/remove": "", "/organizations/ORG/invitations": "after",
	"/organizations/ORG/invitations/{}/revoke": "", "/organizations/ORG/security": "status after",
	"/organizations/ORG/audit": "actor action outcome from to after", "/organizations/ORG/tokens/{}/revoke": "",
	"/organizations/ORG/apps": "q after", "/organizations/ORG/apps/app/{}": "", "/organizations/ORG/saml": "search after",
	"/organizations/ORG/providers": "q after", "/organizations/ORG/providers/{}": "",
	"/account/sessions": "after", "/account/activity": "show after", "/account/apps/remove": "id", "/account/leave": "id flow",
	"/sign-in": "flow switch as email", "/sign-up": "flow", "/second-factor": "flow", "/choose-account": "flow", "/consent": "flow",
	"/reset-password": "token", "/invitations": "token", "/signed-out": "state", "/saml/logout/frame": "visit", "/pictures/{}": "",
	"/forward-auth/start": "url browser", "/forward-auth/refused": "url reason", "/forward-auth/envoy/{}": "",
	"/static/{}": "", "/saml/start/{}": "", "/external/{}/start": "flow email",
}

// pageTexts are put into each place.
var pageTexts = []string{
	"a\x00b\xff\xc0\xaf", "' OR '1'='1", "<script>alert(1)</script>", strings.Repeat("ä", 700), "9223372036854775808",
}

// HT-06, HT-19, HT-26, HT-27: no text in any place of an address breaks a page, on either database.
func TestNoTextBreaksAnyPage(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := servertest.Start(t, servertest.Options{
				DatabaseURL: storagetest.Migrated(t, engine),
				Configure:   func(c *config.Config) { c.OpenID.Registration = "token" },
			})
			acme, err := s.Orgs.BySlug(t.Context(), "acme-corp")
			if err != nil {
				t.Fatal(err)
			}
			makeAdmin(t, s, alice)
			v := visitorAs(t, s, alice)
			ids := strings.NewReplacer("ORG", acme.ID, "USER", userID(t, s, bob), "CLIENT", "acme-portal-001")
			for path, names := range askedPages {
				for _, text := range servertest.Some(pageTexts, 1) {
					here := strings.ReplaceAll(ids.Replace(path), "{}", url.PathEscape(text))
					asked := []string{here}
					for _, name := range strings.Fields(names) {
						asked = append(asked, here+"?"+url.Values{name: {text}}.Encode())
					}
					for _, address := range asked {
						v.unbroken(address)
					}
				}
			}
		})
	}
}

// unbroken wants a page that is whole, whatever its address asks for.
func (v visitor) unbroken(address string) {
	v.t.Helper()
	page := v.get(address)
	if page.Response.StatusCode >= http.StatusInternalServerError {
		v.t.Errorf("%.200s: %d", address, page.Response.StatusCode)
	}
	for _, secret := range []string{"SQLSTATE", "panic", ".go:", "invalid byte", "<script>alert", "%!"} {
		if strings.Contains(page.Body, secret) {
			v.t.Errorf("%.200s: shows %q", address, secret)
		}
	}
}

// What people are called must not run when an administrator copies a command.
func TestCommandsOnPagesQuoteWhatSomebodyElseHasTyped(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.OpenID.Registration = "token" }})
	v := adminVisitor(t, s)
	const email, typed = "x`id`@example.com", "$(id)"
	user, err := s.Accounts.Create(t.Context(), audit.Shell(), account.NewUser{Email: email, Password: bobPass, AnyPassword: true})
	if err != nil {
		t.Fatal(err)
	}
	about := "/admin/users/" + user.ID
	for path, want := range map[string]string{
		about + "/do/suspend":                            "authy user suspend '" + email + "'",
		about + "/do/end-sessions":                       "authy session revoke --user '" + email + "'",
		"/admin/sessions?user=" + typed:                  fmt.Sprintf("authy session list --user '%s'", typed),
		"/admin/audit?action=a&actor=" + typed:           fmt.Sprintf("authy audit list --actor '%s' --action a", typed),
		"/admin/clients/registration/delete?id=" + typed: fmt.Sprintf("authy client registration-token delete '%s'", typed),
	} {
		page := v.page(v.get(path), http.StatusOK, "")
		if !strings.Contains(html.UnescapeString(page.Body), want) {
			t.Errorf("%s does not say %s", path, want)
		}
	}
}
