package login

import (
	"errors"
	"testing"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/session"
	"authy/storage"
	"authy/storage/storagetest"
)

const phrase = "orchid lantern"

// machine is a sign-in machine with a user who has an authenticator.
func machine(t *testing.T, db *storage.DB) (*Service, *storage.User, []string) {
	t.Helper()
	accounts := account.New(db, account.NewHasher(4))
	s := New(db, accounts, session.New(db, time.Hour, time.Hour), nil, Config{})
	ctx := t.Context()
	user, err := accounts.Create(ctx, audit.Shell(), account.NewUser{Email: "ada@example.com", Password: phrase})
	if err != nil {
		t.Fatal(err)
	}
	var e *account.Enrollment
	err = db.Update(ctx, func(tx *storage.Tx) error {
		if e, err = accounts.EnrollTOTP(ctx, tx, audit.Shell(), time.Now(), user); err != nil {
			return err
		}
		_, err := tx.ConfirmTOTP(ctx, user.ID, 1, time.Now())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, user, e.RecoveryCodes
}

// A door that forgets to ask makes no session.
func TestNoSessionBeginsWithoutTheSecondFactor(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	s, user, _ := machine(t, db)
	for _, c := range []struct {
		second bool
		want   error
	}{{false, errSecondFactor}, {true, nil}} {
		proved := proof{user: user, methods: []string{"pwd"}, second: c.second}
		err := db.Update(t.Context(), func(tx *storage.Tx) error {
			return s.begin(t.Context(), tx, audit.Shell(), time.Now(), proved, session.API, false, new(Result))
		})
		if !errors.Is(err, c.want) {
			t.Errorf("begin, second factor %v: %v, want %v", c.second, err, c.want)
		}
		live, err := db.LiveSessions(t.Context(), user.ID, time.Now(), "", 100)
		if err != nil || (len(live) > 0) != c.second {
			t.Errorf("second factor %v: %d sessions, %v", c.second, len(live), err)
		}
	}
}

func TestAPendingSignInGoesOnWhereItBeganAndInItsTime(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	s, user, codes := machine(t, db)
	ctx, now := t.Context(), time.Now()
	password, err := db.Password(ctx, user.ID)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		name   string
		change func(f *storage.FirstFactor)
		want   error
	}{
		{"as it is", func(*storage.FirstFactor) {}, nil},
		{"at its end", func(f *storage.FirstFactor) { f.ExpiresAt = storage.At(now) }, ErrPending},
		{"of a browser", func(f *storage.FirstFactor) { f.Kind = session.Web }, ErrPending},
		{"after five guesses", func(f *storage.FirstFactor) { f.Guesses = 5 }, ErrPending},
		{"after four", func(f *storage.FirstFactor) { f.Guesses = 4 }, nil},
		{"by a password that was changed", func(f *storage.FirstFactor) {
			f.PasswordChangedAt = storage.At(f.PasswordChangedAt.Add(-time.Millisecond))
		}, account.ErrChanged},
	} {
		token := "token of " + c.name
		f := &storage.FirstFactor{
			Hash: storage.Hash(token), UserID: user.ID, Kind: session.API, Methods: storage.Words{"pwd"},
			PasswordChangedAt: password.ChangedAt, CreatedAt: storage.At(now), ExpiresAt: storage.At(now.Add(time.Minute)),
		}
		c.change(f)
		err := db.Update(ctx, func(tx *storage.Tx) error { return tx.InsertFirstFactor(ctx, f) })
		if err != nil {
			t.Fatal(err)
		}
		result, err := s.ProgramSecondFactor(ctx, audit.Shell(), token, Code{Text: codes[i], Recovery: true})
		if !errors.Is(err, c.want) || (result != nil) != (c.want == nil) {
			t.Errorf("%s: %v, %v, want %v", c.name, result, err, c.want)
		}
	}
	if got, err := s.accounts.TOTPStatus(ctx, user.ID); err != nil || got.RecoveryCodes != 8 {
		t.Errorf("%+v, %v: want the codes of refused sign-ins kept", got, err)
	}
}
