package login

import (
	"context"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// draft checks what someone says who wants an account of their own.
func (s *Service) draft(ctx context.Context, by audit.Actor, in account.NewUser) (*account.Draft, error) {
	if !s.Registration {
		return nil, ErrClosed
	}
	if s.Uniform {
		if err := s.promise(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.limits().register(ctx, by); err != nil {
		return nil, err
	}
	return s.accounts.Draft(ctx, in)
}

// SignUp makes an account for someone in a browser and signs them in; flowID is
// "" for someone who came by themselves. Where everyone gets the same answer the
// result is nil, and the rest is in a mail.
func (s *Service) SignUp(ctx context.Context, by audit.Actor, b Browser, flowID string, in account.NewUser) (*Next, error) {
	old, f, err := s.open(ctx, b, flowID)
	if err != nil {
		return nil, err
	}
	draft, err := s.draft(ctx, by, in)
	if err != nil {
		return nil, err
	}
	if s.Uniform {
		return nil, s.registerByMail(ctx, by, draft)
	}
	out, now := new(Result), steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		user, err := s.accounts.Add(ctx, tx, by, now, draft)
		if err != nil {
			return err
		}
		if err := s.accounts.SendVerification(ctx, tx, now, user); err != nil {
			return err
		}
		proved := proof{user: user, methods: []string{"pwd"}}
		return s.enterFlow(ctx, tx, by.As(user.ID), now, old, proved, entry{session.Web, false, f}, out)
	})
	if err != nil {
		return nil, err
	}
	return s.entered(ctx, by, b, f, out)
}
