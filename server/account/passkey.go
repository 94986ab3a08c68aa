package account

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/mail"
	"authy/server/steady"
	"authy/storage"
)

// What is refused about passkeys. Most messages are the contract's.
var (
	ErrChallenge = fault.New(fault.Unauthenticated, "challenge_invalid", "Challenge expired or invalid")
	ErrPresence  = fault.New(fault.Unauthenticated, "user_not_present", "User presence not verified")
	// ErrNotVerified is answered where a passkey alone would sign someone in.
	ErrNotVerified = fault.New(fault.Unauthenticated, "user_not_verified",
		"User verification is needed to sign in without a password")
	ErrAuthenticatorData = fault.New(fault.Unauthenticated, "invalid_authenticator_data", "Invalid authenticator data")
	ErrRegistration      = fault.New(fault.Unauthenticated, "passkey_refused", "Registration verification failed")
	ErrPasskeyTaken      = fault.New(fault.Unauthenticated, "passkey_taken", "Credential already registered")
	ErrAssertion         = fault.New(fault.Unauthenticated, "assertion_refused", "Authentication verification failed")
	ErrCounter           = fault.New(fault.Unauthenticated, "passkey_cloned", "Invalid sign counter - potential credential cloning detected")
	ErrNoPasskey         = fault.New(fault.NotFound, "passkey_not_found", "Credential not found")
	ErrNoPasskeys        = fault.New(fault.NotFound, "no_passkeys", "No passkeys found for this account")
	ErrLastPasskey       = fault.New(fault.Invalid, "last_passkey", "Cannot delete the last passkey. Add another passkey first.")
	ErrTooManyPasskeys   = fault.New(fault.Conflict, "too_many_passkeys", "You have 25 passkeys. Delete one before you add another.")

	// ErrUnknownPasskey joins [ErrAssertion] where nobody here has the passkey: what
	// keeps it may forget it.
	ErrUnknownPasskey = errors.New("no user has this passkey")
)

const (
	// MaxPasskeys is how many passkeys a user may have.
	MaxPasskeys = 25
	// maxPasskeyName is the longest name of a passkey, in characters.
	maxPasskeyName = 100
	challengeBytes = 32
	// ceremonyLifetime is how long an authenticator may take to answer.
	ceremonyLifetime = 5 * time.Minute
)

// The purposes of a ceremony. An answer is of use for its own purpose only.
const (
	toRegister = "register"
	toSignIn   = "sign_in" // as the user of the ceremony; as nobody, if there is none
	toDiscover = "discover"
	toConfirm  = "second_factor" // of the pending sign-in
)

// Passkey is a passkey as it is kept.
type Passkey = storage.Passkey

// newChallenge begins a ceremony: it fills c in, keeps it, and returns the challenge.
func newChallenge(ctx context.Context, tx *storage.Tx, now time.Time, c *storage.Ceremony) (string, error) {
	random := make([]byte, challengeBytes)
	rand.Read(random)
	challenge := base64.RawURLEncoding.EncodeToString(random)
	c.Hash = storage.Hash(challenge)
	c.CreatedAt, c.ExpiresAt = storage.At(now), storage.At(now.Add(ceremonyLifetime))
	if err := tx.InsertCeremony(ctx, c); err != nil {
		return "", fmt.Errorf("keep a challenge: %w", err)
	}
	return challenge, nil
}

// takeCeremony uses up what a challenge began for whoever holds a binding.
// [ErrChallenge] if there is nothing, or it has expired.
func takeCeremony(
	ctx context.Context, tx *storage.Tx, now time.Time, challenge, binding string,
) (*storage.Ceremony, error) {
	hash := storage.Hash(challenge)
	c, err := tx.Ceremony(ctx, hash)
	if err == nil {
		err = tx.TakeCeremony(ctx, hash, binding, now)
	}
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrChallenge
	}
	if err != nil {
		return nil, fmt.Errorf("use a challenge up: %w", err)
	}
	return c, nil
}

// BeginPasskey asks, in tx, for a new passkey of a user, to be made in a
// session. [ErrTooManyPasskeys] if they have [MaxPasskeys].
func (s *Service) BeginPasskey(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, party RelyingParty, user *User, sessionID string,
) (*CreationOptions, error) {
	have, err := tx.Passkeys(ctx, user.ID)
	if err != nil {
		return nil, fmt.Errorf("list the passkeys of %s: %w", user.ID, err)
	}
	if len(have) >= MaxPasskeys {
		return nil, ErrTooManyPasskeys
	}
	challenge, err := newChallenge(ctx, tx, now, &storage.Ceremony{
		Purpose: toRegister, Binding: sessionID, UserID: storage.Ref(user.ID),
	})
	if err != nil {
		return nil, err
	}
	server, err := tx.Branding(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what the server is called: %w", err)
	}
	return creationOptions(party, server.Name, user, challenge, have), audit.Record(ctx, tx, by, now, audit.Event{
		Action: "webauthn.register.initiated", TargetKind: "user", TargetID: user.ID,
	})
}

// NewPasskey is an answer to [Service.BeginPasskey], checked and not kept yet.
type NewPasskey struct {
	record    storage.Passkey
	challenge string
	problem   error // what is wrong with it
}

// ReadPasskey checks an answer to [Service.BeginPasskey], which takes a while:
// it is done before the transaction. Input that cannot be read is a fault now;
// an answer that is wrong becomes one when it uses up its challenge.
func (p RelyingParty) ReadPasskey(in *PasskeyResponse, name string) (*NewPasskey, error) {
	parsed, err := in.creation()
	if err != nil {
		return nil, err
	}
	name, err = passkeyName(name)
	if err != nil {
		return nil, err
	}
	data := parsed.Response.AttestationObject.AuthData
	n := &NewPasskey{challenge: parsed.Response.CollectedClientData.Challenge, problem: p.checkCreation(parsed)}
	n.record = storage.Passkey{
		CredentialID: base64.RawURLEncoding.EncodeToString(data.AttData.CredentialID),
		PublicKey:    base64.RawURLEncoding.EncodeToString(data.AttData.CredentialPublicKey),
		SignCount:    int64(data.Counter), Transports: in.Response.Transports, Name: name,
		BackupEligible: data.Flags.HasBackupEligible(), BackedUp: data.Flags.HasBackupState(),
		UserVerified: data.Flags.HasUserVerified(),
	}
	if model, err := uuid.FromBytes(data.AttData.AAGUID); err == nil {
		n.record.AAGUID = model.String()
	}
	return n, nil
}

// passkeyName returns a name as it is kept; "" stays so.
func passkeyName(text string) (string, error) {
	name, problem := words(maxPasskeyName)(strings.TrimSpace(text))
	if problem != "" {
		return "", fault.Field("name", problem)
	}
	return name, nil
}

// AddPasskey gives a user the passkey n in tx, made in a session, and recovery
// codes with it if it is their first second factor. What it returns as refused
// is recorded and has used the challenge up, so the caller commits.
func (s *Service) AddPasskey(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID, sessionID string, n *NewPasskey,
) (added *Passkey, codes []string, refused, err error) {
	refused, err = admitPasskey(ctx, tx, now, userID, sessionID, n)
	if err != nil {
		return nil, nil, nil, err
	}
	if refused != nil {
		f, _ := fault.As(refused)
		return nil, nil, refused, audit.Record(ctx, tx, by, now, audit.Event{
			Action: "webauthn.register.failed", Failed: true, Reason: f.Code, TargetKind: "user", TargetID: userID,
		})
	}
	before, err := FactorsOf(ctx, tx.Reader, userID)
	if err != nil {
		return nil, nil, nil, err
	}
	p := n.record
	p.ID, p.UserID, p.CreatedAt = storage.NewID(), userID, storage.At(now)
	if p.Name == "" {
		p.Name = "Passkey " + now.UTC().Format(time.DateOnly)
	}
	if err := tx.InsertPasskey(ctx, &p); err != nil {
		return nil, nil, nil, fmt.Errorf("add a passkey of %s: %w", userID, err)
	}
	if !before.Any() {
		codes = newRecoveryCodes()
		if err := s.keepRecoveryCodes(ctx, tx, now, userID, false, codes); err != nil {
			return nil, nil, nil, err
		}
	}
	if err := s.notice(ctx, tx, by, now, userID, mail.FactorAdded, mail.APasskey); err != nil {
		return nil, nil, nil, err
	}
	return &p, codes, nil, audit.Record(ctx, tx, by, now, audit.Event{
		Action: "webauthn.register.completed", TargetKind: "user", TargetID: userID,
		Details: map[string]string{"passkey": p.ID},
	})
}

// admitPasskey uses the challenge of n up and says why n is refused, if it is.
func admitPasskey(
	ctx context.Context, tx *storage.Tx, now time.Time, userID, sessionID string, n *NewPasskey,
) (refused, err error) {
	c, err := takeCeremony(ctx, tx, now, n.challenge, sessionID)
	if errors.Is(err, ErrChallenge) || err == nil && (c.Purpose != toRegister || string(c.UserID) != userID) {
		return ErrChallenge, nil
	}
	if err != nil {
		return nil, err
	}
	if errors.Is(n.problem, ErrPresence) {
		return ErrPresence, nil
	}
	if n.problem != nil {
		return ErrRegistration, nil
	}
	// Looked up first, since a statement that fails fails the transaction; of two
	// at once the unique index lets one through.
	_, err = tx.PasskeyByCredential(ctx, n.record.CredentialID)
	if err == nil {
		return ErrPasskeyTaken, nil
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return nil, fmt.Errorf("look a passkey up: %w", err)
	}
	have, err := tx.CountPasskeys(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("count the passkeys of %s: %w", userID, err)
	}
	if have >= MaxPasskeys {
		return ErrTooManyPasskeys, nil
	}
	return nil, nil
}

// Passkeys returns the passkeys of a user, the newest first.
func (s *Service) Passkeys(ctx context.Context, userID string) ([]Passkey, error) {
	have, err := s.db.Passkeys(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("list the passkeys of %s: %w", userID, err)
	}
	return have, nil
}

// PasskeyStatus is what a user is told of their passkeys.
type PasskeyStatus struct {
	Passkeys      int
	RecoveryCodes int // how many are left
}

// PasskeyStatus returns how many passkeys a user has.
func (s *Service) PasskeyStatus(ctx context.Context, userID string) (*PasskeyStatus, error) {
	have, err := s.db.CountPasskeys(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("count the passkeys of %s: %w", userID, err)
	}
	left, err := s.RecoveryCodesLeft(ctx, userID)
	if err != nil {
		return nil, err
	}
	return &PasskeyStatus{Passkeys: int(have), RecoveryCodes: left}, nil
}

// RenamePasskey renames a passkey of a user. [ErrNoPasskey] if it is not theirs.
func (s *Service) RenamePasskey(ctx context.Context, by audit.Actor, userID, credentialID, name string) (*Passkey, error) {
	name, err := passkeyName(name)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, fault.Field("name", "Shorter than minimum length 1.")
	}
	now := steady.Now()
	var p *Passkey
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if p, err = owned(ctx, tx, userID, credentialID); err != nil {
			return err
		}
		if err := tx.SavePasskeyName(ctx, userID, credentialID, name); err != nil {
			return fmt.Errorf("rename passkey %s: %w", p.ID, err)
		}
		p.Name = name
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "webauthn.credential.renamed", TargetKind: "user", TargetID: userID,
			Details: map[string]string{"passkey": p.ID},
		})
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// owned returns the passkey of a user with a credential id. [ErrNoPasskey] if
// they have none.
func owned(ctx context.Context, tx *storage.Tx, userID, credentialID string) (*Passkey, error) {
	if strings.ContainsRune(credentialID, 0) {
		return nil, ErrNoPasskey // storage refuses such text
	}
	p, err := tx.PasskeyByCredential(ctx, credentialID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && p.UserID != userID {
		return nil, ErrNoPasskey
	}
	if err != nil {
		return nil, fmt.Errorf("look a passkey up: %w", err)
	}
	return p, nil
}

// RemovePasskey deletes a passkey of a user, in tx, and with their last second
// factor their recovery codes. [ErrNoPasskey] if it is not theirs,
// [ErrLastPasskey] if they could not sign in without it.
func (s *Service) RemovePasskey(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID, credentialID string,
) error {
	p, err := owned(ctx, tx, userID, credentialID)
	if err != nil {
		return err
	}
	if other, err := otherWay(ctx, tx.Reader, userID, "", p.ID); err != nil {
		return err
	} else if !other {
		return ErrLastPasskey
	}
	if err := tx.DeletePasskey(ctx, userID, credentialID); err != nil {
		return fmt.Errorf("delete passkey %s: %w", p.ID, err)
	}
	if err := dropRecoveryCodes(ctx, tx, userID); err != nil {
		return err
	}
	if err := s.notice(ctx, tx, by, now, userID, mail.FactorRemoved, mail.APasskey); err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "webauthn.credential.deleted", TargetKind: "user", TargetID: userID,
		Details: map[string]string{"passkey": p.ID},
	})
}

// ResetPasskeys takes every passkey of a user away who has lost them, on behalf
// of an operator, and signs them out everywhere. [ErrNoPasskeys] if they have none.
func (s *Service) ResetPasskeys(ctx context.Context, by audit.Actor, userID string) error {
	return s.reset(ctx, by, userID, func(tx *storage.Tx, now time.Time) error {
		n, err := tx.DeletePasskeys(ctx, userID)
		if err != nil {
			return fmt.Errorf("delete the passkeys of %s: %w", userID, err)
		}
		if n == 0 {
			return ErrNoPasskeys
		}
		if err := dropRecoveryCodes(ctx, tx, userID); err != nil {
			return err
		}
		if err := s.notice(ctx, tx, by, now, userID, mail.FactorRemoved, mail.EveryPasskey); err != nil {
			return err
		}
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "webauthn.credential.deleted", Reason: "all", TargetKind: "user", TargetID: userID,
		})
	})
}
