package saml2

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/beevik/etree"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

// Read reads the AuthnRequest of a service (SAML core, section 3.4.1). It is [ErrRequest]
// until the service and its endpoint are certain, and a [*Refusal] that the service is
// told after that.
func (p *IDP) Read(ctx context.Context, d Delivery) (*Request, error) {
	m, err := d.open()
	if err != nil || m.answer || !is(m.root, nsProtocol, "AuthnRequest") {
		return nil, refusedRequest(ctx, "bad_message", nil, err)
	}
	s, err := p.issuer(ctx, m.root)
	if err != nil {
		return nil, err
	}
	return p.read(ctx, s, m, steady.Now())
}

// issuer returns the service that says that it has sent a message.
func (p *IDP) issuer(ctx context.Context, root *etree.Element) (*Service, error) {
	el := only(root, nsAssertion, "Issuer")
	format, name := attr(el, "Format"), text(el)
	if name == "" || len(name) > maxEntityID || !registry.IsPlain(name) || format != "" && format != entity {
		return nil, refusedRequest(ctx, "no_issuer", nil, nil)
	}
	s, err := usable(ctx, p.db.Reader, func() (*Service, error) { return p.db.ServiceByEntity(ctx, name) })
	if errors.Is(err, ErrNoService) {
		return nil, refusedRequest(ctx, "unknown_issuer", nil, fmt.Errorf("saml2: it is %q", name))
	}
	return s, err
}

// read is [IDP.Read] once it is known who says that they have sent it.
func (p *IDP) read(ctx context.Context, s *Service, m *message, now time.Time) (*Request, error) {
	from, err := ParseMetadata([]byte(s.Metadata), s.EntityID, ServiceProvider, now)
	if err != nil {
		return nil, refusedRequest(ctx, "bad_metadata", s, err)
	}
	root, err := from.believed(m, from.SignsRequests, p.publicURL+SSOPath, now)
	if err != nil {
		return nil, refusedRequest(ctx, "not_believed", s, err)
	}
	acs, ok := from.consumer(root)
	if !ok {
		return nil, refusedRequest(ctx, "unknown_acs", s, nil) // SAML profiles, section 4.1.4.1
	}
	if len(m.state) > maxRelayState {
		return nil, refusedRequest(ctx, "long_relay_state", s, nil) // SAML bindings, section 3.4.3
	}
	r := &Request{
		ServiceID: s.ID, ID: attr(root, "ID"), ACS: acs, State: m.state,
		Again: isTrue(attr(root, "ForceAuthn")), Passive: isTrue(attr(root, "IsPassive")),
	}
	status := r.ask(root, s)
	if status != "" {
		return nil, &Refusal{r, status}
	}
	return r, nil
}

// believed returns a message of the peer's as far as it may be believed: a signature
// must be good if there is one, and there must be one if signed is set.
func (p *Peer) believed(m *message, signed bool, destination string, now time.Time) (*etree.Element, error) {
	root, isSigned := m.root, false
	if len(p.Signing) > 0 {
		covered, err := m.verified(p.Signing, now)
		switch {
		case err == nil:
			root, isSigned = covered, true
		case !errors.Is(err, errUnsigned):
			return nil, err
		}
	}
	if signed && !isSigned {
		return nil, errUnsigned
	}
	id, to := attr(root, "ID"), attr(root, "Destination")
	at, err := instant(attr(root, "IssueInstant"))
	switch {
	case attr(root, "Version") != "2.0", id == "", len(id) > maxIndex, audit.Cut(id, maxIndex) != id:
		return nil, errMessage
	case to != destination && (to != "" || isSigned && m.binding == Post):
		return nil, errors.New("saml2: it was sent to somewhere else")
	case err != nil, at.IsZero(), at.After(now.Add(skew)), at.Before(now.Add(-fresh - skew)):
		return nil, errors.New("saml2: it is too old, or from the future")
	case text(only(root, nsAssertion, "Issuer")) != p.EntityID:
		return nil, errors.New("saml2: it is from somebody else")
	}
	return root, nil
}

// consumer returns where the answer to a request goes: nowhere but to an endpoint of
// the metadata that takes it by POST (SAML core, section 3.4.1).
func (p *Peer) consumer(root *etree.Element) (string, bool) {
	named, index, binding := attr(root, "AssertionConsumerServiceURL"), attr(root, "AssertionConsumerServiceIndex"), attr(root, "ProtocolBinding")
	if binding != "" && binding != Post || index != "" && (named != "" || binding != "") {
		return "", false
	}
	all := p.consumers()
	if index == "" && named == "" {
		e, ok := defaultOf(all)
		return e.URL, ok
	}
	for _, e := range all {
		if named != "" && e.URL == named || index != "" && strconv.Itoa(e.Index) == index {
			return e.URL, true
		}
	}
	return "", false
}

// consumers are the endpoints that take an answer by POST.
func (p *Peer) consumers() []Endpoint {
	return slices.DeleteFunc(slices.Clone(p.ACS), func(e Endpoint) bool { return e.Binding != Post })
}

// defaultOf returns the endpoint that is meant where none is named (SAML metadata,
// section 2.2.3).
func defaultOf(all []Endpoint) (Endpoint, bool) {
	for _, e := range all {
		if e.IsDefault {
			return e, true
		}
	}
	if len(all) == 0 {
		return Endpoint{}, false
	}
	return all[0], true
}

// ask reads what a request asks for, and returns the status of what cannot be done.
func (r *Request) ask(root *etree.Element, s *Service) (status string) {
	options := Effective(s)
	r.Format = nameIDFormat(options.NameIDFormat)
	if policy := only(root, nsProtocol, "NameIDPolicy"); policy != nil {
		if qualifier := attr(policy, "SPNameQualifier"); qualifier != "" && qualifier != s.EntityID {
			return BadNameID
		}
		switch format := attr(policy, "Format"); format {
		case "", Unspecified:
		case Persistent, Transient:
			r.Format = format
		case Email:
			if !tellsEmail(options) {
				return BadNameID
			}
			r.Format = format
		default:
			return BadNameID
		}
	}
	var known bool
	if r.Contexts, known = wanted(only(root, nsProtocol, "RequestedAuthnContext")); !known {
		return NoAuthnContext
	}
	if subject := only(root, nsAssertion, "Subject"); subject != nil && !r.about(subject) {
		return UnknownPrincipal
	}
	return ""
}

// tellsEmail says whether a service learns the address of somebody, anyway.
func tellsEmail(o storage.ServiceOptions) bool {
	if o.NameIDFormat == "email" {
		return true
	}
	for _, claim := range o.Attributes {
		if claim == "email" {
			return true
		}
	}
	return false
}

// about reads whom a request is about (SAML profiles, section 4.1.4.1); it is false for
// one whom nobody can be.
func (r *Request) about(subject *etree.Element) bool {
	name := only(subject, nsAssertion, "NameID")
	r.Subject, r.SubjectFormat = text(name), attr(name, "Format")
	if len(children(subject, nsAssertion, "SubjectConfirmation")) > 0 || r.Subject == "" ||
		len(r.Subject) > maxName || audit.Cut(r.Subject, maxName) != r.Subject {
		return false
	}
	return r.SubjectFormat == Persistent || r.SubjectFormat == Email
}

// Start returns the request that nobody made: somebody begins here, at the link of a
// service that allows it (SAML profiles, section 4.1.5). [ErrNoService] for any other.
func (p *IDP) Start(ctx context.Context, slug string) (*Request, error) {
	if !serviceSlug.MatchString(slug) {
		return nil, ErrNoService
	}
	s, err := usable(ctx, p.db.Reader, func() (*Service, error) { return p.db.ServiceBySlug(ctx, slug) })
	if err != nil {
		return nil, err
	}
	if !s.Options.Unsolicited {
		return nil, ErrNoService
	}
	to, err := ParseMetadata([]byte(s.Metadata), s.EntityID, ServiceProvider, steady.Now())
	if err != nil {
		return nil, refusedRequest(ctx, "bad_metadata", s, err)
	}
	acs, ok := defaultOf(to.consumers())
	if !ok {
		return nil, refusedRequest(ctx, "unknown_acs", s, nil)
	}
	return &Request{
		ServiceID: s.ID, ACS: acs.URL, State: s.Options.RelayState, Format: nameIDFormat(Effective(s).NameIDFormat),
	}, nil
}
