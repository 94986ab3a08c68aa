package browsertest_test

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"html/template"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"authy/server/audit"
	"authy/server/saml2"
	"authy/server/servertest"
	"authy/storage"
)

// stubService is a SAML service, which shows whom it has learned of.
type stubService struct {
	saml.ServiceProvider
	mu     sync.Mutex
	asked  []string
	person *saml.Assertion
	told   int    // how often it was told that the person has signed out
	status string // what it was told when it signed the person out
}

// newStubService starts a service that authy knows by a name, and returns it and its address.
func newStubService(t *testing.T, s *servertest.Server, name string) (service *stubService, home string) {
	t.Helper()
	service, home = startStubService(t)
	d := saml2.Description{Name: name, Metadata: service.document(t)}
	if _, err := s.SAMLServices.Create(t.Context(), audit.Shell(), d); err != nil {
		t.Fatal(err)
	}
	service.know(t, s)
	return service, home
}

// startStubService starts a service that authy does not know yet.
func startStubService(t *testing.T) (service *stubService, home string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	own := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, own, own, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	v, mux := new(stubService), http.NewServeMux()
	mux.HandleFunc("GET /{$}", v.home)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /enter", v.enter)
	mux.HandleFunc("POST /acs", v.receive)
	mux.HandleFunc("GET /leave", v.leave)
	mux.HandleFunc("GET /slo", v.hear)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	page := func(path string) url.URL {
		return url.URL{Scheme: "http", Host: strings.TrimPrefix(server.URL, "http://"), Path: path}
	}
	v.ServiceProvider = saml.ServiceProvider{
		EntityID: server.URL, Key: key, Certificate: cert, AuthnNameIDFormat: saml.PersistentNameIDFormat,
		MetadataURL: page("/metadata"), AcsURL: page("/acs"), SloURL: page("/slo"),
		SignatureMethod: dsig.RSASHA256SignatureMethod, LogoutBindings: []string{saml.HTTPRedirectBinding},
	}
	return v, server.URL
}

// document is the metadata of the service.
func (v *stubService) document(t *testing.T) string {
	t.Helper()
	raw, err := xml.Marshal(v.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// know has the service read authy's metadata.
func (v *stubService) know(t *testing.T, s *servertest.Server) {
	t.Helper()
	v.IDPMetadata = new(saml.EntityDescriptor)
	document := servertest.Get(t, servertest.Browser(t), s.URL+saml2.MetadataPath)
	if err := xml.Unmarshal([]byte(document.Body), v.IDPMetadata); err != nil {
		t.Fatal(err)
	}
}

var stubPage = template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="en"><title>Stub</title><body>
{{with .}}<ul id="person">{{range .AttributeStatements}}{{range .Attributes}}{{range .Values}}<li>{{.Value}}</li>{{end}}{{end}}{{end}}</ul>
{{else}}<a id="enter" href="/enter">Sign in</a>{{end}}</body></html>`))

// home shows who has signed in.
func (v *stubService) home(w http.ResponseWriter, _ *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	stubPage.Execute(w, v.person) //nolint:errcheck // the browser shows what has come
}

// enter sends the browser to authy.
func (v *stubService) enter(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	request, err := v.MakeAuthenticationRequest(v.GetSSOBindingLocation(saml.HTTPRedirectBinding), saml.HTTPRedirectBinding, saml.HTTPPostBinding)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	to, err := request.Redirect("deep", &v.ServiceProvider)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	v.asked = append(v.asked, request.ID)
	http.Redirect(w, r, to.String(), http.StatusFound)
}

// receive takes the answer of authy.
func (v *stubService) receive(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	person, err := v.ParseResponse(r, v.asked)
	if err != nil || r.PostForm.Get("RelayState") != "deep" {
		http.Error(w, fmt.Sprintf("the answer is refused: %v", err), http.StatusBadRequest)
		return
	}
	v.person = person
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// leave has authy sign out who has signed in, by a form that sends itself.
func (v *stubService) leave(w http.ResponseWriter, _ *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	form, err := v.MakePostLogoutRequest(v.person.Subject.NameID.Value, "bye")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	v.person = nil
	send(w, form)
}

func send(w http.ResponseWriter, form []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(append([]byte("<!DOCTYPE html><title>Stub</title>"), form...)) //nolint:errcheck // the browser has gone
}

// hear takes what authy says about a sign-out: its answer to [stubService.leave], or a request.
func (v *stubService) hear(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	query := r.URL.Query()
	if query.Has("SAMLResponse") {
		var answer saml.LogoutResponse
		if err := inflate(query.Get("SAMLResponse"), &answer); err != nil || query.Get("RelayState") != "bye" {
			http.Error(w, fmt.Sprintf("the answer is refused: %v", err), http.StatusBadRequest)
			return
		}
		v.status = answer.Status.StatusCode.Value
		if detail := answer.Status.StatusCode.StatusCode; detail != nil {
			v.status += " " + detail.Value
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	var request saml.LogoutRequest
	if err := inflate(query.Get("SAMLRequest"), &request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if v.person == nil || request.NameID == nil || request.NameID.Value != v.person.Subject.NameID.Value {
		http.Error(w, "somebody else is signed in", http.StatusForbidden)
		return
	}
	form, err := v.MakePostLogoutResponse(request.ID, query.Get("RelayState"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	v.person = nil
	v.told++
	send(w, form)
}

// inflate reads a message of the redirect binding.
func inflate(value string, message any) error {
	packed, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return err
	}
	return xml.NewDecoder(flate.NewReader(bytes.NewReader(packed))).Decode(message)
}

func TestAPersonComesToASAMLServiceAndGoes(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newTour(t, s)
	service, home := newStubService(t, s, "Stub")
	v.Do(chromedp.Navigate(home + "/"))
	v.Click("#enter", "#email")
	v.says("Stub")
	v.look("sign_in_saml")
	v.password(bob, bobPass, "#person")
	if text := v.Text("#person"); !strings.Contains(text, bob) || !strings.Contains(text, "Bob Builder") {
		t.Errorf("the service has learned %q", text)
	}
	v.Do(chromedp.Navigate(home + "/enter")) // nobody is asked again
	v.Do(chromedp.WaitVisible(chromedp.CSS("#person")))

	v.open("/account")
	v.Click("#sign-out", "#signed-out")
	v.says("Stub")
	for deadline := time.Now().Add(10 * time.Second); len(leaves(t, s)) == 0 && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	if events := leaves(t, s); len(events) != 1 || events[0].Outcome != "success" {
		t.Errorf("what the service has answered is recorded as %+v", events)
	}
	v.Do(chromedp.Navigate(home + "/"))
	v.Do(chromedp.WaitVisible(chromedp.CSS("#enter")))
	service.mu.Lock()
	defer service.mu.Unlock()
	if service.told != 1 {
		t.Errorf("the service was told %d times", service.told)
	}
	v.quiet()
}

func TestAPersonLeavesEverySAMLServiceByOneOfThem(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newTour(t, s)
	one, first := newStubService(t, s, "One")
	two, second := newStubService(t, s, "Two")
	v.Do(chromedp.Navigate(first + "/enter"))
	v.password(bob, bobPass, "#person")
	v.Do(chromedp.Navigate(second+"/enter"), chromedp.WaitVisible(chromedp.CSS("#person")))

	begun := time.Now()
	v.Do(chromedp.Navigate(first+"/leave"), chromedp.WaitVisible(chromedp.CSS("#enter")))
	// The page waits three seconds for the other service, and goes on without it then.
	slow := time.Since(begun) > 3*time.Second
	one.mu.Lock()
	if !strings.HasPrefix(one.status, saml.StatusSuccess) || one.status != saml.StatusSuccess && !slow || one.told != 0 {
		t.Errorf("the service that began has heard %q, and was told %d times", one.status, one.told)
	}
	one.mu.Unlock()
	two.mu.Lock()
	if two.told != 1 && !slow {
		t.Errorf("the other service was told %d times", two.told)
	}
	two.mu.Unlock()
	v.open("/account")
	v.Do(chromedp.WaitVisible(chromedp.CSS("#sign-in")))
	v.quiet()
}

// leaves are the answers of services that were told of a sign-out.
func leaves(t *testing.T, s *servertest.Server) []storage.Event {
	t.Helper()
	events, err := s.DB.EventsMatching(t.Context(), storage.EventFilter{Action: "service.logout"}, storage.EventKey{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	return events
}
