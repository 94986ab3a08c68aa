package kv

import (
	"bytes"
	"context"
	"errors"
	"sync"
)

// inboxSize is how many messages may wait for one slow subscriber before Publish waits too.
const inboxSize = 256

// hub carries messages between goroutines of this process.
type hub struct {
	mu        sync.Mutex
	channels  map[string]map[*listener]struct{}
	listeners registry
}

// listener is one subscription: its messages wait in inbox until done is closed.
type listener struct {
	inbox chan []byte
	done  chan struct{}
}

func (h *hub) subscribe(
	ctx context.Context, channel string, handle func([]byte),
) (context.CancelFunc, error) {
	l := &listener{inbox: make(chan []byte, inboxSize), done: make(chan struct{})}
	h.add(channel, l)
	cancel, err := h.listeners.start(ctx, func(ctx context.Context) {
		defer h.remove(channel, l)
		l.run(ctx, handle)
	})
	if err != nil {
		h.remove(channel, l)
	}
	return cancel, err
}

func (h *hub) add(channel string, l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.channels == nil {
		h.channels = make(map[string]map[*listener]struct{})
	}
	if h.channels[channel] == nil {
		h.channels[channel] = make(map[*listener]struct{})
	}
	h.channels[channel][l] = struct{}{}
}

// remove also lets go whoever waits for room in the inbox.
func (h *hub) remove(channel string, l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(l.done)
	delete(h.channels[channel], l)
	if len(h.channels[channel]) == 0 {
		delete(h.channels, channel)
	}
}

// publish offers message to every listener, the others too when one has no room until ctx
// ends.
func (h *hub) publish(ctx context.Context, channel string, message []byte) error {
	var errs []error
	for _, l := range h.listening(channel) {
		errs = append(errs, l.offer(ctx, bytes.Clone(message)))
	}
	return errors.Join(errs...)
}

func (h *hub) listening(channel string) []*listener {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*listener, 0, len(h.channels[channel]))
	for l := range h.channels[channel] {
		all = append(all, l)
	}
	return all
}

// offer tries without ctx first, so that a listener with room never misses a message because
// another one used up the time.
func (l *listener) offer(ctx context.Context, message []byte) error {
	select {
	case l.inbox <- message:
		return nil
	default:
	}
	select {
	case l.inbox <- message:
	case <-l.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (l *listener) run(ctx context.Context, handle func([]byte)) {
	for {
		select {
		case <-ctx.Done():
			return
		case message := <-l.inbox:
			// Both may have been ready, and a cancelled subscription hears no more.
			if ctx.Err() != nil {
				return
			}
			handle(message)
		}
	}
}
