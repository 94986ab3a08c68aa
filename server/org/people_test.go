package org_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/org"
	"authy/storage"
	"authy/storage/storagetest"
)

// found are the addresses of all members that are sought, page by page.
func (h *house) found(by audit.Actor, sought org.Sought, limit int) (emails []string) {
	h.t.Helper()
	for after := ""; ; {
		page, next, err := h.s.SearchMembers(h.t.Context(), by, h.id, sought, after, limit)
		if err != nil {
			h.t.Fatalf("%+v after %q: %v", sought, after, err)
		}
		if len(page) > limit {
			h.t.Fatalf("a page of %d has %d", limit, len(page))
		}
		for _, p := range page {
			emails = append(emails, p.User.Email)
		}
		if next == "" {
			return emails
		}
		after = next
	}
}

func TestMembersAreSoughtPageByPage(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newHouse(t, db)
		addUser(t, db, "mabel@example.com") // who is no member
		for i := range 5 {
			h.add(addUser(t, db, fmt.Sprintf("mary%d@example.com", i)), org.Member)
		}
		for _, limit := range []int{1, 2, 100} {
			for _, c := range []struct {
				sought org.Sought
				want   int
			}{
				{org.Sought{}, 9},
				{org.Sought{Role: org.Member}, 6},
				{org.Sought{Text: "MA"}, 5},
				{org.Sought{Text: " mary3"}, 1},
				{org.Sought{Text: "m", Role: org.Member}, 6},
				{org.Sought{Text: "m", Role: org.Owner}, 0},
				{org.Sought{Text: "nobody"}, 0},
			} {
				got := h.found(h.as(org.Owner), c.sought, limit)
				if slices.Sort(got); len(slices.Compact(slices.Clone(got))) != c.want || len(got) != c.want {
					t.Errorf("%+v, %d at once: %v, want %d", c.sought, limit, got, c.want)
				}
			}
		}
		for _, err := range []error{
			seek(h, h.as(org.Guest), org.Sought{}, ""), seek(h, audit.Actor{}, org.Sought{}, ""),
			seek(h, h.as(org.Owner), org.Sought{Role: "king"}, ""), seek(h, h.as(org.Owner), org.Sought{}, "x"),
			seek(h, h.as(org.Owner), org.Sought{Text: "m"}, "x"),
		} {
			if err == nil {
				t.Error("what must be refused is not")
			}
		}
	})
}

func seek(h *house, by audit.Actor, sought org.Sought, after string) error {
	_, _, err := h.s.SearchMembers(h.t.Context(), by, h.id, sought, after, 5)
	return err
}

func TestOnlyManagersSeeSecondFactors(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newHouse(t, db)
		h.has(org.Guest, true)
		for role, want := range map[org.Role]org.Factors{org.Owner: {TOTP: true}, org.Admin: {TOTP: true}, org.Member: {}} {
			page, _, err := h.s.SearchMembers(t.Context(), h.as(role), h.id, org.Sought{Role: org.Guest}, "", 5)
			if err != nil || len(page) != 1 || page[0].Factors != want {
				t.Errorf("%s sees %+v, %v, want %+v", role, page, err, want)
			}
		}
		d, err := h.s.ShowMember(t.Context(), h.as(org.Admin), h.id, h.users[org.Guest])
		if err != nil || !d.May || d.Factors != (org.Factors{TOTP: true}) || d.Override.Mode != org.OverrideInherit {
			t.Errorf("an admin sees %+v, %v", d, err)
		}
		if d, err = h.s.ShowMember(t.Context(), h.as(org.Admin), h.id, h.users[org.Owner]); err != nil || d.May {
			t.Errorf("of an owner: %+v, %v", d, err)
		}
		for _, role := range []org.Role{org.Member, org.Guest} {
			if _, err := h.s.ShowMember(t.Context(), h.as(role), h.id, h.users[org.Guest]); !errors.Is(err, org.ErrRole) {
				t.Errorf("a %s: %v", role, err)
			}
		}
		stranger := addUser(t, db, "stranger@example.com")
		names, err := h.s.Names(t.Context(), h.as(org.Admin), h.id, []string{h.users[org.Guest], stranger, "nonsense", ""})
		if diff := cmp.Diff(map[string]string{h.users[org.Guest]: "guest@example.com"}, names); err != nil || diff != "" {
			t.Errorf("Names: %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestTheOverviewCountsWhatThereIsToDo(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newHouse(t, db)
		ctx := t.Context()
		if _, _, err := h.s.Invite(ctx, h.as(org.Owner), h.id, "new@example.com", org.Member); err != nil {
			t.Fatal(err)
		}
		h.has(org.Owner, true)
		overview := func(by audit.Actor) org.Overview {
			t.Helper()
			o, err := h.s.Overview(ctx, by, h.id)
			if err != nil {
				t.Fatal(err)
			}
			o.DeadlineAt, o.Policy = time.Time{}, org.Policy{}
			return *o
		}
		want := org.Overview{Members: 4, Invitations: 1, Looked: 4, WithoutFactor: 3, Alone: true}
		if diff := cmp.Diff(want, overview(h.as(org.Owner))); diff != "" {
			t.Errorf("nothing is asked (-want +got):\n%s", diff)
		}
		h.asks(org.RequireTOTP, 5)
		want.InGrace, want.Alone = 3, false
		if diff := cmp.Diff(want, overview(h.as(org.Admin))); diff != "" {
			t.Errorf("in grace (-want +got):\n%s", diff)
		}
		h.asks(org.RequireTOTP, 0)
		want.InGrace, want.Late = 0, 3
		if diff := cmp.Diff(want, overview(h.as(org.Admin))); diff != "" {
			t.Errorf("late (-want +got):\n%s", diff)
		}
		late, _, err := h.s.Compliance(ctx, h.as(org.Admin), h.id, org.Overdue, "", 10)
		if err != nil || len(late) != 3 {
			t.Errorf("overdue are %d, %v", len(late), err)
		}
		for _, role := range []org.Role{org.Member, org.Guest} {
			if _, err := h.s.Overview(ctx, h.as(role), h.id); !errors.Is(err, org.ErrRole) {
				t.Errorf("a %s: %v", role, err)
			}
		}
	})
}

func TestAnInvitationThatIsSentAnewReplacesTheOld(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newHouse(t, db)
		ctx := t.Context()
		old, first, err := h.s.Invite(ctx, h.as(org.Owner), h.id, "new@example.com", org.Admin)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.s.Resend(ctx, h.as(org.Admin), h.id, old.ID); !errors.Is(err, org.ErrRank) {
			t.Errorf("an admin sends what makes admins: %v", err)
		}
		for _, id := range []string{"nonsense", h.users[org.Guest]} {
			if _, _, err := h.s.Resend(ctx, h.as(org.Owner), h.id, id); !errors.Is(err, org.ErrNoInvitation) {
				t.Errorf("%s: %v", id, err)
			}
		}
		anew, second, err := h.s.Resend(ctx, h.as(org.Owner), h.id, old.ID)
		if err != nil || anew.Email != old.Email || anew.Role != org.Admin || anew.ID == old.ID {
			t.Fatalf("%+v, %v", anew, err)
		}
		if _, err := h.s.ShowInvitation(ctx, first); !errors.Is(err, org.ErrNoInvitation) {
			t.Errorf("the old link: %v", err)
		}
		if _, err := h.s.ShowInvitation(ctx, second); err != nil {
			t.Errorf("the new link: %v", err)
		}
		refusals := []error{org.ErrNoInvitation, org.ErrInvited}
		again := func() error { _, _, err := h.s.Resend(ctx, h.as(org.Owner), h.id, anew.ID); return err }
		if n := together(t, []func() error{again, again, again}, refusals...); n != 1 {
			t.Errorf("%d of three at once are sent", n)
		}
		if list, err := h.s.Invitations(ctx, h.as(org.Owner), h.id, "", 10); err != nil || len(list) != 1 {
			t.Errorf("%d invitations, %v", len(list), err)
		}
	})
}

func TestAMemberIsRemindedOnceADay(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newHouse(t, db)
		ctx, told := t.Context(), 0
		remind := func(by org.Role) error { return h.s.Remind(ctx, h.as(by), h.id, h.users[org.Guest]) }
		if err := remind(org.Admin); !errors.Is(err, org.ErrNoMail) {
			t.Errorf("without mail: %v", err)
		}
		h.s.Mailer = func(_ context.Context, _ *storage.Tx, r org.Reminder) error {
			if r.User.ID == h.users[org.Guest] && r.Organization.ID == h.id && !r.DeadlineAt.IsZero() {
				told++
			}
			return nil
		}
		if err := remind(org.Admin); !errors.Is(err, org.ErrNothingDue) {
			t.Errorf("nothing is asked: %v", err)
		}
		h.asks(org.RequireTOTP, 5)
		if err := remind(org.Member); !errors.Is(err, org.ErrRole) {
			t.Errorf("a member reminds: %v", err)
		}
		again := func() error { return remind(org.Admin) }
		if n := together(t, []func() error{again, again, again}, org.ErrReminded); n != 1 {
			t.Errorf("%d of three at once remind", n)
		}
		if told == 0 || h.events("mfa.policy.user_notified") == 0 {
			t.Errorf("told %d times, %d events", told, h.events("mfa.policy.user_notified"))
		}
	})
}
