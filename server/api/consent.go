package api

import (
	"cmp"
	"context"
	"slices"
	"time"

	"authy/server/audit"
	"authy/server/openid"
	"authy/server/session"
)

// consentRoutes is what there is to do with what someone lets applications have.
func (a *API) consentRoutes() {
	const mine = "/api/v1/users/me/consents"
	signed(a, "GET "+mine, 200, "Consents retrieved successfully", "The applications that I let have something", a.consents)
	signed(a, "DELETE "+mine+"/{client}", 200, "Consent revoked successfully", "Take back what I let an application have", a.revokeConsent)
}

// consentView is what someone lets an application have.
type consentView struct {
	ClientID  string    `json:"client_id" example:"acme-portal-001"`
	Name      string    `json:"name" example:"Acme Portal"`
	Scopes    []string  `json:"scopes" nullable:"false"`
	CreatedAt time.Time `json:"created_at"`
}

func consentOf(c *openid.Connection) consentView {
	return consentView{c.Client.ClientID, c.Client.Name, listOf(c.Scopes), c.Since}
}

type consentsOut struct {
	Consents []consentView `json:"consents" nullable:"false"`
	Count    int           `json:"count"`
	PageOut
}

func (a *API) consents(ctx context.Context, id *session.Identity, _ audit.Actor, in *PageIn) (*consentsOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	found, err := a.OpenID.Connections(ctx, id.User.ID)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(c openid.Connection) bool { return c.Client.ClientID <= after })
	slices.SortFunc(found, func(x, y openid.Connection) int { return cmp.Compare(x.Client.ClientID, y.Client.ClientID) })
	views, page := firstOf(found, in.Limit, consentOf, func(c *openid.Connection) string { return c.Client.ClientID })
	return &consentsOut{Consents: views, Count: len(views), PageOut: page}, nil
}

type revokeConsentIn struct {
	Client string `path:"client" doc:"The client_id"`
}

func (a *API) revokeConsent(ctx context.Context, _ *session.Identity, by audit.Actor, in *revokeConsentIn) (*nothing, error) {
	return nil, a.OpenID.RevokeConsent(ctx, by, in.Client)
}
