package saml2

import (
	"crypto/x509"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"

	"authy/server/provider"
	"authy/storage"
	"authy/storage/storagetest"
)

// testPrivate is the private key of the third of the test keys, as it is stored.
func testPrivate() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(testKeys()[2].private)
	if err != nil {
		panic(err)
	}
	return der
}

func TestAnAssertionSaysWhoSomebodyIs(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	s.p.Options.Groups = "groups"
	st, err := s.finish(s.signed(s.draft()))
	if err != nil {
		t.Fatal(err)
	}
	if st.AuthenticatedAt.IsZero() || time.Until(st.EndsAt) < 7*time.Hour {
		t.Errorf("it was proved at %v and ends at %v", st.AuthenticatedAt, st.EndsAt)
	}
	st.AuthenticatedAt, st.EndsAt = time.Time{}, time.Time{}
	want := &provider.Statement{
		Issuer: stubEntity, Subject: "persistent::bob-1", Email: "bob@acme-corp.com",
		Name: "Bob Builder", Groups: []string{"a", "b"}, SessionID: "there-1",
		Context: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
		Hint:    `{"value":"bob-1","format":"` + Persistent + `"}`,
	}
	if diff := cmp.Diff(want, st); diff != "" {
		t.Error(diff)
	}
}

func TestEitherSignatureDoesAndSoDoesEncryption(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	own := testKeys()[2].Certificate
	seal := func(a *etree.Element, algorithm string) *etree.Element {
		data, err := encrypt(a, own, algorithm)
		if err != nil {
			t.Fatal(err)
		}
		el := etree.NewElement("saml:EncryptedAssertion")
		el.AddChild(data)
		return el
	}
	for what, make := range map[string]func(d draft){
		"the response": func(d draft) { d.response.AddChild(d.assertion); s.sign(d.response) },
		"both":         func(d draft) { s.sign(d.assertion); d.response.AddChild(d.assertion); s.sign(d.response) },
		"an encrypted assertion": func(d draft) {
			s.sign(d.assertion)
			d.response.AddChild(seal(d.assertion, algAES256GCM))
		},
		"the response about an encrypted assertion": func(d draft) {
			d.response.AddChild(seal(d.assertion, algAES128CBC))
			s.sign(d.response)
		},
	} {
		d := s.draft()
		make(d)
		if st, err := s.finish(document(t, d.response)); err != nil || st.Subject != "persistent::bob-1" {
			t.Errorf("%s: %v, %v", what, st, err)
		}
	}
	d := s.draft()
	d.response.AddChild(seal(d.assertion, algAES256GCM))
	s.refused("SA-01 encrypted and not signed", document(t, d.response), "unsigned")
	d = s.draft()
	d.response.AddChild(seal(d.assertion, algAES256GCM))
	broken := strings.Replace(document(t, d.response), "<xenc:CipherValue>", "<xenc:CipherValue>AAAA", 2)
	s.refused("one that cannot be decrypted", broken, "bad_signature")
}

func TestAnUnsignedAnswerIsRefused(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	d := s.draft()
	d.response.AddChild(d.assertion)
	s.refused("SA-01 no signature at all", document(t, d.response), "unsigned")

	d = s.draft()
	whole := s.signed(d)
	sig := document(t, only(d.assertion, nsSignature, "Signature"))
	if !strings.Contains(whole, sig) {
		t.Fatal("the signature is not found")
	}
	s.refused("SA-01 a signature taken away", strings.Replace(whole, sig, "", 1), "unsigned")
	value := text(only(only(d.assertion, nsSignature, "Signature"), nsSignature, "SignatureValue"))
	s.refused("SA-01 an empty value", strings.Replace(whole, value, "", 1), "bad_signature")
	s.refused("SA-01 a changed name", strings.Replace(whole, "bob-1", "alice", 1), "bad_signature")

	d = s.draft()
	d.response.AddChild(d.assertion)
	s.sign(d.response)
	s.refused("SA-01 a signed response, changed", strings.Replace(document(t, d.response), "bob-1", "alice", 1), "bad_signature")
}

func TestATextThatIsSplitIsNotCutShort(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	d := s.draft()
	d.part("Subject/NameID").SetText("bob@acme-corp.com.evil.example")
	whole := s.signed(d)
	for _, between := range []string{"<!---->", "<?x y?>", "<!-- <x/> -->"} {
		s.refused("SA-04 "+between, strings.Replace(whole, "com.evil", "com"+between+".evil", 1), "bad_xml")
	}
	st, err := s.finish(strings.Replace(whole, "com.evil", "com<![CDATA[.]]>evil", 1))
	if err == nil && st.Subject != "persistent::bob@acme-corp.com.evil.example" {
		t.Errorf("SA-04 CDATA: %q", st.Subject)
	}
	s.refused("SA-05 a document type", `<!DOCTYPE x SYSTEM "file:///etc/passwd">`+whole, "bad_xml")
}

// TestNoWrappingMovesASignature moves the signed assertion, and the signed response,
// to each of the places of Somorovsky and others, "On Breaking SAML", section 4.
func TestNoWrappingMovesASignature(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	for what, wrap := range s.wrappings() {
		evil := wrap()
		if st, err := s.finish(evil); err == nil || reasonOf(err) == "" {
			t.Errorf("SA-02 %s: %+v, %v, want refused", what, st, err)
		}
	}
}

func (s *stub) wrappings() map[string]func() string {
	// signed returns a response whose assertion is signed, or which is itself.
	signed := func(whole bool) (response, assertion, sig *etree.Element) {
		d := s.draft()
		if whole {
			d.response.AddChild(d.assertion)
			s.sign(d.response)
			return d.response, d.assertion, only(d.response, nsSignature, "Signature")
		}
		s.sign(d.assertion)
		d.response.AddChild(d.assertion)
		return d.response, d.assertion, only(d.assertion, nsSignature, "Signature")
	}
	// forged returns a copy of an element that says something else, without signature.
	forged := func(el *etree.Element, id string) *etree.Element {
		c := el.Copy()
		for _, sig := range children(c, nsSignature, "Signature") {
			c.RemoveChild(sig)
		}
		c.CreateAttr("ID", id)
		for _, name := range c.FindElements(".//NameID") {
			name.SetText("alice")
		}
		return c
	}
	write := func(el *etree.Element) string { return document(s.t, el) }
	return map[string]func() string{
		"XSW1 the response within the signature of its forgery": func() string {
			r, _, sig := signed(true)
			evil := forged(r, newID())
			r.RemoveChild(sig)
			sig.AddChild(r)
			evil.AddChild(sig)
			return write(evil)
		},
		"XSW2 the response beside a detached signature": func() string {
			r, _, sig := signed(true)
			evil := forged(r, newID())
			r.RemoveChild(sig)
			evil.InsertChildAt(1, r)
			evil.InsertChildAt(1, sig)
			return write(evil)
		},
		"XSW3 the forgery before the assertion": func() string {
			r, a, _ := signed(false)
			r.InsertChildAt(a.Index(), forged(a, newID()))
			return write(r)
		},
		"XSW4 the assertion within the forgery": func() string {
			r, a, _ := signed(false)
			evil := forged(a, newID())
			r.RemoveChild(a)
			evil.AddChild(a)
			r.AddChild(evil)
			return write(r)
		},
		"XSW5 the signature in the forgery, the assertion at the end": func() string {
			r, a, sig := signed(false)
			evil := forged(a, newID())
			a.RemoveChild(sig)
			evil.InsertChildAt(1, sig)
			r.InsertChildAt(a.Index(), evil)
			return write(r)
		},
		"XSW6 the assertion in the signature in the forgery": func() string {
			r, a, sig := signed(false)
			evil := forged(a, newID())
			r.RemoveChild(a)
			a.RemoveChild(sig)
			sig.AddChild(a)
			evil.InsertChildAt(1, sig)
			r.AddChild(evil)
			return write(r)
		},
		"XSW7 the forgery in Extensions": func() string {
			r, a, _ := signed(false)
			extensions := etree.NewElement("samlp:Extensions")
			extensions.AddChild(forged(a, newID()))
			r.InsertChildAt(1, extensions)
			return write(r)
		},
		"XSW8 the assertion in an object of the signature": func() string {
			r, a, sig := signed(false)
			evil := forged(a, newID())
			r.RemoveChild(a)
			a.RemoveChild(sig)
			child(sig, "ds:Object", "").AddChild(a)
			evil.InsertChildAt(1, sig)
			r.AddChild(evil)
			return write(r)
		},
		"XSW with one ID twice": func() string {
			r, a, _ := signed(false)
			r.InsertChildAt(a.Index(), forged(a, attr(a, "ID")))
			return write(r)
		},
		"a forged assertion with the signature of another, same ID": func() string {
			r, a, sig := signed(false)
			evil := forged(a, attr(a, "ID"))
			r.RemoveChild(a)
			evil.InsertChildAt(1, sig.Copy())
			r.AddChild(evil)
			return write(r)
		},
	}
}

func TestThereIsExactlyOneAssertion(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	for _, first := range []bool{true, false} {
		d := s.draft()
		s.sign(d.assertion)
		pair := []*etree.Element{d.assertion, s.assertion("alice", time.Now())}
		if first {
			pair[0], pair[1] = pair[1], pair[0]
		}
		d.response.AddChild(pair[0])
		d.response.AddChild(pair[1])
		s.refused("SA-14 one signed and one not", document(t, d.response), "not_one_assertion")
	}
	d := s.draft()
	other := s.assertion("alice", time.Now())
	s.sign(d.assertion)
	s.sign(other)
	d.response.AddChild(d.assertion)
	d.response.AddChild(other)
	s.refused("SA-14 two that are signed", document(t, d.response), "not_one_assertion")

	d = s.draft()
	s.sign(d.assertion)
	data, err := encrypt(s.assertion("alice", time.Now()), testKeys()[2].Certificate, algAES256GCM)
	if err != nil {
		t.Fatal(err)
	}
	d.response.AddChild(d.assertion)
	child(d.response, "saml:EncryptedAssertion", "").AddChild(data)
	s.refused("SA-14 one plain, one encrypted", document(t, d.response), "not_one_assertion")
	s.refused("none", document(t, s.draft().response), "not_one_assertion")
}

func TestOnlyTheKeysOfTheMetadataSign(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	other := testKeys()[1]
	for what, key := range map[string]*Key{
		"SA-15 another's key, which KeyInfo brings along": other, "SA-15 authy's own key": testKeys()[2],
	} {
		d := s.draft()
		s.sign(d.assertion, key)
		d.response.AddChild(d.assertion)
		s.refused(what, document(t, d.response), "bad_signature")
	}
	for _, both := range []string{stubMetadata(certificateOf(other), certificateOf(s.key)), stubMetadata(certificateOf(s.key), certificateOf(other))} {
		s.p.Options.Metadata = both
		if _, err := s.finish(s.signed(s.draft())); err != nil {
			t.Errorf("with two certificates: %v", err)
		}
	}
	s.p.Options.Metadata = stubMetadata(certificateOf(other))
	s.refused("SA-15 a certificate that was rotated out", s.signed(s.draft()), "bad_signature")
	s.p.Options.Metadata = "<a/>"
	s.refused("metadata that is none", s.signed(s.draft()), "bad_metadata")
}

func TestAnAnswerIsBelievedOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := newStubOver(t, db)
		sent := s.signed(s.draft())
		var wg sync.WaitGroup
		results := make([]error, 20)
		for i := range results {
			wg.Go(func() { _, results[i] = s.finish(sent) })
		}
		wg.Wait()
		good := 0
		for _, err := range results {
			switch {
			case err == nil:
				good++
			case reasonOf(err) != "replayed":
				t.Error(err)
			}
		}
		if good != 1 {
			t.Errorf("SA-08: believed %d times of 20 at once, want 1", good)
		}
		s.refused("SA-08 once more", sent, "replayed")
		later := NewSP(db, NewKeys(db, ownURL), ownURL)
		if _, err := later.Finish(t.Context(), s.p, s.trip, formOf(sent)); reasonOf(err) != "replayed" {
			t.Errorf("SA-08 on another node: %v", err)
		}
		s.ask(false)
		if _, err := s.finish(sent); reasonOf(err) != "wrong_request" {
			t.Errorf("SA-08 for another request: %v", err)
		}
	})
}
