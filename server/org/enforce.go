package org

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

// What is refused about reminders.
var (
	ErrNoMail     = fault.New(fault.Conflict, "mail_disabled", "No mail is set up on this server.")
	ErrNothingDue = fault.New(fault.Conflict, "nothing_due", "Nothing is asked of this member that they have not got.")
	ErrReminded   = fault.New(fault.Conflict, "already_reminded", "This member was reminded in the last 24 hours.")
)

const (
	enforceSlice = 100 // members in one transaction
	enforcePause = 50 * time.Millisecond
	// sweepEvery is how often the records of all members are looked at anew:
	// someone may have lost a factor.
	sweepEvery = 24 * time.Hour
	// remindEvery is how long after one reminder the next may come.
	remindEvery = 24 * time.Hour
)

// Reminder tells a member that they have until a time to set a factor up.
type Reminder struct {
	User         *storage.User
	Organization *Organization
	Methods      []string // that are missing
	Any          bool     // one of them is enough
	DeadlineAt   time.Time
}

// Mailer puts a reminder in the post, in tx.
type Mailer func(ctx context.Context, tx *storage.Tx, r Reminder) error

// Enforce brings the records of who meets the policies up to date: it goes
// through the members whose policy was changed, suspends whose deadline has
// passed, and reminds whose deadline is near. Nothing that is allowed depends
// on it; it may run on any number of nodes at once.
func (s *Service) Enforce(ctx context.Context) {
	for _, step := range []func(ctx context.Context, now time.Time) (more bool, err error){
		s.sweep, s.overdue, s.remind,
	} {
		for more := true; more && ctx.Err() == nil; {
			var err error
			if more, err = step(ctx, steady.Now()); err != nil {
				slog.WarnContext(ctx, "policies not enforced in the records, trying again in a minute", "err", err)
				return
			}
			select {
			case <-time.After(enforcePause):
			case <-ctx.Done():
			}
		}
	}
}

// sweep brings up to date the next slice of members of the organization that
// has waited longest, and says whether there may be more to do.
func (s *Service) sweep(ctx context.Context, now time.Time) (more bool, err error) {
	if _, err := s.db.SweepableMFAPolicy(ctx, now); errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		p, err := tx.SweepableMFAPolicy(ctx, now)
		if more = err == nil; errors.Is(err, storage.ErrNotFound) {
			return nil // another node was faster
		}
		if err != nil {
			return fmt.Errorf("look for a policy to enforce: %w", err)
		}
		states, err := tx.MFAStatesIn(ctx, p.OrganizationID, p.SweepAfter, enforceSlice)
		if err != nil {
			return fmt.Errorf("read the members of %s: %w", p.OrganizationID, err)
		}
		after, next := "", now.Add(sweepEvery)
		if len(states) == enforceSlice {
			after, next = states[len(states)-1].MemberID, p.SweepAt.Time
		}
		mine, err := tx.MoveMFASweep(ctx, p, after, next)
		if err != nil || !mine {
			return err
		}
		for i := range states {
			if err := s.note(ctx, tx, audit.Server(), now, &states[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return more, err
}

// overdue looks at a slice of the members whose deadline has come.
func (s *Service) overdue(ctx context.Context, now time.Time) (more bool, err error) {
	for _, status := range []string{InGrace, PastDue} {
		due, err := s.db.OverdueMFA(ctx, status, now, enforceSlice)
		if err != nil {
			return false, fmt.Errorf("look for whose deadline has come: %w", err)
		}
		if len(due) == 0 {
			continue
		}
		more = more || len(due) == enforceSlice
		err = s.db.Update(ctx, func(tx *storage.Tx) error {
			for _, c := range due {
				err := s.settle(ctx, tx, audit.Server(), now, c.OrganizationID, c.UserID)
				if err != nil && !errors.Is(err, storage.ErrNotFound) { // they have left
					return err
				}
			}
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	return more, nil
}

// remind puts a slice of reminders in the post, where there is a post.
func (s *Service) remind(ctx context.Context, now time.Time) (more bool, err error) {
	if s.Mailer == nil {
		return false, nil
	}
	due, err := s.db.NotifiableMFA(ctx, InGrace, now, now.Add(-remindEvery), defaultNotifyDays, enforceSlice)
	if err != nil || len(due) == 0 {
		return false, err
	}
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		for _, c := range due {
			if err := s.remindOne(ctx, tx, now, c.OrganizationID, c.UserID); err != nil {
				return err
			}
		}
		return nil
	})
	return len(due) == enforceSlice, err
}

// remindOne reminds a member, unless that was done or is not needed any more.
func (s *Service) remindOne(ctx context.Context, tx *storage.Tx, now time.Time, orgID, userID string) error {
	st, err := tx.MFAState(ctx, orgID, userID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what %s asks of %s: %w", orgID, userID, err)
	}
	v := evaluate(st, now)
	if v.status != InGrace || now.Sub(st.LastNotifiedAt.Time) < remindEvery {
		// In a record that says otherwise, so that it is not found again.
		return s.note(ctx, tx, audit.Server(), now, st)
	}
	return s.tell(ctx, tx, audit.Server(), now, st, v)
}

// tell puts a reminder in the post for a member who is found like v, and records it.
func (s *Service) tell(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, st *storage.MFAState, v verdict,
) (err error) {
	n, orgID, userID := needFrom(st), st.OrganizationID, st.UserID
	r := Reminder{Methods: n.missing(factorsOf(st)), Any: n.any, DeadlineAt: v.deadline}
	if r.User, err = tx.User(ctx, userID); err != nil {
		return fmt.Errorf("look up user %s: %w", userID, err)
	}
	if r.Organization, err = tx.Organization(ctx, orgID); err != nil {
		return fmt.Errorf("look up organization %s: %w", orgID, err)
	}
	if err := s.Mailer(ctx, tx, r); err != nil {
		return fmt.Errorf("remind %s of the policy of %s: %w", userID, orgID, err)
	}
	rec := st.MFACompliance
	rec.LastNotifiedAt, rec.NotificationCount = storage.At(now), rec.NotificationCount+1
	if err := tx.SaveMFACompliance(ctx, &rec); err != nil {
		return fmt.Errorf("record a reminder of %s: %w", userID, err)
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "mfa.policy.user_notified", TargetKind: "user", TargetID: userID, OrgID: orgID,
	})
}

// Remind mails a member, on behalf of who manages the organization, until when
// they have to set a second factor up. [ErrReminded] if they were told within a day.
func (s *Service) Remind(ctx context.Context, by audit.Actor, orgID, userID string) error {
	now := steady.Now()
	return s.change(ctx, by, now, orgID, "mfa.policy.user_notified", func(tx *storage.Tx) error {
		if err := s.Manages(ctx, tx.Reader, by, orgID); err != nil {
			return err
		}
		if s.Mailer == nil {
			return ErrNoMail
		}
		if !isID(userID) {
			return ErrNoMember
		}
		st, err := tx.MFAState(ctx, orgID, userID)
		if errors.Is(err, storage.ErrNotFound) {
			return ErrNoMember
		}
		if err != nil {
			return fmt.Errorf("read what %s asks of %s: %w", orgID, userID, err)
		}
		v := evaluate(st, now)
		if v.status != InGrace {
			return ErrNothingDue
		}
		if now.Sub(st.LastNotifiedAt.Time) < remindEvery {
			return ErrReminded
		}
		if err := s.note(ctx, tx, by, now, st); err != nil { // so that there is a record to count in
			return err
		}
		if st, err = tx.MFAState(ctx, orgID, userID); err != nil {
			return fmt.Errorf("read what %s asks of %s: %w", orgID, userID, err)
		}
		return s.tell(ctx, tx, by, now, st, v)
	})
}

// MayRemind says whether a member can be reminded at now: not again within a day.
func MayRemind(f *Found, now time.Time) bool {
	return f.Status == InGrace && now.Sub(f.Recorded.LastNotifiedAt.Time) >= remindEvery
}
