package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"authy/server/audit"
	"authy/server/fault"
)

// envelope is around every answer of the API.
type envelope[T any] struct {
	Version   string `json:"version" example:"1.0"`
	Success   bool   `json:"success"`
	Code      int    `json:"code" doc:"The HTTP status"`
	Message   string `json:"message"`
	RequestID string `json:"request_id" doc:"Stands in the log and the audit record, too"`
	Data      *T     `json:"data,omitempty"`
	Meta      *meta  `json:"meta,omitempty" doc:"Only where a list goes on"`
}

// meta is what stands beside a list.
type meta struct {
	Next string `json:"next" doc:"The cursor of the next page"`
}

// paged is data that is one page of a list; next is "" for the last.
type paged interface{ next() string }

// titled is data that may have a message of its own; title is "" if not.
type titled interface{ title() string }

// accepted is data that may stand for something that is not done yet: 202.
type accepted interface{ later() bool }

// baked is data that comes with a cookie, unless that is "".
type baked interface{ setCookie() string }

// answer is an envelope as huma sends it.
type answer[T any] struct {
	Status int
	Cache  string `header:"Cache-Control"`
	Cookie string `header:"Set-Cookie"`
	Body   envelope[T]
}

func success[T any](ctx context.Context, status int, message string, data *T) *answer[T] {
	if _, none := any(data).(*nothing); none {
		data = nil
	}
	body := envelope[T]{
		Version: "1.0", Success: true, Code: status, Message: message,
		RequestID: audit.FromContext(ctx).RequestID, Data: data,
	}
	if own, ok := any(data).(accepted); ok && own.later() {
		status, body.Code, body.Data = http.StatusAccepted, http.StatusAccepted, nil
	}
	if page, ok := any(data).(paged); ok && page.next() != "" {
		body.Meta = &meta{Next: page.next()}
	}
	if own, ok := any(data).(titled); ok && own.title() != "" {
		body.Message = own.title()
	}
	out := &answer[T]{Status: status, Cache: "no-store", Body: body}
	if own, ok := any(data).(baked); ok {
		out.Cookie = own.setCookie()
	}
	return out
}

// Failure is the envelope around an error.
type Failure struct {
	Version   string        `json:"version" example:"1.0"`
	Success   bool          `json:"success" example:"false"`
	Code      int           `json:"code" doc:"The HTTP status"`
	Message   string        `json:"message"`
	RequestID string        `json:"request_id" doc:"Give it to an administrator, who can look it up"`
	Problem   FailureDetail `json:"error"`

	retryAfter time.Duration
	challenge  string // for the header WWW-Authenticate
}

// FailureDetail is what is wrong, for programs.
type FailureDetail struct {
	Type    string              `json:"type" example:"VALIDATION_ERROR"`
	Details map[string][]string `json:"details" doc:"Sentences by the field they are about"`
}

// Error implements [error].
func (f *Failure) Error() string { return f.Message }

// GetStatus implements [huma.StatusError].
func (f *Failure) GetStatus() int { return f.Code }

// GetHeaders implements [huma.HeadersError].
func (f *Failure) GetHeaders() http.Header {
	h := http.Header{"Cache-Control": {"no-store"}}
	if f.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((f.retryAfter+time.Second-1)/time.Second)))
	}
	setChallenge(h, f)
	return h
}

// kinds gives each kind of fault its status and its type on the wire.
var kinds = map[fault.Kind]struct {
	status int
	name   string
}{
	fault.Invalid:         {http.StatusBadRequest, "VALIDATION_ERROR"},
	fault.Unauthenticated: {http.StatusUnauthorized, "AUTHENTICATION_ERROR"},
	fault.Forbidden:       {http.StatusForbidden, "AUTHORIZATION_ERROR"},
	fault.NotFound:        {http.StatusNotFound, "NOT_FOUND"},
	fault.Conflict:        {http.StatusConflict, "CONFLICT"},
	fault.RateLimited:     {http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED"},
	fault.Unavailable:     {http.StatusServiceUnavailable, "UNAVAILABLE"},
	fault.InDoubt:         {http.StatusGatewayTimeout, "IN_DOUBT"},
	fault.Internal:        {http.StatusInternalServerError, "INTERNAL_ERROR"},
}

// named are the codes that the contract gives a type, or a status, of their own.
var named = map[string]struct {
	status int
	name   string
}{
	"auth_required":             {http.StatusUnauthorized, "AUTH_REQUIRED"},
	"invalid_auth_format":       {http.StatusUnauthorized, "INVALID_AUTH_FORMAT"},
	"invalid_token":             {http.StatusUnauthorized, "INVALID_TOKEN"},
	"session_inactive":          {http.StatusUnauthorized, "SESSION_INACTIVE"},
	"reauthentication_required": {http.StatusForbidden, "REAUTHENTICATION_REQUIRED"},
	"code_required":             {http.StatusForbidden, "CODE_REQUIRED"},
	"mfa_compliance_required":   {http.StatusForbidden, "MFA_COMPLIANCE_REQUIRED"},
	"provider_not_linked":       {http.StatusBadRequest, "PROVIDER_NOT_LINKED"},
	"last_way_in":               {http.StatusBadRequest, "CANNOT_UNLINK_LAST"},
	"last_passkey":              {http.StatusBadRequest, "BAD_REQUEST"},
	"bad_request":               {http.StatusBadRequest, "BAD_REQUEST"},
	"unsupported_media_type":    {http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE"},
	"payload_too_large":         {http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE"},
	"method_not_allowed":        {http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED"},
}

// failure turns any error into what the caller sees; what is internal is
// logged and hidden.
func failure(ctx context.Context, err error) *Failure {
	requestID := audit.FromContext(ctx).RequestID
	f, ok := fault.In(ctx, err)
	switch {
	case ok && f.Kind == fault.Unavailable:
		slog.WarnContext(ctx, "request refused for now", "request_id", requestID, "err", err)
	case ok && f.Kind == fault.InDoubt:
		slog.ErrorContext(ctx, "the database was lost, and a change may have been made", "request_id", requestID, "err", err)
	case ok && f.Kind != fault.Internal:
	default:
		if !errors.Is(err, context.Canceled) {
			slog.ErrorContext(ctx, "request failed", "request_id", requestID, "err", err)
		}
		f = fault.New(fault.Internal, "internal", "Something went wrong on our side.")
	}
	out := &Failure{
		Version: "1.0", Code: kinds[f.Kind].status, Message: f.Message, RequestID: requestID,
		Problem: FailureDetail{Type: kinds[f.Kind].name, Details: f.Fields}, retryAfter: f.RetryAfter,
	}
	if e, ok := errors.AsType[*scopeError](err); ok {
		out.challenge = e.challenge()
	}
	if own, ok := named[f.Code]; ok {
		out.Code, out.Problem.Type = own.status, own.name
	}
	if out.Problem.Details == nil {
		out.Problem.Details = map[string][]string{}
	}
	return out
}

// WriteFault answers a request that no operation has answered.
func WriteFault(w http.ResponseWriter, r *http.Request, err error) {
	f := failure(r.Context(), err)
	h := w.Header()
	for name, values := range f.GetHeaders() {
		h[name] = values
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(f.Code)
	json.NewEncoder(w).Encode(f) //nolint:errcheck,errchkjson // the client has gone
}

// WriteData answers with data in the envelope, outside of any operation.
func WriteData(w http.ResponseWriter, r *http.Request, status int, message string, data any) {
	body := success(r.Context(), status, message, &data).Body
	body.Success = status < http.StatusBadRequest
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) //nolint:errcheck,errchkjson // the client has gone
}

// NotFound answers for paths of the API that lead nowhere.
func NotFound(w http.ResponseWriter, r *http.Request) {
	WriteFault(w, r, fault.New(fault.NotFound, "not_found", "Resource not found"))
}

// MethodNotAllowed answers for methods that a path of the API does not take.
func MethodNotAllowed(w http.ResponseWriter, r *http.Request) {
	WriteFault(w, r, fault.New(fault.Invalid, "method_not_allowed", "Method not allowed"))
}

// useEnvelope makes huma's own errors ours. huma keeps that in variables of
// its package, so it is done once per process.
var useEnvelope = sync.OnceFunc(func() {
	huma.ValidateStrictCasing = true // else "Email" beside "email" would win
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return fromHuma(context.Background(), status, message, errs)
	}
	huma.NewErrorWithContext = func(c huma.Context, status int, message string, errs ...error) huma.StatusError {
		return fromHuma(c.Context(), status, message, errs)
	}
})

// maxDetails is how many fields an answer says something about.
const maxDetails = 50

func fromHuma(ctx context.Context, status int, message string, errs []error) *Failure {
	details := map[string][]string{}
	for _, err := range errs {
		if d, ok := errors.AsType[*huma.ErrorDetail](err); ok && len(details) < maxDetails {
			name, sentence := fieldProblem(d)
			name = audit.Cut(name, maxName)
			details[name] = append(details[name], sentence)
		}
	}
	switch {
	case message == "cannot read request body": // which the sender broke off, or framed badly
		return failure(ctx, fault.New(fault.Invalid, "bad_request", "The body could not be read."))
	case status == http.StatusRequestEntityTooLarge:
		return failure(ctx, errTooLarge)
	case status == http.StatusUnsupportedMediaType:
		return failure(ctx, errMediaType)
	case status == http.StatusUnprocessableEntity:
		return failure(ctx, fault.Fields(details))
	case status == http.StatusBadRequest && len(errs) > 0:
		f := failure(ctx, fault.New(fault.Invalid, "bad_request", "The body could not be read: "+readable(errs)+"."))
		return f
	case status >= http.StatusInternalServerError:
		return failure(ctx, errors.New(message))
	}
	return failure(ctx, fault.New(fault.Invalid, "bad_request", sentence(message)))
}

// readable is the first of errs, cut to what is ours to say.
func readable(errs []error) string {
	text := errs[0].Error()
	if d, ok := errors.AsType[*huma.ErrorDetail](errs[0]); ok {
		text = d.Message
	}
	return strings.TrimPrefix(text, "body: ")
}

func sentence(text string) string {
	if text == "" {
		return "Bad request."
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

var (
	requiredProperty = regexp.MustCompile(`^expected required property (\S+) to be present`)
	minLength        = regexp.MustCompile(`^expected length >= (\d+)`)
	maxLength        = regexp.MustCompile(`^expected length <= (\d+)`)
)

// fieldProblem returns the field that a problem of validation is about, and
// the contract's sentence for it. Values are never repeated: they may be
// passwords.
func fieldProblem(d *huma.ErrorDetail) (field, problem string) {
	field = strings.TrimPrefix(strings.TrimPrefix(d.Location, "body"), ".")
	for _, prefix := range []string{"query.", "path.", "header."} {
		field = strings.TrimPrefix(field, prefix)
	}
	if found := requiredProperty.FindStringSubmatch(d.Message); found != nil {
		return strings.Trim(field+"."+found[1], "."), "Missing data for required field."
	}
	if field == "" {
		field = "_schema"
	}
	switch d.Message {
	case "unexpected property":
		return field, "Unknown field."
	case "expected string":
		return field, "Not a valid string."
	case "expected boolean":
		return field, "Not a valid boolean."
	case "expected integer", "expected number":
		return field, "Not a valid integer."
	case "expected object":
		return field, "Invalid input type."
	}
	if found := minLength.FindStringSubmatch(d.Message); found != nil {
		return field, "Shorter than minimum length " + found[1] + "."
	}
	if found := maxLength.FindStringSubmatch(d.Message); found != nil {
		return field, "Longer than maximum length " + found[1] + "."
	}
	return field, sentence(d.Message)
}
