package servertest_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/servertest"
)

func TestEveryBadFieldIsNamedWithASentence(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	const missing, unknown, text = "Missing data for required field.", "Unknown field.", "Not a valid string."
	for _, c := range []struct {
		path, body string
		want       map[string][]string
	}{
		{"login", `{}`, map[string][]string{"email": {missing}, "password": {missing}}},
		{"login", `{"email":"bob","password":"x"}`, map[string][]string{"email": {"Not a valid email address."}}},
		{"login", `{"email":"` + bob + `","password":""}`, map[string][]string{"password": {"Shorter than minimum length 1."}}},
		{
			"login", `{"email":1,"password":{},"remember_me":"yes","zzz":1}`,
			map[string][]string{"email": {text}, "password": {text}, "remember_me": {"Not a valid boolean."}, "zzz": {unknown}},
		},
		{"login", `{"email":null,"password":null}`, map[string][]string{"email": {text}, "password": {text}}},
		{
			"login", `{"Email":"` + bob + `","password":"` + bobPass + `"}`,
			map[string][]string{"Email": {unknown}, "email": {missing}},
		},
		{
			"login", `{"email":"` + bob + `","EMAIL":"eve@acme-corp.com","password":"` + bobPass + `"}`,
			map[string][]string{"EMAIL": {unknown}},
		},
		{"login", `null`, map[string][]string{"_schema": {"Invalid input type."}}},
		{"login", `[]`, map[string][]string{"_schema": {"Invalid input type."}}},
		{"login", `"x"`, map[string][]string{"_schema": {"Invalid input type."}}},
		{"register", `{}`, map[string][]string{"email": {missing}, "password": {missing}, "password_confirm": {missing}}},
		{
			"register", `{"email":"x@example.com","password":"orchid lantern","password_confirm":"orchid lanterm"}`,
			map[string][]string{"password_confirm": {"Passwords do not match"}},
		},
		{
			"register", `{"email":"x","password":"short","password_confirm":"short","full_name":"` + strings.Repeat("x", 256) + `"}`,
			map[string][]string{
				"email": {"Not a valid email address."}, "full_name": {"Longer than maximum length 255."},
				"password": {"Length must be between 8 and 128."},
			},
		},
		{
			"register", `{"email":"x@example.com","password":"password1","password_confirm":"password1"}`,
			map[string][]string{"password": {"Too easy to guess: it is one of the passwords that are tried first."}},
		},
		{
			"register", `{"email":"x@example.com","password":"orchid lantern","password_confirm":"orchid lantern","is_admin":true,` +
				`"status":"active","email_verified":true,"id":"1"}`,
			map[string][]string{"is_admin": {unknown}, "status": {unknown}, "email_verified": {unknown}, "id": {unknown}},
		},
	} {
		o := caller{t: t, s: s}.call("POST", "/api/v1/auth/"+c.path, c.body).failed(400, "VALIDATION_ERROR", "Validation failed")
		if o.Problem == nil {
			continue
		}
		if diff := cmp.Diff(c.want, o.Problem.Details); diff != "" {
			t.Errorf("%s %.80s (-want +got):\n%s", c.path, c.body, diff)
		}
		for _, secret := range []string{bobPass, passphrase, "password1\""} {
			if strings.Contains(o.Raw, secret) {
				t.Errorf("%s repeats a password: %s", c.path, o.Raw)
			}
		}
	}
	caller{t: t, s: s}.call("POST", "/api/v1/auth/login?next=x", object{"email": bob, "password": bobPass}).
		failed(400, "VALIDATION_ERROR", "")
}

func TestABodyThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		good := `{"email":"` + bob + `","password":"` + bobPass + `"}`
		for _, body := range []string{
			"", " ", "{", good + good, good + "x", "\ufeff" + good, "/**/" + good, `{'email':"x"}`, `{"email":NaN}`,
			`{"email":"` + bob + `","email":"x","password":"` + bobPass + `"}`,
			`{"email":"b\u0000b@acme-corp.com","password":"x"}`,
			`{"email":"b\ud800b@acme-corp.com","password":"x"}`,
			"{\"email\":\"b\xffb@acme-corp.com\",\"password\":\"x\"}",
			"{\"email\":\"b\xc0\xafb@acme-corp.com\",\"password\":\"x\"}",
			"{\"email\":\"b\x00b@acme-corp.com\",\"password\":\"x\"}",
			"1e400", `{"email":"x","password":1e400}`, `{"email":"x","password":` + strings.Repeat("9", 100_000) + "}",
			strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 100_000),
		} {
			for _, path := range []string{"login", "register"} {
				o := caller{t: t, s: s}.call("POST", "/api/v1/auth/"+path, body)
				o.failed(400, "BAD_REQUEST", "")
				if strings.Contains(o.Raw, "huma") || strings.Contains(o.Raw, "json:") || strings.Contains(o.Raw, "Go ") {
					t.Errorf("%.40q tells how we are made: %s", body, o.Raw)
				}
			}
		}
	})
}

// What could be text is taken as it is, or refused; it never breaks anything.
func TestOddTextIsRefusedOrKeptExactly(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := caller{t: t, s: s}
		for i, odd := range append([]string{
			"right\u202eleft", "e" + strings.Repeat("\u0301", 200), "🐎🔋", "\u200b", "\ufeffx", "\\u0000", "\U0010ffff",
		}, hostileTexts...) {
			email := strings.Repeat("x", i+1) + "@example.com"
			password := odd + " orchid lantern"
			o := p.call("POST", "/api/v1/auth/register", object{
				"email": email, "full_name": odd, "password": password, "password_confirm": password,
			})
			switch {
			case o.Code == 201:
				if got := o.text("user", "full_name"); got != strings.TrimSpace(odd) {
					t.Errorf("%q became %q", odd, got)
				}
				got := logIn(t, s, email, password).call("GET", "/api/v1/auth/me", nil)
				if name := got.text("user", "full_name"); name != strings.TrimSpace(odd) {
					t.Errorf("%q came back as %q", odd, name)
				}
			case o.Code != 400 || o.Problem.Type != "VALIDATION_ERROR":
				t.Errorf("%q: %s", odd, o.Raw)
			}
			p.call("POST", "/api/v1/auth/register", object{
				"email": odd + "@example.com", "password": passphrase, "password_confirm": passphrase,
			}).wantOneOf(400, 201)
			p.call("POST", "/api/v1/auth/login", object{"email": bob, "password": odd, "remember_me": false}, "User-Agent", "a"+odd).
				failed(401, "AUTHENTICATION_ERROR", "")
		}
	})
}

// hostileTexts mean something to a browser, a database, a log or a terminal.
var hostileTexts = []string{
	"<script>alert(1)</script>", "<img src=x onerror=alert(1)>", `"onmouseover="alert(1)`, "{{7*7}}", "${7*7}", "</textarea>",
	"javascript:alert(1)", "' OR '1'='1", `"; DROP TABLE users;--`, `\`, "%27", "$1", "?", "$$x$$", "%n%s",
}

func (o outcome) wantOneOf(statuses ...int) {
	o.t.Helper()
	if !slices.Contains(statuses, o.Code) {
		o.t.Errorf("%s: %s, want one of %v", o.call, o.Raw, statuses)
	}
}

func TestOnlyJSONIsABody(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	good := `{"email":"` + bob + `","password":"` + bobPass + `"}`
	p := caller{t: t, s: s}
	for _, kind := range []string{
		"text/plain", "application/json; charset=utf-16", "application/xml", "application/x-www-form-urlencoded",
		"multipart/form-data; boundary=x", "nonsense", "application/jsonp",
	} {
		p.call("POST", "/api/v1/auth/login", good, "Content-Type", kind).failed(415, "UNSUPPORTED_MEDIA_TYPE", "Send the body as application/json.")
	}
	p.call("POST", "/api/v1/auth/login", good, "Content-Type", "").failed(415, "UNSUPPORTED_MEDIA_TYPE", "")
	p.call("POST", "/api/v1/auth/login", good, "Content-Type", "application/json; charset=UTF-8").succeeded(200, "Login successful")
	// A type without a body is no harm.
	logIn(t, s, bob, bobPass).call("POST", "/api/v1/auth/logout", nil, "Content-Type", "text/plain").succeeded(200, "Logout successful")
}

// unsized hides the length of a body, so that it is sent in chunks.
type unsized struct{ io.Reader }

func TestALargeBodyIsRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	large := `{"email":"` + bob + `","password":"` + strings.Repeat("x", 1<<20) + `"}`
	for _, path := range []string{"login", "register"} {
		p := caller{t: t, s: s}
		p.call("POST", "/api/v1/auth/"+path, large).failed(413, "PAYLOAD_TOO_LARGE", "The body is larger than 1 MiB.")
		p.call("POST", "/api/v1/auth/"+path, unsized{strings.NewReader(large)}).failed(413, "PAYLOAD_TOO_LARGE", "The body is larger than 1 MiB.")
	}
	logIn(t, s, bob, bobPass).me(true)
}

func TestMethodsThatAPathDoesNotTake(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for path, allow := range map[string]string{
		"/api/v1/auth/register": "POST", "/api/v1/auth/login": "POST", "/api/v1/auth/logout": "POST", "/api/v1/auth/me": "GET",
		"/api/v1/auth/sessions": "DELETE, GET", "/api/v1/auth/sessions/x": "DELETE", "/api/health": "GET, HEAD", "/api/ready": "GET, HEAD",
	} {
		for _, method := range []string{"GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "FOO"} {
			if strings.Contains(allow, method) {
				continue
			}
			o := caller{t: t, s: s}.call(method, path, nil).failed(405, "METHOD_NOT_ALLOWED", "Method not allowed")
			if got := o.Header.Get("Allow"); got != allow {
				t.Errorf("%s %s: Allow %q, want %q", method, path, got, allow)
			}
		}
	}
	caller{t: t, s: s}.call("GET", "/api/v1/auth/login?email="+bob+"&password="+bobPass, nil).failed(405, "METHOD_NOT_ALLOWED", "")
	caller{t: t, s: s}.call("GET", "/api/v1/nothing", nil).failed(404, "NOT_FOUND", "Resource not found")
}

func TestRequestIDsComeBackIfTheyAreFit(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for id, same := range map[string]bool{
		"abcd1234": true, "0198-abc_DEF": true, strings.Repeat("a", 64): true,
		"": false, "short": false, strings.Repeat("a", 65): false, "<script>alert(1)": false, "with space": false,
	} {
		o := caller{t: t, s: s}.call("GET", "/api/health", nil, "X-Request-ID", id)
		if (o.RequestID == id) != same {
			t.Errorf("%q came back as %q", id, o.RequestID)
		}
	}
}

func TestABrokenDatabaseIsHidden(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := logIn(t, s, bob, bobPass)
		if err := s.DB.Close(); err != nil {
			t.Fatal(err)
		}
		for _, o := range []outcome{
			p.call("GET", "/api/v1/auth/sessions", nil),
			p.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}),
			p.call("POST", "/api/v1/auth/register", object{"email": "x@example.com", "password": passphrase, "password_confirm": passphrase}),
		} {
			if o.Code != 500 && o.Code != 503 {
				t.Errorf("%s: %s", o.call, o.Raw)
			}
			for _, part := range []string{"sql", "SQL", "closed", "pgx", "sqlite", "postgres", "/", ".go"} {
				if strings.Contains(strings.ReplaceAll(o.Message, o.RequestID, ""), part) {
					t.Errorf("%s shows %q: %s", o.call, part, o.Raw)
				}
			}
		}
		page := servertest.Post(t, servertest.Browser(t), s.URL+"/sign-in", map[string][]string{"email": {bob}, "password": {bobPass}})
		if status := page.Response.StatusCode; status != 500 && status != 503 || inside.MatchString(page.Body) {
			t.Errorf("the page: %d %s", status, page.Body)
		}
	})
}

func TestTheOpenAPIDocumentListsEveryRoute(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	page := servertest.Get(t, http.DefaultClient, s.URL+"/api/openapi.json")
	var document struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			Responses map[string]any `json:"responses"`
			Security  []any          `json:"security"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(page.Body), &document); err != nil || !strings.HasPrefix(document.OpenAPI, "3.1") {
		t.Fatalf("%d %.100s: %v", page.Response.StatusCode, page.Body, err)
	}
	var got []string
	for path, operations := range document.Paths {
		for method, operation := range operations {
			got = append(got, strings.ToUpper(method)+" "+path)
			if !strings.HasPrefix(path, "/api/v1/") {
				continue // health needs nothing and refuses nothing
			}
			open := slices.Contains([]string{
				"login", "register", "totp/verify", "webauthn/login/begin", "webauthn/login/complete",
				"forgot-password", "reset-password", "verify-email", "confirm-email",
			}, strings.TrimPrefix(path, "/api/v1/auth/"))
			if open == (len(operation.Security) > 0) {
				t.Errorf("%s %s: security %v", method, path, operation.Security)
			}
			for _, status := range []string{"400", "415", "429", "500"} {
				if _, ok := operation.Responses[status]; !ok {
					t.Errorf("%s %s: no %s among %v", method, path, status, slices.Sorted(maps.Keys(operation.Responses)))
				}
			}
		}
	}
	for _, route := range []string{
		"DELETE /api/v1/auth/sessions/{id}", "GET /api/health", "GET /api/ready", "GET /api/v1/auth/me",
		"POST /api/v1/auth/login", "POST /api/v1/auth/logout", "POST /api/v1/auth/register",
	} {
		if !slices.Contains(got, route) {
			t.Errorf("%s is not in the document", route)
		}
	}
	// What is embedded is in the document, too.
	for _, field := range []string{`"is_admin"`, `"email_verified"`} {
		if _, schema, _ := strings.Cut(page.Body, `"AdminUser":`); !strings.Contains(schema[:min(len(schema), 2000)], field) {
			t.Errorf("the schema of a user as administrators see them has no %s", field)
		}
	}
	parameter := regexp.MustCompile(`\{[^}]*\}`)
	for _, route := range got {
		method, path, _ := strings.Cut(route, " ")
		page := surface(t, s, method, parameter.ReplaceAllString(path, "x"), "", "")
		if page.Response.StatusCode == http.StatusMethodNotAllowed || strings.Contains(page.Body, "Resource not found") {
			t.Errorf("%s is in the document, and answered %d", route, page.Response.StatusCode)
		}
	}
	for _, path := range []string{"/docs", "/openapi.json", "/schemas", "/schemas/User.json", "/api/schemas/User.json", "/api/swagger"} {
		if page := servertest.Get(t, http.DefaultClient, s.URL+path); page.Response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, page.Response.StatusCode)
		}
	}
}
