package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/managed"
	"authy/server/registry"
	"authy/server/session"
)

// clientRoutes is what can be done with OpenID clients.
func (a *API) clientRoutes() {
	const all = "/api/v1/organizations/{id}/clients"
	const one = all + "/{client}"
	signed(a, "GET "+all, 200, "Clients retrieved successfully", "The clients of an organization", a.clients)
	signed(a, "POST "+all, 201, "Client created successfully", "Register a client", a.createClient)
	signed(a, "GET "+one, 200, "Client retrieved successfully", "One client", a.client)
	signed(a, "PATCH "+one, 200, "Client updated successfully", "Change a client", a.updateClient)
	signed(a, "DELETE "+one, 200, "Client deleted successfully", "Delete a client with all its grants", a.deleteClient)
	signed(a, "GET "+one+"/errors", 200, "Client errors retrieved successfully", "Why requests of a client were refused", a.clientErrors)
	signed(a, "POST "+one+"/secret", 200, "Client secret rotated successfully", "Replace a client's secret", a.rotateClientSecret)
}

// clientView is a client as those who manage it see it, without its secret.
type clientView struct {
	ClientID               string     `json:"client_id" example:"acme-portal-001"`
	OrganizationID         *string    `json:"organization_id" nullable:"true"`
	Name                   string     `json:"name" example:"Acme Internal Portal"`
	ApplicationType        string     `json:"application_type" enum:"web,native"`
	Public                 bool       `json:"public" doc:"Whether it has no secret"`
	IsActive               bool       `json:"is_active"`
	Dynamic                bool       `json:"dynamic" doc:"Whether it has registered itself"`
	Profile                string     `json:"profile" enum:"oauth2.1,legacy"`
	Relaxed                []string   `json:"relaxed" nullable:"false" doc:"The protections that it does without: pkce, nonce, code_lifetime, consent, code"`
	RequirePKCE            bool       `json:"require_pkce"`
	SkipConsent            bool       `json:"skip_consent" doc:"Whether its users are not asked"`
	RedirectURIs           []string   `json:"redirect_uris" nullable:"false"`
	PostLogoutRedirectURIs []string   `json:"post_logout_redirect_uris" nullable:"false"`
	GrantTypes             []string   `json:"grant_types" nullable:"false"`
	ResponseTypes          []string   `json:"response_types" nullable:"false" doc:"What it may have in the answer to a request: code, and id_token and 'id_token token' for a legacy client where openid.implicit is on"`
	Scopes                 []string   `json:"scopes" nullable:"false"`
	Allow                  []string   `json:"allow" nullable:"false" doc:"Who may use it: everyone, organization, or roles such as role:admin"`
	AccessTokenLifetime    int64      `json:"access_token_lifetime" doc:"Seconds"`
	RefreshTokenLifetime   int64      `json:"refresh_token_lifetime" doc:"Seconds"`
	IDTokenLifetime        int64      `json:"id_token_lifetime" doc:"Seconds"`
	LogoURI                *string    `json:"logo_uri" nullable:"true"`
	ClientURI              *string    `json:"client_uri" nullable:"true"`
	PolicyURI              *string    `json:"policy_uri" nullable:"true"`
	TOSURI                 *string    `json:"tos_uri" nullable:"true"`
	OldSecretExpiresAt     *time.Time `json:"old_secret_expires_at" nullable:"true" doc:"How long the secret before this one works too"`
	CreatedAt              time.Time  `json:"created_at"`
	UpdatedAt              time.Time  `json:"updated_at"`
	ClientOptions
	Managed
}

func clientViewOf(c *registry.Client) clientView {
	return clientView{
		ClientID: c.ClientID, OrganizationID: orNull(string(c.OrganizationID)), Name: c.Name,
		ApplicationType: c.ApplicationType, Public: registry.IsPublic(c), Profile: registry.ProfileOf(c), IsActive: c.IsActive,
		Dynamic: registry.IsDynamic(c), Relaxed: listOf(registry.Relaxed(c)), ClientOptions: optionsOf(c),
		RequirePKCE: c.RequirePKCE, SkipConsent: c.SkipConsent,
		RedirectURIs: listOf(c.RedirectURIs), PostLogoutRedirectURIs: listOf(c.PostLogoutRedirectURIs),
		GrantTypes: listOf(c.GrantTypes), ResponseTypes: listOf(registry.ResponseTypesOf(c)), Scopes: listOf(c.Scopes), Allow: listOf(c.Allowed),
		AccessTokenLifetime:  int64(c.AccessTokenLifetime),
		RefreshTokenLifetime: int64(c.RefreshTokenLifetime),
		IDTokenLifetime:      int64(c.IDTokenLifetime),
		LogoURI:              orNull(c.LogoURI), ClientURI: orNull(c.ClientURI),
		PolicyURI: orNull(c.PolicyURI), TOSURI: orNull(c.TOSURI),
		OldSecretExpiresAt: timeOrNull(c.OldSecretExpiresAt.Time),
		CreatedAt:          c.CreatedAt.Time, UpdatedAt: c.UpdatedAt.Time, Managed: managedAs(managed.Client, c.ID),
	}
}

// listOf returns words as JSON shows them: an empty list is one, too.
func listOf(words []string) []string { return append([]string{}, words...) }

type clientOut struct {
	Client clientView `json:"client"`
}

type clientsOut struct {
	Clients []clientView `json:"clients" nullable:"false"`
	Count   int          `json:"count"`
	PageOut
}

type clientsIn struct {
	ID string `path:"id"`
	PageIn
}

func (a *API) clients(ctx context.Context, _ *session.Identity, by audit.Actor, in *clientsIn) (*clientsOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	// One more tells whether there are more.
	clients, err := a.Clients.List(ctx, by, in.ID, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	views, page := firstOf(clients, in.Limit, clientViewOf, func(c *registry.Client) string { return c.ClientID })
	return &clientsOut{Clients: views, Count: len(views), PageOut: page}, nil
}

type clientIn struct {
	ID     string `path:"id"`
	Client string `path:"client" doc:"The client_id"`
}

func (a *API) client(ctx context.Context, _ *session.Identity, by audit.Actor, in *clientIn) (*clientOut, error) {
	return clientOutOf(a.Clients.Of(ctx, by, in.ID, in.Client))
}

func clientOutOf(c *registry.Client, err error) (*clientOut, error) {
	if err != nil {
		return nil, err
	}
	return &clientOut{clientViewOf(c)}, nil
}

func (a *API) deleteClient(ctx context.Context, _ *session.Identity, by audit.Actor, in *clientIn) (*nothing, error) {
	return nil, a.Clients.Delete(ctx, by, in.ID, in.Client)
}
