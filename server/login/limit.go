package login

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
	"authy/storage/kv"
)

// ErrTooMany is answered to someone who has tried too often.
var ErrTooMany = fault.New(fault.RateLimited, "rate_limit_exceeded", "Too many attempts. Please wait and try again.")

// The limits. Each counts attempts in a window that begins with the first one
// and is not extended by more. An attempt that succeeds clears its account's
// counter, and no counter of one address touches another address, so that
// nobody can be locked out from elsewhere.
const (
	limitWindow = 15 * time.Minute
	// perAccount is how often an account may be tried from one address.
	perAccount = 10
	// perAddress is how often one address may try, whatever the account.
	perAddress = 300
	// perRegistration is how many accounts one address may ask for.
	perRegistration = 30
)

// Limits slows guessing down. Counters live in the shared store, so that all
// nodes count together; while it is away each node counts for itself.
type Limits struct {
	shared, local kv.Store
}

// NewLimits returns limits that count in shared, or in local while shared
// cannot be reached.
func NewLimits(shared, local kv.Store) *Limits { return &Limits{shared, local} }

// attempt counts an attempt to sign in as email.
func (l *Limits) attempt(ctx context.Context, by audit.Actor, email string) error {
	if l == nil {
		return nil
	}
	if err := l.count(ctx, "login:address:"+network(by.IPAddress), perAddress); err != nil {
		return err
	}
	return l.count(ctx, accountKey(by, email), perAccount)
}

// passed clears the counter of an account after a good attempt.
func (l *Limits) passed(ctx context.Context, by audit.Actor, email string) {
	if l == nil {
		return
	}
	for _, store := range []kv.Store{l.shared, l.local} {
		if err := store.Delete(ctx, accountKey(by, email)); err != nil {
			slog.WarnContext(ctx, "sign-in counter not cleared", "err", err)
		}
	}
}

// register counts an attempt to make an account.
func (l *Limits) register(ctx context.Context, by audit.Actor) error {
	if l == nil {
		return nil
	}
	return l.count(ctx, "register:address:"+network(by.IPAddress), perRegistration)
}

func accountKey(by audit.Actor, email string) string {
	return "login:account:" + storage.Hash(email) + ":" + network(by.IPAddress)
}

func (l *Limits) count(ctx context.Context, key string, limit int64) error {
	n, left, err := l.shared.Count(ctx, key, limitWindow)
	if err != nil {
		slog.WarnContext(ctx, "session store away, counting attempts on this node alone", "err", err)
		if n, left, err = l.local.Count(ctx, key, limitWindow); err != nil {
			return err
		}
	}
	if n > limit {
		return ErrTooMany.Wait(max(left, time.Second))
	}
	return nil
}

// network returns the part of an address that one subscriber holds: all of an
// IPv4 address, the first 64 bits of an IPv6 one.
func network(address string) string {
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
