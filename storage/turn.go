package storage

import (
	"context"
	"strconv"
	"time"
)

// turnPrefix begins the names of the facts that say when something is due again.
const turnPrefix = "due:"

// TakeTurn says whether something that is done now and then, by one node, is due at now,
// and this node is to do it. Nobody else is then until the time that again names, by when
// the node has called [Tx.EndTurn] unless it has died.
func (tx *Tx) TakeTurn(ctx context.Context, what string, now, again time.Time) (bool, error) {
	res, err := tx.conn.hot(ctx, `INSERT INTO meta (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE CAST(meta.value AS BIGINT) <= ?`,
		turnPrefix+what, millis(again), At(now).UnixMilli())
	if err != nil {
		return false, translate(err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// EndTurn says when what [Tx.TakeTurn] allowed is due again.
func (tx *Tx) EndTurn(ctx context.Context, what string, due time.Time) error {
	_, err := tx.conn.hot(ctx, "UPDATE meta SET value = ? WHERE name = ?", millis(due), turnPrefix+what)
	return translate(err)
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
