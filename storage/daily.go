package storage

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/uptrace/bun"
)

// DailyCount is how often something happened on a day.
type DailyCount struct {
	bun.BaseModel `bun:"table:daily_counts"`
	Day           string `bun:",pk"` // YYYY-MM-DD, in UTC
	Name          string `bun:",pk"` // what happened
	Part          string `bun:",pk"` // in which way, "" for any
	Count         int64
}

// countedMark is the fact that says up to which event of the chain is counted.
const countedMark = "events_counted"

// DailyCounts returns what was counted from a day on, in the order of the days.
func (r Reader) DailyCounts(ctx context.Context, from string) ([]DailyCount, error) {
	return list[DailyCount](ctx, r, "day, name, part", "day >= ?", from)
}

// CountedEvents returns the seq of the event up to which is counted, 0 before any.
func (r Reader) CountedEvents(ctx context.Context) (int64, error) {
	mark, err := find[meta](ctx, r, "name = ?", countedMark)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	seq, err := strconv.ParseInt(mark.Value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read up to which event is counted: %w", err)
	}
	return seq, nil
}

// SaveDailyCounts adds what was counted of the events after one seq up to
// another. It says false, and adds nothing, if another has counted them meanwhile.
func (tx *Tx) SaveDailyCounts(ctx context.Context, after, upTo int64, counts []DailyCount) (bool, error) {
	res, err := tx.conn.hot(ctx, `INSERT INTO meta (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE meta.value = ?`,
		countedMark, strconv.FormatInt(upTo, 10), strconv.FormatInt(after, 10))
	if err != nil {
		return false, translate(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	for _, c := range counts {
		_, err := tx.conn.hot(ctx, `INSERT INTO daily_counts (day, name, part, count) VALUES (?, ?, ?, ?)
			ON CONFLICT (day, name, part) DO UPDATE SET count = daily_counts.count + excluded.count`,
			c.Day, c.Name, c.Part, c.Count)
		if err != nil {
			return false, translate(err)
		}
	}
	return true, nil
}
