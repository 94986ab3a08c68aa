package saml2

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestADocumentHasNothingThatIsNotNeeded(t *testing.T) {
	t.Parallel()
	for what, doc := range map[string]string{
		"SA-05 a document type":         `<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`,
		"SA-05 an entity":               `<!DOCTYPE a [<!ENTITY e SYSTEM "http://127.0.0.1/e">]><a>&e;</a>`,
		"SA-05 a parameter entity":      `<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1/e">%p;]><a/>`,
		"SA-05 an unknown entity":       `<a>&nbsp;</a>`,
		"SA-05 XInclude":                `<a><i:include xmlns:i="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/></a>`,
		"SA-04 a comment":               `<a>bob@acme-corp.com<!---->.evil.example</a>`,
		"SA-04 an instruction":          `<a>bob@acme-corp.com<?x?>.evil.example</a>`,
		"SA-04 a style sheet":           `<?xml version="1.0"?><?xml-stylesheet href="x"?><a/>`,
		"two roots":                     `<a/><b/>`,
		"text behind the root":          `<a/>b`,
		"two IDs":                       `<a ID="x"><b ID="x"/></a>`,
		"two IDs in another case":       `<a ID="x"><b Id="x"/></a>`,
		"an attribute twice":            `<a b="1" b="2"/>`,
		"an open element":               `<a><b></a>`,
		"nothing":                       ``,
		"only text":                     `a`,
		"another encoding":              `<?xml version="1.0" encoding="ISO-8859-1"?><a/>`,
		"a tower":                       strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100),
		"what is not read back (colon)": `<a:b:c xmlns:a="x"/>`,
	} {
		if el, err := parseMessage([]byte(doc)); !errors.Is(err, errXML) {
			t.Errorf("%s: %v, %v, want refused", what, el, err)
		}
	}
}

func TestATextIsReadWhole(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		`<a>bob@acme-corp.com<![CDATA[.evil.example]]></a>`: "bob@acme-corp.com.evil.example",
		`<a>bob@acme-corp.com&#46;evil.example</a>`:         "bob@acme-corp.com.evil.example",
		"<a>\n  bob  \n</a>":                                "bob",
		`<a>bob<b/></a>`:                                    "",
	} {
		if got := text(parsed(t, doc)); got != want {
			t.Errorf("SA-04 text(%s) = %q, want %q", doc, got, want)
		}
	}
}

func TestMetadataMayHaveCommentsBetweenElements(t *testing.T) {
	t.Parallel()
	el, err := parseDocument([]byte("<?xml version=\"1.0\"?>\n<!-- by hand -->\n<a>\n<!-- b --><b>c</b></a>"))
	if err != nil || text(only(el, "", "b")) != "c" {
		t.Errorf("%v, %v", el, err)
	}
	if _, err := parseDocument([]byte("<a><b>c<!-- x -->d</b></a>")); !errors.Is(err, errXML) {
		t.Errorf("within a text: %v", err)
	}
}

func TestAMessageThatInflatesWithoutEndIsRefusedQuickly(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		w.Write(make([]byte, 1<<20)) //nolint:errcheck // into memory
	}
	w.Close() //nolint:errcheck // into memory
	query := paramRequest + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString(packed.Bytes()))
	many := "<a>" + strings.Repeat("<b/>", maxMessage/4-2) + "</a>"
	for what, open := range map[string]func() error{
		"SA-07":                    func() error { _, err := (Delivery{Query: query}).open(); return err },
		"SA-07 very many elements": func() error { _, err := parseMessage([]byte(many)); return err },
	} {
		quickest := time.Hour // the machine itself may be slow
		for range 5 {
			began := time.Now()
			if err := open(); !errors.Is(err, errMessage) && !errors.Is(err, errXML) {
				t.Errorf("%s: %v, want refused", what, err)
			}
			quickest = min(quickest, time.Since(began))
		}
		if quickest > 200*time.Millisecond {
			t.Errorf("%s: refused after %v", what, quickest)
		}
	}
	long := paramRequest + "=" + strings.Repeat("A", maxQuery)
	if _, err := (Delivery{Query: long}).open(); !errors.Is(err, errMessage) {
		t.Errorf("SA-07 a long query: %v", err)
	}
}

func TestADeliveryIsOneMessage(t *testing.T) {
	t.Parallel()
	one := base64.StdEncoding.EncodeToString([]byte("<a/>"))
	for what, form := range map[string]url.Values{
		"none":           {},
		"two responses":  {paramResponse: {one, one}},
		"both":           {paramResponse: {one}, paramRequest: {one}},
		"two states":     {paramResponse: {one}, paramState: {"a", "b"}},
		"not base64":     {paramResponse: {"<a/>"}},
		"more than long": {paramResponse: {strings.Repeat("A", maxForm+4)}},
	} {
		if _, err := (Delivery{Form: form}).open(); !errors.Is(err, errMessage) {
			t.Errorf("%s: %v, want refused", what, err)
		}
	}
	m, err := Delivery{Form: url.Values{paramResponse: {one}, paramState: {"s"}}}.open()
	if err != nil || !m.answer || m.state != "s" {
		t.Errorf("one: %+v, %v", m, err)
	}
}

func FuzzAMessageNeverPanics(f *testing.F) {
	for _, seed := range []string{`<a/>`, `<a ID="x"><b xmlns="y"/></a>`, `<a>&#46;<![CDATA[x]]></a>`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		el, err := parseMessage(raw)
		if err != nil {
			return
		}
		again, err := serialize(el)
		if err != nil {
			t.Fatalf("write %q: %v", raw, err)
		}
		if _, err := parseMessage(again); err != nil {
			t.Errorf("%q is written as %q, which is refused: %v", raw, again, err)
		}
		verify(el, nil, time.Now()) //nolint:errcheck // it must not panic
	})
}
