package openid

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
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
	ErrNoSecret    = fault.New(fault.Conflict, "public_client", "A public client has no secret.")
	errClientEnded = errors.New("openid: client disabled")
)

// Client is a registered client.
type Client = storage.Client

// NewClient describes a client to be registered, in the words of RFC 7591, and
// what can be changed of one that is.
type NewClient struct {
	ClientID               string // stays as it is
	Secret                 string // "" makes a public client; see [Provider.RotateSecret]
	OrganizationID         string // stays as it is
	Name                   string
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	GrantTypes             []string
	Scopes                 []string
	ApplicationType        string // "web", also if it is "", or "native"
	RequirePKCE            bool
	// SkipConsent lets the client have what it asks for without asking its
	// users: for applications of whoever runs the server, who alone sets it.
	SkipConsent bool
	Disabled    bool
	// Allowed says who may use the client: [AllowEveryone], also if it is
	// empty, [AllowOrganization], or roles, each after [AllowRole].
	Allowed              []string
	AccessTokenLifetime  time.Duration
	RefreshTokenLifetime time.Duration
	IDTokenLifetime      time.Duration
	LogoURI              string
	ClientURI            string
	PolicyURI            string
	TOSURI               string
}

// ClientDefaults describes a client of which nothing is known yet.
func ClientDefaults() NewClient {
	return NewClient{
		GrantTypes:      []string{"authorization_code", "refresh_token"},
		Scopes:          []string{"openid", "profile", "email", "offline_access"},
		ApplicationType: "web", RequirePKCE: true, Allowed: []string{AllowEveryone},
		AccessTokenLifetime: time.Hour, RefreshTokenLifetime: 30 * 24 * time.Hour, IDTokenLifetime: time.Hour,
	}
}

// CreateClient registers a client as it is described, for an operator.
// [ErrClientTaken] if its client_id is in use.
func (p *Provider) CreateClient(ctx context.Context, by audit.Actor, in NewClient) (*Client, error) {
	if by.Kind != audit.Operator {
		return nil, ErrForbidden
	}
	return p.register(ctx, by, in)
}

// RegisterClient registers a client and returns it with its secret, which is
// not kept. A client_id that is missing is made, and a secret too, unless the
// client is public. Those who manage an organization register its clients;
// operators alone choose client_ids, secrets and who skips consent, since
// client_ids are the whole server's. [ErrClientTaken] if the client_id is in use.
func (p *Provider) RegisterClient(
	ctx context.Context, by audit.Actor, in NewClient, public bool,
) (c *Client, secret string, err error) {
	if by.Kind != audit.Operator && (in.ClientID != "" || in.Secret != "" || in.SkipConsent) {
		return nil, "", ErrForbidden
	}
	switch {
	case public && in.Secret != "":
		return nil, "", ErrNoSecret
	case !public && in.Secret == "":
		in.Secret = newSecret()
	}
	if in.ClientID == "" {
		in.ClientID = strings.ToLower(rand.Text())
	}
	if c, err = p.register(ctx, by, in); err != nil {
		return nil, "", err
	}
	warnOfRelaxations(ctx, c)
	return c, in.Secret, nil
}

func (p *Provider) register(ctx context.Context, by audit.Actor, in NewClient) (*Client, error) {
	now := time.Now()
	c := &Client{
		ID: storage.NewID(), ClientID: in.ClientID, OrganizationID: storage.Ref(in.OrganizationID),
		ResponseTypes: []string{"code"}, IDTokenAlg: "RS256", CreatedAt: storage.At(now),
	}
	if in.Secret != "" {
		c.SecretHash = p.secretHash(in.Secret)
	}
	if len(in.Allowed) == 0 {
		in.Allowed = []string{AllowEveryone}
	}
	in = in.normal()
	in.writeTo(c, now)
	err := p.db.Update(ctx, func(tx *storage.Tx) error {
		if err := p.mayManage(ctx, tx.Reader, by, in.OrganizationID); err != nil {
			return err
		}
		if err := in.checkNew(); err != nil {
			return err
		}
		if err := tx.InsertClient(ctx, c); errors.Is(err, storage.ErrTaken) {
			return ErrClientTaken
		} else if err != nil {
			return fmt.Errorf("register client %s: %w", in.ClientID, err)
		}
		return audit.Record(ctx, tx, by, now, clientEvent("client.created", c, relaxations(c)))
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// writeTo writes what can be changed to the record of a client.
func (in NewClient) writeTo(c *Client, now time.Time) {
	c.Name, c.ApplicationType, c.IsActive, c.SkipConsent = in.Name, in.ApplicationType, !in.Disabled, in.SkipConsent
	c.RedirectURIs, c.PostLogoutRedirectURIs = in.RedirectURIs, in.PostLogoutRedirectURIs
	c.GrantTypes, c.Scopes, c.Allowed = in.GrantTypes, in.Scopes, in.Allowed
	// RFC 9700, section 2.1.1: a public client has no other proof than PKCE.
	c.RequirePKCE = in.RequirePKCE || c.SecretHash == ""
	c.AccessTokenLifetime = storage.Seconds(in.AccessTokenLifetime / time.Second)
	c.RefreshTokenLifetime = storage.Seconds(in.RefreshTokenLifetime / time.Second)
	c.IDTokenLifetime = storage.Seconds(in.IDTokenLifetime / time.Second)
	c.LogoURI, c.ClientURI, c.PolicyURI, c.TOSURI = in.LogoURI, in.ClientURI, in.PolicyURI, in.TOSURI
	c.UpdatedAt = storage.At(now)
}

// describe is the reverse of writeTo.
func describe(c *Client) NewClient {
	return NewClient{
		ClientID: c.ClientID, OrganizationID: string(c.OrganizationID), Name: c.Name,
		RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs,
		GrantTypes: c.GrantTypes, Scopes: c.Scopes, ApplicationType: c.ApplicationType,
		RequirePKCE: c.RequirePKCE, SkipConsent: c.SkipConsent, Disabled: !c.IsActive, Allowed: c.Allowed,
		AccessTokenLifetime:  c.AccessTokenLifetime.Duration(),
		RefreshTokenLifetime: c.RefreshTokenLifetime.Duration(),
		IDTokenLifetime:      c.IDTokenLifetime.Duration(),
		LogoURI:              c.LogoURI, ClientURI: c.ClientURI, PolicyURI: c.PolicyURI, TOSURI: c.TOSURI,
	}
}

// clientEvent is an event about a client.
func clientEvent(action string, c *Client, details map[string]string) audit.Event {
	return audit.Event{
		Action: action, TargetKind: "client", TargetID: c.ClientID, OrgID: string(c.OrganizationID), Details: details,
	}
}

// relaxations names the protections that a client does without.
func relaxations(c *Client) map[string]string {
	var names []string
	if !c.RequirePKCE {
		names = append(names, "pkce")
	}
	if c.SkipConsent {
		names = append(names, "consent")
	}
	if names == nil {
		return nil
	}
	return map[string]string{"relaxed": strings.Join(names, " ")}
}

func warnOfRelaxations(ctx context.Context, c *Client) {
	if relaxed := relaxations(c)["relaxed"]; relaxed != "" {
		slog.WarnContext(ctx, "a client does without a protection", "client_id", c.ClientID, "relaxed", relaxed)
	}
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
