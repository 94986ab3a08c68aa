package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"authy/server/keyset"
	"authy/server/outbound"
	"authy/server/registry"
	"authy/storage"
)

// resolve is nil for a name that is known, to the name servers of this machine.
func resolve(ctx context.Context, host string) error {
	_, err := net.DefaultResolver.LookupHost(ctx, host)
	return err
}

// addresses are checks of the hosts to which a client has browsers sent.
func (s *Service) addresses(c *registry.Client) (all []check) {
	var seen []string
	for _, named := range []struct {
		field string
		uris  []string
	}{
		{"redirect_uris", c.RedirectURIs},
		{"post_logout_redirect_uris", c.PostLogoutRedirectURIs},
		{"frontchannel_logout_uri", []string{c.Options.FrontChannelURI}},
		{"initiate_login_uri", []string{c.Options.InitiateLoginURI}},
	} {
		for _, uri := range named.uris {
			u, err := url.Parse(uri)
			if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || slices.Contains(seen, u.Hostname()) {
				continue // an application's own scheme leads to no host
			}
			seen = append(seen, u.Hostname())
			all = append(all, check{named.field, func(ctx context.Context) ([]Finding, error) {
				return s.address(ctx, c, named.field, u)
			}})
		}
	}
	return all
}

// address looks at whether browsers that a client has sent somewhere arrive.
func (s *Service) address(ctx context.Context, c *registry.Client, field string, u *url.URL) ([]Finding, error) {
	host := u.Hostname()
	switch {
	case isLocal(host):
		// A browser's own machine: where it signs in by a program there (RFC 8252), where all is
		// on one, or beside the real address, as some programs have it both ways.
		if c.ApplicationType == "native" || s.Config.Config.Localhost() || field != "redirect_uris" || hasPublic(c) {
			return nil, nil
		}
		return []Finding{note(field, "%s leads everybody to their own machine, and there is no other: register the address of the "+
			"application, or make it native (RFC 8252, section 7.3).", u)}, nil
	case isAddress(host):
		return nil, nil
	}
	err := s.resolve(ctx, host)
	if unknown, ok := errors.AsType[*net.DNSError](err); ok && unknown.IsNotFound {
		return []Finding{note(field, "The name %s is not known to this machine: make a DNS record for it, or correct %s. Where only "+
			"others know it, nothing is wrong.", host, field)}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look the name %s up: %w", host, err)
	}
	return nil, nil
}

// hasPublic says whether a client has a redirect URI that leads to more than one machine.
func hasPublic(c *registry.Client) bool {
	return slices.ContainsFunc(c.RedirectURIs, func(uri string) bool {
		u, err := url.Parse(uri)
		return err == nil && u.Scheme == "https" && !isLocal(u.Hostname())
	})
}

func isLocal(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "::1" || strings.HasPrefix(host, "127.")
}

// algorithms looks at whether there is a key for what a client wants signed.
func (s *Service) algorithms(ctx context.Context, c *registry.Client) (found []Finding, err error) {
	keys, err := s.DB.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up the keys: %w", err)
	}
	for _, wanted := range []struct{ field, alg string }{
		{"id_token_signed_response_alg", c.IDTokenAlg},
		{"userinfo_signed_response_alg", c.Options.UserinfoAlg},
		{"introspection_signed_response_alg", c.Options.IntrospectionAlg},
	} {
		signs := func(k storage.Key) bool { return k.Algorithm == wanted.alg && k.State == storage.SigningKey }
		if wanted.alg != "" && !slices.ContainsFunc(keys, signs) {
			found = append(found, note(wanted.field, "The client wants %s, for which no key signs: 'authy key list' shows those that "+
				"do. Change it by 'authy client update %s'.", wanted.alg, c.ClientID))
		}
	}
	return found, nil
}

// keys looks at whether the keys that a client has named by URL can be had.
func (s *Service) keys(ctx context.Context, c *registry.Client) ([]Finding, error) {
	if c.Options.JWKSURI == "" {
		return nil, nil
	}
	answer, err := s.Outbound.Get(ctx, c.Options.JWKSURI, keyset.MaxDocument)
	if err != nil {
		return []Finding{note("jwks_uri", "The keys of the client cannot be had: %s. Without them nothing that it signs is believed%s.",
			why(err), permitted(err))}, nil
	}
	set, err := keyset.Parse(answer.Body)
	switch {
	case err != nil:
		return []Finding{note("jwks_uri", "The keys at %s cannot be used: %v (RFC 7517, section 5).", c.Options.JWKSURI, err)}, nil
	case set.Len() == 0:
		return []Finding{note("jwks_uri", "There is no key at %s that a signature could be checked with.", c.Options.JWKSURI)}, nil
	}
	return nil, nil
}

// logout looks at whether a client can be told that a session has ended, and whether it
// was. It is asked for a page, which ends nothing; that it has none is no matter.
func (s *Service) logout(ctx context.Context, c *registry.Client) ([]Finding, error) {
	const field = "backchannel_logout_uri"
	if c.Options.BackChannelURI == "" {
		return nil, nil
	}
	answer, err := s.Outbound.Ask(ctx, outbound.Question{URL: c.Options.BackChannelURI, Limit: maxPage})
	switch {
	case errors.Is(err, outbound.ErrLong):
	case err != nil:
		return []Finding{note(field, "The application cannot be told of logouts at %s: %s%s.", c.Options.BackChannelURI, why(err),
			permitted(err))}, nil
	case answer.Status == http.StatusBadGateway || answer.Status == http.StatusServiceUnavailable || answer.Status == http.StatusGatewayTimeout:
		return []Finding{note(field, "At %s the proxy answers, and the application does not (%d): is it running?",
			c.Options.BackChannelURI, answer.Status)}, nil
	}
	told, err := s.DB.Logouts(ctx, storage.LogoutFilter{ClientID: c.ID}, "", 1)
	if err != nil {
		return nil, fmt.Errorf("look up whether it was told of logouts: %w", err)
	}
	if len(told) == 0 || told[0].LastError == "" || told[0].State == storage.LogoutDelivered {
		return nil, nil
	}
	return []Finding{note(field, "The application was last to be told of a logout at %s, and was not: %s. 'authy session logouts' "+
		"has all of them (OpenID Connect Back-Channel Logout 1.0, section 2.8).", moment(told[0].CreatedAt.Time), told[0].LastError)}, nil
}

// permitted is what to do about an address that may not be asked.
func permitted(err error) string {
	if errors.Is(err, outbound.ErrURL) && !strings.Contains(err.Error(), "outbound.allow") {
		return " (where it is in a network of yours, name that in outbound.allow)"
	}
	return ""
}
