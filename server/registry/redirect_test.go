package registry

import (
	"strings"
	"testing"
)

// Z-02: of a native application the port alone may differ.
func TestARedirectURIMatchesToTheLetterOrIsANativeLoopback(t *testing.T) {
	t.Parallel()
	const web, native = "web", "native"
	for _, c := range []struct {
		kind, registered, sent string
		want                   bool
	}{
		{web, "https://a.example/cb", "https://a.example/cb", true},
		{web, "https://a.example/cb https://b.example/cb", "https://b.example/cb", true},
		{web, "https://a.example/cb", "https://a.example/cb/", false},
		{web, "https://a.example/cb", "https://a.example/c", false},
		{web, "https://a.example/cb", "https://A.example/cb", false},
		{web, "https://a.example/cb", "", false},
		{web, "", "", false},
		{web, "https://a.example/cb https://b.example/cb", "https://a.example/cb https://b.example/cb", false},
		{web, "http://127.0.0.1:1/cb", "http://127.0.0.1:2/cb", false},
		{native, "http://127.0.0.1:1/cb", "http://127.0.0.1:2/cb", true},
		{native, "http://127.0.0.1/cb", "http://127.0.0.1:65535/cb", true},
		{native, "http://127.0.0.1:1/cb", "http://127.0.0.1/cb", true},
		{native, "http://[::1]/cb", "http://[::1]:8/cb", true},
		{native, "http://127.0.0.1", "http://127.0.0.1:9", true},
		{native, "http://127.0.0.1/cb?x=1", "http://127.0.0.1:9/cb?x=1", true},
		{native, "http://127.0.0.1/cb", "http://127.0.0.1:9/cb?x=1", false},
		{native, "http://127.0.0.1/cb", "http://[::1]/cb", false},
		{native, "http://[::1]/cb", "http://127.0.0.1/cb", false},
		{native, "http://127.0.0.1/cb", "https://127.0.0.1/cb", false},
		{native, "https://127.0.0.1/cb", "https://127.0.0.1:9/cb", false},
		{native, "http://localhost/cb", "http://localhost:9/cb", false},
		{native, "http://127.0.0.1/cb", "http://127.0.0.1:9@evil.example/cb", false},
		{native, "http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", false},
		{native, "http://127.0.0.1/cb", "http://127.0.0.11/cb", false},
		{native, "app://127.0.0.1/cb", "app://127.0.0.1:9/cb", false},
	} {
		client := &Client{ApplicationType: c.kind, RedirectURIs: strings.Fields(c.registered)}
		if got := Matches(client, c.sent); got != c.want {
			t.Errorf("Matches(%s %q, %q) = %v, want %v", c.kind, c.registered, c.sent, got, c.want)
		}
	}
}

func TestCutPortLeavesWhatFollowsTheAuthority(t *testing.T) {
	t.Parallel()
	const prefix = "http://127.0.0.1"
	for uri, want := range map[string]string{
		"": "/cb", ":1/cb": "/cb", ":65535/cb": "/cb", ":1": "", "none": "",
	} {
		address := prefix + uri
		if uri == "" {
			address += "/cb"
		}
		if uri == "none" {
			address = prefix
		}
		if rest, ok := cutPort(address, prefix); !ok || rest != want {
			t.Errorf("cutPort(%q) = %q, %v, want %q", address, rest, ok, want)
		}
	}
	for _, uri := range []string{
		":", ":/cb", ":x/cb", ":1x/cb", ":123456/cb", ":1@evil/cb", "@evil/cb", ".evil/cb", "1/cb", "?x", "#x", `\cb`, ":1?x", ":-1/cb", ":١/cb",
	} {
		if rest, ok := cutPort(prefix+uri, prefix); ok {
			t.Errorf("cutPort(%q) = %q, want refused", prefix+uri, rest)
		}
	}
	if _, ok := cutPort("http://[::1]/cb", prefix); ok {
		t.Error("another prefix was accepted")
	}
}

func TestARedirectURIThatIsDangerousCannotBeRegistered(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		"https://a.example/cb", "https://a.example/cb?tenant=1", "https://a.example:8443/", "http://localhost:3000/cb", "http://127.0.0.1/cb",
		"http://[::1]:1/cb", "http://app.localhost/cb", "com.acmecorp.app://oauth/callback", "com.acmecorp.app:/cb",
		"https://a.example/cb?code_x=1&mystate=2",
	} {
		if problem := redirectProblem(uri); problem != "" {
			t.Errorf("redirectProblem(%q) = %q, want none", uri, problem)
		}
	}
	for _, uri := range []string{
		"", "a", "/cb", "//a.example/cb", "a.example/cb", "https:", "https:///cb", "https:cb", "https://:443/cb",
		"javascript:alert(1)//", "JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:https://a.example/x", "about:blank",
		"https://a.example/cb#frag", "https://a.example/cb#", "https://u@a.example/cb", "https://u:p@a.example/cb",
		"https://*.acme-corp.com/cb", "https://acme-corp.com/*", "*", "https://portal.acme-corp.com/.*", "https://a.example/[a-z]", "https://a.example/{x}",
		"http://[::1]/*", "http://[::1]:1/{x}", "http://a.example/cb", "http://localhost.evil.example/cb", "http://127.0.0.1.evil.example/cb",
		"https://a.example/cb?code=x", "https://a.example/cb?x=1&state=y", "https://a.example/cb?iss=x", "https://a.example/cb?error=x",
		"https://a.example/cb?co%64e=x", "https://a.example/cb?x;code=y", "https://a.example/cb?%zz",
		"https://a.example/c b", "https://a.example/cb\n", `https://a.example\@evil.example/cb`, "https://a.example/cb\x00",
		"https://a.example/cb\u00a0javascript:alert(1)", "https://a.example/cb\u2003x", "https://ä.example/cb", "https://a.example/%zz",
	} {
		if problem := redirectProblem(uri); problem == "" {
			t.Errorf("redirectProblem(%q) finds nothing", uri)
		}
	}
}
