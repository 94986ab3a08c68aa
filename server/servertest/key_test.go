package servertest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"authy/server/registry"
	"authy/server/servertest"
)

// firstID is the id of the first key of an answer.
func firstID(o outcome) string {
	list, _ := o.at("keys").([]any)
	if len(list) == 0 {
		return ""
	}
	key, _ := list[0].(map[string]any)
	id, _ := key["id"].(string)
	return id
}

// jwks is the document with the keys, which has nothing private.
func jwks(t *testing.T, s *servertest.Server) jose.JSONWebKeySet {
	t.Helper()
	r := raw(t, http.MethodGet, s.URL+"/oidc/jwks", "", nil)
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(r.body), &keys); err != nil || r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	for _, k := range keys.Keys {
		if !k.IsPublic() {
			t.Errorf("TK-33: %s is not public", k.KeyID)
		}
	}
	for _, private := range []string{`"d"`, `"p"`, `"q"`, `"dp"`, `"dq"`, `"qi"`, `"oct"`} {
		if strings.Contains(r.body, private) {
			t.Errorf("TK-33: the JWKS has %s", private)
		}
	}
	return keys
}

// signs returns the key that signs for an algorithm.
func signs(t *testing.T, p caller, alg string) string {
	t.Helper()
	o := p.call("GET", "/api/v1/admin/keys", nil).succeeded(200, "Keys retrieved successfully")
	list, _ := o.at("keys").([]any)
	for _, item := range list {
		if k, _ := item.(map[string]any); k["state"] == "signing" && k["algorithm"] == alg {
			id, _ := k["id"].(string)
			return id
		}
	}
	t.Fatalf("no key signs for %s: %s", alg, o.Raw)
	return ""
}

// TK-33: what was signed before a rotation is good until its key is taken out; what
// is signed afterwards names the new key, which is published.
func TestTokensOutliveARotationAndEndWithTheirKey(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := rooted(t, s)
		before := acmePortal.tokens(t, s, servertest.Browser(t))
		old := signs(t, p, "ES256")
		soon := p.call("POST", "/api/v1/admin/keys/rotate", map[string]any{"algorithm": "ES256"}).succeeded(200, "Keys rotated successfully")
		next := firstID(soon)
		if keys := jwks(t, s); len(keys.Key(next)) != 1 || signs(t, p, "ES256") != old {
			t.Errorf("TK-33: the next key %s is not published, or signs already", next)
		}
		p.call("POST", "/api/v1/admin/keys/rotate", map[string]any{"algorithm": "ES256"}).failed(409, "CONFLICT", "")
		now := p.call("POST", "/api/v1/admin/keys/rotate", map[string]any{"algorithm": "ES256", "now": true}).succeeded(200, "Keys rotated successfully")
		fresh := firstID(now)
		alive(t, s, before.Access, true)
		after := acmePortal.tokens(t, s, servertest.Browser(t))
		if header, _ := claimsOf(t, after.Access); header["kid"] != fresh {
			t.Errorf("TK-33: signed with %v, want %s", header["kid"], fresh)
		}
		if keys := jwks(t, s); len(keys.Key(old)) != 1 || len(keys.Key(fresh)) != 1 || len(keys.Key(next)) != 0 {
			t.Errorf("TK-33: published are %+v", keys)
		}
		p.call("DELETE", "/api/v1/admin/keys/"+fresh, nil).failed(409, "CONFLICT", "")
		p.call("DELETE", "/api/v1/admin/keys/"+old, nil).succeeded(200, "Key retired successfully")
		alive(t, s, before.Access, false)
		alive(t, s, after.Access, true)
		if keys := jwks(t, s); len(keys.Key(old)) != 0 {
			t.Errorf("TK-33: the old key is published still")
		}
		p.call("DELETE", "/api/v1/admin/keys/"+old, nil).failed(404, "NOT_FOUND", "")
		p.call("POST", "/api/v1/admin/keys/rotate", map[string]any{"algorithm": "none"}).failed(400, "VALIDATION_ERROR", "")
		for action, reason := range map[string]string{"key.create": "signing", "key.retire": "replaced", "key.delete": "by_hand"} {
			o := p.call("GET", "/api/v1/admin/audit?action="+action, nil)
			if !strings.Contains(string(o.Raw), reason) {
				t.Errorf("no event %s for %s: %s", action, reason, o.Raw)
			}
		}
	})
}

// A client has its ID tokens signed as it has registered, with the right at_hash:
// a verifier that nobody here wrote agrees.
func TestIDTokensAreSignedAsTheClientWants(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	for _, alg := range []string{"RS256", "ES256", "EdDSA", "PS256"} {
		a := register(t, s, registry.Registration{ClientID: "wants-" + alg, Name: alg, IDTokenAlg: alg})
		portal, try := newPortal(t, s, a.id, a.secret, a.redirect), newAttempt()
		page, _ := s.Visit(t, browser, portal.url(try), bob, bobPass)
		if page.Location() == nil {
			t.Fatalf("%s: no answer", alg)
		}
		token, _ := portal.exchange(t, s, try, page.Location())
		id, _ := token.Extra("id_token").(string)
		if header, _ := claimsOf(t, id); header["alg"] != alg {
			t.Errorf("signed by %v, want %s", header["alg"], alg)
		}
	}
}
