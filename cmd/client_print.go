package cmd

import (
	"strings"
	"time"

	"authy/server/registry"
)

// clientOut is a client as programs see it.
type clientOut struct {
	ClientID               string     `json:"client_id"`
	OrganizationID         string     `json:"organization_id"`
	Name                   string     `json:"name"`
	ApplicationType        string     `json:"application_type"`
	Public                 bool       `json:"public"`
	IsActive               bool       `json:"is_active"`
	Dynamic                bool       `json:"dynamic"`
	Profile                string     `json:"profile"`
	Relaxed                []string   `json:"relaxed"`
	RequirePKCE            bool       `json:"require_pkce"`
	SkipConsent            bool       `json:"skip_consent"`
	RedirectURIs           []string   `json:"redirect_uris"`
	PostLogoutRedirectURIs []string   `json:"post_logout_redirect_uris"`
	GrantTypes             []string   `json:"grant_types"`
	ResponseTypes          []string   `json:"response_types"`
	Scopes                 []string   `json:"scopes"`
	Allow                  []string   `json:"allow"`
	AccessTokenLifetime    int64      `json:"access_token_lifetime"` // seconds, as the others
	RefreshTokenLifetime   int64      `json:"refresh_token_lifetime"`
	IDTokenLifetime        int64      `json:"id_token_lifetime"`
	LogoURI                string     `json:"logo_uri"`
	ClientURI              string     `json:"client_uri"`
	PolicyURI              string     `json:"policy_uri"`
	TOSURI                 string     `json:"tos_uri"`
	OldSecretExpiresAt     *time.Time `json:"old_secret_expires_at"`
	CreatedAt              *time.Time `json:"created_at"`
	UpdatedAt              *time.Time `json:"updated_at"`
	Exchange               []string   `json:"exchange"`
	ExchangeFor            []string   `json:"exchange_for"`
	ManagedBy              string     `json:"managed_by,omitempty"`
	// Secret is there only when it was made up.
	Secret string `json:"client_secret,omitempty"`
	registry.Metadata
	registry.Granted
}

func clientOutOf(c *registry.Client) clientOut {
	list := func(words []string) []string { return append([]string{}, words...) }
	metadata, granted := metadataOf(c)
	return clientOut{
		ClientID: c.ClientID, OrganizationID: string(c.OrganizationID), Name: c.Name,
		ApplicationType: c.ApplicationType, Public: registry.IsPublic(c), Profile: registry.ProfileOf(c), IsActive: c.IsActive,
		Dynamic: registry.IsDynamic(c), Relaxed: list(registry.Relaxed(c)), Metadata: metadata, Granted: granted,
		RequirePKCE: c.RequirePKCE, SkipConsent: c.SkipConsent,
		RedirectURIs: list(c.RedirectURIs), PostLogoutRedirectURIs: list(c.PostLogoutRedirectURIs),
		GrantTypes: list(c.GrantTypes), ResponseTypes: list(registry.ResponseTypesOf(c)), Scopes: list(c.Scopes), Allow: list(c.Allowed),
		AccessTokenLifetime:  int64(c.AccessTokenLifetime),
		RefreshTokenLifetime: int64(c.RefreshTokenLifetime),
		IDTokenLifetime:      int64(c.IDTokenLifetime),
		LogoURI:              c.LogoURI, ClientURI: c.ClientURI, PolicyURI: c.PolicyURI, TOSURI: c.TOSURI,
		OldSecretExpiresAt: instantOrNull(c.OldSecretExpiresAt.Time),
		CreatedAt:          instantOrNull(c.CreatedAt.Time), UpdatedAt: instantOrNull(c.UpdatedAt.Time),
		Exchange: list(c.Options.Exchange), ExchangeFor: list(c.Options.ExchangeFor),
	}
}

func (a *app) printClient(client *registry.Client, file string, asJSON bool) error {
	c := clientOutOf(client)
	if c.ManagedBy = file; asJSON {
		return a.printJSON(c)
	}
	rows := [][]string{
		{"Client ID", c.ClientID},
		{"Name", c.Name},
		{"Organization", c.OrganizationID},
		{"Kind", kindOf(c)},
		{"Enabled", yesOrNo(c.IsActive)},
		{"Who may use it", strings.Join(c.Allow, " ")},
		{"Profile", c.Profile},
		{"Does without", strings.Join(c.Relaxed, " ")},
		{"Needs PKCE", yesOrNo(c.RequirePKCE)},
		{"Skips consent", yesOrNo(c.SkipConsent)},
		{"Redirect URIs", strings.Join(c.RedirectURIs, " ")},
		{"After sign-out", strings.Join(c.PostLogoutRedirectURIs, " ")},
		{"Grants", strings.Join(c.GrantTypes, " ")},
		{"Response types", strings.Join(c.ResponseTypes, ", ")},
		{"Exchanges tokens", strings.Join(c.Exchange, " ")},
		{"Exchanges tokens of", strings.Join(c.ExchangeFor, " ")},
		{"Scopes", strings.Join(c.Scopes, " ")},
		{"Access tokens last", client.AccessTokenLifetime.Duration().String()},
		{"Refresh tokens last", client.RefreshTokenLifetime.Duration().String()},
		{"ID tokens last", client.IDTokenLifetime.Duration().String()},
		{"Logo", c.LogoURI},
		{"Home page", c.ClientURI},
		{"Policy", c.PolicyURI},
		{"Terms", c.TOSURI},
	}
	rows = append(append(rows, optionRows(client)...), setByRow(file)...)
	return a.printTable(nil, append(rows, [][]string{
		{"Old secret works until", instant(client.OldSecretExpiresAt.Time)},
		{"Created", instant(client.CreatedAt.Time)},
		{"Changed", instant(client.UpdatedAt.Time)},
	}...))
}
