package openid

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"authy/server/keyring"
	"authy/server/steady"
	"authy/storage"
)

// ServeUserinfo answers with the claims of an access token's user
// (OpenID Connect Core 1.0, section 5.3).
func (p *Provider) ServeUserinfo(w http.ResponseWriter, r *http.Request) {
	p.offerNonce(w.Header(), r.Header)
	token, refused := bearer(w, r)
	if refused != nil {
		writeBearer(w, refused)
		return
	}
	says, grant, err := p.parseAccessToken(r.Context(), token, steady.Now())
	switch {
	case errors.Is(err, keyring.ErrToken):
		writeBearer(w, &problem{http.StatusUnauthorized, "invalid_token", "the access token is not valid or has ended"})
		return
	case err != nil:
		writeInternal(w, r, err)
		return
	// Tokens from before resources were named are for their client.
	case !has(says.Audience, p.Issuer) && !has(says.Audience, says.ClientID):
		writeBearer(w, &problem{http.StatusUnauthorized, "invalid_token", "the access token is for other servers"})
		return
	}
	if err := p.checkPresented(r, token, says); err != nil {
		refusePresented(w, r, err)
		return
	}
	scopes := strings.Fields(says.Scope)
	if grant == nil || !has(scopes, "openid") {
		writeBearer(w, &problem{http.StatusForbidden, "insufficient_scope", "the access token lacks the scope openid"})
		return
	}
	body, kind, err := p.userinfo(r.Context(), grant, scopes)
	if err != nil {
		writeInternal(w, r, err)
		return
	}
	h := w.Header()
	h["Content-Type"] = kind
	h["Cache-Control"] = noStore
	w.Write(body) //nolint:errcheck,gosec // no browser shows JSON or a JWT, and the client has gone
}

var (
	noStore = []string{"no-store"}
	noCache = []string{"no-cache"}
	jwtType = []string{"application/jwt"}
)

// signedUserinfo is what signed userinfo says (OpenID Connect Core 1.0,
// section 5.3.2).
type signedUserinfo struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	*claims
}

// userinfo returns the answer for a grant and its type: JSON, or a JWT if the
// client has registered how to sign it.
func (p *Provider) userinfo(ctx context.Context, g *storage.Grant, scopes []string) ([]byte, []string, error) {
	client, err := p.db.ClientByRow(ctx, g.ClientID)
	if err != nil {
		return nil, nil, fmt.Errorf("userinfo for client %s: %w", g.ClientID, err)
	}
	about, err := p.claims(ctx, client, g.UserID, scopes, wished(g).Userinfo)
	if err != nil {
		return nil, nil, err
	}
	if alg := client.Options.UserinfoAlg; alg != "" {
		text, err := p.keys.Sign(ctx, alg, keyring.JWT, &signedUserinfo{p.Issuer, client.ClientID, about})
		return []byte(text), jwtType, err
	}
	body, err := json.Marshal(about)
	if err != nil {
		return nil, nil, fmt.Errorf("encode claims: %w", err)
	}
	return body, jsonType, nil
}
