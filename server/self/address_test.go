package self_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/fault"
	"authy/server/self"
	"authy/storage"
	"authy/storage/storagetest"
)

// site is an authy behind a proxy of the test's.
type site struct {
	t       *testing.T
	db      *storage.DB
	proxies []netip.Prefix
}

// authy answers as the server does, for what has the given public URL.
func (s *site) authy(publicURL string) (*self.Service, http.HandlerFunc) {
	service := self.New(self.Config{DB: s.db, Config: &config.Config{
		PublicURL: publicURL, Listen: "127.0.0.1:5000", TrustedProxies: s.proxies,
	}})
	return service, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		body := map[string]any{"version": "1.0", "request_id": "r"}
		answer, err := service.Answer(r, time.Now())
		if f, ok := fault.As(err); ok {
			w.WriteHeader(map[fault.Kind]int{fault.Invalid: 400, fault.NotFound: 404}[f.Kind])
			body["error"] = map[string]string{"type": f.Code}
		} else {
			body["data"] = answer
		}
		if err := json.NewEncoder(w).Encode(body); err != nil {
			s.t.Error(err)
		}
	}
}

// check looks at a public URL where proxy stands before authy.
func (s *site) check(proxy func(authy http.HandlerFunc) http.HandlerFunc) *self.Address {
	s.t.Helper()
	var handler http.HandlerFunc
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler(w, r) }))
	s.t.Cleanup(server.Close)
	service, authy := s.authy(server.URL)
	handler = proxy(authy)
	return s.look(service)
}

func (s *site) look(service *self.Service) *self.Address {
	s.t.Helper()
	found, err := service.CheckAddress(s.t.Context(), audit.Shell())
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// wrong returns what is wrong, as text.
func wrong(a *self.Address) string {
	var all []string
	for _, f := range a.Findings {
		if !f.OK {
			all = append(all, f.Name+": "+f.String())
		}
	}
	return strings.Join(all, " | ")
}

var (
	errName    = x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"other.example"}}, Host: "id.example.com"}
	errExpired = x509.CertificateInvalidError{Reason: x509.Expired}
)

func passing(authy http.HandlerFunc) http.HandlerFunc { return authy }

func answering(status int, text string) func(http.HandlerFunc) http.HandlerFunc {
	return func(http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			w.Write([]byte(text)) //nolint:errcheck // a test
		}
	}
}

// changing is a proxy that changes requests.
func changing(change func(r *http.Request)) func(http.HandlerFunc) http.HandlerFunc {
	return func(authy http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			change(r)
			authy(w, r)
		}
	}
}

func TestAServerThatIsReachedAtItsPublicURLFindsItself(t *testing.T) {
	t.Parallel()
	s := &site{t: t, db: storagetest.New(t)}
	found := s.check(passing)
	if !found.OK || wrong(found) != "" || len(found.Findings) != 6 {
		t.Errorf("%+v", found)
	}
}

func TestWhatIsWrongWithThePublicURLIsSaid(t *testing.T) {
	t.Parallel()
	s := &site{t: t, db: storagetest.New(t)}
	other := &site{t: t, db: s.db}
	for name, c := range map[string]struct {
		proxy func(http.HandlerFunc) http.HandlerFunc
		want  string
	}{
		"a redirect": {func(http.HandlerFunc) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://www.example.com/secret?x=1", http.StatusMovedPermanently)
			}
		}, "server: It leads on to “https://www.example.com”."},
		"a proxy without authy": {answering(502, "Bad gateway"), "does not reach authy (502): have it pass requests on to 127.0.0.1:5000"},
		"a proxy that asks":     {answering(401, "who?"), "server: The proxy lets nobody in"},
		"another page":          {answering(404, "<html>"), "There is nothing at this address (404)"},
		"a web page":            {answering(200, "<html>"), "Something else than authy answers (200)"},
		"JSON of another":       {answering(200, `{"data":{"proof":"x"}}`), "Something else than authy answers (200)"},
		"a liar":                {answering(200, `{"version":"1","request_id":"r","data":{"proof":"x"}}`), "server: Another server answers"},
		"a long answer":         {answering(200, strings.Repeat("x", 17<<10)), "server: Another server answers"},
		"another authy": {func(http.HandlerFunc) http.HandlerFunc {
			_, answer := (&site{t: t, db: otherSecret(t)}).authy("http://x")
			return answer
		}, "server: Another authy answers"},
		"no query": {changing(func(r *http.Request) { r.URL.RawQuery = "" }), "server: The proxy takes the query off"},
		"another host": {
			changing(func(r *http.Request) { r.Host = "authy:5000" }),
			"host: The proxy says that the host is “authy:5000”",
		},
		"no authorization": {
			changing(func(r *http.Request) { r.Header.Del("Authorization") }),
			"authorization: The proxy takes the header Authorization away",
		},
		"a proxy that is not trusted": {
			changing(func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") }),
			"proxy: The proxy at 127.0.0.1 says where visitors come from, but is not trusted: add “127.0.0.1”",
		},
		"a proxy that says it otherwise": {
			changing(func(r *http.Request) { r.Header.Set("X-Real-IP", "192.0.2.1") }),
			"proxy: The proxy at 127.0.0.1 sends X-Real-IP, but not X-Forwarded-For",
		},
		"headers changed": {func(authy http.HandlerFunc) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				authy(without{w, "Content-Security-Policy"}, r)
			}
		}, "headers: The proxy changes the headers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := (&site{t: t, db: s.db}).check(c.proxy)
			if found.OK || !strings.Contains(wrong(found), c.want) || strings.Contains(wrong(found), "|") {
				t.Errorf("found %q, want one thing: %q", wrong(found), c.want)
			}
		})
	}
	other.proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if found := other.check(passing); !strings.HasPrefix(wrong(found), "proxy: The proxy at 127.0.0.1 does not say") {
		t.Errorf("a trusted proxy that says nothing: %q", wrong(found))
	}
	told := changing(func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") })
	if found := other.check(told); wrong(found) != "" {
		t.Errorf("a trusted proxy that says from where: %q", wrong(found))
	}
}

func TestAProxyThatSaysAnotherSchemeIsSaid(t *testing.T) {
	t.Parallel()
	s := &site{t: t, db: storagetest.New(t), proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	for scheme, want := range map[string]string{"": "", "http": "", "HTTP": "", "https": "scheme: The proxy says in X-Forwarded-Proto"} {
		found := s.check(changing(func(r *http.Request) {
			r.Header.Set("X-Forwarded-For", "192.0.2.1")
			r.Header.Set("X-Forwarded-Proto", scheme)
		}))
		if got := wrong(found); (got == "") != (want == "") || !strings.HasPrefix(got, want) || strings.Contains(got, "|") {
			t.Errorf("%q: found %q, want %q", scheme, got, want)
		}
	}
}

// without is an answer that loses a header.
type without struct {
	http.ResponseWriter
	name string
}

func (w without) Write(b []byte) (int, error) {
	w.Header().Del(w.name)
	return w.ResponseWriter.Write(b)
}

// otherSecret is a database with another secret key.
func otherSecret(t *testing.T) *storage.DB {
	t.Helper()
	db, err := storage.Open(t.Context(), storage.Options{
		URL: storagetest.URL(t, "sqlite"), Secret: []byte("another key of thirty-two bytes!"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() }) //nolint:errcheck // a test
	return db
}

func TestAPublicURLWhereNobodyAnswersIsExplained(t *testing.T) {
	t.Parallel()
	s := &site{t: t, db: storagetest.New(t)}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	l.Close() //nolint:errcheck // so that nobody listens there
	foreign := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(foreign.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for address, want := range map[string]string{
		closed:                         "reach: Nothing listens at",
		"https://no-such-host.invalid": "no-such-host.invalid",
		foreign.URL:                    "reach: The certificate was not issued by anyone whom this machine trusts",
		strings.Replace(plain.URL, "http:", "https:", 1): "reach: No TLS is spoken at",
	} {
		service, _ := s.authy(address)
		if found := s.look(service); found.OK || !strings.Contains(wrong(found), want) || len(found.Findings) != 1 {
			t.Errorf("%s: found %q, want %q", address, wrong(found), want)
		}
	}
}

func TestNobodyElseCanAskTheServerWhetherItIsItself(t *testing.T) {
	t.Parallel()
	s := &site{t: t, db: storagetest.New(t)}
	var asked *http.Request
	s.check(func(authy http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			asked = r.Clone(t.Context())
			authy(w, r)
		}
	})
	service, _ := s.authy("http://x")
	challenge := asked.URL.Query().Get("challenge")
	ask := func(text string, at time.Time) error {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, self.AnswerPath+"?challenge="+url.QueryEscape(text), nil)
		_, err := service.Answer(r, at)
		return err
	}
	now := time.Now()
	if err := ask(challenge, now); err != nil {
		t.Fatalf("the server's own challenge: %v", err)
	}
	for name, err := range map[string]error{
		"an old one": ask(challenge, now.Add(6*time.Minute)), "one to come": ask(challenge, now.Add(-6*time.Minute)),
		"none": ask("", now), "nonsense": ask("nonsense", now), "another time": ask("z"+challenge, now),
		"no mark": ask(challenge[:strings.LastIndexByte(challenge, '.')+1], now),
	} {
		if err == nil {
			t.Errorf("%s is answered", name)
		}
	}
}

func TestOnlyWhoAdministersMayAsk(t *testing.T) {
	t.Parallel()
	s := &site{t: t, db: storagetest.New(t)}
	service, _ := s.authy("http://127.0.0.1:1")
	for _, by := range []audit.Actor{{Kind: audit.Anonymous}, audit.Actor{}.As("nobody"), audit.Server()} {
		_, address := service.CheckAddress(t.Context(), by)
		_, settings := service.Settings(t.Context(), by)
		_, mail := service.ShowMail(t.Context(), by, "", 10)
		_, test := service.SendTest(t.Context(), by, "a@example.com")
		for what, err := range map[string]error{"address": address, "settings": settings, "mail": mail, "test": test} {
			if f, ok := fault.As(err); !ok || !f.Is(self.ErrForbidden) {
				t.Errorf("%s may ask for %s: %v", by.Kind, what, err)
			}
		}
	}
}

func TestACertificateForAnotherNameIsSaid(t *testing.T) {
	t.Parallel()
	found := self.Judge("https://id.example.com", &tls.CertificateVerificationError{Err: errName})
	if !strings.Contains(wrong(found), "The certificate is for “other.example”, and not for id.example.com") {
		t.Errorf("found %q", wrong(found))
	}
	found = self.Judge("https://id.example.com", errExpired)
	if !strings.Contains(wrong(found), "The certificate has ended") {
		t.Errorf("found %q", wrong(found))
	}
}
