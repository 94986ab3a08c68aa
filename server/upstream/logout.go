package upstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"authy/server/keyset"
	"authy/server/provider"
	"authy/server/steady"
	"authy/storage"
)

const (
	// logoutEvent is what a logout token says has happened.
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
	// logoutAge is how old a logout token may be.
	logoutAge = 5 * time.Minute
)

// ParseLogout believes a logout token of a provider, or not (OpenID Connect
// Back-Channel Logout 1.0, section 2.6), and returns whose sessions have ended
// there. Whether it came before is for the caller to know. An error is a
// [provider.Refusal].
func (s *Service) ParseLogout(ctx context.Context, p *storage.Provider, token string) (*provider.Notice, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if p.Kind != provider.OIDC { // the others have none, and their subjects are not sub
		return nil, provider.Refuse(provider.Misconfigured, "no_back_channel", fmt.Errorf("provider %s", p.Slug))
	}
	o := &openID{s, p, plain{}}
	m, err := o.metadata(ctx)
	if err != nil {
		return nil, err
	}
	t, err := o.signed(ctx, m, token)
	if err != nil {
		return nil, err
	}
	n, now := &provider.Notice{ID: text(t.Claims, "jti")}, steady.Now()
	if n.Issuer, err = o.checkIssued(m, now, t.Claims); err != nil {
		return nil, err
	}
	if n.Subject, n.SessionID, err = ended(t, now); err != nil {
		return nil, err
	}
	// None is taken later than that, whatever it says itself.
	n.ExpiresAt = now.Add(logoutAge + keyset.Skew)
	return n, nil
}

// ended returns what a token of the right issuer for this client says has ended.
func ended(t *keyset.Token, now time.Time) (subject, sessionID string, err error) {
	if kind := strings.ToLower(t.Type); kind != "" && kind != "jwt" && kind != "logout+jwt" {
		return "", "", provider.Refuse(provider.Untrue, "wrong_token_type", fmt.Errorf("typ is %.64q", t.Type))
	}
	events, err := object(t.Claims["events"])
	if err == nil {
		_, err = object(events[logoutEvent])
	}
	if err != nil {
		return "", "", provider.Refuse(provider.Untrue, "no_logout_event", err)
	}
	// An ID token must not pass for a logout token.
	if _, has := t.Claims["nonce"]; has {
		return "", "", provider.Refuse(provider.Untrue, "wrong_token_type", errors.New("it has a nonce"))
	}
	if text(t.Claims, "jti") == "" {
		return "", "", provider.Refuse(provider.Untrue, "bad_token", errors.New("jti is missing"))
	}
	if issued, err := t.Claims.Time("iat"); err != nil || now.Sub(issued) > logoutAge {
		return "", "", provider.Refuse(provider.Untrue, "expired_token", err)
	}
	return about(t.Claims)
}

// about returns the subject and the session that claims are about.
func about(claims keyset.Claims) (subject, sessionID string, err error) {
	if _, has := claims["sub"]; has {
		if subject, err = subjectOf(claims); err != nil {
			return "", "", err
		}
	}
	if _, has := claims["sid"]; has {
		if sessionID = value(text(claims, "sid")); sessionID == "" {
			return "", "", provider.Refuse(provider.Untrue, "bad_session", nil)
		}
	}
	if subject == "" && sessionID == "" {
		return "", "", provider.Refuse(provider.Untrue, "bad_subject", errors.New("neither sub nor sid"))
	}
	return subject, sessionID, nil
}
