package account

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6238, section 1.2: what every authenticator app computes
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/mail"
	"authy/server/steady"
	"authy/storage"
)

// What is refused about authenticators. The messages are the contract's.
var (
	ErrTOTPEnabled  = fault.New(fault.Conflict, "totp_enabled", "TOTP is already enabled for this account")
	ErrNoTOTP       = fault.New(fault.Unauthenticated, "totp_not_enabled", "TOTP is not enabled for this account")
	ErrNoEnrollment = fault.New(fault.Unauthenticated, "totp_not_enrolled", "TOTP enrollment not found")
	ErrTOTPCode     = fault.New(fault.Unauthenticated, "invalid_totp_code", "Invalid TOTP code")
)

const (
	totpSecret = 20 // bytes, RFC 4226, section 4, requirement 6
	totpPeriod = 30 // seconds
	totpDigits = 6
)

// totpBack is how many steps before the present one are accepted too, for the
// way a code takes from one screen to another (RFC 6238, section 5.2). A step
// to come is not: a code works for a minute at most.
const totpBack = 1

// hotp returns the code of a secret for a counter (RFC 4226, section 5.3).
func hotp(secret []byte, counter int64) string {
	mac := hmac.New(sha1.New, secret)
	_ = binary.Write(mac, binary.BigEndian, counter) // a hash takes everything
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	value := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", totpDigits, value%1_000_000)
}

// matchTOTP returns the step at now, or shortly before, whose code this is;
// false if there is none after last, the latest step that was used.
func matchTOTP(secret []byte, code string, now time.Time, last int64) (step int64, ok bool) {
	present := now.Unix() / totpPeriod
	for s := present - totpBack; s <= present; s++ {
		same := subtle.ConstantTimeCompare([]byte(hotp(secret, s)), []byte(code)) == 1
		if same && s > last {
			step, ok = s, true
		}
	}
	return step, ok
}

// Enrollment is an authenticator to be set up. It is shown this once.
type Enrollment struct {
	Secret        string // base32
	URI           string // what the QR code says
	RecoveryCodes []string
}

// EnrollTOTP gives a user a new authenticator in tx, which counts from the
// moment it is confirmed, and so do its recovery codes, in place of any that
// the user has for their passkeys. [ErrTOTPEnabled] if they have one.
func (s *Service) EnrollTOTP(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, user *User,
) (*Enrollment, error) {
	secret := make([]byte, totpSecret)
	rand.Read(secret)
	codes := newRecoveryCodes()
	err := tx.SaveTOTP(ctx, &storage.TOTP{UserID: user.ID, Secret: secret, CreatedAt: storage.At(now)})
	if errors.Is(err, storage.ErrTaken) {
		return nil, ErrTOTPEnabled
	}
	if err != nil {
		return nil, fmt.Errorf("enrol an authenticator of %s: %w", user.ID, err)
	}
	if err := s.keepRecoveryCodes(ctx, tx, now, user.ID, true, codes); err != nil {
		return nil, err
	}
	server, err := tx.Branding(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what the server is called: %w", err)
	}
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	e := &Enrollment{Secret: text, URI: provisioningURI(server.Name, user.Email, text), RecoveryCodes: codes}
	return e, audit.Record(ctx, tx, by, now, audit.Event{
		Action: "totp.enroll.initiated", TargetKind: "user", TargetID: user.ID,
	})
}

// provisioningURI is what the QR code says. A colon separates issuer and account there, so
// that neither has one.
func provisioningURI(issuer, email, secret string) string {
	issuer = strings.ReplaceAll(issuer, ":", "")
	query := url.Values{"secret": {secret}, "issuer": {issuer}}
	return "otpauth://totp/" + url.PathEscape(issuer) + ":" + url.PathEscape(email) + "?" +
		strings.ReplaceAll(query.Encode(), "+", "%20") // apps show a plus as one
}

// ConfirmTOTP makes the authenticator count that was enrolled last, by a code
// of it. [ErrNoEnrollment] if none waits for that, [ErrTOTPCode] for another code.
func (s *Service) ConfirmTOTP(ctx context.Context, by audit.Actor, userID, code string) error {
	now := steady.Now()
	event := audit.Event{Action: "totp.enroll.completed", TargetKind: "user", TargetID: userID}
	var refused error
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		refused = nil
		t, err := tx.TOTP(ctx, userID)
		if errors.Is(err, storage.ErrNotFound) || err == nil && !t.ConfirmedAt.IsZero() {
			return ErrNoEnrollment
		}
		if err != nil {
			return fmt.Errorf("read the authenticator of %s: %w", userID, err)
		}
		step, ok := matchTOTP(t.Secret, code, now, t.LastStep)
		if !ok {
			refused = ErrTOTPCode
			return s.wrongCode(ctx, tx, by, now, userID, "enrollment")
		}
		if _, err := tx.ConfirmTOTP(ctx, userID, step, now); err != nil {
			return fmt.Errorf("confirm the authenticator of %s: %w", userID, err)
		}
		if err := s.notice(ctx, tx, by, now, userID, mail.FactorAdded, mail.AnAuthenticator); err != nil {
			return err
		}
		return audit.Record(ctx, tx, by, now, event)
	})
	if err != nil {
		return err
	}
	return refused
}

func (s *Service) wrongCode(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID, reason string,
) error {
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "totp.verify.failed", Failed: true, Reason: reason, TargetKind: "user", TargetID: userID,
	})
}

// hasTOTP says whether a user signs in with an authenticator, too.
func hasTOTP(ctx context.Context, r storage.Reader, userID string) (bool, error) {
	t, err := r.TOTP(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the authenticator of %s: %w", userID, err)
	}
	return !t.ConfirmedAt.IsZero(), nil
}

// UseTOTP uses a code up, in tx. [ErrTOTPCode] if it is wrong or was used; the
// attempt is recorded, so the caller commits all the same.
func (s *Service) UseTOTP(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID, code string,
) error {
	t, err := tx.TOTP(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && t.ConfirmedAt.IsZero() {
		return ErrNoTOTP
	}
	if err != nil {
		return fmt.Errorf("read the authenticator of %s: %w", userID, err)
	}
	step, ok := matchTOTP(t.Secret, code, now, t.LastStep)
	if ok {
		if ok, err = tx.UseTOTP(ctx, userID, step); err != nil {
			return fmt.Errorf("use a code of %s: %w", userID, err)
		}
	}
	if !ok {
		return refusal(ErrTOTPCode, s.wrongCode(ctx, tx, by, now, userID, "totp"))
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "totp.verify.success", TargetKind: "user", TargetID: userID,
	})
}

// refusal is what the user is told, unless it could not be recorded.
func refusal(told, recorded error) error {
	if recorded != nil {
		return recorded
	}
	return told
}

// RemoveTOTP takes a user's authenticator away, in tx, and with their last
// second factor their recovery codes. [ErrNoTOTP] if they have none.
func (s *Service) RemoveTOTP(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID string,
) error {
	had, err := tx.DeleteTOTP(ctx, userID)
	if err != nil {
		return fmt.Errorf("remove the authenticator of %s: %w", userID, err)
	}
	if !had {
		return ErrNoTOTP
	}
	if err := tx.SaveRecoveryCodes(ctx, userID, true, nil); err != nil {
		return fmt.Errorf("drop the recovery codes of %s: %w", userID, err)
	}
	if err := dropRecoveryCodes(ctx, tx, userID); err != nil {
		return err
	}
	if err := s.notice(ctx, tx, by, now, userID, mail.FactorRemoved, mail.AnAuthenticator); err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "totp.disabled", TargetKind: "user", TargetID: userID,
	})
}

// ResetTOTP takes the authenticator of a user away who has lost it, on behalf
// of an operator, and signs them out everywhere.
func (s *Service) ResetTOTP(ctx context.Context, by audit.Actor, userID string) error {
	return s.reset(ctx, by, userID, func(tx *storage.Tx, now time.Time) error {
		return s.RemoveTOTP(ctx, tx, by, now, userID)
	})
}

// TOTPStatus is what a user is told of their authenticator.
type TOTPStatus struct {
	Enabled       bool
	ConfirmedAt   time.Time
	RecoveryCodes int // how many are left
}

// TOTPStatus returns whether a user has an authenticator.
func (s *Service) TOTPStatus(ctx context.Context, userID string) (*TOTPStatus, error) {
	t, err := s.db.TOTP(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && t.ConfirmedAt.IsZero() {
		return &TOTPStatus{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the authenticator of %s: %w", userID, err)
	}
	left, err := s.RecoveryCodesLeft(ctx, userID)
	if err != nil {
		return nil, err
	}
	return &TOTPStatus{Enabled: true, ConfirmedAt: t.ConfirmedAt.Time, RecoveryCodes: left}, nil
}
