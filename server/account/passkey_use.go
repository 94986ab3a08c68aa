package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"authy/server/audit"
	"authy/server/limit"
	"authy/server/steady"
	"authy/storage"
)

// byPasskey are the methods of RFC 8176, section 2, that a passkey stands for:
// a key was used and somebody was there. Nobody vouches for what holds the key.
var byPasskey = []string{"pop", "user"}

// PasskeyRequest says who is asked for a passkey.
type PasskeyRequest struct {
	// Binding says who may answer: the hash of a secret of theirs.
	Binding string
	// Email is whose passkeys may answer; "" is anyone's.
	Email string
	// Pending is a sign-in that waits for its second factor, nil for a new one.
	Pending *storage.FirstFactor
}

// RequestPasskey asks for a passkey. An address without passkeys is answered
// as one that has some. [ErrNoPasskeys] if the owner of a pending sign-in has none.
func (s *Service) RequestPasskey(
	ctx context.Context, by audit.Actor, party RelyingParty, q PasskeyRequest,
) (*RequestOptions, error) {
	c := &storage.Ceremony{Purpose: toDiscover, Binding: q.Binding, Network: limit.Neighborhood(by.IPAddress)}
	out := &RequestOptions{
		Timeout: passkeyTimeout, RPID: party.ID, AllowCredentials: []PasskeyDescriptor{}, UserVerification: required,
	}
	var err error
	switch {
	case q.Pending != nil:
		c.Purpose, c.UserID, c.FirstFactor = toConfirm, storage.Ref(q.Pending.UserID), storage.Ref(q.Pending.Hash)
		c.Network = ""
		out.AllowCredentials, err = s.allowed(ctx, q.Pending.UserID)
		out.UserVerification = preferred // something else has been proved already
		if err == nil && len(out.AllowCredentials) == 0 {
			err = ErrNoPasskeys
		}
	case q.Email != "":
		c.Purpose = toSignIn
		c.UserID, out.AllowCredentials, err = s.allowedAt(ctx, q.Email)
	}
	if err != nil {
		return nil, err
	}
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if out.Challenge, err = newChallenge(ctx, tx, now, c); err != nil || c.Purpose == toDiscover {
			return err // a page that can be signed in on is not worth a record
		}
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "webauthn.login.initiated", TargetKind: "user", TargetID: string(c.UserID),
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) allowed(ctx context.Context, userID string) ([]PasskeyDescriptor, error) {
	have, err := s.Passkeys(ctx, userID)
	return descriptors(have), err
}

// allowedAt returns the passkeys of the user with an address, and decoys for
// nobody where there are none.
func (s *Service) allowedAt(ctx context.Context, email string) (storage.Ref, []PasskeyDescriptor, error) {
	email, err := ParseEmail(email)
	if err != nil {
		return "", nil, err
	}
	user, err := s.db.UserByEmail(ctx, email)
	if errors.Is(err, storage.ErrNotFound) {
		user, err = new(storage.User), nil // whose passkeys are looked for all the same
	}
	if err != nil {
		return "", nil, fmt.Errorf("look a user up: %w", err)
	}
	have, err := s.allowed(ctx, user.ID)
	if err != nil {
		return "", nil, err
	}
	decoys := s.decoys(email)
	if len(have) == 0 {
		return "", decoys, nil
	}
	return storage.Ref(user.ID), have, nil
}

// Assertion is an answer to [Service.RequestPasskey], checked and not used yet.
type Assertion struct {
	parsed  *protocol.ParsedCredentialAssertionData
	binding string
	// passkey is what it says to be made by, nil if there is none.
	passkey *storage.Passkey
	// problem is what is wrong with it, whosoever it is; forged what is wrong
	// with it as an answer of passkey.
	problem, forged error
	pending         string
}

// UserID is whose passkey the assertion says to be made by, "" for nobody's.
func (a *Assertion) UserID() string {
	if a.passkey == nil {
		return ""
	}
	return a.passkey.UserID
}

// CredentialID names the passkey that the assertion says to be made by.
func (a *Assertion) CredentialID() string { return a.parsed.ID }

// Pending is the hash of the pending sign-in that the assertion is the second
// factor of, "" if it is a first factor.
func (a *Assertion) Pending() string { return a.pending }

func (a *Assertion) challenge() string { return a.parsed.Response.CollectedClientData.Challenge }

// ReadAssertion checks an answer to [Service.RequestPasskey], which takes a
// while: it is done before the transaction. Input that cannot be read is a
// fault now, and so is a challenge that is not for binding to answer; what else
// is wrong becomes one when the answer is used.
func (s *Service) ReadAssertion(
	ctx context.Context, party RelyingParty, binding string, in *PasskeyResponse,
) (*Assertion, error) {
	parsed, err := in.assertion()
	if err != nil {
		return nil, err
	}
	a := &Assertion{parsed: parsed, binding: binding}
	c, err := s.db.Ceremony(ctx, storage.Hash(a.challenge()))
	if errors.Is(err, storage.ErrNotFound) || err == nil && c.Binding != binding {
		return nil, ErrChallenge
	}
	if err != nil {
		return nil, fmt.Errorf("look a challenge up: %w", err)
	}
	a.pending = string(c.FirstFactor)
	a.problem = party.checkAssertion(parsed)
	a.passkey, err = s.db.PasskeyByCredential(ctx, parsed.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return a, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look a passkey up: %w", err)
	}
	if a.problem == nil {
		a.forged = party.checkSignature(parsed, a.passkey)
	}
	return a, nil
}

// checkAssertion says what is wrong with an assertion, whosoever it is.
func (p RelyingParty) checkAssertion(a *protocol.ParsedCredentialAssertionData) error {
	if err := p.checkClientData(&a.Response.CollectedClientData, protocol.AssertCeremony); err != nil {
		return err
	}
	if err := p.checkAuthenticatorData(&a.Response.AuthenticatorData); err != nil {
		return err
	}
	if !a.Response.AuthenticatorData.Flags.HasUserPresent() {
		return ErrPresence
	}
	return nil
}

// UsedPasskey is who an assertion has proved, and how.
type UsedPasskey struct {
	UserID  string
	Methods []string // RFC 8176
	// Verified says that the authenticator has checked who holds it: then it
	// counts for two factors.
	Verified bool
}

// UsePasskey uses an assertion up, in tx. What it returns as refused is
// recorded and has used the challenge up, so the caller commits.
func (s *Service) UsePasskey(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, a *Assertion,
) (used *UsedPasskey, refused, err error) {
	refused, reason, err := judge(ctx, tx, now, a)
	if err != nil {
		return nil, nil, err
	}
	event := audit.Event{Action: "webauthn.login.success", TargetKind: "user", TargetID: a.UserID()}
	if a.passkey != nil {
		event.Details = map[string]string{"passkey": a.passkey.ID}
	}
	if refused != nil {
		event.Action, event.Failed, event.Reason = "webauthn.login.failed", true, reason
		return nil, refused, audit.Record(ctx, tx, by, now, event)
	}
	verified := a.parsed.Response.AuthenticatorData.Flags.HasUserVerified()
	used = &UsedPasskey{UserID: a.passkey.UserID, Methods: append([]string{}, byPasskey...), Verified: verified}
	return used, nil, audit.Record(ctx, tx, by.As(used.UserID), now, event)
}

// judge uses a's challenge up, and notes the use of its passkey unless it is
// refused. Nothing it answers tells whether there is such a passkey.
func judge(
	ctx context.Context, tx *storage.Tx, now time.Time, a *Assertion,
) (refused error, reason string, err error) {
	c, err := takeCeremony(ctx, tx, now, a.challenge(), a.binding)
	if errors.Is(err, ErrChallenge) {
		return ErrChallenge, "challenge", nil
	}
	if err != nil {
		return nil, "", err
	}
	flags := a.parsed.Response.AuthenticatorData.Flags
	switch {
	case errors.Is(a.problem, ErrPresence):
		return ErrPresence, "presence", nil
	case a.problem != nil:
		return ErrAssertion, "response", nil
	case c.Purpose != toConfirm && !flags.HasUserVerified():
		return ErrNotVerified, "verification", nil
	case a.passkey == nil:
		return a.unknown(c), "unknown_passkey", nil
	case a.forged != nil:
		return a.unknown(c), "signature", nil
	case !a.mayAnswer(c):
		return ErrAssertion, "another_user", nil
	}
	return a.count(ctx, tx, now)
}

// unknown refuses a passkey, and says if it is nobody's here. That must not tell a
// passkey from one that was made up for an address (see decoys): whoever makes an
// answer up does not know its owner, and is told the same of both.
func (a *Assertion) unknown(c *storage.Ceremony) error {
	handle := string(a.parsed.Response.UserHandle)
	if c.Purpose != toDiscover || handle == "" || handle == a.UserID() {
		return ErrAssertion
	}
	return errors.Join(ErrAssertion, ErrUnknownPasskey)
}

// mayAnswer says whether a ceremony was for the owner of the passkey.
func (a *Assertion) mayAnswer(c *storage.Ceremony) bool {
	switch c.Purpose {
	case toSignIn, toConfirm:
		return c.UserID != "" && string(c.UserID) == a.passkey.UserID
	case toDiscover: // Web Authentication, section 7.2, step 6: the answer says whose it is
		return len(a.parsed.Response.UserHandle) > 0
	}
	return false
}

// count notes the use of the passkey. A counter that does not grow is the mark
// of a copy (Web Authentication, section 6.1.1).
func (a *Assertion) count(ctx context.Context, tx *storage.Tx, now time.Time) (refused error, reason string, err error) {
	kept, err := tx.PasskeyByCredential(ctx, a.passkey.CredentialID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && kept.ID != a.passkey.ID {
		return ErrAssertion, "unknown_passkey", nil // it was deleted meanwhile
	}
	if err != nil {
		return nil, "", fmt.Errorf("look a passkey up: %w", err)
	}
	data := a.parsed.Response.AuthenticatorData
	kept.SignCount, kept.LastUsedAt = int64(data.Counter), storage.At(now)
	if kept.BackupUnknown {
		kept.BackupEligible = data.Flags.HasBackupEligible()
	}
	kept.BackedUp = data.Flags.HasBackupState()
	kept.UserVerified = kept.UserVerified || data.Flags.HasUserVerified()
	grew, err := tx.UsePasskey(ctx, kept)
	if err != nil {
		return nil, "", fmt.Errorf("note the use of passkey %s: %w", kept.ID, err)
	}
	if !grew {
		return ErrCounter, "counter", nil
	}
	return nil, "", nil
}
