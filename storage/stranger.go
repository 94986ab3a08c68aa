package storage

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"
)

// strangers are the tables in which whoever comes can have something kept without
// signing in, and their keys. Their rows have the network they were asked for from.
// One without a network belongs to somebody who has proved something.
var strangers = []struct{ table, key string }{
	{"flows", "id"},
	{"departures", "hash"},
	{"ceremonies", "hash"},
	{"pushed_requests", "hash"},
	{"device_codes", "hash"},
	{"links", "hash"},
	{"mails", "id"},
}

// crowdSlice is how many rows one transaction of [DB.Disperse] deletes.
const crowdSlice = 250

// Crowd is a table that had more rows of strangers than it may have.
type Crowd struct {
	Table   string
	Dropped int64
}

// Disperse deletes the rows of strangers of which a table has more than most: of the
// network that has most the oldest, until there are few enough. It returns from which
// tables it deleted how many. Looking for them holds up nobody who writes.
func (db *DB) Disperse(ctx context.Context, most int) ([]Crowd, error) {
	var crowds []Crowd
	for _, s := range strangers {
		n, err := db.disperse(ctx, s.table, s.key, most)
		if n > 0 {
			crowds = append(crowds, Crowd{s.table, n})
		}
		if err != nil {
			return crowds, fmt.Errorf("delete what is too much in %s: %w", s.table, err)
		}
	}
	return crowds, nil
}

func (db *DB) disperse(ctx context.Context, table, key string, most int) (dropped int64, err error) {
	keys, err := db.noisiest(ctx, table, key, most)
	if err != nil {
		return 0, err
	}
	for slice := range slices.Chunk(keys, crowdSlice) {
		var gone int64
		err := db.Update(ctx, func(tx *Tx) error {
			res, err := tx.bun.NewDelete().Conn(tx.conn).Table(table).Where("network <> ''").
				Where("? IN (?)", bun.Ident(key), bun.List(slice)).Exec(ctx)
			if err != nil {
				return translate(err)
			}
			gone, err = res.RowsAffected()
			return err
		})
		if err != nil {
			return dropped, err
		}
		dropped += gone
	}
	return dropped, nil
}

// noisiest returns the keys of what is too much. The rows of each network have places
// by their age, the newest the first: who has few rows has none far behind.
func (r Reader) noisiest(ctx context.Context, table, key string, most int) ([]string, error) {
	var n int
	err := r.conn.hotRow(ctx, "SELECT COUNT(*) FROM "+table+" WHERE network <> ''").Scan(&n)
	if err != nil || n <= most {
		return nil, translate(err)
	}
	keys, err := column(ctx, r.bun.DB, fmt.Sprintf(`SELECT %[2]s FROM (
			SELECT %[2]s, expires_at, ROW_NUMBER() OVER (PARTITION BY network ORDER BY expires_at DESC) AS place
			FROM %[1]s WHERE network <> '') AS waiting
		ORDER BY place DESC, expires_at LIMIT %[3]d`, table, key, n-most))
	return keys, translate(err)
}
