package openid

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/registry"
)

// maxForm is the largest body an endpoint reads, in bytes.
const maxForm = 64 << 10

// ServeClient answers the endpoints at which clients authenticate: token,
// revocation and introspection. The router has seen to the method; this checks
// what the library does not (type, size and repetition of parameters, where
// they come from, one way to authenticate) before it reads anything.
func (p *Provider) ServeClient(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Cache-Control"], h["Pragma"] = noStore, noCache // RFC 6749, section 5.1
	p.offerNonce(h, r.Header)
	if problem := readForm(w, r); problem != nil {
		writeOAuth(w, problem.status, problem.code, problem.text)
		return
	}
	sent, problem := presented(r.Header, r.PostForm, r.URL.Path)
	if problem != nil {
		writeOAuth(w, problem.status, problem.code, problem.text)
		return
	}
	// The library tells a client without a grant that it may not use it, also
	// where nobody may.
	if grant := r.PostForm.Get("grant_type"); grant != "" && !has(registry.GrantTypes, grant) {
		writeOAuth(w, http.StatusBadRequest, "unsupported_grant_type", "this server does not know the grant_type")
		return
	}
	if r.URL.Path == IntrospectionPath {
		p.serveIntrospection(challenged{w}, r, sent)
		return
	}
	if r.URL.Path == TokenPath && r.PostForm.Get("grant_type") == clientCredentials {
		p.serveClientToken(challenged{w}, r, sent)
		return
	}
	p.endpoints.ServeHTTP(challenged{w}, r)
}

// problem is why a request is refused before it is looked at.
type problem struct {
	status     int
	code, text string
}

// repeatable are the parameters that may appear more than once (RFC 8707,
// section 2; RFC 8693, section 2.1).
var repeatable = []string{"resource", "audience"}

const formType = "application/x-www-form-urlencoded"

// isForm says whether a Content-Type is that of a form, with whatever parameters.
func isForm(contentType string) bool {
	if contentType == formType {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == formType
}

// maxAhead is for how long a body memory is taken before it has come, in bytes.
const maxAhead = 4 << 10

// readBody reads the body of a request, of maxForm bytes at most.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength < 0 || r.ContentLength > maxAhead {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

// readForm parses a form from the body and nowhere else.
func readForm(w http.ResponseWriter, r *http.Request) *problem {
	if !isForm(r.Header.Get("Content-Type")) {
		return &problem{
			http.StatusUnsupportedMediaType, "invalid_request",
			"the body must be application/x-www-form-urlencoded",
		}
	}
	// Credentials in a URL end up in logs; the query is not read at all.
	r.URL.RawQuery = ""
	body, err := readBody(w, r)
	if err != nil {
		return &problem{http.StatusRequestEntityTooLarge, "invalid_request", "the body is larger than 64 KiB"}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return &problem{http.StatusBadRequest, "invalid_request", "the body is not a valid form"}
	}
	for name, values := range form {
		switch {
		case len(values) > 1 && !has(repeatable, name):
			return &problem{
				http.StatusBadRequest, "invalid_request",
				"the parameter " + audit.Cut(name, 64) + " appears more than once",
			}
		case slices.ContainsFunc(values, func(v string) bool { return !registry.IsPlain(v) }):
			return &problem{
				http.StatusBadRequest, "invalid_request",
				"the parameter " + audit.Cut(name, 64) + " is not plain text",
			}
		}
	}
	r.Form, r.PostForm = form, form
	return nil
}

// challenged adds to a 401 how to authenticate (RFC 6749, section 5.2), and to
// a 429 and a 503 when to try again.
type challenged struct{ http.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (c challenged) WriteHeader(status int) {
	switch status {
	case http.StatusUnauthorized:
		c.Header().Set("WWW-Authenticate", `Basic realm="authy"`)
	case http.StatusTooManyRequests:
		if c.Header().Get("Retry-After") == "" {
			c.Header().Set("Retry-After", strconv.Itoa(int(secretRule.Window/time.Second)))
		}
	case http.StatusServiceUnavailable:
		c.Header().Set("Retry-After", "1")
	}
	c.ResponseWriter.WriteHeader(status)
}

// writeOAuth writes an error of RFC 6749, section 5.2.
func writeOAuth(w http.ResponseWriter, status int, code, description string) {
	w.Header()["Content-Type"] = jsonType
	w.Header().Set("Cache-Control", "no-store")
	challenged{w}.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{ //nolint:errcheck,errchkjson // the client has gone
		"error": code, "error_description": description,
	})
}

// internal logs what went wrong on our side and returns what the client gets
// to see of it.
func internal(ctx context.Context, err error) error {
	status, code, text := explainInternal(ctx, err)
	answer := oidc.ErrServerError()
	if code == unavailable {
		answer.ErrorType = unavailable
	}
	return op.NewStatusError(answer.WithDescription("%s", text), status)
}

func writeInternal(w http.ResponseWriter, r *http.Request, err error) {
	status, code, text := explainInternal(r.Context(), err)
	writeOAuth(w, status, code, text)
}

// unavailable is the error code for what goes away by itself (RFC 6749, section 4.1.2.1).
const unavailable = "temporarily_unavailable"

// explainInternal logs what went wrong on our side. Of what goes away by itself a
// client is told to come again.
func explainInternal(ctx context.Context, err error) (status int, code, text string) {
	id := actor(ctx).RequestID
	f, is := fault.In(ctx, err)
	switch {
	case is && f.Kind == fault.Unavailable:
		slog.WarnContext(ctx, "openid request not served", "request_id", id, "err", err)
		return http.StatusServiceUnavailable, unavailable, f.Message
	case is && f.Kind == fault.InDoubt:
		slog.ErrorContext(ctx, "the database was lost, and a change may have been made", "request_id", id, "err", err)
		return http.StatusGatewayTimeout, unavailable, f.Message
	}
	if errors.Is(err, context.Canceled) {
		slog.DebugContext(ctx, "client went away", "request_id", id)
	} else {
		slog.ErrorContext(ctx, "openid request failed", "request_id", id, "err", err)
	}
	return http.StatusInternalServerError, "server_error", "Something went wrong on our side. Reference: " + id
}

// bearer returns the access token of a request (RFC 6750, section 2), from the
// header or, in a POST, from the form; never from the URL.
func bearer(w http.ResponseWriter, r *http.Request) (string, *problem) {
	if r.URL.RawQuery != "" && r.URL.Query().Has("access_token") {
		return "", &problem{http.StatusBadRequest, "invalid_request", "the access token must not be in the URL"}
	}
	header := r.Header.Values("Authorization")
	var inForm []string
	if r.Method == http.MethodPost && r.ContentLength != 0 {
		if problem := readForm(w, r); problem != nil && len(header) == 0 {
			return "", problem
		}
		inForm = r.PostForm["access_token"]
	}
	switch {
	case len(header) > 1, len(header) == 1 && len(inForm) > 0:
		return "", &problem{http.StatusBadRequest, "invalid_request", "send the access token in one way"}
	case len(inForm) == 1:
		return inForm[0], nil
	case len(header) == 0:
		return "", &problem{status: http.StatusUnauthorized}
	}
	scheme, token, _ := strings.Cut(header[0], " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, proofToken) || slices.Contains([]string{"", " "}, token) {
		return "", &problem{http.StatusUnauthorized, "invalid_token", "the Authorization header is not a Bearer token"}
	}
	return strings.TrimSpace(token), nil
}

// writeBearer writes an error of RFC 6750, section 3. Without a token there is
// no error code.
func writeBearer(w http.ResponseWriter, p *problem) {
	challenge := `Bearer realm="authy"`
	if p.code != "" {
		challenge += `, error="` + p.code + `", error_description="` + p.text + `"`
	}
	h := w.Header()
	h.Set("WWW-Authenticate", challenge)
	if p.code == "" {
		h.Add("WWW-Authenticate", dpopChallenge)
	}
	h.Set("Cache-Control", "no-store")
	h["Content-Type"] = jsonType
	w.WriteHeader(p.status)
	if p.code == "" {
		p = &problem{p.status, "invalid_token", "an access token is required"}
	}
	json.NewEncoder(w).Encode(map[string]string{ //nolint:errcheck,errchkjson // the client has gone
		"error": p.code, "error_description": p.text,
	})
}
