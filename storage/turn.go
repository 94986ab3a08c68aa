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
// the node has called [Tx.EndTurn] unless it has died. What is due later than the time that
// furthest names is due now: a clock was ahead when that was said, or it is to be done more
// often since.
func (tx *Tx) TakeTurn(ctx context.Context, what string, now, again, furthest time.Time) (bool, error) {
	res, err := tx.conn.hot(ctx, `INSERT INTO meta (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE CAST(meta.value AS BIGINT) NOT BETWEEN ? AND ?`,
		turnPrefix+what, millis(again), At(now).UnixMilli()+1, At(furthest).UnixMilli())
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
