package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/config"
)

const proxied = "public_url = 'https://id.example.com'\ntrusted_proxies = ['127.0.0.1']\n"

func TestRulesOfForwardAuthAreReadInTheirOrder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "authy.toml")
	text := proxied + `
[[forward_auth]]
hosts = ["app.example.com", "other.example.com:8443"]
paths = ["/a,b", "/"]
who = ["public"]

[log]
level = "warn"

[[forward_auth]]
hosts = ["app.example.com"]
domain = ""
who = ["org:acme:admin", "user:bob@example.com"]
factor = "passkey"
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, r, err := config.Load(file, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []*config.ForwardRule{
		{Hosts: config.Words{"app.example.com", "other.example.com:8443"}, Paths: config.Words{"/a,b", "/"}, Who: config.Words{"public"}},
		{Hosts: config.Words{"app.example.com"}, Who: config.Words{"org:acme:admin", "user:bob@example.com"}, Factor: "passkey"},
	}
	if diff := cmp.Diff(want, c.ForwardAuth); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if c.Log.Level != "warn" {
		t.Errorf("a section between rules is lost: %q", c.Log.Level)
	}
	for _, s := range r.Settings() {
		if s.Key == "forward_auth.2.factor" && (s.Value != "passkey" || s.Origin != file+":16" || s.Variable() != "") {
			t.Errorf("the setting is told of as %+v", s)
		}
	}
}

func TestWhatARuleOfForwardAuthGetsWrongIsNamed(t *testing.T) {
	t.Parallel()
	const host, who = "hosts = ['app.example.com']\n", "who = ['signed-in']\n"
	for name, test := range map[string]struct{ text, want string }{
		"no host":               {who, `forward_auth.1.hosts: it names no host`},
		"a pattern":             {"hosts = ['*.example.com']\n" + who, `authy.toml:4: forward_auth.1.hosts: "*.example.com" is a pattern`},
		"upper case":            {"hosts = ['App.example.com']\n" + who, `is not written as browsers do; write app.example.com`},
		"the usual port":        {"hosts = ['app.example.com:443']\n" + who, `write app.example.com`},
		"a URL":                 {"hosts = ['https://app.example.com']\n" + who, `forward_auth.1.hosts`},
		"authy itself":          {"hosts = ['id.example.com']\n" + who, `id.example.com is authy itself`},
		"nobody":                {host, `forward_auth.1.who: it says nothing`},
		"an unknown word":       {host + "who = ['everyone']", `"everyone" is not known`},
		"an empty name":         {host + "who = ['user:']", `"user:" is not known`},
		"an unknown role":       {host + "who = ['org:acme:boss']", `"boss" is not known; write one of owner, admin, member, guest`},
		"public with others":    {host + "who = ['public', 'admins']", `public and nobody stand alone`},
		"public with a factor":  {host + "who = ['public']\nfactor = 'mfa'", `public and nobody stand alone`},
		"an unknown factor":     {host + who + "factor = 'sms'", `forward_auth.1.factor: "sms" is not known`},
		"a path without slash":  {host + who + "paths = ['admin']", `"admin" is not a path`},
		"a path with dots":      {host + who + "paths = ['/a/../b']", `"/a/../b" is not a path`},
		"an encoded path":       {host + who + "paths = ['/a%2Fb']", `is not a path`},
		"a path with a pattern": {host + who + "paths = ['/a?']", `is not a path`},
		"a method in lower":     {host + who + "methods = ['get']", `"get" is not a method`},
		"a foreign domain":      {host + who + "domain = 'example.org'", `"example.org" is no domain that app.example.com is in`},
		"a top-level domain":    {host + who + "domain = 'com'", `"com" is no domain`},
		"half a label":          {host + who + "domain = 'xample.com'", `"xample.com" is no domain`},
		"two domains of a host": {host + who + "domain = 'example.com'\n[[forward_auth]]\n" + host + who, `app.example.com has the domain "example.com" by a rule before`},
		"a misspelt key":        {host + "wo = ['admins']\n" + who, `authy.toml:5: unknown key "forward_auth.1.wo"; did you mean "forward_auth.1.who"?`},
		"a number":              {host + "who = 5", `authy.toml:5: forward_auth.1.who: expected a list of strings`},
	} {
		if got := refuse(t, proxied+"[[forward_auth]]\n"+test.text, nil); !strings.Contains(got, test.want) {
			t.Errorf("%s: %s\nwant %s", name, got, test.want)
		}
	}
	for text, want := range map[string]string{
		"[forward_auth]\nwho = ['admins']":               `each rule is a table of its own; write its keys under [[forward_auth]]`,
		"forward_auth = 1":                               `write its keys under [[forward_auth]]`,
		"forward_auth = [{ who = ['admins'] }]":          `write its keys under [[forward_auth]]`,
		"[[forward_auth]]\n":                             `forward_auth.1.hosts: it names no host`,
		"[[forward_auth]]\n" + host + who + "[[x]]\ny=1": `unknown key "x"`,
	} {
		if got := refuse(t, proxied+text, nil); !strings.Contains(got, want) {
			t.Errorf("%q: %s\nwant %s", text, got, want)
		}
	}
	got := refuse(t, "public_url = 'https://id.example.com'\n[[forward_auth]]\n"+host+who, nil)
	if !strings.Contains(got, "trusted_proxies: the proxies that ask at /forward-auth are missing") {
		t.Errorf("without proxies: %s", got)
	}
	got = refuse(t, proxied, nil, "AUTHY_FORWARD_AUTH_1_WHO=public")
	if !strings.Contains(got, "unknown variable AUTHY_FORWARD_AUTH_1_WHO") {
		t.Errorf("a rule in the environment: %s", got)
	}
}

func TestARuleThatNeverDecidesIsWarnedOf(t *testing.T) {
	t.Parallel()
	rule := func(more string) string {
		return "[[forward_auth]]\nhosts = [\"app.example.com\"]\nwho = [\"signed-in\"]\n" + more + "\n"
	}
	for name, c := range map[string]struct {
		first, second string
		warned        bool
	}{
		"all before a path":           {"", `paths = ["/admin"]`, true},
		"the root before a path":      {`paths = ["/"]`, `paths = ["/admin"]`, true},
		"twice the same":              {"", "", true},
		"a path before one below it":  {`paths = ["/admin/"]`, `paths = ["/admin/users"]`, true},
		"all methods before one":      {"", `methods = ["GET"]`, true},
		"a method before itself":      {`methods = ["GET", "HEAD"]`, `methods = ["GET"]`, true},
		"a path before all":           {`paths = ["/admin"]`, "", false},
		"a path before one beside it": {`paths = ["/admin"]`, `paths = ["/admins"]`, false},
		"a path before two":           {`paths = ["/admin"]`, `paths = ["/admin/users", "/api"]`, false},
		"a path before the root":      {`paths = ["/admin"]`, `paths = ["/"]`, false},
		"a method before all":         {`methods = ["GET"]`, "", false},
		"a method before another":     {`methods = ["GET"]`, `methods = ["GET", "POST"]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, report := load(t, proxied+rule(c.first)+rule(c.second), nil)
			warned := slices.ContainsFunc(report.Warnings(), func(text string) bool {
				return strings.HasPrefix(text, "forward_auth.2 decides nothing about app.example.com: forward_auth.1 comes first")
			})
			if warned != c.warned {
				t.Errorf("warned is %v of %q, want %v", warned, report.Warnings(), c.warned)
			}
		})
	}
}
