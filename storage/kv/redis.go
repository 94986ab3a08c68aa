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

// countScript adds one and gives a counter without a lifetime the one in ARGV[1].
var countScript = redis.NewScript(`
local n = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[1])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {n, left}`)

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

func (r *remote) Count(
	ctx context.Context, key string, ttl time.Duration,
) (int64, time.Duration, error) {
	if ttl <= 0 {
		return 0, 0, fmt.Errorf("count %s: %w", key, errLifetime)
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	keys := []string{prefix + key}
	got, err := countScript.Run(ctx, r.client, keys, ttl.Milliseconds()).Int64Slice()
	if err != nil {
		return 0, 0, fmt.Errorf("count %s: %w", key, err)
	}
	if len(got) != 2 {
		return 0, 0, fmt.Errorf("count %s: the script returned %d numbers, want 2", key, len(got))
	}
	return got[0], time.Duration(got[1]) * time.Millisecond, nil
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
