// Package machinetest makes certificates for tests.
package machinetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"testing"
	"time"
)

// Pair is a certificate that signs itself, and its key, in PEM.
type Pair struct{ Cert, Key []byte }

// NewPair returns a pair for a host that is good for some time.
func NewPair(t testing.TB, host string, from, until time.Time) Pair {
	t.Helper()
	pair, err := MakePair(host, from, until)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// MakePair is [NewPair] where there is no test.
func MakePair(host string, from, until time.Time) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(from.UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: from, NotAfter: until,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return Pair{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	return Pair{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}, err
}

// Good returns a pair that is good now.
func Good(t testing.TB, host string) Pair {
	t.Helper()
	return NewPair(t, host, time.Now().Add(-time.Hour), time.Now().Add(90*24*time.Hour))
}

// Write writes a file as of later from now, so that it differs from the one before.
func Write(t testing.TB, path string, data []byte, later time.Duration) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(later)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}
