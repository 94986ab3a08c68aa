package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"authy/server/keyring"
	"authy/server/keyset"
)

// proofType is the typ of a DPoP proof (RFC 9449, section 4.2).
const proofType = "dpop+jwt"

// algorithms are those of proofs: asymmetric ones that are current
// (RFC 9449, section 4.3, check 5).
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, keyset.Ed25519, jose.PS256, jose.RS256}

// Algorithms returns the names of the algorithms that proofs are signed with.
func Algorithms() []string {
	names := make([]string, len(algorithms))
	for i, alg := range algorithms {
		names[i] = string(alg)
	}
	return names
}

// The sizes of RSA keys, in bits. Larger ones only cost time.
const (
	minRSA = 2048
	maxRSA = 4096
)

// maxTime is the latest time that is looked at, in seconds.
const maxTime = 1 << 40

// maxProofID is the longest jti, in bytes.
const maxProofID = 256

// proof is what a DPoP proof says that its own key has signed.
type proof struct {
	ID       string   `json:"jti"`
	Method   string   `json:"htm"`
	Target   string   `json:"htu"`
	IssuedAt *float64 `json:"iat"` // seconds, of which there may be a part
	Nonce    string   `json:"nonce"`
	Token    string   `json:"ath"` // SHA-256 of the access token, in base64url

	key string // the thumbprint of the key (RFC 7638)
}

// What is wrong with a proof; the client is told.
var (
	errProofForm   = errors.New("the DPoP proof is not a JWT of type dpop+jwt with a public key in its jwk")
	errProofKey    = errors.New("the key of the DPoP proof is not of a kind and size that fits its algorithm")
	errProofSigned = errors.New("the signature of the DPoP proof is wrong")
	errProofClaims = errors.New("the DPoP proof lacks jti, htm, htu or iat, or they are not what they should be")
	errProofMethod = errors.New("the DPoP proof is for another method")
	errProofTarget = errors.New("the DPoP proof is for another address")
	errProofToken  = errors.New("the DPoP proof is not for this access token")
)

// parseProof reads a proof and checks that it is whole and signed by the key that
// it carries (RFC 9449, section 4.3, checks 2 to 7). What it is for the caller checks.
func parseProof(text string) (*proof, error) {
	if len(text) > keyring.MaxToken || strings.ContainsAny(text, "\r\n \t") {
		return nil, errProofForm
	}
	signed, err := jose.ParseSignedCompact(text, algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, errProofForm
	}
	header := signed.Signatures[0].Protected
	jwk := header.JSONWebKey
	if header.ExtraHeaders[jose.HeaderType] != proofType || jwk == nil || !jwk.IsPublic() {
		return nil, errProofForm
	}
	if !fits(jwk.Key, header.Algorithm) {
		return nil, errProofKey
	}
	payload, err := signed.Verify(keyset.Verifier(jwk.Key, header.Algorithm))
	if err != nil {
		return nil, errProofSigned
	}
	p := new(proof)
	if json.Unmarshal(payload, p) != nil || p.ID == "" || len(p.ID) > maxProofID ||
		p.Method == "" || p.Target == "" || p.IssuedAt == nil || math.Abs(*p.IssuedAt) > maxTime {
		return nil, errProofClaims
	}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, errProofKey
	}
	p.key = base64.RawURLEncoding.EncodeToString(sum)
	return p, nil
}

// fits says whether a public key is one for alg, and strong enough.
func fits(key any, alg string) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return alg == string(jose.ES256) && k.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return keyset.IsOf(string(jose.EdDSA), alg)
	case *rsa.PublicKey:
		bits := k.N.BitLen()
		return (alg == string(jose.RS256) || alg == string(jose.PS256)) && bits >= minRSA && bits <= maxRSA
	}
	return false
}

// isFor is nil if a proof is for a request to an address (RFC 9449, section 4.3,
// checks 8 and 9), with an access token, unless that is "" (check 12).
func (p *proof) isFor(method, address, token string) error {
	switch {
	case p.Method != method:
		return errProofMethod
	case !sameTarget(p.Target, address):
		return errProofTarget
	case token == "":
		return nil
	}
	if subtle.ConstantTimeCompare([]byte(p.Token), []byte(tokenHash(token))) != 1 {
		return errProofToken
	}
	return nil
}

// tokenHash is the ath of a token.
func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sameTarget says whether two addresses are the same without query and fragment,
// after normalization by syntax and scheme (RFC 9449, section 4.3, check 9).
func sameTarget(got, want string) bool {
	a, err := url.Parse(got)
	if err != nil || a.User != nil || a.Opaque != "" {
		return false
	}
	b, err := url.Parse(want)
	return err == nil && a.EscapedPath() == b.EscapedPath() && origin(a) == origin(b)
}

// origin is the scheme and host of a URL, with the port that is the scheme's.
func origin(u *url.URL) string {
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
