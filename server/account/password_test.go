package account

import (
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"authy/server/fault"
)

// cheap is the lowest cost there is.
const cheap = bcrypt.MinCost

func mustHash(t *testing.T, h *Hasher, password string) string {
	t.Helper()
	hash, err := h.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func mustCheck(t *testing.T, h *Hasher, hash, password string) (ok, stale bool) {
	t.Helper()
	ok, stale, err := h.Check(t.Context(), hash, password, "")
	if err != nil {
		t.Fatalf("Check(%q): %v", password, err)
	}
	return ok, stale
}

func TestOnlyTheExactPasswordMatches(t *testing.T) {
	t.Parallel()
	h := NewHasher(cheap)
	for _, c := range []struct{ name, kept, typed string }{
		{"another end after 72 bytes", strings.Repeat("A", 72) + "right", strings.Repeat("A", 72) + "wrong"},
		{"72 bytes of it", strings.Repeat("A", 72) + "right", strings.Repeat("A", 72)},
		{"71 bytes of it", strings.Repeat("A", 72) + "right", strings.Repeat("A", 71)},
		{"one letter more", "correct horse", "correct horse!"},
		{"one letter less", "correct horse", "correct hors"},
		{"another case", "correct horse", "Correct horse"},
		{"a space at the end", "correct horse", "correct horse "},
		{"a space at the start", "correct horse", " correct horse"},
		{"what follows a NUL", "correct\x00horse", "correct\x00house"},
		{"nothing", "correct horse", ""},
		{"the hash itself", "correct horse", ""},
		{"another of 64 emoji", strings.Repeat("🐎", 64), strings.Repeat("🐎", 63) + "🔋"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hash := mustHash(t, h, c.kept)
			if ok, stale := mustCheck(t, h, hash, c.kept); !ok || stale {
				t.Errorf("the password itself: %v, stale %v", ok, stale)
			}
			typed := c.typed
			if c.name == "the hash itself" {
				typed = hash
			}
			if ok, stale := mustCheck(t, h, hash, typed); ok || stale {
				t.Errorf("%q was taken for %q", typed, c.kept)
			}
		})
	}
}

// NIST SP 800-63B-4, section 3.1.1.2: normalized before it is hashed.
func TestAPasswordIsOneHoweverItsLettersWereTyped(t *testing.T) {
	t.Parallel()
	h := NewHasher(cheap)
	composed, decomposed := "caf\u00e9 au lait", "cafe\u0301 au lait"
	for _, pair := range [][2]string{{composed, decomposed}, {decomposed, composed}} {
		if ok, _ := mustCheck(t, h, mustHash(t, h, pair[0]), pair[1]); !ok {
			t.Errorf("%q is not %q", pair[1], pair[0])
		}
	}
	if ok, _ := mustCheck(t, h, mustHash(t, h, "12345 horses"), "\uff11\uff12\uff13\uff14\uff15 horses"); ok {
		t.Error("full width digits were taken for others")
	}
}

func TestTwoHashesOfAPasswordDiffer(t *testing.T) {
	t.Parallel()
	h := NewHasher(cheap)
	if a, b := mustHash(t, h, "correct horse"), mustHash(t, h, "correct horse"); a == b {
		t.Error("both are the same: there is no salt")
	}
}

func TestAHashSaysHowItWasMade(t *testing.T) {
	t.Parallel()
	hash := mustHash(t, NewHasher(5), "correct horse")
	plain, ours := strings.CutPrefix(hash, "{bcrypt-sha256}")
	if cost, err := bcrypt.Cost([]byte(plain)); !ours || err != nil || cost != 5 {
		t.Errorf("%q: cost %d, %v", hash, cost, err)
	}
}

func TestAForeignHashIsTakenAndStale(t *testing.T) {
	t.Parallel()
	h := NewHasher(cheap)
	plain, err := bcrypt.GenerateFromPassword([]byte("correct horse"), cheap)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"$2a$", "$2b$", "$2y$"} {
		foreign := version + string(plain)[4:]
		if ok, stale := mustCheck(t, h, foreign, "correct horse"); !ok || !stale {
			t.Errorf("%s: %v, stale %v, want both", version, ok, stale)
		}
		if ok, stale := mustCheck(t, h, foreign, "wrong horse"); ok || stale {
			t.Errorf("%s: a wrong password: %v, stale %v", version, ok, stale)
		}
		if ok, _ := mustCheck(t, h, foreign, strings.Repeat("long ", 20)); ok {
			t.Errorf("%s: 100 bytes were taken", version)
		}
	}
}

func TestAHashOfALowerCostIsStale(t *testing.T) {
	t.Parallel()
	hash := mustHash(t, NewHasher(cheap), "correct horse")
	if ok, stale := mustCheck(t, NewHasher(cheap+1), hash, "correct horse"); !ok || !stale {
		t.Errorf("at a higher cost: %v, stale %v, want both", ok, stale)
	}
	if ok, stale := mustCheck(t, NewHasher(cheap+1), hash, "wrong horse"); ok || stale {
		t.Errorf("a wrong password: %v, stale %v, want neither", ok, stale)
	}
	costly := mustHash(t, NewHasher(cheap+1), "correct horse")
	if ok, stale := mustCheck(t, NewHasher(cheap), costly, "correct horse"); !ok || stale {
		t.Errorf("at a lower cost: %v, stale %v, want no new hash", ok, stale)
	}
}

func TestAHashThatIsNoneIsAnError(t *testing.T) {
	t.Parallel()
	h := NewHasher(cheap)
	for _, hash := range []string{"plain text", "{bcrypt-sha256}", "$argon2id$v=19$m=1,t=1,p=1$YQ$YQ"} {
		ok, _, err := h.Check(t.Context(), hash, "correct horse", "")
		if _, isFault := fault.As(err); ok || err == nil || isFault {
			t.Errorf("Check of %q = %v, %v, want an internal error", hash, ok, err)
		}
	}
}

// What an unknown user costs is what a known one costs: a comparison with a
// hash of the configured cost.
func TestAnUnknownUserTakesTheSameWork(t *testing.T) {
	t.Parallel()
	h := NewHasher(6)
	plain, ours := strings.CutPrefix(h.decoy(), hashScheme)
	if cost, err := bcrypt.Cost([]byte(plain)); !ours || err != nil || cost != 6 {
		t.Errorf("the decoy costs %d, %v, want 6", cost, err)
	}
	for _, password := range []string{"correct horse", "decoy", ""} {
		if ok, stale := mustCheck(t, h, "", password); ok || stale {
			t.Errorf("%q opened an account that does not exist", password)
		}
	}
}

func TestPasswordPolicy(t *testing.T) {
	t.Parallel()
	const (
		fine     = ""
		length   = "Length must be between 8 and 128."
		personal = "Too easy to guess: it is made of your name or address."
		common   = "Too easy to guess: it is one of the passwords that are tried first."
		invalid  = "Not a valid string."
	)
	for _, c := range []struct{ password, email, name, want string }{
		{"sevench", "", "", length},
		{"", "", "", length},
		{strings.Repeat("ab", 64) + "c", "", "", length},
		{strings.Repeat("🐎🔋", 64), "", "", fine},
		{strings.Repeat("🐎🔋", 3), "", "", length},
		{"password1", "", "", common},
		{"Password123!", "", "", common},
		{"PASSWORD", "", "", common},
		{"qwerty123", "", "", common},
		{"12345678", "", "", common},
		{"aaaaaaaaaaaa", "", "", common},
		{"!!!!!!!!!!", "", "", common},
		{"ÄÄÄÄÄÄÄÄ", "", "", common},
		{"bob.builder@acme-corp.com", "bob.builder@acme-corp.com", "", personal},
		{"Bob.Builder2026", "bob.builder@acme-corp.com", "", personal},
		{"acme-corp2026!", "bob@acme-corp.com", "", personal},
		{"!!Builder!!", "b@example.com", "Bob Builder", personal},
		{"bobbuilder99", "b@example.com", "Bob Builder", personal},
		{"Bob Builder", "b@example.com", "Bob Builder", personal},
		{"authy2026!", "b@example.com", "", personal},
		{"xkjvbnoqpwzmruty" + strings.Repeat("bdfhjlnprtvxzaceg", 3)[:48], "", "", fine},
		{"correct horse battery staple 🔋", "b@example.com", "Bob", fine},
		{"orchid lantern", "bob@acme-corp.com", "Bob Builder", fine},
		{"84629173552107", "bob@acme-corp.com", "Bob 3", fine},
		{"84629173552107", "4711@acme-corp.com", "", fine},
		{"4711471147114711", "4711471147114711@acme-corp.com", "", personal},
		{"orchid\x00lantern", "", "", invalid},
		{"orchid\xfflantern", "", "", invalid},
		{"        ", "", "", common},
		{"orchid  lantern ", "", "", fine},
	} {
		err := CheckPolicy("password", c.password, c.email, c.name)
		got := fine
		if f, ok := fault.As(err); ok && len(f.Fields["password"]) == 1 {
			got = f.Fields["password"][0]
		}
		if got != c.want {
			t.Errorf("CheckPolicy(%q, %q, %q) = %q, want %q", c.password, c.email, c.name, got, c.want)
		}
	}
}

func TestFullNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                          "",
		"  Bob Builder ":            "Bob Builder",
		"Zoë O'Neil-Łukasz 李":       "Zoë O'Neil-Łukasz 李",
		strings.Repeat("é", 255):    strings.Repeat("é", 255),
		"<script>alert(1)</script>": "<script>alert(1)</script>",
		"right\u202eto left":        "right\u202eto left",
	} {
		if got, err := ParseName(text); err != nil || got != want {
			t.Errorf("ParseName(%q) = %q, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		strings.Repeat("é", 256): "Longer than maximum length 255.",
		"Bob\x00Builder":         "Not a valid string.",
		"Bob\r\nBuilder":         "Not a valid string.",
		"Bob\x1b[31m":            "Not a valid string.",
		"Bob\xff":                "Not a valid string.",
	} {
		_, err := ParseName(text)
		if f, ok := fault.As(err); !ok || f.Fields["full_name"][0] != want {
			t.Errorf("ParseName(%q): %v, want %q", text, err, want)
		}
	}
}
