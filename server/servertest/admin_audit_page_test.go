package servertest_test

import (
	"encoding/csv"
	"regexp"
	"strings"
	"testing"

	"authy/server/account"
	"authy/server/servertest"
)

func newUser(email string) account.NewUser { return account.NewUser{Email: email} }

func TestTheOverviewPageShowsWhatTheReportSays(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := office(t, s)
	page := v.page(v.get("/admin"), 200, `id="matters"`)
	for _, want := range []string{
		`<svg viewBox="0 0 300 100"`, "Attempts to sign in are not limited", "SQLite", "Active users", "Administrators without a second factor: 1.",
	} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	german, err := s.Accounts.Find(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	v.leads(v.post("/admin/users/"+german.ID, "full_name", "Root", "locale", "de"), "/admin/users/"+german.ID)
	v.page(v.get("/admin"), 200, "Was Ihre Aufmerksamkeit braucht")
}

func TestTheAuditLogIsReadOnThePages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := office(t, s)
	caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": "wrong"})
	page := v.page(v.get("/admin/audit?action=user.login&outcome=failure&target="+bob), 200, bob)
	events := regexp.MustCompile(`data-event="([^"]+)"`).FindAllStringSubmatch(page.Body, -1)
	if len(events) != 1 {
		t.Fatalf("%d failures of bob, want 1", len(events))
	}
	v.page(v.get("/admin/audit/"+events[0][1]), 200, "wrong_credentials")
	v.page(v.get("/admin/audit?from=2020-01-01&to=2020-01-02"), 200, "Nothing fits")
	v.page(v.get("/admin/audit?from=yesterday"), 400, "Give a day")
	v.page(v.get("/admin/audit?outcome=maybe"), 400, "Must be success or failure")
	v.page(v.get("/admin/audit?after=x"), 400, "Not a cursor")
	v.page(v.get("/admin/audit?actor=%3Cscript%3E"), 200, "Nothing fits")

	v.page(v.get("/admin/audit/verify"), 200, `id="run"`)
	v.page(v.post("/admin/audit/verify"), 200, "are whole and in their place")
	tr := newTrail(t, s)
	file := v.post("/admin/audit/export", "action", "user.login", "format", "csv")
	rows, err := csv.NewReader(strings.NewReader(file.Body)).ReadAll()
	if err != nil || len(rows) < 3 || !strings.HasPrefix(file.Response.Header.Get("Content-Disposition"), "attachment;") {
		t.Errorf("the file has %d rows, %v: %v", len(rows), err, file.Response.Header)
	}
	tr.wants("exporting", "audit.export success by user to audit")
	file = v.post("/admin/audit/export", "format", "jsonl")
	if !strings.HasPrefix(file.Body, "{") || file.Response.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("as JSON: %.80s", file.Body)
	}
	v.page(v.post("/admin/audit/export", "from", "never"), 400, "")
}

func TestNewEventsFollowThoseThatAreShown(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := office(t, s)
	page := v.page(v.get("/admin/audit?action=user.login"), 200, "data-tail")
	tail := regexp.MustCompile(`data-tail="([^"]*)"`).FindStringSubmatch(page.Body)
	if tail == nil {
		t.Fatal("the page does not say where new events come from")
	}
	next := strings.ReplaceAll(tail[1], "&amp;", "&")
	rows := func() int {
		t.Helper()
		page := v.page(v.get(next), 200, "")
		if strings.Contains(page.Body, "<html") {
			t.Fatalf("more than rows: %.200s", page.Body)
		}
		next = page.Response.Header.Get("X-Next")
		return strings.Count(page.Body, "<tr")
	}
	if n := rows(); n != 0 {
		t.Errorf("%d rows are new at once", n)
	}
	logIn(t, s, bob, bobPass)
	caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": "wrong"})
	if n := rows(); n != 2 {
		t.Errorf("%d rows are new, want 2", n)
	}
	if n := rows(); n != 0 {
		t.Errorf("%d rows are new once more", n)
	}
	v.page(v.get("/admin/audit/tail?since=x"), 400, "")
}

func TestAReferenceOfAnErrorPageIsLookedUp(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, other := office(t, s), newVisitor(t, s)
	s.SignIn(t, other.browser, bob, bobPass)
	page := other.page(other.get("/admin/users"), 403, `id="reference"`)
	found := regexp.MustCompile(`id="reference">([^<]+)<`).FindStringSubmatch(page.Body)
	if found == nil {
		t.Fatal("the page shows no reference")
	}
	answer := v.page(v.get("/admin/audit?reference=+"+found[1]+"+"), 200, "for administrators of the server")
	if !strings.Contains(answer.Body, "GET /admin/users") {
		t.Errorf("the request is not named: %s", answer.Body)
	}
	refused := other.page(other.get("/oidc/authorize?client_id=acme-portal-001&redirect_uri=https://evil.example/%3Cscript%3E&response_type=code"), 400, `id="reference"`)
	found = regexp.MustCompile(`id="reference">([^<]+)<`).FindStringSubmatch(refused.Body)
	v.page(v.get("/admin/audit?reference="+found[1]), 200, "sent as redirect_uri: https://evil.example/&lt;script&gt;")
	for _, unknown := range []string{"nothing", "a%00b", "%3Cscript%3E"} {
		v.page(v.get("/admin/audit?reference="+unknown), 200, "Nothing went wrong under this reference")
	}
}
