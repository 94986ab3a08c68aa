package keyring

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// signerOf returns a signer with a new key, and the key for verifiers.
func signerOf(t testing.TB, alg string) (*signer, *Set) {
	t.Helper()
	private, err := newPrivate(alg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSigner("the-key", alg, private)
	if err != nil {
		t.Fatal(err)
	}
	public := jose.JSONWebKey{Key: private.Public(), KeyID: "the-key", Algorithm: alg}
	return s, &Set{public: map[string]jose.JSONWebKey{"the-key": public}}
}

// Another implementation reads what is signed here, for every algorithm and type.
func TestEveryAlgorithmSignsWhatOthersVerify(t *testing.T) {
	t.Parallel()
	for _, alg := range Algorithms {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			s, set := signerOf(t, alg)
			for _, kind := range types {
				token, err := s.compact(kind, []byte(`{"a":"b"}`))
				if err != nil {
					t.Fatal(err)
				}
				payload, err := set.Verify(token, kind)
				if err != nil || string(payload) != `{"a":"b"}` {
					t.Errorf("Verify(%s) = %s, %v", token, payload, err)
				}
				head, _, _ := strings.Cut(token, ".")
				text, err := base64.RawURLEncoding.DecodeString(head)
				if want := `{"alg":"` + alg + `","kid":"the-key","typ":"` + string(kind) + `"}`; err != nil || string(text) != want {
					t.Errorf("header %s, %v, want %s", text, err, want)
				}
				for _, other := range types {
					if _, err := set.Verify(token, other); other != kind && !errors.Is(err, ErrToken) {
						t.Errorf("a token of type %s is taken for one of type %s: %v", kind, other, err)
					}
				}
			}
		})
	}
}

// A token says which algorithm it is signed with; the key decides.
func TestAKeyVerifiesItsOwnAlgorithmAlone(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{RS256, PS256} {
		s, set := signerOf(t, alg)
		s.alg = map[string]string{RS256: PS256, PS256: RS256}[alg]
		lying, err := newSigner("the-key", s.alg, s.key)
		if err != nil {
			t.Fatal(err)
		}
		token, err := lying.compact(JWT, []byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		if payload, err := set.Verify(token, JWT); !errors.Is(err, ErrToken) {
			t.Errorf("the key for %s verified %s: %s, %v", alg, s.alg, payload, err)
		}
	}
}

// Both numbers of a signature have their full length, however small they are.
func TestSignaturesWithShortNumbersHaveTheirFullLength(t *testing.T) {
	t.Parallel()
	s, set := signerOf(t, ES256)
	for range 2000 { // of which about 16 begin with a zero
		token, err := s.compact(JWT, []byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := set.Verify(token, JWT); err != nil {
			t.Fatalf("Verify(%s): %v", token, err)
		}
	}
	for der, want := range map[string]string{
		"\x30\x06\x02\x01\x01\x02\x01\x7f": strings.Repeat("\x00", 31) + "\x01" + strings.Repeat("\x00", 31) + "\x7f",
		"":                                 "", "\x30\x03\x02\x01\x01": "",
		"\x30\x26\x02\x21\x01" + strings.Repeat("\x01", 32) + "\x02\x01\x01": "",
	} {
		got, err := fixed([]byte(der))
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("fixed(%x) = %x, %v, want %x", der, got, err, want)
		}
	}
}

func TestAnIDIsNeverTakenForAFlag(t *testing.T) {
	t.Parallel()
	for range 1000 { // of which about 16 would begin with a hyphen
		k, err := newKey(EdDSA)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(k.ID, "-") {
			t.Fatalf("newKey made the id %s, which a command line takes for a flag", k.ID)
		}
	}
}

func FuzzVerify(f *testing.F) {
	s, set := signerOf(f, ES256)
	token, err := s.compact(JWT, []byte(`{}`))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{token, "", "..", "e30.e30.AA", "e30.e30.", token + "="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if payload, err := set.Verify(text, JWT); text != token && (err == nil || payload != nil) {
			t.Errorf("Verify(%q) = %s, %v", text, payload, err)
		}
	})
}

// claims are about as many as an access token has.
var claims = map[string]any{
	"iss": "https://id.example.com", "sub": "0198c0de-0000-7000-8000-000000000000", "aud": "acme-portal-001",
	"exp": 1790000000, "iat": 1789996400, "jti": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "scope": "openid profile email",
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range Algorithms {
		b.Run(alg, func(b *testing.B) {
			s, _ := signerOf(b, alg)
			payload, err := json.Marshal(claims)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := s.compact(AccessToken, payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSignRaw is what [BenchmarkSign] with ES256 is measured against.
func BenchmarkSignRaw(b *testing.B) {
	private, err := newPrivate(ES256)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("what is signed"))
	for b.Loop() {
		if _, err := ecdsa.SignASN1(rand.Reader, private.(*ecdsa.PrivateKey), sum[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSignByLibrary is the same token by go-jose.
func BenchmarkSignByLibrary(b *testing.B) {
	private, err := newPrivate(ES256)
	if err != nil {
		b.Fatal(err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: "the-key"}},
		(&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		b.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		signed, err := signer.Sign(payload)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := signed.CompactSerialize(); err != nil {
			b.Fatal(err)
		}
	}
}
