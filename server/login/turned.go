package login

import (
	"context"
	"errors"
	"log/slog"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/provider"
	"authy/server/steady"
	"authy/storage"
)

// Turned is an error of somebody who has come back from a provider and does not
// come in.
type Turned struct {
	Err error
	// Back is the page where they can try again.
	Back string
}

// Error returns what is behind it.
func (t *Turned) Error() string { return t.Err.Error() }

// Unwrap returns what is behind it.
func (t *Turned) Unwrap() error { return t.Err }

// kinds says what sort of fault the refusal of a provider is.
var kinds = map[provider.Fault]fault.Kind{
	provider.Denied: fault.Forbidden, provider.Untrue: fault.Invalid,
	provider.Unreachable: fault.Unavailable, provider.Misconfigured: fault.Unavailable,
}

// turned records why somebody does not come in from a provider, and returns what
// they are told. Nothing that the provider sent is in it. The user is nil for
// somebody who is not known.
func (s *Service) turned(
	ctx context.Context, by audit.Actor, p *storage.Provider, d *storage.Departure, user *account.User, cause error,
) error {
	reason := ""
	refusal, ok := errors.AsType[*provider.Refusal](cause)
	f, told := fault.As(cause)
	switch {
	case ok:
		reason, f = refusal.Reason, fault.New(kinds[refusal.Kind], "provider_refused", refusal.Text)
		slog.WarnContext(ctx, "nobody comes in from a provider", "request_id", by.RequestID,
			"provider", p.Slug, "reason", reason, "err", refusal.Err)
	case told:
		reason = f.Code
	default:
		return cause
	}
	event := audit.Event{
		Action: "user.login", Failed: true, Reason: reason, TargetKind: "user",
		Details: map[string]string{"provider": p.Slug},
	}
	if d.Purpose == toLink {
		event.Action = "user.identity_link"
	}
	if user != nil {
		event.TargetID = user.ID
	}
	now := steady.Now()
	err := s.db.Update(ctx, func(tx *storage.Tx) error { return audit.Record(ctx, tx, by, now, event) })
	if err != nil {
		return err
	}
	return &Turned{f, backTo(d)}
}

// backTo is the page where somebody who was sent away can try again.
func backTo(d *storage.Departure) string {
	if d.Purpose == toLink || d.Purpose == toProve {
		return "/account"
	}
	return PageOf("/sign-in", string(d.FlowID))
}
