package servertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"
)

// The signature algorithms of an [Authenticator], as COSE numbers them.
const (
	ES256 = -7
	EdDSA = -8
	RS256 = -257
)

// The flags of authenticator data (W3C Web Authentication, section 6.1).
const (
	Present  = 1 << 0
	Verified = 1 << 2
	attested = 1 << 6
)

// Authenticator is a security key made of software, and the browser that it is
// plugged in to. A test changes its fields to have it do wrong.
type Authenticator struct {
	t       testing.TB
	key     crypto.Signer
	ID      []byte // of the credential
	Alg     int    // what its public key says to be of
	RPID    string
	Origin  string
	User    []byte // the handle
	Flags   byte
	Counter uint32 // what it says next
	// ClientData changes what the browser says it did, if not nil.
	ClientData func(map[string]any)
	// Attest changes the attestation object, if not nil.
	Attest func(format string, statement []byte) (string, []byte)
	// Sign makes the signature, if not nil.
	Sign func(message []byte) []byte
}

// NewAuthenticator returns an authenticator of an algorithm that has checked
// who holds it, for the server at an origin.
func NewAuthenticator(t testing.TB, alg int, origin, rpID string) *Authenticator {
	t.Helper()
	a := &Authenticator{t: t, Alg: alg, ID: make([]byte, 32), Origin: origin, RPID: rpID, Flags: Present | Verified}
	rand.Read(a.ID)
	var err error
	switch alg {
	case EdDSA:
		_, a.key, err = ed25519.GenerateKey(rand.Reader)
	case RS256:
		a.key, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// CredentialID is the id of its credential as text.
func (a *Authenticator) CredentialID() string { return encode(a.ID) }

// PublicKey is its public key as servers keep it: COSE, base64url.
func (a *Authenticator) PublicKey() string { return encode(a.cose()) }

// Create answers creation options as PublicKeyCredential.toJSON() does.
func (a *Authenticator) Create(challenge string, user []byte) map[string]any {
	a.t.Helper()
	a.User = user
	data := a.data(a.Flags | attested)
	data = append(data, make([]byte, 16)...)                      // of no model
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.ID))) //nolint:gosec // short
	data = append(append(data, a.ID...), a.cose()...)
	format, statement := "none", []byte{0xa0}
	if a.Attest != nil {
		format, statement = a.Attest(format, statement)
	}
	object := append([]byte{0xa3}, cborText("fmt")...)
	object = append(append(object, cborText(format)...), cborText("attStmt")...)
	object = append(append(object, statement...), cborText("authData")...)
	object = append(object, cborBytes(data)...)
	return a.credential(map[string]any{
		"clientDataJSON": encode(a.clientData("webauthn.create", challenge)), "attestationObject": encode(object),
		"transports": []string{"internal", "hybrid"}, "publicKeyAlgorithm": a.Alg,
	})
}

// Get answers request options as PublicKeyCredential.toJSON() does.
func (a *Authenticator) Get(challenge string) map[string]any {
	a.t.Helper()
	data, client := a.data(a.Flags), a.clientData("webauthn.get", challenge)
	sum := sha256.Sum256(client)
	message := append(append([]byte{}, data...), sum[:]...)
	sign := a.Sign
	if sign == nil {
		sign = a.Signature
	}
	response := map[string]any{
		"clientDataJSON": encode(client), "authenticatorData": encode(data), "signature": encode(sign(message)),
		"userHandle": nil,
	}
	if a.User != nil {
		response["userHandle"] = encode(a.User)
	}
	return a.credential(response)
}

// Signature signs a message with the key.
func (a *Authenticator) Signature(message []byte) []byte {
	a.t.Helper()
	hash, digest := crypto.SHA256, message
	if _, plain := a.key.(ed25519.PrivateKey); plain {
		hash = 0
	} else {
		sum := sha256.Sum256(message)
		digest = sum[:]
	}
	signature, err := a.key.Sign(rand.Reader, digest, hash)
	if err != nil {
		a.t.Fatal(err)
	}
	return signature
}

func (a *Authenticator) credential(response map[string]any) map[string]any {
	return map[string]any{
		"id": encode(a.ID), "rawId": encode(a.ID), "type": "public-key", "response": response,
		"clientExtensionResults": map[string]any{"credProps": map[string]any{"rk": true}}, "authenticatorAttachment": "platform",
	}
}

func (a *Authenticator) clientData(kind, challenge string) []byte {
	said := map[string]any{"type": kind, "challenge": challenge, "origin": a.Origin, "crossOrigin": false}
	if a.ClientData != nil {
		a.ClientData(said)
	}
	text, err := json.Marshal(said)
	if err != nil {
		a.t.Fatal(err)
	}
	return text
}

// data is authenticator data without a credential.
func (a *Authenticator) data(flags byte) []byte {
	id := sha256.Sum256([]byte(a.RPID))
	return binary.BigEndian.AppendUint32(append(id[:], flags), a.Counter)
}

// cose is the public key (RFC 9053, sections 7 and 2; RFC 8230, section 4).
func (a *Authenticator) cose() []byte {
	switch key := a.key.Public().(type) {
	case ed25519.PublicKey:
		out := append([]byte{0xa4, 0x01, 0x01, 0x03}, cborNegative(a.Alg)...)
		return append(append(out, 0x20, 0x06, 0x21), cborBytes(key)...)
	case *rsa.PublicKey:
		out := append([]byte{0xa4, 0x01, 0x03, 0x03}, cborNegative(a.Alg)...)
		out = append(append(out, 0x20), cborBytes(key.N.Bytes())...)
		return append(append(out, 0x21), cborBytes([]byte{1, 0, 1})...)
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			a.t.Fatal(err)
		}
		out := append([]byte{0xa5, 0x01, 0x02, 0x03}, cborNegative(a.Alg)...)
		out = append(append(out, 0x20, 0x01, 0x21), cborBytes(point[1:33])...)
		return append(append(out, 0x22), cborBytes(point[33:])...)
	}
	return nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// cborHead begins a CBOR item of a major type (RFC 8949, section 3).
func cborHead(major byte, n int) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)} //nolint:gosec // less than 24
	case n < 1<<8:
		return []byte{major<<5 | 24, byte(n)}
	}
	return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(n)) //nolint:gosec // short
}

func cborNegative(n int) []byte { return cborHead(1, -1-n) }
func cborBytes(b []byte) []byte { return append(cborHead(2, len(b)), b...) }
func cborText(s string) []byte  { return append(cborHead(3, len(s)), s...) }
