package web

import (
	"fmt"
	"slices"
	"strings"
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

// A proxy before the server refuses an answer whose headers are long.
func TestLogosFitIntoAHeader(t *testing.T) {
	t.Parallel()
	apps := []appView{{Logo: "https://long.example/" + strings.Repeat("a", maxLogos)}, {}}
	for i := range 100 {
		logo := fmt.Sprintf("https://app.example/a-logo-with-a-name-of-usual-length-%d.png", i/2)
		apps = append(apps, appView{Logo: logo})
	}
	given := []appView{{Logo: "https://app.example/a-logo-with-a-name-of-usual-length-0.png"}, {Logo: "https://late.example/" + strings.Repeat("b", 100)}}
	shown := logosOf(apps, given)
	if n := len(logoSources(foreign{logos: shown})); n > maxLogos || n < maxLogos-100 {
		t.Errorf("%d bytes of logos, want at most %d and not many fewer", n, maxLogos)
	}
	if apps[0].Logo != "" || given[0].Logo == "" || given[1].Logo != "" {
		t.Errorf("the long logo is %.30q, the first %q, the last %.30q", apps[0].Logo, given[0].Logo, given[1].Logo)
	}
	for _, app := range slices.Concat(apps, given) {
		if app.Logo != "" && !slices.Contains(shown, app.Logo) {
			t.Errorf("%s is shown, and not in the policy", app.Logo)
		}
	}
}
