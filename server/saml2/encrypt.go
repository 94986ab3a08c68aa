package saml2

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // the default of OAEP, where it is no weakness
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/beevik/etree"
)

// errDecrypt is all that is said of something that cannot be decrypted: why would
// help whoever sends it to guess what is in it.
var errDecrypt = errors.New("saml2: it cannot be decrypted")

const (
	nsEncrypted11 = "http://www.w3.org/2009/xmlenc11#"
	algOAEP       = nsEncrypted + "rsa-oaep-mgf1p"
	algOAEP11     = nsEncrypted11 + "rsa-oaep"
	algAES256GCM  = nsEncrypted11 + "aes256-gcm"
	algAES128CBC  = nsEncrypted + "aes128-cbc"
	algAES256CBC  = nsEncrypted + "aes256-cbc"
)

// block is a block encryption.
type block struct {
	size int // of the key, in bytes
	gcm  bool
}

var blocks = map[string]block{
	nsEncrypted11 + "aes128-gcm": {16, true},
	nsEncrypted11 + "aes192-gcm": {24, true},
	algAES256GCM:                 {32, true},
	algAES128CBC:                 {16, false},
	nsEncrypted + "aes192-cbc":   {24, false},
	algAES256CBC:                 {32, false},
}

// decrypt opens an element that holds one EncryptedData, such as EncryptedAssertion,
// with whichever of keys it is for.
func decrypt(el *etree.Element, keys []*Key) ([]byte, error) {
	data := only(el, nsEncrypted, "EncryptedData")
	b, known := blocks[encryptionMethod(data)]
	sealed, err := cipherValue(data)
	if !known || err != nil {
		return nil, errDecrypt
	}
	wrapped := only(only(data, nsSignature, "KeyInfo"), nsEncrypted, "EncryptedKey")
	if wrapped == nil {
		wrapped = only(el, nsEncrypted, "EncryptedKey") // beside it (SAML core, section 2.2.4)
	}
	for _, key := range keys {
		secret, err := unwrap(wrapped, key.private)
		if err != nil || len(secret) != b.size {
			continue
		}
		if plain, err := b.open(secret, sealed); err == nil {
			return plain, nil
		}
	}
	return nil, errDecrypt
}

func encryptionMethod(el *etree.Element) string {
	return attr(only(el, nsEncrypted, "EncryptionMethod"), "Algorithm")
}

func cipherValue(el *etree.Element) ([]byte, error) {
	return decodeBase64(text(only(only(el, nsEncrypted, "CipherData"), nsEncrypted, "CipherValue")))
}

// unwrap decrypts the key of an EncryptedKey, by RSA-OAEP alone.
func unwrap(el *etree.Element, key *rsa.PrivateKey) ([]byte, error) {
	how := only(el, nsEncrypted, "EncryptionMethod")
	name := attr(how, "Algorithm")
	value, err := cipherValue(el)
	if err != nil || name != algOAEP && name != algOAEP11 {
		return nil, errDecrypt
	}
	// rsa-oaep-mgf1p makes its mask with SHA-1, whichever the digest is.
	options := rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA1}
	known := true
	if d := attr(only(how, nsSignature, "DigestMethod"), "Algorithm"); d != "" {
		options.Hash, known = oaepHashes[d]
	}
	if m := attr(only(how, nsEncrypted11, "MGF"), "Algorithm"); known && m != "" && name == algOAEP11 {
		options.MGFHash, known = oaepHashes[m]
	}
	if !known {
		return nil, errDecrypt
	}
	return key.Decrypt(nil, value, &options)
}

// oaepHashes are the hashes of OAEP, where SHA-1 is no weakness.
var oaepHashes = map[string]crypto.Hash{
	nsSignature + "sha1":         crypto.SHA1,
	algSHA256:                    crypto.SHA256,
	nsEncrypted + "sha512":       crypto.SHA512,
	nsEncrypted11 + "mgf1sha1":   crypto.SHA1,
	nsEncrypted11 + "mgf1sha256": crypto.SHA256,
	nsEncrypted11 + "mgf1sha384": crypto.SHA384,
	nsEncrypted11 + "mgf1sha512": crypto.SHA512,
}

// open decrypts what block encrypted: the initialization vector comes first.
func (b block) open(secret, sealed []byte) ([]byte, error) {
	c, err := aes.NewCipher(secret)
	if err != nil {
		return nil, errDecrypt
	}
	if b.gcm {
		aead, err := cipher.NewGCM(c)
		if err != nil || len(sealed) < aead.NonceSize() {
			return nil, errDecrypt
		}
		return aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil)
	}
	if len(sealed) < 2*aes.BlockSize || len(sealed)%aes.BlockSize != 0 {
		return nil, errDecrypt
	}
	plain := make([]byte, len(sealed)-aes.BlockSize)
	cipher.NewCBCDecrypter(c, sealed[:aes.BlockSize]).CryptBlocks(plain, sealed[aes.BlockSize:])
	// XML Encryption, section 5.2: only the last byte of the padding says anything.
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > aes.BlockSize {
		return nil, errDecrypt
	}
	return plain[:len(plain)-padding], nil
}

// seal encrypts plain under a new key, and returns that.
func (b block) seal(plain []byte) (secret, sealed []byte, err error) {
	secret = make([]byte, b.size)
	rand.Read(secret)
	c, err := aes.NewCipher(secret)
	if err != nil {
		return nil, nil, err
	}
	if b.gcm {
		aead, err := cipher.NewGCMWithRandomNonce(c)
		if err != nil {
			return nil, nil, err
		}
		return secret, aead.Seal(nil, nil, plain, nil), nil //nolint:gosec // it draws the nonce itself
	}
	padding := aes.BlockSize - len(plain)%aes.BlockSize
	padded := append(append([]byte{}, plain...), make([]byte, padding)...)
	padded[len(padded)-1] = byte(padding)
	sealed = make([]byte, aes.BlockSize+len(padded))
	rand.Read(sealed[:aes.BlockSize])
	cipher.NewCBCEncrypter(c, sealed[:aes.BlockSize]).CryptBlocks(sealed[aes.BlockSize:], padded) //nolint:gosec // it was drawn
	return secret, sealed, nil
}

// encrypt returns the EncryptedData of el for the key of a certificate.
func encrypt(el *etree.Element, cert *x509.Certificate, algorithm string) (*etree.Element, error) {
	public, is := cert.PublicKey.(*rsa.PublicKey)
	b, known := blocks[algorithm]
	if !is || !known {
		return nil, fmt.Errorf("encrypt %s: no way for %T and %s", el.Tag, cert.PublicKey, algorithm)
	}
	plain, err := serialize(el)
	if err != nil {
		return nil, fmt.Errorf("encrypt %s: %w", el.Tag, err)
	}
	secret, sealed, err := b.seal(plain)
	if err != nil {
		return nil, fmt.Errorf("encrypt %s: %w", el.Tag, err)
	}
	options := rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA1}
	wrapped, err := rsa.EncryptOAEPWithOptions(rand.Reader, public, secret, &options)
	if err != nil {
		return nil, fmt.Errorf("encrypt %s: %w", el.Tag, err)
	}
	data := etree.NewElement("xenc:EncryptedData")
	data.CreateAttr("xmlns:xenc", nsEncrypted)
	data.CreateAttr("Type", nsEncrypted+"Element")
	child(data, "xenc:EncryptionMethod", "", "Algorithm", algorithm)
	key := child(child(data, "ds:KeyInfo", "", "xmlns:ds", nsSignature), "xenc:EncryptedKey", "")
	how := child(key, "xenc:EncryptionMethod", "", "Algorithm", algOAEP)
	child(how, "ds:DigestMethod", "", "Algorithm", nsSignature+"sha1")
	child(child(key, "xenc:CipherData", ""), "xenc:CipherValue", base64.StdEncoding.EncodeToString(wrapped))
	child(child(data, "xenc:CipherData", ""), "xenc:CipherValue", base64.StdEncoding.EncodeToString(sealed))
	return data, nil
}
