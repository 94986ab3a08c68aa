package servertest_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"authy/server/audit"
	"authy/server/logout"
	"authy/server/saml2"
	"authy/server/servertest"
	"authy/storage"
)

// soapService is a service that is told by SOAP that sessions have ended.
type soapService struct {
	*samlService
	authy  *dsig.MemoryX509CertificateStore // its keys, by its metadata
	mu     sync.Mutex
	ended  []string // the sessions, as it knows them
	answer func(w http.ResponseWriter, request string)
}

// newSOAPService adds a service that is told by SOAP, and by the bindings that are given.
func newSOAPService(t *testing.T, s *servertest.Server, bindings ...string) *soapService {
	t.Helper()
	v := &soapService{}
	stub := httptest.NewServer(v)
	t.Cleanup(stub.Close)
	v.samlService = newService(t, s, func(sp *saml.ServiceProvider, _ *saml2.Description) {
		to, err := url.Parse(stub.URL + "/soap")
		if err != nil {
			t.Fatal(err)
		}
		sp.SloURL, sp.LogoutBindings = *to, append(bindings, saml2.SOAP)
	})
	document := servertest.Get(t, servertest.Browser(t), s.URL+saml2.MetadataPath)
	authy, err := saml2.ParseMetadata([]byte(document.Body), "", saml2.IdentityProvider, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	v.authy = &dsig.MemoryX509CertificateStore{Roots: authy.Signing}
	return v
}

// ServeHTTP implements [http.Handler].
func (v *soapService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, session, err := v.read(r)
	if err != nil {
		v.t.Errorf("a logout request that is none: %v", err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.answer != nil {
		v.answer(w, id)
		return
	}
	v.ended = append(v.ended, session)
	io.WriteString(w, v.says(id, nil)) //nolint:errcheck // the test sees it
}

// read checks a logout request as a service must (SAML bindings, section 3.2; SAML core,
// section 3.7.1), by somebody else's library, and returns its id and the session.
func (v *soapService) read(r *http.Request) (id, session string, err error) {
	if r.Method != http.MethodPost || r.Header.Get("SOAPAction") != `"http://www.oasis-open.org/committees/security"` ||
		!strings.HasPrefix(r.Header.Get("Content-Type"), "text/xml") {
		return "", "", fmt.Errorf("%s with %v", r.Method, r.Header)
	}
	doc := etree.NewDocument()
	if _, err := doc.ReadFrom(r.Body); err != nil {
		return "", "", err
	}
	el := doc.FindElement("/Envelope/Body/LogoutRequest")
	if el == nil || el.NamespaceURI() != "urn:oasis:names:tc:SAML:2.0:protocol" {
		return "", "", errors.New("there is none in the envelope")
	}
	signed, err := dsig.NewDefaultValidationContext(v.authy).Validate(el)
	if err != nil {
		return "", "", err
	}
	name, index := signed.FindElement("./NameID"), signed.FindElement("./SessionIndex")
	if name == nil || index == nil || name.Text() == "" || signed.SelectAttrValue("Destination", "") != v.SloURL.String() {
		return "", "", errors.New("it does not say whom it is about, or where it goes")
	}
	return signed.SelectAttrValue("ID", ""), index.Text(), nil
}

// says is what the service answers to a request, in an envelope; change changes it before it is
// signed.
func (v *soapService) says(id string, change func(r *saml.LogoutResponse)) string {
	v.t.Helper()
	r, err := v.MakeLogoutResponse("", id)
	if err == nil && change != nil {
		r.Signature = nil
		change(r)
		err = v.SignLogoutResponse(r)
	}
	if err != nil {
		v.t.Error(err)
		return ""
	}
	return enveloped(v.t, r.Element())
}

func enveloped(t *testing.T, el *etree.Element) string {
	t.Helper()
	doc := etree.NewDocument()
	envelope := doc.CreateElement("S:Envelope")
	envelope.CreateAttr("xmlns:S", "http://schemas.xmlsoap.org/soap/envelope/")
	envelope.CreateElement("S:Body").AddChild(el)
	text, err := doc.WriteToString()
	if err != nil {
		t.Error(err)
	}
	return text
}

// answers has the service answer in another way from now on; nil for its own.
func (v *soapService) answers(how func(w http.ResponseWriter, id string)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answer = how
}

// knows counts how often the service was told that a session has ended.
func (v *soapService) knows(session string) (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, one := range v.ended {
		if one == session {
			n++
		}
	}
	return n
}

// receipt is what became of telling a service of a session.
func (v *samlService) receipt(index string) *storage.Logout {
	v.t.Helper()
	all, err := v.s.DB.Logouts(v.t.Context(), storage.LogoutFilter{ServiceID: v.record.ID}, "", 100)
	if err != nil {
		v.t.Fatal(err)
	}
	for i := range all {
		if all[i].SessionIndex == index {
			return &all[i]
		}
	}
	return &storage.Logout{}
}

// in enters the service in a browser that is signed in, and returns the session as it knows it.
func (v *samlService) in(browser *http.Client) string {
	v.t.Helper()
	a, err := v.receive(servertest.Get(v.t, browser, v.ask("deep")))
	if err != nil {
		v.t.Fatal(privately(err))
	}
	return a.AuthnStatements[0].SessionIndex
}

// endsElsewhere ends a session of bob's that has been to the service, not in a browser, and returns
// the session as the service knows it.
func (v *samlService) endsElsewhere() string {
	v.t.Helper()
	browser := servertest.Browser(v.t)
	v.s.SignIn(v.t, browser, bob, bobPass)
	index := v.in(browser)
	visit, err := v.s.DB.ServiceVisit(v.t.Context(), index)
	if err == nil {
		err = v.s.Sessions.Revoke(v.t.Context(), audit.Shell(), visit.SessionID)
	}
	if err != nil {
		v.t.Fatal(err)
	}
	return index
}

func TestASAMLServiceIsToldFromHereWhenASessionHasEndedElsewhere(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: loopback})
	v, tr := newSOAPService(t, s), newTrail(t, s)
	index := v.endsElsewhere()
	heardOf(t, "by SOAP", func() bool { return v.receipt(index).State == logout.Delivered })
	if n := v.knows(index); n != 1 {
		t.Errorf("the service was told %d times", n)
	}
	for _, e := range tr.news() {
		if e.Action == "service.logout" && (e.Outcome != audit.Success || e.TargetID != v.record.Slug || e.ActorKind != "system") {
			t.Errorf("recorded as %+v", e)
		}
	}
	if r := v.receipt(index); r.URI != v.SloURL.String() || r.Attempts != 1 || r.LastError != "" {
		t.Errorf("the receipt is %+v", r)
	}
	// Who has signed out here has the same receipt in the account.
	browser := servertest.Browser(t)
	s.SignIn(t, browser, bob, bobPass)
	if page := servertest.Get(t, browser, s.URL+"/account/apps"); !strings.Contains(page.Body, v.record.Name) {
		t.Error("the account page does not show the service among what was signed out of")
	}
}

func TestASAMLServiceThatOnlyABrowserCanTellHasAnHonestReceipt(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: loopback})
	v := newService(t, s, nil)
	index := v.endsElsewhere()
	heardOf(t, "that it cannot be told", func() bool { return v.receipt(index).State == logout.Retrying })
	if r := v.receipt(index); !strings.Contains(r.LastError, "by a browser alone") || r.URI != "" {
		t.Errorf("the receipt is %+v", r)
	}
	// Nobody has come with it within a minute.
	change(t, s, func(ctx context.Context, tx *storage.Tx) error {
		r := v.receipt(index)
		was := r.NextAt.Time
		taken, err := tx.TakeLogout(ctx, *r, time.Now().Add(-time.Second))
		if err != nil || was.Before(time.Now().Add(30*time.Second)) {
			return fmt.Errorf("it is tried again at %v, %w", was, err)
		}
		return tx.SaveLogout(ctx, taken, taken.NextAt.Time)
	})
	heardOf(t, "that nobody has told it", func() bool { return v.receipt(index).State == logout.Failed })
}

func TestTheAnswerOfASAMLServiceIsNotTakenOnTrust(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: loopback})
	v := newSOAPService(t, s)
	status := func(top, detail string) func(w http.ResponseWriter, id string) {
		return func(w http.ResponseWriter, id string) {
			io.WriteString(w, v.says(id, func(r *saml.LogoutResponse) { //nolint:errcheck // the test sees it
				r.Status.StatusCode = saml.StatusCode{Value: top}
				if detail != "" {
					r.Status.StatusCode.StatusCode = &saml.StatusCode{Value: detail}
				}
			}))
		}
	}
	text := func(status int, text string) func(w http.ResponseWriter, id string) {
		return func(w http.ResponseWriter, _ string) {
			w.WriteHeader(status)
			io.WriteString(w, text) //nolint:errcheck // the test sees it
		}
	}
	changed := func(change func(r *saml.LogoutResponse)) func(w http.ResponseWriter, id string) {
		return func(w http.ResponseWriter, id string) { io.WriteString(w, v.says(id, change)) } //nolint:errcheck // the test sees it
	}
	for what, c := range map[string]struct {
		answer func(w http.ResponseWriter, id string)
		state  string
		why    string
	}{
		"it knows nobody like that": {status(saml.StatusRequester, saml.StatusUnknownPrincipal), logout.Delivered, ""},
		"it has not ended all":      {status(saml.StatusSuccess, saml.StatusPartialLogout), logout.Delivered, ""},
		"it says no":                {status(saml.StatusResponder, saml.StatusRequestDenied), logout.Failed, "RequestDenied"},
		"not signed": {func(w http.ResponseWriter, id string) {
			r, err := v.MakeLogoutResponse("", id)
			if err != nil {
				t.Error(err)
			}
			r.Signature = nil
			io.WriteString(w, enveloped(t, r.Element())) //nolint:errcheck // the test sees it
		}, logout.Retrying, "not signed"},
		"changed after it was signed": {func(w http.ResponseWriter, id string) {
			io.WriteString(w, strings.Replace(v.says(id, nil), "status:Success", "status:Responder", 1)) //nolint:errcheck // the test sees it
		}, logout.Retrying, "signature"},
		"the answer to another": {changed(func(r *saml.LogoutResponse) { r.InResponseTo = "other" }), logout.Retrying, "another message"},
		"to somewhere else": {
			changed(func(r *saml.LogoutResponse) { r.Destination = "https://other.example/slo" }), logout.Retrying, "somewhere else",
		},
		"of old":       {changed(func(r *saml.LogoutResponse) { r.IssueInstant = time.Now().Add(-time.Hour) }), logout.Retrying, "too old"},
		"of another":   {changed(func(r *saml.LogoutResponse) { r.Issuer.Value = "https://other.example" }), logout.Retrying, "somebody else"},
		"a fault":      {text(500, faultOf("Server is asleep")), logout.Retrying, "500: Server is asleep"},
		"nothing":      {text(200, ""), logout.Retrying, "something else than SOAP"},
		"a page":       {text(200, "<html><body><p>Hello</body></html>"), logout.Retrying, "something else than SOAP"},
		"no envelope":  {text(200, "<a/>"), logout.Retrying, "one message in SOAP"},
		"an entity":    {text(200, `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`), logout.Retrying, "document type"},
		"too long":     {text(200, strings.Repeat("x", 300<<10)), logout.Retrying, "too long"},
		"it has moved": {func(w http.ResponseWriter, _ string) { w.Header().Set("Location", "/"); w.WriteHeader(302) }, logout.Retrying, "302"},
		"a LogoutRequest": {func(w http.ResponseWriter, _ string) {
			r, err := v.MakeLogoutRequest("", "x")
			if err != nil {
				t.Error(err)
			}
			io.WriteString(w, enveloped(t, r.Element())) //nolint:errcheck // the test sees it
		}, logout.Retrying, "LogoutResponse"},
	} {
		v.answers(c.answer)
		index := v.endsElsewhere()
		heardOf(t, what, func() bool { return v.receipt(index).State != logout.Sent })
		if r := v.receipt(index); r.State != c.state || !strings.Contains(r.LastError, c.why) || c.why == "" && r.LastError != "" {
			t.Errorf("%s: the receipt is %s, %q", what, r.State, r.LastError)
		}
	}
	// One that is asleep is asked again.
	v.answers(text(503, ""))
	index := v.endsElsewhere()
	heardOf(t, "that it is asleep", func() bool { return v.receipt(index).State == logout.Retrying })
	v.answers(nil)
	heardOf(t, "at the second time", func() bool { return v.receipt(index).State == logout.Delivered && v.knows(index) == 1 })
}

func faultOf(text string) string {
	return `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><S:Fault><faultcode>S:Server</faultcode>` +
		`<faultstring>` + text + `</faultstring></S:Fault></S:Body></S:Envelope>`
}

func TestABrowserTellsOnlyWhoCouldNotBeToldFromHere(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: loopback})
	v := newSOAPService(t, s, saml.HTTPRedirectBinding)
	browser := servertest.Browser(t)
	s.SignIn(t, browser, bob, bobPass)
	index := v.in(browser)
	page := servertest.Post(t, browser, s.URL+"/sign-out", url.Values{})
	if strings.Contains(page.Body, "<iframe") || v.knows(index) != 1 || !strings.Contains(page.Body, v.record.Name) {
		t.Errorf("told %d times, and then %s", v.knows(index), page.Body)
	}
	v.answers(func(w http.ResponseWriter, _ string) { w.WriteHeader(http.StatusServiceUnavailable) })
	s.SignIn(t, browser, bob, bobPass)
	v.in(browser)
	page = servertest.Post(t, browser, s.URL+"/sign-out", url.Values{})
	frame := frameSource.FindStringSubmatch(page.Body)
	if frame == nil || !strings.HasPrefix(frame[1], v.SloURL.String()+"?SAMLRequest=") {
		t.Errorf("a service that does not answer is not told by the browser: %s", page.Body)
	}
}

func TestASAMLServiceThatTakesOnlyPOSTIsToldInAFrame(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: loopback})
	v := newService(t, s, func(sp *saml.ServiceProvider, _ *saml2.Description) {
		sp.LogoutBindings = []string{saml.HTTPPostBinding}
	})
	browser := servertest.Browser(t)
	s.SignIn(t, browser, bob, bobPass)
	index := v.in(browser)
	address := s.URL + saml2.FramePath + "?visit=" + index
	if page := servertest.Get(t, browser, address); page.Response.StatusCode != http.StatusBadRequest {
		t.Errorf("the frame of a session that goes on: %d", page.Response.StatusCode)
	}
	page := servertest.Post(t, browser, s.URL+"/sign-out", url.Values{})
	frame := frameSource.FindStringSubmatch(page.Body)
	if frame == nil || html.UnescapeString(frame[1]) != address {
		t.Fatalf("the service is not told: %d %s", page.Response.StatusCode, page.Body)
	}
	if policy := page.Response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-src https://service.example "+s.URL+";") {
		t.Errorf("the frame is forbidden: %s", policy)
	}
	page = servertest.Get(t, browser, address)
	header, to := page.Response.Header, samlAction.FindStringSubmatch(page.Body)
	if policy := header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' https://service.example;") ||
		!strings.Contains(policy, "frame-ancestors 'self'") || header.Get("X-Frame-Options") != "SAMEORIGIN" {
		t.Errorf("the page in the frame: %v", header)
	}
	if to == nil || html.UnescapeString(to[1]) != v.SloURL.String() {
		t.Fatalf("the page in the frame leads to %v: %s", to, page.Body)
	}
	doc := etree.NewDocument()
	raw, err := base64.StdEncoding.DecodeString(page.Hidden().Get("SAMLRequest"))
	if err == nil {
		err = doc.ReadFromBytes(raw)
	}
	if err != nil || doc.FindElement("/LogoutRequest/Signature") == nil || doc.FindElement("/LogoutRequest/SessionIndex").Text() != index {
		t.Fatalf("it is told %s, %v", raw, err)
	}
	answer, err := v.MakeLogoutResponse(s.URL+saml2.SLOPath, doc.Root().SelectAttrValue("ID", ""))
	if err != nil {
		t.Fatal(err)
	}
	if page := servertest.Post(t, browser, s.URL+saml2.SLOPath, form(t, answer.Post(""))); page.Response.StatusCode != http.StatusNoContent {
		t.Fatalf("its answer is refused: %d %s", page.Response.StatusCode, page.Body)
	}
	if r := v.receipt(index); r.State != logout.Delivered {
		t.Errorf("the receipt is %+v", r)
	}
	for _, visit := range []string{index, "", "nothing", "%00"} {
		if page := servertest.Get(t, browser, s.URL+saml2.FramePath+"?visit="+visit); page.Response.StatusCode != http.StatusBadRequest {
			t.Errorf("the frame of %q: %d", visit, page.Response.StatusCode)
		}
	}
}
