package org

import (
	"time"

	"authy/storage"
)

// The modes of a policy: what it asks of members as a second factor.
const (
	MFADisabled     = "disabled" // nothing, and says so
	MFAOptional     = "optional"
	RequireTOTP     = "require_totp"
	RequireWebAuthn = "require_webauthn"
	RequireEither   = "require_totp_or_webauthn"
	// requireBoth is what overrides alone can ask.
	requireBoth = "require_totp_and_webauthn"
)

// The modes of an override.
const (
	OverrideInherit  = "inherit"  // as the policy says
	OverrideRequired = "required" // some factor, at least
	OverrideExempt   = "exempt"
)

// What holds where nobody has set it, and the most that can be set.
const (
	defaultMode       = MFAOptional
	defaultGraceDays  = 14
	defaultNotifyDays = 7
	maxGraceDays      = 365
	maxNotifyDays     = 30
	day               = 24 * time.Hour
)

// The states of a member. Pending is a word of the contract that no member is in.
const (
	NotApplicable = "not_applicable"
	Pending       = "pending"
	InGrace       = "in_grace"
	Compliant     = "compliant"
	PastDue       = "past_due"
	Suspended     = "suspended" // past due, as the job has recorded
)

// Overdue asks [Service.Compliance] for members who are past due, recorded as
// suspended or not yet.
const Overdue = "overdue"

// severity orders the states; the overall one is the gravest.
var severity = []string{NotApplicable, Compliant, Pending, InGrace, PastDue, Suspended}

// limits says whether someone in a state may do no more than set a factor up.
func limits(status string) bool { return status == PastDue || status == Suspended }

// Factors are second factors, as policies count them.
type Factors struct{ TOTP, WebAuthn bool }

// factorsOf are the second factors of a member.
func factorsOf(st *storage.MFAState) Factors {
	return Factors{TOTP: st.HasTOTP, WebAuthn: st.HasPasskey}
}

// without is f less some.
func (f Factors) without(some Factors) Factors {
	return Factors{TOTP: f.TOTP && !some.TOTP, WebAuthn: f.WebAuthn && !some.WebAuthn}
}

// need is what is asked of a member.
type need struct{ any, totp, webauthn bool }

// needOf is what a policy and an override ask together. An override asks for
// more than the policy, or exempts from it; it never asks for less.
func needOf(mode, override string, forceTOTP, forceWebAuthn bool) need {
	if override == OverrideExempt {
		return need{}
	}
	n := need{
		any:  mode == RequireEither || override == OverrideRequired,
		totp: mode == RequireTOTP || forceTOTP, webauthn: mode == RequireWebAuthn || forceWebAuthn,
	}
	n.any = n.any && !n.totp && !n.webauthn // either of these is some factor
	return n
}

func needFrom(st *storage.MFAState) need {
	return needOf(st.PolicyMode, st.OverrideMode, st.ForceTOTP, st.ForceWebAuthn)
}

func (n need) none() bool { return n == need{} }

// metBy says whether someone with f has all that is asked.
func (n need) metBy(f Factors) bool {
	return (!n.any || f.TOTP || f.WebAuthn) && (!n.totp || f.TOTP) && (!n.webauthn || f.WebAuthn)
}

// missing are the methods that would help someone with f to meet n.
func (n need) missing(f Factors) (methods []string) {
	some := n.any && !n.metBy(f)
	if some || n.totp && !f.TOTP {
		methods = append(methods, "totp")
	}
	if some || n.webauthn && !f.WebAuthn {
		methods = append(methods, "webauthn")
	}
	return methods
}

// stricter says whether anyone can meet old and not n.
func (n need) stricter(old need) bool {
	for _, f := range []Factors{{}, {TOTP: true}, {WebAuthn: true}, {TOTP: true, WebAuthn: true}} {
		if old.metBy(f) && !n.metBy(f) {
			return true
		}
	}
	return false
}

// effectiveMode is the mode of a policy that asks everyone what st asks of its member.
func effectiveMode(st *storage.MFAState) string {
	switch n := needFrom(st); {
	case n.totp && n.webauthn:
		return requireBoth
	case n.totp:
		return RequireTOTP
	case n.webauthn:
		return RequireWebAuthn
	case n.any:
		return RequireEither
	case st.OverrideMode == OverrideExempt, st.PolicyMode == MFADisabled:
		return MFADisabled
	}
	return MFAOptional
}

// verdict is how a member is found.
type verdict struct {
	status string
	// applied is since when as much is asked; zero where nothing is.
	applied time.Time
	// deadline is when it must be met; zero where it is.
	deadline time.Time
}

// evaluate finds how a member is at now. What is recorded counts for one thing:
// that the job has suspended them since the deadline.
func evaluate(st *storage.MFAState, now time.Time) verdict {
	n := needFrom(st)
	switch {
	case n.none() && st.PolicyMode == MFAOptional && st.OverrideMode != OverrideExempt:
		return verdict{status: Compliant}
	case n.none():
		return verdict{status: NotApplicable}
	}
	v := verdict{status: Compliant, applied: st.JoinedAt.Time}
	for _, t := range []time.Time{st.PolicyAppliedAt.Time, st.OverrideAppliedAt.Time} {
		if t.After(v.applied) {
			v.applied = t
		}
	}
	if n.metBy(factorsOf(st)) {
		return v
	}
	v.deadline = v.applied.Add(time.Duration(graceDays(st)) * day)
	switch {
	case now.Before(v.deadline):
		v.status = InGrace
	case !st.SuspendedAt.IsZero() && !st.SuspendedAt.Before(v.deadline):
		v.status = Suspended
	default:
		v.status = PastDue
	}
	return v
}

// graceDays is how long a member has got, also where only an override asks.
func graceDays(st *storage.MFAState) int64 {
	if st.Version == 0 {
		return defaultGraceDays
	}
	return st.GraceDays
}
