package org

import (
	"context"
	"fmt"
	"slices"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

// Found is how a member meets what the organization asks, as of now.
type Found struct {
	User *storage.User
	// Status, AppliedAt and DeadlineAt are of this moment.
	Status                string
	AppliedAt, DeadlineAt time.Time
	// Recorded is what was noted of them before.
	Recorded storage.MFACompliance
	memberID string
}

// Key is the place of a member in the list of [Service.Compliance].
func (f *Found) Key() string { return f.memberID }

const (
	complianceSlice = 500  // members in one read
	complianceMost  = 5000 // members looked at for one page
)

// Compliance returns at most limit members of an organization in a state, ""
// for any, or who are [Overdue], the oldest first, after the one with the given key; and the key to
// go on from, "" at the end. So that a rare state does not read everyone at
// once, a page can hold fewer and yet not be the last.
func (s *Service) Compliance(
	ctx context.Context, by audit.Actor, orgID, status, after string, limit int,
) (page []Found, next string, err error) {
	if status != "" && status != Overdue && !slices.Contains(severity, status) {
		return nil, "", fault.Field("status", "Must be one of: "+
			"not_applicable, pending, in_grace, compliant, past_due, suspended.")
	}
	if _, _, err := s.admit(ctx, s.db.Reader, by, orgID, managers); err != nil {
		return nil, "", err
	}
	if after != "" && !isID(after) {
		return nil, "", fault.Field("cursor", "Not a cursor of this list.")
	}
	now := steady.Now()
	for looked := 0; looked < complianceMost; {
		states, err := s.db.MFAStatesIn(ctx, orgID, after, complianceSlice)
		if err != nil {
			return nil, "", fmt.Errorf("list who meets the policy of %s: %w", orgID, err)
		}
		for i := range states {
			f := find(&states[i], now)
			if !f.is(status) {
				after = f.memberID
				continue
			}
			if len(page) == limit {
				page, err = s.named(ctx, page)
				return page, after, err
			}
			page, after = append(page, f), f.memberID
		}
		if looked += len(states); len(states) < complianceSlice {
			page, err = s.named(ctx, page)
			return page, "", err
		}
	}
	page, err = s.named(ctx, page)
	return page, after, err
}

// is says whether a member is in a state, "" for any.
func (f *Found) is(status string) bool {
	return status == "" || status == f.Status || status == Overdue && limits(f.Status)
}

func find(st *storage.MFAState, now time.Time) Found {
	v := evaluate(st, now)
	return Found{
		User:   &storage.User{ID: st.UserID},
		Status: v.status, AppliedAt: v.applied, DeadlineAt: v.deadline, Recorded: st.MFACompliance, memberID: st.MemberID,
	}
}

// named adds who the members are, and leaves out those who were deleted
// meanwhile.
func (s *Service) named(ctx context.Context, page []Found) ([]Found, error) {
	ids := make([]string, len(page))
	for i := range page {
		ids[i] = page[i].User.ID
	}
	users, err := s.db.UsersByID(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("look members up: %w", err)
	}
	for i := range page {
		page[i].User = users[page[i].User.ID]
	}
	return slices.DeleteFunc(page, func(f Found) bool { return f.User == nil }), nil
}

// Settle records how a user meets what their organizations ask, after what
// they can show has changed.
func (s *Service) Settle(ctx context.Context, by audit.Actor, userID string) error {
	states, err := s.db.MFAStates(ctx, userID)
	if err != nil {
		return fmt.Errorf("read what is asked of %s: %w", userID, err)
	}
	if !slices.ContainsFunc(states, func(st storage.MFAState) bool { return st.Status != "" || !needFrom(&st).none() }) {
		return nil // nothing is asked, nothing was recorded
	}
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		states, err := tx.MFAStates(ctx, userID)
		if err != nil {
			return fmt.Errorf("read what is asked of %s: %w", userID, err)
		}
		for i := range states {
			if err := s.note(ctx, tx, by, now, &states[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// settle is [Service.Settle] for one place, in tx.
func (s *Service) settle(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, orgID, userID string,
) error {
	st, err := tx.MFAState(ctx, orgID, userID)
	if err != nil {
		return fmt.Errorf("read what %s asks of %s: %w", orgID, userID, err)
	}
	return s.note(ctx, tx, by, now, st)
}

// note records how a member is found. That who had not met it now does is an
// event; so is that the job suspends them.
func (s *Service) note(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, st *storage.MFAState,
) error {
	v, rec := evaluate(st, now), st.MFACompliance
	if st.Status == "" && needFrom(st).none() {
		return nil // nothing was ever asked
	}
	event := ""
	switch {
	case v.status == PastDue && by.Kind == audit.System:
		v.status, rec.SuspendedAt, event = Suspended, storage.At(now), "mfa.policy.user_suspended"
	case v.status == Compliant && rec.Status != Compliant && rec.Status != "":
		event = "mfa.policy.user_compliant"
	}
	if v.status != Compliant {
		rec.CompliantAt = storage.Time{}
	} else if rec.CompliantAt.IsZero() {
		rec.CompliantAt = storage.At(now)
	}
	if v.status != Suspended {
		rec.SuspendedAt = storage.Time{}
	}
	if !rec.AppliedAt.Equal(v.applied) { // another demand, of which nobody has been told
		rec.LastNotifiedAt, rec.NotificationCount = storage.Time{}, 0
	}
	rec.Status, rec.PolicyVersion = v.status, st.Version
	rec.AppliedAt, rec.DeadlineAt = storage.At(v.applied), storage.At(v.deadline)
	if rec == st.MFACompliance {
		return nil
	}
	if err := tx.SaveMFACompliance(ctx, &rec); err != nil {
		return fmt.Errorf("record how %s meets the policy of %s: %w", rec.UserID, rec.OrganizationID, err)
	}
	if event == "" {
		return nil
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: event, TargetKind: "user", TargetID: rec.UserID, OrgID: rec.OrganizationID,
	})
}
