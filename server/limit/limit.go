// Package limit slows guessing down: it counts what someone does and refuses
// what goes beyond a rule. It refuses to know what is being tried; whoever
// asks names a rule and whom it is counted for.
package limit

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"authy/server/fault"
	"authy/storage/kv"
)

// ErrTooMany is answered to someone who has tried too often.
var ErrTooMany = fault.New(fault.RateLimited, "rate_limit_exceeded", "Too many attempts. Please wait and try again.")

// Rule is how often something may be done in a window, which begins with the
// first time and is not extended by more.
type Rule struct {
	Name   string
	Most   int64
	Window time.Duration
}

// Limits counts by rules. A nil Limits counts nothing and allows everything.
type Limits struct {
	shared, local kv.Store
}

// New returns limits that count in shared, so that all nodes count together,
// and in local while shared cannot be reached: then each node counts for itself.
func New(shared, local kv.Store) *Limits { return &Limits{shared, local} }

// Count counts one more of rule for who. [ErrTooMany], with the time to wait,
// if that is more than the rule allows.
func (l *Limits) Count(ctx context.Context, rule Rule, who string) error {
	if l == nil {
		return nil
	}
	key := rule.Name + ":" + who
	n, left, err := l.shared.Count(ctx, key, rule.Window)
	if err != nil {
		slog.WarnContext(ctx, "session store away, counting attempts on this node alone", "err", err)
		if n, left, err = l.local.Count(ctx, key, rule.Window); err != nil {
			return err
		}
	}
	if n > rule.Most {
		return ErrTooMany.Wait(max(left, time.Second))
	}
	return nil
}

// Failed counts one more failure of who; when rule allows no more, [Limits.Spent]
// says so until the window ends. Where many honest requests run at once only
// failures can be counted.
func (l *Limits) Failed(ctx context.Context, rule Rule, who string) error {
	err := l.Count(ctx, rule, who)
	if f, many := fault.As(err); many && f.Is(ErrTooMany) {
		return l.local.Set(ctx, spentKey(rule, who), []byte{1}, f.RetryAfter)
	}
	return err
}

// Spent is [ErrTooMany] for someone whose failures are more than rule allows.
func (l *Limits) Spent(ctx context.Context, rule Rule, who string) error {
	if l == nil {
		return nil
	}
	_, err := l.local.Get(ctx, spentKey(rule, who))
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	if err == nil {
		return ErrTooMany.Wait(rule.Window)
	}
	return err
}

func spentKey(rule Rule, who string) string { return "spent:" + rule.Name + ":" + who }

// Clear forgets what was counted of rule for who.
func (l *Limits) Clear(ctx context.Context, rule Rule, who string) {
	if l == nil {
		return
	}
	for _, store := range []kv.Store{l.shared, l.local} {
		if err := store.Delete(ctx, rule.Name+":"+who); err != nil {
			slog.WarnContext(ctx, "a counter of attempts was not cleared", "rule", rule.Name, "err", err)
		}
	}
}

// Network returns the part of an address that one subscriber holds: all of an
// IPv4 address, the first 64 bits of an IPv6 one.
func Network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if prefix, err := ip.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return ip.String()
}
