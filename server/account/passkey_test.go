package account

import (
	"context"
	"errors"
	"testing"
	"time"

	"authy/server/audit"
	"authy/storage"
	"authy/storage/storagetest"
)

// given adds passkeys to a user, in tx, as if authenticators had made them.
func (s *Service) given(ctx context.Context, tx *storage.Tx, userID string, ids ...string) error {
	for _, id := range ids {
		n := &NewPasskey{challenge: "challenge of " + id, record: storage.Passkey{CredentialID: id, PublicKey: "key"}}
		err := tx.InsertCeremony(ctx, &storage.Ceremony{
			Hash: storage.Hash(n.challenge), Purpose: toRegister, Binding: "session", UserID: storage.Ref(userID),
			CreatedAt: storage.At(time.Now()), ExpiresAt: storage.At(time.Now().Add(time.Minute)),
		})
		if err != nil {
			return err
		}
		if _, _, refused, err := s.AddPasskey(ctx, tx, audit.Shell(), time.Now(), userID, "session", n); err != nil || refused != nil {
			return errors.Join(err, refused)
		}
	}
	return nil
}

func TestTheLastPasskeyOfSomeoneWithoutAPasswordStays(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s, ctx, now := New(db, NewHasher(4)), t.Context(), time.Now()
		u := &storage.User{ID: storage.NewID(), Email: "ada@example.com", Status: storage.Active, CreatedAt: storage.At(now), UpdatedAt: storage.At(now)}
		err := db.Update(ctx, func(tx *storage.Tx) error {
			return errors.Join(tx.InsertUser(ctx, u), s.given(ctx, tx, u.ID, "one", "two"))
		})
		if err != nil {
			t.Fatal(err)
		}
		remove := func(id string) error {
			return db.Update(ctx, func(tx *storage.Tx) error { return s.RemovePasskey(ctx, tx, audit.Shell(), now, u.ID, id) })
		}
		for _, c := range []struct {
			id   string
			want error
		}{{"three", ErrNoPasskey}, {"one", nil}, {"one", ErrNoPasskey}, {"two", ErrLastPasskey}} {
			if err := remove(c.id); !errors.Is(err, c.want) {
				t.Errorf("remove %s: %v, want %v", c.id, err, c.want)
			}
		}
		err = db.Update(ctx, func(tx *storage.Tx) error {
			return tx.SavePassword(ctx, &storage.Password{UserID: u.ID, Hash: "hash", ChangedAt: storage.At(now)})
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := remove("two"); err != nil {
			t.Errorf("with a password beside it: %v", err)
		}
	})
}

// Recovery codes come with the first second factor and go with the last.
func TestRecoveryCodesStandInForAnySecondFactor(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s, ctx := New(db, NewHasher(4)), t.Context()
		u, err := s.Create(ctx, audit.Shell(), NewUser{Email: "ada@example.com", Password: "orchid lantern"})
		if err != nil {
			t.Fatal(err)
		}
		do := func(what string, fn func(tx *storage.Tx) error) {
			t.Helper()
			if err := db.Update(ctx, fn); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		left := func(what string, want int) {
			t.Helper()
			if got, err := s.RecoveryCodesLeft(ctx, u.ID); got != want || err != nil {
				t.Errorf("%s: %d codes, %v, want %d", what, got, err, want)
			}
		}
		use := func(text string) error {
			code, err := s.ReadRecoveryCode(ctx, u.ID, text)
			if err != nil {
				return err
			}
			return db.Update(ctx, func(tx *storage.Tx) error {
				return s.UseRecoveryCode(ctx, tx, audit.Shell(), time.Now(), u.ID, code)
			})
		}
		var first []string
		do("the first passkey", func(tx *storage.Tx) (err error) {
			if err := s.given(ctx, tx, u.ID, "one"); err != nil {
				return err
			}
			first, err = s.RenewRecoveryCodes(ctx, tx, audit.Shell(), time.Now(), u.ID)
			return err
		})
		do("the second passkey", func(tx *storage.Tx) error { return s.given(ctx, tx, u.ID, "two") })
		left("two passkeys", 10)

		var e *Enrollment
		do("enrolment", func(tx *storage.Tx) (err error) {
			e, err = s.EnrollTOTP(ctx, tx, audit.Shell(), time.Now(), u)
			return err
		})
		if err := use(e.RecoveryCodes[0]); !errors.Is(err, ErrRecoveryCode) {
			t.Errorf("a code of an authenticator that is not confirmed: %v", err)
		}
		if err := use(first[0]); err != nil {
			t.Errorf("a code of the passkey, during an enrolment: %v", err)
		}
		left("during an enrolment", 9)
		do("confirmation", func(tx *storage.Tx) error {
			_, err := tx.ConfirmTOTP(ctx, u.ID, 1, time.Now())
			return err
		})
		if err := use(first[1]); !errors.Is(err, ErrRecoveryCode) {
			t.Errorf("a code from before the confirmation: %v", err)
		}
		if err := use(e.RecoveryCodes[0]); err != nil {
			t.Errorf("a code that came with the authenticator: %v", err)
		}
		do("the end of the authenticator", func(tx *storage.Tx) error {
			return s.RemoveTOTP(ctx, tx, audit.Shell(), time.Now(), u.ID)
		})
		left("passkeys alone", 9)
		if err := s.ResetPasskeys(ctx, audit.Shell(), u.ID); err != nil {
			t.Fatal(err)
		}
		left("no second factor", 0)
		if err := s.ResetPasskeys(ctx, audit.Shell(), u.ID); !errors.Is(err, ErrNoPasskeys) {
			t.Errorf("a second time: %v, want %v", err, ErrNoPasskeys)
		}
	})
}

// Input of any kind is refused, and never more than that.
func FuzzPasskeyResponse(f *testing.F) {
	f.Add("eA", "e30", "oA", "eA")
	f.Add("", "!", "////", "\x00")
	party := RelyingPartyOf("https://id.example.com")
	f.Fuzz(func(t *testing.T, id, client, data, signature string) {
		in := &PasskeyResponse{ID: id, RawID: id, Type: publicKey, Response: PasskeyAnswers{
			ClientDataJSON: client, AttestationObject: data, AuthenticatorData: data, Signature: signature,
		}}
		if n, err := party.ReadPasskey(in, ""); err == nil && n.problem == nil {
			t.Errorf("registered: %+v", in)
		}
		if a, err := in.assertion(); err == nil && party.checkAssertion(a) == nil {
			t.Errorf("accepted: %+v", in)
		}
	})
}

func TestTheRelyingPartyIsTheHostOfThePublicURL(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]RelyingParty{
		"https://id.example.com":      {"id.example.com", "https://id.example.com"},
		"https://id.example.com:8443": {"id.example.com", "https://id.example.com:8443"},
		"http://localhost:5000":       {"localhost", "http://localhost:5000"},
		"://":                         {},
	} {
		if got := RelyingPartyOf(address); got != want {
			t.Errorf("RelyingPartyOf(%s) = %v, want %v", address, got, want)
		}
	}
}
