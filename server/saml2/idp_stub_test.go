package saml2

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"authy/server/provider"
	"authy/storage"
	"authy/storage/storagetest"
)

const (
	stubEntity = "https://idp.example/metadata"
	ownURL     = "https://authy.example"
)

// stub is an identity provider of our own making, and who is asked to believe it.
type stub struct {
	t    *testing.T
	sp   *SP
	p    *storage.Provider
	key  *Key // what it signs with
	trip provider.Trip
}

// newStub returns a provider that has just been asked.
func newStub(t *testing.T) *stub {
	t.Helper()
	return newStubOver(t, storagetest.New(t))
}

func newStubOver(t *testing.T, db *storage.DB) *stub {
	t.Helper()
	key := testKeys()[0]
	keys := NewKeys(db, ownURL)
	row := storage.Certificate{
		ID: "own", State: storage.SigningKey, CreatedAt: storage.At(time.Now()), UpdatedAt: storage.At(time.Now()), NotAfter: storage.At(time.Now().AddDate(1, 0, 0)),
		Certificate: base64.StdEncoding.EncodeToString(testKeys()[2].Certificate.Raw), Private: testPrivate(),
	}
	p := &storage.Provider{
		ID: storage.NewID(), Slug: "stub", Kind: provider.SAML, Name: "Stub", Issuer: stubEntity, IsActive: true,
		Options:   storage.ProviderOptions{Metadata: stubMetadata(certificateOf(key))},
		CreatedAt: storage.At(time.Now()), UpdatedAt: storage.At(time.Now()),
	}
	err := db.Update(t.Context(), func(tx *storage.Tx) error {
		return errors.Join(tx.InsertCertificate(t.Context(), &row), tx.InsertProvider(t.Context(), p))
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &stub{t: t, sp: NewSP(db, keys, ownURL), p: p, key: key}
	s.ask(false)
	return s
}

// save keeps the provider as it is now.
func (s *stub) save() {
	s.t.Helper()
	if err := s.sp.db.Update(s.t.Context(), func(tx *storage.Tx) error { return tx.SaveProvider(s.t.Context(), s.p) }); err != nil {
		s.t.Fatal(err)
	}
}

// insert adds another provider.
func (s *stub) insert(p *storage.Provider) {
	s.t.Helper()
	if err := s.sp.db.Update(s.t.Context(), func(tx *storage.Tx) error { return tx.InsertProvider(s.t.Context(), p) }); err != nil {
		s.t.Fatal(err)
	}
}

// ask has the provider asked anew.
func (s *stub) ask(again bool) *provider.Request {
	s.t.Helper()
	request, err := s.sp.Begin(s.t.Context(), s.p, provider.Ask{State: "state", ReturnURL: ownURL + ACSPath, Again: again})
	if err != nil {
		s.t.Fatal(err)
	}
	s.trip = request.Trip
	return request
}

func certificateOf(key *Key) string { return base64.StdEncoding.EncodeToString(key.Certificate.Raw) }

// stubMetadata describes the provider with certificates for signing.
func stubMetadata(certs ...string) string {
	keys := ""
	for _, cert := range certs {
		keys += `<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + cert +
			`</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`
	}
	return `<md:EntityDescriptor xmlns:md="` + nsMetadata + `" xmlns:ds="` + nsSignature + `" entityID="` + stubEntity + `">` +
		`<md:IDPSSODescriptor protocolSupportEnumeration="` + nsProtocol + `">` + keys +
		`<md:SingleLogoutService Binding="` + Redirect + `" Location="https://idp.example/slo" ResponseLocation="https://idp.example/slo/done"/>` +
		`<md:SingleSignOnService Binding="` + Post + `" Location="https://idp.example/post"/>` +
		`<md:SingleSignOnService Binding="` + Redirect + `" Location="https://idp.example/sso?a=b"/>` +
		`</md:IDPSSODescriptor></md:EntityDescriptor>`
}

// draft is an answer before it is signed.
type draft struct{ response, assertion *etree.Element }

// part returns the element at a path of names below the assertion.
func (d draft) part(path string) *etree.Element {
	el := d.assertion
	for name := range strings.SplitSeq(path, "/") {
		el = only(el, nsAssertion, name)
	}
	return el
}

// draft returns an answer that is as it should be.
func (s *stub) draft() draft {
	now := time.Now()
	r := begin("Response", s.trip.ReturnURL, s.p.Issuer, now)
	if s.trip.RequestID != "" {
		r.CreateAttr("InResponseTo", s.trip.RequestID)
	}
	child(child(r, "samlp:Status", ""), "samlp:StatusCode", "", "Value", statusSuccess)
	return draft{r, s.assertion("bob-1", now)}
}

// assertion returns an assertion about somebody, which lies nowhere yet.
func (s *stub) assertion(name string, now time.Time) *etree.Element {
	a := etree.NewElement("saml:Assertion")
	for _, pair := range [][2]string{
		{"xmlns:saml", nsAssertion}, {"ID", newID()}, {"Version", "2.0"}, {"IssueInstant", written(now)},
	} {
		a.CreateAttr(pair[0], pair[1])
	}
	child(a, "saml:Issuer", s.p.Issuer)
	subject := child(a, "saml:Subject", "")
	child(subject, "saml:NameID", name, "Format", Persistent)
	data := child(child(subject, "saml:SubjectConfirmation", "", "Method", bearer), "saml:SubjectConfirmationData", "",
		"Recipient", s.trip.ReturnURL, "NotOnOrAfter", written(now.Add(5*time.Minute)))
	if s.trip.RequestID != "" {
		data.CreateAttr("InResponseTo", s.trip.RequestID)
	}
	conditions := child(a, "saml:Conditions", "",
		"NotBefore", written(now.Add(-time.Minute)), "NotOnOrAfter", written(now.Add(5*time.Minute)))
	child(child(conditions, "saml:AudienceRestriction", ""), "saml:Audience", s.sp.EntityID())
	authn := child(a, "saml:AuthnStatement", "", "AuthnInstant", written(now), "SessionIndex", "there-1",
		"SessionNotOnOrAfter", written(now.Add(8*time.Hour)))
	child(child(authn, "saml:AuthnContext", ""), "saml:AuthnContextClassRef", "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport")
	attributes := child(a, "saml:AttributeStatement", "")
	for name, values := range map[string][]string{
		"urn:oid:0.9.2342.19200300.100.1.3": {"bob@acme-corp.com"}, "givenName": {"Bob"}, "sn": {"Builder"}, "groups": {"a", "b"},
	} {
		el := child(attributes, "saml:Attribute", "", "Name", name)
		for _, value := range values {
			child(el, "saml:AttributeValue", value)
		}
	}
	return a
}

// sign signs el with the stub's key, or with another.
func (s *stub) sign(el *etree.Element, by ...*Key) {
	s.t.Helper()
	key := s.key
	if len(by) > 0 {
		key = by[0]
	}
	if err := sign(el, key); err != nil {
		s.t.Fatal(err)
	}
}

// signed returns the document of a draft whose assertion alone is signed.
func (s *stub) signed(d draft) string {
	s.t.Helper()
	s.sign(d.assertion)
	d.response.AddChild(d.assertion)
	return document(s.t, d.response)
}

// finish brings a document to authy.
func (s *stub) finish(document string) (*provider.Statement, error) {
	return s.sp.Finish(s.t.Context(), s.p, s.trip, formOf(document))
}

func formOf(document string) url.Values {
	return url.Values{paramResponse: {base64.StdEncoding.EncodeToString([]byte(document))}, paramState: {"state"}}
}

// reasonOf is why somebody does not come in; "" if that is no refusal.
func reasonOf(err error) string {
	if refusal, is := errors.AsType[*provider.Refusal](err); is {
		return refusal.Reason
	}
	return ""
}

// refused holds an answer to be refused for a reason.
func (s *stub) refused(what, document, want string) {
	s.t.Helper()
	st, err := s.finish(document)
	if got := reasonOf(err); st != nil || got != want {
		s.t.Errorf("%s: %+v, %v, want refused as %s", what, st, err, want)
	}
}
