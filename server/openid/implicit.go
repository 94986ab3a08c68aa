package openid

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"authy/server/keyring"
	"authy/storage"
)

// Unsigned are the tokens of an answer that are granted and not signed yet.
type Unsigned struct {
	request *Request
	at      time.Time
	issued  issued
}

// grantInFront has tokens of a new grant be in the answer to a request, without a
// code (OpenID Connect Core 1.0, section 3.2). There is no refresh token. They are
// signed after the commit, by [Provider.Complete].
func (p *Provider) grantInFront(
	ctx context.Context, tx *storage.Tx, now time.Time, r *Request, client *storage.Client, grant *storage.Grant,
) (Answer, error) {
	i := issued{
		grant: grant, client: client, scopes: grant.Scopes, resources: grant.Details.Resources, nonce: r.Nonce,
		bare: !r.ResponseType.IDToken,
	}
	if client.Options.OpaqueTokens && r.ResponseType.Token {
		says, err := p.accessClaims(ctx, now, i)
		if err == nil {
			i.access, err = p.addAccessToken(ctx, tx, now, grant.ID, "", says)
		}
		if err != nil {
			return Answer{}, err
		}
	}
	return Answer{Unsigned: &Unsigned{r, now, i}}, nil
}

// Complete signs the tokens of an answer that has some, after the commit of what
// they rest on.
func (p *Provider) Complete(ctx context.Context, a Answer) (Answer, error) {
	if a.Unsigned == nil {
		return a, nil
	}
	r, now, i := a.Unsigned.request, a.Unsigned.at, a.Unsigned.issued
	var values url.Values
	var err error
	if r.ResponseType.Token {
		values, err = p.tokensInFront(ctx, now, i)
	} else {
		values, err = p.idTokenAlone(ctx, now, i)
	}
	if err != nil {
		return Answer{}, fmt.Errorf("sign the answer to %s: %w", r.ClientID, err)
	}
	return answer(r, p.Issuer, values), nil
}

// tokensInFront returns the parameters of an answer with an access token
// (RFC 6749, section 4.2.2).
func (p *Provider) tokensInFront(ctx context.Context, now time.Time, i issued) (url.Values, error) {
	tokens, err := p.tokens(ctx, now, i)
	if err != nil {
		return nil, err
	}
	values := url.Values{
		"access_token": {tokens.AccessToken}, "token_type": {oidc.BearerToken},
		"expires_in": {strconv.FormatUint(tokens.ExpiresIn, 10)}, "scope": {strings.Join(tokens.Scope, " ")},
	}
	if tokens.IDToken != "" {
		values.Set("id_token", tokens.IDToken)
	}
	return values, nil
}

// idTokenAlone returns the parameters of an answer with an ID token and nothing
// else.
func (p *Provider) idTokenAlone(ctx context.Context, now time.Time, i issued) (url.Values, error) {
	claims, err := p.idClaims(ctx, now, i, "")
	if err != nil {
		return nil, err
	}
	token, err := p.keys.Sign(ctx, i.client.IDTokenAlg, keyring.JWT, claims)
	return url.Values{"id_token": {token}}, err
}
