package proxytest_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"authy/server/forward"
	"authy/server/servertest"
)

// checking returns what asks the service about a page of a user who is signed in, as often as it
// is called.
func checking(t testing.TB) func() {
	t.Helper()
	s := guarded(t)
	browser := surfer(t, s)
	var pass *http.Cookie
	address := openApp + "/"
	for pass == nil {
		page, _ := s.Visit(t, browser, address, bob, bobPass)
		for _, c := range page.Response.Cookies() {
			if c.Name == "__Host-authy_forward" {
				pass = c
			}
		}
		address = page.Location().String()
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, forward.CheckPath, nil)
	r.RemoteAddr = "127.0.0.1:1"
	headers := forwarded(openApp + "/page?a=1")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	r.AddCookie(pass)
	return func() {
		w := httptest.NewRecorder()
		s.Forward.ServeCheck(w, r)
		if w.Code != http.StatusOK || w.Header().Get("Remote-User") != bob {
			t.Fatalf("the check is answered %d %v", w.Code, w.Header())
		}
	}
}

// A check of a session that the caches hold takes well under a millisecond, with the signature of
// the token; half of one is for a machine that does much else.
func TestACheckIsCheap(t *testing.T) {
	servertest.Quiet()
	check := checking(t)
	check()
	took := make([]time.Duration, 200)
	for i := range took {
		began := time.Now()
		check()
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	t.Logf("median %v, 99 of 100 within %v", took[100], took[198])
	if took[100] > 500*time.Microsecond {
		t.Errorf("half of all checks take longer than %v", took[100])
	}
}

func BenchmarkCheck(b *testing.B) {
	check := checking(b)
	b.ReportAllocs()
	for b.Loop() {
		check()
	}
}
