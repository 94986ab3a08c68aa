package saml2

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"authy/server/fault"
	"authy/server/outbound"
)

func isBadMetadata(err error) bool {
	f, is := errors.AsType[*fault.Error](err)
	return is && len(f.Fields["metadata"]) == 1
}

// weakCertificate is about a key of 1,024 bits, or has ended.
func weakCertificate(t *testing.T, bits int, until time.Time) string {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.AddDate(-1, 0, 0), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

//nolint:paralleltest // it sets the environment
func TestMetadataThatNothingCouldBeCheckedByIsRefused(t *testing.T) {
	good := stubMetadata(certificateOf(testKeys()[0]))
	swap := func(old, fresh string) string {
		changed := strings.ReplaceAll(good, old, fresh)
		if changed == good {
			t.Fatalf("there is no %q in the metadata", old)
		}
		return changed
	}
	now := time.Now()
	for what, doc := range map[string]string{
		"SA-28 no key":                     stubMetadata(),
		"SA-28 a key for encryption":       swap(`use="signing"`, `use="encryption"`),
		"SA-28 a key for what":             swap(`use="signing"`, `use="other"`),
		"SA-28 a certificate that ended":   stubMetadata(weakCertificate(t, 2048, now.Add(-time.Hour))),
		"SA-28 a weak key":                 stubMetadata(weakCertificate(t, 1024, now.Add(time.Hour))),
		"SA-28 a certificate that is none": stubMetadata("AAAA"),
		"SA-19 a script":                   swap("https://idp.example/sso?a=b", "javascript:alert(1)"),
		"SA-19 data":                       swap("https://idp.example/sso?a=b", "data:text/html,x"),
		"SA-19 http":                       swap("https://idp.example/sso?a=b", "http://idp.example/sso"),
		"SA-19 a path":                     swap("https://idp.example/sso?a=b", "/sso"),
		"SA-19 a script to sign out":       swap("https://idp.example/slo/done", "javascript:alert(1)"),
		"SA-19 it has ended":               swap(` entityID=`, ` validUntil="2020-01-01T00:00:00Z" entityID=`),
		"SA-19 its role has ended":         swap(`<md:IDPSSODescriptor `, `<md:IDPSSODescriptor validUntil="2020-01-01T00:00:00Z" `),
		"SA-19 a document type":            `<!DOCTYPE x>` + good,
		"SA-19 more than 1 MB":             good + strings.Repeat(" ", maxMetadata),
		"SA-19 several entities":           `<md:EntitiesDescriptor xmlns:md="` + nsMetadata + `">` + good + swap(stubEntity, "https://b.example") + `</md:EntitiesDescriptor>`,
		"no entity":                        `<a/>`,
		"no name":                          swap(`entityID="`+stubEntity+`"`, ""),
		"another role":                     swap("IDPSSODescriptor", "SPSSODescriptor"),
		"another protocol":                 swap(`protocolSupportEnumeration="`+nsProtocol, `protocolSupportEnumeration="urn:oasis:names:tc:SAML:1.1:protocol`),
		"only artifacts":                   swap("bindings:HTTP", "bindings:SOAP"),
	} {
		if p, err := ParseMetadata([]byte(doc), "", IdentityProvider, now); !isBadMetadata(err) {
			t.Errorf("%s: %+v, %v, want refused", what, p, err)
		}
	}
}

func TestMetadataIsRead(t *testing.T) {
	t.Parallel()
	good := stubMetadata(certificateOf(testKeys()[0]), certificateOf(testKeys()[1]))
	now := time.Now()
	p, err := ParseMetadata([]byte(good), "", IdentityProvider, now)
	if err != nil || p.EntityID != stubEntity || len(p.Signing) != 2 || len(p.SSO) != 2 || len(p.SLO) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	if p.SLO[0].ResponseURL != "https://idp.example/slo/done" || p.SSO[0].ResponseURL != p.SSO[0].URL {
		t.Errorf("endpoints: %+v, %+v", p.SLO, p.SSO)
	}
	p, err = ParseMetadata([]byte(strings.ReplaceAll(good, ` use="signing"`, "")), "", IdentityProvider, now)
	if err != nil || len(p.Signing) != 2 || len(p.Encryption) != 2 {
		t.Errorf("SA-28 keys without a use: %+v, %v, want for both", p, err)
	}
	group := `<md:EntitiesDescriptor xmlns:md="` + nsMetadata + `">` + good +
		strings.ReplaceAll(good, stubEntity, "https://b.example") + `</md:EntitiesDescriptor>`
	if p, err = ParseMetadata([]byte(group), "https://b.example", IdentityProvider, now); err != nil || p.EntityID != "https://b.example" {
		t.Errorf("one of two, by name: %+v, %v", p, err)
	}
	if _, err = ParseMetadata([]byte(group), "https://c.example", IdentityProvider, now); !isBadMetadata(err) {
		t.Errorf("a third: %v", err)
	}
}

func TestKeysAreNotSwappedSilently(t *testing.T) {
	t.Parallel()
	keys, now := testKeys(), time.Now()
	old := stubMetadata(certificateOf(keys[0]))
	known, err := ParseMetadata([]byte(old), "", IdentityProvider, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, changes, err := known.Refresh([]byte(old), IdentityProvider, false, now); err != nil || len(changes) != 0 {
		t.Errorf("the same: %v, %v", changes, err)
	}
	swapped := stubMetadata(certificateOf(keys[1]))
	p, changes, err := known.Refresh([]byte(swapped), IdentityProvider, false, now)
	if !errors.Is(err, ErrMetadataChanged) || p != nil || len(changes) != 1 {
		t.Errorf("SA-19 another key: %v, %v, %v", p, changes, err)
	}
	moved := strings.ReplaceAll(old, "https://idp.example/post", "https://evil.example/post")
	if _, _, err := known.Refresh([]byte(moved), IdentityProvider, false, now); !errors.Is(err, ErrMetadataChanged) {
		t.Errorf("SA-19 another address: %v", err)
	}
	if p, changes, err := known.Refresh([]byte(swapped), IdentityProvider, true, now); err != nil || len(p.Signing) != 1 || len(changes) != 2 {
		t.Errorf("accepted: %v, %v, %v", p, changes, err)
	}
	for i, want := range []error{nil, ErrMetadataChanged} {
		el := parsed(t, strings.Replace(swapped, " entityID=", ` ID="m" entityID=`, 1))
		if err := sign(el, keys[i]); err != nil {
			t.Fatal(err)
		}
		if _, _, err := known.Refresh([]byte(document(t, el)), IdentityProvider, false, now); !errors.Is(err, want) {
			t.Errorf("SA-19 signed by key %d: %v, want %v", i, err, want)
		}
	}
}

func TestMetadataIsFetchedFromWhereItMay(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<a/>")) }) //nolint:errcheck // a test
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) {
		w.Write(make([]byte, maxMetadata+1)) //nolint:errcheck // a test
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	open := outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	if raw, err := FetchMetadata(t.Context(), open, server.URL+"/good"); err != nil || string(raw) != "<a/>" {
		t.Errorf("%q, %v", raw, err)
	}
	for _, c := range []struct {
		out     *outbound.Client
		address string
	}{
		{outbound.New(nil), server.URL + "/good"},
		{open, server.URL + "/long"},
		{open, server.URL + "/missing"},
		{open, "file:///etc/passwd"},
		{open, "http://169.254.169.254/latest/meta-data"},
		{open, "https://169.254.169.254/"},
		{open, "http://idp.example/metadata"},
		{open, ""},
	} {
		_, err := FetchMetadata(context.WithoutCancel(t.Context()), c.out, c.address)
		if f, is := errors.AsType[*fault.Error](err); !is || len(f.Fields["metadata_url"]) != 1 {
			t.Errorf("SA-19 %s: %v, want refused", c.address, err)
		}
	}
}

func FuzzMetadataNeverPanics(f *testing.F) {
	f.Add([]byte(stubMetadata("AAAA")))
	f.Add([]byte(`<md:EntityDescriptor xmlns:md="` + nsMetadata + `" entityID="x"/>`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ParseMetadata(raw, "", IdentityProvider, time.Now())
		if (p == nil) == (err == nil) && err == nil {
			t.Errorf("%q: neither a peer nor an error", raw)
		}
	})
}
