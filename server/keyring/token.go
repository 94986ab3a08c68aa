package keyring

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// MaxToken is the longest token that is looked at, in bytes.
const MaxToken = 8 << 10

// ErrToken says that a token is not one that was signed here.
var ErrToken = errors.New("keyring: token refused")

// Verify returns the payload of a token of a type that a key of the set
// signed. The algorithm is that of the key; nothing in the token chooses it.
func (s *Set) Verify(token string, kind Type) ([]byte, error) {
	if len(token) > MaxToken || !isCanonical(token) {
		return nil, ErrToken
	}
	signed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, ErrToken
	}
	header := signed.Signatures[0].Protected
	key, known := s.public[header.KeyID]
	if !known || key.Algorithm != header.Algorithm || header.ExtraHeaders[jose.HeaderType] != string(kind) {
		return nil, ErrToken
	}
	payload, err := signed.Verify(key.Key)
	if err != nil {
		return nil, ErrToken
	}
	return payload, nil
}

// isCanonical says whether every part of a JWT is spelled in the one way of
// RFC 7515, section 2. The library also takes other spellings of the same
// bytes, and line breaks, so that one token would have many.
func isCanonical(token string) bool {
	if strings.ContainsAny(token, "\r\n") {
		return false
	}
	for part := range strings.SplitSeq(token, ".") {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return false
		}
	}
	return true
}
