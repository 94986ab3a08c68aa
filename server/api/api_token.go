package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/session"
	"authy/server/token"
)

// apiTokenRoutes is what there is to do with API tokens, of users and of
// organizations. No token opens any of it.
func (a *API) apiTokenRoutes() {
	const mine, ours = "/api/v1/users/me/tokens", "/api/v1/organizations/{id}/tokens"
	signed(a, "GET "+mine, 200, "Tokens retrieved successfully", "My API tokens", a.myTokens)
	signed(a, "POST "+mine, 201, "Token created successfully", "Make an API token that speaks for me", a.makeMyToken)
	signed(a, "DELETE "+mine+"/{token}", 200, "Token revoked successfully", "Revoke one of my API tokens", a.revokeMyToken)
	signed(a, "GET "+ours, 200, "Tokens retrieved successfully", "The service tokens of an organization", a.orgTokens)
	signed(a, "POST "+ours, 201, "Token created successfully", "Make a service token of an organization", a.makeOrgToken)
	signed(a, "DELETE "+ours+"/{token}", 200, "Token revoked successfully", "Revoke a service token of an organization", a.revokeOrgToken)
}

// tokenView is an API token, without what opens anything.
type tokenView struct {
	ID          string     `json:"id" format:"uuid"`
	Kind        string     `json:"kind" enum:"personal,service"`
	Name        string     `json:"name" example:"Nightly backup"`
	Scopes      []string   `json:"scopes" nullable:"false"`
	CreatedAt   time.Time  `json:"created_at"`
	CreatedByID *string    `json:"created_by_id" nullable:"true"`
	ExpiresAt   *time.Time `json:"expires_at" nullable:"true" doc:"null for never"`
	LastUsedAt  *time.Time `json:"last_used_at" nullable:"true" doc:"To the minute"`
}

func tokenOf(t *token.Token) tokenView {
	return tokenView{
		ID: t.ID, Kind: t.Kind, Name: t.Name, Scopes: listOf(t.Scopes), CreatedAt: t.CreatedAt.Time,
		CreatedByID: orNull(string(t.CreatedByID)), ExpiresAt: timeOrNull(t.ExpiresAt.Time),
		LastUsedAt: timeOrNull(t.LastUsedAt.Time),
	}
}

type tokensOut struct {
	Tokens []tokenView `json:"tokens" nullable:"false"`
	Count  int         `json:"count"`
	PageOut
}

func (a *API) myTokens(ctx context.Context, id *session.Identity, by audit.Actor, in *PageIn) (*tokensOut, error) {
	return a.tokenPage(ctx, by, token.Owner{UserID: id.User.ID}, *in)
}

type orgTokensIn struct {
	InOrg
	PageIn
}

func (a *API) orgTokens(ctx context.Context, _ *session.Identity, by audit.Actor, in *orgTokensIn) (*tokensOut, error) {
	return a.tokenPage(ctx, by, token.Owner{OrgID: in.ID}, in.PageIn)
}

func (a *API) tokenPage(ctx context.Context, by audit.Actor, o token.Owner, in PageIn) (*tokensOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	found, err := a.Tokens.List(ctx, by, o, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	views, page := firstOf(found, in.Limit, tokenOf, func(t *token.Token) string { return t.ID })
	return &tokensOut{Tokens: views, Count: len(views), PageOut: page}, nil
}

// NewToken describes an API token to be made. It is exported for the framework,
// which sees only embedded types that are.
type NewToken struct {
	Body struct {
		Name   string   `json:"name" example:"Nightly backup" doc:"What it is for; 1 to 100 characters"`
		Scopes []string `json:"scopes" nullable:"false" example:"[\"organizations:read\"]" doc:"What it opens; each operation says its scope"`
		Days   *int     `json:"expires_in_days,omitempty" doc:"1 to 366, or else 90"`
		Never  bool     `json:"never_expires,omitempty" doc:"In the place of a lifetime; this is logged"`
	}
}

func (in NewToken) described() token.NewToken {
	out := token.NewToken{Name: in.Body.Name, Scopes: in.Body.Scopes, Never: in.Body.Never, Days: token.DefaultDays}
	if in.Body.Never {
		out.Days = 0
	}
	set(&out.Days, in.Body.Days)
	return out
}

// madeTokenOut is a token with its text.
type madeTokenOut struct {
	APIToken tokenView `json:"api_token"`
	Token    string    `json:"token" example:"authy_pat_…" doc:"Send it as Authorization: Bearer. It is shown this once."`
}

func madeTokenOf(t *token.Token, text string, err error) (*madeTokenOut, error) {
	if err != nil {
		return nil, err
	}
	return &madeTokenOut{tokenOf(t), text}, nil
}

func (a *API) makeMyToken(ctx context.Context, id *session.Identity, by audit.Actor, in *NewToken) (*madeTokenOut, error) {
	return madeTokenOf(a.Tokens.Make(ctx, by, token.Owner{UserID: id.User.ID}, in.described()))
}

type makeOrgTokenIn struct {
	InOrg
	NewToken
}

func (a *API) makeOrgToken(ctx context.Context, _ *session.Identity, by audit.Actor, in *makeOrgTokenIn) (*madeTokenOut, error) {
	return madeTokenOf(a.Tokens.Make(ctx, by, token.Owner{OrgID: in.ID}, in.described()))
}

// TokenIn names an API token in the path.
type TokenIn struct {
	Token string `path:"token" doc:"The token's id"`
}

func (a *API) revokeMyToken(ctx context.Context, id *session.Identity, by audit.Actor, in *TokenIn) (*nothing, error) {
	return nil, a.Tokens.Revoke(ctx, by, token.Owner{UserID: id.User.ID}, in.Token)
}

type orgTokenIn struct {
	InOrg
	TokenIn
}

func (a *API) revokeOrgToken(ctx context.Context, _ *session.Identity, by audit.Actor, in *orgTokenIn) (*nothing, error) {
	return nil, a.Tokens.Revoke(ctx, by, token.Owner{OrgID: in.ID}, in.Token)
}
