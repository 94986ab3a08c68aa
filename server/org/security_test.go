package org_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/org"
	"authy/storage"
	"authy/storage/storagetest"
)

// asks sets what the house asks of everyone.
func (h *house) asks(mode string, graceDays int64) {
	h.t.Helper()
	_, err := h.s.SetPolicy(h.t.Context(), audit.Shell(), h.id, org.PolicyChange{Mode: &mode, GraceDays: &graceDays})
	if err != nil {
		h.t.Fatal(err)
	}
}

// has gives the holder of a role an authenticator, or takes it away.
func (h *house) has(role org.Role, totp bool) {
	h.t.Helper()
	ctx, userID, now := h.t.Context(), h.users[role], time.Now()
	err := h.db.Update(ctx, func(tx *storage.Tx) error {
		if !totp {
			_, err := tx.DeleteTOTP(ctx, userID)
			return err
		}
		t := &storage.TOTP{UserID: userID, Secret: []byte("12345678901234567890"), CreatedAt: storage.At(now)}
		if err := tx.SaveTOTP(ctx, t); err != nil {
			return err
		}
		_, err := tx.ConfirmTOTP(ctx, userID, 1, now)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// states are those of everybody, as they are found and as they are recorded.
func (h *house) states() (found, recorded map[org.Role]string) {
	h.t.Helper()
	list, next, err := h.s.Compliance(h.t.Context(), audit.Shell(), h.id, "", "", 100)
	if err != nil || next != "" {
		h.t.Fatalf("Compliance: next %q, %v", next, err)
	}
	found, recorded = map[org.Role]string{}, map[org.Role]string{}
	for role, userID := range h.users {
		for _, f := range list {
			if f.User.ID == userID {
				found[role], recorded[role] = f.Status, f.Recorded.Status
			}
		}
	}
	return found, recorded
}

// limited says who can do no more than set a factor up.
func (h *house) limited(role org.Role) bool {
	h.t.Helper()
	limited, err := org.Limited(h.t.Context(), h.db.Reader, h.users[role], time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	standing, err := h.s.Standing(h.t.Context(), h.users[role])
	if err != nil || standing.Limited() != limited {
		h.t.Errorf("Standing of %s: %+v, %v; limited %v", role, standing, err, limited)
	}
	return limited
}

// events counts the events of an action.
func (h *house) events(action string) (n int) {
	h.t.Helper()
	events, err := h.db.Events(h.t.Context(), 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range events {
		if e.Action == action && e.OrganizationID == h.id {
			n++
		}
	}
	return n
}

func same(t *testing.T, what string, got map[org.Role]string, owner, admin, member, guest string) {
	t.Helper()
	want := map[org.Role]string{org.Owner: owner, org.Admin: admin, org.Member: member, org.Guest: guest}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestAPolicyBindsAtOnceAndTheRecordsFollow(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, ctx := newHouse(t, db), t.Context()
		h.has(org.Admin, true)
		const na = org.NotApplicable
		found, recorded := h.states()
		same(t, "before", found, na, na, na, na)
		same(t, "before, recorded", recorded, "", "", "", "")
		h.asks(org.RequireTOTP, 0)
		found, recorded = h.states()
		same(t, "at once", found, org.PastDue, org.Compliant, org.PastDue, org.PastDue)
		same(t, "not by the records", recorded, "", "", "", "")
		if !h.limited(org.Member) || h.limited(org.Admin) {
			t.Error("the policy does not bind whom it should")
		}
		h.s.Enforce(ctx)
		_, recorded = h.states()
		same(t, "after the job", recorded, org.Suspended, org.Compliant, org.Suspended, org.Suspended)
		h.s.Enforce(ctx)
		if n := h.events("mfa.policy.user_suspended"); n != 3 {
			t.Errorf("%d suspensions are recorded, want 3", n)
		}
		// Enrolled, they are free at once; the record is told.
		h.has(org.Member, true)
		if h.limited(org.Member) {
			t.Error("still limited after enrolment")
		}
		for range 2 {
			if err := h.s.Settle(ctx, h.as(org.Member), h.users[org.Member]); err != nil {
				t.Fatal(err)
			}
		}
		if n := h.events("mfa.policy.user_compliant"); n != 1 {
			t.Errorf("%d restorations are recorded, want 1", n)
		}
		// A looser policy frees everyone, also in the records.
		h.asks(org.MFADisabled, 0)
		if h.limited(org.Owner) {
			t.Error("limited without a policy")
		}
		h.s.Enforce(ctx)
		found, recorded = h.states()
		same(t, "disabled", found, na, na, na, na)
		same(t, "disabled, recorded", recorded, na, na, na, na)
	})
}

func TestTheJobActsAtTheDeadlineAndOnceOnManyNodes(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, ctx := newHouse(t, db), t.Context()
		h.asks(org.RequireEither, 2)
		nodes := []*org.Service{h.s, org.New(db), org.New(db)}
		enforce := func() {
			var all sync.WaitGroup
			for _, s := range nodes {
				all.Go(func() { s.Enforce(ctx) })
			}
			all.Wait()
		}
		enforce()
		_, recorded := h.states()
		same(t, "in grace", recorded, org.InGrace, org.InGrace, org.InGrace, org.InGrace)
		h.backdate(48 * time.Hour)
		if !h.limited(org.Guest) {
			t.Error("not limited at the deadline, before the job has come")
		}
		h.has(org.Owner, true)
		enforce()
		_, recorded = h.states()
		same(t, "due", recorded, org.Compliant, org.Suspended, org.Suspended, org.Suspended)
		enforce()
		if n := h.events("mfa.policy.user_suspended"); n != 3 {
			t.Errorf("%d suspensions are recorded, want 3", n)
		}
		if n := h.events("mfa.policy.user_compliant"); n != 1 {
			t.Errorf("%d restorations are recorded, want 1", n)
		}
	})
}

// backdate moves all that is kept of the policy into the past.
func (h *house) backdate(by time.Duration) {
	h.t.Helper()
	ctx := h.t.Context()
	earlier := func(t storage.Time) storage.Time {
		if t.IsZero() {
			return t
		}
		return storage.At(t.Add(-by))
	}
	err := h.db.Update(ctx, func(tx *storage.Tx) error {
		p, err := tx.MFAPolicy(ctx, h.id)
		if err != nil {
			return err
		}
		p.AppliedAt, p.SweepAt = earlier(p.AppliedAt), earlier(p.SweepAt)
		if err := tx.SaveMFAPolicy(ctx, p); err != nil {
			return err
		}
		states, err := tx.MFAStatesIn(ctx, h.id, "", 1000)
		if err != nil {
			return err
		}
		for _, st := range states {
			m, err := tx.Member(ctx, h.id, st.UserID)
			if err != nil {
				return err
			}
			m.JoinedAt = earlier(m.JoinedAt)
			if err := tx.SaveMember(ctx, m); err != nil {
				return err
			}
			c := st.MFACompliance
			if c.Status == "" {
				continue
			}
			c.AppliedAt, c.DeadlineAt = earlier(c.AppliedAt), earlier(c.DeadlineAt)
			c.LastNotifiedAt = earlier(c.LastNotifiedAt)
			if err := tx.SaveMFACompliance(ctx, &c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestAStricterPolicyGivesTheGracePeriodAnewAndNothingElseDoes(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newHouse(t, db)
		deadline := func() time.Time {
			standing, err := h.s.Standing(t.Context(), h.users[org.Member])
			if err != nil {
				t.Fatal(err)
			}
			return standing.DeadlineAt
		}
		h.asks(org.RequireEither, 10)
		h.backdate(9 * 24 * time.Hour)
		before := deadline()
		h.asks(org.RequireEither, 10)
		if !deadline().Equal(before) {
			t.Error("the same policy again moved the deadline")
		}
		h.asks(org.RequireEither, 12)
		if got := deadline().Sub(before); got != 48*time.Hour {
			t.Errorf("two more days moved the deadline by %v", got)
		}
		h.asks(org.RequireTOTP, 12)
		if left := time.Until(deadline()); left < 12*24*time.Hour-time.Minute {
			t.Errorf("a stricter mode leaves %v", left)
		}
		h.backdate(9 * 24 * time.Hour)
		before = deadline()
		h.asks(org.RequireEither, 12)
		if !deadline().Equal(before) {
			t.Error("a looser mode moved the deadline")
		}
	})
}

func TestOverridesAndWhoMaySetThem(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, ctx := newHouse(t, db), t.Context()
		h.asks(org.RequireTOTP, 0)
		set := func(by, of org.Role, in org.Override) error {
			return h.s.SetOverride(ctx, h.as(by), h.id, h.users[of], in)
		}
		exempt := org.Override{Mode: org.OverrideExempt}
		for _, c := range []struct {
			by, of org.Role
			want   error
		}{
			{org.Guest, org.Guest, org.ErrRole},
			{org.Member, org.Guest, org.ErrRole},
			{org.Admin, org.Admin, org.ErrRank},
			{org.Admin, org.Owner, org.ErrRank}, // OR-18
			{org.Admin, org.Member, nil},
			{org.Admin, org.Guest, nil},
			{org.Owner, org.Admin, nil},
			{org.Owner, org.Owner, nil},
		} {
			if err := set(c.by, c.of, exempt); !errors.Is(err, c.want) {
				t.Errorf("%s exempts %s: %v, want %v", c.by, c.of, err, c.want)
			}
		}
		found, _ := h.states()
		const na = org.NotApplicable
		same(t, "exempt", found, na, na, na, na)
		if err := set(org.Owner, org.Member, org.Override{Mode: org.OverrideInherit}); err != nil {
			t.Fatal(err)
		}
		h.has(org.Guest, true)
		if err := set(org.Owner, org.Guest, org.Override{Mode: org.OverrideInherit, ForceWebAuthn: true}); err != nil {
			t.Fatal(err)
		}
		found, recorded := h.states()
		same(t, "inherit and forced", found, na, na, org.PastDue, org.PastDue)
		same(t, "inherit and forced, recorded", recorded, "", "", org.PastDue, org.PastDue)
		stranger := addUser(t, db, "stranger@example.com")
		if err := h.s.SetOverride(ctx, h.as(org.Owner), h.id, stranger, exempt); !errors.Is(err, org.ErrNotMember) {
			t.Errorf("override of a stranger: %v", err)
		}
		for _, in := range []org.Override{{}, {Mode: "maybe"}, {Mode: org.OverrideExempt, ForceTOTP: true}} {
			if err := set(org.Owner, org.Member, in); err == nil {
				t.Errorf("%+v was taken", in)
			}
		}
	})
}

func TestAnExemptionEndsWithTheMembership(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, ctx := newHouse(t, db), t.Context()
		h.asks(org.RequireTOTP, 0)
		exempt := org.Override{Mode: org.OverrideExempt}
		if err := h.s.SetOverride(ctx, h.as(org.Owner), h.id, h.users[org.Member], exempt); err != nil {
			t.Fatal(err)
		}
		if h.limited(org.Member) {
			t.Error("limited although exempt")
		}
		if err := h.s.Remove(ctx, h.as(org.Owner), h.id, h.users[org.Member]); err != nil {
			t.Fatal(err)
		}
		if h.limited(org.Member) {
			t.Error("limited by an organization that was left")
		}
		h.add(h.users[org.Member], org.Member)
		if !h.limited(org.Member) {
			t.Error("exempt again by coming back")
		}
	})
}

func TestAFactorThatIsAskedForCannotBeLost(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	h, ctx := newHouse(t, db), t.Context()
	mayLose := func(want bool, when string) {
		t.Helper()
		err := org.MayLose(ctx, db.Reader, h.users[org.Member], org.Factors{TOTP: true})
		if want != (err == nil) || err != nil && !errors.Is(err, org.ErrFactorNeeded) {
			t.Errorf("%s: %v", when, err)
		}
	}
	h.has(org.Member, true)
	mayLose(true, "no policy")
	for mode, want := range map[string]bool{
		org.MFADisabled: true, org.MFAOptional: true, org.RequireTOTP: false, org.RequireEither: false,
		org.RequireWebAuthn: true, // which it does not meet anyhow
	} {
		h.asks(mode, 14)
		mayLose(want, mode)
	}
}

func TestRemindersGoOutOnceADayNearTheDeadline(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	h, ctx := newHouse(t, db), t.Context()
	h.asks(org.RequireTOTP, 14)
	h.has(org.Owner, true)
	var posted []org.Reminder
	remind := func() int {
		posted = nil
		h.s.Mailer = func(_ context.Context, _ *storage.Tx, r org.Reminder) error {
			posted = append(posted, r)
			return nil
		}
		h.s.Enforce(ctx)
		return len(posted)
	}
	if n := remind(); n != 0 {
		t.Errorf("%d reminders two weeks before", n)
	}
	h.backdate(8 * 24 * time.Hour)
	if n := remind(); n != 3 || posted[0].Methods[0] != "totp" || posted[0].Organization.ID != h.id {
		t.Errorf("%d reminders six days before, %+v", n, posted)
	}
	if n := remind(); n != 0 {
		t.Errorf("%d reminders again", n)
	}
	h.backdate(25 * time.Hour)
	h.s.Mailer = nil
	h.s.Enforce(ctx)
	if n := h.events("mfa.policy.user_notified"); n != 3 {
		t.Errorf("%d reminders are recorded, want 3", n)
	}
	if n := remind(); n != 3 {
		t.Errorf("%d reminders a day later", n)
	}
	found, _, err := h.s.Compliance(ctx, audit.Shell(), h.id, org.InGrace, "", 100)
	if err != nil || len(found) != 3 || found[0].Recorded.NotificationCount != 2 {
		t.Errorf("Compliance = %+v, %v", found, err)
	}
	h.backdate(10 * 24 * time.Hour)
	if n := remind(); n != 0 {
		t.Errorf("%d reminders after the deadline", n)
	}
}

func TestTheComplianceListHasPages(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, ctx := newHouse(t, db), t.Context()
		h.asks(org.RequireTOTP, 0)
		h.has(org.Admin, true)
		for status, want := range map[string]int{"": 4, org.PastDue: 3, org.Compliant: 1, org.Pending: 0} {
			var seen []string
			for after, pages := "", 0; ; pages++ {
				found, next, err := h.s.Compliance(ctx, h.as(org.Admin), h.id, status, after, 1)
				if err != nil || len(found) > 1 || pages > 5 {
					t.Fatalf("%q: %+v, %v", status, found, err)
				}
				for _, f := range found {
					seen = append(seen, f.User.Email)
				}
				if after = next; after == "" {
					break
				}
			}
			if len(seen) != want {
				t.Errorf("%q: %v, want %d", status, seen, want)
			}
		}
		if _, _, err := h.s.Compliance(ctx, h.as(org.Member), h.id, "", "", 1); !errors.Is(err, org.ErrRole) {
			t.Errorf("a member lists compliance: %v", err)
		}
		if _, _, err := h.s.Compliance(ctx, h.as(org.Owner), h.id, "", "nonsense", 1); err == nil {
			t.Error("a cursor that is none was taken")
		}
	})
}
