package openid

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

// What the registry of clients refuses.
var (
	ErrClientTaken = fault.New(fault.Conflict, "client_taken", "A client with this client_id exists already.")
	ErrNoClient    = fault.New(fault.NotFound, "client_not_found", "There is no client with this client_id.")
	ErrForbidden   = fault.New(fault.Forbidden, "forbidden", "You may not do this.")
	errClientEnded = errors.New("openid: client disabled")
)

// NewClient describes a client to be registered, in the words of RFC 7591.
type NewClient struct {
	ClientID               string
	Secret                 string // "" makes a public client
	OrganizationID         string
	Name                   string
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	GrantTypes             []string
	Scopes                 []string
	ApplicationType        string // "web" or "native"
	RequirePKCE            bool
	AccessTokenLifetime    time.Duration
	RefreshTokenLifetime   time.Duration
	IDTokenLifetime        time.Duration
	LogoURI                string
	ClientURI              string
}

// CreateClient registers a client. [ErrClientTaken] if its client_id is in use.
func (p *Provider) CreateClient(ctx context.Context, by audit.Actor, in NewClient) (*storage.Client, error) {
	if by.Kind != audit.Operator {
		return nil, ErrForbidden
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	now := time.Now()
	c := &storage.Client{
		ID: storage.NewID(), ClientID: in.ClientID, Name: in.Name,
		OrganizationID: storage.Ref(in.OrganizationID),
		RedirectURIs:   in.RedirectURIs, PostLogoutRedirectURIs: in.PostLogoutRedirectURIs,
		GrantTypes: in.GrantTypes, ResponseTypes: []string{"code"}, Scopes: in.Scopes,
		ApplicationType: in.ApplicationType, IsActive: true,
		// RFC 9700, section 2.1.1: a public client has no other proof than PKCE.
		RequirePKCE:          in.RequirePKCE || in.Secret == "",
		IDTokenAlg:           "RS256",
		AccessTokenLifetime:  storage.Seconds(in.AccessTokenLifetime / time.Second),
		RefreshTokenLifetime: storage.Seconds(in.RefreshTokenLifetime / time.Second),
		IDTokenLifetime:      storage.Seconds(in.IDTokenLifetime / time.Second),
		LogoURI:              in.LogoURI, ClientURI: in.ClientURI,
		CreatedAt: storage.At(now), UpdatedAt: storage.At(now),
	}
	if in.Secret != "" {
		c.SecretHash = p.secretHash(in.Secret)
	}
	return c, p.db.Update(ctx, func(tx *storage.Tx) error {
		if err := tx.InsertClient(ctx, c); errors.Is(err, storage.ErrTaken) {
			return ErrClientTaken
		} else if err != nil {
			return fmt.Errorf("register client %s: %w", in.ClientID, err)
		}
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "client.create", TargetKind: "client", TargetID: in.ClientID, OrgID: in.OrganizationID,
		})
	})
}

// check says what is wrong with a registration.
func (in NewClient) check() error {
	problems := map[string][]string{}
	if !isClientID(in.ClientID) {
		problems["client_id"] = []string{"Use 3 to 128 letters, digits and the signs - . _ ~"}
	}
	if strings.TrimSpace(in.Name) == "" {
		problems["name"] = []string{"Missing data for required field."}
	}
	for _, uri := range slices.Concat(in.RedirectURIs, in.PostLogoutRedirectURIs) {
		if problem := redirectProblem(uri); problem != "" {
			problems["redirect_uris"] = append(problems["redirect_uris"], uri+": "+problem)
		}
	}
	for name, lifetime := range map[string]time.Duration{
		"access_token_lifetime": in.AccessTokenLifetime, "id_token_lifetime": in.IDTokenLifetime,
		"refresh_token_lifetime": in.RefreshTokenLifetime,
	} {
		if lifetime < time.Second {
			problems[name] = []string{"Must be at least one second."}
		}
	}
	return fault.Fields(problems)
}

func isClientID(id string) bool {
	return len(id) >= 3 && len(id) <= 128 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') &&
			!strings.ContainsRune("-._~", r)
	})
}

// redirectProblem says why a redirect URI may not be registered, or "".
func redirectProblem(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "" || strings.ContainsFunc(uri, outsideURI):
		return "not an absolute URI"
	case slices.Contains([]string{"javascript", "data", "vbscript", "file", "blob", "about"}, strings.ToLower(u.Scheme)):
		return "this scheme is dangerous"
	case strings.Contains(uri, "#"):
		return "a redirect URI has no fragment (RFC 6749, section 3.1.2)"
	case u.User != nil:
		return "a redirect URI names no user"
	case strings.ContainsAny(strings.Replace(uri, u.Host, "", 1), "*[]{}") || strings.ContainsAny(u.Host, "*{}"):
		return "patterns are not supported; register each URI"
	case (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() == "":
		return "the host is missing"
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "plain http is for localhost only"
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "the query cannot be read"
	}
	for name := range query {
		if slices.Contains([]string{"code", "state", "iss", "error"}, name) {
			return "the query holds " + name + ", which belongs to the answer"
		}
	}
	return ""
}

// outsideURI says whether a URI cannot hold r (RFC 3986, section 2). Any kind
// of white space would also split one stored URI into two.
func outsideURI(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }

func isLoopback(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "127.0.0.1" || host == "::1"
}

// secretHash is how a client's secret is kept: a keyed hash, since a chosen
// secret may be short and a slow hash would make every token call slow.
func (p *Provider) secretHash(secret string) string {
	return base64.RawURLEncoding.EncodeToString(p.db.MAC("client secret", secret))
}

// isSecret compares in constant time.
func (p *Provider) isSecret(c *storage.Client, secret string) bool {
	return subtle.ConstantTimeCompare([]byte(p.secretHash(secret)), []byte(c.SecretHash)) == 1
}

// usable is nil for a client that is enabled and whose organization is.
func (p *Provider) usable(ctx context.Context, r storage.Reader, c *storage.Client) error {
	if !c.IsActive {
		return errClientEnded
	}
	if c.OrganizationID == "" {
		return nil
	}
	o, err := r.Organization(ctx, string(c.OrganizationID))
	if err != nil {
		return err
	}
	if !o.IsActive {
		return errClientEnded
	}
	return nil
}

// Client returns the enabled client with a client_id. [ErrNoClient] if there
// is none.
func (p *Provider) Client(ctx context.Context, clientID string) (*storage.Client, error) {
	c, err := p.db.Client(ctx, clientID)
	if err == nil {
		err = p.usable(ctx, p.db.Reader, c)
	}
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, errClientEnded) {
		return nil, ErrNoClient
	}
	if err != nil {
		return nil, fmt.Errorf("look client %s up: %w", audit.Cut(clientID, 64), err)
	}
	return c, nil
}
