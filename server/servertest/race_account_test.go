package servertest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/token"
	"authy/storage"
)

// raceAnswers are how those are refused who come second.
var (
	conflict = []string{"409 CONFLICT"}
	badLink  = []string{"400 VALIDATION_ERROR"}
	wrong    = []string{"401 AUTHENTICATION_ERROR"}
)

func accountRaces() []race {
	return []race{
		{"an address registered", raceToRegister},
		{"a reset link", raceToReset},
		{"a verification link", raceToVerify},
		{"a link that makes an account", raceToFinishRegistration},
		{"a link that changes an address", raceToChangeAddress},
		{"two users who want one address", raceForAnAddress},
		{"the last of fifty tokens", raceForTheLastToken},
		{"administrators who unmake each other", raceOfAdministrators},
	}
}

func raceToRegister(k *track) func() heat {
	return func() heat {
		email := k.email("new")
		asks := make([]ask, 4)
		for i, spelled := range []string{email, strings.ToUpper(email), " " + email, email} {
			chosen := fmt.Sprintf("velvet harpoon %d", i)
			asks[i] = ask{method: "POST", path: "/api/v1/auth/register", body: object{
				"email": spelled, "password": chosen, "password_confirm": chosen,
			}}
		}
		return heat{asks, k.oneOf(201, conflict, func(winner int, o outcome) {
			u := k.byEmail(email)
			if u == nil || o.text("user", "id") != u.ID {
				k.t.Fatalf("%s, but the user is %+v", o.Raw, u)
			}
			k.opens(u, fmt.Sprintf("velvet harpoon %d", winner))
			if sessions, err := k.s().DB.Sessions(k.t.Context(), u.ID); err != nil || len(sessions) != 1 {
				k.t.Errorf("%d sessions, %v, want the winner's", len(sessions), err)
			}
		})}
	}
}

// byEmail is the user with an address, nil if there is none.
func (k *track) byEmail(email string) *storage.User {
	k.t.Helper()
	u, err := k.s().DB.UserByEmail(k.t.Context(), email)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	k.must(err)
	return u
}

// opens wants a password to be a user's.
func (k *track) opens(u *storage.User, password string) {
	k.t.Helper()
	match, err := k.s().Accounts.CheckPassword(k.t.Context(), u, password)
	if err != nil || match == nil {
		k.t.Errorf("%s does not have the winner's password, %v", u.Email, err)
	}
}

func raceToReset(k *track) func() heat {
	u := k.keeper("forgetful")
	return func() heat {
		l, err := k.s().Accounts.NewResetLink(k.t.Context(), audit.Shell(), u.ID)
		k.must(err)
		_, secret, _ := strings.Cut(l.Path, "token=")
		asks := make([]ask, 3)
		for i := range asks {
			chosen := fmt.Sprintf("velvet harpoon %d %d", k.round, i)
			asks[i] = ask{method: "POST", path: "/api/v1/auth/reset-password", body: object{
				"token": secret, "password": chosen, "password_confirm": chosen,
			}}
		}
		return heat{asks, k.oneOf(200, badLink, func(winner int, _ outcome) {
			k.opens(u, fmt.Sprintf("velvet harpoon %d %d", k.round, winner))
			k.unlinked(storage.ResetLink, secret)
		})}
	}
}

// link keeps a link as if it had been mailed.
func (k *track) link(l storage.Link) (secret string) {
	k.t.Helper()
	secret, now := storage.NewID(), time.Now()
	l.Hash, l.CreatedAt, l.ExpiresAt = storage.Hash(secret), storage.At(now), storage.At(now.Add(time.Hour))
	k.update(func(tx *storage.Tx) error { return tx.InsertLink(k.t.Context(), &l) })
	return secret
}

// unlinked wants a link to be gone.
func (k *track) unlinked(purpose, secret string) {
	k.t.Helper()
	if _, err := k.s().DB.Link(k.t.Context(), purpose, storage.Hash(secret)); !errors.Is(err, storage.ErrNotFound) {
		k.t.Errorf("the link is still there: %v", err)
	}
}

func raceToVerify(k *track) func() heat {
	return func() heat {
		u, err := k.s().Accounts.Create(k.t.Context(), audit.Shell(), account.NewUser{Email: k.email("new"), NoPassword: true})
		k.must(err)
		secret := k.link(storage.Link{Purpose: storage.VerifyLink, UserID: storage.Ref(u.ID), Email: u.Email})
		one := ask{method: "POST", path: "/api/v1/auth/verify-email", body: object{"token": secret}}
		return heat{same(4, one), k.oneOf(200, badLink, func(int, outcome) {
			if got := k.byEmail(u.Email); got == nil || got.EmailVerifiedAt.IsZero() {
				k.t.Errorf("it is not verified: %+v", got)
			}
			k.unlinked(storage.VerifyLink, secret)
		})}
	}
}

func raceToFinishRegistration(k *track) func() heat {
	return func() heat {
		email := k.email("new")
		data, err := json.Marshal(object{"FullName": "New", "Hash": ""})
		k.must(err)
		secret := k.link(storage.Link{Purpose: storage.RegisterLink, Email: email, Data: data})
		one := ask{method: "POST", path: "/api/v1/auth/verify-email", body: object{"token": secret}}
		return heat{same(4, one), k.oneOf(200, badLink, func(int, outcome) {
			if got := k.byEmail(email); got == nil || got.FullName != "New" {
				k.t.Errorf("the account is %+v", got)
			}
			k.unlinked(storage.RegisterLink, secret)
		})}
	}
}

func raceToChangeAddress(k *track) func() heat {
	return func() heat {
		u, email := k.user("old"), k.email("new")
		secret := k.link(storage.Link{Purpose: storage.ChangeEmailLink, UserID: storage.Ref(u.ID), Email: email})
		one := ask{method: "POST", path: "/api/v1/auth/confirm-email", body: object{"token": secret}}
		return heat{same(4, one), k.oneOf(200, badLink, func(int, outcome) {
			if got, old := k.byEmail(email), k.byEmail(u.Email); got == nil || got.ID != u.ID || old != nil {
				k.t.Errorf("the new address is of %+v, the old one of %+v", got, old)
			}
			k.unlinked(storage.ChangeEmailLink, secret)
		})}
	}
}

func raceForAnAddress(k *track) func() heat {
	return func() heat {
		email := k.email("wanted")
		users := []*storage.User{k.user("one"), k.user("two")}
		var asks []ask
		for _, u := range users {
			secret := k.link(storage.Link{Purpose: storage.ChangeEmailLink, UserID: storage.Ref(u.ID), Email: email})
			asks = append(asks, ask{method: "POST", path: "/api/v1/auth/confirm-email", body: object{"token": secret}})
		}
		return heat{asks, k.oneOf(200, conflict, func(winner int, _ outcome) {
			loser := users[1-winner]
			got, kept := k.byEmail(email), k.byEmail(loser.Email)
			if got == nil || got.ID != users[winner].ID || kept == nil || kept.ID != loser.ID {
				k.t.Errorf("the address is of %+v, and the other has %+v", got, kept)
			}
		})}
	}
}

func raceForTheLastToken(k *track) func() heat {
	u := k.user("robot")
	mine := k.session(u)
	owner := token.Owner{UserID: u.ID}
	for range token.MaxTokens - 1 {
		_, _, err := k.s().Tokens.Make(k.t.Context(), audit.Actor{}.As(u.ID), owner, token.NewToken{
			Name: "t", Scopes: []string{"profile:read"}, Days: 1,
		})
		k.must(err)
	}
	return func() heat {
		one := ask{mine, "POST", tokensPath, object{"name": "last", "scopes": []string{"profile:read"}}}
		return heat{same(4, one), k.oneOf(201, conflict, func(int, outcome) {
			have, err := k.s().DB.APITokensOfUser(k.t.Context(), u.ID)
			if err != nil || len(have) != token.MaxTokens {
				k.t.Fatalf("%d tokens, %v, want %d", len(have), err, token.MaxTokens)
			}
			k.must(k.s().Tokens.Revoke(k.t.Context(), audit.Actor{}.As(u.ID), owner, have[len(have)-1].ID))
		})}
	}
}

func raceOfAdministrators(k *track) func() heat {
	var before []*storage.User
	return func() heat {
		pair, ctx := make([]*storage.User, 2), k.t.Context()
		for i := range pair {
			var err error
			pair[i], err = k.s().Accounts.Create(ctx, audit.Shell(), account.NewUser{
				Email: k.email(fmt.Sprintf("admin%d", i)), NoPassword: true, Admin: true,
			})
			k.must(err)
		}
		for _, u := range before {
			k.must(k.s().Accounts.Delete(ctx, audit.Shell(), u.ID))
		}
		before = pair
		asks := make([]ask, 2)
		for i, u := range pair {
			asks[i] = ask{
				k.session(u), "PATCH", "/api/v1/admin/users/" + url.PathEscape(pair[1-i].ID), object{"is_admin": false},
			}
		}
		refusals := []string{"403 AUTHORIZATION_ERROR", "409 CONFLICT"}
		return heat{asks, k.oneOf(200, refusals, func(winner int, _ outcome) {
			n, err := k.s().DB.CountAdmins(ctx)
			k.must(err)
			// By address: what is kept by id may be a moment old on the other node.
			left, lost := k.byEmail(pair[winner].Email), k.byEmail(pair[1-winner].Email)
			if n != 1 || !left.IsAdmin || lost.IsAdmin {
				k.t.Errorf("%d administrators are left; the winner is one: %v, the loser: %v", n, left.IsAdmin, lost.IsAdmin)
			}
		})}
	}
}
