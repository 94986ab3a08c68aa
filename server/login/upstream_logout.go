package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"authy/server/audit"
	"authy/server/provider"
	"authy/storage"
)

// SignedOutPage is where somebody ends who signed out, also at a provider.
const SignedOutPage = "/signed-out"

// upstreamLogout returns the request that ends the session at the provider where
// a session here comes from; nil if there is none. What fails there holds up no
// sign-out here.
func (s *Service) upstreamLogout(ctx context.Context, sessionID string) (*provider.Request, error) {
	u, err := s.db.UpstreamSession(ctx, sessionID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up where session %s comes from: %w", sessionID, err)
	}
	p, err := s.db.Provider(ctx, u.ProviderID)
	if err != nil {
		return nil, fmt.Errorf("look provider %s up: %w", u.ProviderID, err)
	}
	protocol, err := s.protocolOf(ctx, s.db.Reader, p)
	if errors.Is(err, ErrProvider) || err == nil && !p.Options.Logout {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	waiting, done := context.WithTimeout(ctx, upstreamPatience)
	defer done()
	request, err := protocol.Logout(waiting, p, u, s.PublicURL+SignedOutPage)
	if err != nil {
		slog.WarnContext(ctx, "nobody is signed out at a provider", "provider", p.Slug, "err", err)
		return nil, nil
	}
	return request, nil
}

// EndedThere ends the sessions that a logout token of a provider is about
// (OpenID Connect Back-Channel Logout 1.0, section 2.6).
func (s *Service) EndedThere(ctx context.Context, by audit.Actor, slug, token string) error {
	if err := s.limits().departure(ctx, by); err != nil {
		return err
	}
	p, err := s.Providers.Find(ctx, slug)
	if errors.Is(err, provider.ErrNoProvider) {
		return ErrProvider
	}
	if err != nil {
		return err
	}
	protocol, err := s.protocolOf(ctx, s.db.Reader, p)
	if err != nil {
		return err
	}
	reader, is := protocol.(logoutReader)
	if !is {
		return ErrProvider
	}
	waiting, done := context.WithTimeout(ctx, upstreamPatience)
	defer done()
	issuer, subject, sessionID, err := reader.ParseLogout(waiting, p, token)
	if err != nil {
		return s.turned(ctx, by, p, &storage.Departure{Purpose: "logout"}, nil, err)
	}
	return s.EndUpstream(ctx, by, p, issuer, subject, sessionID)
}

// EndUpstream ends the sessions that came from a provider for a subject of an
// issuer there; of them, unless sessionID is "", the one that the provider calls
// so. The subject may be "" where sessionID is not.
func (s *Service) EndUpstream(
	ctx context.Context, by audit.Actor, p *storage.Provider, issuer, subject, sessionID string,
) error {
	now := time.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		found, err := upstreamSessions(ctx, tx.Reader, p.ID, subject, sessionID)
		if err != nil {
			return fmt.Errorf("look for sessions from provider %s: %w", p.Slug, err)
		}
		for _, u := range found {
			i, err := tx.Identity(ctx, u.IdentityID)
			if err != nil {
				return fmt.Errorf("look identity %s up: %w", u.IdentityID, err)
			}
			if i.Issuer != issuer {
				continue
			}
			err = s.sessions.EndIn(ctx, tx, by, now, i.UserID, u.SessionID, "session.revoke", "ended_at_provider")
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func upstreamSessions(
	ctx context.Context, r storage.Reader, providerID, subject, sessionID string,
) ([]storage.UpstreamSession, error) {
	if subject == "" {
		if sessionID == "" {
			return nil, nil
		}
		return r.UpstreamSessionsNamed(ctx, providerID, sessionID)
	}
	found, err := r.UpstreamSessions(ctx, providerID, subject)
	return slices.DeleteFunc(found, func(u storage.UpstreamSession) bool {
		return sessionID != "" && u.UpstreamID != sessionID
	}), err
}
