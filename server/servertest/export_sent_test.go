package servertest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/org"
	"authy/server/servertest"
	"authy/storage"
)

// What is on its way to a user is theirs to see, but no link in it: that goes
// to whoever reads their mail.
func TestAnExportListsInvitationsAndMailsWithoutLinks(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		box.Down(true)
		ctx := t.Context()
		ada, err := s.Accounts.Create(ctx, audit.Shell(), account.NewUser{
			Email: "ada@example.com", Password: passphrase, EmailVerified: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		acme, err := s.Orgs.BySlug(ctx, "acme-corp")
		if err != nil {
			t.Fatal(err)
		}
		_, secret, err := s.Orgs.Invite(ctx, audit.Shell(), acme.ID, ada.Email, org.Member)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Orgs.Create(ctx, audit.Shell(), org.NewOrg{Slug: "adas", Name: "Ada's", OwnerID: ada.ID}); err != nil {
			t.Fatal(err)
		}
		adas, err := s.Orgs.BySlug(ctx, "adas")
		if err != nil {
			t.Fatal(err)
		}
		_, made, err := s.Orgs.Invite(ctx, audit.Actor{}.As(ada.ID), adas.ID, "eve@acme-corp.com", org.Guest)
		if err != nil {
			t.Fatal(err)
		}
		forgot(t, s, ada.Email)
		p := logIn(t, s, ada.Email, passphrase)
		later(t, s, "reset_password")
		o := p.call("GET", mePath+"/export", nil).succeeded(200, "Data exported successfully")
		for list, want := range map[string][]string{
			"invitations_received": {acme.Name + " member ada@example.com"},
			"invitations_made":     {"Ada's guest eve@acme-corp.com"},
			"mails":                {"invitation", "reset_password"},
		} {
			if diff := cmp.Diff(want, linesOf(o, list)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", list, diff)
			}
		}
		for _, hidden := range []string{secret, made, storage.Hash(secret), storage.Hash(made), "token="} {
			if strings.Contains(o.Raw, hidden) {
				t.Errorf("the export holds %s", hidden)
			}
		}

		// Before the address is shown to be the user's, what was sent there is not.
		makeUnverified(t, s, ada.ID)
		o = p.call("GET", mePath+"/export", nil).succeeded(200, "Data exported successfully")
		if got := append(linesOf(o, "invitations_received"), linesOf(o, "mails")...); len(got) > 0 {
			t.Errorf("an address that is not verified gives %q", got)
		}
	})
}

// later returns when a mail of a kind is queued, which does not keep whoever
// asked for it waiting.
func later(t *testing.T, s *servertest.Server, kind string) {
	t.Helper()
	for range 1000 {
		mails, err := s.Mail.List(t.Context(), "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mails {
			if m.Kind == kind {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no mail %s is queued", kind)
}

// linesOf are the elements of a list of an export, each in a line.
func linesOf(o outcome, list string) []string {
	o.t.Helper()
	all, _ := o.at(list).([]any)
	var lines []string
	for _, one := range all {
		m, _ := one.(map[string]any)
		if kind, ok := m["kind"].(string); ok {
			lines = append(lines, kind)
			continue
		}
		name, _ := m["organization_name"].(string)
		role, _ := m["role"].(string)
		email, _ := m["email"].(string)
		lines = append(lines, name+" "+role+" "+email)
	}
	return lines
}

func makeUnverified(t *testing.T, s *servertest.Server, userID string) {
	t.Helper()
	err := s.DB.Update(t.Context(), func(tx *storage.Tx) error {
		u, err := tx.User(t.Context(), userID)
		if err != nil {
			return err
		}
		u.EmailVerifiedAt = storage.Time{}
		return tx.SaveUser(t.Context(), u)
	})
	if err != nil {
		t.Fatal(err)
	}
}
