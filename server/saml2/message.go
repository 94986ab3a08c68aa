package saml2

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/beevik/etree"

	"authy/server/provider"
)

const (
	// maxQuery is how long a message in a URL may be, and maxForm one in a form;
	// maxMessage is how long it may be when it has been inflated.
	maxQuery   = 64 << 10
	maxForm    = 1 << 20
	maxMessage = 1 << 20
	// maxRelayState is what the binding allows (SAML bindings, section 3.4.3).
	maxRelayState = 80
)

// The parameters that carry messages.
const (
	paramRequest   = "SAMLRequest"
	paramResponse  = "SAMLResponse"
	paramState     = "RelayState"
	paramAlgorithm = "SigAlg"
	paramSignature = "Signature"
)

// Parameters are those that a form carries.
var Parameters = []string{paramRequest, paramResponse, paramState}

// errMessage says that no message came that can be read.
var errMessage = errors.New("saml2: no message that can be read")

// Delivery is a message as a browser has brought it, by one of the two bindings.
type Delivery struct {
	// Query is that of a GET, not decoded: the signature is over what was sent.
	Query string
	// Form is that of a POST.
	Form url.Values
}

// State returns the relay state of a delivery, "" if it has none.
func (d Delivery) State() string {
	form := d.Form
	if form == nil {
		form, _ = url.ParseQuery(d.Query) // what can be read of it
	}
	return form.Get(paramState)
}

// message is what was delivered, read and not believed yet.
type message struct {
	root    *etree.Element
	binding string
	answer  bool // it came as a response
	state   string

	algorithm         string // by redirect: how the octets are signed
	octets, signature []byte
}

// open reads the one message of a delivery.
func (d Delivery) open() (*message, error) {
	if d.Form != nil {
		return openForm(d.Form)
	}
	return openQuery(d.Query)
}

func openForm(form url.Values) (*message, error) {
	name, value, err := single(form)
	if err != nil {
		return nil, err
	}
	if len(value) > maxForm {
		return nil, fmt.Errorf("%w: it is too long", errMessage)
	}
	raw, err := decodeBase64(value)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not base64", errMessage)
	}
	root, err := parseMessage(raw)
	if err != nil {
		return nil, err
	}
	return &message{root: root, binding: Post, answer: name == paramResponse, state: form.Get(paramState)}, nil
}

// single returns the one message of a form and the name of its parameter.
func single(form url.Values) (name, value string, err error) {
	requests, responses := form[paramRequest], form[paramResponse]
	if len(requests)+len(responses) != 1 || len(form[paramState]) > 1 {
		return "", "", fmt.Errorf("%w: there must be exactly one", errMessage)
	}
	if len(requests) == 1 {
		return paramRequest, requests[0], nil
	}
	return paramResponse, responses[0], nil
}

func openQuery(query string) (*message, error) {
	if len(query) > maxQuery {
		return nil, fmt.Errorf("%w: it is too long", errMessage)
	}
	form, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("%w: the query cannot be read", errMessage)
	}
	name, value, err := single(form)
	if err != nil {
		return nil, err
	}
	raw, err := inflate(value)
	if err != nil {
		return nil, err
	}
	root, err := parseMessage(raw)
	if err != nil {
		return nil, err
	}
	m := &message{root: root, binding: Redirect, answer: name == paramResponse, state: form.Get(paramState)}
	if len(form[paramSignature]) > 0 {
		m.algorithm = form.Get(paramAlgorithm)
		if m.signature, err = decodeBase64(form.Get(paramSignature)); err != nil {
			return nil, fmt.Errorf("%w: it is not base64", errSignature)
		}
		m.octets = signedOctets(query, name)
	}
	return m, err
}

// signedOctets returns what a signature of the redirect binding is over (SAML
// bindings, section 3.4.4.1): three parameters in their order, as they were sent.
func signedOctets(query, name string) []byte {
	var parts []string
	for _, want := range []string{name, paramState, paramAlgorithm} {
		for part := range strings.SplitSeq(query, "&") {
			if key, _, _ := strings.Cut(part, "="); key == want {
				parts = append(parts, part)
			}
		}
	}
	return []byte(strings.Join(parts, "&"))
}

// inflate undoes the DEFLATE encoding, as far as maxMessage.
func inflate(value string) ([]byte, error) {
	packed, err := decodeBase64(value)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not base64", errMessage)
	}
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxMessage+1))
	if err != nil {
		return nil, fmt.Errorf("%w: it cannot be inflated", errMessage)
	}
	if len(raw) > maxMessage {
		return nil, fmt.Errorf("%w: it is too long", errMessage)
	}
	return raw, nil
}

// verified returns the message as the signature of its sender covers it. One that
// is not signed is errUnsigned.
func (m *message) verified(certs []*x509.Certificate, now time.Time) (*etree.Element, error) {
	if m.binding != Redirect {
		return verify(m.root, certs, now)
	}
	if len(m.signature) == 0 {
		return nil, errUnsigned
	}
	if err := verifyBytes(m.algorithm, m.octets, m.signature, certs, now); err != nil {
		return nil, err
	}
	return m.root, nil
}

// send returns the request that takes a message, which is signed on the way, to
// an endpoint.
func send(el *etree.Element, to Endpoint, url, state string, key *Key) (*provider.Request, error) {
	name := paramRequest
	if strings.HasSuffix(el.Tag, "Response") {
		name = paramResponse
	}
	if to.Binding == Redirect {
		return sendQuery(el, name, url, state, key)
	}
	if err := sign(el, key); err != nil {
		return nil, err
	}
	raw, err := serialize(el)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", el.Tag, err)
	}
	form := map[string][]string{name: {base64.StdEncoding.EncodeToString(raw)}}
	if state != "" {
		form[paramState] = []string{state}
	}
	return &provider.Request{URL: url, Form: form}, nil
}

// sendQuery is [send] by the redirect binding.
func sendQuery(el *etree.Element, name, to, state string, key *Key) (*provider.Request, error) {
	raw, err := serialize(el)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", el.Tag, err)
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err == nil {
		_, err = w.Write(raw)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("deflate %s: %w", el.Tag, err)
	}
	query := name + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString(packed.Bytes()))
	if state != "" {
		query += "&" + paramState + "=" + url.QueryEscape(state)
	}
	query += "&" + paramAlgorithm + "=" + url.QueryEscape(algRSASHA256)
	value, err := key.sign([]byte(query))
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", el.Tag, err)
	}
	query += "&" + paramSignature + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString(value))
	separator := "?"
	if strings.Contains(to, "?") {
		separator = "&"
	}
	return &provider.Request{URL: to + separator + query}, nil
}

// begin returns a message of authy's with a fresh ID.
func begin(tag, destination, issuer string, now time.Time) *etree.Element {
	el := etree.NewElement("samlp:" + tag)
	el.CreateAttr("xmlns:samlp", nsProtocol)
	el.CreateAttr("xmlns:saml", nsAssertion)
	el.CreateAttr("ID", newID())
	el.CreateAttr("Version", "2.0")
	el.CreateAttr("IssueInstant", written(now))
	el.CreateAttr("Destination", destination)
	child(el, "saml:Issuer", issuer)
	return el
}

// newID returns an ID for a message: 160 bits, and no digit at its beginning.
func newID() string {
	id := make([]byte, 20)
	rand.Read(id)
	return "_" + hex.EncodeToString(id)
}
