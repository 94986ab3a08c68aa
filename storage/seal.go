package storage

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

const sealVersion = "v1."

// secret derives what it needs from the server's secret key, each use under a
// key of its own (RFC 5869).
type secret struct {
	key     []byte
	derived *sync.Map // the keys that were derived, by purpose: there are few
	macs    *sync.Map // pools of HMACs that have their key, by purpose
}

func newSecret(key []byte) secret { return secret{key, new(sync.Map), new(sync.Map)} }

func (s secret) derive(purpose string) []byte {
	if key, known := s.derived.Load(purpose); known {
		return key.([]byte)
	}
	key, err := hkdf.Key(sha256.New, s.key, nil, "authy/"+purpose, chacha20poly1305.KeySize)
	if err != nil {
		panic("impossible: HKDF refuses 32 bytes: " + err.Error())
	}
	s.derived.Store(purpose, key)
	return key
}

// MAC returns HMAC-SHA-256 over message under a key kept for purpose alone.
// It is how chosen secrets are stored and how successors of tokens are derived.
func (s secret) MAC(purpose, message string) []byte {
	pool, known := s.macs.Load(purpose)
	if !known {
		pool, _ = s.macs.LoadOrStore(purpose, &sync.Pool{New: func() any {
			return hmac.New(sha256.New, s.derive("mac/"+purpose))
		}})
	}
	keyed := pool.(*sync.Pool)
	h := keyed.Get().(hash.Hash)
	defer keyed.Put(h)
	h.Reset()
	h.Write([]byte(message))
	return h.Sum(nil)
}

// seal encrypts plain for the cell named by place (table, column and row), so
// that a sealed value moved to another cell no longer opens.
func (s secret) seal(place string, plain []byte) string {
	aead, err := chacha20poly1305.NewX(s.derive("seal"))
	if err != nil {
		panic("impossible: key of the wrong size: " + err.Error())
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	rand.Read(nonce)
	return sealVersion + base64.RawURLEncoding.EncodeToString(
		aead.Seal(nonce, nonce, plain, []byte(place)))
}

// open decrypts what seal made for the same place.
func (s secret) open(place, sealed string) ([]byte, error) {
	text, ok := strings.CutPrefix(sealed, sealVersion)
	if !ok {
		return nil, fmt.Errorf("open %s: not a sealed value", place)
	}
	box, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", place, err)
	}
	aead, err := chacha20poly1305.NewX(s.derive("seal"))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", place, err)
	}
	if len(box) < aead.NonceSize() {
		return nil, fmt.Errorf("open %s: sealed value is cut short", place)
	}
	plain, err := aead.Open(nil, box[:aead.NonceSize()], box[aead.NonceSize():], []byte(place))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s", place), ErrSecretKey)
	}
	return plain, nil
}
