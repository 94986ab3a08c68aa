package servertest_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/xml"
	"html"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"authy/server/audit"
	"authy/server/saml2"
	"authy/server/servertest"
	"authy/storage"
)

// serviceKey is a key and a certificate of services in tests.
var serviceKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // impossible: there is always randomness
	}
	return key
})

// samlService is a SAML service by somebody else's library, and what authy knows of it.
type samlService struct {
	*saml.ServiceProvider
	t      *testing.T
	s      *servertest.Server
	record *saml2.Service
	asked  []string // the ids of its requests
}

// newService adds a service whose requests are signed; change changes what it says of
// itself, and what is registered.
func newService(t *testing.T, s *servertest.Server, change func(sp *saml.ServiceProvider, d *saml2.Description)) *samlService {
	t.Helper()
	key := serviceKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "service"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	page := func(path string) url.URL {
		return url.URL{Scheme: "https", Host: "service.example", Path: path}
	}
	sp := &saml.ServiceProvider{
		EntityID: "https://service.example/" + rand.Text(), Key: key, Certificate: cert,
		MetadataURL: page("/metadata"), AcsURL: page("/acs"), SloURL: page("/slo"),
		AuthnNameIDFormat: saml.PersistentNameIDFormat, SignatureMethod: dsig.RSASHA256SignatureMethod,
	}
	d := saml2.Description{Name: "Service"}
	if change != nil {
		change(sp, &d)
	}
	if d.Slug == "" {
		d.Slug = strings.ToLower(rand.Text())
	}
	raw, err := xml.Marshal(sp.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	if d.Metadata == "" {
		d.Metadata = string(raw)
	}
	v := &samlService{ServiceProvider: sp, t: t, s: s}
	if v.record, err = s.SAMLServices.Create(t.Context(), audit.Shell(), d); err != nil {
		t.Fatal(err)
	}
	document := servertest.Get(t, servertest.Browser(t), s.URL+"/saml/metadata")
	sp.IDPMetadata = new(saml.EntityDescriptor)
	if err := xml.Unmarshal([]byte(document.Body), sp.IDPMetadata); err != nil {
		t.Fatal(err)
	}
	return v
}

// ask returns where the service sends a browser to sign in.
func (v *samlService) ask(state string) string {
	v.t.Helper()
	request, err := v.MakeAuthenticationRequest(v.GetSSOBindingLocation(saml.HTTPRedirectBinding), saml.HTTPRedirectBinding, saml.HTTPPostBinding)
	if err != nil {
		v.t.Fatal(err)
	}
	v.asked = append(v.asked, request.ID)
	to, err := request.Redirect(state, v.ServiceProvider)
	if err != nil {
		v.t.Fatal(err)
	}
	return to.String()
}

// receive brings the form of a page to the service.
func (v *samlService) receive(page *servertest.Page) (*saml.Assertion, error) {
	v.t.Helper()
	to := samlAction.FindStringSubmatch(page.Body)
	if to == nil || html.UnescapeString(to[1]) != v.AcsURL.String() {
		v.t.Fatalf("there is no form for the service: %d %s", page.Response.StatusCode, page.Body)
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, v.AcsURL.String(), strings.NewReader(page.Hidden().Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := req.ParseForm(); err != nil {
		v.t.Fatal(err)
	}
	return v.ParseResponse(req, v.asked)
}

// response is the document that a page takes to the service.
func response(t *testing.T, page *servertest.Page) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(page.Hidden().Get("SAMLResponse"))
	if err != nil || len(raw) == 0 {
		t.Fatalf("there is no response: %d %s, %v", page.Response.StatusCode, page.Body, err)
	}
	return string(raw)
}

// enter signs bob in at the service.
func (v *samlService) enter(browser *http.Client) *saml.Assertion {
	v.t.Helper()
	page, _ := v.s.Visit(v.t, browser, v.ask("deep"), bob, bobPass)
	a, err := v.receive(page)
	if err != nil {
		v.t.Fatalf("%v", privately(err))
	}
	return a
}

// privately is what the library does not say aloud.
func privately(err error) error {
	if bad, is := err.(*saml.InvalidResponseError); is { //nolint:errorlint // it is the error itself
		return bad.PrivateErr
	}
	return err
}

// leave returns where the service sends a browser to sign out.
func (v *samlService) leave(a *saml.Assertion, state string) string {
	v.t.Helper()
	request, err := v.MakeLogoutRequest(v.s.URL+"/saml/slo", a.Subject.NameID.Value)
	if err != nil {
		v.t.Fatal(err)
	}
	request.SessionIndex = &saml.SessionIndex{Value: a.AuthnStatements[0].SessionIndex}
	request.NameID.Format, request.Signature = a.Subject.NameID.Format, nil
	query := "SAMLRequest=" + url.QueryEscape(request.Redirect("").Query().Get("SAMLRequest")) +
		"&RelayState=" + url.QueryEscape(state) + "&SigAlg=" + url.QueryEscape(dsig.RSASHA256SignatureMethod)
	sum := sha256.Sum256([]byte(query))
	value, err := rsa.SignPKCS1v15(rand.Reader, serviceKey(), crypto.SHA256, sum[:])
	if err != nil {
		v.t.Fatal(err)
	}
	return v.s.URL + "/saml/slo?" + query + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(value))
}

// answered is the LogoutResponse that a page takes to the service.
func (v *samlService) answered(page *servertest.Page) string {
	v.t.Helper()
	to := page.Location()
	if to == nil || !strings.HasPrefix(to.String(), v.SloURL.String()) || !to.Query().Has("Signature") {
		v.t.Fatalf("the service gets no answer: %d %s, to %v", page.Response.StatusCode, page.Body, to)
	}
	return inflated(v.t, to.Query().Get("SAMLResponse"))
}

// inflated is a message of the redirect binding.
func inflated(t *testing.T, value string) string {
	t.Helper()
	packed, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func isSignedIn(t *testing.T, s *servertest.Server, browser *http.Client) bool {
	t.Helper()
	return servertest.Get(t, browser, s.URL+"/account").Location() == nil
}

func attributeOf(a *saml.Assertion, name string) (values []string) {
	for _, statement := range a.AttributeStatements {
		for _, at := range statement.Attributes {
			for _, v := range at.Values {
				if at.Name == name {
					values = append(values, v.Value)
				}
			}
		}
	}
	return values
}

func TestASAMLServiceLearnsWhoSomebodyIs(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newService(t, s, nil)
	browser := servertest.Browser(t)
	page, steps := s.Visit(t, browser, v.ask("deep"), bob, bobPass)
	if strings.Join(steps, " ") != "sign-in" {
		t.Errorf("the steps are %v", steps)
	}
	if got := page.Hidden().Get("RelayState"); got != "deep" {
		t.Errorf("the relay state is %q", got)
	}
	raw := response(t, page)
	for _, want := range []string{"EncryptedAssertion", "rsa-sha256", "SignatureValue", `Destination="https://service.example/acs"`} {
		if !strings.Contains(raw, want) {
			t.Errorf("SA-24: the response has no %s: %s", want, raw)
		}
	}
	a, err := v.receive(page)
	if err != nil {
		t.Fatal(privately(err))
	}
	if a.Signature == nil {
		t.Error("SA-24: the assertion is not signed")
	}
	if strings.Contains(raw, a.Subject.NameID.Value) || a.Subject.NameID.Format != string(saml.PersistentNameIDFormat) ||
		a.Subject.NameID.NameQualifier != s.URL+"/saml/metadata" || a.Subject.NameID.SPNameQualifier != v.EntityID {
		t.Errorf("SA-24: the name is %+v", a.Subject.NameID)
	}
	data := a.Subject.SubjectConfirmations[0].SubjectConfirmationData
	if data.Recipient != v.AcsURL.String() || data.InResponseTo != v.asked[0] || time.Until(data.NotOnOrAfter) > 5*time.Minute ||
		time.Until(a.Conditions.NotOnOrAfter) > 5*time.Minute || a.Conditions.AudienceRestrictions[0].Audience.Value != v.EntityID {
		t.Errorf("SA-24: it is confirmed by %+v under %+v", data, a.Conditions)
	}
	authn := a.AuthnStatements[0]
	if authn.AuthnContext.AuthnContextClassRef.Value != "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport" ||
		authn.SessionIndex == "" || authn.SessionNotOnOrAfter == nil || !authn.SessionNotOnOrAfter.After(time.Now()) {
		t.Errorf("SA-24: it is stated by %+v", authn)
	}
	if got := attributeOf(a, "urn:oid:0.9.2342.19200300.100.1.3"); len(got) != 1 || got[0] != bob {
		t.Errorf("the address is %v", got)
	}
	again := v.enter(browser)
	if again.Subject.NameID.Value != a.Subject.NameID.Value || again.ID == a.ID || again.AuthnStatements[0].SessionIndex != authn.SessionIndex {
		t.Errorf("the second time it is %+v in %+v", again.Subject.NameID, again.AuthnStatements)
	}
	other := newService(t, s, nil)
	if got := other.enter(browser); got.Subject.NameID.Value == a.Subject.NameID.Value {
		t.Error("SA-24: another service knows the same name")
	}
	events, err := s.DB.EventsMatching(t.Context(), storage.EventFilter{Action: "service.use"}, storage.EventKey{}, 10)
	if err != nil || len(events) != 3 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

func TestASAMLServiceGetsItsAnswerNowhereElse(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newService(t, s, func(sp *saml.ServiceProvider, _ *saml2.Description) { sp.SignatureMethod = "" })
	browser := servertest.Browser(t)
	s.SignIn(t, browser, bob, bobPass)
	ask := func(change func(r *saml.AuthnRequest)) *servertest.Page {
		request, err := v.MakeAuthenticationRequest(s.URL+"/saml/sso", saml.HTTPRedirectBinding, saml.HTTPPostBinding)
		if err != nil {
			t.Fatal(err)
		}
		change(request)
		v.asked = append(v.asked, request.ID)
		to, err := request.Redirect("", v.ServiceProvider)
		if err != nil {
			t.Fatal(err)
		}
		return servertest.Get(t, browser, s.URL+"/saml/sso?"+to.RawQuery)
	}
	for what, change := range map[string]func(r *saml.AuthnRequest){
		"an unknown ACS": func(r *saml.AuthnRequest) { r.AssertionConsumerServiceURL = "https://evil.example/acs" },
		"a longer ACS":   func(r *saml.AuthnRequest) { r.AssertionConsumerServiceURL += "/" },
		"a script":       func(r *saml.AuthnRequest) { r.AssertionConsumerServiceURL = "javascript:alert(1)" },
		"an index out of range": func(r *saml.AuthnRequest) {
			r.AssertionConsumerServiceURL, r.ProtocolBinding, r.AssertionConsumerServiceIndex = "", "", "7"
		},
		"artifact":             func(r *saml.AuthnRequest) { r.ProtocolBinding = saml.HTTPArtifactBinding },
		"another destination":  func(r *saml.AuthnRequest) { r.Destination = "https://other.example/sso" },
		"an unknown issuer":    func(r *saml.AuthnRequest) { r.Issuer.Value = "https://other.example" },
		"a request of old":     func(r *saml.AuthnRequest) { r.IssueInstant = time.Now().Add(-time.Hour) },
		"a request of SAML 1":  func(r *saml.AuthnRequest) { r.Version = "1.1" },
		"a request without ID": func(r *saml.AuthnRequest) { r.ID = "" },
	} {
		page := ask(change)
		if page.Response.StatusCode != http.StatusBadRequest || strings.Contains(page.Body, "evil.example") ||
			strings.Contains(page.Body, "SAMLResponse") || page.Location() != nil {
			t.Errorf("SA-22 %s: %d %s", what, page.Response.StatusCode, page.Body)
		}
	}
	for what, change := range map[string]func(r *saml.AuthnRequest){
		"the default": func(r *saml.AuthnRequest) { r.AssertionConsumerServiceURL, r.ProtocolBinding = "", "" },
		"by its URL":  func(*saml.AuthnRequest) {},
		"by its index": func(r *saml.AuthnRequest) {
			r.AssertionConsumerServiceURL, r.ProtocolBinding, r.AssertionConsumerServiceIndex = "", "", "1"
		},
	} {
		if _, err := v.receive(ask(change)); err != nil {
			t.Errorf("SA-22 %s: %v", what, privately(err))
		}
	}
}

func TestASAMLServiceThatSignsMustSign(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newService(t, s, nil)
	browser := servertest.Browser(t)
	s.SignIn(t, browser, bob, bobPass)
	good := v.ask("deep")
	v.SignatureMethod = ""
	unsigned := v.ask("deep")
	for what, address := range map[string]string{
		"unsigned":            unsigned,
		"another relay state": strings.Replace(good, "RelayState=deep", "RelayState=other", 1),
		"a long relay state":  unsigned + strings.Repeat("x", 81),
	} {
		if page := servertest.Get(t, browser, address); page.Response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", what, page.Response.StatusCode)
		}
	}
	if page := servertest.Get(t, browser, good); page.Response.StatusCode != http.StatusOK {
		t.Errorf("as it was signed: %d", page.Response.StatusCode)
	}
	v.SignatureMethod = dsig.RSASHA256SignatureMethod
	post := func(change func(string) string) *servertest.Page {
		request, err := v.MakeAuthenticationRequest(s.URL+"/saml/sso", saml.HTTPPostBinding, saml.HTTPPostBinding)
		if err != nil {
			t.Fatal(err)
		}
		v.asked = append(v.asked, request.ID)
		raw := form(t, request.Post("deep"))
		raw.Set("SAMLRequest", change(raw.Get("SAMLRequest")))
		// It comes from another origin, and is sent again from here.
		page := servertest.Post(t, browser, s.URL+"/saml/sso", raw)
		if !page.Hidden().Has("authy_again") {
			t.Fatalf("it is not sent again: %d %s", page.Response.StatusCode, page.Body)
		}
		return servertest.Post(t, browser, s.URL+"/saml/sso", page.Hidden())
	}
	if _, err := v.receive(post(func(s string) string { return s })); err != nil {
		t.Errorf("by POST: %v", privately(err))
	}
	forced := func(s string) string {
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(bytes.Replace(raw, []byte(`AllowCreate="true"`), []byte(`AllowCreate="false"`), 1))
	}
	if page := post(forced); page.Response.StatusCode != http.StatusBadRequest {
		t.Errorf("changed since it was signed: %d", page.Response.StatusCode)
	}
}

// form returns the fields of a form in HTML.
func form(t *testing.T, text []byte) url.Values {
	t.Helper()
	fields := url.Values{}
	for _, found := range regexp.MustCompile(`name="([^"]+)" value="([^"]*)"`).FindAllSubmatch(text, -1) {
		fields.Set(string(found[1]), html.UnescapeString(string(found[2])))
	}
	return fields
}

func TestTheFormToASAMLServiceLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	const state = `"><script>alert(1)</script>`
	v := newService(t, s, func(_ *saml.ServiceProvider, d *saml2.Description) { d.Name = `<b onload="x">` })
	browser := servertest.Browser(t)
	page := servertest.Get(t, browser, v.ask(state))
	page = servertest.Get(t, browser, page.Location().String())
	if strings.Contains(page.Body, "<b onload") {
		t.Error("SA-25: the name of the service is markup")
	}
	page, _ = s.Visit(t, browser, v.ask(state), bob, bobPass)
	policy := page.Response.Header.Get("Content-Security-Policy")
	if strings.Contains(page.Body, "<script>alert") || page.Hidden().Get("RelayState") != state {
		t.Errorf("SA-25: the relay state is %q in %s", page.Hidden().Get("RelayState"), page.Body)
	}
	if !strings.Contains(policy, "; form-action 'self' https://service.example;") || strings.Contains(policy, "unsafe") ||
		page.Response.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("SA-25: %v", page.Response.Header)
	}
}

func TestASAMLServiceSignsPeopleOut(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	redirects := func(sp *saml.ServiceProvider, _ *saml2.Description) {
		sp.LogoutBindings = []string{saml.HTTPRedirectBinding}
	}
	v, other := newService(t, s, redirects), newService(t, s, redirects)
	browser := servertest.Browser(t)
	a, b := v.enter(browser), other.enter(browser)
	page := servertest.Get(t, browser, v.leave(a, "bye"))
	frame := regexp.MustCompile(`<iframe src="([^"]*)"`).FindStringSubmatch(page.Body)
	if frame == nil || !strings.Contains(page.Response.Header.Get("Content-Security-Policy"), "frame-src https://service.example "+s.URL) {
		t.Fatalf("no service is told: %d %s %v", page.Response.StatusCode, page.Body, page.Response.Header)
	}
	if isSignedIn(t, s, browser) {
		t.Error("the session goes on")
	}
	onward := html.UnescapeString(regexp.MustCompile(`id="onward" href="([^"]*)"`).FindStringSubmatch(page.Body)[1])
	if got := v.answered(servertest.Get(t, browser, onward)); !strings.Contains(got, "PartialLogout") {
		t.Errorf("while the other service has not answered: %s", got)
	}
	told, err := url.Parse(html.UnescapeString(frame[1]))
	if err != nil {
		t.Fatal(err)
	}
	request := inflated(t, told.Query().Get("SAMLRequest"))
	if !strings.Contains(request, b.Subject.NameID.Value) || !strings.Contains(request, b.AuthnStatements[0].SessionIndex) || !told.Query().Has("Signature") {
		t.Errorf("the other service is told %s", request)
	}
	id := regexp.MustCompile(` ID="([^"]*)"`).FindStringSubmatch(request)[1]
	answer, err := other.MakeLogoutResponse(s.URL+"/saml/slo", id)
	if err != nil {
		t.Fatal(err)
	}
	if page := servertest.Post(t, browser, s.URL+"/saml/slo", form(t, answer.Post(""))); page.Response.StatusCode != http.StatusNoContent {
		t.Fatalf("its answer is refused: %d %s", page.Response.StatusCode, page.Body)
	}
	if got := v.answered(servertest.Get(t, browser, onward)); strings.Contains(got, "PartialLogout") || !strings.Contains(got, "status:Success") {
		t.Errorf("when it has answered: %s", got)
	}
}

func TestALogoutThatASAMLServiceHasNotSignedIsRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newService(t, s, func(sp *saml.ServiceProvider, _ *saml2.Description) {
		sp.LogoutBindings = []string{saml.HTTPRedirectBinding}
	})
	browser := servertest.Browser(t)
	a := v.enter(browser)
	unsigned, err := url.Parse(v.leave(a, ""))
	if err != nil {
		t.Fatal(err)
	}
	query := unsigned.Query()
	query.Del("Signature")
	for what, address := range map[string]string{
		"unsigned":    s.URL + "/saml/slo?" + query.Encode(),
		"another end": s.URL + "/saml/slo/done?to=e30.x",
		"no message":  s.URL + "/saml/slo",
	} {
		if page := servertest.Get(t, browser, address); page.Response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", what, page.Response.StatusCode, page.Body)
		}
	}
	if !isSignedIn(t, s, browser) {
		t.Error("the session has ended")
	}
	// What is signed counts in another browser, too.
	page := servertest.Get(t, servertest.Browser(t), v.leave(a, ""))
	if got := v.answered(servertest.Get(t, browser, page.Location().String())); !strings.Contains(got, "status:Success") {
		t.Errorf("it is answered %s", got)
	}
	if isSignedIn(t, s, browser) {
		t.Error("the session goes on")
	}
}
