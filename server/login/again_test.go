package login

import (
	"errors"
	"testing"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/session"
	"authy/storage"
	"authy/storage/storagetest"
)

// inSession signs a user in, age ago, by methods.
func (s *Service) inSession(t *testing.T, user *storage.User, age time.Duration, methods ...string) *session.Identity {
	t.Helper()
	ctx := t.Context()
	id := &session.Identity{User: user}
	err := s.db.Update(ctx, func(tx *storage.Tx) (err error) {
		id.Session, _, err = s.sessions.Start(ctx, tx, audit.Shell(), time.Now(), session.Began{
			UserID: user.ID, Kind: session.API, Methods: methods,
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	id.Session.AuthenticatedAt = storage.At(time.Now().Add(-age))
	return id
}

func TestASessionAloneDoesNotChangeHowOneSignsIn(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s, user, codes := machine(t, db)
		plain, err := s.accounts.Create(t.Context(), audit.Shell(), account.NewUser{Email: "eve@example.com", Password: phrase})
		if err != nil {
			t.Fatal(err)
		}
		other, err := s.accounts.Create(t.Context(), audit.Shell(), account.NewUser{Email: "mia@example.com", Password: phrase})
		if err != nil {
			t.Fatal(err)
		}
		const old = time.Hour
		recovery := func(i int) Code { return Code{Text: codes[i], Recovery: true} }
		disable := func(id *session.Identity, in Again) error {
			return s.DisableTOTP(t.Context(), audit.Shell().As(id.User.ID), id, in)
		}
		renew := func(id *session.Identity, in Again) error {
			fresh, err := s.RenewRecoveryCodes(t.Context(), audit.Shell().As(id.User.ID), id, in)
			if err == nil {
				codes = fresh
			}
			return err
		}
		enroll := func(id *session.Identity, in Again) error {
			_, err := s.EnrollTOTP(t.Context(), audit.Shell().As(id.User.ID), id, in)
			return err
		}
		for _, c := range []struct {
			name string
			do   func(*session.Identity, Again) error
			id   *session.Identity
			in   Again
			want error
		}{
			{"old, nothing", enroll, s.inSession(t, plain, old, "pwd"), Again{}, ErrStale},
			{"old, wrong", enroll, s.inSession(t, plain, old, "pwd"), Again{Password: "wrong"}, ErrPassword},
			{"old, right", enroll, s.inSession(t, plain, old, "pwd"), Again{Password: phrase}, nil},
			{"fresh, nothing", enroll, s.inSession(t, other, 0, "pwd"), Again{}, nil},
			{"fresh, wrong", enroll, s.inSession(t, other, 0, "pwd"), Again{Password: "wrong"}, ErrPassword},
			{"enabled", enroll, s.inSession(t, user, old, "pwd"), Again{}, account.ErrTOTPEnabled},
			{"no code", renew, s.inSession(t, user, 0, "pwd"), Again{Password: phrase}, ErrCodeNeeded},
			{"wrong code", renew, s.inSession(t, user, 0, "pwd"), Again{phrase, Code{Text: "0", Recovery: true}}, account.ErrRecoveryCode},
			{"code", renew, s.inSession(t, user, old, "pwd"), Again{phrase, recovery(0)}, nil},
			{"code of the set before", disable, s.inSession(t, user, 0, "pwd"), Again{phrase, recovery(1)}, account.ErrRecoveryCode},
			{"second factor long ago", disable, s.inSession(t, user, old, "pwd", "otp", "mfa"), Again{Password: phrase}, ErrCodeNeeded},
			{"no password", disable, s.inSession(t, user, 0, "pwd", "otp", "mfa"), Again{}, ErrPassword},
			{"second factor just now", disable, s.inSession(t, user, 0, "pwd", "otp", "mfa"), Again{Password: phrase}, nil},
			{"none any more", disable, s.inSession(t, user, 0, "pwd"), Again{Password: phrase}, account.ErrNoTOTP},
		} {
			if err := c.do(c.id, c.in); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		}
	})
}
