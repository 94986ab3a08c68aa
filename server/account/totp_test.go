package account

import (
	"encoding/base32"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

// RFC 4226, appendix D, and RFC 6238, appendix B; the latter's codes have eight
// digits, of which the last six are ours.
var rfcSecret = []byte("12345678901234567890")

func TestHOTPOfRFC4226(t *testing.T) {
	t.Parallel()
	for counter, want := range []string{
		"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
	} {
		if got := hotp(rfcSecret, int64(counter)); got != want {
			t.Errorf("hotp(%d) = %s, want %s", counter, got, want)
		}
	}
}

func TestTOTPOfRFC6238(t *testing.T) {
	t.Parallel()
	for at, code := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924",
		2000000000: "69279037", 20000000000: "65353130",
	} {
		step, ok := matchTOTP(rfcSecret, code[2:], time.Unix(at, 0), 0)
		if !ok || step != at/30 {
			t.Errorf("matchTOTP(%s) at %d = %d, %v, want %d", code[2:], at, step, ok, at/30)
		}
	}
}

func TestWhichCodesMatch(t *testing.T) {
	t.Parallel()
	const present = 50_000
	now := time.Unix(present*30+29, 0)
	code := func(step int64) string { return hotp(rfcSecret, step) }
	for _, c := range []struct {
		name, code string
		last, want int64 // 0 wants none
	}{
		{"the present one", code(present), 0, present},
		{"the one before", code(present - 1), 0, present - 1},
		{"two before", code(present - 2), 0, 0},
		{"the one to come", code(present + 1), 0, 0},
		{"the present one, used", code(present), present, 0},
		{"the one before, used", code(present - 1), present - 1, 0},
		{"the one before, after the present one", code(present - 1), present, 0},
		{"the present one, after the one before", code(present), present - 1, present},
		{"nothing", "", 0, 0},
		{"too few digits", code(present)[1:], 0, 0},
		{"too many", "0" + code(present), 0, 0},
		{"other digits", strings.Repeat("٣", 6), 0, 0},
	} {
		step, ok := matchTOTP(rfcSecret, c.code, now, c.last)
		if step != c.want || ok != (c.want != 0) {
			t.Errorf("%s: %d, %v, want %d", c.name, step, ok, c.want)
		}
	}
}

func TestTheURIOfAnAuthenticator(t *testing.T) {
	t.Parallel()
	got := provisioningURI("authy", "a+b/c?d@example.com", "ABC")
	u, err := url.Parse(got)
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/authy:a+b/c?d@example.com" ||
		u.Query().Get("secret") != "ABC" || u.Query().Get("issuer") != "authy" {
		t.Errorf("URI %s: %v", got, err)
	}
}

// tryEnrol gives a user an authenticator in a transaction of its own.
func (b bench) tryEnrol(u *storage.User) (e *Enrollment, err error) {
	ctx := b.t.Context()
	err = b.db.Update(ctx, func(tx *storage.Tx) error {
		e, err = b.EnrollTOTP(ctx, tx, audit.Shell().As(u.ID), time.Now(), u)
		return err
	})
	return e, err
}

// enrol gives a user an authenticator and returns its secret and recovery codes.
func (b bench) enrol(u *storage.User) (secret []byte, codes []string) {
	b.t.Helper()
	e, err := b.tryEnrol(u)
	if err != nil {
		b.t.Fatal(err)
	}
	secret, err = base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(e.Secret)
	if err != nil || len(secret) != 20 || len(e.Secret) != 32 {
		b.t.Fatalf("secret %q: %v", e.Secret, err)
	}
	return secret, e.RecoveryCodes
}

// codeAt is the code of a secret n steps from it.
func codeAt(secret []byte, n int64) string { return hotp(secret, time.Now().Unix()/30+n) }

// confirm confirms an authenticator by the code before the present one, so
// that the present one is still good.
func (b bench) confirm(u *storage.User, secret []byte) {
	b.t.Helper()
	if left := 30 - time.Now().Unix()%30; left < 3 {
		time.Sleep(time.Duration(left) * time.Second) // a code that is about to age proves nothing
	}
	err := b.ConfirmTOTP(b.t.Context(), audit.Shell().As(u.ID), u.ID, codeAt(secret, -1))
	if err != nil {
		b.t.Fatal(err)
	}
}

// try uses a code at a time, and commits.
func (b bench) try(u *storage.User, code string, now time.Time, recovery bool) (told error) {
	b.t.Helper()
	read, err := b.ReadRecoveryCode(b.t.Context(), u.ID, code)
	if err != nil {
		b.t.Fatal(err)
	}
	b.update(func(tx *storage.Tx) error {
		if recovery {
			told = b.UseRecoveryCode(b.t.Context(), tx, audit.Shell(), now, u.ID, read)
		} else {
			told = b.UseTOTP(b.t.Context(), tx, audit.Shell(), now, u.ID, code)
		}
		if _, refused := fault.As(told); refused {
			return nil
		}
		return told
	})
	return told
}

func TestAnAuthenticatorCountsFromItsConfirmation(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		u, ctx := b.create("ada@example.com"), b.t.Context()
		by := audit.Shell().As(u.ID)
		if err := b.ConfirmTOTP(ctx, by, u.ID, "123456"); !errors.Is(err, ErrNoEnrollment) {
			b.t.Errorf("confirming nothing: %v", err)
		}
		first, _ := b.enrol(u)
		second, codes := b.enrol(u)
		if has, err := FactorsOf(ctx, b.db.Reader, u.ID); has.Any() || err != nil {
			b.t.Errorf("FactorsOf() = %v, %v before the confirmation", has, err)
		}
		if err := b.try(u, codeAt(second, 0), time.Now(), false); !errors.Is(err, ErrNoTOTP) {
			b.t.Errorf("a code before the confirmation: %v", err)
		}
		if err := b.try(u, codes[0], time.Now(), true); !errors.Is(err, ErrNoTOTP) {
			b.t.Errorf("a recovery code before the confirmation: %v", err)
		}
		if err := b.ConfirmTOTP(ctx, by, u.ID, codeAt(first, 0)); !errors.Is(err, ErrTOTPCode) {
			b.t.Errorf("a code of the enrolment before: %v", err)
		}
		b.confirm(u, second)
		if err := b.ConfirmTOTP(ctx, by, u.ID, codeAt(second, 0)); !errors.Is(err, ErrNoEnrollment) {
			b.t.Errorf("confirming again: %v", err)
		}
		if _, err := b.tryEnrol(u); !errors.Is(err, ErrTOTPEnabled) {
			b.t.Errorf("enrolling again: %v", err)
		}
		got, err := b.TOTPStatus(ctx, u.ID)
		if err != nil || !got.Enabled || got.RecoveryCodes != 10 || time.Since(got.ConfirmedAt) > time.Minute {
			b.t.Errorf("TOTPStatus() = %+v, %v", got, err)
		}
		want := []string{
			"user.register success", "totp.enroll.initiated success", "totp.enroll.initiated success",
			"totp.verify.failed failure", "totp.enroll.completed success",
		}
		if diff := cmp.Diff(want, b.actions()); diff != "" {
			b.t.Errorf("recorded (-want +got):\n%s", diff)
		}
	})
}

func TestACodeWorksOnce(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		u := b.create("ada@example.com")
		secret, _ := b.enrol(u)
		b.confirm(u, secret)
		now := time.Now().Add(time.Hour) // far from the code that confirmed
		step := now.Unix() / 30
		for _, c := range []struct {
			name string
			step int64
			want error
		}{
			{"a code of the future", step + 1, ErrTOTPCode},
			{"a code", step, nil},
			{"the same", step, ErrTOTPCode},
			{"the one before", step - 1, ErrTOTPCode},
		} {
			if err := b.try(u, hotp(secret, c.step), now, false); !errors.Is(err, c.want) {
				b.t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		}
		if err := b.try(u, hotp(secret, step+1), now.Add(30*time.Second), false); err != nil {
			b.t.Errorf("the next code in its time: %v", err)
		}
	})
}

func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		u, other := b.create("ada@example.com"), b.create("eve@example.com")
		secret, codes := b.enrol(u)
		b.confirm(u, secret)
		secret, foreign := b.enrol(other)
		b.confirm(other, secret)
		seen := map[string]bool{}
		for _, code := range codes {
			if raw, err := hex.DecodeString(code); err != nil || len(raw) != 8 || strings.ToUpper(code) != code || seen[code] {
				b.t.Errorf("code %q: %v", code, err)
			}
			seen[code] = true
		}
		for _, c := range []struct {
			name, code string
			want       error
		}{
			{"a code", codes[0], nil},
			{"the same", codes[0], ErrRecoveryCode},
			{"in small letters", strings.ToLower(codes[1]), nil},
			{"someone else's", foreign[0], ErrRecoveryCode},
			{"none", "", ErrRecoveryCode},
		} {
			if err := b.try(u, c.code, time.Now(), true); !errors.Is(err, c.want) {
				b.t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		}
		var fresh []string
		b.update(func(tx *storage.Tx) (err error) {
			fresh, err = b.RenewRecoveryCodes(b.t.Context(), tx, audit.Shell(), time.Now(), u.ID)
			return err
		})
		if err := b.try(u, codes[2], time.Now(), true); !errors.Is(err, ErrRecoveryCode) {
			b.t.Errorf("a code of the set before: %v", err)
		}
		if err := b.try(u, fresh[2], time.Now(), true); err != nil {
			b.t.Errorf("a fresh code: %v", err)
		}
		if got, err := b.TOTPStatus(b.t.Context(), u.ID); err != nil || got.RecoveryCodes != 9 {
			b.t.Errorf("TOTPStatus() = %+v, %v, want 9 left", got, err)
		}
	})
}

func TestOnlyAnOperatorTakesAnothersAuthenticatorAway(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		u, other, ctx := b.create("ada@example.com"), b.create("eve@example.com"), b.t.Context()
		secret, _ := b.enrol(u)
		b.confirm(u, secret)
		if err := b.ResetTOTP(ctx, audit.Shell().As(other.ID), u.ID); !errors.Is(err, ErrForbidden) {
			b.t.Errorf("by another user: %v", err)
		}
		if err := b.ResetTOTP(ctx, audit.Shell(), other.ID); !errors.Is(err, ErrNoTOTP) {
			b.t.Errorf("of someone who has none: %v", err)
		}
		if err := b.ResetTOTP(ctx, audit.Shell(), u.ID); err != nil {
			b.t.Fatal(err)
		}
		if has, err := FactorsOf(ctx, b.db.Reader, u.ID); has.Any() || err != nil {
			b.t.Errorf("FactorsOf() = %v, %v afterwards", has, err)
		}
		if got, err := b.db.User(ctx, u.ID); err != nil || got.SignedOutAt.IsZero() {
			b.t.Errorf("not signed out: %+v, %v", got, err)
		}
		if got, err := b.db.User(ctx, other.ID); err != nil || !got.SignedOutAt.IsZero() {
			b.t.Errorf("someone who has none was signed out: %+v, %v", got, err)
		}
		actions := b.actions()
		if got := actions[len(actions)-1]; got != "totp.disabled success" {
			b.t.Errorf("recorded last: %s", got)
		}
	})
}
