package kv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// patience is how long a subscription may be silent before it is asked for a sign of life,
	// and how long the answer may take.
	patience = 2 * time.Second
	// pause is between attempts to subscribe again.
	pause = 250 * time.Millisecond
)

var errSilent = errors.New("no answer to ping")

func (r *remote) Subscribe(
	ctx context.Context, channel string, handle func(message []byte),
) (func(), error) {
	ps, err := r.listen(ctx, channel)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", channel, err)
	}
	cancel, err := r.subscriptions.start(ctx, func(ctx context.Context) {
		r.follow(ctx, ps, channel, handle)
	})
	if err != nil {
		err = errors.Join(err, ps.Close())
		return nil, fmt.Errorf("subscribe to %s: %w", channel, err)
	}
	return cancel, nil
}

// listen subscribes on a new connection and waits until Redis has confirmed it.
func (r *remote) listen(ctx context.Context, channel string) (*redis.PubSub, error) {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	ps := r.client.Subscribe(ctx, prefix+channel)
	if _, err := ps.ReceiveTimeout(ctx, budget); err != nil {
		return nil, errors.Join(err, ps.Close())
	}
	return ps, nil
}

// follow handles the messages of ps and of its successors until ctx ends.
func (r *remote) follow(
	ctx context.Context, ps *redis.PubSub, channel string, handle func([]byte),
) {
	for ps != nil {
		err := drain(ctx, ps, handle)
		if ctx.Err() != nil {
			return
		}
		slog.WarnContext(ctx, "subscription lost", "channel", channel, "err", err)
		if ps = r.relisten(ctx, channel); ps != nil {
			slog.InfoContext(ctx, "subscription restored", "channel", channel)
		}
	}
}

// relisten tries to subscribe until it works, or returns nil when ctx has ended.
func (r *remote) relisten(ctx context.Context, channel string) *redis.PubSub {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if ps, err := r.listen(ctx, channel); err == nil {
			return ps
		}
	}
}

// drain handles messages until the connection of ps fails or ctx ends, then closes ps.
//
// The client library can watch a connection itself, but only by whether a ping can be sent; a
// peer that vanished without a word would go unnoticed for many minutes.
func drain(ctx context.Context, ps *redis.PubSub, handle func([]byte)) error {
	// Closing is what wakes a pending read; its error is of no use to anyone.
	stop := context.AfterFunc(ctx, func() { _ = ps.Close() })
	defer func() {
		stop()
		_ = ps.Close()
	}()
	for asked := false; ; {
		message, err := ps.ReceiveTimeout(ctx, patience)
		switch {
		case err == nil:
			asked = false
		case !timedOut(err):
			return err
		case asked:
			return errSilent
		default:
			asked = true
			if err := ps.Ping(ctx); err != nil {
				return err
			}
		}
		if m, ok := message.(*redis.Message); ok && ctx.Err() == nil {
			handle([]byte(m.Payload))
		}
	}
}

func timedOut(err error) bool {
	var failure net.Error
	return errors.As(err, &failure) && failure.Timeout()
}
