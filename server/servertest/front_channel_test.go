package servertest_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
)

var frameSource = regexp.MustCompile(`<iframe src="([^"]*)"`)

// framesOf returns the frames of a page by their host.
func framesOf(t *testing.T, page *servertest.Page) map[string]*url.URL {
	t.Helper()
	frames := map[string]*url.URL{}
	for _, found := range frameSource.FindAllStringSubmatch(page.Body, -1) {
		u, err := url.Parse(html.UnescapeString(found[1]))
		if err != nil {
			t.Fatal(err)
		}
		frames[u.Host] = u
	}
	return frames
}

// framed registers an application that wants to be loaded in a frame.
func framed(t *testing.T, s *servertest.Server, clientID, uri string, insists bool) app {
	t.Helper()
	at, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	return register(t, s, registry.Registration{
		ClientID: clientID, Secret: letters(30), Name: "Framed " + clientID, PostLogoutRedirectURIs: []string{home},
		RedirectURIs: []string{at.Scheme + "://" + at.Host + "/callback"},
		Options:      storage.ClientOptions{FrontChannelURI: uri, FrontChannelSession: insists},
	})
}

// The module oidcc-frontchannel-rp-initiated-logout.
func TestTheBrowserLoadsAFrameForEachApplicationOfItsSession(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	one := framed(t, s, "one", "https://one.example/logout?tenant=a%2Fb", true)
	two := framed(t, s, "two", "https://two.example:8443/logout", false)
	framed(t, s, "never-visited", "https://three.example/logout", true)
	browser := servertest.Browser(t)
	one.tokens(t, s, browser)
	got := two.tokens(t, s, browser)
	acmePortal.code(t, s, browser) // which wants nothing
	_, claims := claimsOf(t, got.ID)
	sid, _ := claims["sid"].(string)

	page := servertest.Get(t, browser, logoutURL(s, "id_token_hint", got.ID, "post_logout_redirect_uri", home, "state", `"&x`))
	onward := home + "?state=%22%26x"
	wantText(t, page, `id="signed-out"`, `id="onward" href="`+html.EscapeString(onward)+`"`, "Framed one", "Framed two")
	frames := framesOf(t, page)
	if len(frames) != 2 || page.Response.StatusCode != http.StatusOK {
		t.Fatalf("status %d, frames %v", page.Response.StatusCode, frames)
	}
	for host, want := range map[string]url.Values{
		"one.example": {"tenant": {"a/b"}, "iss": {s.URL}, "sid": {sid}}, "two.example:8443": {"iss": {s.URL}, "sid": {sid}},
	} {
		if u := frames[host]; u == nil || u.Path != "/logout" || u.Query().Encode() != want.Encode() {
			t.Errorf("frame of %s: %v, want %v", host, u, want)
		}
	}
	if got := page.Response.Header.Get("Refresh"); got != "3; url="+onward {
		t.Errorf("Refresh: %s", got)
	}
	_, policy, _ := strings.Cut(page.Response.Header.Get("Content-Security-Policy"), "frame-src")
	policy, _, _ = strings.Cut(policy, ";")
	origins := strings.Fields(policy)
	if slices.Sort(origins); !slices.Equal(origins, []string{"https://one.example", "https://two.example:8443"}) {
		t.Errorf("frame-src %v", origins)
	}
	if signedInTo(t, s, browser) {
		t.Error("bob is still signed in")
	}
	if page := servertest.Get(t, browser, logoutURL(s, "id_token_hint", got.ID, "post_logout_redirect_uri", home)); len(framesOf(t, page)) != 0 ||
		page.Response.Header.Get("Location") != home {
		t.Errorf("a second time: status %d, want on at once", page.Response.StatusCode)
	}
}

func TestTheButtonInTheHeadLoadsFramesToo(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	one := framed(t, s, "one", "https://one.example/logout", true)
	odd := framed(t, s, "odd", "https://odd.example/logout", true)
	spoil(t, s, "odd", "javascript:alert(1)")
	browser := servertest.Browser(t)
	one.tokens(t, s, browser)
	odd.tokens(t, s, browser)
	page := servertest.Post(t, browser, s.URL+"/sign-out", nil)
	if frames := framesOf(t, page); len(frames) != 1 || frames["one.example"] == nil || page.Response.Header.Get("Refresh") != "" {
		t.Errorf("frames %v, Refresh: %s", frames, page.Response.Header.Get("Refresh"))
	}
	wantText(t, page, "You are signed out", "Sign in again")
	if servertest.Get(t, browser, s.URL+"/account").Location() == nil {
		t.Error("bob is still signed in")
	}
}

// spoil gives a client a URI of the front channel that no registration lets through.
func spoil(t *testing.T, s *servertest.Server, clientID, uri string) {
	t.Helper()
	err := s.DB.Update(t.Context(), func(tx *storage.Tx) error {
		c, err := tx.Client(t.Context(), clientID)
		if err != nil {
			return err
		}
		c.Options.FrontChannelURI = uri
		return tx.SaveClient(t.Context(), c)
	})
	if err != nil {
		t.Fatal(err)
	}
}
