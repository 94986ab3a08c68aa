package kv

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"

	"github.com/redis/go-redis/v9"
)

// beginScript has Redis count from now on: what it has is not all that happened.
var beginScript = redis.NewScript(`
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
redis.call('HSET', KEYS[1], 'at', string.format('%.0f', now))
return now`)

// meetScript is beginScript for a server other than the one that the data is known to be of:
// it came with a dump, or from another server, and may be older than what was counted.
var meetScript = redis.NewScript(`
if redis.call('HGET', KEYS[1], 'server') ~= ARGV[1] then
  local clock = redis.call('TIME')
  local now = clock[1] * 1000000 + clock[2]
  redis.call('HSET', KEYS[1], 'server', ARGV[1], 'at', string.format('%.0f', now))
end
return 1`)

// begin writes to Redis that it has missed what came before: a Redis that answers and cannot
// be written to is of no use.
func (r *remote) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	since, err := beginScript.Run(ctx, r.client, []string{r.prefix + sinceKey}).Int64()
	if err == nil {
		r.since.Store(since)
	}
	return err
}

// meet looks on each new connection whether the server is the one from before. One that
// starts again cuts all connections, and whoever has to make one finds out before they count.
func (r *remote) meet(ctx context.Context, conn *redis.Conn) error {
	id, err := serverOf(ctx, conn)
	if err != nil {
		return err
	}
	return meetScript.Run(ctx, conn, []string{r.prefix + sinceKey}, id).Err()
}

// serverOf names the run of a server and the history of its data: a new one for each start,
// and for each replica that takes over. One that says neither is another each time.
func serverOf(ctx context.Context, conn *redis.Conn) (string, error) {
	var id []string
	for _, section := range []string{"server", "replication"} {
		info, err := conn.Info(ctx, section).Result()
		if _, answered := errors.AsType[redis.Error](err); err != nil && !answered {
			return "", err
		}
		for line := range strings.Lines(info) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			if name == "run_id" || name == "master_replid" {
				id = append(id, value)
			}
		}
	}
	if len(id) < 2 {
		slog.DebugContext(ctx, "the key-value store does not say by INFO which server it is, so that it counts as new")
		return rand.Text(), nil
	}
	return strings.Join(id, "/"), nil
}
