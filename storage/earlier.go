package storage

import (
	"context"
	"time"
)

// lived lists what was made at a time and lives until another.
var lived = []struct {
	table  string
	change func(tx *Tx, ctx context.Context, where string, args ...any) error // of cached ones
}{
	{"ceremonies", nil},
	{"first_factors", nil},
	{"departures", nil},
	{"flows", nil},
	{"codes", nil},
	{"links", nil},
	{"device_codes", nil},
	{"invitations", nil},
	{"registration_tokens", nil},
	{"access_tokens", (*Tx).changeAccessTokens},
	{"refresh_tokens", nil},
	{"grants", (*Tx).changeGrants},
	{"api_tokens", (*Tx).changeAPITokens},
	{"sessions", (*Tx).changeSessions},
}

// seenAt lists other instants of what lives, which are told by when it was used.
var seenAt = []struct{ table, column string }{
	{"sessions", "authenticated_at"},
	{"sessions", "last_activity_at"},
	{"grants", "authenticated_at"},
	{"users", "signed_out_at"},
}

// EndEarlier has all that was made after now be made and end by so much earlier, and says how much
// that was: it was told by a clock that was ahead by that, and has been put right. What was made
// before keeps its end; if it was used, or everything of a user ended, after now, that was now.
// Nothing finds rows by when they were made: this reads whole tables.
func (tx *Tx) EndEarlier(ctx context.Context, now time.Time, by time.Duration) (n int64, err error) {
	at := At(now).UnixMilli()
	for _, l := range lived {
		const where = "created_at > ?"
		if l.change != nil {
			if err := l.change(tx, ctx, where, at); err != nil {
				return 0, err
			}
		}
		res, err := tx.conn.hot(ctx, "UPDATE "+l.table+
			" SET created_at = created_at - ?, expires_at = expires_at - ? WHERE "+where,
			by.Milliseconds(), by.Milliseconds(), at)
		if err != nil {
			return 0, translate(err)
		}
		some, err := res.RowsAffected()
		if err != nil {
			return 0, err
		}
		n += some
	}
	return n, tx.notLater(ctx, at)
}

// notLater has what was seen after an instant be seen at it.
func (tx *Tx) notLater(ctx context.Context, at int64) error {
	for _, s := range seenAt {
		where := s.column + " > ?"
		change := map[string]func(*Tx, context.Context, string, ...any) error{
			"sessions": (*Tx).changeSessions, "grants": (*Tx).changeGrants, "users": (*Tx).changeUsers,
		}[s.table]
		if err := change(tx, ctx, where, at); err != nil {
			return err
		}
		if _, err := tx.conn.hot(ctx, "UPDATE "+s.table+" SET "+s.column+" = ? WHERE "+where, at, at); err != nil {
			return translate(err)
		}
	}
	return nil
}

// changeUsers has the cache forget the users where.
func (tx *Tx) changeUsers(ctx context.Context, where string, args ...any) error {
	var users []User
	err := tx.bun.NewSelect().Conn(tx.conn).Model(&users).Column("id").Where(where, args...).Scan(ctx)
	for _, u := range users {
		tx.change(userKey, u.ID)
	}
	return translate(err)
}

// changeAccessTokens has the cache forget the access tokens where.
func (tx *Tx) changeAccessTokens(ctx context.Context, where string, args ...any) error {
	var tokens []AccessToken
	err := tx.bun.NewSelect().Conn(tx.conn).Model(&tokens).Column("hash").Where(where, args...).Scan(ctx)
	for _, t := range tokens {
		tx.change(accessKey, t.Hash)
	}
	return translate(err)
}
