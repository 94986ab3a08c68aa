package servertest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
)

// adminOperations is everything under /api/v1/admin, with a body where one is
// needed.
var adminOperations = []struct {
	call, body string
	writes     string // the action that is recorded, "" for none
}{
	{"GET /users", "", ""},
	{"POST /users", `{"email":"new@example.com"}`, "user.register"},
	{"GET /users/{user}", "", ""},
	{"PATCH /users/{user}", `{"full_name":"Other","is_admin":true,"email_verified":false}`, "user.update"},
	{"POST /users/{user}/suspend", "", "user.suspend"},
	{"POST /users/{user}/activate", "", "user.activate"},
	{"POST /users/{user}/sign-out", "", "session.revoke_all"},
	{"POST /users/{user}/panic", `{"credentials":true}`, "user.panic"},
	{"POST /users/{user}/unlock", "", "user.unlock"},
	{"POST /users/{user}/reset-link", "", "user.password_reset_requested"},
	{"GET /organizations", "", ""},
	{"GET /organizations/{org}", "", ""},
	{"PATCH /organizations/{org}", `{"name":"Other","is_active":false}`, "org.update"},
	{"GET /organizations/{org}/members", "", ""},
	{"PUT /organizations/{org}/owner", `{"user_id":"{user}"}`, "org.member.add"},
	{"GET /clients", "", ""},
	{"POST /clients", `{"name":"New","redirect_uris":["https://new.example/cb"]}`, "client.created"},
	{"GET /clients/{client}", "", ""},
	{"PATCH /clients/{client}", `{"name":"Other","is_active":false}`, "client.updated"},
	{"POST /clients/{client}/secret", `{"overlap":0}`, "client.secret_rotated"},
	{"GET /registration-tokens", "", ""},
	{"POST /registration-tokens", `{"organization_id":"{org}","profile":"legacy","uses":2,"lifetime":60}`, "registration_token.created"},
	{"DELETE /registration-tokens/{registration token}", "", "registration_token.deleted"},
	{"GET /sessions", "", ""},
	{"DELETE /sessions/{session}", "", "session.revoke"},
	{"GET /keys", "", ""},
	{"GET /audit", "", ""},
	{"GET /audit/export", "", "audit.export"},
	{"DELETE /clients/{client}", "", "client.deleted"},
	{"DELETE /organizations/{org}", "", "org.delete"},
	{"DELETE /users/{user}", "", "user.delete"},
}

// adminTargets are what the operations are tried on: a user, an organization
// whose owner is suspended, and its client.
func adminTargets(t *testing.T, s *servertest.Server) *strings.Replacer {
	t.Helper()
	home, err := s.Orgs.BySlug(t.Context(), "data-systems")
	if err != nil {
		t.Fatal(err)
	}
	henry := "henry@tech-startup.com"
	in(t, s, henry)
	sessions, _, err := s.Sessions.List(t.Context(), userID(t, s, henry), "", 10)
	if err != nil || len(sessions) != 1 {
		t.Fatalf("%d sessions, %v", len(sessions), err)
	}
	token, _, err := s.Clients.MakeInitialToken(t.Context(), audit.Shell(), registry.NewInitialToken{Uses: 1, Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("{registration token}", token.ID, "{user}", userID(t, s, "grace@tech-startup.com"), "{org}", home.ID,
		"{client}", "acme-portal-001", "{session}", sessions[0].ID)
}

// Who may not is in the table of [TestWhoMayDoWhat].
func TestTheAdministrationRecordsWhatItDoes(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		makeAdmin(t, s, root)
		fill := adminTargets(t, s)
		suspend(t, s, alice) // who owns data-systems
		administrator := in(t, s, root)
		for _, op := range adminOperations {
			method, path, _ := strings.Cut(fill.Replace(op.call), " ")
			succeedAndRecord(t, s, administrator, method, "/api/v1/admin"+path, fill.Replace(op.body), op.writes)
		}
	})
}

// succeedAndRecord makes a call, which must succeed and be recorded.
func succeedAndRecord(t *testing.T, s *servertest.Server, p caller, method, path, body, action string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	page := servertest.Do(t, http.DefaultClient, req)
	if page.Response.StatusCode >= 300 {
		t.Errorf("%s %s: %d %s", method, path, page.Response.StatusCode, page.Body)
		return
	}
	if action == "" {
		return
	}
	events, err := s.DB.Events(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	ok := slices.ContainsFunc(events, func(e storage.Event) bool {
		return e.Action == action && e.Outcome == "success" && e.ActorKind == "user" && e.ActorID == userID(t, s, root) &&
			e.RequestID == page.Response.Header.Get("X-Request-Id")
	})
	if !ok {
		t.Errorf("%s %s: no %s among %+v", method, path, action, events)
	}
}

// Nothing that opens anything is in an answer.
func TestTheAdministrationShowsNoSecret(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		makeAdmin(t, s, root)
		p := in(t, s, root)
		enrolled := in(t, s, bob).call("POST", "/api/v1/auth/totp/enroll", nil)
		ctx := t.Context()
		secrets := map[string]string{"TOTP secret": enrolled.text("secret"), "token": p.token, "token hash": storage.Hash(p.token)}
		password, err := s.DB.Password(ctx, userID(t, s, bob))
		if err != nil {
			t.Fatal(err)
		}
		secrets["password hash"] = password.Hash
		totp, err := s.DB.TOTP(ctx, userID(t, s, bob))
		if err != nil {
			t.Fatal(err)
		}
		secrets["sealed TOTP secret"] = totp.Sealed
		client, err := s.DB.Client(ctx, "acme-portal-001")
		if err != nil {
			t.Fatal(err)
		}
		secrets["client secret hash"] = client.SecretHash
		keys, err := s.DB.Keys(ctx)
		if err != nil || len(keys) == 0 {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for _, k := range keys {
			secrets["sealed key "+k.ID] = k.Sealed
		}
		fill := adminTargets(t, s)
		for _, op := range adminOperations {
			method, path, _ := strings.Cut(fill.Replace(op.call), " ")
			if method != http.MethodGet || strings.HasSuffix(path, "export") {
				continue
			}
			o := p.call(method, "/api/v1/admin"+path, nil)
			if o.Code != 200 {
				t.Errorf("%s: %s", op.call, o.Raw)
			}
			for what, secret := range secrets {
				if secret == "" || strings.Contains(o.Raw, secret) {
					t.Errorf("%s shows the %s (%q)", op.call, what, secret)
				}
			}
			for _, field := range []string{`_hash"`, `"private"`, `"d":`, `"sealed"`, `"password"`} {
				if strings.Contains(o.Raw, field) {
					t.Errorf("%s has a field %s: %s", op.call, field, o.Raw)
				}
			}
		}
	})
}
