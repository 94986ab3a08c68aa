package storage

import (
	"context"

	"github.com/uptrace/bun"
)

// MFAPolicy is what an organization asks of its members as a second factor.
type MFAPolicy struct {
	bun.BaseModel  `bun:"table:mfa_policies"`
	OrganizationID string `bun:",pk"`
	Mode           string
	GraceDays      int64
	NotifyDays     int64
	Version        int64
	AppliedAt      Time // since when it asks for as much as it does
	UpdatedAt      Time
	SweepAt        Time   // when the members' records are next gone through
	SweepAfter     string // and after which member
}

// MFAOverride is what is asked of one member in the place of the policy, or
// beside it.
type MFAOverride struct {
	bun.BaseModel  `bun:"table:mfa_overrides"`
	OrganizationID string `bun:",pk"`
	UserID         string `bun:",pk"`
	Mode           string
	ForceTOTP      bool `bun:"force_totp"`
	ForceWebAuthn  bool `bun:"force_webauthn"`
	AppliedAt      Time // when it last asked for more than was asked before
	UpdatedAt      Time
}

// MFACompliance is how a member was found to meet the policy.
type MFACompliance struct {
	bun.BaseModel     `bun:"table:mfa_compliance"`
	OrganizationID    string `bun:",pk"`
	UserID            string `bun:",pk"`
	Status            string
	PolicyVersion     int64
	AppliedAt         Time
	DeadlineAt        Time
	CompliantAt       Time
	SuspendedAt       Time
	LastNotifiedAt    Time
	NotificationCount int64
}

// MFAState is all that says whether a member meets what is asked of them. What
// there is none of is zero.
type MFAState struct {
	MemberID string
	JoinedAt Time
	MFACompliance
	// Of the policy.
	PolicyMode      string
	GraceDays       int64
	NotifyDays      int64
	Version         int64 // 0: there is no policy
	PolicyAppliedAt Time
	// Of the override.
	OverrideMode      string
	ForceTOTP         bool `bun:"force_totp"`
	ForceWebAuthn     bool `bun:"force_webauthn"`
	OverrideAppliedAt Time
	// HasTOTP says that the user has a confirmed authenticator, HasPasskey that
	// they have a passkey.
	HasTOTP    bool `bun:"has_totp"`
	HasPasskey bool
}

// mfaStates selects states; every second factor that counts is a column here.
// Whatever changes one must drop mfaKey of its user.
func (r Reader) mfaStates(states *[]MFAState) *bun.SelectQuery {
	return r.bun.NewSelect().Conn(r.conn).Model(states).ModelTableExpr("members AS m").
		ColumnExpr("m.id AS member_id, m.organization_id, m.user_id, COALESCE(m.joined_at, m.created_at) AS joined_at").
		ColumnExpr("COALESCE(p.mode, '') AS policy_mode, COALESCE(p.grace_days, 0) AS grace_days").
		ColumnExpr("COALESCE(p.notify_days, 0) AS notify_days, COALESCE(p.version, 0) AS version").
		ColumnExpr("p.applied_at AS policy_applied_at").
		ColumnExpr("COALESCE(o.mode, '') AS override_mode, COALESCE(o.force_totp, FALSE) AS force_totp").
		ColumnExpr("COALESCE(o.force_webauthn, FALSE) AS force_webauthn, o.applied_at AS override_applied_at").
		ColumnExpr("COALESCE(c.status, '') AS status, COALESCE(c.policy_version, 0) AS policy_version").
		ColumnExpr("c.applied_at, c.deadline_at, c.compliant_at, c.suspended_at, c.last_notified_at").
		ColumnExpr("COALESCE(c.notification_count, 0) AS notification_count").
		ColumnExpr(`EXISTS (SELECT 1 FROM totps AS t
			WHERE t.user_id = m.user_id AND t.confirmed_at IS NOT NULL) AS has_totp`).
		ColumnExpr("EXISTS (SELECT 1 FROM passkeys AS k WHERE k.user_id = m.user_id) AS has_passkey").
		Join("LEFT JOIN mfa_policies AS p ON p.organization_id = m.organization_id").
		Join("LEFT JOIN mfa_overrides AS o ON o.organization_id = m.organization_id AND o.user_id = m.user_id").
		Join("LEFT JOIN mfa_compliance AS c ON c.organization_id = m.organization_id AND c.user_id = m.user_id")
}

// MFAStates returns the states of a user, one for each organization, the
// oldest membership first.
func (r Reader) MFAStates(ctx context.Context, userID string) ([]MFAState, error) {
	return cached(r, mfaKey, userID, func() (states []MFAState, err error) {
		err = r.mfaStates(&states).Where("m.user_id = ?", userID).OrderExpr("m.created_at, m.id").Scan(ctx)
		return states, translate(err)
	})
}

// MFAState returns the state of a member.
func (r Reader) MFAState(ctx context.Context, orgID, userID string) (*MFAState, error) {
	var states []MFAState
	err := r.mfaStates(&states).Where("m.organization_id = ? AND m.user_id = ?", orgID, userID).Scan(ctx)
	if err == nil && len(states) == 0 {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, translate(err)
	}
	return &states[0], nil
}

// MFAStatesIn returns at most limit states of an organization whose members'
// ids come after the given one, in their order.
func (r Reader) MFAStatesIn(ctx context.Context, orgID, after string, limit int) (states []MFAState, err error) {
	err = r.mfaStates(&states).Where("m.organization_id = ? AND m.id > ?", orgID, after).
		OrderExpr("m.id").Limit(int64(limit)).Scan(ctx)
	return states, translate(err)
}

// MFAStatesOf returns the states of those of the users who are members of an
// organization, by the ids of the users.
func (r Reader) MFAStatesOf(ctx context.Context, orgID string, userIDs []string) (map[string]*MFAState, error) {
	out := make(map[string]*MFAState, len(userIDs))
	if len(userIDs) == 0 {
		return out, nil
	}
	var states []MFAState
	err := r.mfaStates(&states).Where("m.organization_id = ? AND m.user_id IN (?)", orgID, bun.List(userIDs)).Scan(ctx)
	for i := range states {
		out[states[i].UserID] = &states[i]
	}
	return out, translate(err)
}

// UsersByID returns the users with ids, by their ids.
func (r Reader) UsersByID(ctx context.Context, ids []string) (map[string]*User, error) {
	users := make(map[string]*User, len(ids))
	if len(ids) == 0 {
		return users, nil
	}
	found, err := list[User](ctx, r, "id", "id IN (?)", bun.List(ids))
	for i := range found {
		users[found[i].ID] = &found[i]
	}
	return users, err
}

// MFAPolicy returns the policy of an organization.
func (r Reader) MFAPolicy(ctx context.Context, orgID string) (*MFAPolicy, error) {
	return find[MFAPolicy](ctx, r, "organization_id = ?", orgID)
}

// MFAOverride returns the override of a member.
func (r Reader) MFAOverride(ctx context.Context, orgID, userID string) (*MFAOverride, error) {
	return find[MFAOverride](ctx, r, "organization_id = ? AND user_id = ?", orgID, userID)
}

// MFAOverrides returns the overrides of all members of an organization.
func (r Reader) MFAOverrides(ctx context.Context, orgID string) ([]MFAOverride, error) {
	return list[MFAOverride](ctx, r, "user_id", "organization_id = ?", orgID)
}

// SaveMFAPolicy keeps the policy of an organization.
func (tx *Tx) SaveMFAPolicy(ctx context.Context, p *MFAPolicy) error {
	if err := tx.changeMembers(ctx, "organization_id = ?", p.OrganizationID); err != nil {
		return err
	}
	_, err := tx.conn.hot(ctx, `INSERT INTO mfa_policies (organization_id, mode, grace_days, notify_days,
		version, applied_at, updated_at, sweep_at, sweep_after) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (organization_id) DO UPDATE SET mode = EXCLUDED.mode, grace_days = EXCLUDED.grace_days,
			notify_days = EXCLUDED.notify_days, version = EXCLUDED.version, applied_at = EXCLUDED.applied_at,
			updated_at = EXCLUDED.updated_at, sweep_at = EXCLUDED.sweep_at, sweep_after = EXCLUDED.sweep_after`,
		p.OrganizationID, p.Mode, p.GraceDays, p.NotifyDays, p.Version, p.AppliedAt.UnixMilli(),
		p.UpdatedAt.UnixMilli(), p.SweepAt.UnixMilli(), p.SweepAfter)
	return translate(err)
}

// SaveMFAOverride keeps the override of a member.
func (tx *Tx) SaveMFAOverride(ctx context.Context, o *MFAOverride) error {
	tx.change(mfaKey, o.UserID)
	_, err := tx.conn.hot(ctx, `INSERT INTO mfa_overrides (organization_id, user_id, mode, force_totp,
		force_webauthn, applied_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (organization_id, user_id) DO UPDATE SET mode = EXCLUDED.mode,
			force_totp = EXCLUDED.force_totp, force_webauthn = EXCLUDED.force_webauthn,
			applied_at = EXCLUDED.applied_at, updated_at = EXCLUDED.updated_at`,
		o.OrganizationID, o.UserID, o.Mode, o.ForceTOTP, o.ForceWebAuthn,
		o.AppliedAt, o.UpdatedAt.UnixMilli())
	return translate(err)
}

// SaveMFACompliance keeps how a member was found.
func (tx *Tx) SaveMFACompliance(ctx context.Context, c *MFACompliance) error {
	tx.change(mfaKey, c.UserID)
	_, err := tx.conn.hot(ctx, `INSERT INTO mfa_compliance (organization_id, user_id, status, policy_version,
		applied_at, deadline_at, compliant_at, suspended_at, last_notified_at, notification_count)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (organization_id, user_id) DO UPDATE SET status = EXCLUDED.status,
			policy_version = EXCLUDED.policy_version, applied_at = EXCLUDED.applied_at,
			deadline_at = EXCLUDED.deadline_at, compliant_at = EXCLUDED.compliant_at,
			suspended_at = EXCLUDED.suspended_at, last_notified_at = EXCLUDED.last_notified_at,
			notification_count = EXCLUDED.notification_count`,
		c.OrganizationID, c.UserID, c.Status, c.PolicyVersion, c.AppliedAt, c.DeadlineAt,
		c.CompliantAt, c.SuspendedAt, c.LastNotifiedAt, c.NotificationCount)
	return translate(err)
}
