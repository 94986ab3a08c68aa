package org

import (
	"context"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/steady"
	"authy/storage"
)

// Overview is what there is to know, and to do, about an organization.
type Overview struct {
	Members     int64
	Invitations int64 // that wait for an answer
	// Of the members looked at, which are all of them unless there are very many.
	Looked, WithoutFactor, InGrace, Late int
	DeadlineAt                           time.Time // the earliest of those in grace
	Policy                               Policy
	// Alone says that nobody but the caller, an owner, could decide for it.
	Alone bool
}

// Overview returns what there is to do about an organization to who manages it.
func (s *Service) Overview(ctx context.Context, by audit.Actor, orgID string) (*Overview, error) {
	_, mine, err := s.admit(ctx, s.db.Reader, by, orgID, managers)
	if err != nil {
		return nil, err
	}
	now, out := steady.Now(), &Overview{}
	p, err := policyOf(ctx, s.db.Reader, orgID)
	if err != nil {
		return nil, err
	}
	out.Policy = *view(p)
	if out.Members, err = s.db.CountMembers(ctx, orgID); err != nil {
		return nil, fmt.Errorf("count members of %s: %w", orgID, err)
	}
	if out.Invitations, err = s.db.CountInvitations(ctx, orgID, now); err != nil {
		return nil, fmt.Errorf("count invitations to %s: %w", orgID, err)
	}
	if mine == Owner {
		other, err := s.db.HasOwnerBeside(ctx, orgID, by.ID)
		if err != nil {
			return nil, fmt.Errorf("look for another owner of %s: %w", orgID, err)
		}
		out.Alone = !other
	}
	return out, s.tally(ctx, orgID, out, now)
}

// tally counts how members are at now.
func (s *Service) tally(ctx context.Context, orgID string, out *Overview, now time.Time) error {
	for after := ""; out.Looked < complianceMost; {
		states, err := s.db.MFAStatesIn(ctx, orgID, after, complianceSlice)
		if err != nil {
			return fmt.Errorf("count who meets the policy of %s: %w", orgID, err)
		}
		for i := range states {
			out.count(&states[i], now)
		}
		if len(states) < complianceSlice {
			return nil
		}
		after = states[len(states)-1].MemberID
	}
	return nil
}

func (o *Overview) count(st *storage.MFAState, now time.Time) {
	o.Looked++
	if factorsOf(st) == (Factors{}) {
		o.WithoutFactor++
	}
	switch v := evaluate(st, now); v.status {
	case InGrace:
		o.InGrace++
		if o.DeadlineAt.IsZero() || v.deadline.Before(o.DeadlineAt) {
			o.DeadlineAt = v.deadline
		}
	case PastDue, Suspended:
		o.Late++
	}
}
