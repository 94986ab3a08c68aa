package saml2

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/beevik/etree"

	"authy/server/provider"
	"authy/server/steady"
	"authy/storage"
)

// expectation is what the answer of an identity provider must fit.
type expectation struct {
	provider *storage.Provider
	peer     *Peer
	keys     []*Key
	audience string
	trip     provider.Trip // RequestID is "" for an answer that nobody asked for
	now      time.Time
}

// untrue says that an answer cannot be believed.
func untrue(reason string, why ...any) error {
	var err error
	if len(why) > 0 {
		err = fmt.Errorf(why[0].(string), why[1:]...)
	}
	return provider.Refuse(provider.Untrue, reason, err)
}

// Finish reads the answer of a provider to a request that [SP.Begin] made. An
// answer is believed once.
func (s *SP) Finish(
	ctx context.Context, p *storage.Provider, trip provider.Trip, answer url.Values,
) (*provider.Statement, error) {
	if trip.RequestID == "" {
		return nil, untrue("no_request")
	}
	m, err := openAnswer(answer)
	if err != nil {
		return nil, err
	}
	return s.believe(ctx, p, trip, m)
}

// FinishUnsolicited reads an answer that nobody asked for, of one of the providers
// that may begin by themselves, and says of which. Its RelayState is not heeded.
func (s *SP) FinishUnsolicited(ctx context.Context, answer url.Values) (*storage.Provider, *provider.Statement, error) {
	m, err := openAnswer(answer)
	if err != nil {
		return nil, nil, err
	}
	candidates, err := s.named(ctx, text(only(m.root, nsAssertion, "Issuer")))
	if err != nil {
		return nil, nil, err
	}
	if len(candidates) == 0 {
		return nil, nil, untrue("wrong_issuer")
	}
	err = untrue("unsolicited")
	for i := range candidates {
		p := &candidates[i]
		if !p.Options.Unsolicited {
			continue
		}
		var st *provider.Statement
		if st, err = s.believe(ctx, p, provider.Trip{ReturnURL: s.publicURL + ACSPath}, m); err == nil {
			return p, st, nil
		}
	}
	return nil, nil, err
}

// named returns the active SAML providers with an entity id.
func (s *SP) named(ctx context.Context, entityID string) ([]storage.Provider, error) {
	all, err := s.db.AllProviders(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up SAML providers: %w", err)
	}
	return slices.DeleteFunc(all, func(p storage.Provider) bool {
		return p.Kind != provider.SAML || !p.IsActive || entityID == "" || p.Issuer != entityID
	}), nil
}

func openAnswer(answer url.Values) (*message, error) {
	m, err := Delivery{Form: answer}.open()
	switch {
	case errors.Is(err, errXML):
		return nil, untrue("bad_xml", "%w", err)
	case err != nil:
		return nil, untrue("bad_message", "%w", err)
	case !m.answer || !is(m.root, nsProtocol, "Response"):
		return nil, untrue("bad_message")
	}
	return m, nil
}

// believe checks an answer and notes that it was used.
func (s *SP) believe(
	ctx context.Context, p *storage.Provider, trip provider.Trip, m *message,
) (*provider.Statement, error) {
	now := steady.Now()
	from, err := peer(p, now)
	if err != nil {
		return nil, err
	}
	keys, err := s.keys.all(ctx)
	if err != nil {
		return nil, err
	}
	want := &expectation{provider: p, peer: from, keys: keys, audience: s.EntityID(), trip: trip, now: now}
	assertion, err := want.response(m.root)
	if err != nil {
		return nil, err
	}
	said, err := want.assertion(assertion)
	if err != nil {
		return nil, err
	}
	if err := s.useUp(ctx, from.EntityID, attr(assertion, "ID"), said.until); err != nil {
		return nil, err
	}
	return said.statement, nil
}

// useUp notes that a message of an issuer was used, and refuses one that was used
// before (SAML profiles, section 4.1.4.5).
func (s *SP) useUp(ctx context.Context, issuer, id string, until time.Time) error {
	var first bool
	err := s.db.Update(ctx, func(tx *storage.Tx) (err error) {
		first, err = tx.UseMessage(ctx, storage.Hash("saml\x00"+issuer+"\x00"+id), until.Add(2*skew))
		return err
	})
	if err != nil {
		return fmt.Errorf("note a SAML message: %w", err)
	}
	if !first {
		return untrue("replayed")
	}
	return nil
}

// response checks a Response, and returns the one assertion in it as far as a
// signature covers it.
func (w *expectation) response(root *etree.Element) (*etree.Element, error) {
	covered, err := verify(root, w.peer.Signing, w.now)
	signed := err == nil
	switch {
	case signed:
		root = covered
	case !errors.Is(err, errUnsigned):
		return nil, untrue("bad_signature", "%w", err)
	}
	if err := w.envelope(root, signed); err != nil {
		return nil, err
	}
	if err := status(root); err != nil {
		return nil, err
	}
	plain, sealed := children(root, nsAssertion, "Assertion"), children(root, nsAssertion, "EncryptedAssertion")
	if len(plain)+len(sealed) != 1 || everywhere(root, nsAssertion, "Assertion") != len(plain) {
		return nil, untrue("not_one_assertion")
	}
	if len(sealed) == 1 {
		return w.sealed(sealed[0], signed)
	}
	return w.signed(plain[0], signed)
}

// sealed opens an encrypted assertion.
func (w *expectation) sealed(el *etree.Element, signed bool) (*etree.Element, error) {
	raw, err := decrypt(el, w.keys)
	if err != nil {
		return nil, untrue("bad_signature", "%w", err) // no word more than of a bad signature
	}
	assertion, err := parseMessage(raw)
	if err != nil || everywhere(assertion, nsAssertion, "Assertion") != 1 {
		return nil, untrue("bad_signature", "%w", errDecrypt)
	}
	return w.signed(assertion, signed)
}

// signed returns an assertion as its signature covers it. It may do without one
// where the response around it is signed, and must not have a bad one.
func (w *expectation) signed(el *etree.Element, within bool) (*etree.Element, error) {
	if !is(el, nsAssertion, "Assertion") {
		return nil, untrue("bad_signature", "%w", errDecrypt)
	}
	covered, err := verify(el, w.peer.Signing, w.now)
	switch {
	case err == nil:
		return covered, nil
	case errors.Is(err, errUnsigned) && within:
		return el, nil
	case errors.Is(err, errUnsigned):
		return nil, untrue("unsigned")
	}
	return nil, untrue("bad_signature", "%w", err)
}

// envelope checks what a Response says of itself (SAML core, section 3.2.2; SAML
// bindings, section 3.5.5.2: one that is signed must say where it was sent).
func (w *expectation) envelope(root *etree.Element, signed bool) error {
	issuer := only(root, nsAssertion, "Issuer")
	switch {
	case attr(root, "Version") != "2.0" || attr(root, "ID") == "":
		return untrue("bad_message")
	case len(children(root, nsAssertion, "Issuer")) > 1, issuer != nil && !w.isPeer(issuer):
		return untrue("wrong_issuer")
	case attr(root, "Destination") != w.trip.ReturnURL && (signed || attr(root, "Destination") != ""):
		return untrue("wrong_destination")
	case attr(root, "InResponseTo") != w.trip.RequestID:
		return untrue("wrong_request")
	}
	return w.issued(root)
}

// isPeer says whether an Issuer is the peer.
func (w *expectation) isPeer(issuer *etree.Element) bool {
	format := attr(issuer, "Format")
	return text(issuer) == w.peer.EntityID && (format == "" || format == entity)
}

// issued checks that a message is fresh.
func (w *expectation) issued(el *etree.Element) error {
	at, err := instant(attr(el, "IssueInstant"))
	if err != nil || at.IsZero() || at.After(w.now.Add(skew)) || at.Before(w.now.Add(-fresh-skew)) {
		return untrue("wrong_time")
	}
	return nil
}

// status says why a provider refuses, if it does.
func status(root *etree.Element) error {
	code := only(only(root, nsProtocol, "Status"), nsProtocol, "StatusCode")
	if attr(code, "Value") == statusSuccess {
		return nil
	}
	name := attr(only(code, nsProtocol, "StatusCode"), "Value")
	if name == "" {
		name = attr(code, "Value")
	}
	return provider.Refuse(provider.Denied, "refused_there", fmt.Errorf("saml2: the status is %q", name))
}
