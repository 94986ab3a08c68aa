package servertest_test

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
)

// oauth2Proxy starts oauth2-proxy with its documented settings for an OpenID provider, and returns
// its address. Without it the test is skipped, unless AUTHY_TEST_REQUIRE names oauth2-proxy.
func oauth2Proxy(t *testing.T, issuer, id, secret, listen string) {
	t.Helper()
	program, err := exec.LookPath("oauth2-proxy")
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("AUTHY_TEST_REQUIRE"), ","), "oauth2-proxy") {
			t.Fatalf("oauth2-proxy is required by AUTHY_TEST_REQUIRE: %v", err)
		}
		t.Skipf("oauth2-proxy is not installed: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), program,
		"--provider=oidc", "--oidc-issuer-url="+issuer, "--client-id="+id, "--client-secret="+secret,
		"--redirect-url=http://"+listen+"/oauth2/callback", "--http-address="+listen, "--email-domain=*",
		"--upstream=static://202", "--cookie-secret="+letters(32), "--cookie-secure=false", "--skip-provider-button",
		"--code-challenge-method=S256", "--scope=openid email profile offline_access", "--set-xauthrequest",
		"--cookie-refresh=1s", "--whitelist-domain="+strings.TrimPrefix(issuer, "http://"),
	)
	var told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &told, &told
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // it was killed
		if t.Failed() {
			t.Logf("oauth2-proxy: %s", told.String())
		}
	})
	awaitPort(t, listen)
}

func TestOAuth2ProxySignsInRefreshesAndOut(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	const id, secret = "oauth2-proxy", "a secret of the proxy's own"
	listen := freePort(t)
	home := "http://" + listen
	register(t, s, registry.Registration{
		ClientID: id, Secret: secret, Name: "Proxy", Scopes: []string{"openid", "profile", "email", "offline_access"},
		RedirectURIs: []string{home + "/oauth2/callback"}, PostLogoutRedirectURIs: []string{home + "/bye"},
	})
	oauth2Proxy(t, s.URL, id, secret, listen)
	browser, tr := servertest.Browser(t), newTrail(t, s)
	if page := ride(t, s, browser, home+"/"); page.Response.StatusCode != http.StatusAccepted {
		t.Fatalf("the page is %d %q", page.Response.StatusCode, page.Body)
	}
	time.Sleep(2100 * time.Millisecond) // the proxy refreshes what is older than a second
	page := servertest.Get(t, browser, home+"/oauth2/auth")
	if page.Response.StatusCode != http.StatusAccepted || page.Response.Header.Get("X-Auth-Request-Email") != bob {
		t.Errorf("after two seconds the proxy says %d, %q", page.Response.StatusCode, page.Response.Header.Get("X-Auth-Request-Email"))
	}
	if !slices.ContainsFunc(tr.news(), func(e storage.Event) bool { return e.Action == "token.refreshed" }) {
		t.Error("the proxy has refreshed nothing")
	}
	end := s.URL + "/oidc/end_session?client_id=" + id + "&post_logout_redirect_uri=" + url.QueryEscape(home+"/bye")
	page = servertest.Get(t, browser, home+"/oauth2/sign_out?rd="+url.QueryEscape(end))
	if to := page.Location(); to == nil || to.String() != end {
		t.Errorf("sign_out leads to %v, want %s", to, end)
	}
	if page := servertest.Get(t, browser, home+"/oauth2/auth"); page.Response.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the logout the proxy says %d", page.Response.StatusCode)
	}
}
