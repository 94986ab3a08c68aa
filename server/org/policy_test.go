package org

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
)

var (
	none = Factors{}
	app  = Factors{TOTP: true}
	key  = Factors{WebAuthn: true}
	both = Factors{TOTP: true, WebAuthn: true}
)

func TestWhatIsAsked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode, override string
		force          Factors // forced
		met, unmet     []Factors
	}{
		{"", "", none, []Factors{none, app, key, both}, nil},
		{MFADisabled, OverrideInherit, none, []Factors{none}, nil},
		{MFAOptional, OverrideInherit, none, []Factors{none}, nil},
		{RequireTOTP, "", none, []Factors{app, both}, []Factors{none, key}},
		{RequireWebAuthn, "", none, []Factors{key, both}, []Factors{none, app}},
		{RequireEither, "", none, []Factors{app, key, both}, []Factors{none}}, // D47
		{"", OverrideRequired, none, []Factors{app, key, both}, []Factors{none}},
		{MFADisabled, OverrideRequired, none, []Factors{app, key}, []Factors{none}},
		// An override never asks for less than the policy, but by an exemption.
		{RequireTOTP, OverrideRequired, none, []Factors{app, both}, []Factors{none, key}},
		{RequireTOTP, OverrideExempt, none, []Factors{none}, nil},
		{RequireWebAuthn, OverrideExempt, both, []Factors{none}, nil},
		{MFAOptional, OverrideInherit, app, []Factors{app, both}, []Factors{none, key}},
		{RequireEither, OverrideInherit, key, []Factors{key, both}, []Factors{none, app}},
		{RequireTOTP, OverrideInherit, key, []Factors{both}, []Factors{none, app, key}},
		{"", OverrideRequired, both, []Factors{both}, []Factors{none, app, key}},
	} {
		n := needOf(c.mode, c.override, c.force.TOTP, c.force.WebAuthn)
		for _, f := range c.met {
			if !n.metBy(f) || len(n.missing(f)) > 0 {
				t.Errorf("%q %q %+v: %+v does not do, missing %v", c.mode, c.override, c.force, f, n.missing(f))
			}
		}
		for _, f := range c.unmet {
			if n.metBy(f) || len(n.missing(f)) == 0 {
				t.Errorf("%q %q %+v: %+v does", c.mode, c.override, c.force, f)
			}
		}
	}
}

func TestWhatHelpsIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n    need
		has  Factors
		want []string
	}{
		{need{any: true}, none, []string{"totp", "webauthn"}},
		{need{any: true}, app, nil},
		{need{totp: true}, key, []string{"totp"}},
		{need{webauthn: true}, none, []string{"webauthn"}},
		{need{totp: true, webauthn: true}, app, []string{"webauthn"}},
		{need{totp: true, webauthn: true}, none, []string{"totp", "webauthn"}},
	} {
		if got := c.n.missing(c.has); !slices.Equal(got, c.want) {
			t.Errorf("%+v with %+v: %v, want %v", c.n, c.has, got, c.want)
		}
	}
}

// Stricter is what someone who met the old demand may not meet.
func TestStricterModes(t *testing.T) {
	t.Parallel()
	modes := []string{MFADisabled, MFAOptional, RequireEither, RequireTOTP, RequireWebAuthn}
	want := map[string][]string{ // by the old mode: the stricter ones
		MFADisabled: {RequireEither, RequireTOTP, RequireWebAuthn}, MFAOptional: {RequireEither, RequireTOTP, RequireWebAuthn},
		RequireEither: {RequireTOTP, RequireWebAuthn}, RequireTOTP: {RequireWebAuthn}, RequireWebAuthn: {RequireTOTP},
	}
	for _, old := range modes {
		var got []string
		for _, mode := range modes {
			if needOf(mode, "", false, false).stricter(needOf(old, "", false, false)) {
				got = append(got, mode)
			}
		}
		if diff := cmp.Diff(want[old], got); diff != "" {
			t.Errorf("stricter than %s (-want +got):\n%s", old, diff)
		}
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	ago := func(days float64) storage.Time {
		return storage.At(now.Add(-time.Duration(days * float64(24*time.Hour))))
	}
	policy := func(mode string, grace int64, since float64) storage.MFAState {
		return storage.MFAState{
			PolicyMode: mode, GraceDays: grace, Version: 3, PolicyAppliedAt: ago(since), JoinedAt: ago(100),
		}
	}
	with := func(st storage.MFAState, change func(*storage.MFAState)) storage.MFAState {
		change(&st)
		return st
	}
	for _, c := range []struct {
		name     string
		st       storage.MFAState
		want     string
		deadline float64 // days from now; 999 for none
	}{
		{"no policy", storage.MFAState{JoinedAt: ago(1)}, NotApplicable, 999},
		{"disabled", policy(MFADisabled, 0, 50), NotApplicable, 999},
		{"optional, without", policy(MFAOptional, 0, 50), Compliant, 999},
		{"required, with", with(policy(RequireTOTP, 0, 50), func(st *storage.MFAState) { st.HasTOTP = true }), Compliant, 999},
		{"in the grace period", policy(RequireTOTP, 14, 13), InGrace, 1},
		{"at its end", policy(RequireTOTP, 14, 14), PastDue, 0},
		{"after it", policy(RequireTOTP, 14, 20), PastDue, -6},
		{"without any, at once", policy(RequireTOTP, 0, 0), PastDue, 0}, // D48
		{"joined later", with(policy(RequireTOTP, 14, 50), func(st *storage.MFAState) { st.JoinedAt = ago(4) }), InGrace, 10},
		{"the other factor", with(policy(RequireWebAuthn, 14, 50), func(st *storage.MFAState) { st.HasTOTP = true }), PastDue, -36},
		{"exempt", with(policy(RequireTOTP, 0, 9), func(st *storage.MFAState) { st.OverrideMode = OverrideExempt }), NotApplicable, 999},
		{"exempt, optional", with(policy(MFAOptional, 0, 9), func(st *storage.MFAState) { st.OverrideMode = OverrideExempt }), NotApplicable, 999},
		{"required of one, lately", with(policy(MFAOptional, 7, 50), func(st *storage.MFAState) {
			st.OverrideMode, st.OverrideAppliedAt = OverrideRequired, ago(2)
		}), InGrace, 5},
		{"forced on one without a policy", storage.MFAState{
			JoinedAt: ago(50), OverrideMode: OverrideInherit, ForceTOTP: true, OverrideAppliedAt: ago(15),
		}, PastDue, -1},
		{"suspended", with(policy(RequireTOTP, 14, 20), func(st *storage.MFAState) { st.SuspendedAt = ago(5) }), Suspended, -6},
		{"suspended under an older demand", with(policy(RequireTOTP, 14, 20), func(st *storage.MFAState) { st.SuspendedAt = ago(7) }), PastDue, -6},
		{"suspended, and given time again", with(policy(RequireTOTP, 30, 20), func(st *storage.MFAState) { st.SuspendedAt = ago(1) }), InGrace, 10},
		{"suspended, and enrolled", with(policy(RequireTOTP, 14, 20), func(st *storage.MFAState) {
			st.SuspendedAt, st.HasTOTP = ago(5), true
		}), Compliant, 999},
	} {
		got := evaluate(&c.st, now)
		want := time.Time{}
		if c.deadline != 999 {
			want = ago(-c.deadline).Time
		}
		if got.status != c.want || !got.deadline.Equal(want) {
			t.Errorf("%s: %s until %v, want %s until %v", c.name, got.status, got.deadline, c.want, want)
		}
		if limits(got.status) != (c.want == PastDue || c.want == Suspended) {
			t.Errorf("%s: limits is %v", c.name, limits(got.status))
		}
	}
}

func TestEffectiveModes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		st   storage.MFAState
		want string
	}{
		{storage.MFAState{}, MFAOptional},
		{storage.MFAState{PolicyMode: MFADisabled}, MFADisabled},
		{storage.MFAState{PolicyMode: RequireTOTP}, RequireTOTP},
		{storage.MFAState{PolicyMode: RequireTOTP, OverrideMode: OverrideRequired}, RequireTOTP},
		{storage.MFAState{PolicyMode: RequireTOTP, OverrideMode: OverrideExempt}, MFADisabled},
		{storage.MFAState{PolicyMode: RequireEither}, RequireEither},
		{storage.MFAState{OverrideMode: OverrideRequired}, RequireEither},
		{storage.MFAState{PolicyMode: RequireEither, ForceWebAuthn: true}, RequireWebAuthn},
		{storage.MFAState{PolicyMode: RequireTOTP, ForceWebAuthn: true}, requireBoth},
	} {
		if got := effectiveMode(&c.st); got != c.want {
			t.Errorf("%+v: %s, want %s", c.st, got, c.want)
		}
	}
}
