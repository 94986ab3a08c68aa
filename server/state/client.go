package state

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"authy/server/config"
	"authy/server/managed"
	"authy/server/registry"
	"authy/storage"
)

func (c *Client) label() (kind, name string) { return managed.Client, c.ClientID }

func (c *Client) alias() map[string]string { return secretAlias(c.SecretFile, c.SecretEnv) }

// secretAlias is where a secret that is refused was named.
func secretAlias(file, variable string) map[string]string {
	switch {
	case file != "":
		return map[string]string{"client_secret": "client_secret_file"}
	case variable != "":
		return map[string]string{"client_secret": "client_secret_env"}
	}
	return map[string]string{"client_secret": "has_secret"}
}

func (c *Client) find(ctx context.Context, r *run) (string, error) {
	known, err := r.tx.Client(ctx, c.ClientID)
	if errors.Is(err, storage.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look client %s up: %w", c.ClientID, err)
	}
	return known.ID, nil
}

// registration is what the services call a client of an organization.
func (c *Client) registration(orgID string) registry.Registration {
	in := registry.Registration{
		ClientID: c.ClientID, OrganizationID: orgID, Name: c.Name, RedirectURIs: c.RedirectURIs,
		PostLogoutRedirectURIs: c.PostLogoutRedirectURIs, GrantTypes: c.GrantTypes, ResponseTypes: c.ResponseTypes,
		Scopes: c.Scopes, ApplicationType: c.ApplicationType, RequirePKCE: c.RequirePKCE, SkipConsent: c.SkipConsent,
		Disabled: !c.IsActive, Allowed: c.Allow,
		AccessTokenLifetime: c.AccessTokenLifetime.Duration, RefreshTokenLifetime: c.RefreshTokenLifetime.Duration,
		IDTokenLifetime: c.IDTokenLifetime.Duration,
		LogoURI:         c.LogoURI, ClientURI: c.ClientURI, PolicyURI: c.PolicyURI, TOSURI: c.TOSURI,
		Options: registry.Options{Profile: c.Profile},
	}
	c.Metadata.WriteTo(&in)
	c.Granted.WriteTo(&in)
	return in
}

func (c *Client) write(ctx context.Context, r *run, id string) (string, error) {
	orgID, err := r.orgID(ctx, c.path, c.Organization)
	if err != nil {
		return "", err
	}
	in := c.registration(orgID)
	if id == "" {
		return c.create(ctx, r, in)
	}
	known, err := r.tx.Client(ctx, c.ClientID)
	if err != nil {
		return "", fmt.Errorf("look client %s up: %w", c.ClientID, err)
	}
	if err := r.stays(c.path, known.OrganizationID, orgID); err != nil {
		return "", err
	}
	_, err = r.rules.Clients.Update(ctx, r.by, "", c.ClientID, func(now *registry.Registration) { *now = in })
	if err != nil || c.secret == "" || r.rules.Clients.HasSecret(known, c.secret) {
		return id, err
	}
	r.aside = append(r.aside, Field{Key: "client_secret"})
	_, _, err = r.rules.Clients.RotateSecret(ctx, r.by, "", c.ClientID, registry.Rotation{
		Secret: c.secret, Overlap: registry.DefaultOverlap,
	})
	return id, err
}

// create registers a client. A secret that is only known to be there, as an export says,
// is one that nobody knows.
func (c *Client) create(ctx context.Context, r *run, in registry.Registration) (string, error) {
	if in.Secret = c.secret; in.Secret == "" && c.HasSecret {
		in.Secret = rand.Text()
		r.plan.Notes = append(r.plan.Notes, fmt.Sprintf(
			"Nobody knows the secret of client %q: name it with client_secret_file or client_secret_env, or run 'authy client rotate-secret %[1]s'.",
			c.ClientID))
	}
	made, err := r.rules.Clients.Create(ctx, r.by, in)
	if err != nil {
		return "", err
	}
	return made.ID, nil
}

func (c *Client) describe(ctx context.Context, r *run, id string) (entry, error) {
	known, err := r.tx.ClientByRow(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("look client %s up: %w", id, err)
	}
	return r.describeClient(ctx, known)
}

func (r *run) describeClient(ctx context.Context, known *storage.Client) (*Client, error) {
	slug, err := r.slugOf(ctx, known.OrganizationID)
	if err != nil {
		return nil, err
	}
	in := registry.Describe(known)
	c := &Client{
		ClientID: in.ClientID, Organization: slug, Name: in.Name, IsActive: !in.Disabled, HasSecret: known.SecretHash != "",
		ApplicationType: in.ApplicationType, Profile: registry.ProfileOf(known), RequirePKCE: in.RequirePKCE,
		SkipConsent: in.SkipConsent, Allow: in.Allowed, RedirectURIs: in.RedirectURIs,
		PostLogoutRedirectURIs: in.PostLogoutRedirectURIs, GrantTypes: in.GrantTypes, Scopes: in.Scopes,
		AccessTokenLifetime:  config.Duration{Duration: in.AccessTokenLifetime},
		RefreshTokenLifetime: config.Duration{Duration: in.RefreshTokenLifetime},
		IDTokenLifetime:      config.Duration{Duration: in.IDTokenLifetime},
		LogoURI:              in.LogoURI, ClientURI: in.ClientURI, PolicyURI: in.PolicyURI, TOSURI: in.TOSURI,
		Metadata: registry.MetadataOf(known), Granted: registry.GrantedTo(known),
	}
	if c.IDTokenAlg != nil && *c.IDTokenAlg == "RS256" {
		c.IDTokenAlg = nil // what it is where nothing is said
	}
	if !slices.Equal(in.ResponseTypes, []string{"code"}) {
		c.ResponseTypes = in.ResponseTypes
	}
	return c, nil
}
