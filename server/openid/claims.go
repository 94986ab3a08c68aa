package openid

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/text/language"

	"authy/server/keyring"
	"authy/storage"
)

// scopeTitles names the scopes that speak of a user.
var scopeTitles = map[string]Scope{
	"openid":         {Title: "Know who you are", Detail: "An identifier of your account, and nothing else."},
	"profile":        {Title: "Your name and picture", Detail: "And what else your profile says, such as a nickname, birthday or language."},
	"email":          {Title: "Your e-mail address", Detail: "And whether it has been verified."},
	"phone":          {Title: "Your phone number", Detail: "If your profile has one."},
	"offline_access": {Title: "Stay connected", Detail: "Also while you are not using the app, until you take it back."},
	"roles":          {Title: "Your organizations and roles", Detail: "Which organizations you belong to, and as what."},
}

// Scope is a scope in words for the person who is asked.
type Scope struct{ Name, Title, Detail string }

// Describe returns a scope in words.
func Describe(name string) Scope {
	s, known := scopeTitles[name]
	if !known {
		s = Scope{Title: "Use " + name, Detail: "A permission of the app's own."}
	}
	s.Name = name
	return s
}

// membership is a place in an organization, as the roles claim lists it.
type membership struct {
	OrganizationID string `json:"organization_id"`
	Role           string `json:"role"`
}

// userinfo returns what scopes say of a user
// (OpenID Connect Core 1.0, section 5.4).
func (p *Provider) userinfo(ctx context.Context, userID string, scopes []string) (*oidc.UserInfo, error) {
	user, err := p.db.User(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("claims of %s: %w", userID, err)
	}
	info := &oidc.UserInfo{Subject: user.ID}
	if has(scopes, "profile") {
		info.UserInfoProfile = profileClaims(user)
	}
	if has(scopes, "email") {
		info.Email, info.EmailVerified = user.Email, oidc.Bool(!user.EmailVerifiedAt.IsZero())
	}
	if has(scopes, "phone") && user.PhoneNumber != "" {
		info.PhoneNumber = user.PhoneNumber
		info.AppendClaims("phone_number_verified", false) // nobody has called it
	}
	if has(scopes, "roles") {
		members, err := p.db.Memberships(ctx, userID)
		if err != nil {
			return nil, fmt.Errorf("claims of %s: %w", userID, err)
		}
		roles := make([]membership, len(members))
		for i, m := range members {
			roles[i] = membership{m.OrganizationID, string(m.Role)}
		}
		info.AppendClaims("roles", roles)
	}
	return info, nil
}

// profileClaims are the claims of the scope profile. What a user has not said
// is left out.
func profileClaims(u *storage.User) oidc.UserInfoProfile {
	claims := oidc.UserInfoProfile{
		Name: u.FullName, GivenName: u.GivenName, FamilyName: u.FamilyName, Nickname: u.Nickname,
		PreferredUsername: u.PreferredUsername, Picture: u.AvatarURL, Website: u.Website,
		Gender: oidc.Gender(u.Gender), Birthdate: u.Birthdate, Zoneinfo: u.Zoneinfo,
		UpdatedAt: oidc.FromTime(u.UpdatedAt.Time),
	}
	if tag, err := language.Parse(u.Locale); err == nil {
		claims.Locale = oidc.NewLocale(tag)
	}
	return claims
}

// ServeUserinfo answers with the claims of an access token's user
// (OpenID Connect Core 1.0, section 5.3).
func (p *Provider) ServeUserinfo(w http.ResponseWriter, r *http.Request) {
	p.offerNonce(w.Header(), r.Header)
	token, refused := bearer(w, r)
	if refused != nil {
		writeBearer(w, refused)
		return
	}
	claims, grant, err := p.parseAccessToken(r.Context(), token, time.Now())
	switch {
	case errors.Is(err, keyring.ErrToken):
		writeBearer(w, &problem{http.StatusUnauthorized, "invalid_token", "the access token is not valid or has ended"})
		return
	case err != nil:
		writeInternal(w, r, err)
		return
	}
	if err := p.checkPresented(r, token, claims); err != nil {
		refusePresented(w, r, err)
		return
	}
	scopes := strings.Fields(claims.Scope)
	if grant == nil || !has(scopes, "openid") {
		writeBearer(w, &problem{http.StatusForbidden, "insufficient_scope", "the access token lacks the scope openid"})
		return
	}
	info, err := p.userinfo(r.Context(), grant.UserID, scopes)
	if err != nil {
		writeInternal(w, r, err)
		return
	}
	writeUserinfo(w, r, info)
}

func writeUserinfo(w http.ResponseWriter, r *http.Request, info *oidc.UserInfo) {
	body, err := json.Marshal(info)
	if err != nil {
		writeInternal(w, r, fmt.Errorf("encode claims: %w", err))
		return
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	h.Set("Cache-Control", "no-store")
	w.Write(body) //nolint:errcheck // the client has gone
}

// introspection is the answer of RFC 7662, section 2.2.
type introspection struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	Username  string   `json:"username,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	Expires   int64    `json:"exp,omitempty"` // seconds since 1970
	IssuedAt  int64    `json:"iat,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  audience `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	ID        string   `json:"jti,omitempty"`

	Confirmation *confirmation   `json:"cnf,omitempty"` // RFC 9449, section 6.2
	Actor        json.RawMessage `json:"act,omitempty"` // RFC 8693, section 4.1
}

// introspect tells c about a token of its own; about any other it says no more
// than that it is not active.
func (p *Provider) introspect(ctx context.Context, c *storage.Client, token string) (*introspection, error) {
	now := time.Now()
	claims, _, err := p.parseAccessToken(ctx, token, now)
	if errors.Is(err, keyring.ErrToken) {
		return p.introspectRefresh(ctx, c, token, now)
	}
	if err != nil {
		return nil, err
	}
	if claims.ClientID != c.ClientID {
		return &introspection{}, nil
	}
	answer := &introspection{
		Active: true, Scope: claims.Scope, ClientID: claims.ClientID, TokenType: oidc.BearerToken,
		Expires: claims.Expires, IssuedAt: claims.IssuedAt, Subject: claims.Subject, Audience: claims.Audience,
		Issuer: claims.Issuer, ID: claims.ID, Confirmation: claims.Confirmation, Actor: claims.Actor,
	}
	if claims.Confirmation != nil {
		answer.TokenType = proofToken
	}
	return answer, nil
}

func (p *Provider) introspectRefresh(
	ctx context.Context, c *storage.Client, token string, now time.Time,
) (*introspection, error) {
	known, err := p.db.RefreshToken(ctx, storage.Hash(token))
	if errors.Is(err, storage.ErrNotFound) {
		return &introspection{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("introspect a refresh token: %w", err)
	}
	grant, err := p.db.Grant(ctx, known.GrantID)
	if errors.Is(err, storage.ErrNotFound) {
		return &introspection{}, nil // deleted between the two reads
	}
	if err != nil {
		return nil, fmt.Errorf("introspect a refresh token: %w", err)
	}
	if grant.ClientID != c.ID || !known.UsedAt.IsZero() || !now.Before(known.ExpiresAt.Time) {
		return &introspection{}, nil
	}
	if err := p.live(ctx, p.db.Reader, grant, now); errors.Is(err, errEnded) {
		return &introspection{}, nil
	} else if err != nil {
		return nil, err
	}
	return &introspection{
		Active: true, Scope: grant.Scopes.String(), ClientID: c.ClientID, TokenType: "refresh_token",
		Expires: known.ExpiresAt.Unix(), IssuedAt: known.CreatedAt.Unix(), Subject: grant.UserID, Issuer: p.Issuer,
	}, nil
}
