package storage

import (
	"context"
	"time"
)

// SweepableMFAPolicy returns the policy whose members' records have waited
// longest to be gone through at now.
func (r Reader) SweepableMFAPolicy(ctx context.Context, now time.Time) (*MFAPolicy, error) {
	var due []MFAPolicy
	err := r.bun.NewSelect().Conn(r.conn).Model(&due).Where("sweep_at <= ?", At(now)).
		OrderExpr("sweep_at, organization_id").Limit(1).Scan(ctx)
	if err == nil && len(due) == 0 {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, translate(err)
	}
	return &due[0], nil
}

// MoveMFASweep notes how far the members of p have been gone through, and when
// that goes on; it says whether nobody else did so, and p is the policy still.
func (tx *Tx) MoveMFASweep(ctx context.Context, p *MFAPolicy, after string, next time.Time) (bool, error) {
	res, err := tx.conn.hot(ctx, `UPDATE mfa_policies SET sweep_after = ?, sweep_at = ?
		WHERE organization_id = ? AND version = ? AND sweep_after = ? AND sweep_at = ?`,
		after, At(next).UnixMilli(), p.OrganizationID, p.Version, p.SweepAfter, p.SweepAt.UnixMilli())
	if err != nil {
		return false, translate(err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// OverdueMFA returns at most limit records of a status whose deadline has
// come at now, the longest overdue first.
func (r Reader) OverdueMFA(ctx context.Context, status string, now time.Time, limit int) ([]MFACompliance, error) {
	var due []MFACompliance
	err := r.bun.NewSelect().Conn(r.conn).Model(&due).
		Where("status = ? AND deadline_at <= ?", status, At(now)).
		OrderExpr("deadline_at").Limit(int64(limit)).Scan(ctx)
	return due, translate(err)
}

// NotifiableMFA returns at most limit records of a status whose deadline is
// near enough for their policy to tell the member, who was not told after a
// time; the nearest first. Where there is no policy, days are how near that is.
func (r Reader) NotifiableMFA(
	ctx context.Context, status string, now, told time.Time, days int64, limit int,
) ([]MFACompliance, error) {
	const day = 24 * int64(time.Hour/time.Millisecond)
	var due []MFACompliance
	err := r.bun.NewSelect().Conn(r.conn).Model(&due).
		Join("LEFT JOIN mfa_policies AS p ON p.organization_id = ?TableAlias.organization_id").
		Where("status = ? AND deadline_at > ?", status, At(now)).
		Where("deadline_at <= ? + COALESCE(p.notify_days, ?) * ?", At(now).UnixMilli(), days, day).
		Where("(last_notified_at IS NULL OR last_notified_at <= ?)", At(told)).
		OrderExpr("deadline_at").Limit(int64(limit)).Scan(ctx)
	return due, translate(err)
}
