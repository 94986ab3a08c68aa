package servertest_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"authy/server/audit"
	"authy/server/org"
	"authy/server/provider"
	"authy/server/saml2"
	"authy/server/servertest"
	"authy/storage"
)

// samlStub is a SAML identity provider of somebody else's making, the provider "stub" of authy.
type samlStub struct {
	t    *testing.T
	s    *servertest.Server
	der  []byte
	name string // what it calls the person
	// email, context and until are what it says besides; attributes are more.
	email, context string
	until          time.Time
	attributes     map[string]string
}

// newSAMLStub adds the provider; change changes how it is dealt with.
func newSAMLStub(t *testing.T, s *servertest.Server, change func(o *provider.Options)) *samlStub {
	t.Helper()
	key := serviceKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "provider"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	i := &samlStub{t: t, s: s, der: der, name: "bob-1", email: bob, until: time.Now().Add(time.Hour)}
	o := provider.Options{Metadata: i.metadata(), Domains: []string{"acme-corp.com"}}
	if change != nil {
		change(&o)
	}
	_, err = s.Providers.Create(t.Context(), audit.Shell(), provider.Description{Kind: provider.SAML, Slug: "stub", Name: "Stub", Options: o})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *samlStub) metadata() string {
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example/saml"><IDPSSODescriptor ` +
		`protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing"><KeyInfo ` +
		`xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` + base64.StdEncoding.EncodeToString(i.der) +
		`</X509Certificate></X509Data></KeyInfo></KeyDescriptor><SingleSignOnService ` +
		`Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example/sso"/></IDPSSODescriptor></EntityDescriptor>`
}

// answer is what the provider says to a request, "" for none.
func (i *samlStub) answer(request string) string {
	i.t.Helper()
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	inResponse, acs := "", i.s.URL+saml2.ACSPath
	if request != "" {
		inResponse = ` InResponseTo="` + request + `"`
	}
	attributes := `<saml:Attribute Name="mail"><saml:AttributeValue>` + i.email + `</saml:AttributeValue></saml:Attribute>`
	for name, value := range i.attributes {
		attributes += `<saml:Attribute Name="` + name + `"><saml:AttributeValue>` + value + `</saml:AttributeValue></saml:Attribute>`
	}
	format := "persistent"
	if strings.HasPrefix(i.name, "transient") {
		format = "transient"
	}
	doc := etree.NewDocument()
	err := doc.ReadFromString(`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_` + rand.Text() + `" Version="2.0" IssueInstant="` + at(0) +
		`"><saml:Issuer>https://idp.example/saml</saml:Issuer><saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:` + format + `">` + i.name +
		`</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData` + inResponse +
		` Recipient="` + acs + `" NotOnOrAfter="` + at(time.Minute) + `"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions><saml:AudienceRestriction>` +
		`<saml:Audience>` + i.s.URL + saml2.SPMetadataPath + `</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="` + at(0) +
		`" SessionIndex="there" SessionNotOnOrAfter="` + i.until.UTC().Format(time.RFC3339) + `"><saml:AuthnContext><saml:AuthnContextClassRef>` + i.context +
		`</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>` + attributes + `</saml:AttributeStatement></saml:Assertion>`)
	if err != nil {
		i.t.Fatal(err)
	}
	signer := dsig.NewDefaultSigningContext(keyStore{serviceKey(), i.der})
	signer.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	signed, err := signer.SignEnveloped(doc.Root())
	if err != nil {
		i.t.Fatal(err)
	}
	doc.SetRoot(signed)
	assertion, err := doc.WriteToString()
	if err != nil {
		i.t.Fatal(err)
	}
	return `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_` + rand.Text() + `" Version="2.0" IssueInstant="` + at(0) + `" Destination="` + acs + `"` + inResponse +
		`><saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">https://idp.example/saml</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>` + assertion + `</samlp:Response>`
}

// keyStore is a key with its certificate, as the library wants it.
type keyStore struct {
	key *rsa.PrivateKey
	der []byte
}

// GetKeyPair implements [dsig.X509KeyStore].
func (k keyStore) GetKeyPair() (*rsa.PrivateKey, []byte, error) { return k.key, k.der, nil }

var requestID = regexp.MustCompile(` ID="([^"]*)"`)

// comes sends a visitor to the provider and back.
func (i *samlStub) comes(v visitor) *servertest.Page {
	i.t.Helper()
	to, err := url.Parse(v.depart(v.post("/external/stub/start")))
	if err != nil || to.Host != "idp.example" {
		i.t.Fatalf("nobody is sent away, but to %v, %v", to, err)
	}
	request := requestID.FindStringSubmatch(inflated(i.t, to.Query().Get("SAMLRequest")))[1]
	return i.bring(v, i.answer(request), to.Query().Get("RelayState"))
}

// bring has a visitor bring an answer.
func (i *samlStub) bring(v visitor, answer, state string) *servertest.Page {
	i.t.Helper()
	form := url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(answer))}}
	if state != "" {
		form.Set("RelayState", state)
	}
	page := servertest.Post(i.t, v.browser, i.s.URL+saml2.ACSPath, form)
	for range 3 { // the form comes again from here, where the browser sends its cookies
		action := samlAction.FindStringSubmatch(page.Body)
		if action == nil || !strings.Contains(page.Body, `id="form-post"`) {
			break
		}
		page = servertest.Post(i.t, v.browser, i.s.URL+saml2.ACSPath, page.Hidden())
	}
	return page
}

func TestWhoComesBySAMLIsHeldToTheRulesHere(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	const strong = "https://refeds.org/profile/mfa"
	i := newSAMLStub(t, s, func(o *provider.Options) { o.TrustedContexts = []string{strong} })
	id, shell := userID(t, s, bob), audit.Shell()
	v := newVisitor(t, s)
	v.leads(i.comes(v), "/account")
	v.signedIn(true)

	if err := s.Accounts.Suspend(t.Context(), shell, id); err != nil {
		t.Fatal(err)
	}
	v = newVisitor(t, s)
	if page := i.comes(v); page.Response.StatusCode != http.StatusForbidden {
		t.Errorf("SA-27: a suspended user: %d %s", page.Response.StatusCode, page.Body)
	}
	v.signedIn(false)
	if err := s.Accounts.Activate(t.Context(), shell, id); err != nil {
		t.Fatal(err)
	}

	// The organization asks for a second factor.
	home, err := s.Orgs.BySlug(t.Context(), "acme-corp")
	mode, grace := org.RequireTOTP, int64(0)
	if err == nil {
		_, err = s.Orgs.SetPolicy(t.Context(), shell, home.ID, org.PolicyChange{Mode: &mode, GraceDays: &grace})
	}
	if err != nil {
		t.Fatal(err)
	}
	app := enrolled(t, apiOf(t, s, bob, bobPass))
	v = newVisitor(t, s)
	v.leads(i.comes(v), "/second-factor")
	v.signedIn(false)
	v.leads(v.post("/second-factor", "code", app.code(0)), "/account")
	i.context = strong
	v = newVisitor(t, s)
	v.leads(i.comes(v), "/account")
	v.signedIn(true)

	// The session ends when the provider says.
	i.until = time.Now().Add(time.Minute)
	v = newVisitor(t, s)
	v.leads(i.comes(v), "/account")
	sessions, _, err := s.Sessions.List(t.Context(), id, "", 1)
	if err != nil || sessions[0].ExpiresAt.After(i.until) {
		t.Errorf("SA-27: the session ends at %v, %v, want %v", sessions[0].ExpiresAt, err, i.until)
	}
	change(t, s, func(ctx context.Context, tx *storage.Tx) error {
		one, err := tx.Session(ctx, sessions[0].ID)
		if err != nil {
			return err
		}
		one.ExpiresAt = storage.At(time.Now())
		return tx.SaveSession(ctx, one)
	})
	v.signedIn(false)
}

func TestWhyAnAnswerThatNobodyAskedForIsRefusedIsRecorded(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	i := newSAMLStub(t, s, nil)
	good := i.answer("")
	refused := func(what, answer, reason string) {
		t.Helper()
		v := newVisitor(t, s)
		if page := i.bring(v, answer, ""); page.Response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", what, page.Response.StatusCode, page.Body)
		}
		v.signedIn(false)
		rows, err := s.DB.EventsMatching(t.Context(), storage.EventFilter{Action: "user.login", Outcome: audit.Failure}, storage.EventKey{}, 1)
		if err != nil || len(rows) != 1 || rows[0].Reason != reason {
			t.Errorf("%s is recorded as %+v, %v, want %s", what, rows, err, reason)
		}
	}
	refused("where it is not allowed", good, "unsolicited")
	refused("of whom nobody knows", strings.ReplaceAll(good, "https://idp.example/saml", "https://other.example"), "wrong_issuer")
	_, err := s.Providers.Update(t.Context(), audit.Shell(), "", "stub", func(d *provider.Description) { d.Options.Unsolicited = true })
	if err != nil {
		t.Fatal(err)
	}
	refused("SA-01 unsigned", regexp.MustCompile(`(?s)<ds:Signature.*</ds:Signature>`).ReplaceAllString(good, ""), "unsigned")
	refused("SA-15 changed", strings.Replace(good, "bob-1", "alice", 1), "bad_signature")
	refused("SA-05 a document type", "<!DOCTYPE a>"+good, "bad_xml")
	refused("SA-09 the answer to a request", i.answer("_another"), "wrong_request")
	v := newVisitor(t, s)
	v.leads(i.bring(v, good, ""), "/account")
	refused("SA-08 once more", good, "replayed")
}

func TestWhoHasAnotherNameEachTimeIsKnownByAnAttribute(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	i := newSAMLStub(t, s, nil)
	i.name = "transient-1"
	v := newVisitor(t, s)
	if page := i.comes(v); page.Response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without an attribute: %d %s", page.Response.StatusCode, page.Body)
	}
	const attribute = "urn:oasis:names:tc:SAML:attribute:subject-id"
	_, err := s.Providers.Update(t.Context(), audit.Shell(), "", "stub", func(d *provider.Description) { d.Options.SubjectAttribute = attribute })
	if err != nil {
		t.Fatal(err)
	}
	i.attributes = map[string]string{attribute: "Bob@idp.example"}
	v.leads(i.comes(v), "/account")
	// The address is another's now; who somebody is stays.
	i.name, i.email = "transient-2", "other@acme-corp.com"
	v = newVisitor(t, s)
	v.leads(i.comes(v), "/account")
	if page := v.get("/account"); !strings.Contains(page.Body, bob) {
		t.Errorf("by the same attribute it is somebody else: %s", page.Body)
	}
	identity, err := s.DB.Identities(t.Context(), userID(t, s, bob))
	if err == nil && (len(identity) != 1 || identity[0].Subject != "attribute:urn%3Aoasis%3Anames%3Atc%3ASAML%3Aattribute%3Asubject-id:bob@idp.example") {
		err = errors.New(fmt.Sprint(identity))
	}
	if err != nil {
		t.Errorf("who bob is there: %v", err)
	}
}
