package openid

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheAnswerIsAddedToTheRedirectURIAsItStands(t *testing.T) {
	t.Parallel()
	const issuer = "https://id.example"
	for _, c := range []struct{ mode, uri, state, want string }{
		{"", "https://a.example/cb", "s", "https://a.example/cb?code=c&iss=https%3A%2F%2Fid.example&state=s"},
		{"query", "https://a.example/cb", "", "https://a.example/cb?code=c&iss=https%3A%2F%2Fid.example"},
		{"", "https://a.example/cb?x=%61", "s", "https://a.example/cb?x=%61&code=c&iss=https%3A%2F%2Fid.example&state=s"},
		{"", "com.app:/cb", "a&code=x#y", "com.app:/cb?code=c&iss=https%3A%2F%2Fid.example&state=a%26code%3Dx%23y"},
		{"fragment", "https://a.example/cb?x=1", "s", "https://a.example/cb?x=1#code=c&iss=https%3A%2F%2Fid.example&state=s"},
	} {
		got := answer(&Request{RedirectURI: c.uri, State: c.state, ResponseMode: c.mode}, issuer, url.Values{"code": {"c"}})
		if got.Location != c.want || got.Form != nil {
			t.Errorf("answer(%q, state %q) = %v, want %q", c.uri, c.state, got, c.want)
		}
	}
	got := answer(&Request{RedirectURI: "https://a.example/cb?x=1", State: "s", ResponseMode: "form_post"}, issuer, url.Values{"code": {"c"}})
	want := Answer{
		Location: "https://a.example/cb?x=1", Form: url.Values{"code": {"c"}, "iss": {issuer}, "state": {"s"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer by form_post (-want +got):\n%s", diff)
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
