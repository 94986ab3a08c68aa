package servertest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/servertest"
)

// refusedOf waits until so many errors of a client are kept, and returns them.
func refusedOf(t *testing.T, p caller, path string, want int) []any {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		o := p.call("GET", path, nil).succeeded(200, "Client errors retrieved successfully")
		if list, _ := o.at("errors").([]any); len(list) >= want || time.Now().After(deadline) {
			return list
		}
	}
}

func TestADeveloperSeesWhyARequestWasRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p := rooted(t, s)
	const path = "/api/v1/admin/clients/acme-portal-001/errors"
	if got := refusedOf(t, p, path, 0); len(got) != 0 {
		t.Errorf("before anything was refused: %v", got)
	}
	wrong := acmePortal.redirect + "/"
	page := raw(t, http.MethodGet, authorizeURL(s, acmePortal.request("v", "redirect_uri", wrong, "login_hint", "bob@secret.example")), "", nil)
	if page.status != http.StatusBadRequest || strings.Contains(page.body, wrong) {
		t.Errorf("the person is shown %d %s", page.status, page.body)
	}
	list := refusedOf(t, p, path, 1)
	if len(list) != 1 {
		t.Fatalf("kept: %v", list)
	}
	got, _ := list[0].(map[string]any)
	registered, _ := got["registered"].([]any)
	if got["error"] != "invalid_request" || got["parameter"] != "redirect_uri" || got["sent"] != wrong ||
		len(registered) == 0 || registered[0] != acmePortal.redirect || got["difference"] != float64(len(acmePortal.redirect)) {
		t.Errorf("kept: %v", got)
	}
	if strings.Contains(fmt.Sprint(list), "secret.example") {
		t.Errorf("kept is who the user is: %v", list)
	}
}

// Whatever the reason, and whether the client was told or not, it is kept; of
// clients that there are not nothing is.
func TestEveryRefusalOfAClientIsKept(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p := rooted(t, s)
	const path = "/api/v1/admin/clients/acme-portal-001/errors"
	for i, c := range []struct{ name, value, code, parameter string }{
		{"scope", "nothing", "invalid_scope", "scope"},
		{"response_type", "token", "unsupported_response_type", "response_type"},
		{"code_challenge_method", "plain", "invalid_request", "code_challenge_method"},
		{"prompt", "none", "login_required", ""},
		{"redirect_uri", "", "invalid_request", "redirect_uri"},
		{"id_token_hint", "eyJ.secret.hint", "invalid_request", "id_token_hint"},
	} {
		time.Sleep(1050 * time.Millisecond) // one is kept in a second
		raw(t, http.MethodGet, authorizeURL(s, acmePortal.request("v", c.name, c.value)), "", nil)
		list := refusedOf(t, p, path, i+1)
		got, _ := list[0].(map[string]any)
		parameter, _ := got["parameter"].(string)
		if len(list) != i+1 || got["error"] != c.code || parameter != c.parameter || got["count"] != 1.0 {
			t.Errorf("%s=%s: %v", c.name, c.value, list)
		}
		if strings.Contains(fmt.Sprint(got), "secret") {
			t.Errorf("a hint is kept: %v", got)
		}
	}
	raw(t, http.MethodGet, authorizeURL(s, app{id: "nobody-knows", redirect: callback}.request("v")), "", nil)
	if err := setEnabled(t, s, acmePortal.id, false); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1050 * time.Millisecond)
	raw(t, http.MethodGet, authorizeURL(s, acmePortal.request("v")), "", nil)
	list := refusedOf(t, p, path, 7)
	if got, _ := list[0].(map[string]any); len(list) != 7 || got["error"] != "unauthorized_client" {
		t.Errorf("of a disabled client: %v", list)
	}
}

func setEnabled(t *testing.T, s *servertest.Server, clientID string, on bool) error {
	t.Helper()
	_, err := s.Clients.Update(t.Context(), audit.Shell(), "", clientID, func(in *registry.Registration) { in.Disabled = !on })
	return err
}

// A flood is counted in one row of each second.
func TestAFloodOfRefusedRequestsIsCounted(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p := rooted(t, s)
	const flood = 200
	for range flood {
		raw(t, http.MethodGet, authorizeURL(s, acmePortal.request("v", "redirect_uri", "https://evil.example/")), "", nil)
	}
	var counted float64
	var rows []any
	for deadline := time.Now().Add(10 * time.Second); counted < flood && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		rows = refusedOf(t, p, "/api/v1/admin/clients/acme-portal-001/errors", 1)
		counted = 0
		for _, r := range rows {
			row, _ := r.(map[string]any)
			n, _ := row["count"].(float64)
			counted += n
		}
	}
	if counted != flood || len(rows) > flood/4 {
		t.Errorf("%v requests are counted in %d rows, want %d in a few", counted, len(rows), flood)
	}
}
