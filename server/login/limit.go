package login

import (
	"context"
	"errors"
	"strconv"
	"time"

	"authy/server/audit"
	"authy/server/limit"
	"authy/storage"
)

// The limits. What succeeds is not counted, and no counter of one address
// touches another address. The one counter of an account that strangers can use
// up does not count for its owner where they have signed in before: nobody can
// be locked out from elsewhere.
var (
	// perAccount is how often an account may be tried from one address.
	perAccount = limit.Rule{Name: "sign-in-account", Most: 10, Window: 15 * time.Minute}
	// perAccountAnywhere is how often it may be tried from all addresses that
	// its owner has not signed in from.
	perAccountAnywhere = limit.Rule{Name: "sign-in-account-anywhere", Most: 100, Window: time.Hour}
	// perAddress is how often one address may try, whatever the account.
	perAddress = limit.Rule{Name: "sign-in-address", Most: 300, Window: 15 * time.Minute}
	// perSecondFactor is how often the second factor of an account may be tried
	// from anywhere. Only someone who knows the password gets that far, so that
	// nobody else can lock its owner out.
	perSecondFactor = limit.Rule{Name: "second-factor-account", Most: 10, Window: 15 * time.Minute}
	// perPasskey is how often one passkey may be tried from one address. It counts
	// those that do not exist, too, so as not to tell them apart.
	perPasskey = limit.Rule{Name: "passkey", Most: 10, Window: 15 * time.Minute}
	// perChallenge is how many challenges one address may ask for: each is kept
	// for a while, and a page that can be signed in on asks for one.
	perChallenge = limit.Rule{Name: "challenge-address", Most: 1500, Window: 15 * time.Minute}
	// perRegistration is how many accounts one address may ask for.
	perRegistration = limit.Rule{Name: "register-address", Most: 30, Window: 15 * time.Minute}
	// perSession is how often a session may be asked for its user's password
	// again. Whoever has found one open, and tries, locks out nobody else.
	perSession = limit.Rule{Name: "password-session", Most: 10, Window: 15 * time.Minute}
	// perMailbox is how much mail anyone may have sent to an address, perMailer
	// how much one address of the network may have sent. Whoever asks too often
	// for somebody else keeps a working link out of nobody's mailbox.
	perMailbox = limit.Rule{Name: "mail-mailbox", Most: 10, Window: time.Hour}
	perMailer  = limit.Rule{Name: "mail-address", Most: 30, Window: 15 * time.Minute}
	// perLink is how often one address may follow links that were mailed.
	perLink = limit.Rule{Name: "link-address", Most: 60, Window: 15 * time.Minute}
	// perDeparture is how often one address may go to another provider, and come
	// back: each asks something of it.
	perDeparture = limit.Rule{Name: "departure-address", Most: 600, Window: 15 * time.Minute}
	// perFlow is how many sign-ins one address may begin: each is kept for a
	// while, also when it leads nowhere.
	perFlow = limit.Rule{Name: "flow-address", Most: 1500, Window: 15 * time.Minute}
)

// How often one address, and all together, may type a code that no device waits with:
// three thousand of 25 billion (RFC 8628, section 5.1).
var (
	perUserCode         = limit.Rule{Name: "user-code-address", Most: 20, Window: 15 * time.Minute}
	perUserCodeAnywhere = limit.Rule{Name: "user-code-anywhere", Most: 3000, Window: 15 * time.Minute}
)

// limits applies the limits.
type limits struct{ count *limit.Limits }

// attempt counts an attempt of an address to sign in as anyone.
func (l limits) attempt(ctx context.Context, by audit.Actor) error {
	return l.count.Count(ctx, perAddress, limit.Network(by.IPAddress))
}

// attemptAt counts an attempt to sign in as email, whose user is nil if there
// is none. It asks known whether the owner has signed in from there when others
// have used all attempts up.
func (l limits) attemptAt(
	ctx context.Context, by audit.Actor, email string, user *storage.User, known func() (bool, error),
) error {
	if err := l.count.Count(ctx, perAccount, accountOf(by, email, user)); err != nil {
		return err
	}
	err := l.count.Count(ctx, perAccountAnywhere, accountAnywhere(email, user))
	if !errors.Is(err, limit.ErrTooMany) {
		return err
	}
	if is, failed := known(); failed != nil || is {
		return failed
	}
	return err
}

// passed takes back what was counted for a good attempt.
func (l limits) passed(ctx context.Context, by audit.Actor, email string, user *storage.User) {
	l.count.Clear(ctx, perAccount, accountOf(by, email, user))
	l.count.Return(ctx, perAccountAnywhere, accountAnywhere(email, user))
	l.count.Return(ctx, perAddress, limit.Network(by.IPAddress))
}

// untried takes back what was counted for an attempt that came to nothing: the
// server was too busy to look at the password.
func (l limits) untried(ctx context.Context, by audit.Actor, email string, user *storage.User) {
	l.count.Return(ctx, perAccount, accountOf(by, email, user))
	l.count.Return(ctx, perAccountAnywhere, accountAnywhere(email, user))
	l.count.Return(ctx, perAddress, limit.Network(by.IPAddress))
}

// secondFactor counts an attempt at the second factor of a user.
func (l limits) secondFactor(ctx context.Context, user *storage.User) error {
	return l.count.Count(ctx, perSecondFactor, user.ID+since(user))
}

// secondFactorPassed clears the counter of a user after a good attempt.
func (l limits) secondFactorPassed(ctx context.Context, user *storage.User) {
	l.count.Clear(ctx, perSecondFactor, user.ID+since(user))
}

// passkey counts an attempt to sign in by the passkey with a credential id.
func (l limits) passkey(ctx context.Context, by audit.Actor, credentialID string) error {
	if err := l.count.Count(ctx, perAddress, limit.Network(by.IPAddress)); err != nil {
		return err
	}
	return l.count.Count(ctx, perPasskey, accountOf(by, credentialID, nil))
}

// passkeyPassed clears the counter of a passkey after a good attempt.
func (l limits) passkeyPassed(ctx context.Context, by audit.Actor, credentialID string) {
	l.count.Clear(ctx, perPasskey, accountOf(by, credentialID, nil))
}

// challenge counts a challenge that is asked for.
func (l limits) challenge(ctx context.Context, by audit.Actor) error {
	return l.count.Count(ctx, perChallenge, limit.Network(by.IPAddress))
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

// mail counts a mail that is to be sent to email.
func (l limits) mail(ctx context.Context, by audit.Actor, email string) error {
	if err := l.count.Count(ctx, perMailer, limit.Network(by.IPAddress)); err != nil {
		return err
	}
	return l.count.Count(ctx, perMailbox, storage.Hash(email))
}

// link counts a link that is followed.
func (l limits) link(ctx context.Context, by audit.Actor) error {
	return l.count.Count(ctx, perLink, limit.Network(by.IPAddress))
}

// departure counts somebody who goes to a provider or comes back.
func (l limits) departure(ctx context.Context, by audit.Actor) error {
	return l.count.Count(ctx, perDeparture, limit.Network(by.IPAddress))
}

// flow counts a sign-in that begins.
func (l limits) flow(ctx context.Context, by audit.Actor) error {
	return l.count.Count(ctx, perFlow, limit.Network(by.IPAddress))
}

// accountOf names an account, by what it is tried with, as it is tried from an
// address; the store sees no address of mail.
func accountOf(by audit.Actor, name string, user *storage.User) string {
	return accountAnywhere(name, user) + ":" + limit.Network(by.IPAddress)
}

func accountAnywhere(name string, user *storage.User) string {
	return storage.Hash(name) + since(user)
}

// since makes the name of a counter another one when an administrator unlocks
// its user: whoever counts, on whatever node, begins anew.
func since(user *storage.User) string {
	if user == nil || user.UnlockedAt.IsZero() {
		return ""
	}
	return "@" + strconv.FormatInt(user.UnlockedAt.UnixMilli(), 10)
}
