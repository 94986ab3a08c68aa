package login

import (
	"fmt"
	"testing"
	"time"

	"authy/server/openid"
	"authy/server/session"
	"authy/storage"
)

// stand describes a standpoint in the words of the tests.
type stand struct {
	signedIn, proved bool
	prompt           string
	stale            bool
	hint             string // "", "same" or "other"
	missing, agreed  bool
	owes             bool // the second factor, within the flow
}

func (s stand) point() standpoint {
	now := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	at := standpoint{
		request: &openid.Request{}, now: now, proved: s.proved, missing: s.missing, agreed: s.agreed, owes: s.owes, open: true,
	}
	if s.prompt != "" {
		at.request.Prompt = []string{s.prompt}
	}
	if s.hint != "" {
		at.request.HintSubject = s.hint
	}
	if s.stale {
		age := int64(60)
		at.request.MaxAge = &age
	}
	if s.signedIn {
		at.subject = "same"
		at.id = &session.Identity{
			User:    &storage.User{ID: "same"},
			Session: &storage.Session{ID: "session", AuthenticatedAt: storage.At(now.Add(-time.Hour))},
		}
	}
	return at
}

// everyStand calls visit with every combination there is.
func everyStand(visit func(s stand)) {
	yes := []bool{false, true}
	for _, signedIn := range yes {
		for _, proved := range yes {
			for _, prompt := range []string{"", "none", "login", "select_account", "consent", "create"} {
				for _, stale := range yes {
					for _, hint := range []string{"", "same", "other"} {
						for bits := range 8 {
							s := stand{signedIn, proved, prompt, stale, hint, bits&1 == 1, bits&2 == 2, bits&4 == 4}
							if signedIn || !proved { // nobody has proved nothing
								visit(s)
							}
						}
					}
				}
			}
		}
	}
}

func TestEveryStepIsJustified(t *testing.T) {
	t.Parallel()
	seen := map[step]int{}
	everyStand(func(s stand) {
		next, code := decide(s.point())
		seen[next]++
		name := fmt.Sprintf("%+v", s)
		if (code != "") != (next == refused) {
			t.Errorf("%s: step %v with code %q", name, next, code)
		}
		asksAnew := s.prompt == "login" || s.prompt == "select_account" || s.prompt == "create" || s.stale
		switch next {
		case done:
			if !s.signedIn || s.hint == "other" || !s.proved && asksAnew {
				t.Errorf("%s: a code for someone who has not proved to be the right one", name)
			}
			if !s.agreed && (s.missing || s.prompt == "consent") {
				t.Errorf("%s: a code that nobody agreed to", name)
			}
		case choose:
			if !s.signedIn || s.proved || s.owes || s.prompt != "select_account" {
				t.Errorf("%s: asks for a choice that is not needed", name)
			}
		case signIn, secondFactor, signUp:
			if (next == secondFactor) != s.owes {
				t.Errorf("%s: asks for the wrong factor", name)
			}
			if next == signUp && s.prompt != "create" || next == signIn && s.prompt == "create" {
				t.Errorf("%s: an account is made for who has one, or the other way round", name)
			}
			if s.prompt == "none" || s.signedIn && (s.proved || !asksAnew && s.hint != "other") {
				t.Errorf("%s: asks for a proof that is not needed", name)
			}
		case consent:
			if s.prompt == "none" || !s.signedIn || s.agreed || !s.missing && s.prompt != "consent" {
				t.Errorf("%s: asks for a consent that is not needed", name)
			}
		case refused:
			if s.prompt != "none" && (s.hint != "other" || !s.proved) {
				t.Errorf("%s: refused although it could be asked", name)
			}
			if code == "consent_required" && (!s.missing || s.agreed) {
				t.Errorf("%s: wants a consent that is there", name)
			}
		}
	})
	for _, next := range []step{signIn, secondFactor, consent, done, refused, choose, signUp} {
		if seen[next] == 0 {
			t.Errorf("step %v never came", next)
		}
	}
}

func TestSteps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		at   stand
		next step
		code string
	}{
		{"nobody is signed in", stand{missing: true}, signIn, ""},
		{"nobody, and none may be asked", stand{prompt: "none"}, refused, "login_required"},
		{"the password was proved", stand{owes: true, missing: true}, secondFactor, ""},
		{"the password was proved, and none may be asked", stand{owes: true, prompt: "none"}, refused, "login_required"},
		{"another signs in, half way", stand{signedIn: true, owes: true, hint: "other"}, secondFactor, ""},
		{"signed in, new client", stand{signedIn: true, missing: true}, consent, ""},
		{"signed in, known client", stand{signedIn: true}, done, ""},
		{"just agreed", stand{signedIn: true, missing: true, agreed: true}, done, ""},
		{"consent is asked for again", stand{signedIn: true, prompt: "consent"}, consent, ""},
		{"and given", stand{signedIn: true, prompt: "consent", agreed: true}, done, ""},
		{"consent is missing and none may be asked", stand{signedIn: true, prompt: "none", missing: true}, refused, "consent_required"},
		{"nothing is missing and none may be asked", stand{signedIn: true, prompt: "none"}, done, ""},
		{"sign-in is asked for again", stand{signedIn: true, prompt: "login"}, signIn, ""},
		{"and done", stand{signedIn: true, prompt: "login", proved: true}, done, ""},
		{"another account may be chosen", stand{signedIn: true, prompt: "select_account"}, choose, ""},
		{"and was, half way", stand{signedIn: true, prompt: "select_account", owes: true}, secondFactor, ""},
		{"and was", stand{signedIn: true, prompt: "select_account", proved: true}, done, ""},
		{"there is no account to choose", stand{prompt: "select_account"}, signIn, ""},
		{"an account is to be made", stand{prompt: "create"}, signUp, ""},
		{"an account is to be made, though there is one", stand{signedIn: true, prompt: "create"}, signUp, ""},
		{"and was made", stand{signedIn: true, prompt: "create", proved: true}, done, ""},
		{"too long ago", stand{signedIn: true, stale: true}, signIn, ""},
		{"too long ago, and none may be asked", stand{signedIn: true, stale: true, prompt: "none"}, refused, "login_required"},
		{"too long ago, proved anew", stand{signedIn: true, stale: true, proved: true}, done, ""},
		{"the hinted user", stand{signedIn: true, hint: "same"}, done, ""},
		{"another than the hinted user", stand{signedIn: true, hint: "other"}, signIn, ""},
		{"another, who signed in for this", stand{signedIn: true, hint: "other", proved: true}, refused, "login_required"},
		{"another, and none may be asked", stand{signedIn: true, hint: "other", prompt: "none"}, refused, "login_required"},
		{"agreed, but signed in too long ago", stand{signedIn: true, stale: true, agreed: true}, signIn, ""},
	} {
		if next, code := decide(c.at.point()); next != c.next || code != c.code {
			t.Errorf("%s: %v %q, want %v %q", c.name, next, code, c.next, c.code)
		}
	}
}

func TestAProofBelongsToItsFlow(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	id := func(of string, at time.Time) *session.Identity {
		return &session.Identity{Session: &storage.Session{ID: of, AuthenticatedAt: storage.At(at)}}
	}
	f := &flow{record: &storage.Flow{SessionID: "mine", CreatedAt: storage.At(began)}}
	for _, c := range []struct {
		name string
		flow *flow
		id   *session.Identity
		want bool
	}{
		{"after it began", f, id("mine", began.Add(time.Second)), true},
		{"as it began", f, id("mine", began), true},
		{"before it began", f, id("mine", began.Add(-time.Millisecond)), false},
		{"in another session", f, id("other", began.Add(time.Second)), false},
		{"by nobody", f, nil, false},
		{"without a flow", nil, id("mine", began.Add(time.Second)), false},
	} {
		if got := c.flow.proved(c.id); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestStanding(t *testing.T) {
	t.Parallel()
	for status, want := range map[storage.Status]error{
		storage.Active: nil, storage.Pending: nil, storage.Suspended: ErrSuspended, storage.Inactive: ErrInactive,
		"": ErrInactive, "something new": ErrInactive,
	} {
		if got := standing(&storage.User{Status: status}); got != want { //nolint:errorlint // the very value
			t.Errorf("standing of %q = %v, want %v", status, got, want)
		}
	}
}

func TestWhoMayNotUseAClientIsRefusedOnceTheyHaveSignedIn(t *testing.T) {
	t.Parallel()
	everyStand(func(s stand) {
		at := s.point()
		want, wantCode := decide(at)
		at.barred = true
		if want == consent || want == done || wantCode == "consent_required" {
			want, wantCode = barred, "access_denied"
		}
		if next, code := decide(at); next != want || code != wantCode {
			t.Errorf("%+v, barred: %v %q, want %v %q", s, next, code, want, wantCode)
		}
	})
}

func TestWhoMustSetUpASecondFactorGetsNothingBefore(t *testing.T) {
	t.Parallel()
	everyStand(func(s stand) {
		at := s.point()
		want, wantCode := decide(at)
		at.limited = true
		if want == consent || want == done || wantCode == "consent_required" {
			want, wantCode = enroll, ""
			if s.prompt == "none" {
				want, wantCode = refused, "interaction_required"
			}
		}
		if next, code := decide(at); next != want || code != wantCode {
			t.Errorf("%+v, limited: %v %q, want %v %q", s, next, code, want, wantCode)
		}
	})
}

func TestHowSurelySomeoneMustProveWhoTheyAre(t *testing.T) {
	t.Parallel()
	more, unmet := climb{to: openid.ByPasskey}, climb{unmet: true}
	both := climb{to: openid.ByPasskey, unmet: true}
	for _, c := range []struct {
		name  string
		at    stand
		climb climb
		next  step
		code  string
	}{
		{"enough", stand{signedIn: true}, climb{}, done, ""},
		{"more would be better, and can be had", stand{signedIn: true}, more, signIn, ""},
		{"more would be better, half way", stand{signedIn: true, owes: true}, more, secondFactor, ""},
		{"more would be better, and none may be asked", stand{signedIn: true, prompt: "none"}, more, done, ""},
		{"more would be better, and was not given", stand{signedIn: true, proved: true}, more, done, ""},
		{"more is needed, and can be had", stand{signedIn: true}, both, signIn, ""},
		{"more is needed, and none may be asked", stand{signedIn: true, prompt: "none"}, both, refused, "login_required"},
		{"more is needed, and was not given", stand{signedIn: true, proved: true}, both, refused, "unmet_authentication_requirements"},
		{"more is needed, and cannot be had", stand{signedIn: true}, unmet, refused, "unmet_authentication_requirements"},
		{
			"more is needed, cannot be had, and none may be asked",
			stand{signedIn: true, prompt: "none"},
			unmet,
			refused, "unmet_authentication_requirements",
		},
	} {
		at := c.at.point()
		at.climb = c.climb
		if next, code := decide(at); next != c.next || code != c.code {
			t.Errorf("%s: %v %q, want %v %q", c.name, next, code, c.next, c.code)
		}
	}
}

func TestWhereNobodyMayMakeAnAccountTheySignIn(t *testing.T) {
	t.Parallel()
	at := stand{prompt: "create"}.point()
	at.open = false
	if next, _ := decide(at); next != signIn {
		t.Errorf("create, registration closed: %v, want %v", next, signIn)
	}
}
