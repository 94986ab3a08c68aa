package saml2

import (
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"authy/storage"
)

const askedBy = `<samlp:AuthnRequest xmlns:samlp="` + nsProtocol + `" xmlns:saml="` + nsAssertion + `" ID="a" Version="2.0">` +
	`<saml:Issuer>https://sp.example</saml:Issuer></samlp:AuthnRequest>`

func TestAnAnswerGoesToAnEndpointByPOSTAlone(t *testing.T) {
	t.Parallel()
	p := &Peer{ACS: []Endpoint{
		{Binding: Redirect, URL: "https://sp.example/redirect", Index: 0, IsDefault: true},
		{Binding: Post, URL: "https://sp.example/one", Index: 1},
		{Binding: Post, URL: "https://sp.example/two", Index: 2, IsDefault: true},
	}}
	for what, c := range map[string]struct {
		attributes [][2]string
		want       string
	}{
		"the default":     {nil, "https://sp.example/two"},
		"an index":        {[][2]string{{"AssertionConsumerServiceIndex", "1"}}, "https://sp.example/one"},
		"a URL":           {[][2]string{{"AssertionConsumerServiceURL", "https://sp.example/one"}, {"ProtocolBinding", Post}}, "https://sp.example/one"},
		"another binding": {[][2]string{{"AssertionConsumerServiceIndex", "0"}}, ""},
		"no such index":   {[][2]string{{"AssertionConsumerServiceIndex", "01"}}, ""},
		"both":            {[][2]string{{"AssertionConsumerServiceIndex", "1"}, {"AssertionConsumerServiceURL", "https://sp.example/one"}}, ""},
	} {
		root := parsed(t, askedBy)
		for _, a := range c.attributes {
			root.CreateAttr(a[0], a[1])
		}
		if got, ok := p.consumer(root); got != c.want || ok != (c.want != "") {
			t.Errorf("SA-22 %s: %q, %v, want %q", what, got, ok, c.want)
		}
	}
}

func TestOnlyWhoKnowsNothingElseGetsCBC(t *testing.T) {
	t.Parallel()
	const cbc = algAES128CBC
	for what, c := range map[string]struct {
		methods []string
		want    string
	}{
		"nothing is named":    {nil, algAES256GCM},
		"only how keys go":    {[]string{algOAEP}, algAES256GCM},
		"both":                {[]string{cbc, nsEncrypted11 + "aes128-gcm"}, nsEncrypted11 + "aes128-gcm"},
		"CBC":                 {[]string{cbc, algOAEP}, cbc},
		"keys by PKCS #1 1.5": {[]string{nsEncrypted + "rsa-1_5", algAES256GCM}, ""},
	} {
		p := &Peer{Encryption: []*x509.Certificate{testKeys()[0].Certificate}, EncryptionMethods: c.methods}
		if _, got, err := p.sealing(); got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: %q, %v, want %q", what, got, err, c.want)
		}
	}
	if cert, _, err := new(Peer).sealing(); cert != nil || err != nil {
		t.Errorf("without a key: %v, %v", cert, err)
	}
}

func TestNoMoreIsStatedThanWasProved(t *testing.T) {
	t.Parallel()
	const mfa = "https://refeds.org/profile/mfa"
	for what, c := range map[string]struct {
		w       Wanted
		reached int
		want    string
	}{
		"a password":                {Wanted{}, byPassword, classPassword},
		"two factors":               {Wanted{}, byTwoFactors, mfa},
		"a passkey":                 {Wanted{}, byPasskey, "urn:authy:acr:passkey"},
		"a password for more":       {Wanted{Names: []string{mfa}, Comparison: "maximum"}, byPassword, classPassword},
		"two factors for less":      {Wanted{Names: []string{classPassword}, Comparison: "exact"}, byTwoFactors, classPassword},
		"two factors, as the least": {Wanted{Names: []string{classPassword}, Comparison: "minimum"}, byTwoFactors, mfa},
		"the first that was proved": {Wanted{Names: []string{"phr", mfa, classPassword}, Comparison: "exact"}, byTwoFactors, mfa},
	} {
		if got := c.w.said(c.reached); got != c.want {
			t.Errorf("SA-24 %s: %s, want %s", what, got, c.want)
		}
	}
}

func FuzzAnAuthnRequestNeverPanics(f *testing.F) {
	for _, seed := range []string{askedBy, `<a/>`} {
		f.Add([]byte(seed))
	}
	p := &Peer{EntityID: "https://sp.example", ACS: []Endpoint{{Binding: Post, URL: "https://sp.example/acs"}}}
	s := &Service{EntityID: p.EntityID, Options: storage.ServiceOptions{}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		root, err := parseMessage(raw)
		if err != nil {
			return
		}
		if _, err := p.believed(&message{root: root, binding: Post}, false, "", time.Now()); errors.Is(err, errUnsigned) {
			t.Error("nobody has to sign")
		}
		if acs, ok := p.consumer(root); ok && acs != p.ACS[0].URL {
			t.Errorf("the answer to %q goes to %s", raw, acs)
		}
		r := new(Request)
		if r.ask(root, s) == "" && r.Format == "" {
			t.Errorf("no format of names for %q", raw)
		}
	})
}
