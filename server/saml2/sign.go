package saml2

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.Hash
	_ "crypto/sha512"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

// What is said of a signature that does not do.
var (
	errUnsigned  = errors.New("saml2: it is not signed")
	errSignature = errors.New("saml2: its signature is not good")
)

const (
	algExclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"
	algEnveloped = nsSignature + "enveloped-signature"
	algRSASHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	algSHA256    = nsEncrypted + "sha256"
)

// method is how something is signed.
type method struct {
	hash crypto.Hash
	rsa  bool // else ECDSA
}

// methods are the algorithms of signatures that are believed (RFC 6931): no SHA-1.
var methods = map[string]method{
	algRSASHA256: {crypto.SHA256, true},
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384":   {crypto.SHA384, true},
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512":   {crypto.SHA512, true},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256": {crypto.SHA256, false},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384": {crypto.SHA384, false},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512": {crypto.SHA512, false},
}

var digests = map[string]crypto.Hash{
	algSHA256: crypto.SHA256,
	"http://www.w3.org/2001/04/xmldsig-more#sha384": crypto.SHA384,
	nsEncrypted + "sha512":                          crypto.SHA512,
}

// canonical returns el in exclusive canonical form, with the namespaces that its
// ancestors declare. It leaves el as it is.
func canonical(el *etree.Element, prefixes string) ([]byte, error) {
	ctx, err := etreeutils.NSBuildParentContext(el)
	if err != nil {
		return nil, err
	}
	detached, err := etreeutils.NSDetatch(ctx, el)
	if err != nil {
		return nil, err
	}
	return dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixes).Canonicalize(detached)
}

func digest(h crypto.Hash, data []byte) []byte {
	w := h.New()
	w.Write(data)
	return w.Sum(nil)
}

// sign signs el, by its ID and below its issuer, where the schemas have the
// signature.
func sign(el *etree.Element, key *Key) error {
	data, err := canonical(el, "")
	if err != nil {
		return fmt.Errorf("sign %s: %w", el.Tag, err)
	}
	sig := etree.NewElement("ds:Signature")
	sig.CreateAttr("xmlns:ds", nsSignature)
	info := child(sig, "ds:SignedInfo", "")
	child(info, "ds:CanonicalizationMethod", "", "Algorithm", algExclusive)
	child(info, "ds:SignatureMethod", "", "Algorithm", algRSASHA256)
	ref := child(info, "ds:Reference", "", "URI", "#"+attr(el, "ID"))
	transforms := child(ref, "ds:Transforms", "")
	child(transforms, "ds:Transform", "", "Algorithm", algEnveloped)
	child(transforms, "ds:Transform", "", "Algorithm", algExclusive)
	child(ref, "ds:DigestMethod", "", "Algorithm", algSHA256)
	child(ref, "ds:DigestValue", base64.StdEncoding.EncodeToString(digest(crypto.SHA256, data)))

	at := 0
	if issuer := only(el, nsAssertion, "Issuer"); issuer != nil {
		at = issuer.Index() + 1
	}
	el.InsertChildAt(at, sig)
	if data, err = canonical(info, ""); err != nil {
		return fmt.Errorf("sign %s: %w", el.Tag, err)
	}
	value, err := key.sign(data)
	if err != nil {
		return fmt.Errorf("sign %s: %w", el.Tag, err)
	}
	child(sig, "ds:SignatureValue", base64.StdEncoding.EncodeToString(value))
	x509Data := child(child(sig, "ds:KeyInfo", ""), "ds:X509Data", "")
	child(x509Data, "ds:X509Certificate", base64.StdEncoding.EncodeToString(key.Certificate.Raw))
	return nil
}

// sign returns the signature of data by RSA with SHA-256.
func (k *Key) sign(data []byte) ([]byte, error) {
	return rsa.SignPKCS1v15(rand.Reader, k.private, crypto.SHA256, digest(crypto.SHA256, data))
}

// verify returns what a signature that lies directly in el covers, which is el
// itself without it, parsed again from the bytes that were verified. The signature
// must be by one of certs, whatever its KeyInfo says. errUnsigned if there is none.
func verify(el *etree.Element, certs []*x509.Certificate, now time.Time) (*etree.Element, error) {
	switch found := children(el, nsSignature, "Signature"); len(found) {
	case 0:
		return nil, errUnsigned
	case 1:
		return verifyBy(el, found[0], certs, now)
	}
	return nil, fmt.Errorf("%w: there is more than one", errSignature)
}

func verifyBy(el, sig *etree.Element, certs []*x509.Certificate, now time.Time) (*etree.Element, error) {
	info, value, err := takeApart(sig)
	if err != nil {
		return nil, err
	}
	// What is read of SignedInfo is what was signed, and not what it was parsed from.
	data, err := canonical(info, inclusive(only(info, nsSignature, "CanonicalizationMethod")))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSignature, err)
	}
	if info, err = parseMessage(data); err != nil {
		return nil, fmt.Errorf("%w: %w", errSignature, err)
	}
	if attr(only(info, nsSignature, "CanonicalizationMethod"), "Algorithm") != algExclusive {
		return nil, fmt.Errorf("%w: it is not in exclusive canonical form", errSignature)
	}
	if err := verifyBytes(attr(only(info, nsSignature, "SignatureMethod"), "Algorithm"), data, value, certs, now); err != nil {
		return nil, err
	}
	covered, err := verifyReference(el, sig, only(info, nsSignature, "Reference"))
	if err != nil {
		return nil, err
	}
	return parseMessage(covered)
}

// takeApart returns SignedInfo and the value of a signature that has nothing else
// but perhaps one KeyInfo: no objects.
func takeApart(sig *etree.Element) (*etree.Element, []byte, error) {
	info, value := only(sig, nsSignature, "SignedInfo"), only(sig, nsSignature, "SignatureValue")
	parts := 2 + len(children(sig, nsSignature, "KeyInfo"))
	if info == nil || value == nil || parts > 3 || len(sig.ChildElements()) != parts {
		return nil, nil, fmt.Errorf("%w: it has parts that it should not have", errSignature)
	}
	raw, err := decodeBase64(text(value))
	if err != nil || len(raw) == 0 {
		return nil, nil, fmt.Errorf("%w: it has no value", errSignature)
	}
	return info, raw, nil
}

// inclusive returns the prefixes that a canonicalization treats inclusively.
func inclusive(el *etree.Element) string {
	return attr(only(el, algExclusive, "InclusiveNamespaces"), "PrefixList")
}

// verifyReference returns the bytes of el that the one reference of its signature
// covers.
func verifyReference(el, sig, ref *etree.Element) ([]byte, error) {
	id := attr(el, "ID")
	if ref == nil || id == "" || attr(ref, "URI") != "#"+id {
		return nil, fmt.Errorf("%w: it is about something else", errSignature)
	}
	transforms := only(ref, nsSignature, "Transforms")
	if transforms == nil {
		return nil, fmt.Errorf("%w: it has no transforms", errSignature)
	}
	steps := transforms.ChildElements()
	if len(steps) != 2 || attr(steps[0], "Algorithm") != algEnveloped || attr(steps[1], "Algorithm") != algExclusive {
		return nil, fmt.Errorf("%w: it has other transforms than the two", errSignature)
	}
	want, err := decodeBase64(text(only(ref, nsSignature, "DigestValue")))
	h, known := digests[attr(only(ref, nsSignature, "DigestMethod"), "Algorithm")]
	if err != nil || !known {
		return nil, fmt.Errorf("%w: it has no digest of a kind that is believed", errSignature)
	}
	covered, err := without(el, sig)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSignature, err)
	}
	data, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(inclusive(steps[1])).Canonicalize(covered)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSignature, err)
	}
	if subtle.ConstantTimeCompare(digest(h, data), want) != 1 {
		return nil, fmt.Errorf("%w: what it covers was changed", errSignature)
	}
	return data, nil
}

// without returns a copy of el, with the namespaces that its ancestors declare,
// that does not have a child of el's.
func without(el, gone *etree.Element) (*etree.Element, error) {
	ctx, err := etreeutils.NSBuildParentContext(el)
	if err != nil {
		return nil, err
	}
	detached, err := etreeutils.NSDetatch(ctx, el)
	if err != nil {
		return nil, err
	}
	detached.RemoveChildAt(gone.Index())
	return detached, nil
}

// verifyBytes checks that one of certs that is valid at now has signed data.
func verifyBytes(algorithm string, data, value []byte, certs []*x509.Certificate, now time.Time) error {
	m, known := methods[algorithm]
	if !known {
		return fmt.Errorf("%w: it is by %q", errSignature, algorithm)
	}
	sum, ended := digest(m.hash, data), false
	for _, cert := range certs {
		if !m.by(cert.PublicKey, sum, value) {
			continue
		}
		if valid(cert, now) {
			return nil
		}
		ended = true
	}
	if ended {
		return fmt.Errorf("%w: the certificate has ended", errSignature)
	}
	return fmt.Errorf("%w: it is by none of the keys in the metadata", errSignature)
}

// by says whether value is the signature of a digest by a key.
func (m method) by(key any, sum, value []byte) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return m.rsa && rsa.VerifyPKCS1v15(k, m.hash, sum, value) == nil
	case *ecdsa.PublicKey:
		// RFC 4050, section 3.3: r and s, one after the other.
		half := (k.Curve.Params().BitSize + 7) / 8
		return !m.rsa && len(value) == 2*half &&
			ecdsa.Verify(k, sum, new(big.Int).SetBytes(value[:half]), new(big.Int).SetBytes(value[half:]))
	}
	return false
}

// valid says whether a certificate is within its time, give or take the skew of
// clocks.
func valid(cert *x509.Certificate, now time.Time) bool {
	return !now.Add(skew).Before(cert.NotBefore) && !now.Add(-skew).After(cert.NotAfter)
}

// decodeBase64 decodes what XML may have broken into lines.
func decodeBase64(value string) ([]byte, error) {
	value = strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, value)
	return base64.StdEncoding.Strict().DecodeString(value)
}

// fingerprint is the SHA-256 of a certificate, in hexadecimal.
func fingerprint(cert *x509.Certificate) string {
	return hex.EncodeToString(digest(crypto.SHA256, cert.Raw))
}
