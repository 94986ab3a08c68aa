package saml2

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
)

// testKeys are keys of nobody, made once.
var testKeys = sync.OnceValue(func() (keys []*Key) {
	for range 3 {
		k := NewKeys(nil, "https://peer.example")
		row, err := k.draw(time.Now())
		if err != nil {
			panic(err)
		}
		key, err := k.parse(row)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key)
	}
	return keys
})

func parsed(t *testing.T, document string) *etree.Element {
	t.Helper()
	el, err := parseMessage([]byte(document))
	if err != nil {
		t.Fatalf("parse %s: %v", document, err)
	}
	return el
}

func document(t *testing.T, el *etree.Element) string {
	t.Helper()
	raw, err := serialize(el)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// signedNote is a small signed message.
func signedNote(t *testing.T, key *Key) *etree.Element {
	t.Helper()
	el := begin("LogoutRequest", "https://to.example/slo", "https://peer.example", time.Now())
	child(el, "saml:NameID", "bob")
	if err := sign(el, key); err != nil {
		t.Fatal(err)
	}
	return el
}

func TestWhatIsSignedIsVerifiedAfterItHasTravelled(t *testing.T) {
	t.Parallel()
	key := testKeys()[0]
	el := parsed(t, document(t, signedNote(t, key)))
	certs := []*x509.Certificate{testKeys()[1].Certificate, key.Certificate}
	covered, err := verify(el, certs, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if got := text(only(covered, nsAssertion, "NameID")); got != "bob" {
		t.Errorf("the name = %q, want bob", got)
	}
	if n := everywhere(covered, nsSignature, "Signature"); n != 0 {
		t.Errorf("what is covered has %d signatures", n)
	}
	if _, err := verify(el, certs[:1], time.Now()); !errors.Is(err, errSignature) {
		t.Errorf("with another key: %v", err)
	}
	if _, err := verify(el, certs, time.Now().AddDate(11, 0, 0)); !errors.Is(err, errSignature) {
		t.Errorf("with a certificate that has ended: %v", err)
	}
}

func TestASignatureThatIsAnythingButWholeIsRefused(t *testing.T) {
	t.Parallel()
	key := testKeys()[0]
	whole := document(t, signedNote(t, key))
	cut := func(s, from, to string) string {
		before, rest, _ := strings.Cut(s, from)
		_, after, _ := strings.Cut(rest, to)
		return before + after
	}
	value := whole[strings.Index(whole, "<ds:SignatureValue>"):strings.Index(whole, "<ds:KeyInfo>")]
	for what, sent := range map[string]string{
		"a changed name":      strings.Replace(whole, ">bob<", ">alice<", 1),
		"a changed attribute": strings.Replace(whole, "to.example", "at.example", 1),
		"no value":            strings.Replace(whole, value, "<ds:SignatureValue></ds:SignatureValue>", 1),
		"SHA-1":               strings.Replace(whole, algRSASHA256, nsSignature+"rsa-sha1", 1),
		"HMAC":                strings.Replace(whole, algRSASHA256, nsSignature+"hmac-sha1", 1),
		"another reference":   strings.Replace(whole, `URI="#`, `URI="#x`, 1),
		"an empty reference":  cut(whole, `URI="`, `"`),
		"no transforms":       cut(whole, "<ds:Transforms>", "</ds:Transforms>"),
		"XPath":               strings.Replace(whole, algEnveloped, "http://www.w3.org/TR/1999/REC-xpath-19991116", 1),
		"inclusive form":      strings.Replace(whole, algExclusive, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", 1),
		"an object":           strings.Replace(whole, "</ds:Signature>", "<ds:Object/></ds:Signature>", 1),
		"two values":          strings.Replace(whole, value, value+value, 1),
		"a signature that is within": strings.Replace(
			strings.Replace(whole, "<ds:Signature ", "<saml:x><ds:Signature ", 1), "</ds:Signature>", "</ds:Signature></saml:x>", 1),
	} {
		if sent == whole {
			t.Fatalf("%s: nothing was changed", what)
		}
		_, err := verify(parsed(t, sent), []*x509.Certificate{key.Certificate}, time.Now())
		if !errors.Is(err, errSignature) && !errors.Is(err, errUnsigned) {
			t.Errorf("SA-01 %s: %v, want refused", what, err)
		}
	}
}

func TestEllipticCurvesAreBelievedToo(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	data := []byte("what is signed")
	const algorithm = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	r, s, err := ecdsa.Sign(rand.Reader, private, digest(methods[algorithm].hash, data))
	if err != nil {
		t.Fatal(err)
	}
	value := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	now := time.Now()
	cert := &x509.Certificate{PublicKey: private.Public(), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	if err := verifyBytes(algorithm, data, value, []*x509.Certificate{cert}, now); err != nil {
		t.Error(err)
	}
	if err := verifyBytes(algorithm, data[1:], value, []*x509.Certificate{cert}, now); !errors.Is(err, errSignature) {
		t.Errorf("other bytes: %v", err)
	}
	if err := verifyBytes(algRSASHA256, data, value, []*x509.Certificate{cert}, now); !errors.Is(err, errSignature) {
		t.Errorf("under the name of another algorithm: %v", err)
	}
}

func TestWhatIsEncryptedIsReadByItsKeyAlone(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	for algorithm := range blocks {
		data, err := encrypt(signedNote(t, keys[1]), keys[0].Certificate, algorithm)
		if err != nil {
			t.Fatal(err)
		}
		el := etree.NewElement("saml:EncryptedAssertion")
		el.CreateAttr("xmlns:saml", nsAssertion)
		el.AddChild(data)
		el = parsed(t, document(t, el))
		plain, err := decrypt(el, []*Key{keys[2], keys[0]})
		if err != nil || !bytes.Contains(plain, []byte(">bob<")) {
			t.Errorf("%s: %q, %v", algorithm, plain, err)
		}
		if _, err := decrypt(el, keys[1:]); !errors.Is(err, errDecrypt) {
			t.Errorf("%s by another key: %v", algorithm, err)
		}
		for _, name := range []string{algorithm, algOAEP} {
			changed := strings.Replace(document(t, el), name, nsEncrypted+"rsa-1_5", 1)
			if _, err := decrypt(parsed(t, changed), keys); !errors.Is(err, errDecrypt) {
				t.Errorf("%s in the place of %s: %v", "rsa-1_5", name, err)
			}
		}
		short := strings.Replace(document(t, el), text(only(only(data, nsEncrypted, "CipherData"), nsEncrypted, "CipherValue")),
			base64.StdEncoding.EncodeToString([]byte("short")), 1)
		if _, err := decrypt(parsed(t, short), keys); !errors.Is(err, errDecrypt) {
			t.Errorf("%s cut short: %v", algorithm, err)
		}
	}
}
