package servertest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"authy/server/servertest"
	"authy/storage"
)

// foreign are ids of things that are there and belong to somebody else.
type foreign struct {
	org, gone, user, client, invitation, service, token, session, passkey string

	owner, member caller
}

func newForeign(t *testing.T, s *servertest.Server) (f foreign) {
	t.Helper()
	owner, member := in(t, s, alice), in(t, s, bob)
	f.org, f.user, f.client = orgID(t, s, "acme-corp"), userID(t, s, bob), "acme-portal-001"
	f.session, f.owner, f.member = member.current(), owner, member
	_, f.token = member.makeToken(tokensPath, "profile:read")
	path := "/api/v1/organizations/" + f.org
	f.invitation = owner.call("POST", path+"/invitations", object{"email": "x@example.com", "role": "guest"}).text("invitation", "id")
	_, f.service = owner.makeToken(path+"/tokens", "organizations:read")
	f.passkey = passkeyOf(t, s, bob, bobPass).CredentialID()
	gone := owner.makeOrg("gone")
	owner.call("DELETE", gone, nil).succeeded(200, "Organization deleted successfully")
	f.gone = strings.TrimPrefix(gone, "/api/v1/organizations/")
	return f
}

// of fills an operation's path in: with an organization, and what is another's
// or, when absent is true, nobody's.
func (f foreign) of(d documentedOperation, org string, missing bool) string {
	path := strings.Replace(d.path, "/organizations/{id}", "/organizations/"+org, 1)
	if missing {
		return inBraces.ReplaceAllString(path, absent)
	}
	service := f.token
	if strings.Contains(path, "/organizations/") {
		service = f.service
	}
	return strings.NewReplacer("{user}", f.user, "{client}", f.client, "{invitation}", f.invitation, "{token}", service,
		"sessions/{id}", "sessions/"+f.session, "credentials/{id}", "credentials/"+f.passkey).Replace(path)
}

// probe calls an operation as its example has it.
func (p caller) probe(d documentedOperation, path string) outcome {
	p.t.Helper()
	if d.example == nil {
		return p.call(d.method, path, nil)
	}
	return p.call(d.method, path, string(d.example))
}

var requestIDs = regexp.MustCompile(`"request_id":"[^"]*"`)

func (o outcome) same() string { return requestIDs.ReplaceAllString(o.Raw, "") }

// OR-01, OR-02, OR-17: for everybody who has no part in an organization, what
// is in it is not there, and neither is what belongs to another user: the
// answer is that for an id of nothing.
func TestWhatIsSomebodyElsesIsNotThere(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		f := newForeign(t, s)
		strangers := map[string]caller{"outsider": registered(t, s, "mallory@example.com"), "admin of another": in(t, s, frank)}
		owns := ownOrg(t, s, "own")
		seen := func() (all string) {
			for _, path := range []string{"", "/members", "/invitations", "/clients", "/tokens", "/security-policy"} {
				all += f.owner.call("GET", "/api/v1/organizations/"+f.org+path, nil).same()
			}
			return all
		}
		before, tried := seen(), 0
		for _, d := range documentedOperations(t, s) {
			// What is of whoever asks goes by the name of a provider.
			own := strings.HasPrefix(d.path, "/api/v1/auth/external")
			if !strings.Contains(d.path, "{") || strings.HasPrefix(d.path, "/api/v1/admin") || own {
				continue
			}
			tried++
			for name, p := range strangers {
				want := p.probe(d, f.of(d, absent, true))
				for what, path := range map[string]string{"real": f.of(d, f.org, false), "deleted": f.of(d, f.gone, false)} {
					got := p.probe(d, path)
					if got.Code != 404 && got.Code != 403 || got.same() != want.same() {
						t.Errorf("%s, %s: %s %s, with an id of nothing %s", name, what, got.call, got.Raw, want.Raw)
					}
				}
			}
			caller{t: t, s: s}.probe(d, f.of(d, f.org, false)).failed(401, "AUTH_REQUIRED", "")
			if strings.Count(d.path, "{") < 2 {
				continue
			}
			got, want := strangers["admin of another"].probe(d, f.of(d, owns, false)), strangers["admin of another"].probe(d, f.of(d, owns, true))
			if got.Code != 404 || got.same() != want.same() {
				t.Errorf("within one's own organization: %s %s, with an id of nothing %s", got.call, got.Raw, want.Raw)
			}
		}
		if after := seen(); after != before || tried < 30 {
			t.Errorf("after %d operations\n%s\nbecame\n%s", tried, before, after)
		}
		f.member.me(true)
	})
}

// grows are lists to which asking for others adds.
var grows = regexp.MustCompile(`audit|activity|sessions|deliveries`)

// OR-21: lists take what they say and nothing else, and a cursor from elsewhere
// opens nothing.
func TestAListTakesOnlyItsOwnQuestions(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := rooted(t, s)
		own := orgID(t, s, "tech-startup")
		p.makeToken(tokensPath, "profile:read")
		p.makeToken(tokensPath, "profile:read")
		p.call("POST", "/api/v1/admin/webhooks", map[string]any{"slug": "siem", "url": "https://siem.example.com"}).wantOneOf(201)
		lists, cursors := map[string]string{}, []string{}
		for _, d := range documentedOperations(t, s) {
			if d.method != "GET" || !slices.Contains(d.parameters, parameter{"limit", "query"}) {
				continue
			}
			path := strings.NewReplacer("{id}", own, "{webhook}", "siem").Replace(d.path)
			for _, query := range []string{
				"limit=0", "limit=-1", "limit=201", "limit=1000000000", "limit=9223372036854775808", "limit=abc", "limit=1.5", "limit=1e1", "limit=0x1",
				"offset=-1", "offset=1", "page=2", "sort=password_hash", "sort=id;DROP", "order=x", "fields=password_hash", "Limit=1", "cursor=%21", "cursor=YQ==",
				"cursor=" + strings.Repeat("A", 513), "cursor=_w", "cursor=AA", "limit=1&limit=2", "limit=%zz", "limit=1;limit=2",
			} {
				p.call("GET", path+"?"+query, nil).wantOneOf(400)
			}
			lists[path] = p.call("GET", path+"?limit=200", nil).Raw
			if next := p.call("GET", path+"?limit=1", nil).next(); next != "" {
				cursors = append(cursors, next)
			}
		}
		if len(lists) < 12 || len(cursors) < 6 {
			t.Fatalf("%d lists, %d of which go on", len(lists), len(cursors))
		}
		cursors = append(cursors, in(t, s, bob).firstCursor(t), "JyBPUiAnMSc9JzE", "MHgyNw", base64.RawURLEncoding.EncodeToString([]byte(absent)))
		for path, whole := range lists {
			for _, cursor := range cursors {
				o := p.call("GET", path+"?limit=200&cursor="+cursor, nil)
				o.wantOneOf(200, 400)
				if grows.MatchString(path) {
					continue // it has grown since
				}
				for name, list := range o.Data {
					records, _ := list.([]any)
					for _, record := range records {
						text, err := json.Marshal(record.(map[string]any)["id"])
						if err != nil || !strings.Contains(whole, string(text)) {
							t.Errorf("%s with a cursor from elsewhere: %s %s is not of the list", path, name, fmt.Sprint(record))
						}
					}
				}
			}
		}
	})
}

// firstCursor is a cursor of a list of the caller's own.
func (p caller) firstCursor(t *testing.T) string {
	t.Helper()
	p.makeToken(tokensPath, "profile:read")
	p.makeToken(tokensPath, "profile:read")
	next := p.call("GET", tokensPath+"?limit=1", nil).next()
	if next == "" {
		t.Fatal("the list does not go on")
	}
	return next
}

// OR-23: no question of the log of one organization reaches that of another,
// and nothing alters it.
func TestTheLogOfAnOrganizationStaysWithin(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		acme, other := "/api/v1/organizations/"+orgID(t, s, "acme-corp")+"/audit", orgID(t, s, "tech-startup")
		p := in(t, s, carol)
		for _, query := range []string{"", "?actor=" + userID(t, s, root), "?target=" + other, "?target=" + userID(t, s, frank), "?outcome=success"} {
			o := p.call("GET", acme+query, nil).succeeded(200, "Audit events retrieved successfully")
			if strings.Contains(o.Raw, other) {
				t.Errorf("%s shows what is another's: %s", query, o.Raw)
			}
		}
		p.call("GET", acme+"?organization="+other, nil).failed(400, "VALIDATION_ERROR", "")
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			p.call(method, acme, nil).failed(405, "METHOD_NOT_ALLOWED", "")
			p.call(method, acme+"/"+storage.NewID(), nil).failed(404, "NOT_FOUND", "")
		}
	})
}
