package servertest_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"authy/server/audit"
	"authy/server/org"
	"authy/server/registry"
	"authy/server/servertest"
)

// hoard is everything that an admin of an organization can hold at one moment.
type hoard struct {
	*scene
	p, older  *person // older has another session of the same user
	browser   *http.Client
	a         app // which admins alone may use
	tokens    tokens
	code      string
	verifier  string
	pending   string
	recovery  string
	key       *servertest.Authenticator
	ceremony  begun
	personal  caller
	service   caller
	links     map[string]string // by what they do
	invitedBy string            // the token of an invitation to somebody else
}

// newHoard makes everything, in an order in which nothing ends anything else.
func newHoard(sc *scene) *hoard {
	sc.t.Helper()
	p := sc.person("admin")
	h := &hoard{scene: sc, p: p, browser: servertest.Browser(sc.t), links: map[string]string{}}
	h.older = &person{caller: logIn(sc.t, sc.s, p.email, passphrase), id: p.id, email: p.email}
	clientID := "for-admins-" + p.id
	h.a = register(sc.t, sc.s, registry.Registration{
		ClientID: clientID, Secret: letters(30), OrganizationID: sc.home(), Name: "Client",
		Allowed: []string{registry.AllowRole + "admin"}, RequirePKCE: true,
	})
	first := h.authorize()
	h.tokens = h.a.redeem(sc.t, sc.s, first, h.verifier)
	h.code = h.authorize()
	h.personal, _ = p.makeToken(tokensPath, "clients:read")
	h.service = caller{t: sc.t, s: sc.s, token: sc.service(sc.home())}
	h.askForLinks()
	o := p.call("POST", "/api/v1/organizations/"+sc.home()+"/invitations", object{"email": sc.person("plain").email, "role": "guest"})
	h.invitedBy = o.succeeded(201, "Invitation created successfully").secretOf(sc.s)

	h.key = newKey(sc.t, sc.s, servertest.ES256)
	codes, _ := registerKey(p.caller, h.key).succeeded(201, registerMessage).at("backup_codes").([]any)
	h.recovery, _ = codes[0].(string)
	h.pending = caller{t: sc.t, s: sc.s}.call("POST", "/api/v1/auth/login", object{"email": p.email, "password": passphrase}).
		text("pending_token")
	h.ceremony = beginKey(sc.t, sc.s, object{"email": p.email})
	return h
}

// authorize has the browser get a code.
func (h *hoard) authorize() string {
	h.t.Helper()
	h.verifier = oauth2.GenerateVerifier()
	page, steps := h.s.Visit(h.t, h.browser, authorizeURL(h.s, h.a.request(h.verifier)), h.p.email, passphrase)
	if !gotCode(page) {
		h.t.Fatalf("no code after %v: %d, to %v", steps, page.Response.StatusCode, page.Location())
	}
	return page.Location().Query().Get("code")
}

func (h *hoard) askForLinks() {
	h.t.Helper()
	forgot(h.t, h.s, h.p.email)
	h.links["reset"] = h.box.Next(h.t, h.p.email, "Choose a new password").Token()
	h.unverify(h.p)
	h.p.call("POST", mePath+"/verify-email", nil)
	h.links["verify"] = h.box.Next(h.t, h.p.email, "Confirm your address").Token()
	elsewhere := "elsewhere-" + h.p.email
	h.p.call("POST", mePath+"/email", object{"email": elsewhere})
	h.links["change"] = h.box.Next(h.t, elsewhere, "Confirm your new address").Token()
}

// manages says whether a program gets at what admins alone see.
func (h *hoard) manages(c caller) bool {
	return c.call("GET", "/api/v1/organizations/"+h.things["home"]+"/clients", nil).Code == 200
}

// olderCredentials are the columns of the table, each with its first use after what
// happened. They are in an order in which none spoils the next.
var olderCredentials = []struct {
	name  string
	works func(h *hoard) bool
}{
	{"session of a program", func(h *hoard) bool { return h.manages(h.older.caller) }},
	{"session of a browser", func(h *hoard) bool {
		return servertest.Get(h.t, h.browser, h.s.URL+"/account").Response.StatusCode == 200
	}},
	{"access token", func(h *hoard) bool { return userinfo(h.t, h.s, h.tokens.Access).status == 200 }},
	{"refresh token", func(h *hoard) bool { return h.a.refresh(h.t, h.s, h.tokens.Refresh).status == 200 }},
	{"code", func(h *hoard) bool {
		return h.a.post(h.t, h.s, tokenPath, h.a.redemption(h.code, h.verifier)).status == 200
	}},
	{"pending sign-in", func(h *hoard) bool {
		return verify(h.t, h.s, h.pending, h.recovery, "is_backup_code", true).Code == 200
	}},
	{"ceremony", func(h *hoard) bool { return h.ceremony.complete(h.key).Code == 200 }},
	{"personal token", func(h *hoard) bool { return h.manages(h.personal) }},
	{"service token", func(h *hoard) bool { return h.manages(h.service) }},
	{"verification link", func(h *hoard) bool { return follow(h.t, h.s, verifyPath, h.links["verify"]).Code == 200 }},
	{"reset link", func(h *hoard) bool { // a password that is refused shows that the link is not
		return len(reset(h.t, h.s, h.links["reset"], "short").Problem.Details) > 0
	}},
	{"change-of-address link", func(h *hoard) bool { return follow(h.t, h.s, confirmPath, h.links["change"]).Code == 200 }},
	{"invitation", func(h *hoard) bool {
		return h.person("plain").call("POST", "/api/v1/invitations/accept", object{"token": h.invitedBy}).Code == 200
	}},
}

// endings are what can happen to whoever holds them, and what works at the very
// next request: a w for each of the credentials that does, in their order.
var endings = []struct {
	name, works string
	happens     func(h *hoard) error
}{
	{"nothing", "ww www ww ww www w", func(*hoard) error { return nil }},
	// A passkey, what an organization owns, and what shows that the address is theirs
	// owe nothing to the password.
	{"password changed", ".. ... .w .w w.. w", func(h *hoard) error {
		h.p.changePassword(passphrase, newer).succeeded(200, "Password changed successfully")
		return nil
	}},
	{"password reset", ".. ... .w .w w.. w", func(h *hoard) error {
		reset(h.t, h.s, h.links["reset"], newer).succeeded(200, resetAnswer)
		return nil
	}},
	{"password set", ".. ... .w .w w.. w", func(h *hoard) error {
		return h.s.Accounts.SetPassword(h.t.Context(), audit.Shell(), h.p.id, newer)
	}},
	// The user may go on, but not do what admins do.
	{"role lowered", ".w ... ww .w www .", func(h *hoard) error {
		_, err := h.s.Orgs.SetRole(h.t.Context(), audit.Shell(), h.home(), h.p.id, org.Member)
		return err
	}},
	{"removed", ".w ... ww .w www .", func(h *hoard) error {
		return h.s.Orgs.Remove(h.t.Context(), audit.Shell(), h.home(), h.p.id)
	}},
	{"suspended", ".. ... .. .w ... .", func(h *hoard) error {
		return h.s.Accounts.Suspend(h.t.Context(), audit.Shell(), h.p.id)
	}},
	{"deleted", ".. ... .. .w ... .", func(h *hoard) error {
		return h.s.Accounts.Delete(h.t.Context(), audit.Shell(), h.p.id)
	}},
	// A link to a new password came from the mailbox, not from a session.
	{"signed out everywhere", ".. ... .w .w ww. w", func(h *hoard) error {
		return h.s.Accounts.SignOut(h.t.Context(), audit.Shell(), h.p.id)
	}},
	{"second factor reset", ".. ... .. .w ww. w", func(h *hoard) error {
		return h.s.Accounts.ResetPasskeys(h.t.Context(), audit.Shell(), h.p.id)
	}},
	{"organization disabled", ".w ... ww .. www .", func(h *hoard) error {
		off := false
		_, err := h.s.Orgs.Everywhere().Update(h.t.Context(), audit.Shell(), h.home(), org.Change{Active: &off})
		return err
	}},
	{"organization deleted", ".w ... ww .. www .", func(h *hoard) error {
		return h.s.Orgs.Delete(h.t.Context(), audit.Shell(), h.home())
	}},
	{"client disabled", "ww ... ww ww www w", func(h *hoard) error {
		path := "/api/v1/organizations/" + h.home() + "/clients/" + h.a.id
		h.p.call("PATCH", path, object{"is_active": false}).succeeded(200, "Client updated successfully")
		return nil
	}},
}

// No older credential works at the next request (OR-08, LG-37).
func TestNoOlderCredentialWorks(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		first := newScene(t, s, box)
		for _, e := range endings {
			t.Run(e.name, func(t *testing.T) {
				t.Parallel()
				h := newHoard(first.fresh(t))
				h.person("plain")
				h.do(e.happens(h))
				want := strings.ReplaceAll(e.works, " ", "")
				for i, c := range olderCredentials {
					if got := c.works(h); got != (want[i] == 'w') {
						t.Errorf("%s: the %s works: %v", e.name, c.name, got)
					}
				}
			})
		}
	})
}
