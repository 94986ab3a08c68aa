package openid

import (
	"net/url"
	"testing"
)

func TestTheAnswerIsAddedToTheRedirectURIAsItStands(t *testing.T) {
	t.Parallel()
	const issuer = "https://id.example"
	for _, c := range []struct{ uri, state, want string }{
		{"https://a.example/cb", "s", "https://a.example/cb?code=c&iss=https%3A%2F%2Fid.example&state=s"},
		{"https://a.example/cb", "", "https://a.example/cb?code=c&iss=https%3A%2F%2Fid.example"},
		{"https://a.example/cb?x=%61", "s", "https://a.example/cb?x=%61&code=c&iss=https%3A%2F%2Fid.example&state=s"},
		{"com.app:/cb", "a&code=x#y", "com.app:/cb?code=c&iss=https%3A%2F%2Fid.example&state=a%26code%3Dx%23y"},
	} {
		got := answer(&Request{RedirectURI: c.uri, State: c.state}, issuer, url.Values{"code": {"c"}})
		if got != c.want {
			t.Errorf("answer(%q, state %q) = %q, want %q", c.uri, c.state, got, c.want)
		}
	}
}

func TestALogoutCarriesItsStateBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ uri, state, want string }{
		{"https://a.example/", "", "https://a.example/"},
		{"https://a.example/", "a b", "https://a.example/?state=a+b"},
		{"https://a.example/?x=1", "s", "https://a.example/?x=1&state=s"},
	} {
		if got := withState(c.uri, c.state); got != c.want {
			t.Errorf("withState(%q, %q) = %q, want %q", c.uri, c.state, got, c.want)
		}
	}
}
