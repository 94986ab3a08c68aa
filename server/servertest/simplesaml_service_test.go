package servertest_test

import (
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/logout"
	"authy/server/saml2"
	"authy/server/servertest"
	"authy/storage"
)

// simpleSAMLService configures SimpleSAMLphp as a service that knows authy by its metadata, signs
// everything, and takes nothing that is not signed and encrypted.
func simpleSAMLService(idp *saml2.Peer) map[string]string {
	endpoints := func(all []saml2.Endpoint) string {
		var list strings.Builder
		for _, e := range all {
			fmt.Fprintf(&list, "['Binding' => '%s', 'Location' => '%s'],", e.Binding, e.URL)
		}
		return list.String()
	}
	return map[string]string{
		"authsources.php": fmt.Sprintf(`<?php $config = ['authy' => ['saml:SP',
			'entityID' => 'https://simple.example/sp', 'idp' => '%s', 'privatekey' => 'idp.pem', 'certificate' => 'idp.crt',
			'NameIDPolicy' => ['Format' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'],
			'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
			'sign.authnrequest' => true, 'sign.logout' => true, 'redirect.sign' => true, 'redirect.validate' => true,
			'validate.logout' => true, 'WantAssertionsSigned' => true,
			'authproc' => [50 => ['class' => 'core:AttributeMap', 'oid2name']],
		]];`, idp.EntityID),
		"metadata/saml20-idp-remote.php": fmt.Sprintf(`<?php $metadata['%[1]s'] = ['entityid' => '%[1]s',
			'SingleSignOnService' => [%[2]s], 'SingleLogoutService' => [%[3]s], 'certData' => '%[4]s',
			'assertion.encryption' => true,
		];`, idp.EntityID, endpoints(idp.SSO), endpoints(idp.SLO), base64.StdEncoding.EncodeToString(idp.Signing[0].Raw)),
	}
}

// simpleService starts a SimpleSAMLphp that is the service simple of authy, which reads its
// metadata there, and returns the address. more is what its configuration says besides.
func simpleService(t *testing.T, s *servertest.Server, more string) string {
	t.Helper()
	own := servertest.Get(t, servertest.Browser(t), s.URL+saml2.MetadataPath)
	idp, err := saml2.ParseMetadata([]byte(own.Body), "", saml2.IdentityProvider, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	home := startSimpleSAML(t, func(string) map[string]string {
		files := simpleSAMLService(idp)
		files["config.php"] = more
		return files
	})
	made, err := s.SAMLServices.Create(t.Context(), audit.Shell(), saml2.Description{
		Slug: "simple", Name: "Simple", Options: storage.ServiceOptions{MetadataURL: home + "/module.php/saml/sp/metadata.php/authy"},
	})
	if err != nil {
		t.Fatal(err)
	}
	sp, err := saml2.ParseMetadata([]byte(made.Metadata), "", saml2.ServiceProvider, time.Now())
	if err != nil || !sp.SignsRequests || !sp.WantsAssertions || len(sp.Encryption) == 0 {
		t.Fatalf("its metadata says %+v, %v", sp, err)
	}
	return home
}

// leavesBySimple counts how often authy has learned that SimpleSAMLphp knows of a sign-out.
func leavesBySimple(t *testing.T, s *servertest.Server) (done int) {
	t.Helper()
	events, err := s.DB.EventsMatching(t.Context(), storage.EventFilter{Action: "service.logout"}, storage.EventKey{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Outcome == "success" && e.TargetID == "simple" {
			done++
		}
	}
	return done
}

func TestSimpleSAMLphpIsAService(t *testing.T) {
	t.Parallel()
	requireSimpleSAML(t)
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}})
	home, browser := simpleService(t, s, ""), servertest.Browser(t)
	inside := home + "/module.php/core/authenticate.php?as=authy"
	enterSimple(t, s, browser, inside)

	// It begins to sign out.
	page := rideOn(t, s, browser, home+"/module.php/core/as_logout.php?"+url.Values{
		"AuthId": {"authy"}, "ReturnTo": {home + "/logout.php"},
	}.Encode())
	if at := page.Response.Request.URL; at.Path != "/logout.php" {
		t.Errorf("after a sign-out that began there, the browser is at %s: %d %s", at, page.Response.StatusCode, page.Body)
	}
	if isSignedIn(t, s, browser) {
		t.Error("the session here goes on after the sign-out there")
	}
	if done := leavesBySimple(t, s); done != 1 {
		t.Errorf("%d sign-outs of the service are recorded, want 1", done)
	}

	// Authy begins to sign out.
	enterSimple(t, s, browser, inside)
	page = servertest.Post(t, browser, s.URL+"/sign-out", url.Values{})
	frame := frameSource.FindStringSubmatch(page.Body)
	if frame == nil || !strings.HasPrefix(frame[1], home+"/module.php/saml/sp/saml2-logout.php/authy?") {
		t.Fatalf("the service is not told: %d %s", page.Response.StatusCode, page.Body)
	}
	page = servertest.Get(t, browser, html.UnescapeString(frame[1]))
	answer := page.Location()
	if answer == nil || !strings.HasPrefix(answer.String(), s.URL+saml2.SLOPath+"?") || !answer.Query().Has("Signature") {
		t.Fatalf("the service does not answer: %d %s, to %v", page.Response.StatusCode, page.Body, answer)
	}
	if page = servertest.Get(t, browser, answer.String()); page.Response.StatusCode != http.StatusNoContent {
		t.Errorf("its answer is refused: %d %s", page.Response.StatusCode, page.Body)
	}
	if done := leavesBySimple(t, s); done != 2 {
		t.Errorf("%d sign-outs of the service are recorded, want 2", done)
	}
	if to := servertest.Get(t, browser, inside).Location(); to == nil || !strings.HasPrefix(to.String(), s.URL+saml2.SSOPath) {
		t.Errorf("the session there goes on, to %v", to)
	}
}

// A SimpleSAMLphp that keeps sessions in SQL is told by SOAP. That of Debian 12 and 13 ends the
// session and then fails to write its answer, which is no answer to authy.
func TestSimpleSAMLphpIsToldThatASessionHasEndedElsewhere(t *testing.T) {
	t.Parallel()
	requireSimpleSAML(t)
	s := servertest.Start(t, servertest.Options{Configure: loopback})
	store := fmt.Sprintf(`$config['store.type'] = 'sql'; $config['store.sql.dsn'] = 'sqlite:%s/store'; $config['store.sql.prefix'] = 'x';`, t.TempDir())
	home, browser := simpleService(t, s, store), servertest.Browser(t)
	inside := home + "/module.php/core/authenticate.php?as=authy"
	enterSimple(t, s, browser, inside)
	user, err := s.DB.UserByEmail(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sessions.RevokeAll(t.Context(), audit.Shell(), user.ID); err != nil {
		t.Fatal(err)
	}
	var receipt logout.Receipt
	heardOf(t, "what became of it", func() bool {
		all, _, err := s.Logouts.List(t.Context(), audit.Shell(), logout.Filter{Service: "simple"}, "", 10)
		if err != nil || len(all) != 1 {
			t.Fatalf("the receipts are %v, %v", all, err)
		}
		receipt = all[0]
		return receipt.State != logout.Sent
	})
	if receipt.State != logout.Delivered && !strings.Contains(receipt.LastError, "answer") {
		t.Errorf("the receipt is %s: %s", receipt.State, receipt.LastError)
	}
	if to := servertest.Get(t, browser, inside).Location(); to == nil || !strings.HasPrefix(to.String(), s.URL+saml2.SSOPath) {
		t.Errorf("the session there goes on, to %v", to)
	}
}

// enterSimple signs bob in at SimpleSAMLphp, which shows what it has learned of him.
func enterSimple(t *testing.T, s *servertest.Server, browser *http.Client, inside string) {
	t.Helper()
	page := rideOn(t, s, browser, inside)
	if page.Response.Request.URL.String() != inside {
		t.Fatalf("the browser is at %s: %d %s", page.Response.Request.URL, page.Response.StatusCode, page.Body)
	}
	for _, want := range []string{"<code>mail</code>", bob, "<code>displayName</code>", "Bob Builder", s.URL + saml2.MetadataPath, "https://simple.example/sp"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("SimpleSAMLphp has not learned %s: %s", want, page.Body)
		}
	}
}
