package openid

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"authy/server/keyring"
	"authy/server/steady"
	"authy/storage"
)

// logoutMetadata says which ways of logging out there are (OpenID Connect
// RP-Initiated, Back-Channel and Front-Channel Logout 1.0, sections 2.1, 2.1
// and 3).
type logoutMetadata struct {
	EndSessionEndpoint  string `json:"end_session_endpoint"`
	BackChannel         bool   `json:"backchannel_logout_supported"`
	BackChannelSession  bool   `json:"backchannel_logout_session_supported"`
	FrontChannel        bool   `json:"frontchannel_logout_supported"`
	FrontChannelSession bool   `json:"frontchannel_logout_session_supported"`
}

func (p *Provider) logoutMetadata() logoutMetadata {
	return logoutMetadata{p.Issuer + EndSessionPath, true, true, true, true}
}

// visit notes in tx that a user goes to a client in a session, if the client
// wants to hear of its end.
func (p *Provider) visit(
	ctx context.Context, tx *storage.Tx, now time.Time, c *storage.Client, sessionID, subject string,
) error {
	if sessionID == "" || c.Options.BackChannelURI == "" && c.Options.FrontChannelURI == "" {
		return nil
	}
	err := tx.InsertVisit(ctx, &storage.Visit{
		SessionID: sessionID, ClientID: c.ID, Subject: subject, CreatedAt: storage.At(now), CheckAt: storage.At(now),
	})
	if err != nil {
		return fmt.Errorf("note that %s was visited: %w", c.ClientID, err)
	}
	return nil
}

// logoutEvent is what a logout token is about (OpenID Connect Back-Channel
// Logout 1.0, section 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutTokenLifetime is how long a logout token is good: the two minutes that
// section 4 recommends.
const logoutTokenLifetime = 2 * time.Minute

// logoutToken is what a client is told (section 2.4). It has no nonce, so that
// it is never taken for an ID token.
type logoutToken struct {
	Issuer    string              `json:"iss"`
	Subject   string              `json:"sub"`
	Audience  string              `json:"aud"`
	IssuedAt  int64               `json:"iat"`
	Expires   int64               `json:"exp"`
	ID        string              `json:"jti"`
	SessionID string              `json:"sid"`
	Events    map[string]struct{} `json:"events"`
}

// LogoutToken signs what a client is told of a logout, as it wants its ID
// tokens signed.
func (p *Provider) LogoutToken(ctx context.Context, l *storage.Logout) (string, error) {
	client, err := p.db.ClientByRow(ctx, string(l.ClientID))
	if err != nil {
		return "", fmt.Errorf("look client %s up: %w", l.ClientID, err)
	}
	now := steady.Now()
	return p.keys.Sign(ctx, client.IDTokenAlg, keyring.LogoutToken, &logoutToken{
		Issuer: p.Issuer, Subject: l.Subject, Audience: client.ClientID,
		IssuedAt: now.Unix(), Expires: now.Add(logoutTokenLifetime).Unix(), ID: rand.Text(), SessionID: l.SessionID,
		Events: map[string]struct{}{logoutEvent: {}},
	})
}
