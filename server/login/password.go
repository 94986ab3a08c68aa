package login

import (
	"context"
	"errors"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// ChangePassword replaces the password of who is signed in by chosen, after
// they have proved that they know the current one, unless [IsRecovering]. Their
// other sessions and all that applications were given end; the session that asks
// goes on.
func (s *Service) ChangePassword(ctx context.Context, by audit.Actor, id *session.Identity, current, chosen string) error {
	const action = "user.password_change"
	// What cannot become the password is said before an attempt is counted.
	if err := account.CheckPolicy("new_password", chosen, id.User.Email, id.User.FullName); err != nil {
		return err
	}
	if err := account.CheckSize("current_password", current); err != nil {
		return err
	}
	var match *account.Match
	if !IsRecovering(id, steady.Now()) {
		var err error
		if match, err = s.proveAgain(ctx, by, id, current, action); err != nil {
			return err
		}
	}
	next, err := s.accounts.HashNew(ctx, "new_password", id.User, chosen)
	if err != nil {
		return err
	}
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := session.Still(ctx, tx, id.Session.ID); err != nil {
			return err
		}
		if err := s.accounts.Replace(ctx, tx, by, now, id.User.ID, match, next); err != nil {
			return err
		}
		if _, err := s.sessions.EndOthersIn(ctx, tx, by, now, id, "Password changed"); err != nil {
			return err
		}
		return s.openid.EndGrants(ctx, tx, by, now, id.User.ID, "password_changed")
	})
}

// DeleteAccount deletes the account of who is signed in. A password, if they
// gave one, must be theirs; nil is none.
func (s *Service) DeleteAccount(ctx context.Context, by audit.Actor, id *session.Identity, password *string) error {
	if password != nil {
		if _, err := s.proveAgain(ctx, by, id, *password, "user.delete"); err != nil {
			return err
		}
	}
	return s.accounts.DeleteSelf(ctx, by)
}

// CloseAccount is [Service.DeleteAccount] for someone at a page, where the
// session alone never is enough.
func (s *Service) CloseAccount(ctx context.Context, by audit.Actor, id *session.Identity, in Again) error {
	return s.sensitive(ctx, by, id, in, "user.delete", true, func(tx *storage.Tx, now time.Time) error {
		return s.accounts.DeleteSelfIn(ctx, tx, by, now)
	})
}

// proveAgain checks the password of who is signed in, for an action.
func (s *Service) proveAgain(
	ctx context.Context, by audit.Actor, id *session.Identity, password, action string,
) (*account.Match, error) {
	if err := account.CheckSize("password", password); err != nil {
		return nil, err
	}
	if err := s.limits().again(ctx, id.Session.ID); err != nil {
		return nil, errors.Join(err, s.throttled(ctx, by, id.User, action))
	}
	match, err := s.accounts.Prove(ctx, id.User, password)
	if f, told := fault.As(err); told && f.Kind == fault.Unauthenticated {
		return nil, refusal(err, s.refused(ctx, by, id.User, action, f.Code))
	}
	if err != nil {
		return nil, err
	}
	s.limits().provedAgain(ctx, id.Session.ID)
	return match, nil
}
