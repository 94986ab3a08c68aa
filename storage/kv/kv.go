// Package kv keeps small values under a key, each with a lifetime: what was counted of a rate,
// what was used moments ago, whose turn a job is.
//
// It refuses to know what the values mean, and it is the record of nothing that must last: a
// restart of an engine may empty it. Then [Store.Since] says so, and whoever asks does without
// what came before.
//
// Read [Store] first; it is the whole contract. Three engines keep it: memory.go in this
// process, for one node; postgres.go on the database that all nodes share; redis.go on Redis or
// Valkey, which they share, too, and without which they must be able to go on. Tests hold all
// to the same suite.
package kv

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// ErrNotFound is returned by Get for a key that is absent or has expired.
var ErrNotFound = errors.New("kv: key not found")

var (
	errClosed   = errors.New("kv: store is closed")
	errLifetime = errors.New("lifetime is not positive")

	errFull error = full{}
)

// full is a store that has room for no more of what must not be forgotten.
type full struct{}

func (full) Error() string { return "kv: too much is remembered that was used moments ago" }

// Unavailable marks the error for those who do not know this package.
func (full) Unavailable() bool { return true }

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
	// simultaneous callers exactly one is told true. No other key pushes it out.
	SetIfAbsent(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error)

	// Spend takes n of the budget that rate gives key, if there is that much, and returns what
	// is left. What is refused is not counted. A negative n gives back. Of many simultaneous
	// callers no more succeed than the rate allows. The key belongs to Spend alone, and lasts
	// until the budget is full again.
	Spend(ctx context.Context, key string, rate Rate, n int64) (Budget, error)

	// Since is the moment from which on the store knows what it was told: it began then, or
	// lost what it had. It is what the last answer said, and asks nobody.
	Since() time.Time

	// Delete removes the keys; absent ones are no error.
	Delete(ctx context.Context, keys ...string) error

	// Ping tells whether the store answers.
	Ping(ctx context.Context) error

	// Close releases the store. Closing twice is no error.
	Close() error
}

// Open returns the store at url of an installation, which mark tells from others that keep
// theirs in the same place: theirs is another store. The empty url is a store in this process; redis:// and
// rediss:// (with TLS) are Redis or Valkey. One that does not answer now is no error: it may
// later. An error names the url with its password masked.
func Open(ctx context.Context, url, mark string) (Store, error) {
	if url == "" {
		return newMemory(maxEntries), nil
	}
	s, err := openRedis(ctx, url, masked(url), prefix+mark+":")
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
