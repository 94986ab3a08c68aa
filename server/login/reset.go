package login

import (
	"context"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// ForgotPassword mails a link to a new password to whoever has an address. The
// answer, and when it comes, tells nothing of who that is: the address is
// looked up afterwards.
func (s *Service) ForgotPassword(ctx context.Context, by audit.Actor, email string) error {
	email, err := account.ParseEmail(email)
	if err != nil {
		return err
	}
	if !s.accounts.Mail.Enabled() {
		return account.ErrNoMail
	}
	if err := s.promise(ctx); err != nil {
		return err
	}
	if err := s.limits().mail(ctx, by, email); err != nil {
		return err
	}
	return s.later(ctx, func(ctx context.Context) error { return s.accounts.RequestReset(ctx, by, email) })
}

// ResetPassword makes chosen the password of the user of a link, ends all that
// they have open, and lets them try again who were stopped for guessing. It
// signs nobody in. A password that cannot be chosen does not use the link up.
func (s *Service) ResetPassword(ctx context.Context, by audit.Actor, link, chosen string) error {
	if err := s.limits().link(ctx, by); err != nil {
		return err
	}
	user, err := s.accounts.ResetUser(ctx, link)
	if err != nil {
		return err
	}
	next, err := s.accounts.HashNew(ctx, "password", user, chosen)
	if err != nil {
		return err
	}
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error { return s.accounts.Reset(ctx, tx, by, now, link, next) })
	if err != nil {
		return err
	}
	s.limits().passed(ctx, by, user.Email, user)
	return nil
}

// VerifyEmail is [account.Service.VerifyEmail], as often as one may try.
func (s *Service) VerifyEmail(ctx context.Context, by audit.Actor, link string) (*storage.User, error) {
	if err := s.limits().link(ctx, by); err != nil {
		return nil, err
	}
	return s.accounts.VerifyEmail(ctx, by, link)
}

// ConfirmEmail is [account.Service.ConfirmEmail], as often as one may try.
func (s *Service) ConfirmEmail(ctx context.Context, by audit.Actor, link string) (*storage.User, error) {
	if err := s.limits().link(ctx, by); err != nil {
		return nil, err
	}
	return s.accounts.ConfirmEmail(ctx, by, link)
}

// SendVerification mails who is signed in a link that shows that their address
// is theirs.
func (s *Service) SendVerification(ctx context.Context, by audit.Actor, id *session.Identity) error {
	if !s.accounts.Mail.Enabled() {
		return account.ErrNoMail
	}
	if err := s.limits().mail(ctx, by, id.User.Email); err != nil {
		return err
	}
	return s.accounts.RequestVerification(ctx, by, id.User.ID)
}

// ChangeEmail mails a link to the address that who is signed in wants to have;
// see [account.Service.RequestEmailChange].
func (s *Service) ChangeEmail(ctx context.Context, by audit.Actor, id *session.Identity, in Again, email string) error {
	email, err := account.ParseEmail(email)
	if err != nil {
		return err
	}
	if !s.accounts.Mail.Enabled() {
		return account.ErrNoMail
	}
	if err := s.limits().mail(ctx, by, email); err != nil {
		return err
	}
	return s.sensitive(ctx, by, id, in, "user.email_change_requested", false, func(tx *storage.Tx, now time.Time) error {
		return s.accounts.RequestEmailChange(ctx, tx, by, now, id.User.ID, email)
	})
}
