package account

import (
	"context"
	"errors"
	"time"

	"authy/storage"
)

// ExportMembership is a place in an organization.
type ExportMembership struct {
	OrganizationID   string     `json:"organization_id"`
	OrganizationName string     `json:"organization_name"`
	Role             string     `json:"role"`
	InvitedAt        *time.Time `json:"invited_at" nullable:"true"`
	JoinedAt         *time.Time `json:"joined_at" nullable:"true"`
	MFAOverride      string     `json:"mfa_override" doc:"What is asked of me in the place of the policy"`
	MFAStatus        string     `json:"mfa_status" doc:"How I was last found to meet the policy"`
	MFADeadlineAt    *time.Time `json:"mfa_deadline_at" nullable:"true"`
	MFAReminders     int64      `json:"mfa_reminders" doc:"How often I was told of it"`
}

func (e *exporter) memberships(ctx context.Context) error {
	members, err := e.db.Memberships(ctx, e.userID)
	if err != nil {
		return err
	}
	states, err := e.db.MFAStates(ctx, e.userID)
	if err != nil {
		return err
	}
	asked := make(map[string]storage.MFAState, len(states))
	for _, st := range states {
		asked[st.OrganizationID] = st
	}
	e.out.Memberships = make([]ExportMembership, 0, len(members))
	for _, m := range members {
		o, err := e.db.Organization(ctx, m.OrganizationID)
		if errors.Is(err, storage.ErrNotFound) {
			continue // deleted between the two reads
		}
		if err != nil {
			return err
		}
		e.out.Memberships = append(e.out.Memberships, ExportMembership{
			OrganizationID: o.ID, OrganizationName: o.Name, Role: string(m.Role),
			InvitedAt: moment(m.InvitedAt), JoinedAt: moment(m.JoinedAt),
			MFAOverride: asked[o.ID].OverrideMode, MFAStatus: asked[o.ID].Status,
			MFADeadlineAt: moment(asked[o.ID].DeadlineAt), MFAReminders: asked[o.ID].NotificationCount,
		})
	}
	return nil
}
