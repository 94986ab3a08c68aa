package login

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/org"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// freshFor is how long after someone has proved who they are they may change
// how they do so (OWASP ASVS 5.0, 7.5.1).
const freshFor = 5 * time.Minute

// What is refused to someone whose session alone is not enough. The first two
// messages are the contract's.
var (
	ErrPassword   = fault.New(fault.Unauthenticated, "invalid_password", "Invalid password")
	ErrNoPassword = account.ErrNoPassword
	ErrStale      = fault.New(fault.Forbidden, "reauthentication_required",
		"Prove who you are again: send your password, or sign in anew. This session did so more than 5 minutes ago.")
	ErrCodeNeeded = fault.New(fault.Forbidden, "code_required",
		"A code of your authenticator or a recovery code is needed, too, or a new sign-in that had one.")
)

// Again is what someone who is signed in sends to prove anew who they are.
type Again struct {
	Password string // "" for none
	Code     Code   // no text for none
}

// isFresh says whether id has proved just now who it is, and whether in two
// ways.
func isFresh(id *session.Identity, now time.Time) (fresh, second bool) {
	fresh = now.Sub(id.Session.AuthenticatedAt.Time) <= freshFor
	return fresh, fresh && slices.Contains(id.Session.Methods, "mfa")
}

// sensitive does what changes how id signs in, and for which its session alone
// is not enough: it must have proved in the last minutes who it is, or do so by
// in; with the second factor, if it has one. A change that insists is not
// content with a fresh session where there is a password to be given.
func (s *Service) sensitive(
	ctx context.Context, by audit.Actor, id *session.Identity, in Again, action string, insists bool,
	do func(tx *storage.Tx, now time.Time) error,
) error {
	match, err := s.firstAgain(ctx, by, id, in.Password, action, insists)
	if err != nil {
		return err
	}
	code, err := s.codeAgain(ctx, by, id, in.Code, action)
	if err != nil {
		return err
	}
	read, err := s.read(ctx, id.User.ID, code)
	if err != nil {
		return err
	}
	now := steady.Now()
	var refused error
	err = s.db.UpdateFor(ctx, id.User.ID, func(tx *storage.Tx) (err error) {
		if err := session.Still(ctx, tx, id.Session.ID); err != nil {
			return err
		}
		if match != nil {
			if err := s.accounts.Recheck(ctx, tx, id.User.ID, match); err != nil {
				return err
			}
		}
		if code.Text != "" {
			if refused, err = s.useCode(ctx, tx, by, now, id.User.ID, read); err != nil || refused != nil {
				return err // a code that was wrong is recorded: the transaction commits
			}
		}
		return do(tx, now)
	})
	if err == nil && refused == nil && code.Text != "" {
		s.limits().secondFactorPassed(ctx, id.User)
	}
	return refusal(refused, err)
}

// firstAgain checks the password, where one is given or needed; nil if the
// session is fresh and that is enough.
func (s *Service) firstAgain(
	ctx context.Context, by audit.Actor, id *session.Identity, password, action string, insists bool,
) (*account.Match, error) {
	if password == "" {
		fresh, _ := isFresh(id, steady.Now())
		if !fresh {
			return nil, ErrStale
		}
		if !insists {
			return nil, nil
		}
	}
	match, err := s.proveAgain(ctx, by, id, password, action)
	switch {
	case errors.Is(err, account.ErrWrongPassword):
		return nil, ErrPassword
	case errors.Is(err, account.ErrNoPassword):
		if fresh, _ := isFresh(id, steady.Now()); fresh {
			return nil, nil
		}
	}
	return match, err
}

// codeAgain returns the code that must be used up for id to go on; one without
// text if it has no second factor, or has just proved it.
func (s *Service) codeAgain(
	ctx context.Context, by audit.Actor, id *session.Identity, code Code, action string,
) (Code, error) {
	if _, second := isFresh(id, steady.Now()); second {
		return Code{}, nil
	}
	has, err := account.FactorsOf(ctx, s.db.Reader, id.User.ID)
	if err != nil || !has.Any() {
		return Code{}, err
	}
	if code.text() == "" {
		return Code{}, ErrCodeNeeded
	}
	if err := s.limits().secondFactor(ctx, id.User); err != nil {
		return Code{}, errors.Join(err, s.throttled(ctx, by, id.User, action))
	}
	return code, nil
}

// EnrollTOTP gives who is signed in a new authenticator; see
// [account.Service.EnrollTOTP].
func (s *Service) EnrollTOTP(
	ctx context.Context, by audit.Actor, id *session.Identity, in Again,
) (e *account.Enrollment, err error) {
	if has, err := account.FactorsOf(ctx, s.db.Reader, id.User.ID); err != nil {
		return nil, err
	} else if has.TOTP {
		return nil, account.ErrTOTPEnabled // whatever is sent
	}
	err = s.sensitive(ctx, by, id, in, "totp.enroll.initiated", false, func(tx *storage.Tx, now time.Time) error {
		e, err = s.accounts.EnrollTOTP(ctx, tx, by, now, id.User)
		return err
	})
	return e, err
}

// DisableTOTP takes the authenticator of who is signed in away.
// [org.ErrFactorNeeded] if an organization of theirs asks for it.
func (s *Service) DisableTOTP(ctx context.Context, by audit.Actor, id *session.Identity, in Again) error {
	return s.sensitive(ctx, by, id, in, "totp.disabled", true, func(tx *storage.Tx, now time.Time) error {
		if err := org.MayLose(ctx, tx.Reader, id.User.ID, org.Factors{TOTP: true}); err != nil {
			return err
		}
		return s.accounts.RemoveTOTP(ctx, tx, by, now, id.User.ID)
	})
}

// RenewRecoveryCodes returns fresh recovery codes to who is signed in.
func (s *Service) RenewRecoveryCodes(
	ctx context.Context, by audit.Actor, id *session.Identity, in Again,
) (codes []string, err error) {
	const action = "totp.backup_codes.regenerated"
	err = s.sensitive(ctx, by, id, in, action, true, func(tx *storage.Tx, now time.Time) (err error) {
		codes, err = s.accounts.RenewRecoveryCodes(ctx, tx, by, now, id.User.ID)
		return err
	})
	return codes, err
}

// BeginPasskey asks for a new passkey of who is signed in; see
// [account.Service.BeginPasskey].
func (s *Service) BeginPasskey(
	ctx context.Context, by audit.Actor, id *session.Identity, in Again,
) (o *account.CreationOptions, err error) {
	const action = "webauthn.register.initiated"
	err = s.sensitive(ctx, by, id, in, action, false, func(tx *storage.Tx, now time.Time) (err error) {
		o, err = s.accounts.BeginPasskey(ctx, tx, by, now, s.Party, id.User, id.Session.ID)
		return err
	})
	return o, err
}

// AddedPasskey is a passkey that was added, with the recovery codes that came
// with it: none if the user had a second factor before.
type AddedPasskey struct {
	Passkey       *account.Passkey
	RecoveryCodes []string // shown once
}

// AddPasskey keeps the passkey that was made for who is signed in, in answer to
// [Service.BeginPasskey] in the same session.
func (s *Service) AddPasskey(
	ctx context.Context, by audit.Actor, id *session.Identity, answer *account.PasskeyResponse, name string,
) (*AddedPasskey, error) {
	made, err := s.Party.ReadPasskey(answer, name)
	if err != nil {
		return nil, err
	}
	now := steady.Now()
	var added AddedPasskey
	var refused error
	err = s.db.Update(ctx, func(tx *storage.Tx) (err error) {
		if err := session.Still(ctx, tx, id.Session.ID); err != nil {
			return err
		}
		added.Passkey, added.RecoveryCodes, refused, err = s.accounts.AddPasskey(ctx, tx, by, now, id.User.ID, id.Session.ID, made)
		return err
	})
	if err := refusal(refused, err); err != nil {
		return nil, err
	}
	return &added, s.settle(ctx, by, id.User.ID)
}

// RemovePasskey deletes a passkey of who is signed in; see
// [account.Service.RemovePasskey]. [org.ErrFactorNeeded] if it is the last, and
// an organization of theirs asks for one.
func (s *Service) RemovePasskey(
	ctx context.Context, by audit.Actor, id *session.Identity, in Again, credentialID string,
) error {
	const action = "webauthn.credential.deleted"
	return s.sensitive(ctx, by, id, in, action, false, func(tx *storage.Tx, now time.Time) error {
		if err := mayLosePasskey(ctx, tx, id.User.ID); err != nil {
			return err
		}
		return s.accounts.RemovePasskey(ctx, tx, by, now, id.User.ID, credentialID)
	})
}

// mayLosePasskey is nil for a user who has another, or need not have any.
func mayLosePasskey(ctx context.Context, tx *storage.Tx, userID string) error {
	n, err := tx.CountPasskeys(ctx, userID)
	if err != nil {
		return fmt.Errorf("count the passkeys of %s: %w", userID, err)
	}
	if n > 1 {
		return nil
	}
	return org.MayLose(ctx, tx.Reader, userID, org.Factors{WebAuthn: true})
}

// Prove checks that who is signed in has proved just now who they are, or does so by
// in, before something is done in their name that lasts longer than the session.
func (s *Service) Prove(ctx context.Context, by audit.Actor, id *session.Identity, in Again, action string) error {
	return s.sensitive(ctx, by, id, in, action, false, func(*storage.Tx, time.Time) error { return nil })
}

// Need says what someone who is signed in must send to prove anew who they are.
type Need struct {
	Password bool
	Code     bool
}

// Any says whether there is anything to be sent.
func (n Need) Any() bool { return n.Password || n.Code }

// Needs returns what a change of how id signs in needs of them; one that
// insists wants the password in any case.
func (s *Service) Needs(ctx context.Context, id *session.Identity, insists bool) (Need, error) {
	fresh, second := isFresh(id, steady.Now())
	has, err := account.FactorsOf(ctx, s.db.Reader, id.User.ID)
	return Need{Password: !fresh || insists, Code: has.Any() && !second}, err
}
