package saml2

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"

	"github.com/beevik/etree"
)

// errSealing says that a peer has keys to encrypt to, and none that can be used.
var errSealing = errors.New("saml2: nothing can be encrypted to the peer's keys")

// sealedBy are the block encryptions for others, the best first. CBC tells who can
// change what is sent something about it, so it is for those who know nothing else.
var sealedBy = []string{
	algAES256GCM, nsEncrypted11 + "aes128-gcm", nsEncrypted11 + "aes192-gcm", algAES256CBC, algAES128CBC,
}

// sealing returns the key that things are encrypted to for a peer, nil if it has
// none, and by what. A key whose certificate has ended still keeps a secret better
// than none.
func (p *Peer) sealing() (*x509.Certificate, string, error) {
	if len(p.Encryption) == 0 {
		return nil, "", nil
	}
	at := slices.IndexFunc(p.Encryption, func(c *x509.Certificate) bool {
		_, is := c.PublicKey.(*rsa.PublicKey)
		return is
	})
	if at < 0 {
		return nil, "", errSealing
	}
	named := func(of func(string) bool) bool { return slices.ContainsFunc(p.EncryptionMethods, of) }
	transports := named(func(m string) bool { return m == nsEncrypted+"rsa-1_5" || m == algOAEP || m == algOAEP11 })
	if transports && !slices.Contains(p.EncryptionMethods, algOAEP) {
		return nil, "", errSealing
	}
	if !named(func(m string) bool { _, is := blocks[m]; return is }) {
		return p.Encryption[at], algAES256GCM, nil
	}
	for _, algorithm := range sealedBy {
		if slices.Contains(p.EncryptionMethods, algorithm) {
			return p.Encryption[at], algorithm, nil
		}
	}
	return nil, "", errSealing
}

// seal adds an assertion to a response, encrypted if the peer has a key for that,
// unless plain is wanted.
func (p *Peer) seal(response, assertion *etree.Element, plain bool) error {
	cert, algorithm, err := p.sealing()
	switch {
	case plain, cert == nil && err == nil:
		response.AddChild(assertion)
		return nil
	case err != nil:
		return err
	}
	data, err := encrypt(assertion, cert, algorithm)
	if err != nil {
		return err
	}
	child(response, "saml:EncryptedAssertion", "").AddChild(data)
	return nil
}
