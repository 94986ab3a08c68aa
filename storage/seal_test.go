package storage

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

var testSecret = newSecret([]byte("a secret key of thirty-two bytes"))

func TestASealedValueOpensAgain(t *testing.T) {
	t.Parallel()
	for _, plain := range []string{"", "x", "\x00\xff", strings.Repeat("long ", 10_000)} {
		sealed := testSecret.seal("place", []byte(plain))
		if len(plain) > 1 && strings.Contains(sealed, plain) {
			t.Errorf("seal(%.20q) shows it", plain)
		}
		got, err := testSecret.open("place", sealed)
		if err != nil || string(got) != plain {
			t.Errorf("open(seal(%.20q)) = %.20q, %v", plain, got, err)
		}
	}
}

func TestSealingTwiceGivesDifferentValues(t *testing.T) {
	t.Parallel()
	one, two := testSecret.seal("p", []byte("x")), testSecret.seal("p", []byte("x"))
	if one == two {
		t.Error("two sealed values are equal: the nonce was used twice")
	}
}

func TestASealedValueOpensNowhereElse(t *testing.T) {
	t.Parallel()
	sealed := testSecret.seal("keys.private.1", []byte("private"))
	for _, place := range []string{"keys.private.2", "keys.private.", "", "totp.secret.1"} {
		if got, err := testSecret.open(place, sealed); err == nil {
			t.Errorf("open(%q) of another cell = %q, want an error", place, got)
		}
	}
	other := newSecret([]byte("another secret key of 32 bytes !"))
	if _, err := other.open("keys.private.1", sealed); !errors.Is(err, ErrSecretKey) {
		t.Errorf("open with another key: %v, want ErrSecretKey", err)
	}
}

func TestADamagedSealedValueIsRefused(t *testing.T) {
	t.Parallel()
	sealed := testSecret.seal("place", []byte("private"))
	for cut := range len(sealed) {
		if got, err := testSecret.open("place", sealed[:cut]); err == nil {
			t.Errorf("open of the first %d characters = %q, want an error", cut, got)
		}
	}
	box, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(sealed, sealVersion))
	if err != nil {
		t.Fatal(err)
	}
	for i := range box {
		flipped := bytes.Clone(box)
		flipped[i] ^= 1
		text := sealVersion + base64.RawURLEncoding.EncodeToString(flipped)
		if got, err := testSecret.open("place", text); err == nil {
			t.Errorf("open with byte %d flipped = %q, want an error", i, got)
		}
	}
	for _, text := range []string{"", "private", "v2." + sealed[3:], sealed + "A", sealed[3:]} {
		if got, err := testSecret.open("place", text); err == nil {
			t.Errorf("open(%q) = %q, want an error", text, got)
		}
	}
}

func TestMACsDifferByPurposeMessageAndKey(t *testing.T) {
	t.Parallel()
	other := newSecret([]byte("another secret key of 32 bytes !"))
	macs := map[string][]byte{
		"the same":        testSecret.MAC("a", "message"),
		"another purpose": testSecret.MAC("b", "message"),
		"another message": testSecret.MAC("a", "messages"),
		"another key":     other.MAC("a", "message"),
		"moved border":    testSecret.MAC("am", "essage"),
	}
	for name, mac := range macs {
		equal := bytes.Equal(mac, testSecret.MAC("a", "message"))
		if equal != (name == "the same") || len(mac) != 32 {
			t.Errorf("%s: MAC = %x, equal %v", name, mac, equal)
		}
	}
}

// A key is derived once for each purpose, and no two purposes share one.
func TestAKeyIsDerivedOnceForEachPurpose(t *testing.T) {
	t.Parallel()
	s := newSecret(testSecret.key)
	one, again, other := s.derive("one"), s.derive("one"), s.derive("other")
	if &one[0] != &again[0] {
		t.Error("the second use derived the key again")
	}
	if string(one) == string(other) || string(one) != string(testSecret.derive("one")) {
		t.Error("keys depend on more or less than secret and purpose")
	}
}

func BenchmarkMAC(b *testing.B) {
	for b.Loop() {
		testSecret.MAC("client secret", "a secret with about as many letters as those that are made")
	}
}

func BenchmarkMACDerivingEachTime(b *testing.B) {
	for b.Loop() {
		newSecret(testSecret.key).MAC("client secret", "a secret with about as many letters as those that are made")
	}
}
