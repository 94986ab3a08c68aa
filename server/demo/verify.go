package demo

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/url"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// identity is a verified ID token.
type identity struct {
	*oidc.IDToken
	raw    string
	claims map[string]json.RawMessage
}

// checkSender refuses a response that another provider sent, which is how the mix-up attack
// works. RFC 9207, section 2.4.
func (a *App) checkSender(query url.Values) error {
	switch {
	case !query.Has("iss") && a.announce.IssInResponse:
		return refuse("The response has no iss, though the provider announces that it sends one.")
	case query.Has("iss") && !same(query.Get("iss"), a.config.Issuer):
		return refuse("The response comes from %q, and this sign-in began at %q.",
			query.Get("iss"), a.config.Issuer)
	}
	return nil
}

// verify checks the ID token that came with the access token: signature, issuer, audience, expiry,
// authorized party and at_hash. The nonce is the caller's, who knows what it should be.
func (a *App) verify(ctx context.Context, token *oauth2.Token) (identity, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return identity{}, refuse("The token response has no ID token.")
	}
	parsed, err := a.verifier.Verify(ctx, raw)
	if err != nil {
		return identity{}, failed("The ID token is not valid", err)
	}
	id := identity{IDToken: parsed, raw: raw}
	if err := parsed.Claims(&id.claims); err != nil {
		return identity{}, failed("The claims of the ID token cannot be read", err)
	}
	if err := a.checkParty(id); err != nil {
		return identity{}, err
	}
	// OpenID Connect Core 1.0, section 3.1.3.6: at_hash is optional in the code flow.
	if parsed.AccessTokenHash != "" {
		if err := parsed.VerifyAccessToken(token.AccessToken); err != nil {
			return identity{}, failed("The ID token belongs to another access token", err)
		}
	}
	return id, nil
}

// checkParty refuses an ID token that was issued to another client, though this one may read it.
// OpenID Connect Core 1.0, section 3.1.3.7, points 4 and 5.
func (a *App) checkParty(id identity) error {
	party, ok := id.text("azp")
	switch {
	case ok && party != a.config.ClientID:
		return refuse("The ID token was issued to the client %q.", party)
	case !ok && len(id.Audience) > 1:
		return refuse("The ID token has several audiences and does not say whom it was issued to.")
	}
	return nil
}

// text returns a claim that is a string, and whether there is one.
func (i identity) text(name string) (string, bool) {
	var value *string
	if err := json.Unmarshal(i.claims[name], &value); err != nil || value == nil {
		return "", false
	}
	return *value, true
}

// same compares without telling by its time how much is equal.
func same(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
