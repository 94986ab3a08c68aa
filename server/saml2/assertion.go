package saml2

import (
	"time"

	"github.com/beevik/etree"

	"authy/server/provider"
)

const (
	bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	// maxIndex is how long the name of a session may be.
	maxIndex = 256
)

// said is what an assertion says, and until when it could be used.
type said struct {
	statement *provider.Statement
	until     time.Time
}

// assertion checks an assertion that a signature covers, and returns what it says.
func (w *expectation) assertion(el *etree.Element) (*said, error) {
	issuer := only(el, nsAssertion, "Issuer")
	if attr(el, "Version") != "2.0" || attr(el, "ID") == "" {
		return nil, untrue("bad_message")
	}
	if issuer == nil || !w.isPeer(issuer) {
		return nil, untrue("wrong_issuer")
	}
	if err := w.issued(el); err != nil {
		return nil, err
	}
	if err := w.conditions(el); err != nil {
		return nil, err
	}
	subject := only(el, nsAssertion, "Subject")
	if subject == nil {
		return nil, untrue("no_subject")
	}
	until, err := w.confirmed(subject)
	if err != nil {
		return nil, err
	}
	name, err := w.name(subject)
	if err != nil {
		return nil, err
	}
	st := &provider.Statement{Issuer: w.peer.EntityID, Hint: name.hint()}
	if err := w.subject(el, name, st); err != nil {
		return nil, err
	}
	if err := w.authenticated(el, st); err != nil {
		return nil, err
	}
	describePerson(st, readAttributes(el), w.provider.Options, name)
	return &said{st, until}, nil
}

// within checks bounds of time that may be missing.
func (w *expectation) within(el *etree.Element) bool {
	from, err := instant(attr(el, "NotBefore"))
	if err != nil || w.now.Add(skew).Before(from) {
		return false
	}
	until, err := instant(attr(el, "NotOnOrAfter"))
	return err == nil && (until.IsZero() || w.now.Add(-skew).Before(until))
}

// conditions checks when and for whom an assertion is (SAML core, section 2.5). It
// must be for this server, and have no condition that is not known.
func (w *expectation) conditions(el *etree.Element) error {
	conditions := only(el, nsAssertion, "Conditions")
	if conditions == nil {
		return untrue("wrong_audience")
	}
	if !w.within(conditions) {
		return untrue("wrong_time")
	}
	restricted := false
	for _, c := range conditions.ChildElements() {
		switch {
		case is(c, nsAssertion, "AudienceRestriction"):
			if !w.forUs(c) {
				return untrue("wrong_audience")
			}
			restricted = true
		case is(c, nsAssertion, "OneTimeUse"), is(c, nsAssertion, "ProxyRestriction"):
		default:
			return untrue("unknown_condition")
		}
	}
	if !restricted {
		return untrue("wrong_audience")
	}
	return nil
}

func (w *expectation) forUs(restriction *etree.Element) bool {
	for _, a := range children(restriction, nsAssertion, "Audience") {
		if text(a) == w.audience {
			return true
		}
	}
	return false
}

// confirmed checks that whoever brings an assertion may (SAML profiles, section
// 4.1.4.3), and returns until when.
func (w *expectation) confirmed(subject *etree.Element) (time.Time, error) {
	reason := "no_confirmation"
	for _, c := range children(subject, nsAssertion, "SubjectConfirmation") {
		if attr(c, "Method") != bearer {
			continue
		}
		data := only(c, nsAssertion, "SubjectConfirmationData")
		until, err := instant(attr(data, "NotOnOrAfter"))
		switch {
		case data == nil:
		case attr(data, "Recipient") != w.trip.ReturnURL:
			reason = "wrong_recipient"
		case attr(data, "InResponseTo") != w.trip.RequestID:
			reason = "wrong_request"
		case err != nil || until.IsZero() || !w.within(data):
			reason = "wrong_time"
		default:
			return until, nil
		}
	}
	return time.Time{}, untrue(reason)
}

// authenticated reads when and how somebody proved who they are.
func (w *expectation) authenticated(el *etree.Element, st *provider.Statement) error {
	statements := children(el, nsAssertion, "AuthnStatement")
	if len(statements) == 0 {
		return untrue("not_authenticated")
	}
	authn := statements[0]
	at, err := instant(attr(authn, "AuthnInstant"))
	if err != nil || at.IsZero() || at.After(w.now.Add(skew)) {
		return untrue("wrong_time")
	}
	if w.trip.Again && at.Before(w.trip.AskedAt.Add(-skew)) {
		return untrue("not_again")
	}
	for _, s := range statements {
		until, err := instant(attr(s, "SessionNotOnOrAfter"))
		if err != nil || !until.IsZero() && !w.now.Add(-skew).Before(until) {
			return untrue("wrong_time")
		}
		if !until.IsZero() && (st.EndsAt.IsZero() || until.Before(st.EndsAt)) {
			st.EndsAt = until
		}
	}
	st.AuthenticatedAt = at
	st.Context = text(only(only(authn, nsAssertion, "AuthnContext"), nsAssertion, "AuthnContextClassRef"))
	if st.SessionID = attr(authn, "SessionIndex"); len(st.SessionID) > maxIndex {
		return untrue("bad_message")
	}
	return nil
}
