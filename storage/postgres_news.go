package storage

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// changeChannel carries the keys of changed records between nodes.
	changeChannel = "authy_changed"
	// notifyLimit keeps a notification under PostgreSQL's 8000 bytes.
	notifyLimit = 7000
	// newsPatience is how long the listener waits for news before it asks for a
	// sign of life, and alivePatience how long it waits for that: until then an
	// old record may be served.
	newsPatience, alivePatience = 500 * time.Millisecond, time.Second
	// listenAgain is how long after a failure it tries to listen again.
	listenAgain = 200 * time.Millisecond
)

// announce tells the other nodes, at commit, which records changed.
func (e *postgresEngine) announce(ctx context.Context, sqlTx *sql.Tx, changed []string) error {
	if len(changed) == 0 {
		return nil
	}
	payload := e.node + " " + strings.Join(changed, " ")
	if len(payload) > notifyLimit {
		payload = e.node + " *"
	}
	_, err := sqlTx.ExecContext(ctx, "SELECT pg_notify($1, $2)", changeChannel, payload)
	return translate(err)
}

// listen drops what other nodes change. While it cannot hear them nothing is
// cached, so that an old record is never served; and when it cannot even connect,
// nobody waits for PostgreSQL until it can.
func (e *postgresEngine) listen(ctx context.Context) {
	for ctx.Err() == nil {
		conn, err := e.call(ctx)
		if err == nil {
			e.lines.answer()
			e.cache.resume()
			err = e.hear(ctx, conn)
			e.cache.suspend()
			if ctx.Err() == nil {
				slog.WarnContext(ctx, "database news lost, reading every record anew until it is back", "err", err)
			}
		} else if ctx.Err() == nil && !e.lines.isDown() {
			slog.ErrorContext(ctx, "database does not answer, refusing what needs it until it does", "err", err)
			e.lines.hangUp()
		}
		select {
		case <-ctx.Done():
		case <-time.After(listenAgain):
		}
	}
}

// call makes the connection that listens.
func (e *postgresEngine) call(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, e.config.ConnectTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, e.config.Copy())
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+changeChannel); err != nil {
		return nil, errors.Join(err, hangUp(ctx, conn))
	}
	return conn, nil
}

// hangUp ends a connection, and waits little for its other end.
func hangUp(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listenAgain)
	defer cancel()
	return conn.Close(ctx)
}

// hear drops what is told on a connection until that is lost.
func (e *postgresEngine) hear(ctx context.Context, conn *pgx.Conn) error {
	defer hangUp(ctx, conn) //nolint:errcheck // the connection is given up either way
	for {
		news, err := waitForNews(ctx, conn)
		if err != nil {
			return err
		}
		if news == nil {
			continue
		}
		node, keys, _ := strings.Cut(news.Payload, " ")
		switch {
		case node == e.node && !e.doubts.Load(): // it has forgotten them
		case keys == "*":
			e.cache.dropAll()
		default:
			e.cache.drop(strings.Fields(keys))
		}
	}
}

// waitForNews returns the next notification, or nil after a quiet while in
// which the connection was seen to be alive: one that was cut without a word
// would be silent, too.
func waitForNews(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	quiet, cancel := context.WithTimeout(ctx, newsPatience)
	defer cancel()
	news, err := conn.WaitForNotification(quiet)
	if err == nil || !pgconn.Timeout(err) || ctx.Err() != nil {
		return news, err
	}
	alive, cancel := context.WithTimeout(ctx, alivePatience)
	defer cancel()
	return nil, conn.Ping(alive)
}
