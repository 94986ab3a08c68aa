package account

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"authy/server/audit"
	"authy/storage"
)

// imported is why users and what is theirs came to be, in the audit log, where they came
// from another server.
const imported = "imported"

const (
	// maxForeignCost is the highest cost of a hash that is compared here: such a one takes
	// some seconds.
	maxForeignCost = 16
	bcryptLength   = 60
	maxCredential  = 1023 // bytes of a credential id (Web Authentication, section 4)
	minTOTPSecret  = 10   // bytes: 80 bits, what Google Authenticator began with
	maxTOTPSecret  = 128
)

// HashProblem says why a hash that another server has made cannot be used here, or "".
func HashProblem(hash string) string {
	cost, err := bcrypt.Cost([]byte(hash))
	switch {
	case !IsBcrypt(hash), err != nil, len(hash) != bcryptLength:
		return "the hash is of a scheme that authy does not know"
	case cost > maxForeignCost:
		return fmt.Sprintf("the hash has the cost %d, and takes too long to compare", cost)
	}
	return ""
}

// PasswordProblem is [HashProblem] for the hash of a user's password, which argon2id may have
// made, too. authy makes one of its own of it when the user signs in.
func PasswordProblem(hash string) string {
	if isArgon2id(hash) {
		_, problem := parseArgon2id(hash)
		return problem
	}
	return HashProblem(hash)
}

// ImportUser adds a user of another server, who keeps their id, in tx, with the hash of
// their password or "" for none; source is what the server is called. The address is as
// [ParseEmail] returns it, name and picture as [CleanProfile] does.
func (s *Service) ImportUser(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, source string, u *User, hash string,
) error {
	details := map[string]string{"source": source}
	if err := tx.InsertUser(ctx, u); err != nil {
		return fmt.Errorf("add user %s: %w", u.ID, err)
	}
	if hash != "" {
		details["password"] = "bcrypt"
		if isArgon2id(hash) {
			details["password"] = "argon2id"
		}
		err := tx.SavePassword(ctx, &storage.Password{UserID: u.ID, Hash: hash, ChangedAt: storage.At(now)})
		if err != nil {
			return fmt.Errorf("add password of %s: %w", u.ID, err)
		}
	}
	return recordImport(ctx, tx, by, now, "user.register", u.ID, details)
}

// CleanProfile returns the name and the picture of a user as they are kept, "" for each
// that cannot be, and what is wrong with that.
func CleanProfile(name, picture string) (cleanName, cleanPicture string, problems []string) {
	cleanName, problem := words(maxName)(strings.TrimSpace(name))
	if problem != "" {
		problems = append(problems, "the name was left out: "+problem)
	}
	if picture == "" {
		return cleanName, "", problems
	}
	if cleanPicture, problem = webAddress(picture); problem != "" {
		problems = append(problems, "the address of the picture was left out: "+problem)
	}
	return cleanName, cleanPicture, problems
}

// TOTPSecret reads the secret of an authenticator as apps are given it, in base32.
func TOTPSecret(text string) ([]byte, error) {
	text = strings.ToUpper(strings.TrimRight(strings.ReplaceAll(text, " ", ""), "="))
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil || len(secret) < minTOTPSecret || len(secret) > maxTOTPSecret {
		return nil, errors.New("the secret is not base32 of 80 bits or more") // the cause shows it
	}
	return secret, nil
}

// ImportTOTP gives a user an authenticator that they have confirmed elsewhere, in tx, with
// the bcrypt hashes of the recovery codes that are left.
func (s *Service) ImportTOTP(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time,
	source string, t *storage.TOTP, hashes []string,
) error {
	codes := make([]storage.RecoveryCode, len(hashes))
	for i, hash := range hashes {
		codes[i] = storage.RecoveryCode{Hash: hash, CreatedAt: storage.At(now)}
	}
	err := tx.SaveTOTP(ctx, t)
	if err == nil {
		err = tx.SaveRecoveryCodes(ctx, t.UserID, true, codes)
	}
	if err == nil {
		_, err = tx.ConfirmTOTP(ctx, t.UserID, 0, t.ConfirmedAt.Time)
	}
	if err != nil {
		return fmt.Errorf("add the authenticator of %s: %w", t.UserID, err)
	}
	return recordImport(ctx, tx, by, now, "totp.enroll.completed", t.UserID, map[string]string{"source": source})
}

// CleanPasskey makes what another server says of a passkey what is kept here, or says why
// that cannot be.
func CleanPasskey(p *Passkey) error {
	id, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(p.CredentialID, "="))
	if err != nil || len(id) == 0 || len(id) > maxCredential {
		return errors.New("the credential id is not base64url")
	}
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(p.PublicKey, "="))
	if err != nil {
		return errors.New("the public key is not base64url")
	}
	if err := checkPublicKey(key); err != nil {
		return errors.New("the public key cannot be read: " + err.Error())
	}
	if p.SignCount < 0 {
		return errors.New("the counter is negative")
	}
	p.CredentialID = base64.RawURLEncoding.EncodeToString(id)
	p.PublicKey = base64.RawURLEncoding.EncodeToString(key)
	if p.Name, _ = words(maxPasskeyName)(strings.TrimSpace(p.Name)); p.Name == "" {
		p.Name = "Passkey " + p.CreatedAt.Format(time.DateOnly)
	}
	var known storage.Words
	for _, t := range p.Transports {
		if slices.Contains(transports, t) {
			known = append(known, t)
		}
	}
	p.Transports, p.BackupUnknown = known, true
	model, err := uuid.Parse(p.AAGUID)
	if p.AAGUID = model.String(); err != nil {
		p.AAGUID = ""
	}
	return nil
}

// ImportPasskey gives a user a passkey that they have elsewhere, in tx; see [CleanPasskey].
func (s *Service) ImportPasskey(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, source string, p *Passkey,
) error {
	if err := tx.InsertPasskey(ctx, p); err != nil {
		return fmt.Errorf("add a passkey of %s: %w", p.UserID, err)
	}
	return recordImport(ctx, tx, by, now, "webauthn.register.completed", p.UserID,
		map[string]string{"source": source, "passkey": p.ID})
}

// ImportIdentity links who a user is at a provider, in tx, as another server had it.
func (s *Service) ImportIdentity(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time,
	source string, p *storage.Provider, i *Identity,
) error {
	if err := tx.InsertIdentity(ctx, i); err != nil {
		return fmt.Errorf("link an identity to %s: %w", i.UserID, err)
	}
	return recordImport(ctx, tx, by, now, "user.identity_link", i.UserID,
		map[string]string{"source": source, "provider": p.Slug, "identity_id": i.ID})
}

// recordImport records what an operator has brought from another server; nobody else may.
func recordImport(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, action, userID string, details map[string]string,
) error {
	if by.Kind != audit.Operator {
		return ErrForbidden
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: action, Reason: imported, TargetKind: "user", TargetID: userID, Details: details,
	})
}
