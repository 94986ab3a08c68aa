package login

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"authy/server/audit"
	"authy/server/provider"
	"authy/server/steady"
	"authy/storage"
)

// SignedOutPage is where somebody ends who signed out, also at a provider.
const SignedOutPage = "/signed-out"

// offerPatience is how long a provider is waited for that is only offered.
const offerPatience = time.Second

// Leaving is the session at a provider that one here came from.
type Leaving struct {
	Provider string // its name
	// Request ends it there.
	Request *provider.Request
	// Wanted says that the provider is set so that who signs out here does so there.
	Wanted bool
	// Secret is a cookie to be set, if not "".
	Secret string
}

// upstreamLogout returns what ends the session at the provider where a session here
// comes from; nil if there is none. Who goes on to an application is led there only
// if the provider is set so, and comes back to go on. What fails there holds up no
// sign-out here.
func (s *Service) upstreamLogout(ctx context.Context, b Browser, sessionID, onward string) (*Leaving, error) {
	u, err := s.db.UpstreamSession(ctx, sessionID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil //nolint:nilnil // there is none, which is no error
	}
	if err != nil {
		return nil, fmt.Errorf("look up where session %s comes from: %w", sessionID, err)
	}
	p, err := s.db.Provider(ctx, u.ProviderID)
	if err != nil {
		return nil, fmt.Errorf("look provider %s up: %w", u.ProviderID, err)
	}
	protocol, err := s.protocolOf(ctx, s.db.Reader, p)
	if errors.Is(err, ErrProvider) || err == nil && onward != "" && !p.Options.Logout {
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil {
		return nil, err
	}
	out, back, state := &Leaving{Provider: p.Name, Wanted: p.Options.Logout}, s.PublicURL+SignedOutPage, ""
	if onward != "" {
		state = rand.Text()
		back += "?state=" + state
	}
	patience := offerPatience
	if out.Wanted {
		patience = upstreamPatience
	}
	waiting, done := context.WithTimeout(ctx, patience)
	defer done()
	if out.Request, err = protocol.Logout(waiting, p, u, back); err != nil {
		slog.WarnContext(ctx, "nobody is signed out at a provider", "provider", p.Slug, "err", err)
	}
	if err != nil || out.Request == nil {
		return nil, nil //nolint:nilnil // as above
	}
	if onward != "" {
		err = s.keepOnward(ctx, b, p, state, onward, out)
	}
	return out, err
}

// keepOnward keeps where a browser goes that comes back with a state.
func (s *Service) keepOnward(
	ctx context.Context, b Browser, p *storage.Provider, state, onward string, out *Leaving,
) error {
	if b.Secret == "" {
		b.Secret = rand.Text()
		out.Secret = b.Secret
	}
	d := &storage.Departure{Purpose: toLeave}
	if err := s.pack(d, p, state, b.Secret, &journey{Onward: onward}); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *storage.Tx) error { return insertDeparture(ctx, tx, d) })
}

// LeftThere returns where somebody goes on who was signed out at a provider and is
// back with a state; "" for the page here.
func (s *Service) LeftThere(ctx context.Context, b Browser, state string) (string, error) {
	d, j, err := s.back(ctx, b, state)
	if errors.Is(err, ErrDeparture) || err == nil && d.Purpose != toLeave {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return j.Onward, nil
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
	notice, err := reader.ParseLogout(waiting, p, token)
	if err == nil {
		err = s.heed(ctx, by, p, notice)
	}
	if _, is := errors.AsType[*provider.Refusal](err); is {
		return s.turned(ctx, by, p, &storage.Departure{Purpose: "logout"}, nil, err)
	}
	return err
}

// heed ends the sessions that a notice is about, once (section 2.6: a token that
// came before is refused).
func (s *Service) heed(ctx context.Context, by audit.Actor, p *storage.Provider, n *provider.Notice) error {
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		hash := storage.Hash("logout " + p.ID + " " + n.Issuer + " " + n.ID)
		first, err := tx.UseLogoutToken(ctx, hash, n.ExpiresAt)
		if err != nil {
			return fmt.Errorf("use a logout token of provider %s up: %w", p.Slug, err)
		}
		if !first {
			return provider.Refuse(provider.Untrue, "replayed", nil)
		}
		return s.endUpstream(ctx, tx, by, now, p, n.Ended)
	})
}

// EndUpstream ends the sessions that came from a provider for a subject of an
// issuer there; of them, unless sessionID is "", the one that the provider calls
// so. The subject may be "" where sessionID is not.
func (s *Service) EndUpstream(
	ctx context.Context, by audit.Actor, p *storage.Provider, issuer, subject, sessionID string,
) error {
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		return s.endUpstream(ctx, tx, by, now, p, provider.Ended{Issuer: issuer, Subject: subject, SessionID: sessionID})
	})
}

func (s *Service) endUpstream(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, p *storage.Provider, what provider.Ended,
) error {
	found, err := upstreamSessions(ctx, tx.Reader, p.ID, what.Subject, what.SessionID)
	if err != nil {
		return fmt.Errorf("look for sessions from provider %s: %w", p.Slug, err)
	}
	for _, u := range found {
		i, err := tx.Identity(ctx, u.IdentityID)
		if err != nil {
			return fmt.Errorf("look identity %s up: %w", u.IdentityID, err)
		}
		if i.Issuer != what.Issuer {
			continue
		}
		err = s.sessions.EndIn(ctx, tx, by, now, i.UserID, u.SessionID, "session.revoke", "ended_at_provider")
		if err != nil {
			return err
		}
	}
	return nil
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
