package storage_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestPoliciesOverridesAndRecordsAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		state := func(ctx context.Context, r storage.Reader) (any, error) {
			states, err := r.MFAStates(ctx, w.user.ID)
			if err != nil || len(states) != 1 {
				return states, err
			}
			return states[0], nil
		}
		want := storage.MFAState{MemberID: w.member.ID, JoinedAt: w.member.CreatedAt, HasPasskey: true}
		want.OrganizationID, want.UserID = w.org.ID, w.user.ID
		check := func(name string, write func(ctx context.Context, tx *storage.Tx) error) {
			t.Helper()
			trip{name, want, write, state}.check(t, db)
		}
		check("nothing", func(context.Context, *storage.Tx) error { return nil })
		p := &storage.MFAPolicy{
			OrganizationID: w.org.ID, Mode: "mode", GraceDays: 3, NotifyDays: 4, Version: 5,
			AppliedAt: storage.At(noon), UpdatedAt: storage.At(noon), SweepAt: storage.At(noon), SweepAfter: "member",
		}
		want.PolicyMode, want.GraceDays, want.NotifyDays, want.Version, want.PolicyAppliedAt = "mode", 3, 4, 5, p.AppliedAt
		savePolicy := func(ctx context.Context, tx *storage.Tx) error { return tx.SaveMFAPolicy(ctx, p) }
		check("a policy", savePolicy)
		trip{"MFAPolicy", p, savePolicy, func(ctx context.Context, r storage.Reader) (any, error) {
			return r.MFAPolicy(ctx, w.org.ID)
		}}.check(t, db)
		o := &storage.MFAOverride{
			OrganizationID: w.org.ID, UserID: w.user.ID, Mode: "other", ForceTOTP: true, UpdatedAt: storage.At(noon),
		}
		want.OverrideMode, want.ForceTOTP = "other", true
		check("an override", func(ctx context.Context, tx *storage.Tx) error { return tx.SaveMFAOverride(ctx, o) })
		want.ForceWebAuthn, want.OverrideAppliedAt = true, storage.At(noon)
		check("another", func(ctx context.Context, tx *storage.Tx) error {
			o.ForceWebAuthn, o.AppliedAt = true, storage.At(noon)
			return tx.SaveMFAOverride(ctx, o)
		})
		c := storage.MFACompliance{
			OrganizationID: w.org.ID, UserID: w.user.ID, Status: "state", PolicyVersion: 6, AppliedAt: storage.At(noon),
			SuspendedAt: storage.At(noon.Add(time.Hour)), NotificationCount: 7,
		}
		want.MFACompliance = c
		check("a record", func(ctx context.Context, tx *storage.Tx) error { return tx.SaveMFACompliance(ctx, &c) })
		want.HasPasskey = false
		check("no passkey", func(ctx context.Context, tx *storage.Tx) error {
			return tx.DeletePasskey(ctx, w.user.ID, w.passkey.CredentialID)
		})
		want.HasPasskey = true
		check("a passkey", func(ctx context.Context, tx *storage.Tx) error { return tx.InsertPasskey(ctx, w.passkey) })
		want.HasTOTP = true
		check("a factor", func(ctx context.Context, tx *storage.Tx) error {
			_, err := tx.ConfirmTOTP(ctx, w.user.ID, 1, noon)
			return err
		})
		want.HasTOTP = false
		check("no factor", func(ctx context.Context, tx *storage.Tx) error {
			_, err := tx.DeleteTOTP(ctx, w.user.ID)
			return err
		})
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return tx.DeleteMember(ctx, w.org.ID, w.user.ID)
		})
		if states, err := db.MFAStates(t.Context(), w.user.ID); err != nil || len(states) > 0 {
			t.Errorf("after the membership: %+v, %v", states, err)
		}
		if diff := cmp.Diff([]string{"0", "0"}, []string{count(t, db, "mfa_overrides"), count(t, db, "mfa_compliance")}); diff != "" {
			t.Errorf("rows left (-want +got):\n%s", diff)
		}
	})
}

func TestASweepGoesOnFromWhereItWas(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, ctx := newWorld(t, db), t.Context()
		p := &storage.MFAPolicy{OrganizationID: w.org.ID, Version: 1, AppliedAt: storage.At(noon), UpdatedAt: storage.At(noon), SweepAt: storage.At(noon)}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.SaveMFAPolicy(ctx, p) })
		if _, err := db.SweepableMFAPolicy(ctx, noon.Add(-time.Second)); err == nil {
			t.Error("due before its time")
		}
		due, err := db.SweepableMFAPolicy(ctx, noon)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []bool{true, false} { // the second comes with what was true before
			update(t, db, func(ctx context.Context, tx *storage.Tx) error {
				moved, err := tx.MoveMFASweep(ctx, due, "member", noon.Add(time.Hour))
				if moved != want {
					t.Errorf("move %d: %v, want %v", i, moved, want)
				}
				return err
			})
		}
	})
}

func TestPoliciesNeedNoScan(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	for name, plan := range db.MFAPlans(t) {
		if strings.Contains(plan, "SCAN") {
			t.Errorf("%s scans:\n%s", name, plan)
		}
	}
}
