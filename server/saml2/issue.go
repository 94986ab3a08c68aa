package saml2

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"authy/server/audit"
	"authy/server/org"
	"authy/server/provider"
	"authy/server/steady"
	"authy/storage"
)

const (
	nameFormat = "urn:oasis:names:tc:SAML:2.0:attrname-format:"
	// goodFor is how long an assertion can be used.
	goodFor = 3 * time.Minute
)

// Ticket is what a service is told of somebody, before it is signed.
type Ticket struct {
	Service *Service
	request *Request
	session *storage.Session
	visit   *storage.ServiceVisit
	claims  map[string][]string
	context string
	now     time.Time
}

// Issue lets the user of a session into the service of a request, in tx; rung is how
// surely they have proved who they are. A [*Refusal] if they may not.
func (p *IDP) Issue(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, r *Request, session *storage.Session, rung int,
) (*Ticket, error) {
	s, err := usable(ctx, tx.Reader, func() (*Service, error) { return tx.Service(ctx, r.ServiceID) })
	if err != nil {
		return nil, err
	}
	if barred, err := bars(ctx, tx.Reader, s, session.UserID); err != nil {
		return nil, err
	} else if barred {
		return nil, &Refusal{r, Denied}
	}
	if rungs := r.Contexts.Rungs(); len(rungs) > 0 && slices.Min(rungs) > rung {
		return nil, &Refusal{r, NoAuthnContext}
	}
	user, err := tx.User(ctx, session.UserID)
	if err != nil {
		return nil, fmt.Errorf("look user %s up: %w", session.UserID, err)
	}
	groups, err := org.GroupsOf(ctx, tx.Reader, user.ID)
	if err != nil {
		return nil, err
	}
	t := &Ticket{
		Service: s, request: r, session: session, context: r.Contexts.said(rung), now: now,
		claims: claimsOf(user, p.persistent(s, user.ID), groups),
	}
	if t.visit, err = p.visit(ctx, tx, t, now); err != nil {
		return nil, err
	}
	return t, audit.Record(ctx, tx, by, now, serviceEvent("service.use", s, map[string]string{
		"name_id_format": r.Format, "context": t.context,
	}))
}

// visit notes that somebody goes to a service in a session, and by what name.
func (p *IDP) visit(ctx context.Context, tx *storage.Tx, t *Ticket, now time.Time) (*storage.ServiceVisit, error) {
	v := &storage.ServiceVisit{
		ID: newID(), SessionID: t.session.ID, ServiceID: t.Service.ID, NameIDFormat: t.request.Format,
		CreatedAt: storage.At(now), CheckAt: storage.At(now),
	}
	switch v.NameIDFormat {
	case Transient:
		v.NameID = newID()
	case Email:
		if len(t.claims["email"]) == 0 {
			return nil, &Refusal{t.request, BadNameID} // nobody has confirmed it
		}
		v.NameID = t.claims["email"][0]
	default:
		v.NameID = t.claims["sub"][0]
	}
	before, err := tx.ServiceVisits(ctx, v.SessionID)
	if err != nil {
		return nil, fmt.Errorf("look for the services of session %s: %w", v.SessionID, err)
	}
	for _, old := range before {
		if old.ServiceID == v.ServiceID {
			v.ID = old.ID // the service may know the session by it
		}
	}
	if err := tx.SaveServiceVisit(ctx, v); err != nil {
		return nil, fmt.Errorf("note that %s was visited: %w", t.Service.Slug, err)
	}
	if err := tx.UseService(ctx, t.Service.ID, now); err != nil {
		return nil, fmt.Errorf("note that %s was used: %w", t.Service.Slug, err)
	}
	return v, nil
}

// Answer returns the form that takes a ticket to its service (SAML profiles, section
// 4.1.4.2): the response is signed, and so is the assertion in it, which is encrypted
// if the service has a key for that.
func (p *IDP) Answer(ctx context.Context, t *Ticket) (*provider.Request, error) {
	key, err := p.keys.signing(ctx)
	if err != nil {
		return nil, err
	}
	to, err := ParseMetadata([]byte(t.Service.Metadata), t.Service.EntityID, ServiceProvider, t.now)
	if err != nil {
		return nil, refusedRequest(ctx, "bad_metadata", t.Service, err)
	}
	assertion := p.assertion(t)
	if err := sign(assertion, key); err != nil {
		return nil, err
	}
	response := p.response(t.request, t.now, statusSuccess, "")
	if err := to.seal(response, assertion, t.Service.Options.Plain); err != nil {
		return nil, fmt.Errorf("answer SAML service %s: %w", t.Service.Slug, err)
	}
	return send(response, Endpoint{Binding: Post}, t.request.ACS, t.request.State, key)
}

// Refuse returns the form that takes a refusal to its service.
func (p *IDP) Refuse(ctx context.Context, r *Refusal) (*provider.Request, error) {
	key, err := p.keys.signing(ctx)
	if err != nil {
		return nil, err
	}
	top := statusPrefix + "Responder"
	if r.Status == BadNameID {
		top = statusPrefix + "Requester"
	}
	response := p.response(r.Request, steady.Now(), top, statusPrefix+r.Status)
	return send(response, Endpoint{Binding: Post}, r.Request.ACS, r.Request.State, key)
}

// response begins the answer to a request, with its status.
func (p *IDP) response(r *Request, now time.Time, status, detail string) *etree.Element {
	el := begin("Response", r.ACS, p.EntityID(), now)
	if r.ID != "" {
		el.CreateAttr("InResponseTo", r.ID)
	}
	code := child(child(el, "samlp:Status", ""), "samlp:StatusCode", "", "Value", status)
	if detail != "" {
		child(code, "samlp:StatusCode", "", "Value", detail)
	}
	return el
}

// assertion states who somebody is (SAML profiles, section 4.1.4.2).
func (p *IDP) assertion(t *Ticket) *etree.Element {
	el := etree.NewElement("saml:Assertion")
	el.CreateAttr("xmlns:saml", nsAssertion)
	el.CreateAttr("ID", newID())
	el.CreateAttr("Version", "2.0")
	el.CreateAttr("IssueInstant", written(t.now))
	child(el, "saml:Issuer", p.EntityID())
	until := written(t.now.Add(goodFor))

	subject := child(el, "saml:Subject", "")
	p.nameOf(t.Service, t.visit).element(subject)
	data := child(child(subject, "saml:SubjectConfirmation", "", "Method", bearer), "saml:SubjectConfirmationData", "",
		"Recipient", t.request.ACS, "NotOnOrAfter", until)
	if t.request.ID != "" {
		data.CreateAttr("InResponseTo", t.request.ID)
	}
	conditions := child(el, "saml:Conditions", "", "NotBefore", written(t.now.Add(-skew)), "NotOnOrAfter", until)
	child(child(conditions, "saml:AudienceRestriction", ""), "saml:Audience", t.Service.EntityID)

	authn := child(el, "saml:AuthnStatement", "", "AuthnInstant", written(t.session.AuthenticatedAt.Time),
		"SessionIndex", t.visit.ID, "SessionNotOnOrAfter", written(t.session.ExpiresAt.Time))
	child(child(authn, "saml:AuthnContext", ""), "saml:AuthnContextClassRef", t.context)
	t.attributes(el)
	return el
}

// nameOf is the name of a visit, whole: a persistent one says between whom it is used
// (SAML core, section 8.3.7).
func (p *IDP) nameOf(s *Service, v *storage.ServiceVisit) nameID {
	n := nameID{Value: v.NameID, Format: v.NameIDFormat}
	if n.Format == Persistent {
		n.Qualifier, n.SPQualifier = p.EntityID(), s.EntityID
	}
	return n
}

// attributes adds what the service is told; an attribute that says nothing is left out.
func (t *Ticket) attributes(el *etree.Element) {
	var statement *etree.Element
	told := Effective(t.Service).Attributes
	for _, name := range slices.Sorted(maps.Keys(told)) {
		values := valuesOf(told[name], t.claims)
		if len(values) == 0 {
			continue
		}
		if statement == nil {
			statement = child(el, "saml:AttributeStatement", "")
		}
		format := nameFormat + "basic"
		if strings.HasPrefix(name, "urn:") || strings.HasPrefix(name, "http") {
			format = nameFormat + "uri"
		}
		a := child(statement, "saml:Attribute", "", "Name", name, "NameFormat", format)
		if known := friendly[name]; known != "" {
			a.CreateAttr("FriendlyName", known)
		}
		for _, value := range values {
			child(a, "saml:AttributeValue", value)
		}
	}
}
