package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/session"
)

func TestEveryKindOfFaultHasItsStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		name   string
	}{
		{fault.Field("email", "Bad."), 400, "VALIDATION_ERROR"},
		{fault.New(fault.Invalid, "bad_request", "No."), 400, "BAD_REQUEST"},
		{fault.New(fault.Unauthenticated, "invalid_credentials", "No."), 401, "AUTHENTICATION_ERROR"},
		{errAuthRequired, 401, "AUTH_REQUIRED"},
		{errAuthFormat, 401, "INVALID_AUTH_FORMAT"},
		{session.ErrInvalid, 401, "INVALID_TOKEN"},
		{session.ErrInactive, 401, "SESSION_INACTIVE"},
		{fault.New(fault.Forbidden, "x", "No."), 403, "AUTHORIZATION_ERROR"},
		{fault.New(fault.NotFound, "x", "No."), 404, "NOT_FOUND"},
		{fault.New(fault.Invalid, "method_not_allowed", "No."), 405, "METHOD_NOT_ALLOWED"},
		{fault.New(fault.Conflict, "x", "No."), 409, "CONFLICT"},
		{errTooLarge, 413, "PAYLOAD_TOO_LARGE"},
		{errMediaType, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{fault.New(fault.RateLimited, "x", "No."), 429, "RATE_LIMIT_EXCEEDED"},
		{fault.New(fault.Internal, "x", "Secret."), 500, "INTERNAL_ERROR"},
		{fault.New(fault.Unavailable, "x", "No."), 503, "UNAVAILABLE"},
		{fault.New(fault.InDoubt, "x", "Perhaps."), 504, "IN_DOUBT"},
		{fmt.Errorf("wrapped: %w", session.ErrInvalid), 401, "INVALID_TOKEN"},
		{errors.New("dial tcp 10.0.0.1:5432"), 500, "INTERNAL_ERROR"},
	} {
		got := failure(t.Context(), c.err)
		if got.Code != c.status || got.Problem.Type != c.name || got.Version != "1.0" || got.Success || got.Problem.Details == nil {
			t.Errorf("failure(%v) = %+v, want %d %s", c.err, got, c.status, c.name)
		}
		if c.status == 500 && got.Message != "Something went wrong on our side." {
			t.Errorf("failure(%v) says %q", c.err, got.Message)
		}
	}
}

func TestAFailureTellsWhatToDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want http.Header
	}{
		{session.ErrInvalid, http.Header{"Cache-Control": {"no-store"}, "Www-Authenticate": {`Bearer error="invalid_token"`}}},
		{
			fault.New(fault.RateLimited, "x", "No.").Wait(1500 * time.Millisecond),
			http.Header{"Cache-Control": {"no-store"}, "Retry-After": {"2"}},
		},
		{fault.New(fault.NotFound, "x", "No."), http.Header{"Cache-Control": {"no-store"}}},
	} {
		if diff := cmp.Diff(c.want, failure(t.Context(), c.err).GetHeaders()); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.err, diff)
		}
	}
}

func TestAnAnswerOutsideOfOperationsIsInTheEnvelope(t *testing.T) {
	t.Parallel()
	by := &audit.Actor{RequestID: "request-1"}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r = r.WithContext(audit.WithActor(r.Context(), by))
	w := httptest.NewRecorder()
	WriteFault(w, r, fault.New(fault.NotFound, "x", "No."))
	want := `{"version":"1.0","success":false,"code":404,"message":"No.","request_id":"request-1",` +
		`"error":{"type":"NOT_FOUND","details":{}}}` + "\n"
	if w.Code != 404 || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("WriteFault: %d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	WriteData(w, r, 503, "Not ready", map[string]string{"database": "failing"})
	want = `{"version":"1.0","success":false,"code":503,"message":"Not ready","request_id":"request-1",` +
		`"data":{"database":"failing"}}` + "\n"
	if w.Code != 503 || w.Body.String() != want {
		t.Errorf("WriteData: %d %s", w.Code, w.Body)
	}
}

func TestProblemsOfFieldsAreTheContracts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ location, message, field, problem string }{
		{"body", "expected required property email to be present", "email", "Missing data for required field."},
		{"body.user", "expected required property email to be present", "user.email", "Missing data for required field."},
		{"body.zzz", "unexpected property", "zzz", "Unknown field."},
		{"query.zzz", "unknown query parameter", "zzz", "Unknown query parameter."},
		{"body.email", "expected string", "email", "Not a valid string."},
		{"body.remember_me", "expected boolean", "remember_me", "Not a valid boolean."},
		{"body.n", "expected integer", "n", "Not a valid integer."},
		{"body.n", "expected number", "n", "Not a valid integer."},
		{"body", "expected object", "_schema", "Invalid input type."},
		{"", "expected object", "_schema", "Invalid input type."},
		{"body.password", "expected length >= 1", "password", "Shorter than minimum length 1."},
		{"body.name", "expected length <= 255", "name", "Longer than maximum length 255."},
		{"path.id", "something else", "id", "Something else."},
		{"header.x", "", "x", "Bad request."},
	} {
		field, problem := fieldProblem(&huma.ErrorDetail{Location: c.location, Message: c.message, Value: "hunter2"})
		if field != c.field || problem != c.problem {
			t.Errorf("fieldProblem(%q, %q) = %q, %q, want %q, %q", c.location, c.message, field, problem, c.field, c.problem)
		}
	}
}

func TestErrorsOfTheFrameworkAreOurs(t *testing.T) {
	t.Parallel()
	detail := &huma.ErrorDetail{Location: "body.email", Message: "expected string", Value: "hunter2"}
	for _, c := range []struct {
		status  int
		message string
		errs    []error
		want    Failure
	}{
		{422, "validation failed", []error{detail}, Failure{
			Code: 400, Message: "Validation failed",
			Problem: FailureDetail{Type: "VALIDATION_ERROR", Details: map[string][]string{"email": {"Not a valid string."}}},
		}},
		{413, "too large", nil, Failure{
			Code: 413, Message: errTooLarge.Message,
			Problem: FailureDetail{Type: "PAYLOAD_TOO_LARGE", Details: map[string][]string{}},
		}},
		{415, "unknown", nil, Failure{
			Code: 415, Message: errMediaType.Message,
			Problem: FailureDetail{Type: "UNSUPPORTED_MEDIA_TYPE", Details: map[string][]string{}},
		}},
		{400, "request body is required", nil, Failure{
			Code: 400, Message: "Request body is required.",
			Problem: FailureDetail{Type: "BAD_REQUEST", Details: map[string][]string{}},
		}},
		{400, "x", []error{errors.New("the body is not valid JSON")}, Failure{
			Code: 400, Message: "The body could not be read: the body is not valid JSON.",
			Problem: FailureDetail{Type: "BAD_REQUEST", Details: map[string][]string{}},
		}},
		{500, "cannot read request body", []error{errors.New("unexpected EOF")}, Failure{
			Code: 400, Message: "The body could not be read.",
			Problem: FailureDetail{Type: "BAD_REQUEST", Details: map[string][]string{}},
		}},
		{500, "dial tcp 10.0.0.1", []error{errors.New("dsn")}, Failure{
			Code: 500, Message: "Something went wrong on our side.",
			Problem: FailureDetail{Type: "INTERNAL_ERROR", Details: map[string][]string{}},
		}},
	} {
		got := fromHuma(t.Context(), c.status, c.message, c.errs)
		c.want.Version = "1.0"
		if diff := cmp.Diff(&c.want, got, cmpopts.IgnoreUnexported(Failure{})); diff != "" {
			t.Errorf("%d %s (-want +got):\n%s", c.status, c.message, diff)
		}
	}
}

func TestAuthorizationHeaders(t *testing.T) {
	t.Parallel()
	a := &API{}
	for header, want := range map[string]error{
		"":                   errAuthRequired,
		"Bearer":             errAuthFormat,
		"Bearer ":            errAuthFormat,
		"Basic Ym9iOmJvYg==": errAuthFormat,
		"token":              errAuthFormat,
		"Bearer a b":         errAuthFormat,
		"Bearer a\tb":        errAuthFormat,
		"BearerX abc":        errAuthFormat,
		"Bearer, abc":        errAuthFormat,
	} {
		if _, err := a.identify(t.Context(), header); err != want { //nolint:errorlint // the very value
			t.Errorf("identify(%q): %v, want %v", header, err, want)
		}
	}
	a.Sessions = session.New(nil, time.Hour, time.Hour) // a token of the wrong length is not looked up
	for _, header := range []string{"Bearer abc", "bearer abc", " BEARER  abc ", "Bearer " + strings.Repeat("a", 44)} {
		if _, err := a.identify(t.Context(), header); !errors.Is(err, session.ErrInvalid) {
			t.Errorf("identify(%q): %v, want ErrInvalid", header, err)
		}
	}
}

func TestHeadIsAnsweredAsGet(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		var seen string
		r := httptest.NewRequest(method, "/", nil)
		Guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Method })).
			ServeHTTP(httptest.NewRecorder(), r)
		if seen != http.MethodGet || r.Method != method {
			t.Errorf("%s arrived as %s, and the request became a %s", method, seen, r.Method)
		}
	}
}
