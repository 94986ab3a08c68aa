package api

import (
	"context"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/session"
)

// externalRoutes are what somebody has to do with identity providers themselves.
// To sign in by way of one is for browsers: see the pages.
func (a *API) externalRoutes() {
	const external = "/api/v1/auth/external"
	signed(a, "GET "+external+"/providers", 200, "Providers retrieved successfully",
		"The identity providers that anyone can come from", a.offeredProviders)
	signed(a, "GET "+external+"/linked-accounts", 200, "Linked accounts retrieved successfully",
		"My accounts at identity providers", a.linkedAccounts)
	signed(a, "POST "+external+"/providers/{provider}/link", 200, "Link flow initiated. Redirect to authorization URL.",
		"Where I link an account at an identity provider", a.linkAccount)
	signed(a, "DELETE "+external+"/providers/{provider}/unlink", 200, "Account unlinked successfully",
		"Unlink my accounts at an identity provider", a.unlinkAccount)
}

// OfferedProvider is a provider that anyone can come from. It is exported for the
// framework.
type OfferedProvider struct {
	ID           string `json:"id" example:"google" doc:"Its slug"`
	Name         string `json:"name" example:"Google"`
	Type         string `json:"type" enum:"google,github,microsoft,oidc,saml"`
	IsConfigured bool   `json:"is_configured" doc:"Always true: others are not listed"`
	IsActive     bool   `json:"is_active" doc:"Always true: others are not listed"`
}

type offeredOut struct {
	Providers []OfferedProvider `json:"providers" nullable:"false"`
}

func (a *API) offeredProviders(ctx context.Context, _ *session.Identity, _ audit.Actor, _ *struct{}) (*offeredOut, error) {
	doors, err := a.Login.Doors(ctx, "")
	if err != nil {
		return nil, err
	}
	out := &offeredOut{Providers: make([]OfferedProvider, len(doors.Open))}
	for i, d := range doors.Open {
		out.Providers[i] = OfferedProvider{d.Slug, d.Name, d.Kind, true, true}
	}
	return out, nil
}

// LinkedAccount is an account at a provider. It is exported for the framework.
type LinkedAccount struct {
	ID             string    `json:"id"`
	Provider       string    `json:"provider" doc:"Its slug" example:"google"`
	ProviderType   string    `json:"provider_type" enum:"google,github,microsoft,oidc,saml"`
	ProviderUserID string    `json:"provider_user_id" doc:"Who I am there"`
	Email          string    `json:"email" doc:"As it was said last; empty for none"`
	Name           string    `json:"name"`
	Picture        string    `json:"picture"`
	Verified       bool      `json:"verified" doc:"Whether the provider has checked the address"`
	LinkedAt       time.Time `json:"linked_at"`
	LastUsedAt     time.Time `json:"last_used_at"`
}

func linkedAccountOf(l *account.Linked) LinkedAccount {
	return LinkedAccount{
		ID: l.ID, Provider: l.Provider.Slug, ProviderType: l.Provider.Kind, ProviderUserID: l.Subject, Email: l.Email,
		Name: l.Name, Picture: l.Picture, Verified: l.EmailVerified, LinkedAt: l.LinkedAt.Time, LastUsedAt: l.LastUsedAt.Time,
	}
}

type linkedOut struct {
	LinkedAccounts  []LinkedAccount `json:"linked_accounts" nullable:"false"`
	UnlinkAvailable bool            `json:"unlink_available" doc:"Whether I could sign in without any one of them"`
}

func (a *API) linkedAccounts(ctx context.Context, id *session.Identity, _ audit.Actor, _ *struct{}) (*linkedOut, error) {
	have, spare, err := a.Accounts.Spare(ctx, id.User.ID)
	if err != nil {
		return nil, err
	}
	out := &linkedOut{LinkedAccounts: make([]LinkedAccount, len(have)), UnlinkAvailable: spare}
	for i := range have {
		out.LinkedAccounts[i] = linkedAccountOf(&have[i])
	}
	return out, nil
}

type linkOut struct {
	AuthorizationURL string `json:"authorization_url" doc:"A page of this server, where I confirm it in my browser"`
}

func (a *API) linkAccount(ctx context.Context, _ *session.Identity, _ audit.Actor, in *ProviderIn) (*linkOut, error) {
	page, err := a.Login.LinkPage(ctx, in.Provider)
	if err != nil {
		return nil, err
	}
	return &linkOut{page}, nil
}

type unlinkIn struct {
	ProviderIn
	Body *Again
}

func (a *API) unlinkAccount(ctx context.Context, id *session.Identity, by audit.Actor, in *unlinkIn) (*nothing, error) {
	again := maybeAgainIn{in.Body}
	return nil, a.Login.UnlinkProvider(ctx, by, id, again.again(), in.Provider)
}
