package servertest_test

import (
	"testing"

	"authy/server/config"
	"authy/server/servertest"
)

const (
	afterFailures = "A sign-in after many attempts"
	halfSubject   = "Somebody knows your password"
)

// fail tries wrong passwords of bob's.
func fail(t *testing.T, s *servertest.Server, times int) {
	t.Helper()
	for range times {
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": "a guess"}).
			failed(401, "AUTHENTICATION_ERROR", "")
	}
}

// V6-14: told once, when a sign-in succeeds, and only after many failures.
func TestASignInAfterManyFailuresIsTold(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		fail(t, s, 6)
		logIn(t, s, bob, bobPass) // the first of all, of which nothing is said
		fail(t, s, 4)
		logIn(t, s, bob, bobPass)
		fail(t, s, 5)
		if sent := box.Subjects(); len(sent) > 0 {
			t.Errorf("sent before the sign-in: %q", sent)
		}
		logIn(t, s, bob, bobPass)
		if l := box.Next(t, bob, afterFailures); l.Link() != "" {
			t.Errorf("it has the link %s", l.Link())
		}
		p := logIn(t, s, bob, bobPass) // not again

		// Wrong codes count as well as wrong passwords.
		a := enrolled(t, p)
		box.Next(t, bob, "You can sign in with an authenticator app now")
		fail(t, s, 3)
		pending := half(t, s)
		for range 2 {
			verify(t, s, pending, "000000").failed(401, "AUTHENTICATION_ERROR", wrongCode)
		}
		verify(t, s, pending, a.code(0)).succeeded(200, "TOTP verification successful")
		box.Next(t, bob, afterFailures)

		// A passkey is told of them, too.
		verified := caller{t: t, s: s, token: verify(t, s, half(t, s), a.recovery[0], "is_backup_code", true).text("token")}
		box.Next(t, bob, "A recovery code was used")
		key := newKey(t, s, servertest.ES256)
		registerKey(verified, key).succeeded(201, registerMessage)
		box.Next(t, bob, "You can sign in with a passkey now")
		fail(t, s, 5)
		beginKey(t, s, object{}).complete(key).succeeded(200, "Login successful")
		box.Next(t, bob, afterFailures)
		if sent := box.Subjects(); len(sent) > 0 {
			t.Errorf("also sent: %q", sent)
		}
	})
}

// V6-14: a right password without the second factor, told once an hour at most.
func TestARightPasswordWithoutTheSecondFactorIsTold(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		enrolled(t, logIn(t, s, bob, bobPass))
		box.Next(t, bob, "You can sign in with an authenticator app now")
		tr := newTrail(t, s)
		for round := range 2 {
			pending := half(t, s)
			for guess := range 5 {
				if sent := box.Subjects(); len(sent) > 0 {
					t.Fatalf("round %d, before guess %d: sent %q", round, guess, sent)
				}
				verify(t, s, pending, "000000").failed(401, "AUTHENTICATION_ERROR", wrongCode)
			}
			verify(t, s, pending, "000000").failed(401, "AUTHENTICATION_ERROR", noPending)
			if round == 0 {
				box.Next(t, bob, halfSubject)
			}
		}
		given := 0
		for _, e := range tr.news() {
			if e.Action == "user.login" && e.Reason == "second_factor_given_up" {
				given++
			}
		}
		if given != 2 {
			t.Errorf("%d sign-ins that were given up are recorded, want 2", given)
		}
	})
}

func TestASecondFactorThatIsTriedTooOftenIsTold(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t, func(c *config.Config) { c.RateLimit.Enabled = true })
	enrolled(t, logIn(t, s, bob, bobPass))
	box.Next(t, bob, "You can sign in with an authenticator app now")
	throttled := 0
	for range 4 { // never five guesses of one sign-in
		pending := half(t, s)
		for range 4 {
			if verify(t, s, pending, "000000").Code == 429 {
				throttled++
			}
		}
	}
	if throttled != 6 {
		t.Errorf("%d guesses were throttled, want 6", throttled)
	}
	box.Next(t, bob, halfSubject)
	if sent := box.Subjects(); len(sent) > 0 {
		t.Errorf("also sent: %q", sent)
	}
}
