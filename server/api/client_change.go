package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/recipe"
	"authy/server/registry"
	"authy/server/session"
)

// ClientSettings are what can be set and changed of a client; what is not sent
// stays as it is. Lifetimes are seconds. The framework sees only embedded types
// that are exported.
type ClientSettings struct {
	ApplicationType        *string  `json:"application_type,omitempty" enum:"web,native"`
	Profile                *string  `json:"profile,omitempty" enum:"oauth2.1,legacy" doc:"legacy is for applications that cannot do what OAuth 2.1 asks"`
	RequirePKCE            *bool    `json:"require_pkce,omitempty" doc:"Only a client of the profile legacy goes without"`
	IsActive               *bool    `json:"is_active,omitempty"`
	RedirectURIs           []string `json:"redirect_uris,omitempty" nullable:"false"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty" nullable:"false"`
	GrantTypes             []string `json:"grant_types,omitempty" nullable:"false"`
	ResponseTypes          []string `json:"response_types,omitempty" nullable:"false" doc:"Left out, those that its grants leave it; id_token and 'id_token token' need the grant implicit"`
	Scopes                 []string `json:"scopes,omitempty" nullable:"false"`
	Allow                  []string `json:"allow,omitempty" nullable:"false" minItems:"1" doc:"Who may use it: everyone, organization, or roles such as role:admin"`
	AccessTokenLifetime    *int64   `json:"access_token_lifetime,omitempty" minimum:"1" maximum:"315360000"`
	RefreshTokenLifetime   *int64   `json:"refresh_token_lifetime,omitempty" minimum:"1" maximum:"315360000"`
	IDTokenLifetime        *int64   `json:"id_token_lifetime,omitempty" minimum:"1" maximum:"315360000"`
	LogoURI                *string  `json:"logo_uri,omitempty"`
	ClientURI              *string  `json:"client_uri,omitempty"`
	PolicyURI              *string  `json:"policy_uri,omitempty"`
	TOSURI                 *string  `json:"tos_uri,omitempty"`
	ClientOptions
}

// writeTo writes what was sent to the description of a client.
func (s ClientSettings) writeTo(c *registry.Registration) {
	set(&c.ApplicationType, s.ApplicationType)
	set(&c.Options.Profile, s.Profile)
	set(&c.RequirePKCE, s.RequirePKCE)
	if s.IsActive != nil {
		c.Disabled = !*s.IsActive
	}
	setList(&c.RedirectURIs, s.RedirectURIs)
	setList(&c.PostLogoutRedirectURIs, s.PostLogoutRedirectURIs)
	setList(&c.GrantTypes, s.GrantTypes)
	setList(&c.ResponseTypes, s.ResponseTypes)
	setList(&c.Scopes, s.Scopes)
	setList(&c.Allowed, s.Allow)
	setSeconds(&c.AccessTokenLifetime, s.AccessTokenLifetime)
	setSeconds(&c.RefreshTokenLifetime, s.RefreshTokenLifetime)
	setSeconds(&c.IDTokenLifetime, s.IDTokenLifetime)
	set(&c.LogoURI, s.LogoURI)
	set(&c.ClientURI, s.ClientURI)
	set(&c.PolicyURI, s.PolicyURI)
	set(&c.TOSURI, s.TOSURI)
	s.writeOptions(c)
}

func set[T any](field, sent *T) {
	if sent != nil {
		*field = *sent
	}
}

// setList takes a list that was sent; an empty one was, too.
func setList(field *[]string, sent []string) {
	if sent != nil {
		*field = sent
	}
}

func setSeconds(field *time.Duration, sent *int64) {
	if sent != nil {
		*field = time.Duration(*sent) * time.Second
	}
}

// NewClient describes a client to be registered.
type NewClient struct {
	Name   string `json:"name,omitempty" doc:"Needed, unless a recipe gives one"`
	Public bool   `json:"public,omitempty" doc:"Whether it can keep no secret, as an app on a device or in a browser"`
	Recipe string `json:"recipe,omitempty" example:"immich" doc:"The id of a recipe; what else is sent goes before it"`
	AppURL string `json:"app_url,omitempty" example:"https://photos.example.com" doc:"With a recipe: where people open the application"`
	ClientSettings
}

type createClientIn struct {
	ID   string `path:"id"`
	Body NewClient
}

// secretOut is a client with its new secret.
type secretOut struct {
	Client clientView `json:"client"`
	Secret string     `json:"client_secret,omitempty" doc:"Shown this once; a public client has none"`
	Told   *told      `json:"setup,omitempty" doc:"After a recipe: what the application is to be told"`
}

func (a *API) createClient(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *createClientIn,
) (*secretOut, error) {
	return a.registerClient(ctx, by, in.ID, in.Body)
}

// registerClient registers a client of an organization, or of none ("").
func (a *API) registerClient(ctx context.Context, by audit.Actor, orgID string, n NewClient) (*secretOut, error) {
	described, from, err := n.describe()
	if err != nil {
		return nil, err
	}
	described.OrganizationID = orgID
	n.writeTo(&described)
	c, secret, err := a.Clients.Register(ctx, by, described, n.Public || from != nil && from.IsPublic())
	out, err := secretOutOf(c, secret, err)
	if err == nil && from != nil {
		out.Told = toldOf(from, recipe.ValuesOf(a.Issuer, c, secret))
	}
	return out, err
}

// describe returns what a client is until its settings are written, and the recipe
// that says so, nil for none.
func (n NewClient) describe() (registry.Registration, *recipe.Recipe, error) {
	described := registry.Defaults()
	if n.Recipe == "" {
		described.Name = n.Name
		if n.AppURL != "" {
			return described, nil, fault.Field("app_url", "It goes with a recipe.")
		}
		return described, nil, nil
	}
	from, err := recipe.Find(n.Recipe)
	if err != nil {
		return described, nil, fault.Field("recipe", err.Error())
	}
	address, err := recipe.ParseURL(n.AppURL)
	if err != nil {
		return described, nil, err
	}
	described = from.Registration(address)
	if n.Name != "" {
		described.Name = n.Name
	}
	return described, from, nil
}

func secretOutOf(c *registry.Client, secret string, err error) (*secretOut, error) {
	if err != nil {
		return nil, err
	}
	return &secretOut{Client: clientViewOf(c), Secret: secret}, nil
}

type updateClientIn struct {
	ID     string `path:"id"`
	Client string `path:"client" doc:"The client_id"`
	Body   ClientChange
}

// ClientChange is what to change of a client.
type ClientChange struct {
	Name *string `json:"name,omitempty"`
	ClientSettings
}

func (ch ClientChange) apply(c *registry.Registration) {
	set(&c.Name, ch.Name)
	ch.writeTo(c)
}

func (a *API) updateClient(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *updateClientIn,
) (*clientOut, error) {
	return clientOutOf(a.Clients.Update(ctx, by, in.ID, in.Client, in.Body.apply))
}

type rotateClientSecretIn struct {
	ID     string `path:"id"`
	Client string `path:"client" doc:"The client_id"`
	Body   SecretRotation
}

// SecretRotation says how a secret is replaced.
type SecretRotation struct {
	Overlap *int64 `json:"overlap,omitempty" minimum:"0" maximum:"2592000" doc:"For how many seconds the old secret works too: a day unless told otherwise, 0 ends it at once"`
}

func (r SecretRotation) rotation() registry.Rotation {
	out := registry.Rotation{Overlap: registry.DefaultOverlap}
	setSeconds(&out.Overlap, r.Overlap)
	return out
}

func (a *API) rotateClientSecret(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *rotateClientSecretIn,
) (*secretOut, error) {
	return secretOutOf(a.Clients.RotateSecret(ctx, by, in.ID, in.Client, in.Body.rotation()))
}
