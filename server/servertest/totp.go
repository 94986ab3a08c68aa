package servertest

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238, section 1.2
	"encoding/binary"
	"fmt"
	"time"
)

// TOTP is the code that an authenticator app shows at a time: six digits of
// HMAC-SHA-1 over the half minute (RFC 6238).
func TOTP(secret []byte, at time.Time) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(at.Unix()/30)) //nolint:gosec // after 1970
	mac := hmac.New(sha1.New, secret)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	from := sum[19] & 0xf
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[from:from+4])&0x7fffffff%1_000_000)
}
