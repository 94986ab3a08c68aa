package openid

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"authy/server/keyring"
	"authy/server/registry"
	"authy/storage"
)

// Logout is a logout request of a client
// (OpenID Connect RP-Initiated Logout 1.0, section 2).
type Logout struct {
	// Client is who asks, nil if that is not known.
	Client *storage.Client
	// Subject and SessionID are whom the hint names, as the client knows them, and
	// the session that it is from, "" if it does not say; it may be old and proves
	// nothing about this browser.
	Subject, SessionID string
	// RedirectURL is where the browser goes afterwards, with state; "" stays here.
	RedirectURL string
}

// logoutParameters are those of section 2. logout_hint is taken and makes no
// difference: one browser has one session. ui_locales is for the pages.
var logoutParameters = []string{
	"id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint", "ui_locales",
}

// ParseLogout checks a logout request. A [*Refusal] is shown here: nothing is
// ended and nobody redirected. Any other error is internal.
func (p *Provider) ParseLogout(ctx context.Context, form url.Values) (*Logout, error) {
	for _, name := range logoutParameters {
		if len(form[name]) > 1 || name != "id_token_hint" && !isText(form.Get(name)) {
			return nil, refuse("invalid_request", name, "The parameter "+name+" appears more than once, is too long or not plain text.")
		}
	}
	out := &Logout{}
	clientID := form.Get("client_id")
	if hint := form.Get("id_token_hint"); hint != "" {
		token, err := p.parseIDToken(ctx, hint)
		if errors.Is(err, keyring.ErrToken) {
			return nil, refuse("invalid_request", "id_token_hint", "The id_token_hint is not an ID token of this server.")
		}
		if err != nil {
			return nil, err
		}
		audience := soleAudience(token)
		if clientID != "" && clientID != audience {
			return nil, refuse("invalid_request", "client_id", "The client_id is not the one the id_token_hint was issued to.")
		}
		clientID, out.Subject, out.SessionID = audience, token.Subject, token.SessionID
	}
	if clientID == "" {
		return out, nil
	}
	client, err := p.clients.Client(ctx, clientID)
	if err != nil && !errors.Is(err, registry.ErrNoClient) {
		return nil, err
	}
	out.Client = client
	// A URI that is not registered is not followed; the person stays here (section 3).
	if uri := form.Get("post_logout_redirect_uri"); client != nil && has(client.PostLogoutRedirectURIs, uri) {
		out.RedirectURL = withState(uri, form.Get("state"))
	}
	return out, nil
}

func soleAudience(t *idToken) string {
	var one string
	var many []string
	if json.Unmarshal(t.Audience, &one) == nil {
		return one
	}
	if json.Unmarshal(t.Audience, &many) == nil && len(many) == 1 {
		return many[0]
	}
	return t.AZP
}

func withState(uri, state string) string {
	if state == "" {
		return uri
	}
	mark := "?"
	if strings.Contains(uri, "?") {
		mark = "&"
	}
	return uri + mark + url.Values{"state": {state}}.Encode()
}
