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

// Rule is how often something may be done: Most times at once, and evenly
// Most times in each Window.
type Rule struct {
	Name   string
	Most   int64
	Window time.Duration
}

func (r Rule) rate() kv.Rate { return kv.Rate{Burst: r.Most, Every: r.Window / time.Duration(r.Most)} }

// Limits counts by rules. A nil Limits counts nothing and allows everything.
type Limits struct {
	shared, local kv.Store
}

// New returns limits that count in shared, so that all nodes count together,
// and in local while shared cannot be reached: then each node counts for itself.
func New(shared, local kv.Store) *Limits { return &Limits{shared, local} }

// Count counts one more of rule for who. [ErrTooMany], with the time to wait,
// if that is more than the rule allows; then it is not counted.
func (l *Limits) Count(ctx context.Context, rule Rule, who string) error {
	if l == nil {
		return nil
	}
	left, err := l.spend(ctx, rule, who, 1)
	if err != nil {
		return err
	}
	note(ctx, rule, left)
	if !left.OK {
		return ErrTooMany.Wait(max(left.Wait, time.Second))
	}
	return nil
}

// Return takes back one that was counted.
func (l *Limits) Return(ctx context.Context, rule Rule, who string) {
	if l == nil {
		return
	}
	if _, err := l.spend(ctx, rule, who, -1); err != nil {
		slog.WarnContext(ctx, "an attempt that was good stays counted", "rule", rule.Name, "err", err)
	}
}

func (l *Limits) spend(ctx context.Context, rule Rule, who string, n int64) (kv.Budget, error) {
	key := rule.Name + ":" + who
	left, err := l.shared.Spend(ctx, key, rule.rate(), n)
	if err != nil {
		slog.WarnContext(ctx, "session store away, counting attempts on this node alone", "err", err)
		left, err = l.local.Spend(ctx, key, rule.rate(), n)
	}
	return left, err
}

// Failed counts one more failure of who; when rule allows no more, [Limits.Spent]
// says so until it does. Where many honest requests run at once only
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
	if err != nil {
		return err
	}
	note(ctx, rule, kv.Budget{Wait: rule.rate().Every})
	return ErrTooMany.Wait(rule.rate().Every)
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
	if ip.Is4() {
		return address // an IPv4 address has one spelling
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if prefix, err := ip.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return ip.String()
}
