package servertest_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/servertest"
	"authy/storage/storagetest"
)

// parts are the columns of the table. Those from guest to owner, suspended (an
// admin) and removed (who was one) are of the organization in the path; foreign
// owns another, plain belongs to none and has an invitation; root administers the
// server and is no member. personal is an API token of a member and service one of
// the organization, with all the scopes that they can have; alien is a service
// token of another organization. limited is an admin who owes a second factor.
var parts = []string{
	"nobody", "garbage", "guest", "member", "admin", "owner", "foreign", "plain", "suspended", "removed", "root",
	"personal", "service", "alien", "limited",
}

// cells of a row, in the order of the parts: + is the row's success, and digits
// stand for the statuses 401, 403, 404 and 409.
const (
	anyone        = "++ ++++ ++ ++ + +++ +"
	signedIn      = "11 ++++ ++ 1+ + 333 3" // with a session alone
	signedInToo   = "11 ++++ ++ 1+ + +33 3" // with a token also
	evenLimited   = "11 ++++ ++ 1+ + 333 +"
	evenLimitedT  = "11 ++++ ++ 1+ + +33 +"
	members       = "11 ++++ 44 14 4 ++4 3"
	notGuests     = "11 3+++ 44 14 4 ++4 3"
	admins        = "11 33++ 44 14 4 3+4 3"
	adminsAlone   = "11 33++ 44 14 4 333 3" // with a session alone
	owners        = "11 333+ 44 14 4 334 3"
	ownersAlone   = "11 333+ 44 14 4 333 3" // where no service is anybody
	log           = "11 33++ 44 14 + 3+4 3"
	configurators = "11 33++ 44 14 + 333 3" // with a session alone
	administrator = "11 3333 33 13 + 333 3"
)

var statuses = map[byte]int{'1': 401, '3': 403, '4': 404, '9': 409}

// deed is something that is tried in every part: a row of the table.
type deed struct {
	call, body string
	status     int // of success
	cells      string
}

// unverified is the operation for those whose address has not been verified.
const unverified = "POST /users/me/verify-email"

// newProvider describes an identity provider that cannot be reached, but for the
// end.
const newProvider = `{"kind":"oidc","name":"New","issuer":"https://127.0.0.1:1","client_id":"authy"`

// serviceMetadata describes a SAML service; it goes into JSON as it is.
func serviceMetadata(name string) string {
	return `<EntityDescriptor xmlns='urn:oasis:names:tc:SAML:2.0:metadata' entityID='https://` + name + `.example'>` +
		`<SPSSODescriptor protocolSupportEnumeration='urn:oasis:names:tc:SAML:2.0:protocol'><AssertionConsumerService index='0' ` +
		`Binding='urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST' Location='https://` + name + `.example/acs'/></SPSSODescriptor></EntityDescriptor>`
}

// tinyPicture is a GIF of one pixel.
const tinyPicture = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// deeds is everything that the API can do, by everybody.
var deeds = slices.Concat(ownDeeds, orgDeeds, adminDeeds)

var ownDeeds = []deed{
	{"POST /auth/register", `{"email":"{new}","password":"` + passphrase + `","password_confirm":"` + passphrase + `"}`, 201, anyone},
	{"GET /recipes", "", 200, signedInToo},
	{"GET /recipes/immich", "", 200, signedInToo},
	{"POST /auth/login", `{"email":"{target@}","password":"` + passphrase + `"}`, 200, anyone},
	{"POST /auth/forgot-password", `{"email":"{target@}"}`, 202, anyone},
	{"POST /auth/reset-password", `{"token":"{reset link}","password":"` + newer + `","password_confirm":"` + newer + `"}`, 200, anyone},
	{"POST /auth/verify-email", `{"token":"{verify link}"}`, 200, anyone},
	{"POST /auth/confirm-email", `{"token":"{email link}"}`, 200, anyone},
	{"POST /auth/totp/verify", `{"pending_token":"{pending}","code":"{code}"}`, 200, anyone},
	{"POST /auth/webauthn/login/begin", `{"email":"{target@}"}`, 200, anyone},
	{"POST /auth/webauthn/login/complete", `{assertion}`, 200, anyone},

	{"POST /auth/logout", "", 200, evenLimited},
	{"GET /auth/me", "", 200, evenLimitedT},
	{"GET /users/me/consents", "", 200, signedIn},
	{"DELETE /users/me/consents/{nothing}", "", 404, signedIn},
	{"GET /auth/sessions", "", 200, evenLimited},
	{"DELETE /auth/sessions", "", 200, evenLimited},
	{"DELETE /auth/sessions/{my session}", "", 200, evenLimited},
	{"DELETE /auth/sessions/{session}", "", 404, evenLimited},
	{"GET /auth/totp/status", "", 200, evenLimited},
	{"POST /auth/totp/enroll", "", 201, evenLimited},
	{"POST /auth/totp/verify-enrollment", `{"code":"{my unconfirmed code}"}`, 200, evenLimited},
	{"POST /auth/totp/regenerate-backup-codes", `{"password":"` + passphrase + `","code":"{my code}"}`, 200, evenLimited},
	{"DELETE /auth/totp/disable", `{"password":"` + passphrase + `","code":"{my code}"}`, 200, evenLimited},
	{"GET /auth/webauthn/status", "", 200, evenLimited},
	{"GET /auth/webauthn/credentials", "", 200, evenLimited},
	{"POST /auth/webauthn/register/begin", `{}`, 200, evenLimited},
	{"POST /auth/webauthn/register/complete", `{my new passkey}`, 201, evenLimited},
	{"PATCH /auth/webauthn/credentials/{my passkey}", `{"name":"New"}`, 200, evenLimited},
	// Who was limited has the passkey that is asked for, and keeps it.
	{
		"DELETE /auth/webauthn/credentials/{my passkey}", `{"password":"` + passphrase + `","code":"{my recovery}","is_backup_code":true}`, 200,
		"11 ++++ ++ 1+ + 333 9",
	},

	{"GET /auth/external/providers", "", 200, evenLimited},
	{"GET /auth/external/linked-accounts", "", 200, evenLimited},
	{"POST /auth/external/providers/{server provider}/link", "", 200, evenLimited},
	{"DELETE /auth/external/providers/{my linked provider}/unlink", `{"password":"` + passphrase + `"}`, 200, evenLimited},

	{"GET /users/me", "", 200, evenLimitedT},
	{"PATCH /users/me", `{"nickname":"New"}`, 200, signedInToo},
	// The only owner of an organization stays.
	{"DELETE /users/me", `{"password":"` + passphrase + `"}`, 200, "11 +++9 9+ 1+ + 333 3"},
	{
		"POST /users/me/password",
		`{"current_password":"` + passphrase + `","new_password":"` + newer + `","new_password_confirm":"` + newer + `"}`,
		200, signedIn,
	},
	{"POST /users/me/panic", `{"password":"` + passphrase + `"}`, 200, evenLimited},
	{"POST /users/me/email", `{"email":"{new}"}`, 202, signedIn},
	{unverified, "", 202, signedIn},
	{"PUT /users/me/picture", tinyPicture, 200, signedInToo},
	{"DELETE /users/me/picture", "", 200, signedInToo},
	{"GET /users/me/organizations", "", 200, signedInToo},
	{"GET /users/me/activity", "", 200, signedInToo},
	{"GET /users/me/export", "", 200, signedIn},
	{"GET /users/me/mfa-compliance", "", 200, evenLimited},
	{"GET /users/me/tokens", "", 200, signedIn},
	{"POST /users/me/tokens", `{"name":"New","scopes":["profile:read"]}`, 201, signedIn},
	{"DELETE /users/me/tokens/{my token}", "", 200, signedIn},
	{"DELETE /users/me/tokens/{service token}", "", 404, signedIn},
	{"POST /invitations/accept", `{"token":"{secret}"}`, 200, "11 4444 4+ 14 4 433 3"},
	{"POST /invitations/decline", `{"token":"{secret}"}`, 200, "11 4444 4+ 14 4 433 3"},
	{"GET /organizations", "", 200, signedInToo},
	{"POST /organizations", `{"name":"New","slug":"{slug}"}`, 201, signedInToo},
}

var orgDeeds = []deed{
	{"GET /organizations/{org}", "", 200, members},
	{"PATCH /organizations/{org}", `{"name":"New"}`, 200, admins},
	{"DELETE /organizations/{org}", "", 200, owners},
	{"GET /organizations/{org}/members", "", 200, notGuests},
	{"POST /organizations/{org}/members", `{"email":"{removed@}","role":"member"}`, 201, admins},
	{"POST /organizations/{org}/members", `{"email":"{removed@}","role":"admin"}`, 201, owners},
	{"POST /organizations/{org}/members", `{"email":"{removed@}","role":"owner"}`, 201, owners},
	{"POST /organizations/{org}/members", `{"email":"new@example.com","role":"guest"}`, 201, admins},
	{"POST /organizations/{org}/members", `{"email":"new@example.com","role":"owner"}`, 201, owners},
	{"DELETE /organizations/{org}/members/{target}", "", 200, admins},
	{"DELETE /organizations/{org}/members/{admin2}", "", 200, owners},
	{"DELETE /organizations/{org}/members/{owner}", "", 409, owners},
	{"DELETE /organizations/{org}/members/{removed}", "", 404, admins},
	{"PATCH /organizations/{org}/members/{target}/role", `{"role":"guest"}`, 200, admins},
	{"PATCH /organizations/{org}/members/{target}/role", `{"role":"admin"}`, 200, owners},
	{"PATCH /organizations/{org}/members/{target}/role", `{"role":"owner"}`, 200, owners},
	{"PATCH /organizations/{org}/members/{admin2}/role", `{"role":"guest"}`, 200, owners},
	{"PATCH /organizations/{org}/members/{owner}/role", `{"role":"guest"}`, 409, owners},
	{"PATCH /organizations/{org}/members/{admin}/role", `{"role":"owner"}`, 200, owners},
	{"PATCH /organizations/{org}/members/{plain}/role", `{"role":"guest"}`, 404, admins},
	{"POST /organizations/{org}/leave", "", 200, "11 +++9 44 14 4 +33 +"},
	{"POST /organizations/{org}/transfer", `{"user_id":"{target}"}`, 200, ownersAlone},
	{"POST /organizations/{org}/transfer", `{"user_id":"{plain}"}`, 404, ownersAlone},
	{"POST /organizations/{org}/transfer", `{"user_id":"{suspended}"}`, 409, ownersAlone},
	{"GET /organizations/{org}/invitations", "", 200, admins},
	{"POST /organizations/{org}/invitations", `{"email":"{removed@}","role":"member"}`, 201, admins},
	{"POST /organizations/{org}/invitations", `{"email":"{removed@}","role":"admin"}`, 201, owners},
	{"POST /organizations/{org}/invitations/{invitation}/resend", "", 201, admins},
	{"POST /organizations/{org}/invitations/{invited}/resend", "", 201, owners},
	{"DELETE /organizations/{org}/invitations/{invitation}", "", 200, admins},
	{"DELETE /organizations/{org}/invitations/{invited}", "", 200, owners},
	{"GET /organizations/{org}/security-policy", "", 200, "11 ++++ 44 14 4 333 +"},
	{"PUT /organizations/{org}/security-policy", `{"mfa_policy_mode":"optional"}`, 200, adminsAlone},
	{"GET /organizations/{org}/mfa-compliance", "", 200, adminsAlone},
	{"PATCH /organizations/{org}/users/{target}/security-policy", `{"mfa_override_mode":"exempt"}`, 200, adminsAlone},
	{"PATCH /organizations/{org}/users/{admin}/security-policy", `{"mfa_override_mode":"exempt"}`, 200, ownersAlone},
	{"PATCH /organizations/{org}/users/{owner}/security-policy", `{"mfa_override_mode":"exempt"}`, 200, ownersAlone},
	{"PATCH /organizations/{org}/users/{removed}/security-policy", `{"mfa_override_mode":"exempt"}`, 404, adminsAlone},
	{"GET /organizations/{org}/clients", "", 200, admins},
	{"POST /organizations/{org}/clients", `{"name":"New","redirect_uris":["https://new.example/cb"]}`, 201, admins},
	{"GET /organizations/{org}/clients/{client}", "", 200, admins},
	{"PATCH /organizations/{org}/clients/{client}", `{"name":"New"}`, 200, admins},
	{"DELETE /organizations/{org}/clients/{client}", "", 200, admins},
	{"POST /organizations/{org}/clients/{client}/secret", `{"overlap":0}`, 200, admins},
	{"GET /organizations/{org}/clients/{client}/errors", "", 200, admins},
	{"GET /organizations/{org}/clients/acme-portal-001", "", 404, admins},
	{"GET /organizations/{org}/audit", "", 200, log},
	{"GET /organizations/{org}/audit/export", "", 200, log},
	{"GET /organizations/{org}/tokens", "", 200, adminsAlone},
	{"POST /organizations/{org}/tokens", `{"name":"New","scopes":["audit:read"]}`, 201, adminsAlone},
	{"DELETE /organizations/{org}/tokens/{service token}", "", 200, adminsAlone},
	{"GET /organizations/{org}/saml/services", "", 200, admins},
	{"POST /organizations/{org}/saml/services", `{"metadata":"` + serviceMetadata("{slug}") + `"}`, 201, admins},
	{"GET /organizations/{org}/saml/services/{saml service}", "", 200, admins},
	{"PATCH /organizations/{org}/saml/services/{saml service}", `{"name":"New"}`, 200, admins},
	{"DELETE /organizations/{org}/saml/services/{saml service}", "", 200, admins},
	{"GET /organizations/{org}/domains", "", 200, configurators},
	{"GET /organizations/{org}/providers", "", 200, configurators},
	{"POST /organizations/{org}/providers", newProvider + `}`, 201, configurators},
	{"GET /organizations/{org}/providers/{provider}", "", 200, configurators},
	{"GET /organizations/{org}/providers/{server provider}", "", 404, configurators},
	{"PATCH /organizations/{org}/providers/{provider}", `{"name":"New"}`, 200, configurators},
	{"PATCH /organizations/{org}/providers/{server provider}", `{"name":"New"}`, 404, configurators},
	{"DELETE /organizations/{org}/providers/{provider}", "", 200, configurators},
	{"DELETE /organizations/{org}/providers/{server provider}", "", 404, configurators},
	{"POST /organizations/{org}/providers/{provider}/test", "", 200, configurators},
}

var adminDeeds = []deed{
	{"GET /admin/overview", "", 200, administrator},
	{"GET /admin/users", "", 200, administrator},
	{"POST /admin/users", `{"email":"{new}"}`, 201, administrator},
	{"GET /admin/users/{target}", "", 200, administrator},
	{"PATCH /admin/users/{target}", `{"full_name":"Other","is_admin":true,"email_verified":false}`, 200, administrator},
	{"POST /admin/users/{target}/suspend", "", 200, administrator},
	{"POST /admin/users/{suspended}/activate", "", 200, administrator},
	{"POST /admin/users/{target}/sign-out", "", 200, administrator},
	{"POST /admin/users/{target}/panic", `{"credentials":false}`, 200, administrator},
	{"POST /admin/users/{target}/unlock", "", 200, administrator},
	{"POST /admin/users/{target}/reset-link", "", 200, administrator},
	{"DELETE /admin/users/{target}", "", 200, administrator},
	{"DELETE /admin/users/{owner}", "", 409, administrator},
	{"GET /admin/organizations", "", 200, administrator},
	{"GET /admin/organizations/{org}", "", 200, administrator},
	{"PATCH /admin/organizations/{org}", `{"name":"Other","is_active":false}`, 200, administrator},
	{"DELETE /admin/organizations/{org}", "", 200, administrator},
	{"GET /admin/organizations/{org}/members", "", 200, administrator},
	{"PUT /admin/organizations/{deserted}/owner", `{"user_id":"{target}"}`, 200, administrator},
	{"PUT /admin/organizations/{org}/owner", `{"user_id":"{target}"}`, 409, administrator},
	{"GET /admin/clients", "", 200, administrator},
	{"POST /admin/clients", `{"name":"New","redirect_uris":["https://new.example/cb"]}`, 201, administrator},
	{"GET /admin/clients/{client}", "", 200, administrator},
	{"PATCH /admin/clients/{client}", `{"name":"Other","is_active":false}`, 200, administrator},
	{"POST /admin/clients/{client}/secret", `{"overlap":0}`, 200, administrator},
	{"GET /admin/clients/{client}/errors", "", 200, administrator},
	{"DELETE /admin/clients/{client}", "", 200, administrator},
	{"GET /admin/registration-tokens", "", 200, administrator},
	{"POST /admin/registration-tokens", `{"uses":2}`, 201, administrator},
	{"DELETE /admin/registration-tokens/{registration token}", "", 200, administrator},
	{"GET /admin/sessions", "", 200, administrator},
	{"DELETE /admin/sessions/{session}", "", 200, administrator},
	{"GET /admin/backups", "", 200, administrator},
	{"POST /admin/backups", "", 409, administrator}, // nothing is set to encrypt it with
	{"GET /admin/keys", "", 200, administrator},
	{"GET /admin/branding", "", 200, administrator},
	{"PATCH /admin/branding", `{"name":"New"}`, 200, administrator},
	{"DELETE /admin/branding", "", 200, administrator},
	{"GET /admin/settings", "", 200, administrator},
	{"GET /admin/mail", "", 200, administrator},
	{"POST /admin/mail/test", "{}", 200, administrator},
	{"POST /admin/public-url/check", "", 200, administrator},
	{"POST /admin/doctor", "", 200, administrator},
	{"GET /admin/logouts", "", 200, administrator},
	{"POST /admin/keys/rotate", `{"algorithm":"ES256"}`, 200, administrator},
	{"DELETE /admin/keys/{nothing}", "", 404, administrator},
	{"GET /admin/providers", "", 200, administrator},
	{"POST /admin/providers", newProvider + `,"slug":"{slug}"}`, 201, administrator},
	{"GET /admin/providers/{provider}", "", 200, administrator},
	{"PATCH /admin/providers/{provider}", `{"name":"New"}`, 200, administrator},
	{"DELETE /admin/providers/{provider}", "", 200, administrator},
	{"POST /admin/providers/{server provider}/test", "", 200, administrator},
	{"GET /admin/saml/services", "", 200, administrator},
	{"POST /admin/saml/services", `{"metadata":"` + serviceMetadata("{slug}") + `"}`, 201, administrator},
	{"GET /admin/saml/services/{saml service}", "", 200, administrator},
	{"PATCH /admin/saml/services/{saml service}", `{"name":"New"}`, 200, administrator},
	{"DELETE /admin/saml/services/{saml service}", "", 200, administrator},
	{"GET /admin/webhooks", "", 200, administrator},
	{"POST /admin/webhooks", `{"slug":"{slug}","url":"https://127.0.0.1:1/","actions":["audit.restart"]}`, 201, administrator},
	{"GET /admin/webhooks/{webhook}", "", 200, administrator},
	{"PATCH /admin/webhooks/{webhook}", `{"name":"New"}`, 200, administrator},
	{"POST /admin/webhooks/{webhook}/rotate", `{"grace":60}`, 200, administrator},
	{"POST /admin/webhooks/{webhook}/test", "", 200, administrator}, // which goes nowhere
	{"GET /admin/webhooks/{webhook}/deliveries", "", 200, administrator},
	{"POST /admin/webhooks/{webhook}/deliveries/{nothing}/redeliver", "", 404, administrator},
	{"DELETE /admin/webhooks/{webhook}", "", 200, administrator},
	{"POST /admin/organizations/{org}/domains", `{"domain":"{slug}.example"}`, 201, administrator},
	{"DELETE /admin/organizations/{org}/domains/{domain}", "", 200, administrator},
	{"GET /admin/audit", "", 200, administrator},
	{"GET /admin/audit/export", "", 200, administrator},
	{"POST /admin/audit/verify", "", 200, administrator},
}

// want is the status of a cell.
func (d deed) want(column int) int {
	if cell := strings.ReplaceAll(d.cells, " ", "")[column]; cell != '+' {
		return statuses[cell]
	}
	return d.status
}

// theirs says whether a cell is about something that the caller really has.
func (d deed) theirs(column int) bool {
	want := d.want(column)
	return strings.Contains(d.call+d.body, "{my ") && (want < 400 || want == 409)
}

// changes says whether a cell is to change something, or has to be prepared so.
func (d deed) changes(column int) bool {
	return d.theirs(column) || d.want(column) < 400 && !strings.HasPrefix(d.call, "GET ")
}

// try has somebody do it.
func (d deed) try(sc *scene, column int) {
	sc.t.Helper()
	p, want := sc.person(parts[column]), d.want(column)
	if d.call == unverified && want < 400 {
		sc.unverify(p)
	}
	call, body := sc.fill(d.call, p, d.theirs(column)), sc.fill(d.body, p, d.theirs(column))
	got := sc.ask(p, call, body)
	kinds := map[int]string{403: "AUTHORIZATION_ERROR", 404: "NOT_FOUND", 409: "CONFLICT"}
	if parts[column] == "limited" {
		kinds[403] = "MFA_COMPLIANCE_REQUIRED"
	}
	if got.status != want || kinds[want] != "" && got.kind != kinds[want] {
		sc.t.Errorf("%s %s by %s: %d %.200s, want %d", d.call, d.body, parts[column], got.status, got.text, want)
	}
}

// volatile are the tables and columns that change by themselves: what a job writes
// when its minute has come, and what is written down of those who were refused.
var volatile = []string{
	"events", "event_heads", "keys", "mails", "mfa_compliance", "last_activity_at", "last_used_at", "sweep_at", "sweep_after",
	"meta", "daily_counts", "incidents", "refusals", "read_seq",
}

// refusals tries everything that is to change nothing, and sees that it does not.
func refusals(t *testing.T, sc *scene) {
	t.Helper()
	dump := func() map[string][]string { return storagetest.Dump(t, sc.s.Config.DatabaseURL(), volatile...) }
	for _, part := range parts {
		sc.person(part)
	}
	for _, d := range deeds {
		if d.cells == anyone {
			continue
		}
		sc.fill(d.call+d.body, sc.person("nobody"), false)
		before := dump()
		for column := range parts {
			if !d.changes(column) {
				d.try(sc, column)
			}
		}
		if diff := cmp.Diff(before, dump()); diff != "" {
			t.Errorf("%s %s changed what it was not to:\n%s", d.call, d.body, diff)
		}
	}
}

// Every operation for everybody: 0 wrong cells (OR-01, OR-02, OR-04 to OR-06,
// OR-08, OR-09).
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	first := newScene(t, s, box)
	refusals(t, first)
	for _, d := range deeds {
		t.Run(d.call, func(t *testing.T) {
			t.Parallel()
			for column := range parts {
				if d.changes(column) {
					d.try(first.fresh(t), column)
				}
			}
		})
	}
}

var inBraces = regexp.MustCompile(`\{[^}]*\}`)

// covered are the operations of the table, with empty braces.
func covered() []string {
	all := map[string]bool{}
	for _, d := range deeds {
		call := strings.Replace(d.call, " ", " /api/v1", 1)
		all[inBraces.ReplaceAllString(strings.NewReplacer("acme-portal-001", "{}", "immich", "{}").Replace(call), "{}")] = true
	}
	return slices.Sorted(maps.Keys(all))
}

func TestTheTableHasEveryOperation(t *testing.T) {
	t.Parallel()
	var documented []string
	for _, o := range documentOf(t, servertest.New(t)) {
		if strings.HasPrefix(o.path, "/api/v1/") {
			documented = append(documented, o.method+" "+inBraces.ReplaceAllString(o.path, "{}"))
		}
	}
	slices.Sort(documented)
	if diff := cmp.Diff(documented, covered()); diff != "" {
		t.Errorf("operations (-document +table):\n%s", diff)
	}
	for _, d := range deeds {
		if cells := strings.ReplaceAll(d.cells, " ", ""); len(cells) != len(parts) || strings.Trim(cells, "+1349") != "" {
			t.Errorf("%s has the cells %s", d.call, d.cells)
		}
	}
}
