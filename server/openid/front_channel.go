package openid

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"authy/storage"
)

// Frame is a page of a client that ends its session when a browser loads it
// (OpenID Connect Front-Channel Logout 1.0, section 2).
type Frame struct {
	Client *storage.Client
	URL    string // with the iss and sid of the session
	Origin string // that it is loaded from
	// Answers says that it leads back to this server, as those of SAML do.
	Answers bool
}

// Frames returns what a browser has to load for the clients of its session,
// which is about to end.
func (p *Provider) Frames(ctx context.Context, sessionID string) ([]Frame, error) {
	visits, err := p.db.Visits(ctx, sessionID)
	if err != nil {
		return nil, fmt.Errorf("look for the clients of session %s: %w", sessionID, err)
	}
	var frames []Frame
	for _, v := range visits {
		client, err := p.db.ClientByRow(ctx, v.ClientID)
		if errors.Is(err, storage.ErrNotFound) {
			continue // deleted between the two reads
		}
		if err != nil {
			return nil, fmt.Errorf("look client %s up: %w", v.ClientID, err)
		}
		if frame, ok := p.frameOf(client, sessionID); ok {
			frames = append(frames, frame)
		}
	}
	return frames, nil
}

// frameOf is the frame of a client, if it has one that a page can hold. iss and
// sid are always there, also for a client that does not insist on them.
func (p *Provider) frameOf(c *storage.Client, sessionID string) (Frame, bool) {
	u, err := url.Parse(c.Options.FrontChannelURI)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return Frame{}, false
	}
	u.RawQuery = withQuery(u.RawQuery, url.Values{"iss": {p.Issuer}, "sid": {sessionID}})
	return Frame{Client: c, URL: u.String(), Origin: u.Scheme + "://" + u.Host}, true
}

// withQuery adds parameters to a query, whose own are kept as they are.
func withQuery(query string, more url.Values) string {
	if query == "" {
		return more.Encode()
	}
	return query + "&" + more.Encode()
}
