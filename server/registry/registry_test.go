package registry

import (
	"errors"
	"testing"
	"time"

	"authy/server/audit"
	"authy/storage"
	"authy/storage/storagetest"
)

func TestOnlyAnOperatorRegistersClients(t *testing.T) {
	t.Parallel()
	s := New(storagetest.New(t))
	honest := Registration{
		ClientID: "new", Name: "New", RedirectURIs: []string{"https://new.example/cb"},
		AccessTokenLifetime: time.Hour, RefreshTokenLifetime: time.Hour, IDTokenLifetime: time.Hour,
	}
	for _, by := range []audit.Actor{{}, {Kind: audit.Anonymous}, audit.Shell().As("user"), audit.Shell().AsClient("web")} {
		if _, err := s.Create(t.Context(), by, honest); !errors.Is(err, ErrForbidden) {
			t.Errorf("by %v: %v, want forbidden", by.Kind, err)
		}
	}
	for name, spoil := range map[string]func(*Registration){
		"a bad client_id":    func(c *Registration) { c.ClientID = "a b" },
		"no name":            func(c *Registration) { c.Name = " " },
		"a bad redirect URI": func(c *Registration) { c.RedirectURIs = []string{"javascript:alert(1)"} },
		"a bad logout URI":   func(c *Registration) { c.PostLogoutRedirectURIs = []string{"javascript:alert(1)"} },
		"no lifetime":        func(c *Registration) { c.AccessTokenLifetime = 0 },
	} {
		in := honest
		spoil(&in)
		if _, err := s.Create(t.Context(), audit.Shell(), in); err == nil {
			t.Errorf("%s was registered", name)
		}
	}
	c, err := s.Create(t.Context(), audit.Shell(), honest)
	if err != nil {
		t.Fatal(err)
	}
	if !c.RequirePKCE || c.SecretHash != "" {
		t.Errorf("a public client: PKCE %v, secret %q, want PKCE and no secret", c.RequirePKCE, c.SecretHash)
	}
	if _, err := s.Create(t.Context(), audit.Shell(), honest); !errors.Is(err, ErrTaken) {
		t.Errorf("the same client again: %v, want taken", err)
	}
}

func TestAClientsSecretIsKeptAsAKeyedHash(t *testing.T) {
	t.Parallel()
	s := New(storagetest.New(t))
	machine, web := Defaults(), Defaults()
	machine.ClientID, machine.Name, machine.Secret = "machine", "Machine", "secret"
	web.ClientID, web.Name = "web", "Web"
	machine.RedirectURIs, web.RedirectURIs = []string{"https://machine.example/cb"}, []string{"https://web.example/cb"}
	c, err := s.Create(t.Context(), audit.Shell(), machine)
	if err != nil {
		t.Fatal(err)
	}
	is := func(c *Client, secret string) bool {
		t.Helper()
		ok, err := s.IsSecret(t.Context(), audit.Shell(), c, secret, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if !is(c, "secret") || is(c, "secret ") || is(c, "") || is(c, c.SecretHash) {
		t.Error("the secret is not the only text that passes")
	}
	if c.SecretHash == storage.Hash("secret") || len(c.SecretHash) != 43 {
		t.Errorf("the secret is kept as %q, want a keyed hash", c.SecretHash)
	}
	public, err := s.Create(t.Context(), audit.Shell(), web)
	if err != nil {
		t.Fatal(err)
	}
	if is(public, "") || is(public, "x") {
		t.Error("a public client has a secret")
	}
}
