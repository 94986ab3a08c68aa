// Package kv is the fast copy: small values under a key, each with a lifetime, and news sent
// to whoever subscribed. It holds rate counters and the word that something was revoked.
//
// It refuses to know what the values mean, and it is the record of nothing: entries may be
// dropped before their time, and a restart of either engine may empty it. Whatever must not
// be forgotten is in SQL, so losing this store costs speed and never safety.
//
// Read [Store] first; it is the whole contract. Two engines keep it: memory.go in this
// process, one node only, and redis.go on Redis or Valkey, shared by all nodes. Tests hold
// both to the same suite.
package kv

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// ErrNotFound is returned by Get and Take for a key that is absent or has expired.
var ErrNotFound = errors.New("kv: key not found")

var (
	errClosed   = errors.New("kv: store is closed")
	errLifetime = errors.New("lifetime is not positive")
)

// Store keeps values for a limited time. Every method may be called from many goroutines at
// once, refuses a context that has ended, and refuses to work after Close.
//
// A value read is the caller's own; a value given is copied.
type Store interface {
	// Get returns the value of key, or ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)

	// Set stores value under key for ttl, replacing what was there and its lifetime. The ttl
	// must be positive.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error

	// SetIfAbsent is Set for a key that must be free, and tells whether it was. Of many
	// simultaneous callers exactly one is told true.
	SetIfAbsent(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error)

	// Take returns the value of key and deletes it, or returns ErrNotFound. Of many
	// simultaneous callers exactly one gets the value.
	Take(ctx context.Context, key string) ([]byte, error)

	// Spend takes n of the budget that rate gives key, if there is that much, and returns what
	// is left. What is refused is not counted. A negative n gives back. Of many simultaneous
	// callers no more succeed than the rate allows. The key belongs to Spend alone, and lasts
	// until the budget is full again.
	Spend(ctx context.Context, key string, rate Rate, n int64) (Budget, error)

	// Delete removes the keys; absent ones are no error.
	Delete(ctx context.Context, keys ...string) error

	// Publish sends message to all who subscribed to channel by now, on every node that
	// shares the store. It does not wait until they have handled it.
	Publish(ctx context.Context, channel string, message []byte) error

	// Subscribe calls handle with each message published to channel after Subscribe returned,
	// one at a time and in order, on a goroutine of its own, until cancel or Close. The ctx
	// bounds only the beginning. A call of handle that has begun may still be running when
	// cancel returns. A handle must be quick and must not call Close.
	//
	// On Redis a lost connection is made again, but what was published meanwhile is missed:
	// whoever acts on news must stay right, if later, without it.
	Subscribe(ctx context.Context, channel string, handle func(message []byte)) (cancel func(), err error)

	// Ping tells whether the store answers.
	Ping(ctx context.Context) error

	// Close ends all subscriptions, waits for their goroutines and releases the store. Closing
	// twice is no error.
	Close() error
}

// Open returns the store at url, after one Ping. The empty url is a store in this process;
// redis:// and rediss:// (with TLS) are Redis or Valkey. An error names the url with its
// password masked.
func Open(ctx context.Context, url string) (Store, error) {
	if url == "" {
		return newMemory(maxEntries), nil
	}
	s, err := openRedis(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("open key-value store %s: %w", masked(url), err)
	}
	return s, nil
}

// masked is raw without its credentials and its query. It works on the text, because a url
// that does not parse must not show its password either.
func masked(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		scheme, rest = "", raw
	} else {
		scheme += "://"
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = "xxxxx@" + rest[at+1:]
	}
	rest, _, _ = strings.Cut(rest, "?")
	return scheme + rest
}

// checkURL refuses what is not a Redis url. Its errors quote nothing: a password with a
// reserved character moves the borders between the parts, and then any part may hold it.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") {
		return errors.New("not a valid url (reserved characters in a password must be percent-encoded)")
	}
	if u.Scheme != "redis" && u.Scheme != "rediss" {
		return errors.New("the url must begin with redis:// or rediss://")
	}
	return nil
}
