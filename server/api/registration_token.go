package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/session"
)

// registrationTokenRoutes are about the tokens with which clients register
// themselves (RFC 7591), for administrators of the server.
func (a *API) registrationTokenRoutes() {
	const all = "/api/v1/admin/registration-tokens"
	signed(a, "GET "+all, 200, "Registration tokens retrieved successfully", "The tokens with which clients register themselves", a.registrationTokens)
	signed(a, "POST "+all, 201, "Registration token created successfully", "Make a token with which clients register themselves", a.createRegistrationToken)
	signed(a, "DELETE "+all+"/{token}", 200, "Registration token deleted successfully", "End a registration token", a.deleteRegistrationToken)
}

// registrationTokenView is a registration token without its text.
type registrationTokenView struct {
	ID             string    `json:"id"`
	OrganizationID *string   `json:"organization_id" nullable:"true" doc:"Whose the clients become"`
	Profile        *string   `json:"profile" nullable:"true" doc:"Of the clients; null is the configuration's"`
	UsesLeft       int64     `json:"uses_left"`
	CreatedAt      time.Time `json:"created_at"`
	ExpiresAt      time.Time `json:"expires_at"`
}

func registrationTokenViewOf(t *registry.InitialToken) registrationTokenView {
	return registrationTokenView{
		t.ID, orNull(string(t.OrganizationID)), orNull(t.Profile), t.UsesLeft, t.CreatedAt.Time, t.ExpiresAt.Time,
	}
}

type registrationTokensOut struct {
	Tokens []registrationTokenView `json:"tokens" nullable:"false"`
	Count  int                     `json:"count"`
	PageOut
}

type registrationTokensIn struct{ PageIn }

func (a *API) registrationTokens(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *registrationTokensIn,
) (*registrationTokensOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	tokens, err := a.Clients.InitialTokens(ctx, by, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	views, page := firstOf(tokens, in.Limit, registrationTokenViewOf, func(t *registry.InitialToken) string { return t.ID })
	return &registrationTokensOut{Tokens: views, Count: len(views), PageOut: page}, nil
}

// NewRegistrationToken describes a registration token.
type NewRegistrationToken struct {
	OrganizationID string `json:"organization_id,omitempty" maxLength:"36" doc:"Whose the clients become; nobody's if it is left out"`
	Profile        string `json:"profile,omitempty" enum:"oauth2.1,legacy" doc:"Of the clients; the configuration's if it is left out"`
	Uses           int64  `json:"uses,omitempty" default:"1" minimum:"1" maximum:"10000" doc:"How many clients it registers"`
	Lifetime       int64  `json:"lifetime,omitempty" default:"86400" minimum:"1" maximum:"31536000" doc:"Seconds"`
}

type createRegistrationTokenIn struct{ Body NewRegistrationToken }

// newRegistrationTokenOut is a registration token with its text.
type newRegistrationTokenOut struct {
	Token registrationTokenView `json:"registration_token"`
	Text  string                `json:"token" doc:"Shown this once"`
}

func (a *API) createRegistrationToken(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *createRegistrationTokenIn,
) (*newRegistrationTokenOut, error) {
	t, text, err := a.Clients.MakeInitialToken(ctx, by, registry.NewInitialToken{
		OrganizationID: in.Body.OrganizationID, Profile: in.Body.Profile,
		Uses: in.Body.Uses, Lifetime: time.Duration(in.Body.Lifetime) * time.Second,
	})
	if err != nil {
		return nil, err
	}
	return &newRegistrationTokenOut{registrationTokenViewOf(t), text}, nil
}

type registrationTokenIn struct {
	Token string `path:"token" doc:"The id of the token"`
}

func (a *API) deleteRegistrationToken(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *registrationTokenIn,
) (*nothing, error) {
	return nil, a.Clients.DeleteInitialToken(ctx, by, in.Token)
}
