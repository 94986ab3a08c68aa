package servertest_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"authy/server/servertest"
	"authy/storage"
)

// events are the events of an answer.
func (o outcome) events() []map[string]any {
	o.t.Helper()
	list, ok := o.at("events").([]any)
	if !ok || float64(len(list)) != o.at("count") {
		o.t.Fatalf("%s: count in %s", o.call, o.Raw)
	}
	out := make([]map[string]any, len(list))
	for i := range list {
		out[i], _ = list[i].(map[string]any)
	}
	return out
}

func orgID(t *testing.T, s *servertest.Server, slug string) string {
	t.Helper()
	o, err := s.Orgs.BySlug(t.Context(), slug)
	if err != nil {
		t.Fatal(err)
	}
	return o.ID
}

func TestTheAuditLogIsForThoseWhoMay(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		makeAdmin(t, s, "eve@acme-corp.com")
		acme, tech := orgID(t, s, "acme-corp"), orgID(t, s, "tech-startup")
		for email, want := range map[string]struct{ all, acme, tech int }{
			"eve@acme-corp.com":      {200, 200, 200}, // administers the server
			"admin@acme-corp.com":    {403, 200, 404}, // owns Acme
			"carol@acme-corp.com":    {403, 200, 404}, // is an admin there
			bob:                      {403, 403, 404}, // a member
			"charlie@cross-org.com":  {403, 403, 403}, // a guest, and a member
			"frank@tech-startup.com": {403, 404, 200},
			"iris@data-systems.com":  {403, 404, 404},
		} {
			password := bobPass
			if email == "admin@acme-corp.com" {
				password = "AdminPass123!"
			}
			p := logIn(t, s, email, password)
			for path, status := range map[string]int{
				"/api/v1/admin/audit": want.all, "/api/v1/organizations/" + acme + "/audit": want.acme,
				"/api/v1/organizations/" + tech + "/audit": want.tech, "/api/v1/organizations/" + storage.NewID() + "/audit": 404,
				"/api/v1/organizations/%00/audit": 404, "/api/v1/users/me/activity": 200,
			} {
				if o := p.call("GET", path, nil); o.Code != status {
					t.Errorf("%s: %s, want %d", email, o.Raw, status)
				}
				if path == "/api/v1/users/me/activity" || status == 200 {
					continue
				}
				if o := p.call("GET", path+"/export", nil); o.Code != status {
					t.Errorf("%s: export: %s, want %d", email, o.Raw, status)
				}
			}
		}
		nobody := caller{t: t, s: s}
		for _, path := range []string{"admin/audit", "admin/audit/export", "users/me/activity", "organizations/" + acme + "/audit"} {
			nobody.call("GET", "/api/v1/"+path, nil).failed(401, "AUTH_REQUIRED", "")
		}
		admin := logIn(t, s, "eve@acme-corp.com", bobPass)
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} { // what is written stays
			admin.call(method, "/api/v1/admin/audit", object{}).failed(405, "METHOD_NOT_ALLOWED", "")
		}
	})
}

func TestTheAuditLogIsFilteredPageByPage(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		makeAdmin(t, s, "eve@acme-corp.com")
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": "wrong"})
		p := logIn(t, s, "eve@acme-corp.com", bobPass)
		var all []map[string]any
		for cursor := ""; ; {
			o := p.call("GET", "/api/v1/admin/audit?limit=7&cursor="+cursor, nil).
				succeeded(200, "Audit events retrieved successfully")
			all = append(all, o.events()...)
			if cursor = o.next(); cursor == "" {
				break
			}
		}
		events, err := s.DB.Events(t.Context(), 10_000)
		for len(events) > len(all) && events[0].ID != all[0]["id"] {
			events = events[1:] // keys are made whenever they are ready
		}
		if err != nil || len(all) != len(events) {
			t.Fatalf("%d events page by page, want %d (%v)", len(all), len(events), err)
		}
		for i, e := range events {
			if all[i]["id"] != e.ID || len(all[i]) != 17 {
				t.Errorf("event %d is %v, want %s", i, all[i], e.ID)
			}
		}
		acme := orgID(t, s, "acme-corp")
		for query, want := range map[string]map[string]any{
			"action=user.login&outcome=failure":          {"action": "user.login", "outcome": "failure", "target_id": userID(t, s, bob)},
			"actor=" + userID(t, s, "eve@acme-corp.com"): {"actor_kind": "user"},
			"target=" + userID(t, s, bob):                {"target_id": userID(t, s, bob)},
			"organization=" + acme:                       {"organization_id": acme},
			"from=2020-01-01T00:00:00Z":                  {},
		} {
			got := p.call("GET", "/api/v1/admin/audit?"+query, nil).events()
			if len(got) == 0 {
				t.Errorf("%s: nothing", query)
			}
			for _, e := range got {
				for name, value := range want {
					if e[name] != value {
						t.Errorf("%s: %s = %v, want %v", query, name, e[name], value)
					}
				}
			}
		}
		if got := p.call("GET", "/api/v1/admin/audit?to=2020-01-01T00:00:00Z", nil).events(); len(got) != 0 {
			t.Errorf("before there was anything: %v", got)
		}
		for _, query := range []string{
			"limit=0", "limit=201", "limit=x", "cursor=x", "cursor=eA", "cursor=" + url.QueryEscape("MS4A"), "outcome=maybe", "from=yesterday",
			"sort=id", "actor=%00", "action=" + strings.Repeat("a", 300),
		} {
			p.call("GET", "/api/v1/admin/audit?"+query, nil).failed(400, "VALIDATION_ERROR", "")
		}
		p.call("GET", "/api/v1/organizations/"+acme+"/audit?organization="+acme, nil).failed(400, "VALIDATION_ERROR", "")
	})
}

func TestTheAuditLogIsExported(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		makeAdmin(t, s, "eve@acme-corp.com")
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": "wrong"},
			"User-Agent", `=HYPERLINK("http://evil.example")`)
		p := logIn(t, s, "eve@acme-corp.com", bobPass)
		page := p.download("/api/v1/admin/audit/export?outcome=failure", "application/x-ndjson", "audit.jsonl")
		lines := bufio.NewScanner(strings.NewReader(page.Body))
		n := 0
		for lines.Scan() {
			var e map[string]any
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e["outcome"] != "failure" || len(e) != 17 {
				t.Errorf("line %s: %v", lines.Text(), err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%d failures, want 1:\n%s", n, page.Body)
		}
		page = p.download("/api/v1/admin/audit/export?format=csv", "text/csv; charset=utf-8", "audit.csv")
		rows, err := csv.NewReader(strings.NewReader(page.Body)).ReadAll()
		if err != nil || len(rows) < 20 || !strings.Contains(page.Body, `"'=HYPERLINK(""http`) {
			t.Errorf("%d rows, %v:\n%s", len(rows), err, page.Body)
		}
		owner := logIn(t, s, "carol@acme-corp.com", bobPass)
		acme := orgID(t, s, "acme-corp")
		page = owner.download("/api/v1/organizations/"+acme+"/audit/export", "application/x-ndjson", "audit.jsonl")
		if got, all := strings.Count(page.Body, `"organization_id":"`+acme+`"`), strings.Count(page.Body, "\n"); got != all || got == 0 {
			t.Errorf("%d of %d lines are Acme's", got, all)
		}
		p.call("GET", "/api/v1/admin/audit/export?format=xml", nil).failed(400, "VALIDATION_ERROR", "")
		p.call("GET", "/api/v1/admin/audit/export?actor=%00", nil).failed(400, "VALIDATION_ERROR", "")
		exports := p.call("GET", "/api/v1/admin/audit?action=audit.export", nil).events()
		if len(exports) != 3 || exports[0]["organization_id"] != acme {
			t.Errorf("the exports left %v", exports)
		}
	})
}

// download asks for a file.
func (p caller) download(path, mediaType, name string) *servertest.Page {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), "GET", p.s.URL+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	page := servertest.Do(p.t, http.DefaultClient, req)
	h := page.Response.Header
	if page.Response.StatusCode != 200 || h.Get("Content-Type") != mediaType || h.Get("Cache-Control") != "no-store" ||
		h.Get("Content-Disposition") != `attachment; filename="`+name+`"` {
		p.t.Fatalf("GET %s: %d %v %.200s", path, page.Response.StatusCode, h, page.Body)
	}
	return page
}
