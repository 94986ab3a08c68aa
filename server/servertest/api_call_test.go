package servertest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"authy/server/servertest"
	"authy/storage/storagetest"
)

// caller is somebody's program that calls the JSON API.
type caller struct {
	t     *testing.T
	s     *servertest.Server
	token string
}

// outcome is an answer of the API, in its envelope.
type outcome struct {
	t         *testing.T
	call      string
	Header    http.Header    `json:"-"`
	Raw       string         `json:"-"`
	Version   string         `json:"version"`
	Success   bool           `json:"success"`
	Code      int            `json:"code"`
	Message   string         `json:"message"`
	RequestID string         `json:"request_id"`
	Data      map[string]any `json:"data"`
	Problem   *problem       `json:"error"`
}

type problem struct {
	Type    string              `json:"type"`
	Details map[string][]string `json:"details"`
}

// object is a JSON object to send.
type object map[string]any

// call sends body, if it is not nil, and headers in pairs. The answer must be
// a well-formed envelope.
func (p caller) call(method, path string, body any, header ...string) outcome {
	p.t.Helper()
	var reader io.Reader
	switch text := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(text)
	case io.Reader:
		reader = text
	default:
		bytes, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		reader = strings.NewReader(string(bytes))
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.s.URL+path, reader)
	if err != nil {
		p.t.Fatal(err)
	}
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	page := servertest.Do(p.t, http.DefaultClient, req)
	return p.opened(method+" "+path, page)
}

// opened opens the envelope of an answer.
func (p caller) opened(call string, page *servertest.Page) outcome {
	p.t.Helper()
	o := outcome{t: p.t, call: call, Header: page.Response.Header, Raw: page.Body}
	if err := json.Unmarshal([]byte(page.Body), &o); err != nil {
		p.t.Fatalf("%s: %d %q is no envelope: %v", call, page.Response.StatusCode, page.Body, err)
	}
	if o.Version != "1.0" || o.Code != page.Response.StatusCode || o.Success != (o.Code < 400) ||
		o.RequestID == "" || o.RequestID != o.Header.Get("X-Request-Id") {
		p.t.Errorf("%s: %d with envelope %s", call, page.Response.StatusCode, page.Body)
	}
	if o.Success == (o.Problem != nil) || !o.Success && (o.Data != nil || o.Problem.Details == nil) {
		p.t.Errorf("%s: data or error missing or out of place: %s", call, page.Body)
	}
	if o.Header.Get("Content-Type") != "application/json" || o.Header.Get("Cache-Control") != "no-store" {
		p.t.Errorf("%s: Content-Type %q, Cache-Control %q", call, o.Header.Get("Content-Type"), o.Header.Get("Cache-Control"))
	}
	return o
}

// succeeded wants a status and a message.
func (o outcome) succeeded(status int, message string) outcome {
	o.t.Helper()
	if o.Code != status || o.Message != message {
		o.t.Fatalf("%s: %s, want %d %q", o.call, o.Raw, status, message)
	}
	return o
}

// failed wants an error of a type, with a message unless it is "".
func (o outcome) failed(status int, kind, message string) outcome {
	o.t.Helper()
	if o.Code != status || o.Problem == nil || o.Problem.Type != kind || message != "" && o.Message != message {
		o.t.Errorf("%s: %s, want %d %s %q", o.call, o.Raw, status, kind, message)
	}
	return o
}

// at is a value of the data of the answer.
func (o outcome) at(path ...string) any {
	o.t.Helper()
	var v any = o.Data
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			o.t.Fatalf("%s: no %v in %s", o.call, path, o.Raw)
		}
		v = m[name]
	}
	return v
}

// text is a string of the answer's data.
func (o outcome) text(path ...string) string {
	o.t.Helper()
	text, ok := o.at(path...).(string)
	if !ok {
		o.t.Fatalf("%s: no text %v in %s", o.call, path, o.Raw)
	}
	return text
}

// logIn signs a program in.
func logIn(t *testing.T, s *servertest.Server, email, password string) caller {
	t.Helper()
	p := caller{t: t, s: s}
	o := p.call("POST", "/api/v1/auth/login", object{"email": email, "password": password})
	p.token = o.succeeded(200, "Login successful").text("token")
	return p
}

// me says whether the program's token is good.
func (p caller) me(want bool) {
	p.t.Helper()
	o := p.call("GET", "/api/v1/auth/me", nil)
	if want {
		o.succeeded(200, "User retrieved successfully")
		return
	}
	o.failed(401, "INVALID_TOKEN", "Invalid or expired session")
}

// engines runs fn against a server on each database.
func engines(t *testing.T, fn func(t *testing.T, s *servertest.Server)) {
	t.Helper()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			fn(t, servertest.Start(t, servertest.Options{DatabaseURL: storagetest.Migrated(t, engine)}))
		})
	}
}
