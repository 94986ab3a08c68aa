package servertest_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"html"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/saml2"
	"authy/server/servertest"
)

// mellonMetadata describes Apache with mod_auth_mellon, as its mellon_create_metadata does.
const mellonMetadata = `<EntityDescriptor entityID="%[1]s/mellon/metadata" xmlns="urn:oasis:names:tc:SAML:2.0:metadata">
<SPSSODescriptor AuthnRequestsSigned="true" WantAssertionsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
<KeyDescriptor><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>%[2]s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>
<SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="%[1]s/mellon/logout"/>
<AssertionConsumerService index="0" isDefault="true" Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="%[1]s/mellon/postResponse"/>
</SPSSODescriptor></EntityDescriptor>`

// mellon starts Apache with mod_auth_mellon in front of a page, registered as the service mellon.
func mellon(t *testing.T, s *servertest.Server) string {
	t.Helper()
	return apacheWith(t, apacheModule{"mellon", "auth_mellon", "Mellon"}, func(address string) []string {
		dir, err := os.MkdirTemp("", "authy-mellon") // t.TempDir is closed to www-data
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) }) //nolint:errcheck // a directory of the test's
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		key := serviceKey()
		template := &x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "mellon"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		metadata := fmt.Sprintf(mellonMetadata, address, base64.StdEncoding.EncodeToString(der))
		for name, content := range map[string][]byte{
			"key":  pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
			"cert": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
			"sp":   []byte(metadata),
			"idp":  []byte(servertest.Get(t, servertest.Browser(t), s.URL+"/saml/metadata").Body),
		} {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		d := saml2.Description{Slug: "mellon", Name: "Mellon", Metadata: metadata}
		if _, err := s.SAMLServices.Create(t.Context(), audit.Shell(), d); err != nil {
			t.Fatal(err)
		}
		return []string{
			"<Location />", "MellonEnable info", "MellonEndpointPath /mellon", "MellonSecureCookie Off",
			"MellonSPMetadataFile " + dir + "/sp", "MellonSPPrivateKeyFile " + dir + "/key", "MellonSPCertFile " + dir + "/cert",
			"MellonIdPMetadataFile " + dir + "/idp", "MellonSignatureMethod rsa-sha256", "</Location>",
			"<Location /secure>", "MellonEnable auth", "</Location>",
		}
	})
}

// rideOn is [ride] that takes the forms between authy and a service along.
func rideOn(t *testing.T, s *servertest.Server, browser *http.Client, address string) *servertest.Page {
	t.Helper()
	page := ride(t, s, browser, address)
	for range 5 {
		to := samlAction.FindStringSubmatch(page.Body)
		if to == nil || !strings.Contains(page.Body, "SAMLResponse") {
			return page
		}
		page = servertest.Post(t, browser, html.UnescapeString(to[1]), page.Hidden())
		if onward := page.Location(); onward != nil {
			page = ride(t, s, browser, onward.String())
		}
	}
	t.Fatal("the browser is sent round in circles")
	return nil
}

func TestModAuthMellonSignsInAndOut(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	home := mellon(t, s)
	browser := servertest.Browser(t)
	browser.Transport = wantsPages{}
	if page := rideOn(t, s, browser, home+"/secure"); page.Body != "the page\n" {
		t.Fatalf("the page is %d %q", page.Response.StatusCode, page.Body)
	}
	page := rideOn(t, s, browser, home+"/mellon/logout?ReturnTo="+url.QueryEscape(home+"/bye"))
	if got := page.Response.Request.URL.String(); got != home+"/bye" {
		t.Errorf("after the logout the browser is at %s: %d %s", got, page.Response.StatusCode, page.Body)
	}
	if isSignedIn(t, s, browser) {
		t.Error("the session here goes on")
	}
	if page := servertest.Get(t, browser, home+"/secure"); page.Body == "the page\n" {
		t.Error("the session there goes on")
	}
}
