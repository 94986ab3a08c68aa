package saml2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/beevik/etree"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/limit"
	"authy/server/provider"
	"authy/server/steady"
	"authy/storage"
)

// ErrLogout is told whoever brings a message about a logout that is not believed.
var ErrLogout = fault.New(fault.Invalid, "saml_message_refused",
	"What the provider sent about signing out could not be confirmed. Nothing was done.")

// perLogout is how often one address may bring what providers say about signing out.
var perLogout = limit.Rule{Name: "saml-logout-address", Most: 300, Window: 15 * time.Minute}

const (
	// signedOut is where somebody ends who has signed out.
	signedOut = "/signed-out"
	// maxEchoed is how long a relay state of a peer's is given back.
	maxEchoed = 1024
	// maxSessions is how many sessions one request may name.
	maxSessions = 100
)

// Logout returns the request that ends a session at the provider that it came
// from (SAML profiles, section 4.4); nil if it offers none. From there people come
// back to [SPLogoutPath], and on to returnURL if that is a short one of authy's own.
func (s *SP) Logout(
	ctx context.Context, p *storage.Provider, u *storage.UpstreamSession, returnURL string,
) (*provider.Request, error) {
	now := steady.Now()
	to, err := peer(p, now)
	if err != nil {
		return nil, err
	}
	slo, offered := endpoint(to.SLO, Redirect, Post)
	if !offered || u.Hint == "" {
		return nil, nil
	}
	var name nameID
	if err := json.Unmarshal([]byte(u.Hint), &name); err != nil {
		return nil, fmt.Errorf("read the name of session %s at provider %s: %w", u.SessionID, p.Slug, err)
	}
	key, err := s.keys.signing(ctx)
	if err != nil {
		return nil, err
	}
	el := begin("LogoutRequest", slo.URL, s.EntityID(), now)
	el.CreateAttr("NotOnOrAfter", written(now.Add(fresh)))
	name.element(el)
	if u.UpstreamID != "" {
		child(el, "samlp:SessionIndex", u.UpstreamID)
	}
	return send(el, slo, slo.URL, s.ownPath(returnURL), key)
}

// ownPath returns the path of a URL of authy's own, if it fits a relay state.
func (s *SP) ownPath(address string) string {
	path, own := strings.CutPrefix(address, s.publicURL)
	if !own || !isPath(path) || len(path) > maxRelayState {
		return ""
	}
	return path
}

// isPath says whether a browser that is sent to path stays on this server.
func isPath(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && !strings.ContainsAny(path, "\\") &&
		audit.Cut(path, len(path)) == path
}

// TakeLogout reads what a provider sent to [SPLogoutPath]: its own request to end
// sessions, which is done and answered, or its answer to one of authy's. It returns
// where the browser goes next. What is not believed is [ErrLogout], and recorded.
func (s *SP) TakeLogout(ctx context.Context, by audit.Actor, d Delivery) (*provider.Request, error) {
	if err := s.Limits.Count(ctx, perLogout, limit.Network(by.IPAddress)); err != nil {
		return nil, err
	}
	m, err := d.open()
	if err != nil {
		return nil, s.refuseLogout(ctx, by, "", untrue("bad_message", "%w", err))
	}
	candidates, err := s.named(ctx, text(only(m.root, nsAssertion, "Issuer")))
	if err != nil {
		return nil, err
	}
	err, slug := untrue("wrong_issuer"), ""
	for i := range candidates {
		var next *provider.Request
		slug = candidates[i].Slug
		if next, err = s.takeLogout(ctx, by, &candidates[i], m); err == nil {
			return next, nil
		}
	}
	return nil, s.refuseLogout(ctx, by, slug, err)
}

// takeLogout is [SP.TakeLogout] for one provider that may have sent it.
func (s *SP) takeLogout(
	ctx context.Context, by audit.Actor, p *storage.Provider, m *message,
) (*provider.Request, error) {
	now := steady.Now()
	from, err := peer(p, now)
	if err != nil {
		return nil, err
	}
	keys, err := s.keys.all(ctx)
	if err != nil {
		return nil, err
	}
	root, err := m.verified(from.Signing, now)
	if err != nil {
		return nil, untrue("bad_signature", "%w", err)
	}
	w := &expectation{provider: p, peer: from, keys: keys, audience: s.EntityID(), now: now}
	if err := w.addressed(root, s.publicURL+SPLogoutPath); err != nil {
		return nil, err
	}
	switch {
	case m.answer && is(root, nsProtocol, "LogoutResponse"):
		return s.loggedOut(ctx, p, root, m.state), nil
	case m.answer || !is(root, nsProtocol, "LogoutRequest"):
		return nil, untrue("bad_message")
	}
	if err := s.endSessions(ctx, by, w, root); err != nil {
		return nil, err
	}
	return s.answerLogout(w, attr(root, "ID"), m.state)
}

// addressed checks that a signed message is fresh, from the peer, and for us.
func (w *expectation) addressed(root *etree.Element, destination string) error {
	issuer := only(root, nsAssertion, "Issuer")
	switch {
	case attr(root, "Version") != "2.0" || attr(root, "ID") == "":
		return untrue("bad_message")
	case issuer == nil || !w.isPeer(issuer):
		return untrue("wrong_issuer")
	case attr(root, "Destination") != destination:
		return untrue("wrong_destination")
	case !w.within(root):
		return untrue("wrong_time")
	}
	return w.issued(root)
}

// loggedOut takes a browser on after the provider has answered.
func (s *SP) loggedOut(ctx context.Context, p *storage.Provider, root *etree.Element, state string) *provider.Request {
	if err := status(root); err != nil {
		slog.WarnContext(ctx, "a provider has not ended everything", "provider", p.Slug, "err", err)
	}
	if isPath(state) && len(state) <= maxRelayState {
		return &provider.Request{URL: s.publicURL + state}
	}
	return &provider.Request{URL: s.publicURL + signedOut}
}

// endSessions ends what a LogoutRequest is about: the sessions that it names, or
// all of whom it names. A request works once.
func (s *SP) endSessions(ctx context.Context, by audit.Actor, w *expectation, root *etree.Element) error {
	name, err := w.name(root)
	if err != nil {
		return err
	}
	subject := name.called(w.peer.EntityID, w.audience)
	sessions, err := sessionsIn(root)
	if err != nil {
		return err
	}
	if err := s.useUp(ctx, w.peer.EntityID, attr(root, "ID"), w.now.Add(fresh)); err != nil {
		return err
	}
	for _, session := range sessions {
		if err := s.End(ctx, by, w.provider, w.peer.EntityID, subject, session); err != nil {
			return fmt.Errorf("end sessions for provider %s: %w", w.provider.Slug, err)
		}
	}
	return nil
}

// sessionsIn returns the sessions that a LogoutRequest names; one "" for all.
func sessionsIn(root *etree.Element) ([]string, error) {
	named := children(root, nsProtocol, "SessionIndex")
	if len(named) == 0 {
		return []string{""}, nil
	}
	sessions := make([]string, len(named))
	for i, el := range named {
		if sessions[i] = text(el); sessions[i] == "" || len(named) > maxSessions {
			return nil, untrue("bad_message")
		}
	}
	return sessions, nil
}

// answerLogout tells the peer that its request was done.
func (s *SP) answerLogout(w *expectation, id, state string) (*provider.Request, error) {
	slo, offered := endpoint(w.peer.SLO, Redirect, Post)
	if !offered {
		return &provider.Request{URL: s.publicURL + signedOut}, nil
	}
	el := begin("LogoutResponse", slo.ResponseURL, s.EntityID(), w.now)
	el.CreateAttr("InResponseTo", id)
	child(child(el, "samlp:Status", ""), "samlp:StatusCode", "", "Value", statusSuccess)
	if len(state) > maxEchoed {
		state = ""
	}
	return send(el, slo, slo.ResponseURL, state, w.keys[0])
}

// refuseLogout records that a message was not believed.
func (s *SP) refuseLogout(ctx context.Context, by audit.Actor, slug string, cause error) error {
	refusal, is := errors.AsType[*provider.Refusal](cause)
	if !is {
		return cause
	}
	slog.WarnContext(ctx, "a SAML message about a logout was refused", "provider", slug,
		"reason", refusal.Reason, "err", refusal.Err)
	now := steady.Now()
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "saml.logout", Failed: true, Reason: refusal.Reason, TargetKind: "provider",
			Details: map[string]string{"provider": slug},
		})
	})
	if err != nil {
		return err
	}
	return ErrLogout
}
