package kv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// prefix keeps our keys and channels apart from those of others on the same Redis.
	prefix = "authy:"
	// socketTimeout bounds each dial, read and write; budget bounds an operation as a whole,
	// so that a request that needs Redis learns within a second that it does not answer.
	socketTimeout = time.Second
	budget        = 800 * time.Millisecond
)

// spendScript is [Rate.spend] by the clock of the server, in microseconds: the value is the
// moment at which the budget is full. ARGV is the burst, the time for one, and n.
var spendScript = redis.NewScript(`
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local debt = math.max(0, tonumber(redis.call('GET', KEYS[1]) or 0) - now)
local burst, every, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local after = debt + n * every
if n > 0 and after > burst * every then
  return {0, debt}
end
if after <= 0 then
  redis.call('DEL', KEYS[1])
  return {1, 0}
end
redis.call('SET', KEYS[1], string.format('%.0f', now + after), 'PX', math.ceil(after / 1000))
return {1, after}`)

// remote is the engine on Redis or Valkey.
type remote struct {
	client        *redis.Client
	subscriptions registry
}

func openRedis(ctx context.Context, url string) (*remote, error) {
	if err := checkURL(url); err != nil {
		return nil, err
	}
	opt, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	limit(opt)
	redis.SetLogger(clientLog{})
	r := &remote{client: redis.NewClient(opt)}
	if err := r.Ping(ctx); err != nil {
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

func (r *remote) Get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	value, err := r.client.Get(ctx, prefix+key).Bytes()
	return value, found(err, "get", key)
}

func (r *remote) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return fmt.Errorf("set %s: %w", key, errLifetime)
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	if err := r.client.Set(ctx, prefix+key, value, ttl).Err(); err != nil {
		return fmt.Errorf("set %s: %w", key, err)
	}
	return nil
}

func (r *remote) SetIfAbsent(
	ctx context.Context, key string, value []byte, ttl time.Duration,
) (bool, error) {
	if ttl <= 0 {
		return false, fmt.Errorf("set %s if absent: %w", key, errLifetime)
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	args := redis.SetArgs{Mode: "NX", TTL: ttl}
	err := r.client.SetArgs(ctx, prefix+key, value, args).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("set %s if absent: %w", key, err)
	}
	return true, nil
}

func (r *remote) Take(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	value, err := r.client.GetDel(ctx, prefix+key).Bytes()
	return value, found(err, "take", key)
}

func (r *remote) Spend(ctx context.Context, key string, rate Rate, n int64) (Budget, error) {
	if err := rate.usable(); err != nil {
		return Budget{}, fmt.Errorf("spend %s: %w", key, err)
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	keys := []string{prefix + key}
	got, err := spendScript.Run(ctx, r.client, keys, rate.Burst, rate.Every.Microseconds(), n).Int64Slice()
	if err != nil {
		return Budget{}, fmt.Errorf("spend %s: %w", key, err)
	}
	if len(got) != 2 {
		return Budget{}, fmt.Errorf("spend %s: the script returned %d numbers, want 2", key, len(got))
	}
	return rate.budget(time.Duration(got[1])*time.Microsecond, got[0] == 1), nil
}

func (r *remote) Delete(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = prefix + key
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	if err := r.client.Del(ctx, names...).Err(); err != nil {
		return fmt.Errorf("delete %d keys: %w", len(keys), err)
	}
	return nil
}

func (r *remote) Publish(ctx context.Context, channel string, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	if err := r.client.Publish(ctx, prefix+channel, message).Err(); err != nil {
		return fmt.Errorf("publish to %s: %w", channel, err)
	}
	return nil
}

func (r *remote) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	if err := r.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping redis: %w", err)
	}
	return nil
}

func (r *remote) Close() error {
	r.subscriptions.close()
	if err := r.client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("close redis client: %w", err)
	}
	return nil
}

// found gives the error of a read its name.
func found(err error, act, key string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, redis.Nil):
		return ErrNotFound
	default:
		return fmt.Errorf("%s %s: %w", act, key, err)
	}
}

// clientLog sends the client's own remarks to slog. What matters in them is also returned as
// an error, so they are for debugging.
type clientLog struct{}

// Printf implements the logger of the Redis client.
func (clientLog) Printf(ctx context.Context, format string, v ...any) {
	slog.DebugContext(ctx, "redis client", "remark", fmt.Sprintf(format, v...))
}
