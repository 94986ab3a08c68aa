package login

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/limit"
	"authy/storage"
)

// The limits. An attempt that succeeds clears its account's counter, and no
// counter of one address touches another address, so that nobody can be locked
// out from elsewhere.
var (
	// perAccount is how often an account may be tried from one address.
	perAccount = limit.Rule{Name: "login:account", Most: 10, Window: 15 * time.Minute}
	// perAddress is how often one address may try, whatever the account.
	perAddress = limit.Rule{Name: "login:address", Most: 300, Window: 15 * time.Minute}
	// perSecondFactor is how often the second factor of an account may be tried
	// from anywhere. Only someone who knows the password gets that far, so that
	// nobody else can lock its owner out.
	perSecondFactor = limit.Rule{Name: "second-factor:account", Most: 10, Window: 15 * time.Minute}
	// perRegistration is how many accounts one address may ask for.
	perRegistration = limit.Rule{Name: "register:address", Most: 30, Window: 15 * time.Minute}
	// perSession is how often a session may be asked for its user's password
	// again. Whoever has found one open, and tries, locks out nobody else.
	perSession = limit.Rule{Name: "password:session", Most: 10, Window: 15 * time.Minute}
	// perFlow is how many sign-ins one address may begin: each is kept for a
	// while, also when it leads nowhere.
	perFlow = limit.Rule{Name: "flow:address", Most: 1500, Window: 15 * time.Minute}
)

// limits applies the limits.
type limits struct{ count *limit.Limits }

// attempt counts an attempt to sign in as email.
func (l limits) attempt(ctx context.Context, by audit.Actor, email string) error {
	if err := l.count.Count(ctx, perAddress, limit.Network(by.IPAddress)); err != nil {
		return err
	}
	return l.count.Count(ctx, perAccount, accountOf(by, email))
}

// passed clears the counter of an account after a good attempt.
func (l limits) passed(ctx context.Context, by audit.Actor, email string) {
	l.count.Clear(ctx, perAccount, accountOf(by, email))
}

// secondFactor counts an attempt at the second factor of a user.
func (l limits) secondFactor(ctx context.Context, userID string) error {
	return l.count.Count(ctx, perSecondFactor, userID)
}

// secondFactorPassed clears the counter of a user after a good attempt.
func (l limits) secondFactorPassed(ctx context.Context, userID string) {
	l.count.Clear(ctx, perSecondFactor, userID)
}

// register counts an attempt to make an account.
func (l limits) register(ctx context.Context, by audit.Actor) error {
	return l.count.Count(ctx, perRegistration, limit.Network(by.IPAddress))
}

// again counts an attempt to prove within a session who one is.
func (l limits) again(ctx context.Context, sessionID string) error {
	return l.count.Count(ctx, perSession, sessionID)
}

// provedAgain clears the counter of a session after a good attempt.
func (l limits) provedAgain(ctx context.Context, sessionID string) {
	l.count.Clear(ctx, perSession, sessionID)
}

// flow counts a sign-in that begins.
func (l limits) flow(ctx context.Context, by audit.Actor) error {
	return l.count.Count(ctx, perFlow, limit.Network(by.IPAddress))
}

// accountOf names an account as it is tried from an address; the store sees no
// address of mail.
func accountOf(by audit.Actor, email string) string {
	return storage.Hash(email) + ":" + limit.Network(by.IPAddress)
}
