// Package registry keeps the OpenID clients: who registers and changes them, what
// a registration may say, who may use which. It refuses to know what they ask for
// at the endpoints: that is server/openid.
//
// Read registry.go, then check.go, redirect.go and response.go (what a registration may say),
// secret.go, access.go, list.go.
package registry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/outbound"
	"authy/server/steady"
	"authy/storage"
)

// What the registry refuses.
var (
	ErrTaken     = fault.New(fault.Conflict, "client_taken", "A client with this client_id exists already.")
	ErrNoClient  = fault.New(fault.NotFound, "client_not_found", "There is no client with this client_id.")
	ErrForbidden = fault.New(fault.Forbidden, "forbidden", "You may not do this.")
	ErrNoSecret  = fault.New(fault.Conflict, "public_client", "This client has no secret.")
	ErrDisabled  = errors.New("registry: client disabled")
)

// Service is the registry.
type Service struct {
	// Dynamic says whether clients may register themselves.
	Dynamic DynamicPolicy
	// Implicit lets clients of the profile [Legacy] be registered for tokens that
	// come in the answer to an authorization request.
	Implicit bool
	// Outbound asks for the documents that a registration names; nil asks nobody.
	Outbound *outbound.Client
	// Hasher compares the secrets of clients that came from another server.
	Hasher *account.Hasher
	db     *storage.DB
	// vouched says that sectors have been looked at: see [Service.In].
	vouched bool
}

// New returns the registry that db keeps.
func New(db *storage.DB) *Service { return &Service{db: db} }

// In returns s over the database of a transaction that it takes part in
// ([storage.DB.In]). Nothing may be asked for there: the caller has called
// [Service.CheckSector] for every client that names a sector.
func (s *Service) In(db *storage.DB) *Service {
	in := *s
	in.db, in.vouched = db, true
	return &in
}

// Client is a registered client.
type Client = storage.Client

// Options is what a client has registered beyond its first fields.
type Options = storage.ClientOptions

// Registration describes a client to be registered, in the words of RFC 7591, and
// what can be changed of one that is.
type Registration struct {
	ClientID               string // stays as it is
	Secret                 string // "" for a client without; see [Service.RotateSecret]
	OrganizationID         string // stays as it is
	Name                   string
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	GrantTypes             []string
	ResponseTypes          []string // nil for those that the client has and its grants leave it
	Scopes                 []string
	ApplicationType        string // "web", also if it is "", or "native"
	// AuthMethod is how the client authenticates: "" by its secret, in either
	// way, if it has one; else a token_endpoint_auth_method.
	AuthMethod  string
	IDTokenAlg  string // "" for RS256
	RequirePKCE bool   // others than those of profile [Legacy] always need it
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
	Options              Options
}

// Defaults describes a client of which nothing is known yet.
func Defaults() Registration {
	return Registration{
		GrantTypes:      []string{"authorization_code", "refresh_token"},
		Scopes:          []string{"openid", "profile", "email", "offline_access"},
		ApplicationType: "web", RequirePKCE: true, Allowed: []string{AllowEveryone},
		AccessTokenLifetime: time.Hour, RefreshTokenLifetime: 30 * 24 * time.Hour, IDTokenLifetime: time.Hour,
	}
}

// Create registers a client as it is described, for an operator.
// [ErrTaken] if its client_id is in use.
func (s *Service) Create(ctx context.Context, by audit.Actor, in Registration) (*Client, error) {
	if by.Kind != audit.Operator {
		return nil, ErrForbidden
	}
	return s.add(ctx, by, in)
}

// Register registers a client and returns it with its secret, which is
// not kept. A client_id that is missing is made, and a secret too, unless the
// client is public or signs with a key. Those who manage an organization register its clients;
// operators alone choose client_ids, secrets and who skips consent, since
// client_ids are the whole server's. [ErrTaken] if the client_id is in use.
func (s *Service) Register(
	ctx context.Context, by audit.Actor, in Registration, public bool,
) (c *Client, secret string, err error) {
	if by.Kind != audit.Operator && (in.ClientID != "" || in.Secret != "" || in.SkipConsent) {
		return nil, "", ErrForbidden
	}
	if public && in.AuthMethod != "" && in.AuthMethod != AuthNone {
		return nil, "", fault.Field("token_endpoint_auth_method", "A public client does not authenticate.")
	}
	if public {
		in.AuthMethod = AuthNone
	}
	switch secret := hasSecret(in.AuthMethod); {
	case !secret && in.Secret != "":
		return nil, "", ErrNoSecret
	case secret && in.Secret == "":
		in.Secret = newSecret()
	}
	if in.ClientID == "" {
		in.ClientID = strings.ToLower(rand.Text())
	}
	if c, err = s.add(ctx, by, in); err != nil {
		return nil, "", err
	}
	warnOfRelaxations(ctx, c)
	return c, in.Secret, nil
}

func (s *Service) add(ctx context.Context, by audit.Actor, in Registration) (*Client, error) {
	if err := s.mayManage(ctx, s.db.Reader, by, in.OrganizationID); err != nil {
		return nil, err
	}
	now := steady.Now()
	c, err := s.draft(ctx, in, now)
	if err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := s.mayManage(ctx, tx.Reader, by, in.OrganizationID); err != nil {
			return err
		}
		if err := mayLetExchange(ctx, tx.Reader, by, Options{}, c.Options); err != nil {
			return err
		}
		return insert(ctx, tx, by, now, c, clientEvent("client.created", c, withRelaxed(nil, c)))
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// draft returns the record of a client that is described, checked and not kept.
func (s *Service) draft(ctx context.Context, in Registration, now time.Time) (*Client, error) {
	c := &Client{
		ID: storage.NewID(), ClientID: in.ClientID, OrganizationID: storage.Ref(in.OrganizationID),
		CreatedAt: storage.At(now),
	}
	if in.Secret == "" && in.AuthMethod == "" {
		in.AuthMethod = AuthNone
	}
	if len(in.Allowed) == 0 {
		in.Allowed = []string{AllowEveryone}
	}
	in = in.normal()
	if err := in.checkNew(); err != nil {
		return nil, err
	}
	if err := s.checkImplicit(Registration{}, in); err != nil {
		return nil, err
	}
	if err := s.checkSector(ctx, in); err != nil {
		return nil, err
	}
	in.writeTo(c, now)
	s.keepSecret(c, in.Secret)
	return c, nil
}

// insert keeps a client, and the event that says so, in tx.
func insert(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, c *Client, e audit.Event) error {
	err := tx.InsertClient(ctx, c)
	if errors.Is(err, storage.ErrTaken) {
		return ErrTaken
	}
	if err != nil {
		return fmt.Errorf("register client %s: %w", c.ClientID, err)
	}
	return audit.Record(ctx, tx, by, now, e)
}

// writeTo writes what can be changed to the record of a client.
func (in Registration) writeTo(c *Client, now time.Time) {
	c.Name, c.ApplicationType, c.IsActive, c.SkipConsent = in.Name, in.ApplicationType, !in.Disabled, in.SkipConsent
	c.RedirectURIs, c.PostLogoutRedirectURIs = in.RedirectURIs, in.PostLogoutRedirectURIs
	c.GrantTypes, c.ResponseTypes, c.Scopes, c.Allowed = in.GrantTypes, in.ResponseTypes, in.Scopes, in.Allowed
	c.AuthMethod, c.IDTokenAlg, c.RequirePKCE, c.Options = in.AuthMethod, in.IDTokenAlg, in.RequirePKCE, in.Options
	c.AccessTokenLifetime = storage.Seconds(in.AccessTokenLifetime / time.Second)
	c.RefreshTokenLifetime = storage.Seconds(in.RefreshTokenLifetime / time.Second)
	c.IDTokenLifetime = storage.Seconds(in.IDTokenLifetime / time.Second)
	c.LogoURI, c.ClientURI, c.PolicyURI, c.TOSURI = in.LogoURI, in.ClientURI, in.PolicyURI, in.TOSURI
	c.UpdatedAt = storage.At(now)
}

// Describe returns what can be changed of a client, as [Service.Update] has it.
func Describe(c *Client) Registration {
	return Registration{
		ClientID: c.ClientID, OrganizationID: string(c.OrganizationID), Name: c.Name,
		RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs,
		GrantTypes: c.GrantTypes, ResponseTypes: ResponseTypesOf(c), Scopes: c.Scopes, ApplicationType: c.ApplicationType,
		AuthMethod: c.AuthMethod, IDTokenAlg: c.IDTokenAlg,
		RequirePKCE: c.RequirePKCE, SkipConsent: c.SkipConsent, Disabled: !c.IsActive, Allowed: c.Allowed,
		AccessTokenLifetime:  c.AccessTokenLifetime.Duration(),
		RefreshTokenLifetime: c.RefreshTokenLifetime.Duration(),
		IDTokenLifetime:      c.IDTokenLifetime.Duration(),
		LogoURI:              c.LogoURI, ClientURI: c.ClientURI, PolicyURI: c.PolicyURI, TOSURI: c.TOSURI,
		Options: c.Options,
	}
}

// clientEvent is an event about a client.
func clientEvent(action string, c *Client, details map[string]string) audit.Event {
	return audit.Event{
		Action: action, TargetKind: "client", TargetID: c.ClientID, OrgID: string(c.OrganizationID), Details: details,
	}
}

// Usable is nil for a client that is enabled and whose organization is.
func (s *Service) Usable(ctx context.Context, r storage.Reader, c *storage.Client) error {
	if !c.IsActive {
		return ErrDisabled
	}
	if c.OrganizationID == "" {
		return nil
	}
	o, err := r.Organization(ctx, string(c.OrganizationID))
	if err != nil {
		return err
	}
	if !o.IsActive {
		return ErrDisabled
	}
	return nil
}

// Client returns the enabled client with a client_id. [ErrNoClient] if there
// is none.
func (s *Service) Client(ctx context.Context, clientID string) (*storage.Client, error) {
	return s.usable(ctx, s.db.Reader, clientID)
}

// StoredClient is [Service.Client] as the database has it, also where another node has
// changed it just now.
func (s *Service) StoredClient(ctx context.Context, clientID string) (*storage.Client, error) {
	return s.usable(ctx, s.db.Stored(), clientID)
}

func (s *Service) usable(ctx context.Context, r storage.Reader, clientID string) (*storage.Client, error) {
	c, err := r.Client(ctx, clientID)
	if err == nil {
		err = s.Usable(ctx, r, c)
	}
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, ErrDisabled) {
		return nil, ErrNoClient
	}
	if err != nil {
		return nil, fmt.Errorf("look client %s up: %w", audit.Cut(clientID, 64), err)
	}
	return c, nil
}

// Seconds is a duration in whole seconds.
type Seconds = storage.Seconds

// MaxAge is a default_max_age, none if it is below 0.
func MaxAge(seconds int64) *Seconds {
	if seconds < 0 {
		return nil
	}
	age := Seconds(seconds)
	return &age
}
