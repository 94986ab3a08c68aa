package openid

import (
	"context"
	"net"
	"net/url"

	"authy/storage"
)

// pairwise is the subject_type of a client to which a user has an identifier
// that clients of other sectors do not see (OpenID Connect Core 1.0, section 8).
const pairwise = "pairwise"

// Subject is the identifier of a user to a client: everywhere the same for a
// client of the subject type public, and for a pairwise one the same within its
// sector (OpenID Connect Core 1.0, section 8.1). To nil it is the user's id.
func (p *Provider) Subject(c *storage.Client, userID string) string {
	if c == nil || c.Options.SubjectType != pairwise {
		return userID
	}
	return p.clients.Pairwise(sector(c), userID)
}

// SubjectOf is [Provider.Subject] for the client of a request.
func (p *Provider) SubjectOf(ctx context.Context, r *Request, userID string) (string, error) {
	client, err := p.clients.Client(ctx, r.ClientID)
	if err != nil {
		return "", err
	}
	return p.Subject(client, userID), nil
}

// sector is the host that a client's pairwise identifiers are for: of its
// sector_identifier_uri, or of its redirect URIs. Hosts of this machine, and
// schemes of apps, are nobody's own: there a client is a sector for itself.
func sector(c *storage.Client) string {
	uri := c.Options.SectorIdentifierURI
	if uri == "" && len(c.RedirectURIs) > 0 {
		uri = c.RedirectURIs[0]
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return "client:" + c.ClientID
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return "client:" + c.ClientID
	}
	return host
}
