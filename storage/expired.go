package storage

import (
	"context"
	"fmt"
	"time"
)

// keepEnded is how long an ended session stays for the record of its owner;
// nothing can be done with it.
const keepEnded = 30 * 24 * time.Hour

// keepDevice is how long a device code stays, so that its device is told that it has
// expired.
const keepDevice = time.Hour

// expired lists what time alone makes useless: a table, its key, and the rows,
// by the time before which they ended.
var expired = []struct {
	table, key string
	keep       time.Duration
	change     func(tx *Tx, ctx context.Context, where string, args ...any) error // of cached ones
}{
	{"assertions", "hash", 0, nil},
	{"pushed_requests", "hash", 0, nil},
	{"ceremonies", "hash", 0, nil},
	{"first_factors", "hash", 0, nil},
	{"departures", "hash", 0, nil},
	{"flows", "id", 0, nil},
	{"links", "hash", 0, nil},
	{"device_codes", "hash", keepDevice, nil},
	{"invitations", "id", 0, nil},
	{"revoked_tokens", "id", 0, nil},
	{"access_tokens", "hash", 0, nil}, // cached ones know when they end
	{"registration_tokens", "id", 0, nil},
	{"refusals", "id", 0, nil},
	{"incidents", "id", 0, nil},
	{"refresh_tokens", "hash", 0, nil},
	{"grants", "id", 0, (*Tx).changeGrants},
	{"api_tokens", "id", 0, (*Tx).changeAPITokens},
	{"logouts", "id", 0, nil},
	{"deliveries", "id", 0, nil},
	{"sessions", "id", keepEnded, (*Tx).changeSessions},
}

// DeleteExpired deletes at most limit rows of each kind that time has made
// useless at now, and says whether there may be more.
func (tx *Tx) DeleteExpired(ctx context.Context, now time.Time, limit int) (more bool, err error) {
	for _, e := range expired {
		where := fmt.Sprintf(
			"%[2]s IN (SELECT %[2]s FROM %[1]s WHERE expires_at < ? ORDER BY expires_at, %[2]s LIMIT %[3]d)",
			e.table, e.key, limit)
		before := At(now.Add(-e.keep)).UnixMilli()
		if e.change != nil {
			if err := e.change(tx, ctx, where, before); err != nil {
				return false, err
			}
		}
		res, err := tx.conn.hot(ctx, "DELETE FROM "+e.table+" WHERE "+where, before)
		if err != nil {
			return false, translate(err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return false, err
		}
		more = more || n == int64(limit)
	}
	return more, nil
}
