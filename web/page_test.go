package web

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hostile is what every string field is set to where escaping is tested.
const hostile = `"><script>alert(1)</script>`

// pageData is the zero value of each page's data, by the name of the page.
func pageData() map[string]any {
	return map[string]any{
		"sign_in":       signInPage{},
		"second_factor": secondFactorPage{},
		"consent":       consentPage{},
		"enroll":        enrollPage{},
		"setup":         setupPage{},
		"setup_next":    setupNextPage{},
		"message":       messagePage{},
		"sign_out":      signOutPage{},
		"signed_out":    signedOutPage{},

		"account_home": accountHomePage{}, "account_profile": accountProfilePage{}, "account_security": accountSecurityPage{},
		"account_sessions": accountSessionsPage{}, "account_apps": accountAppsPage{}, "account_tokens": accountTokensPage{},
		"account_organizations": accountOrganizationsPage{}, "account_activity": accountActivityPage{},
		"account_data": accountDataPage{},

		"again": againPage{}, "passkey_new": passkeyNewPage{}, "authenticator": authenticatorPage{},
		"recovery_codes": codesPage{},
		"docs":           docsPage{},

		"device_code":     deviceCodePage{},
		"device_allow":    deviceAllowPage{},
		"forgot_password": forgotPage{},
		"reset_password":  resetPage{},
		"follow_link":     followLinkPage{},
		"recover":         recoverPage{},
		"end_all":         endAllPage{},
		"invitation":      invitationPage{},
		"change_password": passwordPage{},
		"change_email":    emailPage{},
		"delete_account":  deletePage{},
		"leave":           leavePage{},
		"sign_up":         signUpPage{},
		"choose_account":  choosePage{},
		"form_post":       formPostPage{},
		"remove_app":      removeAppPage{},

		"admin_overview": adminOverviewPage{}, "admin_users": adminUsersPage{}, "admin_new_user": adminNewUserPage{},
		"admin_user": adminUserPage{}, "admin_user_sign_in": adminUserSignInPage{},
		"admin_user_sessions": adminUserSessionsPage{}, "admin_user_access": adminUserAccessPage{},
		"admin_user_activity": adminUserActivityPage{}, "admin_act": adminActPage{}, "admin_sessions": adminSessionsPage{},
		"admin_organizations": adminOrgsPage{}, "admin_new_organization": adminNewOrgPage{},
		"admin_organization": adminOrgPage{}, "admin_audit": adminAuditPage{}, "admin_event": adminEventPage{},
		"admin_audit_verify": adminVerifyPage{},
		"admin_branding":     adminBrandingPage{}, "admin_branding_reset": adminBrandingResetPage{},
		"admin_settings": adminSettingsPage{}, "admin_address": adminAddressPage{}, "admin_doctor": adminDoctorPage{}, "admin_mail": adminMailPage{},
		"admin_forward": adminForwardPage{}, "forward_refused": forwardRefusedPage{},
		"admin_keys": adminKeysPage{}, "admin_keys_rotate": adminKeysRotatePage{}, "admin_keys_retire": adminKeysRetirePage{},
		"admin_backup": adminBackupPage{}, "admin_webhooks": adminWebhooksPage{}, "admin_webhook": adminWebhookPage{},

		"departure":            departurePage{},
		"organization_sign_in": organizationPage{},
		"arrival_new":          newcomerPage{},
		"arrival_link":         claimantPage{},

		"admin_providers":       providersPage{},
		"admin_provider":        providerDetail{},
		"admin_provider_new":    newProviderPage{},
		"admin_provider_edit":   providerEditPage{},
		"admin_provider_remove": providerRemovePage{},
		"org_domains":           domainsPage{},
		"admin_domains":         domainsPage{},
		"admin_domain_remove":   domainRemovePage{},
		"admin_saml":            samlListPage{}, "org_saml": samlListPage{},
		"admin_saml_service": samlServicePage{}, "org_saml_service": samlServicePage{},
		"admin_saml_form": samlFormPage{}, "org_saml_form": samlFormPage{},
		"admin_saml_remove": samlRemovePage{}, "org_saml_remove": samlRemovePage{},
		"admin_saml_keys": samlKeysPage{}, "admin_saml_turn": samlTurnPage{}, "admin_saml_retire": samlKeyPage{},
		"admin_clients": clientsPage{}, "admin_client_choose": chooseRecipePage{}, "admin_client_new": newClientPage{},
		"admin_client": clientPage{}, "admin_client_settings": clientSettingsPage{}, "admin_client_secret": clientSecretPage{},
		"admin_client_preview": clientPreviewPage{}, "admin_client_problems": clientProblemsPage{},
		"admin_client_logouts": clientLogoutsPage{}, "admin_client_act": clientActPage{},
		"admin_registration": adminRegistrationPage{}, "admin_registration_delete": initialTokenPage{},
		"org_list": orgListPage{}, "org_new": orgNewPage{}, "org_overview": orgOverviewPage{},
		"org_members": orgMembersPage{}, "org_member": orgMemberPage{}, "org_invitations": orgInvitationsPage{},
		"org_invite": orgInvitePage{}, "org_security": orgSecurityPage{}, "org_audit": orgAuditPage{},
		"org_tokens": orgTokensPage{}, "org_token_new": orgTokenNewPage{}, "org_settings": orgSettingsPage{},
		"org_confirm": orgConfirmPage{},
	}
}

// filledFields counts the fields of forms that were filled.
var filledFields atomic.Int64

// fill sets every field below v: strings to text, booleans to yes, slices to two elements.
func fill(v reflect.Value, text string, yes bool) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(yes)
	case reflect.Int:
		v.SetInt(12)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text, yes)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), text, yes)
		}
	case reflect.Map:
		fields := map[string]string{}
		for _, name := range []string{"email", "full_name", "password", "password_confirm", "current_password"} {
			fields[name] = text
		}
		v.Set(reflect.ValueOf(fields))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text, yes)
		}
		if !v.CanInterface() { // embedded
			return
		}
		if field, ok := v.Addr().Interface().(*inputView); ok { // no two of a form have one name
			field.Name += fmt.Sprint(filledFields.Add(1))
		}
		if chart, ok := v.Addr().Interface().(*chartView); ok { // no two of a page have one id
			chart.ID = "chart-" + fmt.Sprint(filledFields.Add(1))
		}
	default:
		panic("no filling for a " + v.Kind().String())
	}
}

// filled is a full view of the page: every string is text and every boolean yes.
func filled(data any, text string, yes bool) view {
	page := reflect.New(reflect.TypeOf(data)).Elem()
	fill(page, text, yes)
	return view{
		Title: text, RequestID: text, Data: page.Interface(),
		Signed: &signedIn{Name: text, Email: text, Admin: yes},
	}
}

// consoleOf is what is around a page of the console, which its name tells; nil for others.
func consoleOf(name string) *consoleView {
	area, _, below := strings.Cut(name, "_")
	nav, ok := map[string]navigation{
		"admin": adminNavigation, "org": orgNavigation, "account": accountNavigation,
	}[area]
	if !below || !ok {
		return nil
	}
	return &consoleView{
		Area: hostile, Named: true, Groups: nav.at("/"+area, "/"+area), Notice: hostile, Secret: hostile,
	}
}

// everyView is each page with nothing and with everything, in order of their names.
func everyView(t *testing.T, check func(t *testing.T, name string, v view)) {
	t.Helper()
	for name, data := range pageData() {
		for kind, v := range map[string]view{
			"zero":    {Data: data},
			"full":    filled(data, "Ada", true),
			"off":     filled(data, "Ada", false),
			"hostile": filled(data, hostile, true),
		} {
			v.Console = consoleOf(name)
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				check(t, name, v)
			})
		}
	}
}

// allPages are parsed once, for all tests.
var allPages = sync.OnceValues(newPages)

func mustPages(t *testing.T) *pages {
	t.Helper()
	p, err := allPages()
	if err != nil {
		t.Fatalf("newPages() = %v", err)
	}
	return p
}

// get renders a page and wants it to succeed.
func get(t *testing.T, name string, v view) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	mustPages(t).render(w, r, http.StatusOK, name, v)
	if w.Code != http.StatusOK {
		t.Fatalf("page %s answers %d, want 200:\n%s", name, w.Code, w.Body)
	}
	return w
}

// element is a start tag and the text that follows it directly.
type element struct {
	name  string
	attrs map[string]string
	text  string
}

// elements reads a page. Unlike a browser it refuses tags that do not nest.
func elements(t *testing.T, page []byte) []element {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var found []element
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("parse page: %v\n%s", err, page)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attrs: map[string]string{}}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			found = append(found, e)
		case xml.CharData:
			if len(found) > 0 {
				found[len(found)-1].text += string(token)
			}
		}
	}
}

// byID finds the one element with that id.
func byID(t *testing.T, all []element, id string) element {
	t.Helper()
	var found []element
	for _, e := range all {
		if e.attrs["id"] == id {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d elements have the id %q, want 1", len(found), id)
	}
	return found[0]
}

func TestEveryTemplateHasItsDataHere(t *testing.T) {
	t.Parallel()
	for name := range mustPages(t).byLanguage["en"] {
		if _, ok := pageData()[name]; !ok {
			t.Errorf("page %q is embedded but not tested", name)
		}
	}
}

func TestNoPageHasInlineCode(t *testing.T) {
	t.Parallel()
	everyView(t, func(t *testing.T, name string, v view) {
		for _, e := range elements(t, get(t, name, v).Body.Bytes()) {
			if e.name == "style" || e.name == "base" || e.name == "iframe" && name != "signed_out" {
				t.Errorf("the page has a <%s>", e.name)
			}
			if e.name == "script" && (e.attrs["src"] == "" || strings.TrimSpace(e.text) != "") {
				t.Errorf("the page has an inline script: %q", e.text)
			}
			for attr := range e.attrs {
				if attr == "style" || strings.HasPrefix(attr, "on") {
					t.Errorf("<%s> has the attribute %s", e.name, attr)
				}
			}
		}
	})
}

func TestEveryPageIsWellMade(t *testing.T) {
	t.Parallel()
	everyView(t, func(t *testing.T, name string, v view) {
		all := elements(t, get(t, name, v).Body.Bytes())
		count, ids, labels := map[string]int{}, map[string]bool{}, map[string]bool{}
		for _, e := range all {
			if e.name == "title" && count["body"] > 0 {
				continue // of a drawing
			}
			count[e.name]++
			if id := e.attrs["id"]; id != "" && ids[id] {
				t.Errorf("the id %q is used twice", id)
			}
			ids[e.attrs["id"]] = true
			labels[e.attrs["for"]] = true
		}
		want := map[string]int{"h1": 1, "main": 1, "header": 1, "title": 1}
		got := map[string]int{}
		for tag := range want {
			got[tag] = count[tag]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("elements (-want +got):\n%s", diff)
		}
		for _, e := range all {
			for id := range strings.FieldsSeq(e.attrs["aria-describedby"]) {
				if !ids[id] {
					t.Errorf("#%s is described by #%s, which is not there", e.attrs["id"], id)
				}
			}
			if e.name == "input" && e.attrs["type"] != "hidden" && !labels[e.attrs["id"]] {
				t.Errorf("the field #%s has no label", e.attrs["id"])
			}
		}
	})
}

func TestWhatThePageShowsIsEscaped(t *testing.T) {
	t.Parallel()
	for name, data := range pageData() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := filled(data, hostile, true)
			v.Console = consoleOf(name)
			body := get(t, name, v).Body.String()
			if strings.Contains(body, "<script>") {
				t.Errorf("the page contains a script of its data:\n%s", body)
			}
			if !strings.Contains(body, "&lt;script&gt;") {
				t.Errorf("the page shows nothing of its data:\n%s", body)
			}
		})
	}
}

func TestAddressesThatRunCodeAreNotLinked(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]any{
		"sign_in": signInPage{Client: &clientView{Name: "x", Host: "x", URI: "javascript:alert(1)"}},
		"message": messagePage{Link: "javascript:alert(1)"},
	} {
		if body := get(t, name, view{Data: data}).Body.String(); strings.Contains(body, "javascript:") {
			t.Errorf("page %s links a script:\n%s", name, body)
		}
	}
}

func TestFormsKeepTheirAddressesAndIDs(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		actions string
		ids     []string
		hidden  []string
	}{
		"sign_in": {
			"/sign-in/forget /sign-in/forget /sign-in /passkey /external/Ada/start /external/Ada/start",
			[]string{"email", "password", "remember", "sign-in", "problem", "use-passkey", "organization", "other-accounts"},
			[]string{
				"flow", "account", "flow", "account",
				"flow", "flow", "credential", "remember", "flow", "again", "email", "flow", "again", "email",
			},
		},
		"second_factor": {
			"/second-factor",
			[]string{"code", "verify", "use-app", "switch"},
			[]string{"flow", "recovery"},
		},
		"again": {
			"Ada /external/Ada/start /external/Ada/start",
			[]string{"password", "code", "recovery", "prove"},
			[]string{"id", "email", "Ada", "Ada", "flow", "again", "email", "flow", "again", "email"},
		},
		"arrival_new":          {"/arrival/new", []string{"full_name", "email", "join", "have-account"}, []string{"handle"}},
		"arrival_link":         {"/arrival/link", []string{"signed-in-as", "link", "not-now"}, []string{"id"}},
		"organization_sign_in": {"/sign-in/organization", []string{"email", "find", "another-way"}, []string{"flow"}},
		"departure":            {"", []string{"depart"}, nil},

		"consent":        {"/consent", []string{"allow", "deny", "switch", "policy", "terms"}, []string{"flow"}},
		"choose_account": {"/choose-account", []string{"continue-as", "switch"}, []string{"flow", "account"}},
		"form_post":      {"Ada", []string{"form-post", "send"}, []string{"Ada", "Ada"}},
		"remove_app":     {"/account/apps/remove", []string{"remove-app", "back"}, []string{"id"}},
		"sign_up": {
			"/sign-up /external/Ada/start /external/Ada/start",
			[]string{"email", "full_name", "password", "password_confirm", "sign-up", "have-account", "unable"},
			[]string{"flow", "flow", "again", "email", "flow", "again", "email"},
		},
		"setup": {
			"/setup",
			[]string{"email", "full_name", "password", "password_confirm", "create"},
			[]string{"token"},
		},
		"forgot_password": {"/forgot-password", []string{"email", "send", "problem", "back"}, nil},
		"reset_password": {
			"/reset-password", []string{"password", "password_confirm", "save"}, []string{"token"},
		},
		"follow_link": {"Ada", []string{"confirm"}, []string{"token"}},
		"recover":     {"/recover", []string{"recover"}, []string{"token"}},
		"end_all":     {"/account/security/end-all", []string{"end-all"}, nil},
		"invitation":  {"/invitations", []string{"accept", "decline"}, []string{"token"}},
		"signed_out":  {"Ada", []string{"signed-out", "leave-there", "straight-on"}, []string{"Ada", "Ada"}},
		"sign_out": {
			"/oidc/end_session",
			[]string{"sign-out-confirm", "sign-out"},
			[]string{
				"post_logout_redirect_uri", "client_id", "state", "id_token_hint", "confirm",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := elements(t, get(t, name, filled(pageData()[name], "Ada", true)).Body.Bytes())
			for _, id := range want.ids {
				byID(t, all, id)
			}
			var actions, hidden []string
			for _, e := range all {
				if e.name == "form" && e.attrs["method"] == "post" {
					actions = append(actions, e.attrs["action"])
				}
				if e.attrs["type"] == "hidden" {
					hidden = append(hidden, e.attrs["name"])
				}
			}
			if diff := cmp.Diff(append([]string{"/sign-out"}, strings.Fields(want.actions)...), actions); diff != "" {
				t.Errorf("forms (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.hidden, hidden); diff != "" {
				t.Errorf("hidden fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheFocusIsOnTheFirstFieldToFill(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		data any
		want string
	}{
		{"sign_in", signInPage{}, "email"},
		{"sign_in", signInPage{Email: "ada@example.com"}, "password"},
		{"setup", setupPage{}, "email"},
		{"setup", setupPage{Fields: map[string]string{"email": "x", "password": "x"}}, "email"},
		{"setup", setupPage{Fields: map[string]string{"full_name": "x"}}, "full_name"},
		{"setup", setupPage{Fields: map[string]string{"password_confirm": "x"}}, "password"},
		{"sign_up", signUpPage{Fields: map[string]string{}}, "full_name"},
		{"sign_up", signUpPage{Fields: map[string]string{"email": "x", "password": "x"}}, "email"},
		{"sign_up", signUpPage{Fields: map[string]string{"email": "x", "full_name": "x"}}, "full_name"},
		{"sign_up", signUpPage{Fields: map[string]string{"password": "x"}}, "password"},
		{"reset_password", resetPage{}, "password"},
		{"change_password", passwordPage{}, "current_password"},
	} {
		var got []string
		for _, e := range elements(t, get(t, test.name, view{Data: test.data}).Body.Bytes()) {
			if _, ok := e.attrs["autofocus"]; ok {
				got = append(got, e.attrs["id"])
			}
		}
		if diff := cmp.Diff([]string{test.want}, got); diff != "" {
			t.Errorf("%s with %+v: focus (-want +got):\n%s", test.name, test.data, diff)
		}
	}
}

func TestAProblemIsAnnouncedAndLinkedToTheFields(t *testing.T) {
	t.Parallel()
	all := elements(t, get(t, "sign_in", view{Data: signInPage{Problem: "No."}}).Body.Bytes())
	if role := byID(t, all, "problem").attrs["role"]; role != "alert" {
		t.Errorf("the problem has the role %q, want alert", role)
	}
	for _, id := range []string{"email", "password"} {
		if by := byID(t, all, id).attrs["aria-describedby"]; by != "problem" {
			t.Errorf("#%s is described by %q, want the problem", id, by)
		}
	}
}

func TestAFieldWithAProblemIsMarkedInvalid(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"email", "full_name", "password", "password_confirm"} {
		data := setupPage{Fields: map[string]string{field: "Not like this."}}
		all := elements(t, get(t, "setup", view{Data: data}).Body.Bytes())
		if byID(t, all, field).attrs["aria-invalid"] != "true" {
			t.Errorf("#%s is not marked invalid", field)
		}
		if got := byID(t, all, field+"-problem").text; strings.TrimSpace(got) != "Not like this." {
			t.Errorf("the problem of %s reads %q", field, got)
		}
	}
}

func TestOnlyOtherSessionsCanBeEnded(t *testing.T) {
	t.Parallel()
	data := accountSessionsPage{Sessions: []sessionView{{ID: "mine", Current: true}, {ID: "other"}}}
	var got []string
	for _, e := range elements(t, get(t, "account_sessions", view{Data: data}).Body.Bytes()) {
		if e.attrs["name"] == "id" {
			got = append(got, e.attrs["value"])
		}
	}
	if diff := cmp.Diff([]string{"other"}, got); diff != "" {
		t.Errorf("sessions to end (-want +got):\n%s", diff)
	}
}

func TestTheConsentPageLinksToTheAppAloneAndTellsItNothing(t *testing.T) {
	t.Parallel()
	v := view{Data: consentPage{
		Flow: "a b", RedirectHost: "app.example",
		Client: clientView{
			Name: "App", Host: "app.example", URI: "https://app.example/",
			Policy: "https://app.example/policy", Terms: "https://app.example/terms",
		},
	}}
	var got []string
	for _, e := range elements(t, get(t, "consent", v).Body.Bytes()) {
		if e.name != "a" {
			continue
		}
		got = append(got, e.attrs["href"])
		if strings.HasPrefix(e.attrs["href"], "https:") && e.attrs["rel"] != "noopener noreferrer" {
			t.Errorf("the link to %s has rel=%q", e.attrs["href"], e.attrs["rel"])
		}
	}
	want := []string{
		"#main", "https://app.example/", "/sign-in?flow=a%20b&switch=1", "https://app.example/policy", "https://app.example/terms",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

func TestWhatAnApplicationSentIsShownButNeverLinked(t *testing.T) {
	t.Parallel()
	data := messagePage{Problem: true, Sent: "https://evil.example/", Registered: []string{"https://app.example/"}}
	all := elements(t, get(t, "message", view{RequestID: "r-1", Data: data}).Body.Bytes())
	for _, shown := range []string{data.Sent, data.Registered[0], "r-1"} {
		if !slices.ContainsFunc(all, func(e element) bool { return strings.TrimSpace(e.text) == shown }) {
			t.Errorf("the page does not show %s", shown)
		}
		if slices.ContainsFunc(all, func(e element) bool { return e.attrs["href"] == shown }) {
			t.Errorf("the page links %s", shown)
		}
	}
}

func TestTheReferenceIsShownWithProblemsOnly(t *testing.T) {
	t.Parallel()
	v := view{RequestID: "r-1", Data: messagePage{Heading: "You are signed out"}}
	if body := get(t, "message", v).Body.String(); strings.Contains(body, "r-1") {
		t.Errorf("good news carries a reference:\n%s", body)
	}
}

func TestTimesAreReadableWithoutScript(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.March, 4, 6, 6, 7, 0, time.FixedZone("", 3600))
	body := get(t, "account_sessions", view{Data: accountSessionsPage{Sessions: []sessionView{{LastActive: at}}}}).Body.String()
	want := `<time datetime="2026-03-04T05:06:07Z" data-show="moment">4 March 2026, 05:06 UTC</time>`
	if !strings.Contains(body, want) {
		t.Errorf("the page lacks %s:\n%s", want, body)
	}
}

func TestPagesAreNotStoredAndRunNothingForeign(t *testing.T) {
	t.Parallel()
	got := get(t, "message", view{Data: messagePage{}}).Header()
	want := http.Header{
		"Content-Type":    {"text/html; charset=utf-8"},
		"Cache-Control":   {"no-store"},
		"Referrer-Policy": {"no-referrer"},
		"Content-Security-Policy": {"default-src 'none'; script-src 'self'; style-src 'self'; " +
			"img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; " +
			"frame-ancestors 'none'; base-uri 'none'"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
}

func TestFormTargetsAreAddedToThePolicyUnlessTheyCouldBreakIt(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	mustPages(t).render(w, r, http.StatusOK, "consent", view{Data: consentPage{}},
		"https://app.example", "com.example.app:", "", "https://a.example; script-src *",
		"https://b.example https://c.example", "https://d.example\r\nX: y", "'unsafe-inline'")
	got := w.Header().Get("Content-Security-Policy")
	want := "form-action 'self' https://app.example com.example.app:; frame-ancestors 'none'"
	if !strings.Contains(got, want) {
		t.Errorf("Content-Security-Policy = %s, want it to contain %s", got, want)
	}
}

func TestAFailedPageIsReplacedByAWholeOne(t *testing.T) {
	t.Parallel()
	wrong := template.Must(template.New("").Parse(`<p>the first half {{.Data.Missing}}`))
	broken := func() (*template.Template, error) { return wrong, nil }
	working := mustPages(t).byLanguage["en"]["message"]
	for name, byName := range map[string]map[string]parsed{
		"a broken page":            {"page": broken, "message": working},
		"an unknown page":          {"message": working},
		"nothing works any longer": {"page": broken, "message": broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			p := &pages{byLanguage: map[string]map[string]parsed{"en": byName}}
			p.render(w, r, http.StatusOK, "page", view{RequestID: "<r-1>", Data: consentPage{}},
				"https://app.example")
			body := w.Body.String()
			if w.Code != http.StatusInternalServerError || strings.Contains(body, "first half") {
				t.Errorf("render answers %d, want 500 and no half page:\n%s", w.Code, body)
			}
			if !strings.Contains(body, "&lt;r-1&gt;") ||
				!strings.Contains(body, "Something went wrong on our side.") {
				t.Errorf("the page does not say what happened:\n%s", body)
			}
			if policy := w.Header().Get("Content-Security-Policy"); policy != (foreign{}).policy() {
				t.Errorf("Content-Security-Policy = %s, want the plain one", policy)
			}
		})
	}
}

func TestTheHeaderNamesWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	data := messagePage{}
	if body := get(t, "message", view{Data: data}).Body.String(); strings.Contains(body, "sign-out") {
		t.Errorf("nobody is signed in, but the page offers to sign out:\n%s", body)
	}
	v := view{Data: data, Signed: &signedIn{Name: "Ada", Email: "ada@example.com"}}
	body := get(t, "message", v).Body.String()
	for _, want := range []string{"Ada", "ada@example.com", `id="sign-out"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s:\n%s", want, body)
		}
	}
}

func TestTheInitialOfANameIsItsFirstLetter(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"acme": "A", "  (beta) app": "B", "émile": "É", "7up": "7", "日本": "日", "": "•", "--": "•",
	} {
		if got := initial(name); got != want {
			t.Errorf("initial(%q) = %q, want %q", name, got, want)
		}
	}
}
