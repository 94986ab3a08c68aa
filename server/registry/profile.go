package registry

import (
	"context"
	"log/slog"
	"strings"
)

// The profiles of clients. OAuth21, which is kept as "", is code flow with PKCE
// and exact redirect URIs. Legacy is for those that cannot do what it asks: only
// they go without PKCE, have codes that last longer, or tokens without a code.
const (
	OAuth21 = "oauth2.1"
	Legacy  = "legacy"
)

// ProfileOf returns the profile of a client.
func ProfileOf(c *Client) string {
	if c.Options.Profile == "" {
		return OAuth21
	}
	return c.Options.Profile
}

// Relaxed names the protections that a client does without: "pkce", and with it
// "nonce", either of which would tie a code to the browser that asked for it;
// "code_lifetime", if its codes have one of their own; "consent"; "code", if its
// tokens come without one, where browsers and their histories see them.
func Relaxed(c *Client) (names []string) {
	if !c.RequirePKCE && has(c.GrantTypes, "authorization_code") {
		names = append(names, "pkce", "nonce")
	}
	if c.Options.CodeLifetime > 0 {
		names = append(names, "code_lifetime")
	}
	if c.SkipConsent {
		names = append(names, "consent")
	}
	if has(c.GrantTypes, Implicit) {
		names = append(names, "code")
	}
	return names
}

// withRelaxed adds to the details of an event what the client does without.
func withRelaxed(details map[string]string, c *Client) map[string]string {
	relaxed := Relaxed(c)
	if len(relaxed) == 0 {
		return details
	}
	if details == nil {
		details = map[string]string{}
	}
	details["relaxed"] = strings.Join(relaxed, " ")
	return details
}

func warnOfRelaxations(ctx context.Context, c *Client) {
	if relaxed := Relaxed(c); len(relaxed) > 0 {
		slog.WarnContext(ctx, "a client does without a protection",
			"client_id", c.ClientID, "relaxed", strings.Join(relaxed, " "))
	}
}
