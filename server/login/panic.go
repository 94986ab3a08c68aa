package login

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/session"
	"authy/storage"
)

// Panic ends all that is open in the account of who is signed in, also the session
// that asks; see [account.Service.Panic].
func (s *Service) Panic(ctx context.Context, by audit.Actor, id *session.Identity, in Again) error {
	return s.sensitive(ctx, by, id, in, "user.panic", false, func(tx *storage.Tx, now time.Time) error {
		return s.accounts.PanicSelf(ctx, tx, by, now)
	})
}
