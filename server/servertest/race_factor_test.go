package servertest_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/login"
	"authy/server/servertest"
	"authy/storage"
)

func factorRaces() []race {
	return []race{
		{"a recovery code", raceForARecoveryCode},
		{"a code of an authenticator", raceForACode},
		{"a sign-in that waits for its second factor", raceForAPendingSignIn},
		{"a challenge for passkeys", raceForAChallenge},
		{"the last passkeys deleted", raceForTheLastPasskey},
	}
}

const totpVerifyPath = "/api/v1/auth/totp/verify"

// guarded is a user with a password, an authenticator and recovery codes.
type guarded struct {
	*storage.User
	k      *track
	secret []byte
	codes  []string
}

func (k *track) guarded() *guarded {
	k.t.Helper()
	g := &guarded{User: k.keeper("guarded"), k: k, secret: make([]byte, 20)}
	rand.Read(g.secret)
	g.anew()
	return g
}

// anew gives the user an authenticator of which no code has been used.
func (g *guarded) anew() {
	g.k.t.Helper()
	ctx, now := g.k.t.Context(), time.Now()
	g.k.update(func(tx *storage.Tx) error {
		_, err := tx.DeleteTOTP(ctx, g.ID)
		if err == nil {
			err = tx.SaveTOTP(ctx, &storage.TOTP{UserID: g.ID, Secret: g.secret, CreatedAt: storage.At(now)})
		}
		if err == nil {
			_, err = tx.ConfirmTOTP(ctx, g.ID, 1, now)
		}
		return err
	})
}

// stock sees that the user has so many recovery codes.
func (g *guarded) stock(n int) {
	g.k.t.Helper()
	if len(g.codes) >= n {
		return
	}
	g.k.update(func(tx *storage.Tx) (err error) {
		g.codes, err = g.k.s().Accounts.RenewRecoveryCodes(g.k.t.Context(), tx, audit.Shell(), time.Now(), g.ID)
		return err
	})
}

// pending sends the password, and returns the token that goes on.
func (g *guarded) pending() string {
	g.k.t.Helper()
	_, p, err := g.k.s().Login.Program(g.k.t.Context(), audit.Actor{}, login.Credentials{Email: g.Email, Password: passphrase})
	g.k.must(err)
	return p.Token
}

// left wants the user to have as many recovery codes as are known.
func (g *guarded) left() {
	g.k.t.Helper()
	if n, err := g.k.s().DB.CountRecoveryCodes(g.k.t.Context(), g.ID); err != nil || n != int64(len(g.codes)) {
		g.k.t.Errorf("%d recovery codes are left, %v, want %d", n, err, len(g.codes))
	}
}

func raceForARecoveryCode(k *track) func() heat {
	g := k.guarded()
	return func() heat {
		g.stock(1)
		asks := make([]ask, 3)
		for i := range asks {
			asks[i] = ask{method: "POST", path: totpVerifyPath, body: object{
				"pending_token": g.pending(), "code": g.codes[0], "is_backup_code": true,
			}}
		}
		return heat{asks, k.oneOf(200, wrong, func(int, outcome) {
			g.codes = g.codes[1:]
			g.left()
		})}
	}
}

func raceForACode(k *track) func() heat {
	g := k.guarded()
	return func() heat {
		g.anew()
		now := time.Now()
		asks := make([]ask, 3)
		for i := range asks {
			asks[i] = ask{method: "POST", path: totpVerifyPath, body: object{
				"pending_token": g.pending(), "code": servertest.TOTP(g.secret, now),
			}}
		}
		return heat{asks, k.oneOf(200, wrong, func(int, outcome) {
			got, err := k.s().DB.TOTP(k.t.Context(), g.ID)
			k.must(err)
			if got.LastStep != now.Unix()/30 {
				k.t.Errorf("the last step is %d, want %d", got.LastStep, now.Unix()/30)
			}
		})}
	}
}

// Each of those who ask has a code that is right; the codes of those who come
// second are not used up.
func raceForAPendingSignIn(k *track) func() heat {
	g := k.guarded()
	return func() heat {
		g.stock(3)
		pending := g.pending()
		asks := make([]ask, 3)
		for i := range asks {
			asks[i] = ask{method: "POST", path: totpVerifyPath, body: object{
				"pending_token": pending, "code": g.codes[i], "is_backup_code": true,
			}}
		}
		return heat{asks, k.oneOf(200, wrong, func(winner int, _ outcome) {
			g.codes = append(g.codes[:winner:winner], g.codes[winner+1:]...)
			g.left()
			_, err := k.s().DB.FirstFactor(k.t.Context(), storage.Hash(pending))
			if !errors.Is(err, storage.ErrNotFound) {
				k.t.Errorf("it waits still: %v", err)
			}
		})}
	}
}

// passkey gives a user a passkey.
func (k *track) passkey(u *storage.User) *servertest.Authenticator {
	k.t.Helper()
	a := newKey(k.t, k.s(), servertest.ES256)
	token := k.session(u)
	begin := caller{t: k.t, s: k.s(), token: token}
	o, _ := begin.options("/api/v1/auth/webauthn/register/begin", object{})
	handle, err := base64.RawURLEncoding.DecodeString(o.text("user", "id"))
	k.must(err)
	begin.call("POST", "/api/v1/auth/webauthn/register/complete", a.Create(o.text("challenge"), handle)).
		succeeded(201, registerMessage)
	return a
}

func raceForAChallenge(k *track) func() heat {
	u := k.user("keyed")
	a := k.passkey(u)
	return func() heat {
		o, _ := caller{t: k.t, s: k.s()}.options("/api/v1/auth/webauthn/login/begin", object{})
		body := a.Get(o.text("challenge"))
		body["ceremony_token"] = o.text("ceremony_token")
		one := ask{method: "POST", path: "/api/v1/auth/webauthn/login/complete", body: body}
		return heat{same(4, one), k.oneOf(200, wrong, func(_ int, o outcome) {
			hash := storage.Hash(o.text("token"))
			if s, err := k.s().DB.SessionByToken(k.t.Context(), hash); err != nil || s.UserID != u.ID {
				k.t.Errorf("the session is %+v, %v", s, err)
			}
		})}
	}
}

// Whoever has no password keeps one of two passkeys.
func raceForTheLastPasskey(k *track) func() heat {
	return func() heat {
		u, now := k.user("keyed"), storage.At(time.Now())
		var asks []ask
		token := k.session(u)
		for range 2 {
			p := &storage.Passkey{
				ID: storage.NewID(), UserID: u.ID, CredentialID: rand.Text(), PublicKey: "none", Name: "Key",
				UserVerified: true, CreatedAt: now,
			}
			k.update(func(tx *storage.Tx) error { return tx.InsertPasskey(k.t.Context(), p) })
			asks = append(asks, same(2, ask{token, "DELETE", keysPath + "/" + p.CredentialID, nil})...)
		}
		refusals := []string{"404 NOT_FOUND", "400 BAD_REQUEST"}
		return heat{asks, k.oneOf(200, refusals, func(int, outcome) {
			n, err := k.s().DB.CountPasskeys(k.t.Context(), u.ID)
			if has, err := account.FactorsOf(k.t.Context(), k.s().DB.Reader, u.ID); err != nil || !has.Any() {
				k.t.Errorf("no passkey is left, %v", err)
			}
			if err != nil || n != 1 {
				k.t.Errorf("%d passkeys are left, %v, want 1", n, err)
			}
		})}
	}
}
