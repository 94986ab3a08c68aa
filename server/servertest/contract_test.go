package servertest_test

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"authy/server/servertest"
)

// TestMain holds every answer of the JSON API that a test here is given against
// the OpenAPI document. A whole run must have tried every operation.
func TestMain(m *testing.M) {
	servertest.Quiet()
	contract := servertest.NewContract(http.DefaultTransport)
	http.DefaultTransport = contract
	code := m.Run()
	wrong, untried := contract.Problems()
	for _, problem := range wrong {
		code = 1
		fmt.Println("not as the OpenAPI document says:", problem)
	}
	if whole := flag.Lookup("test.run").Value.String() == "" && !testing.Short(); whole && code == 0 {
		for _, operation := range untried {
			code = 1
			fmt.Println("no test has seen it succeed:", operation)
		}
	}
	os.Exit(code)
}

// forger answers as a server would, but for what it is told to change.
type forger struct {
	next   http.RoundTripper
	change func(*http.Response, string) string
}

func (f forger) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := f.next.RoundTrip(r)
	if err != nil || !strings.HasPrefix(r.URL.Path, "/api/v1/") {
		return res, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	res.Body = io.NopCloser(strings.NewReader(f.change(res, string(body))))
	return res, err
}

func TestTheDocumentIsHeldAgainstAnswers(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	token := logIn(t, s, bob, bobPass).token
	for _, c := range []struct {
		name, route string
		change      func(*http.Response, string) string
		want        string // part of the problem, "" for none
	}{
		{"the truth", "GET /api/v1/auth/me", func(_ *http.Response, body string) string { return body }, ""},
		{"a refusal", "GET /api/v1/auth/nothing", func(_ *http.Response, body string) string { return body }, ""},
		{"a field too many", "GET /api/v1/auth/me", func(_ *http.Response, body string) string {
			return strings.Replace(body, `"email":`, `"password_hash":"x","email":`, 1)
		}, "password_hash"},
		{"a field too few", "GET /api/v1/auth/me", func(_ *http.Response, body string) string {
			return strings.Replace(body, `"email":`, `"full_name":`, 1)
		}, "email"},
		{"a number for a text", "GET /api/v1/users/me", func(_ *http.Response, body string) string {
			return strings.Replace(body, `"locale":null`, `"locale":1`, 1)
		}, "locale"},
		{"another status", "GET /api/v1/auth/me", func(res *http.Response, body string) string {
			res.StatusCode = http.StatusTeapot
			return body
		}, "418"},
		{"another type", "GET /api/v1/auth/me", func(res *http.Response, body string) string {
			res.Header.Set("Content-Type", "text/html")
			return body
		}, "text/html"},
		{"no envelope", "GET /api/v1/auth/nothing", func(*http.Response, string) string { return "{}" }, "version"},
	} {
		contract := servertest.NewContract(forger{&http.Transport{}, c.change})
		method, path, _ := strings.Cut(c.route, " ")
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		servertest.Do(t, &http.Client{Transport: contract}, req)
		wrong, untried := contract.Problems()
		if (len(wrong) > 0) != (c.want != "") || len(wrong) > 0 && !strings.Contains(wrong[0], c.want) {
			t.Errorf("%s: problems %q, want one about %q", c.name, wrong, c.want)
		}
		if len(untried) < 20 {
			t.Errorf("%s: only %d operations are untried", c.name, len(untried))
		}
	}
}
