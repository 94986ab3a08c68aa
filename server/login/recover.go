package login

import (
	"context"
	"slices"
	"time"

	"authy/server/audit"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// byRecovery is the method of an administrator who was let in by a link of the
// operator's; RFC 8176 has no name for it.
const byRecovery = "recovery"

// Recover signs a browser in by a link that the operator made for an administrator;
// see [account.Service.Recover]. Where they have a second factor that stays, it is
// asked next. The link is used up either way.
func (s *Service) Recover(ctx context.Context, by audit.Actor, b Browser, link string) (*Next, error) {
	if err := s.limits().link(ctx, by); err != nil {
		return nil, err
	}
	old, err := s.Identify(ctx, b)
	if err != nil {
		return nil, err
	}
	out, now := new(Result), steady.Now()
	var pending *Pending
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		user, err := s.accounts.Recover(ctx, tx, by, now, link)
		if err != nil {
			return err
		}
		proved := proof{user: user, methods: []string{byRecovery}}
		if pending, err = s.hold(ctx, tx, by, now, proved, entry{kind: session.Web}); err != nil || pending != nil {
			return err
		}
		return s.enter(ctx, tx, by, now, old, proved, false, out)
	})
	if err != nil {
		return nil, err
	}
	if pending != nil {
		return &Next{Location: PageOf("/second-factor", ""), Pending: pending}, nil
	}
	return s.entered(ctx, by, b, nil, out)
}

// home is where somebody begins who came by themselves: who was let in by a link,
// where they set up how they sign in from now on.
func home(began *storage.Session) string {
	if slices.Contains(began.Methods, byRecovery) {
		return "/account/security"
	}
	return "/account"
}

// IsRecovering says whether id was let in just now by a link of the operator's: it may
// choose a password without knowing the one there is.
func IsRecovering(id *session.Identity, now time.Time) bool {
	fresh, _ := isFresh(id, now)
	return fresh && slices.Contains(id.Session.Methods, byRecovery)
}
