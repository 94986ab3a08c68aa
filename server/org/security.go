package org

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/steady"
	"authy/storage"
)

// ErrNotMember is what is said of a user whose override is to be set.
var ErrNotMember = fault.New(fault.NotFound, "member_not_found", "User is not a member of this organization")

// Policy is what an organization asks of its members as a second factor.
type Policy struct {
	OrganizationID string
	Mode           string
	GraceDays      int64 // from when it begins to hold for a member
	NotifyDays     int64 // before the deadline
	Version        int64 // 0 for one that nobody has set
}

// PolicyChange is what is to change of a policy; nil leaves it as it is.
type PolicyChange struct {
	Mode                  *string
	GraceDays, NotifyDays *int64
}

func (c PolicyChange) check() error {
	problems := map[string][]string{}
	if c.Mode != nil {
		switch *c.Mode {
		case MFADisabled, MFAOptional, RequireTOTP, RequireWebAuthn, RequireEither:
		default:
			problems["mfa_policy_mode"] = []string{
				"Must be one of: disabled, optional, require_totp, require_webauthn, require_totp_or_webauthn.",
			}
		}
	}
	between(problems, "mfa_grace_period_days", c.GraceDays, maxGraceDays)
	between(problems, "notify_days_before", c.NotifyDays, maxNotifyDays)
	return fault.Fields(problems)
}

func between(problems map[string][]string, field string, value *int64, most int) {
	if value != nil && (*value < 0 || *value > int64(most)) {
		problems[field] = []string{fmt.Sprintf("Must be between 0 and %d.", most)}
	}
}

// Policy returns the policy of an organization to one of its members.
func (s *Service) Policy(ctx context.Context, by audit.Actor, orgID string) (*Policy, error) {
	if _, _, err := s.admit(ctx, s.db.Reader, by, orgID, anyone); err != nil {
		return nil, err
	}
	p, err := policyOf(ctx, s.db.Reader, orgID)
	if err != nil {
		return nil, err
	}
	return view(p), nil
}

// policyOf returns the policy of an organization; that which holds where nobody
// has set one has version 0.
func policyOf(ctx context.Context, r storage.Reader, orgID string) (*storage.MFAPolicy, error) {
	p, err := r.MFAPolicy(ctx, orgID)
	if errors.Is(err, storage.ErrNotFound) {
		return &storage.MFAPolicy{
			OrganizationID: orgID, Mode: defaultMode, GraceDays: defaultGraceDays, NotifyDays: defaultNotifyDays,
		}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the policy of %s: %w", orgID, err)
	}
	return p, nil
}

func view(p *storage.MFAPolicy) *Policy {
	return &Policy{p.OrganizationID, p.Mode, p.GraceDays, p.NotifyDays, p.Version}
}

// SetPolicy changes the policy of an organization, for its owners and admins.
// It holds from the next request of any member on. One that someone who met
// the old one may not meet gives everyone the grace period anew.
func (s *Service) SetPolicy(ctx context.Context, by audit.Actor, orgID string, in PolicyChange) (out *Policy, err error) {
	const action = "org.security_policy.update"
	if err := in.check(); err != nil {
		return nil, err
	}
	now := steady.Now()
	err = s.change(ctx, by, now, orgID, action, func(tx *storage.Tx) error {
		if _, _, err := s.admit(ctx, tx.Reader, by, orgID, managers); err != nil {
			return err
		}
		p, err := policyOf(ctx, tx.Reader, orgID)
		if err != nil {
			return err
		}
		if err := managed.Refuse(ctx, tx.Reader, by, managed.Organization, orgID, "policy"); err != nil {
			return err
		}
		in.apply(p, now)
		if err := tx.SaveMFAPolicy(ctx, p); err != nil {
			return fmt.Errorf("set the policy of %s: %w", orgID, err)
		}
		out = view(p)
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: action, TargetKind: "organization", TargetID: orgID, OrgID: orgID, Details: map[string]string{
				"mode": p.Mode, "grace_days": strconv.FormatInt(p.GraceDays, 10),
				"notify_days": strconv.FormatInt(p.NotifyDays, 10), "version": strconv.FormatInt(p.Version, 10),
			},
		})
	})
	return out, err
}

// apply makes p the next version of itself, which the job tells the members'
// records.
func (c PolicyChange) apply(p *storage.MFAPolicy, now time.Time) {
	old := needOf(p.Mode, "", false, false)
	if c.Mode != nil {
		p.Mode = *c.Mode
	}
	if c.GraceDays != nil {
		p.GraceDays = *c.GraceDays
	}
	if c.NotifyDays != nil {
		p.NotifyDays = *c.NotifyDays
	}
	if p.Version == 0 || needOf(p.Mode, "", false, false).stricter(old) {
		p.AppliedAt = storage.At(now)
	}
	p.Version++
	p.UpdatedAt, p.SweepAt, p.SweepAfter = storage.At(now), storage.At(now), ""
}

// Override is what is asked of one member in the place of the policy, or
// beside it.
type Override struct {
	Mode                     string // [OverrideInherit], [OverrideRequired] or [OverrideExempt]
	ForceTOTP, ForceWebAuthn bool
}

func (o Override) check() error {
	switch {
	case o.Mode != OverrideInherit && o.Mode != OverrideRequired && o.Mode != OverrideExempt:
		return fault.Field("mfa_override_mode", "Must be one of: inherit, required, exempt.")
	case o.Mode == OverrideExempt && (o.ForceTOTP || o.ForceWebAuthn):
		return fault.Field("mfa_override_mode", "Nothing can be forced on who is exempt.")
	}
	return nil
}

// ExceptionOf is the field of an organization that a file of the state sets where it says what is
// asked of the member with an address.
func ExceptionOf(email string) string { return "exceptions." + email }

// SetOverride sets what is asked of one member. [ErrRank] unless the member's
// role is below the caller's, or the caller is an owner: nobody else exempts
// themselves.
func (s *Service) SetOverride(ctx context.Context, by audit.Actor, orgID, userID string, in Override) error {
	const action = "user.security_policy.override_update"
	if err := in.check(); err != nil {
		return err
	}
	now := steady.Now()
	return s.change(ctx, by, now, orgID, action, func(tx *storage.Tx) error {
		_, mine, err := s.admit(ctx, tx.Reader, by, orgID, managers)
		if err != nil {
			return err
		}
		p, err := place(ctx, tx, orgID, userID)
		if errors.Is(err, ErrNoMember) {
			return ErrNotMember
		}
		if err != nil {
			return err
		}
		if !mayGrant(mine, p.Member.Role) {
			return ErrRank
		}
		err = managed.Refuse(ctx, tx.Reader, by, managed.Organization, orgID, ExceptionOf(p.User.Email))
		if err != nil {
			return err
		}
		if err := s.override(ctx, tx, now, orgID, userID, in); err != nil {
			return err
		}
		err = audit.Record(ctx, tx, by, now, audit.Event{
			Action: action, TargetKind: "user", TargetID: userID, OrgID: orgID, Details: map[string]string{
				"mode": in.Mode, "force_totp": strconv.FormatBool(in.ForceTOTP),
				"force_webauthn": strconv.FormatBool(in.ForceWebAuthn),
			},
		})
		if err != nil {
			return err
		}
		return s.settle(ctx, tx, by, now, orgID, userID)
	})
}

// override keeps an override. One that asks for more than what was asked until
// now gives the grace period anew.
func (s *Service) override(
	ctx context.Context, tx *storage.Tx, now time.Time, orgID, userID string, in Override,
) error {
	st, err := tx.MFAState(ctx, orgID, userID)
	if err != nil {
		return fmt.Errorf("read what %s asks of %s: %w", orgID, userID, err)
	}
	applied := st.OverrideAppliedAt
	asked := needOf(st.PolicyMode, in.Mode, in.ForceTOTP, in.ForceWebAuthn)
	if asked.stricter(needFrom(st)) {
		applied = storage.At(now)
	}
	err = tx.SaveMFAOverride(ctx, &storage.MFAOverride{
		OrganizationID: orgID, UserID: userID, Mode: in.Mode, ForceTOTP: in.ForceTOTP, ForceWebAuthn: in.ForceWebAuthn,
		AppliedAt: applied, UpdatedAt: storage.At(now),
	})
	if err != nil {
		return fmt.Errorf("set what %s asks of %s: %w", orgID, userID, err)
	}
	return nil
}
