package dpop

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// A nonce says when it was given out, and a keyed hash says that it was given out
// here (RFC 9449, section 8): nothing is kept, and every node knows those of the
// others by the secret key that they share.

const (
	// nonceLife is how long a nonce can be used.
	nonceLife = 2 * time.Minute
	// clockSkew is how far the clock of another node may be ahead.
	clockSkew = 5 * time.Second

	nonceMAC = 16 // bytes of the hash that are kept
)

// newNonce returns a nonce that was given out at now.
func (v *Verifier) newNonce(now time.Time) string {
	stamp := binary.BigEndian.AppendUint64(nil, uint64(now.Unix())) //nolint:gosec // after 1970
	return base64.RawURLEncoding.EncodeToString(append(stamp, v.nonceMAC(stamp)...))
}

func (v *Verifier) nonceMAC(stamp []byte) []byte {
	return v.db.MAC("dpop nonce", string(stamp))[:nonceMAC]
}

// isNonce says when a nonce was given out here, and whether that was not too long ago.
func (v *Verifier) isNonce(nonce string, now time.Time) (at time.Time, is bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(raw) != 8+nonceMAC || subtle.ConstantTimeCompare(raw[8:], v.nonceMAC(raw[:8])) != 1 {
		return at, false
	}
	at = time.Unix(int64(binary.BigEndian.Uint64(raw)), 0) //nolint:gosec // what newNonce wrote
	return at, now.Sub(at) <= nonceLife && at.Sub(now) <= clockSkew
}
