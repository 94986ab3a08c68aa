package account

import (
	"encoding/hex"
	"strings"
	"testing"
)

// The hashes were made by the reference implementation's argon2 program: RFC 9106's authors'.
const ofArgon2 = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"

func TestAHashOfArgon2idIsCheckedAndMadeAnew(t *testing.T) {
	t.Parallel()
	h := NewHasher(cheap)
	if problem := PasswordProblem(ofArgon2); problem != "" {
		t.Fatal(problem)
	}
	if HashProblem(ofArgon2) == "" {
		t.Error("it is taken where bcrypt alone is compared")
	}
	if ok, stale := mustCheck(t, h, ofArgon2, "password"); !ok || !stale {
		t.Errorf("the password: %v, stale %v, want both", ok, stale)
	}
	if ok, stale := mustCheck(t, h, ofArgon2, "Password"); ok || stale {
		t.Errorf("another password: %v, stale %v, want neither", ok, stale)
	}
	a, _ := parseArgon2id(ofArgon2)
	const key = "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"
	if hex.EncodeToString(a.key) != key || string(a.salt) != "somesalt" {
		t.Errorf("it is read as %x, %q", a.key, a.salt)
	}
}

func TestAHashOfArgon2idThatCannotBeComparedIsRefused(t *testing.T) {
	t.Parallel()
	with := func(old, new string) string { return strings.Replace(ofArgon2, old, new, 1) }
	for hash, want := range map[string]string{
		with("argon2id", "argon2i"):             "a scheme that authy does not know",
		with("v=19", "v=16"):                    "a scheme that authy does not know",
		with("$c29tZXNhbHQ", ""):                "a scheme that authy does not know",
		with("m=256,t=2,p=1", "m=256,t=2"):      "how it was made",
		with("t=2", "t=0"):                      "how it was made",
		with("p=1", "p=0"):                      "how it was made",
		with("p=1", "p=1,x=1"):                  "how it was made",
		with("m=256", "m=7"):                    "how it was made",
		with("m=256", "m=262145"):               "too much to compare",
		with("m=256,t=2", "m=65536,t=17"):       "too much to compare",
		with("m=256,t=2,p=1", "m=256,t=2,p=17"): "too much to compare",
		with("c29tZXNhbHQ", "c29t"):             "not whole",
		with("nf65EOg", "nf65E*g"):              "not whole",
		ofArgon2[:len(ofArgon2)-30]:             "not whole",
	} {
		if problem := PasswordProblem(hash); !strings.Contains(problem, want) {
			t.Errorf("PasswordProblem(%s) = %q, want %q", hash, problem, want)
		}
	}
}
