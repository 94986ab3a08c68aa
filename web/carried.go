package web

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"authy/server/steady"
)

// carried is what the answer to a form leaves for the page that follows it, so
// that loading that page again does nothing again. It travels in a
// cookie, sealed for the session: no other browser can read it, and nobody can
// put words on the page.
type carried struct {
	Notice string    // what has been done
	Secret string    // what was made and is shown once: a token, a client's secret, a link
	Until  time.Time // it is shown before, and once
}

// carriedFor is how long a redirect may take.
const carriedFor = time.Minute

// carrier seals under a key of the session with a token.
func carrier(sessionToken string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(sessionToken), nil, "authy/carried", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of a session: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal for a session: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// carry goes to a page, which shows c, once.
func (wb *Web) carry(w http.ResponseWriter, r *http.Request, to string, c carried) error {
	aead, err := carrier(wb.browser(r).Token)
	if err != nil {
		return err
	}
	c.Until = steady.Now().Add(carriedFor)
	text, err := json.Marshal(c) //nolint:gosec // it is sealed below
	if err != nil {
		return fmt.Errorf("carry to the next page: %w", err)
	}
	box := aead.Seal(nil, nil, text, nil) //nolint:gosec // it makes a random nonce of its own
	wb.setCookie(w, carriedCookie, base64.RawURLEncoding.EncodeToString(box), &c.Until)
	redirect(w, r, to)
	return nil
}

// done goes to a page, which says what has been done.
func (wb *Web) done(w http.ResponseWriter, r *http.Request, to, notice string) error {
	return wb.carry(w, r, to, carried{Notice: notice})
}

// carried returns what the last answer left, and forgets it. What was not
// sealed for this session, or is old, is nothing.
func (wb *Web) carried(w http.ResponseWriter, r *http.Request) (c carried) {
	cookie, err := r.Cookie(wb.cookieName(carriedCookie))
	if err != nil {
		return carried{}
	}
	wb.clearCookie(w, carriedCookie)
	box, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return carried{}
	}
	aead, err := carrier(wb.browser(r).Token)
	if err != nil {
		return carried{}
	}
	text, err := aead.Open(nil, nil, box, nil)
	if err != nil || json.Unmarshal(text, &c) != nil || steady.Now().After(c.Until) {
		return carried{}
	}
	return c
}
