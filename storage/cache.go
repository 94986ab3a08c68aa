package storage

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// cacheSize is how many records each cache holds at most.
const cacheSize = 20_000

// cacheKey is what a record is cached under: its kind, and its own key.
type cacheKey struct{ kind, key string }

// cacheKeyOf reads a key as news of changes have it, in one text.
func cacheKeyOf(text string) cacheKey {
	border := strings.IndexByte(text, ':') + 1
	return cacheKey{text[:border], text[border:]}
}

// Kinds of cached records.
const (
	userKey         = "user:"
	sessionKey      = "session:"
	tokenKey        = "token:"
	clientKey       = "client:" // by the name that the client gives itself
	clientRowKey    = "client-row:"
	grantKey        = "grant:"
	memberKey       = "members:"
	mfaKey          = "mfa:"
	orgKey          = "org:"
	keysKey         = "keys:"
	certificatesKey = "certificates:"
	brandingKey     = "branding:"
	revokedKey      = "revoked:"
	accessKey       = "access:"
	apiTokenKey     = "api-token:"
	passwordKey     = "password-changed:"
)

// cache holds hot records until a commit changes them. A record read before a
// change and offered after it is not taken: put compares the epoch at which
// the read began with the current one.
type cache struct {
	records *otter.Cache[cacheKey, any]
	mu      sync.RWMutex
	epoch   uint64
	off     bool

	// patience is how long after heard a record is used; 0 where nobody else changes one. heard
	// is when the database last said that it has told of every change.
	patience time.Duration
	heard    atomic.Pointer[time.Time]
}

func newCache() *cache {
	return &cache{records: otter.Must(&otter.Options[cacheKey, any]{MaximumSize: cacheSize})}
}

func (c *cache) begin() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.epoch
}

func (c *cache) put(key cacheKey, record any, epoch uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.epoch == epoch && !c.off {
		c.records.Set(key, record)
	}
}

// hears notes that all is known that was changed until at.
func (c *cache) hears(at time.Time) { c.heard.Store(&at) }

// isFresh says whether records may be used. A process that stood still, or its machine, finds
// requests that came meanwhile before it finds the news: then neither clock may be trusted alone,
// as one stands with the machine and the other can be set.
func (c *cache) isFresh() bool {
	if c.patience == 0 {
		return true
	}
	heard := c.heard.Load()
	if heard == nil {
		return false
	}
	now := time.Now()
	return now.Sub(*heard) < c.patience && now.Round(0).Sub(heard.Round(0)) < c.patience
}

// drop forgets the records under keys.
func (c *cache) drop(keys []string) {
	if len(keys) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	for _, key := range keys {
		c.records.Invalidate(cacheKeyOf(key))
	}
}

// dropAll forgets everything: something changed, nobody knows what.
func (c *cache) dropAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.records.InvalidateAll()
}

// suspend stops caching while news of changes cannot arrive; resume starts anew.
func (c *cache) suspend() { c.set(true) }
func (c *cache) resume()  { c.set(false) }

func (c *cache) set(off bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = off
	c.epoch++
	c.records.InvalidateAll()
}

// cached returns the record under kind and key from the cache, or loads it.
func cached[T any](r Reader, kind, key string, load func() (T, error)) (T, error) {
	if r.cache == nil {
		return load()
	}
	if record, ok := r.cache.records.GetIfPresent(cacheKey{kind, key}); ok && r.cache.isFresh() {
		return record.(T), nil
	}
	epoch := r.cache.begin()
	record, err := load()
	if err == nil {
		// The key may be a part of a larger string; the cache keeps its own copy.
		r.cache.put(cacheKey{kind, strings.Clone(key)}, record, epoch)
	}
	return record, err
}
