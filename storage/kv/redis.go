package kv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// prefix keeps our keys apart from those of others on the same Redis; the mark of an
	// installation follows it.
	prefix = "authy:"
	// socketTimeout bounds each dial, read and write; budget bounds an operation as a whole:
	// whoever finds that Redis does not answer has a second for all that they do.
	socketTimeout = 500 * time.Millisecond
	budget        = 400 * time.Millisecond
	// sinceKey is kept for ever, and says since when Redis has had what it has (at), and which
	// server that is known of (server).
	sinceKey = "since"
)

// spendScript is [Rate.spend] by the clock of the server, in microseconds: the value is the
// moment at which the budget is full. ARGV is the burst, the time for one, and n. It returns
// whether that was taken, the debt, and since when Redis has had what it has.
var spendScript = redis.NewScript(`
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local since = tonumber(redis.call('HGET', KEYS[2], 'at'))
if not since then
  since = now
  redis.call('HSET', KEYS[2], 'at', string.format('%.0f', now))
end
local debt = math.max(0, tonumber(redis.call('GET', KEYS[1]) or 0) - now)
local burst, every, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local after = debt + n * every
if n > 0 and after > burst * every then
  return {0, debt, since}
end
if after <= 0 then
  redis.call('DEL', KEYS[1])
  return {1, 0, since}
end
redis.call('SET', KEYS[1], string.format('%.0f', now + after), 'PX', math.ceil(after / 1000))
return {1, after, since}`)

// remote is the engine on Redis or Valkey.
type remote struct {
	client *redis.Client
	prefix string       // of every key
	since  atomic.Int64 // in microseconds
	gate   gate
}

// openRedis returns the store at url, which it calls name in the log.
func openRedis(ctx context.Context, url, name, prefix string) (*remote, error) {
	if err := checkURL(url); err != nil {
		return nil, err
	}
	opt, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	limit(opt)
	redis.SetLogger(clientLog{})
	r := &remote{prefix: prefix}
	opt.OnConnect = r.meet
	r.client = redis.NewClient(opt)
	r.since.Store(time.Now().UnixMicro())
	r.gate = gate{name: name, again: r.begin, stop: make(chan struct{})}
	if err := r.Ping(ctx); ctx.Err() != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// limit makes trouble show at once: no second attempts, short waits. An operation is not
// repeated either, for nobody knows whether a lost answer was a success, and counting twice or
// taking twice is wrong.
func limit(opt *redis.Options) {
	opt.DialTimeout = socketTimeout
	opt.ReadTimeout = socketTimeout
	opt.WriteTimeout = socketTimeout
	opt.PoolTimeout = socketTimeout
	opt.ContextTimeoutEnabled = true
	opt.MaxRetries = -1
	opt.DialerRetries = 1
	opt.PipelinePoolSize = -1
	opt.DisableIdentity = true
	opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

func (r *remote) Get(ctx context.Context, key string) (value []byte, err error) {
	err = r.do(ctx, "get "+key, func(ctx context.Context) (err error) {
		value, err = r.client.Get(ctx, r.prefix+key).Bytes()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return nil, ErrNotFound
	}
	return value, err
}

func (r *remote) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return fmt.Errorf("set %s: %w", key, errLifetime)
	}
	return r.do(ctx, "set "+key, func(ctx context.Context) error {
		return r.client.Set(ctx, r.prefix+key, value, ttl).Err()
	})
}

func (r *remote) SetIfAbsent(
	ctx context.Context, key string, value []byte, ttl time.Duration,
) (bool, error) {
	if ttl <= 0 {
		return false, fmt.Errorf("set %s if absent: %w", key, errLifetime)
	}
	err := r.do(ctx, "set "+key+" if absent", func(ctx context.Context) error {
		return r.client.SetArgs(ctx, r.prefix+key, value, redis.SetArgs{Mode: "NX", TTL: ttl}).Err()
	})
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, err
}

func (r *remote) Spend(ctx context.Context, key string, rate Rate, n int64) (left Budget, err error) {
	if err := rate.usable(); err != nil {
		return Budget{}, fmt.Errorf("spend %s: %w", key, err)
	}
	keys := []string{r.prefix + key, r.prefix + sinceKey}
	err = r.do(ctx, "spend "+key, func(ctx context.Context) error {
		got, err := spendScript.Run(ctx, r.client, keys, rate.Burst, rate.Every.Microseconds(), n).Int64Slice()
		if err != nil {
			return err
		}
		if len(got) != 3 {
			return fmt.Errorf("the script returned %d numbers, want 3", len(got))
		}
		r.since.Store(got[2])
		left = rate.budget(time.Duration(got[1])*time.Microsecond, got[0] == 1)
		return nil
	})
	return left, err
}

func (r *remote) Since() time.Time { return time.UnixMicro(r.since.Load()) }

func (r *remote) Delete(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = r.prefix + key
	}
	return r.do(ctx, fmt.Sprintf("delete %d keys", len(keys)), func(ctx context.Context) error {
		return r.client.Del(ctx, names...).Err()
	})
}

func (r *remote) Ping(ctx context.Context) error {
	return r.do(ctx, "ping redis", func(ctx context.Context) error { return r.client.Ping(ctx).Err() })
}

func (r *remote) Close() error {
	r.gate.close()
	if err := r.client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("close redis client: %w", err)
	}
	return nil
}

// do does what act names while Redis can be used. Trouble shuts the gate, for everyone; that a
// key is not there is none.
func (r *remote) do(ctx context.Context, act string, do func(ctx context.Context) error) error {
	err := ctx.Err()
	if err == nil {
		err = r.gate.shut()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", act, err)
	}
	quick, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	if err = do(quick); err == nil {
		return nil
	}
	if ctx.Err() == nil && !errors.Is(err, redis.Nil) && !errors.Is(err, redis.ErrClosed) {
		r.gate.trip(ctx, err)
	}
	return fmt.Errorf("%s: %w", act, err)
}

// clientLog sends the client's own remarks to slog. What matters in them is also returned as
// an error, so they are for debugging.
type clientLog struct{}

// Printf implements the logger of the Redis client.
func (clientLog) Printf(ctx context.Context, format string, v ...any) {
	slog.DebugContext(ctx, "redis client", "remark", fmt.Sprintf(format, v...))
}
