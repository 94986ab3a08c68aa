package servertest_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"html"
	"io"
	"math/big"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/provider"
	"authy/server/saml2"
	"authy/server/servertest"
	"authy/storage"
)

// simpleSAML is where Debian keeps SimpleSAMLphp.
const simpleSAML = "/usr/share/simplesamlphp/www"

// requireSimpleSAML skips a test where there is no SimpleSAMLphp, unless AUTHY_TEST_REQUIRE names
// simplesamlphp.
func requireSimpleSAML(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("php")
	if err == nil {
		_, err = os.Stat(simpleSAML)
	}
	if err == nil {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("AUTHY_TEST_REQUIRE"), ","), "simplesamlphp") {
		t.Fatalf("simplesamlphp with php-cli is required by AUTHY_TEST_REQUIRE: %v", err)
	}
	t.Skipf("simplesamlphp with php-cli is not installed: %v", err)
}

// startSimpleSAML starts a SimpleSAMLphp with the configuration files that are made for its
// address, beside those that it always needs, and returns the address.
func startSimpleSAML(t *testing.T, files func(address string) map[string]string) string {
	t.Helper()
	listen, dir := freePort(t), t.TempDir()
	address := "http://" + listen
	certificate, key := newPair(t)
	all := map[string]string{
		"cert/idp.crt": certificate, "cert/idp.pem": key,
		"config.php": fmt.Sprintf(`<?php $config = [
			'baseurlpath' => '%[1]s/', 'certdir' => '%[2]s/cert/', 'loggingdir' => '%[2]s/', 'datadir' => '%[2]s/',
			'tempdir' => '%[2]s/tmp', 'metadatadir' => '%[2]s/metadata/',
			'attributenamemapdir' => '/etc/simplesamlphp/attributemap/',
			'secretsalt' => 'a salt of the test', 'auth.adminpassword' => 'a password of the test', 'timezone' => 'UTC',
			'logging.handler' => 'file', 'logging.level' => 7, 'logging.logfile' => 'log', 'logging.processname' => 'test',
			'showerrors' => true, 'errorreporting' => false, 'admin.checkforupdates' => false,
			'enable.saml20-idp' => true, 'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
			'session.cookie.secure' => false, 'session.cookie.samesite' => null, 'session.phpsession.savepath' => '%[2]s/tmp',
			'session.phpsession.httponly' => true, 'language.cookie.secure' => false, 'language.cookie.samesite' => null,
			'language.available' => ['en'], 'language.default' => 'en', 'theme.use' => 'default', 'store.type' => 'phpsession',
			'metadata.sources' => [['type' => 'flatfile']], 'trusted.url.domains' => null,
		];`, address, dir),
	}
	for name, content := range files(address) {
		if name == "config.php" {
			content = all[name] + content // what it says more
		}
		all[name] = content
	}
	for name, content := range all {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "php", "-S", listen, "-t", simpleSAML)
	cmd.Env = append(os.Environ(), "SIMPLESAMLPHP_CONFIG_DIR="+dir)
	var told bytes.Buffer
	cmd.Stderr = &told
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // it was killed
		if log, _ := os.ReadFile(filepath.Join(dir, "log")); t.Failed() {
			t.Logf("simplesamlphp: %s%s", told.String(), log)
		}
	})
	awaitPort(t, listen)
	return address
}

// newPair makes a key and its certificate, in PEM.
func newPair(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain}))
}

var (
	samlAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	samlInput  = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"`)
)

// wander follows a browser from a page through redirects and forms that send themselves, and signs
// in to SimpleSAMLphp as sam where that asks, until a page waits for a person. It returns that
// page, where it is, and where the browser has been.
func wander(t *testing.T, browser *http.Client, page *servertest.Page) (last *servertest.Page, been []string) {
	t.Helper()
	at := page.Response.Request.URL
	for range 20 {
		been = append(been, at.Path)
		next, form := "", url.Values(nil)
		action := samlAction.FindStringSubmatch(page.Body)
		switch to := page.Location(); {
		case to != nil:
			next = to.String()
		case page.Response.Header.Get("Refresh") != "":
			_, next, _ = strings.Cut(page.Response.Header.Get("Refresh"), "url=")
		case action != nil && (strings.Contains(page.Body, `name="SAML`) || strings.Contains(page.Body, `name="AuthState"`)):
			next, form = html.UnescapeString(action[1]), url.Values{}
			for _, input := range samlInput.FindAllStringSubmatch(page.Body, -1) {
				form.Set(html.UnescapeString(input[1]), html.UnescapeString(input[2]))
			}
			if form.Has("AuthState") {
				form.Set("username", "sam")
				form.Set("password", "sam's password")
			}
		default:
			return page, been
		}
		to, err := at.Parse(next)
		if err != nil {
			t.Fatal(err)
		}
		page = carryOver(t, browser, at, to, form)
		at = to
	}
	t.Fatalf("the browser is sent round in circles: %q", been)
	return nil, nil
}

// carryOver goes from one page to another, with a form unless that is nil, as a browser does: one
// that comes from another site has no cookies that are Lax.
func carryOver(t *testing.T, browser *http.Client, from, to *url.URL, form url.Values) *servertest.Page {
	t.Helper()
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(t.Context(), method, to.String(), body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if from.Host != to.Host {
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		if form != nil {
			without := *browser
			without.Jar = nil
			browser = &without
		}
	}
	return servertest.Do(t, browser, req)
}

func TestSimpleSAMLphpIsAnIdentityProvider(t *testing.T) {
	t.Parallel()
	requireSimpleSAML(t)
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}})
	browser := servertest.Browser(t)
	own := servertest.Get(t, browser, s.URL+saml2.SPMetadataPath)
	sp, err := saml2.ParseMetadata([]byte(own.Body), "", saml2.ServiceProvider, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	idp := startSimpleSAML(t, func(string) map[string]string { return simpleSAMLProvider(s.URL, sp) })
	_, err = s.Providers.Create(t.Context(), audit.Shell(), provider.Description{
		Kind: provider.SAML, Slug: "simple", Name: "Simple", Options: storage.ProviderOptions{
			MetadataURL: idp + "/saml2/idp/metadata.php", Domains: []string{"saml.example"}, Registration: "open", Logout: true,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	checks, err := s.Providers.Test(t.Context(), audit.Shell(), "", "simple")
	for _, c := range checks {
		if !c.OK {
			t.Errorf("the test of the provider: %+v", c)
		}
	}
	if err != nil || len(checks) < 4 {
		t.Errorf("the test of the provider: %+v, %v", checks, err)
	}

	page := servertest.Post(t, browser, s.URL+"/external/simple/start", nil)
	page, been := wander(t, browser, page)
	if at := page.Response.Request.URL.Path; at != "/arrival/new" || !strings.Contains(page.Body, "sam@saml.example") {
		t.Fatalf("somebody new is at %s after %q: %s", at, been, page.Body)
	}
	form := page.Hidden()
	form.Set("full_name", "Sam Saml")
	form.Set("email", "sam@saml.example")
	page = servertest.Post(t, browser, s.URL+"/arrival/new", form)
	page, _ = wander(t, browser, page)
	if at := page.Response.Request.URL.Path; at != "/account" || !strings.Contains(page.Body, "sam@saml.example") {
		t.Fatalf("with an account at %s: %s", at, page.Body)
	}

	page, been = wander(t, browser, servertest.Post(t, browser, s.URL+"/sign-out", url.Values{}))
	if at := page.Response.Request.URL; at.Path != "/signed-out" || !slices.Contains(been, "/saml2/idp/SingleLogoutService.php") {
		t.Errorf("signed out at %s after %q", at, been)
	}
	page, been = wander(t, browser, servertest.Post(t, browser, s.URL+"/external/simple/start", nil))
	if at := page.Response.Request.URL.Path; at != "/account" || !slices.Contains(been, "/module.php/core/loginuserpass.php") {
		t.Errorf("signed out and in again: at %s after %q", at, been)
	}

	// Signing out there ends the session here.
	wander(t, browser, servertest.Get(t, browser, idp+"/saml2/idp/SingleLogoutService.php?ReturnTo="+url.QueryEscape(idp+"/index.php")))
	if page = servertest.Get(t, browser, s.URL+"/account"); page.Location() == nil {
		t.Error("the session here goes on after it has ended there")
	}
	beginsThere(t, s, idp)
}

// beginsThere begins a sign-in at the provider, which works where it may, and leads nowhere else.
func beginsThere(t *testing.T, s *servertest.Server, idp string) {
	t.Helper()
	start := idp + "/saml2/idp/SSOService.php?" + url.Values{
		"spentityid": {s.URL + saml2.SPMetadataPath}, "RelayState": {"https://evil.example/"},
	}.Encode()
	for _, allowed := range []bool{false, true} {
		_, err := s.Providers.Update(t.Context(), audit.Shell(), "", "simple", func(d *provider.Description) {
			d.Options.Unsolicited = allowed
		})
		if err != nil {
			t.Fatal(err)
		}
		browser := servertest.Browser(t)
		page, been := wander(t, browser, servertest.Get(t, browser, start))
		at := page.Response.Request.URL
		if in := at.Path == "/account"; in != allowed || !strings.HasPrefix(at.String(), s.URL) {
			t.Errorf("SA-09, SA-18 begun there, allowed: %v: at %s after %q", allowed, at, been)
		}
		signedIn := servertest.Get(t, browser, s.URL+"/account").Location() == nil
		if signedIn != allowed {
			t.Errorf("SA-09 begun there, allowed: %v: signed in: %v", allowed, signedIn)
		}
	}
}

// simpleSAMLProvider configures SimpleSAMLphp as an identity provider that knows authy, with
// everything that can be signed or encrypted.
func simpleSAMLProvider(authy string, sp *saml2.Peer) map[string]string {
	certificate := base64.StdEncoding.EncodeToString(sp.Encryption[0].Raw)
	return map[string]string{
		"authsources.php": `<?php $config = ['people' => ['exampleauth:UserPass', "sam:sam's password" => [
			'uid' => ['sam-1'], 'mail' => ['sam@saml.example'], 'displayName' => ['Sam Saml'], 'groups' => ['staff'],
		]]];`,
		"metadata/saml20-idp-hosted.php": `<?php $metadata['https://simple.example/idp'] = [
			'host' => '__DEFAULT__', 'privatekey' => 'idp.pem', 'certificate' => 'idp.crt', 'auth' => 'people',
			'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
			'saml20.sign.response' => true, 'saml20.sign.assertion' => true, 'sign.logout' => true, 'redirect.sign' => true,
			'validate.authnrequest' => true, 'validate.logout' => true, 'redirect.validate' => true,
			'authproc' => [1 => ['class' => 'saml:AttributeNameID', 'attribute' => 'uid',
				'Format' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent']],
		];`,
		"metadata/saml20-sp-remote.php": fmt.Sprintf(`<?php $metadata['%[1]s%[2]s'] = [
			'AssertionConsumerService' => '%[1]s%[3]s', 'SingleLogoutService' => '%[1]s%[4]s', 'certData' => '%[5]s',
			'NameIDFormat' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
			'assertion.encryption' => true, 'nameid.encryption' => false,
			'sharedkey_algorithm' => 'http://www.w3.org/2001/04/xmlenc#aes256-cbc',
		];`, authy, saml2.SPMetadataPath, saml2.ACSPath, saml2.SPLogoutPath, certificate),
	}
}
