package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// DeviceCode is a device that waits for somebody to let it in (RFC 8628). It is
// pending until it is allowed, which gives it a grant, or denied; its tokens are
// given out once.
type DeviceCode struct {
	bun.BaseModel `bun:"table:device_codes"`
	Hash          string `bun:",pk"` // of what the device polls with
	UserCode      string // a keyed hash of what the person types; unique
	ClientID      string // the client's row
	GrantID       Ref    // "" until it is allowed
	Scopes        Words
	IPAddress     string `bun:"ip_address"` // where it was asked for
	Network       string // it was asked for from, "" once somebody has let it in
	Pause         int64  // milliseconds between two polls
	CreatedAt     Time
	ExpiresAt     Time
	PolledAt      Time
	DeniedAt      Time
	UsedAt        Time
}

// DeviceCode returns the device code with a hash, in whatever state.
func (r Reader) DeviceCode(ctx context.Context, hash string) (*DeviceCode, error) {
	return find[DeviceCode](ctx, r, "hash = ?", hash)
}

// DeviceByUserCode returns the device code that a person types as userCode.
func (r Reader) DeviceByUserCode(ctx context.Context, userCode string) (*DeviceCode, error) {
	return find[DeviceCode](ctx, r, "user_code = ?", userCode)
}

// InsertDeviceCode adds a device code; [ErrTaken] says that its user code is in use.
func (tx *Tx) InsertDeviceCode(ctx context.Context, d *DeviceCode) error { return insert(ctx, tx, d) }

// pending are the device codes that nobody has decided about at a time.
const pending = " AND grant_id IS NULL AND denied_at IS NULL AND expires_at > ?"

// UseDeviceDecision allows a pending device code, by a grant, or denies it, if grantID
// is ""; it says whether this call was the one to decide.
func (tx *Tx) UseDeviceDecision(ctx context.Context, hash, grantID string, now time.Time) (bool, error) {
	at := At(now).UnixMilli()
	if grantID == "" {
		return tx.one(ctx, "UPDATE device_codes SET denied_at = ? WHERE hash = ?"+pending, at, hash, at)
	}
	return tx.one(ctx, "UPDATE device_codes SET grant_id = ?, network = '' WHERE hash = ?"+pending, grantID, hash, at)
}

// UseDeviceCode marks an allowed device code as used; it says whether this call
// was the one to do so.
func (tx *Tx) UseDeviceCode(ctx context.Context, hash string, now time.Time) (bool, error) {
	at := At(now).UnixMilli()
	return tx.one(ctx, `UPDATE device_codes SET used_at = ?
		WHERE hash = ? AND used_at IS NULL AND grant_id IS NOT NULL AND expires_at > ?`, at, hash, at)
}

// UseDevicePoll notes that a device has polled; false says that it came too early,
// and has to wait longer between two polls from now on.
func (tx *Tx) UseDevicePoll(ctx context.Context, hash string, now time.Time, longer time.Duration) (bool, error) {
	at := At(now).UnixMilli()
	inTime, err := tx.one(ctx,
		"UPDATE device_codes SET polled_at = ? WHERE hash = ? AND polled_at + pause <= ?", at, hash, at)
	if err != nil || inTime {
		return inTime, err
	}
	_, err = tx.one(ctx, "UPDATE device_codes SET polled_at = ?, pause = pause + ? WHERE hash = ?",
		at, longer.Milliseconds(), hash)
	return false, err
}

// one runs a conditional statement and says whether it found its row.
func (tx *Tx) one(ctx context.Context, query string, args ...any) (bool, error) {
	res, err := tx.conn.hot(ctx, query, args...)
	if err != nil {
		return false, translate(err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
