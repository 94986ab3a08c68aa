package kv

import (
	"context"
	"errors"
	"strings"
)

// Evicts returns the policy by which a store removes what has not expired once it has
// no room left, such as allkeys-lru; "" for one that removes nothing. Only Redis does.
func Evicts(ctx context.Context, s Store) (policy string, err error) {
	if w, ok := s.(*Watched); ok {
		s = w.Store
	}
	r, ok := s.(*remote)
	if !ok {
		return "", nil
	}
	var info string
	err = r.do(ctx, "ask redis for its memory", func(ctx context.Context) (err error) {
		info, err = r.client.Info(ctx, "memory").Result()
		return err
	})
	if err != nil {
		return "", err
	}
	facts := map[string]string{}
	for line := range strings.SplitSeq(info, "\n") {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		facts[name] = value
	}
	if facts["maxmemory_policy"] == "" {
		return "", errors.New("redis does not say what it does when its memory is full")
	}
	if facts["maxmemory"] == "0" || facts["maxmemory_policy"] == "noeviction" {
		return "", nil
	}
	return facts["maxmemory_policy"], nil
}
