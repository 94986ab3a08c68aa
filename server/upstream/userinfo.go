package upstream

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"authy/server/keyset"
	"authy/server/provider"
	"authy/server/steady"
)

// complete returns the claims of an ID token, and where some are missing those of
// userinfo, about the same subject (OpenID Connect Core 1.0, section 5.3.2).
func (o *openID) complete(ctx context.Context, m *metadata, t *idToken) (keyset.Claims, error) {
	if m.UserinfoEndpoint == "" || !o.lacks(o.p, t.claims) {
		return t.claims, nil
	}
	info, err := o.userinfo(ctx, m, t.access)
	if err != nil {
		return nil, err
	}
	if subject, err := info.Text("sub"); err != nil || subject != t.subject {
		return nil, provider.Refuse(provider.Untrue, "wrong_userinfo_subject", err)
	}
	return merged(t.claims, info), nil
}

// userinfo asks for the claims about whom an access token is for. They come as JSON,
// or as a JWT that the provider has signed (section 5.3.2).
func (o *openID) userinfo(ctx context.Context, m *metadata, access string) (keyset.Claims, error) {
	answer, err := o.fetch(ctx, m.UserinfoEndpoint, access, http.Header{"Accept": {"application/json, application/jwt;q=0.9"}})
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		kind := provider.Untrue
		if answer.Status >= 500 {
			kind = provider.Unreachable
		}
		return nil, provider.Refuse(kind, "userinfo_refused", fmt.Errorf("userinfo answered %d", answer.Status))
	}
	if kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); err == nil && kind == "application/jwt" {
		return o.signedInfo(ctx, m, strings.TrimSpace(string(answer.Body)))
	}
	info, err := object(answer.Body)
	if err != nil {
		return nil, provider.Refuse(provider.Untrue, "bad_userinfo", err)
	}
	return info, nil
}

// signedInfo believes claims that the provider has signed for this client: both are
// said in them (section 5.3.2). Another kind of token is none of them.
func (o *openID) signedInfo(ctx context.Context, m *metadata, text string) (keyset.Claims, error) {
	token, err := o.signed(ctx, m, text)
	if err != nil {
		return nil, err
	}
	if kind := strings.ToLower(token.Type); kind != "" && kind != "jwt" {
		return nil, provider.Refuse(provider.Untrue, "wrong_token_type", fmt.Errorf("typ is %.64q", token.Type))
	}
	if _, err := o.issuer(m, token.Claims); err != nil {
		return nil, provider.Refuse(provider.Untrue, "wrong_issuer", err)
	}
	audience, err := token.Claims.Audience()
	if err != nil || !slices.Contains(audience, o.p.ClientID) {
		return nil, provider.Refuse(provider.Untrue, "wrong_audience", fmt.Errorf("aud is %.200q", audience))
	}
	if _, _, err := token.Claims.Times(steady.Now()); err != nil {
		return nil, provider.Refuse(provider.Untrue, "wrong_times", err)
	}
	return token.Claims, nil
}

// identifying are the claims that only an ID token can make.
var identifying = []string{
	"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash", "auth_time", "acr", "amr", "sid", "tid", "oid", "hd", "xms_edov",
}

// merged returns the claims of an ID token with those of userinfo that it lacks.
// Whether an address is verified is said by who says the address.
func merged(token, info keyset.Claims) keyset.Claims {
	out := keyset.Claims{}
	for name, value := range info {
		if !slices.Contains(identifying, name) {
			out[name] = value
		}
	}
	if _, has := token["email"]; has {
		delete(out, "email_verified")
	}
	for name, value := range token {
		if name == "email_verified" && token["email"] == nil && out["email"] != nil {
			continue
		}
		out[name] = value
	}
	return out
}
