package account

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// What argon2id may cost where another server has chosen it: each sign-in takes that much memory
// and time, once for each processor.
const (
	argonPrefix     = "$argon2id$"
	maxArgonMemory  = 256 << 10 // KiB
	maxArgonWork    = 1 << 20   // KiB that are gone through in all passes: about a second
	maxArgonThreads = 16
	minArgonSalt    = 8  // bytes: RFC 9106, section 3.1
	minArgonKey     = 16 // bytes
	maxArgonBytes   = 64
)

// argonHash is a hash of argon2id (RFC 9106), as the PHC string format has it.
type argonHash struct {
	memory, passes uint32
	threads        uint8
	salt, key      []byte
}

// isArgon2id says whether hash is one of argon2id that another server has made.
func isArgon2id(hash string) bool { return strings.HasPrefix(hash, argonPrefix) }

// parseArgon2id reads $argon2id$v=19$m=65536,t=3,p=4$SALT$KEY. Its problem says why a hash cannot
// be used here.
func parseArgon2id(hash string) (a *argonHash, problem string) {
	a = new(argonHash)
	parts := strings.Split(hash, "$")
	if !isArgon2id(hash) || len(parts) != 6 || parts[2] != "v=19" { // 0x13: RFC 9106, section 3.1
		return nil, "the hash is of a scheme that authy does not know"
	}
	const format = "m=%d,t=%d,p=%d"
	_, err := fmt.Sscanf(parts[3], format, &a.memory, &a.passes, &a.threads)
	if err != nil || parts[3] != fmt.Sprintf(format, a.memory, a.passes, a.threads) {
		return nil, "the hash does not say how it was made"
	}
	for i, into := range []*[]byte{&a.salt, &a.key} {
		if *into, err = base64.RawStdEncoding.Strict().DecodeString(parts[4+i]); err != nil {
			return nil, "the hash is not whole"
		}
	}
	switch {
	case a.passes < 1 || a.threads < 1 || a.memory < 8*uint32(a.threads): // RFC 9106, section 3.1
		return nil, "the hash does not say how it was made"
	case len(a.salt) < minArgonSalt || len(a.salt) > maxArgonBytes || len(a.key) < minArgonKey || len(a.key) > maxArgonBytes:
		return nil, "the hash is not whole"
	case a.memory > maxArgonMemory, uint64(a.memory)*uint64(a.passes) > maxArgonWork, a.threads > maxArgonThreads:
		return nil, fmt.Sprintf("the hash takes %s, which is too much to compare", parts[3])
	}
	return a, ""
}

// matches says whether the hash was made of a password.
func (a *argonHash) matches(password string) bool {
	key := argon2.IDKey([]byte(password), a.salt, a.passes, a.memory, a.threads, uint32(len(a.key))) //nolint:gosec // it is short
	return subtle.ConstantTimeCompare(key, a.key) == 1
}
