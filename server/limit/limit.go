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
	shared, kept, local kv.Store
	split               split
}

// New returns limits that count in shared, for all nodes. Where that is a store
// without which the server goes on, kept is the one that it cannot do without,
// and counts while the other is away; otherwise they are the same. local is of
// this process.
func New(shared, kept, local kv.Store) *Limits {
	return &Limits{shared: shared, kept: kept, local: local}
}

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

// spend counts where all nodes do. What was refused there stays refused when that
// store is lost, and what was counted while it was away counts when it is back.
func (l *Limits) spend(ctx context.Context, rule Rule, who string, n int64) (kv.Budget, error) {
	key := rule.Name + ":" + who
	left, err := l.shared.Spend(ctx, key, rule.rate(), n)
	switch {
	case l.shared == l.kept:
		return left, err
	case err != nil: // which was logged when it began
		if err := l.tell(ctx); err != nil {
			return left, err
		}
		return l.kept.Spend(ctx, key, rule.rate(), n)
	case !left.OK:
		return left, l.exhaust(ctx, rule, key)
	case time.Since(l.shared.Since()) < rule.Window || l.apart(ctx):
		if also, err := l.kept.Spend(ctx, key, rule.rate(), n); err != nil || !also.OK {
			return also, err
		}
	}
	return left, nil
}

// exhaust takes all that is left of a budget in the store that is kept.
func (l *Limits) exhaust(ctx context.Context, rule Rule, key string) error {
	left, err := l.kept.Spend(ctx, key, rule.rate(), rule.Most)
	if err == nil && !left.OK && left.Left > 0 {
		_, err = l.kept.Spend(ctx, key, rule.rate(), left.Left)
	}
	return err
}

// Failed counts one more failure of who; when rule allows no more, [Limits.Spent]
// says so until it does, on this node: another has to see a failure first. Where
// many honest requests run at once only failures can be counted, and none may
// ask another machine.
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
	for _, store := range l.stores() {
		if err := store.Delete(ctx, rule.Name+":"+who); err != nil {
			slog.DebugContext(ctx, "a counter of attempts was not cleared", "rule", rule.Name, "err", err)
		}
	}
}

// stores are those that count: one, or two.
func (l *Limits) stores() []kv.Store {
	if l.shared == l.kept {
		return []kv.Store{l.kept}
	}
	return []kv.Store{l.shared, l.kept}
}

// Neighborhood returns the part of a network that one party may well hold all of: a
// /24 of IPv4, a /48 of IPv6; "none" of what is no address.
func Neighborhood(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return "none"
	}
	ip = ip.Unmap().WithZone("")
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return "none" // impossible: each address has as many bits
	}
	return prefix.String()
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
