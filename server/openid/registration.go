package openid

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"authy/server/fault"
	"authy/server/registry"
	"authy/server/steady"
)

// Paths of the registration of clients: of all, and of one by its client_id.
const (
	RegistrationPath = "/oidc/register"
	RegisteredPath   = RegistrationPath + "/:client"
)

// registrationMetadata is where clients register themselves, if they may
// (OpenID Connect Discovery 1.0, section 3).
type registrationMetadata struct {
	RegistrationEndpoint string `json:"registration_endpoint,omitempty"`
}

func (p *Provider) registrationMetadata() (m registrationMetadata) {
	if p.Registers() {
		m.RegistrationEndpoint = p.Issuer + RegistrationPath
	}
	return m
}

// Registers says whether clients may register themselves at all.
func (p *Provider) Registers() bool { return p.clients.Dynamic.Enabled() }

// ServeRegistration registers a client as it describes itself (RFC 7591, OpenID
// Connect Dynamic Client Registration 1.0).
func (p *Provider) ServeRegistration(w http.ResponseWriter, r *http.Request) {
	keepNothing(w)
	token, problem := registrationToken(r)
	if problem != nil {
		writeBearer(w, problem)
		return
	}
	in, _, err := readMetadata(w, r)
	if err != nil {
		p.writeRegistrationError(w, r, err)
		return
	}
	made, err := p.clients.Enroll(r.Context(), actor(r.Context()), token, in)
	if err != nil {
		p.writeRegistrationError(w, r, err)
		return
	}
	out := p.metadataOf(made.Client, made.Token)
	out.ClientSecret = made.Secret
	if made.Secret != "" {
		out.ClientSecretExpiresAt = new(int64) // 0: it does not
	}
	writeJSON(w, http.StatusCreated, out)
}

// ServeRegistered lets the client that the path names read, change and delete
// what it has registered, with its registration access token (RFC 7592).
func (p *Provider) ServeRegistered(w http.ResponseWriter, r *http.Request) {
	keepNothing(w)
	token, problem := registrationToken(r)
	if problem == nil && token == "" {
		problem = &unauthorized
	}
	if problem != nil {
		writeBearer(w, problem)
		return
	}
	ctx, by, id := r.Context(), actor(r.Context()), strings.TrimPrefix(r.URL.Path, RegistrationPath+"/")
	var c *registry.Client
	var err error
	switch r.Method {
	case http.MethodDelete:
		if err = p.clients.DeleteOwn(ctx, by, id, token); err == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
	case http.MethodPut:
		c, token, err = p.reregister(w, r, id, token)
	default:
		c, err = p.clients.Own(ctx, by, id, token)
	}
	if err != nil {
		p.writeRegistrationError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, p.metadataOf(c, token))
}

// reregister has a client be as it describes itself now, and returns its next token (RFC
// 7592, sections 2.2 and 3).
func (p *Provider) reregister(
	w http.ResponseWriter, r *http.Request, id, token string,
) (c *registry.Client, next string, err error) {
	ctx := r.Context()
	c, err = p.clients.OwnToChange(ctx, actor(ctx), id, token) // before its body is read
	if err != nil {
		return nil, "", err
	}
	in, sent, err := readMetadata(w, r)
	if err != nil {
		return nil, "", err
	}
	isSecret := sent.ClientSecret == ""
	if !isSecret {
		if isSecret, err = p.clients.IsSecret(ctx, actor(ctx), c, sent.ClientSecret, steady.Now()); err != nil {
			return nil, "", err
		}
	}
	switch {
	case sent.ClientID != c.ClientID:
		return nil, "", &metadataError{"client_id", "it must be the client's own"}
	case !isSecret:
		return nil, "", &metadataError{"client_secret", "it is not the client's own: no client chooses its secret"}
	case sent.ClientSecretExpiresAt != nil, sent.ClientIDIssuedAt != 0,
		sent.RegistrationAccessToken != "", sent.RegistrationClientURI != "":
		return nil, "", &metadataError{"registration_access_token", "what the server alone decides on must not be sent"}
	}
	changed, err := p.clients.ChangeOwn(ctx, actor(ctx), id, token, in)
	if err != nil {
		return nil, "", err
	}
	return changed.Client, changed.Token, nil
}

var unauthorized = problem{status: http.StatusUnauthorized}

// registrationToken returns the token of a request, "" for none
// (RFC 6750, section 2.1).
func registrationToken(r *http.Request) (string, *problem) {
	header := r.Header.Values("Authorization")
	if len(header) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(header[0], " ")
	if len(header) > 1 || !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(token) == "" || !isText(token) {
		return "", &problem{http.StatusUnauthorized, "invalid_token", "the Authorization header is not a Bearer token"}
	}
	return strings.TrimSpace(token), nil
}

// metadataError is what is wrong with a description before it means anything.
type metadataError struct{ field, text string }

// Error implements [error].
func (e *metadataError) Error() string { return strings.TrimPrefix(e.field+": "+e.text, ": ") }

var (
	errMetadataType  = errors.New("the body must be application/json")
	errMetadataSize  = errors.New("the body is larger than 64 KiB")
	errMetadataState = errors.New("software statements are not accepted")
)

// readMetadata reads how a client describes itself.
func readMetadata(w http.ResponseWriter, r *http.Request) (in registry.Registration, sent clientMetadata, err error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	if err != nil || kind != "application/json" || charset != "" && charset != "utf-8" {
		return in, sent, errMetadataType
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, registry.MaxDocument))
	if err != nil {
		return in, sent, errMetadataSize
	}
	if sent, err = parseMetadata(body); err != nil {
		return in, sent, err
	}
	in, err = sent.registration()
	return in, sent, err
}

// writeRegistrationError answers as RFC 7591, section 3.2.2 says.
func (p *Provider) writeRegistrationError(w http.ResponseWriter, r *http.Request, err error) {
	const invalid = "invalid_client_metadata"
	if problem, ok := errors.AsType[*metadataError](err); ok {
		writeOAuth(w, http.StatusBadRequest, invalid, ascii(problem.Error()))
		return
	}
	f, isFault := fault.In(r.Context(), err)
	switch {
	case errors.Is(err, errMetadataType):
		writeOAuth(w, http.StatusUnsupportedMediaType, invalid, err.Error())
	case errors.Is(err, errMetadataSize):
		writeOAuth(w, http.StatusRequestEntityTooLarge, invalid, err.Error())
	case errors.Is(err, errMetadataState):
		writeOAuth(w, http.StatusBadRequest, "invalid_software_statement", err.Error())
	case !isFault, f.Kind == fault.InDoubt:
		writeInternal(w, r, err)
	case errors.Is(err, registry.ErrDynamicToken) && r.Header.Get("Authorization") == "":
		writeBearer(w, &unauthorized)
	case errors.Is(err, registry.ErrDynamicToken):
		writeBearer(w, &problem{http.StatusUnauthorized, "invalid_token", "the token is not good for this"})
	case f.Kind == fault.Forbidden:
		writeOAuth(w, http.StatusForbidden, "access_denied", f.Message)
	case f.Kind == fault.Conflict:
		writeOAuth(w, http.StatusConflict, invalid, f.Message)
	case f.Kind == fault.RateLimited, f.Kind == fault.Unavailable:
		w.Header().Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
		writeLater(w, f)
	case f.Fields["redirect_uris"] != nil:
		writeOAuth(w, http.StatusBadRequest, "invalid_redirect_uri", problemsOf(f))
	default:
		writeOAuth(w, http.StatusBadRequest, invalid, problemsOf(f))
	}
}

// problemsOf is what is wrong with each member, by its name in RFC 7591.
func problemsOf(f *fault.Error) string {
	named := *f
	named.Fields = maps.Clone(f.Fields)
	for name, member := range map[string]string{"name": "client_name", "scopes": "scope"} {
		if problems, ok := named.Fields[name]; ok {
			named.Fields[member] = append(problems, named.Fields[member]...)
			delete(named.Fields, name)
		}
	}
	return ascii(named.Error())
}

// ascii is text as an error_description may hold it (RFC 6749, section 5.2).
func ascii(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, text)
}

// writeLater tells when to try again, as the header says it.
func writeLater(w http.ResponseWriter, f *fault.Error) {
	status := http.StatusServiceUnavailable
	if f.Kind == fault.RateLimited {
		status = http.StatusTooManyRequests
	}
	writeJSON(w, status, map[string]string{"error": "temporarily_unavailable", "error_description": f.Message})
}

// keepNothing keeps an answer out of every cache.
func keepNothing(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.Encode(v) //nolint:errcheck // the client has gone
}
