package web

import (
	"testing"

	"authy/server/registry"
)

func TestWhereAnAppIsOpened(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ begins, home, want string }{
		{"", "", ""},
		{"", "https://app.example/", "https://app.example/"},
		{"", "javascript:alert(1)", ""},
		{"", "//app.example", ""},
		{"com.example.app:/login", "https://app.example/", "https://app.example/"},
		{"https://app.example/login", "https://app.example/", "https://app.example/login?iss=https%3A%2F%2Fid.example"},
		{"https://app.example/login?a=b&iss=x", "", "https://app.example/login?a=b&iss=https%3A%2F%2Fid.example"},
	} {
		client := &registry.Client{ClientURI: c.home}
		client.Options.InitiateLoginURI = c.begins
		if got := homeOf(client, "https://id.example"); got != c.want {
			t.Errorf("homeOf(%q, %q) = %q, want %q", c.begins, c.home, got, c.want)
		}
	}
}
