package saml2

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/beevik/etree"

	"authy/server/audit"
	"authy/server/provider"
)

// maxName is how long a name may be (SAML core, section 8.3.7).
const maxName = 256

// nameID is what a provider calls somebody, whole. It is kept as JSON to end the
// session there.
type nameID struct {
	Value       string `json:"value"`
	Format      string `json:"format,omitempty"`
	Qualifier   string `json:"qualifier,omitempty"`
	SPQualifier string `json:"sp_qualifier,omitempty"`
}

// name reads the NameID of el, which may be encrypted.
func (w *expectation) name(el *etree.Element) (nameID, error) {
	plain, sealed := children(el, nsAssertion, "NameID"), children(el, nsAssertion, "EncryptedID")
	if len(plain)+len(sealed) != 1 {
		return nameID{}, untrue("no_subject")
	}
	if len(sealed) == 1 {
		raw, err := decrypt(sealed[0], w.keys)
		if err != nil {
			return nameID{}, untrue("bad_signature", "%w", err)
		}
		opened, err := parseMessage(raw)
		if err != nil || !is(opened, nsAssertion, "NameID") {
			return nameID{}, untrue("bad_signature", "%w", errDecrypt)
		}
		plain = []*etree.Element{opened}
	}
	n := nameID{
		Value: text(plain[0]), Format: attr(plain[0], "Format"),
		Qualifier: attr(plain[0], "NameQualifier"), SPQualifier: attr(plain[0], "SPNameQualifier"),
	}
	for _, part := range []string{n.Value, n.Format, n.Qualifier, n.SPQualifier} {
		if len(part) > 4*maxName || audit.Cut(part, 4*maxName) != part {
			return nameID{}, untrue("bad_name_id")
		}
	}
	if n.Value == "" || len(n.Value) > maxName {
		return nameID{}, untrue("bad_name_id")
	}
	return n, nil
}

func (n nameID) hint() string {
	raw, err := json.Marshal(n)
	if err != nil {
		panic("impossible: four strings are not JSON: " + err.Error())
	}
	return string(raw)
}

// subject returns what somebody is called for good. A transient name is somebody
// else's tomorrow.
func (n nameID) subject(issuer, audience string) (string, error) {
	if n.Format == Transient {
		return "", &provider.Refusal{
			Kind: provider.Misconfigured, Reason: "transient_name_id",
			Text: "The provider does not say who you are for good. Whoever runs it must send a persistent name.",
		}
	}
	return n.called(issuer, audience), nil
}

// called returns what somebody is called: the name under its format, so that an
// address never is a persistent name, and under what qualifies it where that is
// neither the provider nor authy.
func (n nameID) called(issuer, audience string) string {
	var prefix string
	switch n.Format {
	case Persistent:
		prefix = "persistent:"
	case Email:
		prefix = "email:"
	case Unspecified, "":
		prefix = "unspecified:"
	case Transient:
		prefix = "transient:"
	default:
		prefix = url.QueryEscape(n.Format) + ":"
	}
	var qualifiers []string
	if n.Qualifier != "" && n.Qualifier != issuer {
		qualifiers = append(qualifiers, "by="+url.QueryEscape(n.Qualifier))
	}
	if n.SPQualifier != "" && n.SPQualifier != audience {
		qualifiers = append(qualifiers, "for="+url.QueryEscape(n.SPQualifier))
	}
	if len(qualifiers) > 0 {
		prefix += strings.Join(qualifiers, "&") + ":"
	} else {
		prefix += ":" // so that no value looks like a qualifier
	}
	return prefix + n.Value
}

// element writes the name into el.
func (n nameID) element(el *etree.Element) {
	c := child(el, "saml:NameID", n.Value)
	for name, value := range map[string]string{
		"Format": n.Format, "NameQualifier": n.Qualifier, "SPNameQualifier": n.SPQualifier,
	} {
		if value != "" {
			c.CreateAttr(name, value)
		}
	}
}
