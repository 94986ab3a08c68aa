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
	// deafAgain is how long after it has heard nothing of itself.
	deafAgain = 10 * time.Second
	// echo is what a node tells itself.
	echo = "?"
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
// cached, so that an old record is never served; and when PostgreSQL does not even
// answer, nobody waits for it until it does.
func (e *postgresEngine) listen(ctx context.Context) {
	for last := ""; ctx.Err() == nil; {
		wasDown := e.lines.isDown()
		heard, err := e.heed(ctx)
		isDown := e.lines.isDown()
		switch {
		case ctx.Err() != nil || isDown && wasDown:
		case isDown:
			slog.ErrorContext(ctx, "database does not answer, refusing what needs it until it does", "err", err)
		case heard || err.Error() != last:
			slog.WarnContext(ctx, "database news lost, reading every record anew until it is back", "err", err)
		}
		last = err.Error()
		pause := listenAgain
		if e.deaf.Store(errors.Is(err, errDeaf)); e.deaf.Load() {
			pause = deafAgain
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// heed keeps records for as long as what others change is heard, and says whether it was.
func (e *postgresEngine) heed(ctx context.Context) (heard bool, err error) {
	conn, err := e.call(ctx)
	switch {
	case err == nil || refuses(err):
		e.lines.answer()
	case ctx.Err() == nil:
		e.lines.hangUp()
	}
	if err != nil {
		return false, err
	}
	if err := e.hearsItself(ctx, conn); err != nil {
		return false, errors.Join(err, hangUp(ctx, conn))
	}
	e.deaf.Store(false)
	e.cache.resume()
	defer e.cache.suspend()
	return true, e.hear(ctx, conn)
}

// refuses says whether PostgreSQL is there, and has refused one more connection, as when it has
// no more of them: those that there are go on. What starts or stops has none.
func refuses(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code[:2] != "57"
}

// call makes the connection that listens.
func (e *postgresEngine) call(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, e.config.ConnectTimeout)
	defer cancel()
	config := e.config.Copy()
	config.OnNotification = e.told
	conn, err := pgx.ConnectConfig(ctx, config)
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
		asked := time.Now()
		if err := isAlive(ctx, conn); err != nil {
			return err
		}
		e.cache.hears(asked) // what was told before the answer has been dropped
		if err := waitForNews(ctx, conn, asked.Add(newsPatience)); err != nil {
			return err
		}
	}
}

// isAlive asks for a sign of life: a connection that was cut without a word would be silent, too.
func isAlive(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, alivePatience)
	defer cancel()
	return conn.Ping(ctx)
}

// waitForNews reads what is told, which [postgresEngine.told] heeds, for a while.
func waitForNews(ctx context.Context, conn *pgx.Conn, until time.Time) error {
	quiet, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for {
		err := conn.PgConn().WaitForNotification(quiet)
		if err != nil && (!pgconn.Timeout(err) || ctx.Err() != nil) {
			return err
		}
		if quiet.Err() != nil {
			return nil
		}
	}
}

// told drops what a node says that it has changed.
func (e *postgresEngine) told(_ *pgconn.PgConn, news *pgconn.Notification) {
	node, keys, _ := strings.Cut(news.Payload, " ")
	switch {
	case node == e.node && keys == echo:
		e.echoed.Store(true)
	case keys == echo:
	case node == e.node && !e.doubts.Load(): // it has forgotten them
	case keys == "*":
		e.cache.dropAll()
	default:
		e.cache.drop(strings.Fields(keys))
	}
}

// errDeaf says that notifications do not come through.
var errDeaf = errors.New("what PostgreSQL notifies does not come through: a pooler between, which hands connections " +
	"on after each transaction, keeps it back; have database.url lead to PostgreSQL itself, or pool by session")

// hearsItself has the connection tell something, and is [errDeaf] where that does not arrive.
func (e *postgresEngine) hearsItself(ctx context.Context, conn *pgx.Conn) error {
	e.echoed.Store(false)
	if _, err := conn.Exec(ctx, "SELECT pg_notify($1, $2)", changeChannel, e.node+" "+echo); err != nil {
		return err
	}
	if !e.echoed.Load() {
		if err := waitForNews(ctx, conn, time.Now().Add(newsPatience)); err != nil {
			return err
		}
	}
	if !e.echoed.Load() {
		return errDeaf
	}
	return nil
}
