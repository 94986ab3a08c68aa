package servertest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server"
	"authy/server/audit"
	"authy/server/org"
	"authy/server/servertest"
	"authy/storage/storagetest"
)

// demand makes an organization with bob as a member, and eve, its owner, who is
// exempt from what it asks. It returns how to ask, and the organization's path.
func demand(t *testing.T, s *servertest.Server, slug string) (ask func(mode string, graceDays int64), path string) {
	t.Helper()
	ctx, shell, eve := t.Context(), audit.Shell(), userID(t, s, cast["owner"])
	o, err := s.Orgs.Create(ctx, shell, org.NewOrg{Slug: slug, Name: "The " + slug, OwnerID: eve})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Orgs.AddMember(ctx, shell, o.ID, userID(t, s, bob), org.Member); err != nil {
		t.Fatal(err)
	}
	if err := s.Orgs.SetOverride(ctx, shell, o.ID, eve, org.Override{Mode: org.OverrideExempt}); err != nil {
		t.Fatal(err)
	}
	return func(mode string, graceDays int64) {
		t.Helper()
		_, err := s.Orgs.SetPolicy(ctx, shell, o.ID, org.PolicyChange{Mode: &mode, GraceDays: &graceDays})
		if err != nil {
			t.Fatal(err)
		}
	}, "/api/v1/organizations/" + o.ID
}

// full says whether a program can do everything, or must set a factor up first.
func (p caller) full(want bool) {
	p.t.Helper()
	o := p.call("GET", "/api/v1/users/me/organizations", nil)
	if want {
		o.succeeded(200, "Organizations retrieved successfully")
		return
	}
	o.failed(403, "MFA_COMPLIANCE_REQUIRED", "MFA compliance required to access this resource")
}

// MF-25: by no door does someone get more who owes a second factor, whatever
// they had before; and what they had goes on when they have set it up.
func TestWhoOwesASecondFactorCanOnlySetItUp(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		ask, _ := demand(t, s, "strict")
		before, browser := logIn(t, s, bob, bobPass), servertest.Browser(t)
		had := acmePortal.tokens(t, s, browser)
		code, verifier := acmePortal.code(t, s, browser)
		alive(t, s, had.Access, true) // so that it is in every cache
		before.full(true)

		ask(org.RequireTOTP, 0)
		before.full(false)
		alive(t, s, had.Access, false)
		acmePortal.refresh(t, s, had.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
		acmePortal.post(t, s, tokenPath, acmePortal.redemption(code, verifier)).refused(t, http.StatusBadRequest, "invalid_grant")
		if r := acmePortal.introspect(t, s, had.Access); r.fields["active"] != false {
			t.Errorf("introspection = %s", r.body)
		}
		o := caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}).
			succeeded(200, "Login successful")
		if o.at("requires_mfa_enrollment") != true || o.at("mfa_compliance", "overall_status") != "past_due" {
			t.Errorf("login answers %s", o.Raw)
		}
		now := caller{t: t, s: s, token: o.text("token")}
		now.full(false)
		for _, b := range []*http.Client{browser, servertest.Browser(t)} {
			page, _ := s.Visit(t, b, authorizeURL(s, acmePortal.request("v")), bob, bobPass)
			if gotCode(page) || !strings.Contains(page.Body, "The strict") || !strings.Contains(page.Body, "an authenticator app") {
				t.Errorf("authorize leads to %v: %s", page.Location(), page.Body)
			}
		}
		page := servertest.Get(t, browser, authorizeURL(s, acmePortal.request("v", "prompt", "none")))
		if to := page.Location(); to == nil || to.Query().Get("error") != "interaction_required" {
			t.Errorf("prompt=none leads to %v", to)
		}

		s.Orgs.Enforce(t.Context())
		now.full(false)
		restored(t, s, now, before, browser, had)
	})
}

// restored sets the factor up: what there was before goes on, without a new
// sign-in, and the factor stays.
func restored(t *testing.T, s *servertest.Server, now, before caller, browser *http.Client, had tokens) {
	t.Helper()
	tr := newTrail(t, s)
	a := enrolled(t, now)
	tr.wants("enrolling", "totp.enroll.initiated success by user to user", "totp.enroll.completed success by user to user",
		"mfa.policy.user_compliant success by user to user")
	now.full(true)
	before.full(true)
	alive(t, s, had.Access, true)
	if r := acmePortal.refresh(t, s, had.Refresh); r.status != 200 {
		t.Errorf("refresh after enrolment: %s", r.body)
	}
	page, steps := s.Visit(t, browser, authorizeURL(s, acmePortal.request("v")), bob, bobPass)
	if !gotCode(page) || len(steps) > 0 {
		t.Errorf("authorize after enrolment: steps %v, to %v", steps, page.Location())
	}
	// MF-10, MF-23: and so does the last factor under a policy.
	now.call("DELETE", "/api/v1/auth/totp/disable", object{"password": bobPass, "code": a.code(0)}).
		failed(409, "CONFLICT", "Your second factor cannot be taken away: it is required by The strict.")
	now.full(true)
	in := verify(t, s, half(t, s), a.code(0)).succeeded(200, "TOTP verification successful")
	if in.at("requires_mfa_enrollment") != nil || in.at("mfa_compliance", "overall_status") != "compliant" {
		t.Errorf("the second factor answers %s", in.Raw)
	}
}

func TestWhatIsToldOfADemand(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	me := logIn(t, s, bob, bobPass)
	none := me.call("GET", "/api/v1/users/me/mfa-compliance", nil).succeeded(200, "MFA compliance retrieved successfully")
	if none.at("mfa_compliance", "overall_status") != "compliant" || none.at("mfa_compliance", "deadline_at") != nil {
		t.Errorf("without a demand: %s", none.Raw)
	}
	ask, path := demand(t, s, "lenient")
	p := me.call("GET", path+"/security-policy", nil).succeeded(200, "Security policy retrieved successfully")
	want := map[string]any{
		"organization_id": path[len(path)-36:], "mfa_policy_mode": "optional", "mfa_grace_period_days": 14.0,
		"notify_days_before": 7.0, "policy_version": 0.0,
	}
	if diff := cmp.Diff(want, p.at("security_policy")); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	ask(org.RequireEither, 3)
	me.full(true) // in the grace period
	for _, o := range []outcome{
		me.call("GET", "/api/v1/users/me/mfa-compliance", nil),
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}),
	} {
		if o.at("requires_mfa_enrollment") != nil || o.at("mfa_compliance", "overall_status") != "in_grace" {
			t.Errorf("in the grace period: %s", o.Raw)
		}
		if diff := cmp.Diff([]any{"totp", "webauthn"}, o.at("mfa_compliance", "missing_methods")); diff != "" {
			t.Errorf("missing methods (-want +got):\n%s", diff)
		}
		wantTime(t, "deadline_at", o.text("mfa_compliance", "deadline_at"), 72*time.Hour)
		if !strings.HasSuffix(o.text("mfa_compliance", "deadline_at"), "Z") {
			t.Errorf("deadline %s", o.text("mfa_compliance", "deadline_at"))
		}
		orgs, _ := o.at("mfa_compliance", "orgs").([]any)
		last, _ := orgs[len(orgs)-1].(map[string]any)
		if last["organization_name"] != "The lenient" || last["status"] != "in_grace" ||
			last["effective_mode"] != "require_totp_or_webauthn" || last["deadline_at"] == nil || last["applied_at"] == nil {
			t.Errorf("orgs: %v", last)
		}
	}
	browser := servertest.Browser(t)
	s.SignIn(t, browser, bob, bobPass)
	if page := servertest.Get(t, browser, s.URL+"/account"); !strings.Contains(page.Body, "Set it up by") ||
		!strings.Contains(page.Body, "an authenticator app or a passkey") {
		t.Error("the account page says nothing of the demand")
	}
	ask(org.RequireWebAuthn, 0)
	if page := servertest.Get(t, browser, s.URL+"/account"); !strings.Contains(page.Body, "It has been due since") {
		t.Error("the account page says nothing of the deadline that has passed")
	}
	enrolled(t, me) // which is not what is asked
	me.full(false)
}

func TestAPolicyIsChangedFieldByField(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	_, path := demand(t, s, "changing")
	eve := logIn(t, s, cast["owner"], bobPass)
	path += "/security-policy"
	for _, c := range []struct {
		body                 object
		mode                 string
		grace, days, version float64
	}{
		{object{"mfa_policy_mode": "require_totp"}, "require_totp", 14, 7, 1},
		{object{"mfa_grace_period_days": 365}, "require_totp", 365, 7, 2}, // D64
		{object{"notify_days_before": 30}, "require_totp", 365, 30, 3},
		{object{"mfa_grace_period_days": 0, "notify_days_before": 0}, "require_totp", 0, 0, 4},
		{object{"mfa_policy_mode": "disabled"}, "disabled", 0, 0, 5},
		{object{}, "disabled", 0, 0, 6},
	} {
		o := eve.call("PUT", path, c.body).succeeded(200, "Security policy updated successfully")
		got := fmt.Sprint(o.at("security_policy", "mfa_policy_mode"), o.at("security_policy", "mfa_grace_period_days"),
			o.at("security_policy", "notify_days_before"), o.at("security_policy", "policy_version"))
		if want := fmt.Sprint(c.mode, c.grace, c.days, c.version); got != want {
			t.Errorf("PUT %v: %s, want %s", c.body, got, want)
		}
	}
	user := strings.TrimSuffix(path, "/security-policy") + "/users/" + userID(t, s, bob) + "/security-policy"
	for _, c := range []struct{ method, path, body, field string }{ // OR-18
		{"PUT", path, `{"mfa_grace_period_days":-1}`, "mfa_grace_period_days"},
		{"PUT", path, `{"mfa_grace_period_days":366}`, "mfa_grace_period_days"},
		{"PUT", path, `{"mfa_grace_period_days":1000000000}`, "mfa_grace_period_days"},
		{"PUT", path, `{"mfa_grace_period_days":"14"}`, "mfa_grace_period_days"},
		{"PUT", path, `{"mfa_grace_period_days":1.5}`, "mfa_grace_period_days"},
		{"PUT", path, `{"notify_days_before":31}`, "notify_days_before"},
		{"PUT", path, `{"notify_days_before":-1}`, "notify_days_before"},
		{"PUT", path, `{"mfa_policy_mode":"sometimes"}`, "mfa_policy_mode"},
		{"PUT", path, `{"mfa_policy_mode":""}`, "mfa_policy_mode"},
		{"PUT", path, `{"mfa_policy_mode":"require_totp_and_webauthn"}`, "mfa_policy_mode"},
		{"PUT", path, `{"policy_version":1}`, "policy_version"},
		{"PATCH", user, `{}`, "mfa_override_mode"},
		{"PATCH", user, `{"mfa_override_mode":"maybe"}`, "mfa_override_mode"},
		{"PATCH", user, `{"mfa_override_mode":"exempt","force_totp":true}`, "mfa_override_mode"},
		{"PATCH", user, `{"mfa_override_mode":"inherit","force_totp":"yes"}`, "force_totp"},
		{"PATCH", user, `{"mfa_override_mode":"inherit","status":"compliant"}`, "status"},
		{"GET", strings.Replace(path, "security-policy", "mfa-compliance?status=fine", 1), "", "status"},
		{"GET", strings.Replace(path, "security-policy", "mfa-compliance?limit=0", 1), "", "limit"},
		{"GET", strings.Replace(path, "security-policy", "mfa-compliance?cursor=%21", 1), "", "cursor"},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		o := eve.call(c.method, c.path, body).failed(400, "VALIDATION_ERROR", "")
		if o.Problem != nil && len(o.Problem.Details[c.field]) == 0 {
			t.Errorf("%s %s: details %v, want one of %s", c.method, c.body, o.Problem.Details, c.field)
		}
	}
	stranger := strings.Replace(user, userID(t, s, bob), userID(t, s, cast["outsider"]), 1)
	eve.call("PATCH", stranger, object{"mfa_override_mode": "required"}).
		failed(404, "NOT_FOUND", "User is not a member of this organization")
}

func TestOverridesAndTheListOverHTTP(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	_, path := demand(t, s, "listing")
	eve, me := logIn(t, s, cast["owner"], bobPass), logIn(t, s, bob, bobPass)
	tr := newTrail(t, s)
	eve.call("PUT", path+"/security-policy", object{"mfa_policy_mode": "require_totp", "mfa_grace_period_days": 0})
	tr.wants("setting", "org.security_policy.update success by user to organization")
	me.full(false)
	user := path + "/users/" + userID(t, s, bob) + "/security-policy"
	o := eve.call("PATCH", user, object{"mfa_override_mode": "exempt"}).
		succeeded(200, "User security policy updated successfully")
	want := map[string]any{
		"user_id": userID(t, s, bob), "organization_id": path[len(path)-36:], "mfa_override_mode": "exempt",
		"force_totp": false, "force_webauthn": false,
	}
	if diff := cmp.Diff(want, o.at("user_security_policy")); diff != "" {
		t.Errorf("override (-want +got):\n%s", diff)
	}
	tr.wants("exempting", "user.security_policy.override_update success by user to user")
	me.full(true)
	eve.call("PATCH", user, object{"mfa_override_mode": "inherit"})
	me.full(false)

	list := eve.call("GET", path+"/mfa-compliance?status=past_due", nil).
		succeeded(200, "Compliance records retrieved successfully")
	rows, _ := list.at("compliance").([]any)
	row, _ := rows[0].(map[string]any)
	if len(rows) != 1 || list.at("count") != 1.0 || row["email"] != bob || row["status"] != "past_due" {
		t.Errorf("past due: %s", list.Raw)
	}
	first := eve.call("GET", path+"/mfa-compliance?limit=1", nil)
	var meta struct{ Meta struct{ Next string } }
	if err := json.Unmarshal([]byte(first.Raw), &meta); err != nil || meta.Meta.Next == "" {
		t.Fatalf("first page: %s", first.Raw)
	}
	second := eve.call("GET", path+"/mfa-compliance?limit=1&cursor="+meta.Meta.Next, nil)
	if strings.Contains(second.Raw, `"meta"`) || !strings.Contains(second.Raw, bob) {
		t.Errorf("second page: %s", second.Raw)
	}
}

// Whoever was made a member by somebody who asks too much can go.
func TestLeavingFreesFromADemand(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	ask, path := demand(t, s, "trap")
	p := logIn(t, s, bob, bobPass)
	ask(org.RequireWebAuthn, 0)
	p.full(false)
	p.call("POST", path+"/leave", nil).succeeded(200, "Organization left successfully")
	p.full(true)
}

// Two nodes over one database: what one changes binds at the other.
func TestAPolicyBindsOnEveryNode(t *testing.T) {
	t.Parallel()
	url := storagetest.Migrated(t, "postgres")
	one := servertest.Start(t, servertest.Options{DatabaseURL: url})
	two := servertest.Start(t, servertest.Options{DatabaseURL: url, Empty: true})
	ask, _ := demand(t, one, "both")
	p := logIn(t, one, bob, bobPass)
	p.s = two
	p.full(true)
	ask(org.RequireTOTP, 0)
	heardOf(t, "the policy binds at the other node", func() bool {
		return p.call("GET", "/api/v1/organizations", nil).Code == 403
	})
	for _, node := range []*server.Services{one.Services, two.Services} {
		node.Orgs.Enforce(t.Context())
	}
	if !recorded(t, two, "mfa.policy.user_suspended", "") {
		t.Error("no suspension is recorded")
	}
	enrolled(t, p)
	p.s = one
	heardOf(t, "enrolment frees at the other node", func() bool {
		return p.call("GET", "/api/v1/organizations", nil).Code == 200
	})
}

// An address that is not verified may be anybody's: whose account has it is
// invited, like somebody who has none (LG-05).
func TestAnAccountWithoutAVerifiedAddressIsInvited(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	mallory := "mallory@example.com"
	caller{t: t, s: s}.call("POST", "/api/v1/auth/register",
		object{"email": mallory, "password": passphrase, "password_confirm": passphrase}).succeeded(201, "Registration successful")
	_, path := demand(t, s, "inviting")
	eve := logIn(t, s, cast["owner"], bobPass)
	var names [][]string
	for _, email := range []string{mallory, "nobody@example.com"} {
		o := eve.call("POST", path+"/members", object{"email": email, "role": "guest"}).
			succeeded(201, "Invitation created successfully")
		var keys []string
		for key := range o.Data {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		names = append(names, keys)
	}
	if diff := cmp.Diff(names[0], names[1]); diff != "" {
		t.Errorf("the answers differ:\n%s", diff)
	}
}

// heardOf waits for what a node does once it has heard of a change.
func heardOf(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within ten seconds: %s", what)
		}
	}
}
