package storage

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// dialTime is how long connecting to PostgreSQL may take, unless connect_timeout
	// in the URL says otherwise.
	dialTime = 2 * time.Second
	// quietTime is how long a connection may be idle before the system asks for a sign
	// of life, which it does every quietTime, quietTries times.
	quietTime, quietTries = 5 * time.Second, 3
)

// errHungUp is why nobody connects while PostgreSQL does not answer.
var errHungUp = errors.New("PostgreSQL does not answer")

// lines are the connections to PostgreSQL. While it does not answer there are none: whoever
// waits for it is told at once, and so is who comes. The connection that listens for news
// finds that out, and is not one of them.
type lines struct {
	mu   sync.Mutex
	down bool
	open map[*line]struct{}
}

// line is a connection.
type line struct {
	net.Conn
	of *lines
}

// newLines returns the lines, and has config use them.
func newLines(config *pgx.ConnConfig) *lines {
	l := &lines{open: map[*line]struct{}{}}
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		return l.dial(ctx, network, address, dial)
	}
	return l
}

func (l *lines) dial(
	ctx context.Context, network, address string,
	dial func(ctx context.Context, network, address string) (net.Conn, error),
) (net.Conn, error) {
	if l.isDown() {
		return nil, errHungUp
	}
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	one := &line{conn, l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, errors.Join(errHungUp, conn.Close())
	}
	l.open[one] = struct{}{}
	return one, nil
}

// Close implements [net.Conn].
func (one *line) Close() error {
	one.of.mu.Lock()
	delete(one.of.open, one)
	one.of.mu.Unlock()
	return one.Conn.Close()
}

func (l *lines) isDown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.down
}

// hangUp ends every connection, and lets none be made until [lines.answer].
func (l *lines) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for one := range l.open {
		_ = one.Conn.Close() // whoever waits on it hears that
	}
	clear(l.open)
}

// answer lets connections be made again.
func (l *lines) answer() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

// keepAlive is how PostgreSQL is dialed: a peer that vanished without a word is missed.
func keepAlive(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: quietTime, Interval: quietTime, Count: quietTries,
	}}
	return dialer.DialContext(ctx, network, address)
}
