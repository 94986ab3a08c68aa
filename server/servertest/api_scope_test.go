package servertest_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"authy/server/audit"
	"authy/server/org"
	"authy/server/servertest"
	"authy/server/token"
	"authy/storage"
)

// operation is one of the OpenAPI document.
type operation struct {
	method, path string
	secured      bool   // it needs to know who calls
	scope        string // that opens it to tokens, "" for none
}

// documentOf are the operations of the OpenAPI document.
func documentOf(t *testing.T, s *servertest.Server) (all []operation) {
	t.Helper()
	page := servertest.Get(t, http.DefaultClient, s.URL+"/api/openapi.json")
	var document struct {
		Paths map[string]map[string]struct {
			Security []map[string][]string `json:"security"`
		} `json:"paths"`
		Components struct {
			SecuritySchemes map[string]struct{ Type, Scheme string } `json:"securitySchemes"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(page.Body), &document); err != nil {
		t.Fatal(err)
	}
	if scheme := document.Components.SecuritySchemes["token"]; scheme.Type != "http" || scheme.Scheme != "bearer" {
		t.Errorf("the scheme of tokens is %v", scheme)
	}
	for path, methods := range document.Paths {
		for method, op := range methods {
			one := operation{method: strings.ToUpper(method), path: path, secured: len(op.Security) > 0}
			for _, way := range op.Security {
				if scopes := way["token"]; len(scopes) == 1 {
					one.scope = scopes[0]
				}
			}
			all = append(all, one)
		}
	}
	return all
}

// operations are those of the OpenAPI document that need to know who calls.
func operations(t *testing.T, s *servertest.Server) []operation {
	t.Helper()
	all := slices.DeleteFunc(documentOf(t, s), func(o operation) bool { return !o.secured })
	if len(all) < 50 {
		t.Fatalf("%d operations", len(all))
	}
	return all
}

// call calls the operation with ids of nothing, but for an organization.
func (o operation) call(p caller, orgID string) outcome {
	p.t.Helper()
	path := strings.Replace(o.path, "/organizations/{id}", "/organizations/"+orgID, 1)
	return p.call(o.method, inBraces.ReplaceAllString(path, storage.NewID()), nil)
}

func TestScopesAreReadToReadAndWriteToWrite(t *testing.T) {
	t.Parallel()
	opened := map[string]bool{}
	for _, o := range operations(t, servertest.New(t)) {
		if o.scope == "" {
			continue
		}
		opened[o.scope] = true
		_, kind, _ := strings.Cut(o.scope, ":")
		if (o.method == "GET") != (kind == "read") || !slices.Contains(token.Scopes, o.scope) {
			t.Errorf("%s %s is opened by %s", o.method, o.path, o.scope)
		}
		if strings.HasPrefix(o.path, "/api/v1/admin/") != token.ForAdmin(o.scope) {
			t.Errorf("%s is opened by %s", o.path, o.scope)
		}
	}
	for _, scope := range token.Scopes {
		if !opened[scope] {
			t.Errorf("%s opens nothing", scope)
		}
	}
}

// What must never be open to a token, whatever the table says.
func TestWhatATokenCanNeverDo(t *testing.T) {
	t.Parallel()
	closed := regexp.MustCompile(`/(password|totp|webauthn|passkeys|sessions|logout|tokens|export)(/|$)`)
	for _, o := range operations(t, servertest.New(t)) {
		never := closed.MatchString(o.path) && !strings.Contains(o.path, "/audit/export") || o.method+" "+o.path == "DELETE "+mePath
		if never && o.scope != "" {
			t.Errorf("%s %s is opened by %s", o.method, o.path, o.scope)
		}
	}
}

// TestEveryOperationWantsItsScope calls every operation of the document with no
// token, one with every other scope, a service token, and one that is dead.
func TestEveryOperationWantsItsScope(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	administer(t, s, bob, true)
	p := logIn(t, s, bob, bobPass)
	others := map[string]caller{}
	for _, scope := range append([]string{""}, token.Scopes...) {
		rest := slices.DeleteFunc(slices.Clone(token.Scopes), func(s string) bool { return s == scope })
		others[scope], _ = p.makeToken(tokensPath, rest...)
	}
	gone, id := p.makeToken(tokensPath, token.Scopes...)
	p.call("DELETE", tokensPath+"/"+id, nil).succeeded(200, "Token revoked successfully")
	own := ownOrg(t, s, "own")
	service, _ := logIn(t, s, "frank@tech-startup.com", bobPass).makeToken("/api/v1/organizations/"+own+"/tokens", token.ServiceScopes...)
	foreign := ownOrg(t, s, "foreign")
	outsider, _ := logIn(t, s, "eve@acme-corp.com", bobPass).makeToken(tokensPath, token.ServiceScopes...)
	for _, o := range operations(t, s) {
		o.call(caller{t: t, s: s}, own).failed(401, "AUTH_REQUIRED", "")
		o.call(gone, own).failed(401, "INVALID_TOKEN", "")
		got := o.call(others[o.scope], own)
		if o.scope == "" {
			got.failed(403, "AUTHORIZATION_ERROR", "API tokens cannot do this: sign in.")
		} else {
			got.lacks(o.scope)
		}
		inOrg := strings.HasPrefix(o.path, "/api/v1/organizations/{id}")
		switch got := o.call(service, foreign); {
		case !inOrg || !slices.Contains(token.ServiceScopes, o.scope), strings.HasSuffix(o.path, "/leave"):
			got.failed(403, "AUTHORIZATION_ERROR", "")
		default: // in an organization that is not its own it is nobody
			if want := o.call(outsider, foreign); got.Code != want.Code || got.Message != want.Message || got.Code < 400 {
				t.Errorf("another organization's service: %s: %s, want %s", got.call, got.Raw, want.Raw)
			}
		}
	}
}

// ownOrg makes an organization of which frank is the owner.
func ownOrg(t *testing.T, s *servertest.Server, slug string) string {
	t.Helper()
	o, err := s.Orgs.Create(t.Context(), audit.Shell(), org.NewOrg{
		Slug: slug, Name: slug, OwnerID: userID(t, s, "frank@tech-startup.com"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return o.ID
}

func TestAServiceActsAsAnAdminOfItsOrganization(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		frank, own := logIn(t, s, "frank@tech-startup.com", bobPass), ownOrg(t, s, "own")
		path, tr := "/api/v1/organizations/"+own, newTrail(t, s)
		service, id := frank.makeToken(path+"/tokens", token.ServiceScopes...)
		if made := tr.wants("making it", "token.create success by user to token"); made[0].OrganizationID != own {
			t.Errorf("the event is %+v", made[0])
		}
		service.call("GET", path, nil).succeeded(200, "Organization retrieved successfully")
		service.call("PATCH", path, object{"name": "By service"}).succeeded(200, "Organization updated successfully")
		for _, e := range tr.wants("a change", "org.update success by service to organization") {
			if e.ActorID != id || e.SessionID != id || e.OrganizationID != own {
				t.Errorf("the event is %+v, want the token %s named", e, id)
			}
		}
		add := func(email, role string) outcome {
			return service.call("POST", path+"/members", object{"email": email, "role": role})
		}
		add(bob, "member").succeeded(201, "Member added successfully")
		for _, role := range []string{"admin", "owner"} {
			add("eve@acme-corp.com", role).failed(403, "AUTHORIZATION_ERROR", "You may grant and alter only roles below your own.")
			service.call("PATCH", path+"/members/"+userID(t, s, bob)+"/role", object{"role": role}).failed(403, "AUTHORIZATION_ERROR", "")
		}
		service.call("DELETE", path+"/members/"+userID(t, s, "frank@tech-startup.com"), nil).failed(403, "AUTHORIZATION_ERROR", "")
		service.call("DELETE", path, nil).failed(403, "AUTHORIZATION_ERROR", "Requires one of the following roles: owner")
		service.call("POST", path+"/leave", nil).failed(403, "AUTHORIZATION_ERROR", "")
		service.call("POST", path+"/transfer", object{"user_id": userID(t, s, bob)}).failed(403, "AUTHORIZATION_ERROR", "")
		client := object{"name": "C", "redirect_uris": []string{"https://c.example.com/cb"}}
		service.call("POST", path+"/clients", client).succeeded(201, "Client created successfully")
		service.call("GET", path+"/clients", nil).succeeded(200, "Clients retrieved successfully")
		service.call("GET", path+"/audit", nil).succeeded(200, "Audit events retrieved successfully")
		for _, mine := range []string{mePath, "/api/v1/auth/me", "/api/v1/organizations", mePath + "/organizations", mePath + "/activity"} {
			service.call("GET", mine, nil).failed(403, "AUTHORIZATION_ERROR", "")
		}
		service.call("POST", "/api/v1/organizations", object{"name": "x", "slug": "new-by-service"}).
			failed(403, "AUTHORIZATION_ERROR", "A service token acts within its organization only.")

		frank.call("DELETE", path, nil).succeeded(200, "Organization deleted successfully")
		service.call("GET", path, nil).failed(401, "INVALID_TOKEN", "Invalid or expired token")
	})
}

func TestServiceTokensStayInTheirOrganization(t *testing.T) {
	t.Parallel()
	th := newTheatre(t, servertest.New(t))
	st := th.stage()
	path := st.fill("/api/v1/organizations/{org}/tokens")
	_, id := th.callers["owner"].makeToken(path, token.OrganizationsRead)
	for _, scope := range []string{token.ProfileRead, token.AdminRead, token.AdminWrite} {
		th.callers["owner"].call("POST", path, object{"name": "x", "scopes": []string{scope}}).failed(400, "VALIDATION_ERROR", "")
	}
	// Of another organization, or of a user, it is not found.
	other := th.stage()
	th.callers["owner"].call("DELETE", other.fill("/api/v1/organizations/{org}/tokens/"+id), nil).failed(404, "NOT_FOUND", "Token not found")
	th.callers["owner"].call("DELETE", tokensPath+"/"+id, nil).failed(404, "NOT_FOUND", "Token not found")
	th.callers["admin"].call("DELETE", path+"/"+id, nil).succeeded(200, "Token revoked successfully")
}
