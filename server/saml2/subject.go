package saml2

import (
	"net/url"
	"slices"
	"strings"

	"github.com/beevik/etree"

	"authy/server/audit"
	"authy/server/provider"
)

// The attributes whose values are the same in upper and lower case (SAML V2.0 Subject
// Identifier Attributes Profile 1.0, sections 3.3.1 and 3.4.1).
var caseless = []string{
	"urn:oasis:names:tc:SAML:attribute:subject-id", "urn:oasis:names:tc:SAML:attribute:pairwise-id",
}

// subject writes into st who somebody is for good: the NameID, or the one value of the
// attribute that is set for that. Then the NameID, which may be another each time, is who
// they are in the session.
func (w *expectation) subject(el *etree.Element, name nameID, st *provider.Statement) (err error) {
	attribute := w.provider.Options.SubjectAttribute
	if attribute == "" {
		st.Subject, err = name.subject(w.peer.EntityID, w.audience)
		return err
	}
	st.SessionSubject = name.called(w.peer.EntityID, w.audience)
	value, err := w.lasting(el, attribute)
	if err != nil {
		return err
	}
	if slices.Contains(caseless, attribute) {
		value = strings.ToLower(value)
	}
	st.Subject = "attribute:" + url.QueryEscape(attribute) + ":" + value
	return nil
}

// lasting returns the one value of an attribute that says who somebody is: a text, or a
// persistent NameID, as eduPersonTargetedID has it.
func (w *expectation) lasting(el *etree.Element, attribute string) (string, error) {
	var values []*etree.Element
	for _, statement := range children(el, nsAssertion, "AttributeStatement") {
		for _, a := range children(statement, nsAssertion, "Attribute") {
			if attr(a, "Name") == attribute {
				values = append(values, children(a, nsAssertion, "AttributeValue")...)
			}
		}
	}
	if len(values) != 1 {
		return "", &provider.Refusal{
			Kind: provider.Misconfigured, Reason: "no_subject_attribute",
			Text: "The provider does not say who you are for good. Whoever runs it must send the attribute that was agreed on.",
		}
	}
	if len(values[0].ChildElements()) > 0 {
		name, err := w.name(values[0])
		if err != nil {
			return "", err
		}
		return name.subject(w.peer.EntityID, w.audience)
	}
	value := text(values[0])
	if value == "" || len(value) > maxName || audit.Cut(value, maxName) != value {
		return "", untrue("bad_subject_attribute")
	}
	return value, nil
}
