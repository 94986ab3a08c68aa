package login

import (
	"context"
	"errors"
	"log/slog"
	"net/url"

	"authy/server/audit"
	"authy/server/provider"
	"authy/storage"
)

// beginner is a [Protocol] whose providers may begin a sign-in by themselves.
type beginner interface {
	FinishUnsolicited(ctx context.Context, answer url.Values) (*storage.Provider, *provider.Statement, error)
}

// unasked reads an answer of a SAML provider that this browser has not asked for;
// nil if it is none that is believed. It begins a sign-in of its own: where that
// leads is for nobody else to say.
func (s *Service) unasked(ctx context.Context, answer url.Values) (*came, error) {
	protocol, is := s.Protocols[provider.SAML].(beginner)
	if !is || answer.Get("SAMLResponse") == "" {
		return nil, nil
	}
	p, st, err := protocol.FinishUnsolicited(ctx, answer)
	if err != nil {
		return nil, err
	}
	if _, err := s.protocolOf(ctx, s.db.Reader, p); err != nil {
		return nil, err
	}
	c := &came{
		departure: &storage.Departure{Purpose: toSignIn, ProviderID: p.ID}, journey: &journey{}, provider: p, statement: st,
	}
	if c.said, err = s.listen(ctx, s.db.Reader, p, st); err != nil {
		return nil, err
	}
	return c, nil
}

// returnUnasked is [Service.Return] for such an answer.
func (s *Service) returnUnasked(ctx context.Context, by audit.Actor, b Browser, answer url.Values) (*Next, error) {
	c, err := s.unasked(ctx, answer)
	if why, refused := errors.AsType[*provider.Refusal](err); refused {
		slog.WarnContext(ctx, "an answer that nobody asked for is refused", "request_id", by.RequestID,
			"reason", why.Reason, "err", why.Err)
		return nil, refusal(ErrDeparture, s.failed(ctx, by, nil, why.Reason))
	}
	if c == nil && err == nil || errors.Is(err, ErrProvider) {
		return nil, s.lost(ctx, by, "", ErrDeparture)
	}
	if err != nil {
		return nil, err
	}
	return s.conclude(ctx, by, b, c)
}
