package account

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/mail"
	"authy/storage"
)

// ErrRecoveryCode is answered to a recovery code that is wrong or was used.
var ErrRecoveryCode = fault.New(fault.Unauthenticated, "invalid_recovery_code", "Invalid backup code")

const (
	recoveryCodes = 10 // in a set
	recoveryBytes = 8  // of a code: 64 bits, 16 digits
)

// newRecoveryCodes returns a set of fresh codes.
func newRecoveryCodes() []string {
	codes := make([]string, recoveryCodes)
	for i := range codes {
		code := make([]byte, recoveryBytes)
		rand.Read(code)
		codes[i] = strings.ToUpper(hex.EncodeToString(code))
	}
	return codes
}

// recoveryHash is how a code is kept. The key makes up for a code that is
// shorter than a token.
func (s *Service) recoveryHash(userID, code string) string {
	return base64.RawURLEncoding.EncodeToString(s.db.MAC("recovery code", userID+" "+strings.ToUpper(code)))
}

// keepRecoveryCodes gives a user codes in place of all that they have, or, if
// pending, of those that wait for an authenticator to be confirmed.
func (s *Service) keepRecoveryCodes(
	ctx context.Context, tx *storage.Tx, now time.Time, userID string, pending bool, codes []string,
) error {
	records := make([]storage.RecoveryCode, len(codes))
	for i, code := range codes {
		records[i] = storage.RecoveryCode{Hash: s.recoveryHash(userID, code), CreatedAt: storage.At(now)}
	}
	if err := tx.SaveRecoveryCodes(ctx, userID, pending, records); err != nil {
		return fmt.Errorf("keep recovery codes of %s: %w", userID, err)
	}
	return nil
}

// RenewRecoveryCodes returns fresh codes for a user, in tx; all earlier ones
// are dead. [ErrNoTOTP] if they have no second factor to stand in for.
func (s *Service) RenewRecoveryCodes(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID string,
) ([]string, error) {
	has, err := FactorsOf(ctx, tx.Reader, userID)
	if err != nil {
		return nil, err
	}
	if !has.Any() {
		return nil, ErrNoTOTP
	}
	codes := newRecoveryCodes()
	if err := s.keepRecoveryCodes(ctx, tx, now, userID, false, codes); err != nil {
		return nil, err
	}
	if err := s.notice(ctx, tx, by, now, userID, mail.RecoveryCodesRenewed, ""); err != nil {
		return nil, err
	}
	return codes, audit.Record(ctx, tx, by, now, audit.Event{
		Action: "totp.backup_codes.regenerated", TargetKind: "user", TargetID: userID,
	})
}

// RecoveryCode is a code that somebody has typed, read and not used yet.
type RecoveryCode struct{ hash string } // how it is kept, if it is one of theirs

// ReadRecoveryCode reads a code of a user. Codes that came from another server are
// compared slowly, so that this is done before the transaction that uses it.
func (s *Service) ReadRecoveryCode(ctx context.Context, userID, code string) (RecoveryCode, error) {
	read := RecoveryCode{hash: s.recoveryHash(userID, code)}
	kept, err := s.db.RecoveryCodes(ctx, userID)
	if err != nil {
		return read, fmt.Errorf("list the recovery codes of %s: %w", userID, err)
	}
	for _, k := range kept {
		if !IsBcrypt(k.Hash) {
			continue
		}
		ok, _, err := s.hasher.Check(ctx, k.Hash, strings.ToUpper(code), "")
		if err != nil {
			return read, err
		}
		if ok {
			return RecoveryCode{hash: k.Hash}, nil
		}
	}
	return read, nil
}

// UseRecoveryCode uses a code up, in tx. [ErrRecoveryCode] if there is no such
// code; the attempt is recorded, so the caller commits all the same.
func (s *Service) UseRecoveryCode(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID string, code RecoveryCode,
) error {
	has, err := FactorsOf(ctx, tx.Reader, userID)
	if err != nil {
		return err
	}
	if !has.Any() {
		return ErrNoTOTP
	}
	used, err := tx.UseRecoveryCode(ctx, userID, code.hash)
	if err != nil {
		return fmt.Errorf("use a recovery code of %s: %w", userID, err)
	}
	if !used {
		return refusal(ErrRecoveryCode, s.wrongCode(ctx, tx, by, now, userID, "backup_code"))
	}
	if err := s.notice(ctx, tx, by, now, userID, mail.RecoveryCodeUsed, ""); err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "totp.backup_code.used", TargetKind: "user", TargetID: userID,
	})
}

// RecoveryCodesLeft returns how many codes a user has left.
func (s *Service) RecoveryCodesLeft(ctx context.Context, userID string) (int, error) {
	left, err := s.db.CountRecoveryCodes(ctx, userID)
	if err != nil {
		return 0, fmt.Errorf("count the recovery codes of %s: %w", userID, err)
	}
	return int(left), nil
}
