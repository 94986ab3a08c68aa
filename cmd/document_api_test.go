package cmd

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"authy/server/servertest"
)

var (
	operation   = regexp.MustCompile(`^(GET|POST|PUT|PATCH|DELETE) (/[^\s?]*)`)
	placeholder = regexp.MustCompile(`\{[^}]*\}`)
)

// below are what paths in documents are relative to.
var below = []string{"", "/api/v1", "/api/v1/auth", "/api/v1/auth/webauthn", "/api/v1/admin"}

// absent is said not to be there.
const absent = "/auth/external/token"

// TestEachOperationThatADocumentNamesIsThere holds `GET /…` in documents, and the requests of
// blocks, against the OpenAPI document. Endpoints of protocols are not in it.
func TestEachOperationThatADocumentNamesIsThere(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	var api struct{ Paths map[string]map[string]any }
	text := servertest.Get(t, servertest.Browser(t), s.URL+"/api/openapi.json").Body
	if err := json.Unmarshal([]byte(text), &api); err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for path, methods := range api.Paths {
		for method := range methods {
			there[strings.ToUpper(method)+" "+placeholder.ReplaceAllString(path, "{}")] = true
		}
	}
	seen := 0
	for _, d := range documents(t) {
		for _, named := range operationsOf(d) {
			path := placeholder.ReplaceAllString(named[2], "{}")
			if strings.HasPrefix(path, "/oidc/") || strings.HasPrefix(path, "/.well-known/") ||
				strings.Contains(path, "…") || path == absent {
				continue
			}
			seen++
			if !slices.ContainsFunc(below, func(root string) bool { return there[named[1]+" "+root+path] }) {
				t.Errorf("%s names %s %s: there is no such operation", d.path, named[1], named[2])
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d operations, want many", seen)
	}
}

// operationsOf finds a method and a path in code within sentences, and in lines of blocks of http.
func operationsOf(d document) (found [][]string) {
	for _, one := range span.FindAllStringSubmatch(d.prose(), -1) {
		if named := operation.FindStringSubmatch(one[1]); named != nil {
			found = append(found, named)
		}
	}
	for _, b := range d.blocks() {
		if b.language != "http" {
			continue
		}
		for _, line := range b.lines {
			if named := operation.FindStringSubmatch(line); named != nil {
				found = append(found, named)
			}
		}
	}
	return found
}
