package config_test

import (
	"strings"
	"testing"

	"authy/server/config"
)

// What does not go together is told where one of it was said, and never as a default's fault.
func TestContradictionsAreToldWhereTheyWereSaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file string
		env  []string
		want string
	}{
		"a sender without a relay":  {"\n[mail]\nfrom = 'a@example.com'\n", nil, "authy.toml:3: mail.host: it is empty"},
		"a relay without a sender":  {"\n[mail]\nhost = 'mail.example.com'\n", nil, "authy.toml:3: mail.from: "},
		"a password without a name": {"", []string{"AUTHY_MAIL_PASSWORD=x"}, "environment AUTHY_MAIL_PASSWORD: mail.username: "},
		"rules without proxies": {
			"[[forward_auth]]\nhosts = ['app.example.com']\nwho = ['signed-in']\n", nil,
			"authy.toml:2: trusted_proxies: the proxies that ask",
		},
		"a provider that is spelled wrong": {
			"",
			[]string{"AUTHY_PROVIDER_GOGLE_CLIENT_SECRET=x"},
			`environment AUTHY_PROVIDER_GOGLE_CLIENT_SECRET: provider.gogle.kind: "" is not known; write one of google, github, ` +
				"microsoft, oidc, saml; or did you mean [provider.google]?",
		},
		"longer than there are numbers for": {
			"[session]\nlifetime = '99999999h'\n", nil, "authy.toml:2: session.lifetime: ",
		},
		"a host that is an address": {
			"trusted_proxies = ['127.0.0.1']\n[[forward_auth]]\nhosts = ['http://app.example.com']\nwho = ['signed-in']\n", nil,
			`authy.toml:3: forward_auth.1.hosts: "http://app.example.com" is an address; name the host alone`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := config.Load(writeFile(t, "authy.toml", c.file), nil, c.env)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "default:") ||
				strings.Contains(err.Error(), "not a duration") {
				t.Errorf("it says %v, want %q", err, c.want)
			}
		})
	}
}
