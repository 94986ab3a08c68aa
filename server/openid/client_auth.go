package openid

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/keyset"
	"authy/server/limit"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

// authMetadata says how clients may authenticate (RFC 8414, section 2).
type authMetadata struct {
	TokenAuthMethods         []string `json:"token_endpoint_auth_methods_supported"`
	RevocationAuthMethods    []string `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	TokenAuthAlgs            []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuthAlgs       []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuthAlgs    []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
}

func newAuthMetadata() authMetadata {
	algs := slices.Concat(keyset.Signatures, keyset.MACs)
	private := slices.DeleteFunc(slices.Clone(registry.AuthMethods), func(m string) bool { return m == registry.AuthNone })
	return authMetadata{registry.AuthMethods, registry.AuthMethods, private, algs, algs, algs}
}

// credentials are what a client has sent to prove who it is.
type credentials struct {
	method    string // of sending a secret, or registry.AuthNone; "" for an assertion
	id        string // "" where only the assertion says it
	secret    string
	assertion string
	endpoint  string // the path at which they were sent
}

// unproven is the answer to a client that has sent no credentials which could be looked at.
var unproven = &problem{http.StatusUnauthorized, "invalid_client", "client authentication is required"}

// presented returns the credentials of a request, which has to come with exactly one kind
// (RFC 6749, section 2.3).
func presented(header http.Header, form url.Values, endpoint string) (*credentials, *problem) {
	sent := &credentials{method: registry.AuthNone, id: form.Get("client_id"), endpoint: endpoint}
	asserts := form.Has("client_assertion") || form.Has("client_assertion_type")
	switch basic := len(header["Authorization"]) > 0; {
	case basic && (asserts || form.Has("client_secret")), asserts && form.Has("client_secret"):
		return nil, &problem{http.StatusBadRequest, "invalid_request", "use one method of client authentication"}
	case basic:
		return sent.basic(header)
	case asserts:
		sent.method, sent.assertion = "", form.Get("client_assertion")
		if form.Get("client_assertion_type") != oidc.ClientAssertionTypeJWTAssertion || sent.assertion == "" {
			return nil, &problem{
				http.StatusUnauthorized, "invalid_client",
				"the client_assertion is missing, or its client_assertion_type is not " + oidc.ClientAssertionTypeJWTAssertion,
			}
		}
	case sent.id == "":
		return nil, unproven
	case form.Get("client_secret") != "":
		sent.method, sent.secret = registry.AuthPost, form.Get("client_secret")
	case endpoint == IntrospectionPath: // RFC 7662, section 2.1: it has no public clients
		return nil, unproven
	}
	return sent, nil
}

// basic completes credentials by those of HTTP Basic.
func (c *credentials) basic(header http.Header) (*credentials, *problem) {
	id, secret, ok := (&http.Request{Header: header}).BasicAuth()
	if !ok || len(header["Authorization"]) > 1 {
		return nil, unproven
	}
	name, err := url.QueryUnescape(id)
	if err != nil || !isText(name) || name == "" {
		return nil, unproven
	}
	if c.secret, err = url.QueryUnescape(secret); err != nil {
		return nil, unproven
	}
	if c.id != "" && c.id != name {
		return nil, &problem{
			http.StatusBadRequest, "invalid_request",
			"the client_id in the body is not the one of HTTP Basic",
		}
	}
	c.id = name
	switch {
	case c.secret != "":
		c.method = registry.AuthBasic
	case c.endpoint == IntrospectionPath:
		return nil, unproven
	default: // no secret is an empty one (RFC 6749, section 2.3.1): a public client says who it is
		c.method = registry.AuthNone
	}
	return c, nil
}

// authenticate returns the client that has sent the credentials. Any error is one that the
// client may be told.
func (p *Provider) authenticate(ctx context.Context, sent *credentials) (*storage.Client, error) {
	if sent.method == "" {
		return p.authenticateByAssertion(ctx, sent)
	}
	return p.proven(ctx, sent.id, func(c *storage.Client) (reason string, err error) {
		switch {
		case registry.IsPublic(c) && sent.secret != "":
			return "secret_of_public_client", nil
		case !isMethodOf(c, sent.method):
			return "wrong_method", nil
		case registry.IsPublic(c):
			return "", nil
		}
		ok, err := p.clients.IsSecret(ctx, actor(ctx), c, sent.secret, steady.Now())
		if !ok {
			reason = "wrong_secret"
		}
		return reason, err
	})
}

// proven returns the client that someone says to be, if they may still try to prove it and
// nothing speaks against it. What this node remembers refuses nobody: another may have given
// the client the secret that was sent, a moment ago.
func (p *Provider) proven(
	ctx context.Context, clientID string, against func(c *storage.Client) (reason string, err error),
) (*storage.Client, error) {
	if err := p.mayGuess(ctx, clientID); err != nil {
		return nil, err
	}
	reason := "unknown_client"
	var refused *storage.Client
	for _, look := range []func(context.Context, string) (*storage.Client, error){p.clients.Client, p.clients.StoredClient} {
		c, err := look(ctx, clientID)
		switch {
		case errors.Is(err, registry.ErrNoClient):
			continue
		case err != nil:
			return nil, internal(ctx, err)
		case reflect.DeepEqual(c, refused):
			continue
		}
		if reason, err = against(c); err != nil {
			return nil, internal(ctx, err)
		}
		if reason == "" {
			return c, nil
		}
		refused = c
	}
	return nil, p.clientRefused(ctx, clientID, reason)
}

// isMethodOf says whether a client authenticates by method: the one it has registered, or,
// if it has registered none, its secret in either way.
func isMethodOf(c *storage.Client, method string) bool {
	if c.AuthMethod == "" {
		return method == registry.AuthBasic || method == registry.AuthPost
	}
	return c.AuthMethod == method
}

// secretRule is how often the authentication of a client may fail from one
// address. Others that are that client, elsewhere, do not feel it.
var secretRule = limit.Rule{Name: "client-address", Most: 30, Window: 15 * time.Minute}

// guesser is who guesses the secret of a client, which need not exist.
func guesser(ctx context.Context, clientID string) string {
	if len(clientID) > maxCounted {
		clientID = storage.Hash(clientID)
	}
	return clientID + ":" + limit.Network(actor(ctx).IPAddress)
}

// maxCounted is how long a client_id may be that stands for itself where failures are
// counted, in bytes.
const maxCounted = 64

// mayGuess refuses a guesser who has failed too often.
func (p *Provider) mayGuess(ctx context.Context, clientID string) error {
	err := p.Limits.Spent(ctx, secretRule, guesser(ctx, clientID))
	if _, many := fault.As(err); many {
		return op.NewStatusError(oidc.ErrInvalidClient().
			WithDescription("too many attempts, try again later"), http.StatusTooManyRequests)
	}
	return err
}

// clientRefused records a failed client authentication and returns the one
// answer to all of them.
func (p *Provider) clientRefused(ctx context.Context, clientID, reason string) error {
	if err := p.Limits.Failed(ctx, secretRule, guesser(ctx, clientID)); err != nil {
		return internal(ctx, err)
	}
	by, now := actor(ctx), steady.Now()
	err := p.db.Update(ctx, func(tx *storage.Tx) error {
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "client.auth_failed", Failed: true, Reason: reason,
			TargetKind: "client", TargetID: audit.Cut(clientID, 128),
		})
	})
	if err != nil {
		return internal(ctx, err)
	}
	return errClientAuth
}

// errClientAuth is RFC 6749, section 5.2: 401 and WWW-Authenticate.
var errClientAuth = op.NewStatusError(
	oidc.ErrInvalidClient().WithDescription("client authentication failed"), http.StatusUnauthorized)
