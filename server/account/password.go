package account

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go/data"
	"golang.org/x/text/unicode/norm"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/mail"
	"authy/storage"
)

// ErrChanged is answered to a sign-in by a password that has just been changed.
var ErrChanged = fault.New(fault.Unauthenticated, "password_changed", "Invalid email or password")

const (
	// MinPassword is the least length of a password, in characters.
	MinPassword = 8
	// MaxPassword is the greatest length of a password, in characters.
	MaxPassword = 128
	// maxPasswordBytes bounds the work on input that is no password at all.
	maxPasswordBytes = 4 * MaxPassword
	// commonBases is how many of the commonest passwords are refused with
	// digits and signs around them, too.
	commonBases = 1000
	hashScheme  = "{bcrypt-sha256}"
)

// prehash makes 43 bytes of any password, since bcrypt reads 72 at most. The
// key keeps the result apart from plain SHA-256 sums that leaked elsewhere.
// Passwords are compared in NFC, so that "é" is one letter however it was typed.
func prehash(password string) []byte {
	mac := hmac.New(sha256.New, []byte("authy password v1"))
	mac.Write([]byte(norm.NFC.String(password)))
	return []byte(base64.RawStdEncoding.EncodeToString(mac.Sum(nil)))
}

// CheckSize returns a fault for the named field if password is longer than any
// password can be, so that it need not be hashed to be refused.
func CheckSize(field, password string) error {
	if len(password) > maxPasswordBytes {
		return fault.Field(field, "Longer than maximum length 128.")
	}
	return nil
}

// CheckPolicy returns a fault for the named field if password may not be
// chosen by the user with an address and a name.
func CheckPolicy(field, password, email, name string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case n < MinPassword || n > MaxPassword:
		return fault.Field(field, "Length must be between 8 and 128.")
	case !utf8.ValidString(password) || strings.ContainsRune(password, 0):
		return fault.Field(field, "Not a valid string.")
	case isPersonal(password, email, name):
		return fault.Field(field, "Too easy to guess: it is made of your name or address.")
	case isCommon(password):
		return fault.Field(field, "Too easy to guess: it is one of the passwords that are tried first.")
	}
	return nil
}

// isPersonal says whether password is the address, a part of it, the name or
// the product, with at most digits and signs around it.
func isPersonal(password, email, name string) bool {
	base := trimDecoration(strings.ToLower(password))
	local, host, _ := strings.Cut(email, "@")
	host, _, _ = strings.Cut(host, ".")
	words := append(strings.Fields(strings.ToLower(name)), local, host, "authy", email,
		strings.ToLower(name), strings.ReplaceAll(strings.ToLower(name), " ", ""))
	for _, word := range words {
		core := trimDecoration(word)
		if core != "" && base == core || word != "" && strings.EqualFold(password, word) {
			return true
		}
	}
	return false
}

// isCommon says whether password is among the commonest, or one of the very
// commonest with digits and signs around it, or one character over and over.
func isCommon(password string) bool {
	lower := strings.ToLower(password)
	rank := commonPasswords()
	if _, listed := rank[lower]; listed {
		return true
	}
	if place, listed := rank[trimDecoration(lower)]; listed && place < commonBases {
		return true
	}
	first, size := utf8.DecodeRuneInString(lower)
	return strings.Trim(lower[size:], string(first)) == ""
}

// trimDecoration cuts digits and signs off both ends.
func trimDecoration(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
}

// commonPasswords maps each of the commonest passwords to its place.
var commonPasswords = sync.OnceValue(func() map[string]int {
	var file struct{ List []string }
	text, err := data.Asset("data/Passwords.json")
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err != nil {
		panic("impossible: the list of common passwords is part of the binary: " + err.Error())
	}
	rank := make(map[string]int, len(file.List))
	for i, password := range file.List {
		rank[strings.ToLower(password)] = i
	}
	return rank
})

// Match is a password that was the user's when it was checked.
type Match struct {
	changedAt storage.Time // when it became the user's
	newHash   string       // how to keep it from now on, if not ""
}

// CheckPassword returns a match if password is the user's, and nil if it is
// not. A nil user has none, and the answer takes the same time. The match is
// for [Service.SignedIn]. See [CheckSize] for what is not worth its while.
func (s *Service) CheckPassword(ctx context.Context, user *storage.User, password string) (*Match, error) {
	hash, last, m := "", "", new(Match)
	if user != nil {
		last = user.LastLoginIP
		kept, err := s.db.Password(ctx, user.ID)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, fmt.Errorf("read password of %s: %w", user.ID, err)
		}
		if kept != nil {
			hash, m.changedAt = kept.Hash, kept.ChangedAt
		}
	}
	ok, stale, err := s.hasher.Check(ctx, hash, password, last)
	if err != nil || !ok {
		return nil, err
	}
	if stale {
		m.newHash, err = s.hasher.Hash(ctx, password)
		if err != nil && !errors.Is(err, ErrBusy) { // the next sign-in will do
			return nil, err
		}
	}
	return m, nil
}

// ChangedAt returns when the password that matched became the user's.
func (m *Match) ChangedAt() time.Time { return m.changedAt.Time }

// MatchOf returns the match of a password that became the user's at changedAt,
// for a sign-in that goes on later.
func MatchOf(changedAt time.Time) *Match { return &Match{changedAt: storage.At(changedAt)} }

// SignedIn notes in tx that a user has signed in by m, which is nil for one
// who was made in tx; see [Service.Recheck].
func (s *Service) SignedIn(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, user *storage.User, m *Match,
) error {
	if m != nil {
		if err := s.Recheck(ctx, tx, user.ID, m); err != nil {
			return err
		}
	}
	user.LastLoginAt, user.LastLoginIP = storage.At(now), by.IPAddress
	if err := tx.SaveUser(ctx, user); err != nil {
		return fmt.Errorf("note sign-in of %s: %w", user.ID, err)
	}
	return nil
}

// Recheck is [ErrChanged] if the password has become another since m was
// checked, which takes a while. It replaces a hash that is stale.
func (s *Service) Recheck(ctx context.Context, tx *storage.Tx, userID string, m *Match) error {
	kept, err := tx.Password(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && !kept.ChangedAt.Equal(m.changedAt.Time) {
		return ErrChanged
	}
	if err != nil {
		return fmt.Errorf("read password of %s: %w", userID, err)
	}
	if m.newHash == "" {
		return nil
	}
	return tx.SavePassword(ctx, &storage.Password{UserID: userID, Hash: m.newHash, ChangedAt: m.changedAt})
}

// What a user who changes their own password is told. The messages are the
// contract's.
var (
	ErrWrongPassword = fault.New(fault.Unauthenticated, "wrong_password", "Current password is incorrect")
	ErrNoPassword    = fault.New(fault.Unauthenticated, "no_password", "No password authentication method found")
)

// Prove returns a match if password is the user's. [ErrWrongPassword] if it is
// not, [ErrNoPassword] if they have none.
func (s *Service) Prove(ctx context.Context, user *storage.User, password string) (*Match, error) {
	if _, err := s.db.Password(ctx, user.ID); errors.Is(err, storage.ErrNotFound) {
		return nil, ErrNoPassword
	}
	m, err := s.CheckPassword(ctx, user, password)
	if err == nil && m == nil {
		return nil, ErrWrongPassword
	}
	return m, err
}

// NewPassword is a password that has been checked and hashed, and is not kept yet.
type NewPassword struct{ hash string }

// HashNew hashes a password that a user has chosen, named by field, which
// takes a while: it is done before the transaction.
func (s *Service) HashNew(ctx context.Context, field string, user *storage.User, password string) (*NewPassword, error) {
	if err := CheckPolicy(field, password, user.Email, user.FullName); err != nil {
		return nil, err
	}
	hash, err := s.hasher.Hash(ctx, password)
	return &NewPassword{hash}, err
}

// Replace makes chosen the password of a user in tx. [ErrWrongPassword] if it
// has become another since m was checked; m is nil for who need not know it. What
// was opened by the old one is for the caller to end.
func (s *Service) Replace(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID string, m *Match, chosen *NewPassword,
) error {
	if m != nil {
		kept, err := tx.Password(ctx, userID)
		if errors.Is(err, storage.ErrNotFound) || err == nil && !kept.ChangedAt.Equal(m.changedAt.Time) {
			return ErrWrongPassword
		}
		if err != nil {
			return fmt.Errorf("read password of %s: %w", userID, err)
		}
	}
	if err := keepPassword(ctx, tx, now, userID, chosen.hash); err != nil {
		return err
	}
	if err := s.notice(ctx, tx, by, now, userID, mail.PasswordChanged, ""); err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "user.password_change", TargetKind: "user", TargetID: userID,
	})
}

// KeepHash gives a user who has no password one that is known by its hash alone, as
// bcrypt, argon2id or this server made it, on behalf of an operator. It says whether it did: a
// password that there is stays.
func (s *Service) KeepHash(ctx context.Context, by audit.Actor, userID, hash string) (kept bool, err error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return false, err
	}
	if PasswordProblem(hash) != "" && HashProblem(strings.TrimPrefix(hash, hashScheme)) != "" {
		return false, fault.Field("password_hash", "Must be a hash of bcrypt, such as $2b$12$…, or of argon2id, such as "+
			"$argon2id$v=19$m=65536,t=3,p=4$…, of a cost that takes no longer than a sign-in may.")
	}
	err = s.withUser(ctx, userID, func(tx *storage.Tx, user *User, now time.Time) error {
		has, err := HasPassword(ctx, tx.Reader, userID)
		if kept = !has; err != nil || has {
			return err
		}
		if err := keepPassword(ctx, tx, now, userID, hash); err != nil {
			return err
		}
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "user.password_change", Reason: "first", TargetKind: "user", TargetID: user.ID,
		})
	})
	return kept && err == nil, err
}

// SetPassword sets a user's password on behalf of an operator and ends every
// session and grant they have.
func (s *Service) SetPassword(ctx context.Context, by audit.Actor, userID, password string) error {
	if err := s.mayAdminister(ctx, by); err != nil {
		return err
	}
	user, err := s.Find(ctx, userID)
	if err != nil {
		return err
	}
	if err := CheckPolicy("password", password, user.Email, user.FullName); err != nil {
		return err
	}
	hash, err := s.hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	return s.withUser(ctx, user.ID, func(tx *storage.Tx, user *User, now time.Time) error {
		if err := s.replaceAll(ctx, tx, now, user, hash); err != nil {
			return err
		}
		if err := s.Mail.Notice(ctx, tx, by, now, user, mail.PasswordChanged, ""); err != nil {
			return err
		}
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "user.password_change", TargetKind: "user", TargetID: user.ID,
		})
	})
}
