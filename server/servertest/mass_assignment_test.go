package servertest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/servertest"
	"authy/storage/storagetest"
)

// undocumented are fields that somebody may hope are bound to a record, with a
// value of the kind that they would have.
var undocumented = map[string]any{
	"id": "01900001-0000-7000-8000-000000000001", "user_id": "01900001-0000-7000-8000-000000000001", "role": "owner",
	"organization_id": "01900001-0000-7000-8000-000000000001", "owner_user_id": "01900001-0000-7000-8000-000000000001",
	"is_admin": true, "admin": true, "email": "mallory@example.com", "email_verified": true, "email_verified_at": 1,
	"status": "active", "created_at": "2020-01-01T00:00:00Z", "deleted_at": nil, "mfa_required": false,
	"password": passphrase, "password_hash": "x", "secret": "x", "client_id": "mine", "client_secret": "x",
	"secret_hash": "x", "skip_consent": true, "is_active": true, "scopes": []string{"admin:write"},
	"organizations": []string{}, "members": []string{}, "slug": "taken", "kind": "service", "expires_at": nil,
	"signed_out_at": nil, "token": "x", "token_hash": "x", "invited_by_id": nil, "policy_version": 99,
}

// knownFields are the fields of the body of each operation, and whether it takes
// others and ignores them.
func knownFields(t *testing.T, s *servertest.Server) (fields map[string][]string, lenient map[string]bool) {
	t.Helper()
	type schema struct {
		Ref        string `json:"$ref"`
		More       any    `json:"additionalProperties"`
		Properties map[string]any
	}
	var document struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct{ Schema schema }
			}
		}
		Components struct{ Schemas map[string]schema }
	}
	page := servertest.Get(t, http.DefaultClient, s.URL+"/api/openapi.json")
	if err := json.Unmarshal([]byte(page.Body), &document); err != nil {
		t.Fatal(err)
	}
	fields, lenient = map[string][]string{}, map[string]bool{}
	for path, methods := range document.Paths {
		for method, operation := range methods {
			body, ok := operation.RequestBody.Content["application/json"]
			if !ok {
				continue
			}
			if name, is := strings.CutPrefix(body.Schema.Ref, "#/components/schemas/"); is {
				body.Schema = document.Components.Schemas[name]
			}
			call := strings.ToUpper(method) + " " + inBraces.ReplaceAllString(strings.TrimPrefix(path, "/api/v1"), "{}")
			fields[call] = slices.Collect(maps.Keys(body.Schema.Properties))
			lenient[call] = body.Schema.More != false
		}
	}
	return fields, lenient
}

// OR-11, OR-12: a body that would be accepted is refused with one field more,
// which is named, and nothing has changed. Where the fields of browsers are
// ignored, they are no way in either.
func TestNoUndocumentedFieldChangesAnything(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	sc := newScene(t, s, box)
	fields, lenient := knownFields(t, s)
	for _, d := range deeds {
		call := inBraces.ReplaceAllString(d.call, "{}")
		known, isFirst := fields[call]
		if !isFirst || d.body == "" || d.status >= 400 {
			continue
		}
		delete(fields, call)
		if servertest.Race && len(fields)%4 != 0 {
			continue
		}
		if lenient[call] {
			overload(t, sc.fresh(t), d, known)
		} else {
			smuggle(t, sc.fresh(t), d, known)
		}
	}
	delete(fields, "POST /auth/totp/enroll") // which needs no body; of the same type as the next
	if len(fields) > 0 {
		t.Errorf("without a try: %v", fields)
	}
	if got := slices.Sorted(maps.Keys(lenient)); len(got) < 35 {
		t.Errorf("operations with a body: %v", got)
	}
}

// overload does a deed with all the fields more, where they are ignored.
func overload(t *testing.T, sc *scene, d deed, known []string) {
	t.Helper()
	p, body := sc.person("member"), object{}
	call := sc.fill(d.call, p, true)
	sc.do(json.Unmarshal([]byte(sc.fill(d.body, p, true)), &body))
	for field, value := range undocumented {
		if !slices.Contains(known, field) {
			body[field] = value
		}
	}
	if got := sc.ask(p, call, sc.json(body)); got.status != d.status {
		t.Errorf("%s: %d %.200s, want %d", d.call, got.status, got.text, d.status)
	}
	after := sc.json(storagetest.Dump(t, sc.s.Config.DatabaseURL(), volatile...))
	for _, value := range undocumented {
		if text, _ := value.(string); len(text) > 15 && text != undocumented["created_at"] && strings.Contains(after, text) {
			t.Errorf("%s has written %s", d.call, text)
		}
	}
	if u, err := sc.s.Accounts.Find(t.Context(), p.email); err != nil || u.IsAdmin {
		t.Errorf("%s: %+v, %v", d.call, u, err)
	}
}

// smuggle tries a deed in the first part that may do it, with each field more.
func smuggle(t *testing.T, sc *scene, d deed, known []string) {
	t.Helper()
	column := strings.LastIndexByte(strings.ReplaceAll(d.cells, " ", "")[:11], '+')
	p := sc.person(parts[column])
	call, text := sc.fill(d.call, p, true), sc.fill(d.body, p, true)
	dump := func() map[string][]string { return storagetest.Dump(t, sc.s.Config.DatabaseURL(), volatile...) }
	before := dump()
	for field, value := range undocumented {
		if slices.Contains(known, field) {
			continue
		}
		body := object{}
		sc.do(json.Unmarshal([]byte(text), &body))
		body[field] = value
		got := sc.ask(p, call, sc.json(body))
		if got.status != 400 || !slices.Equal(got.fields[field], []string{"Unknown field."}) {
			t.Errorf("%s with %s: %d %.200s", d.call, field, got.status, got.text)
		}
	}
	if diff := cmp.Diff(before, dump()); diff != "" {
		t.Errorf("%s changed what it was not to:\n%s", d.call, diff)
	}
}
