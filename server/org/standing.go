package org

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

// StandingIn is how a user meets what one organization asks.
type StandingIn struct {
	Organization *Organization
	Status       string
	Mode         string    // what is asked of them, as the mode of a policy
	AppliedAt    time.Time // since when; zero where nothing is asked
	DeadlineAt   time.Time // zero where it is met
}

// Standing is how a user meets what their organizations ask.
type Standing struct {
	Overall    string
	Missing    []string  // the methods that would help
	DeadlineAt time.Time // the earliest; zero if all is met
	Places     []StandingIn
}

// Limited says that the user may do no more than set a factor up.
func (s *Standing) Limited() bool { return limits(s.Overall) }

// StandingOf returns how a user meets what their active organizations ask at
// now, read in r.
func StandingOf(ctx context.Context, r storage.Reader, userID string, now time.Time) (*Standing, error) {
	out := &Standing{Overall: Compliant, Missing: []string{}}
	err := eachState(ctx, r, userID, func(*storage.MFAState) bool { return true },
		func(o *Organization, st *storage.MFAState) { out.add(o, st, now) })
	return out, err
}

func (s *Standing) add(o *Organization, st *storage.MFAState, now time.Time) {
	v := evaluate(st, now)
	s.Places = append(s.Places, StandingIn{
		Organization: o, Status: v.status, Mode: effectiveMode(st), AppliedAt: v.applied, DeadlineAt: v.deadline,
	})
	if v.status != NotApplicable && slices.Index(severity, v.status) > slices.Index(severity, s.Overall) {
		s.Overall = v.status
	}
	for _, method := range needFrom(st).missing(factorsOf(st)) {
		if !slices.Contains(s.Missing, method) {
			s.Missing = append(s.Missing, method)
		}
	}
	slices.Sort(s.Missing)
	if !v.deadline.IsZero() && (s.DeadlineAt.IsZero() || v.deadline.Before(s.DeadlineAt)) {
		s.DeadlineAt = v.deadline
	}
}

// eachState calls visit with the states of a user that which picks, in active
// organizations.
func eachState(
	ctx context.Context, r storage.Reader, userID string,
	which func(*storage.MFAState) bool, visit func(*Organization, *storage.MFAState),
) error {
	states, err := r.MFAStates(ctx, userID)
	if err != nil {
		return fmt.Errorf("read what is asked of %s: %w", userID, err)
	}
	for i := range states {
		if !which(&states[i]) {
			continue
		}
		o, err := r.Organization(ctx, states[i].OrganizationID)
		if errors.Is(err, storage.ErrNotFound) {
			continue // deleted between the two reads
		}
		if err != nil {
			return fmt.Errorf("read what is asked of %s: %w", userID, err)
		}
		if o.IsActive {
			visit(o, &states[i])
		}
	}
	return nil
}

// Limited is [Standing.Limited] alone. For whom nothing is asked it costs one
// lookup in a cache.
func Limited(ctx context.Context, r storage.Reader, userID string, now time.Time) (limited bool, err error) {
	err = eachState(ctx, r, userID,
		func(st *storage.MFAState) bool { return limits(evaluate(st, now).status) },
		func(*Organization, *storage.MFAState) { limited = true })
	return limited, err
}

// MayLose is nil for a user who meets what their organizations ask also without
// some of their factors, or does not meet it anyhow. Else it says who asks.
func MayLose(ctx context.Context, r storage.Reader, userID string, some Factors) error {
	var names []string
	err := eachState(ctx, r, userID, func(st *storage.MFAState) bool {
		n, f := needFrom(st), factorsOf(st)
		return n.metBy(f) && !n.metBy(f.without(some))
	}, func(o *Organization, _ *storage.MFAState) { names = append(names, o.Name) })
	if err != nil || len(names) == 0 {
		return err
	}
	return fault.New(fault.Conflict, ErrFactorNeeded.Code,
		"Your second factor cannot be taken away: it is required by "+strings.Join(names, ", ")+".")
}

// ErrFactorNeeded refuses to take away a factor that an organization asks for.
var ErrFactorNeeded = fault.New(fault.Conflict, "second_factor_required",
	"Your second factor cannot be taken away: an organization requires it.")

// Standing returns how a user meets what their organizations ask.
func (s *Service) Standing(ctx context.Context, userID string) (*Standing, error) {
	return StandingOf(ctx, s.db.Reader, userID, steady.Now())
}
