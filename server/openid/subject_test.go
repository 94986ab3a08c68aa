package openid

import (
	"testing"

	"authy/storage"
)

func TestASubjectIsTheSameWithinASectorAlone(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	of := func(clientID, sectorURI string, redirects ...string) string {
		return p.Subject(&storage.Client{
			ClientID: clientID, RedirectURIs: redirects,
			Options: storage.ClientOptions{SubjectType: pairwise, SectorIdentifierURI: sectorURI},
		}, "bob")
	}
	a := of("a", "", "https://a.example/cb")
	for name, same := range map[string]string{
		"another path":           of("a", "", "https://a.example/other"),
		"another client":         of("a2", "", "https://a.example/cb"),
		"another port":           of("a3", "", "https://a.example:8443/cb"),
		"its sector by document": of("a4", "https://a.example/sector.json", "https://b.example/cb", "https://c.example/cb"),
	} {
		if same != a {
			t.Errorf("%s: %s, want %s", name, same, a)
		}
	}
	seen := map[string]string{a: "a", "bob": "the user's id"}
	for name, other := range map[string]string{
		"another host":           of("b", "", "https://b.example/cb"),
		"another sector":         of("a", "https://b2.example/sector.json", "https://a.example/cb"),
		"an app's scheme":        of("app1", "", "com.example.app://oauth/cb"),
		"another app's scheme":   of("app2", "", "com.example.app://oauth/cb"),
		"localhost":              of("dev1", "", "http://localhost:3000/cb"),
		"another on localhost":   of("dev2", "", "http://localhost:3000/cb"),
		"a loopback address":     of("dev3", "", "http://127.0.0.1/cb"),
		"no redirect URI at all": of("machine", ""),
		"another user": p.Subject(&storage.Client{
			RedirectURIs: []string{"https://a.example/cb"}, Options: storage.ClientOptions{SubjectType: pairwise},
		}, "eve"),
	} {
		if before, twice := seen[other]; twice {
			t.Errorf("%s has the subject of %s", name, before)
		}
		if seen[other] = name; len(other) != 43 {
			t.Errorf("%s: %q has %d letters", name, other, len(other))
		}
	}
	if got := p.Subject(&storage.Client{}, "bob"); got != "bob" {
		t.Errorf("the subject to a public client = %s", got)
	}
	if got := p.Subject(nil, "bob"); got != "bob" {
		t.Errorf("the subject to nobody = %s", got)
	}
}

func TestResourcesAreAbsoluteAndRegistered(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c := &storage.Client{Options: storage.ClientOptions{Resources: []string{
		"https://api.example/v1", "urn:example:api", "https://x.example/#frag", "/path", "https://u@x.example/",
	}}}
	for resource, want := range map[string]bool{
		"https://api.example/v1": true, "urn:example:api": true, testIssuer: true,
		"https://api.example/v1/": false, "https://api.example": false, "HTTPS://api.example/v1": false,
		// Not URIs that RFC 8707 knows, though registered.
		"https://x.example/#frag": false, "/path": false, "https://u@x.example/": false, "": false,
		testIssuer + "#": false, "https://evil.example": false, "https:": false, "\x00": false,
	} {
		if got := p.mayTarget(c, []string{resource}); got != want {
			t.Errorf("mayTarget(%q) = %v, want %v", resource, got, want)
		}
	}
	many := make([]string, maxResources+1)
	for i := range many {
		many[i] = testIssuer
	}
	if p.mayTarget(c, many) {
		t.Errorf("%d resources may be asked for", len(many))
	}
	if got, err := p.narrow(c, &storage.Grant{Details: storage.GrantDetails{Resources: []string{testIssuer}}}, []string{"urn:example:api"}); err == nil {
		t.Errorf("a grant for one resource gives a token for %v", got)
	}
}
