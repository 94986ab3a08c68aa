package saml2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/beevik/etree"

	"authy/server/logout"
	"authy/server/outbound"
	"authy/server/provider"
	"authy/server/steady"
	"authy/storage"
)

const (
	// maxSOAP is how long the answer of a service may be.
	maxSOAP = 256 << 10
	// soapAction names what is asked for (SAML bindings, section 3.2.3.2.1).
	soapAction = "http://www.oasis-open.org/committees/security"
)

// TellLogout tells a service, from here, that a session has ended: by SOAP, if its
// metadata has a SingleLogoutService for that (SAML profiles, section 4.4.3). Else it is
// [logout.ErrBrowserOnly]; [logout.ErrRefused] if the service has understood and says no.
func (p *IDP) TellLogout(ctx context.Context, l *storage.Logout) error {
	s, err := p.db.Service(ctx, string(l.ServiceID))
	if err != nil {
		return fmt.Errorf("look SAML service %s up: %w", l.ServiceID, err)
	}
	now := steady.Now()
	to, err := ParseMetadata([]byte(s.Metadata), s.EntityID, ServiceProvider, now)
	if err != nil {
		return fmt.Errorf("read the metadata of %s: %w", s.Slug, err)
	}
	slo, offered := endpoint(to.SLO, SOAP)
	if !offered {
		return logout.ErrBrowserOnly
	}
	l.URI = slo.URL
	el := p.logoutRequest(s, &storage.ServiceVisit{
		ID: l.SessionIndex, NameID: l.Subject, NameIDFormat: l.NameIDFormat,
	}, slo.URL, now)
	root, err := p.exchange(ctx, el, slo.URL)
	if err != nil {
		return err
	}
	return p.heard(to, root, attr(el, "ID"), now)
}

// logoutRequest asks a service to end a session of its own (SAML core, section 3.7.1).
func (p *IDP) logoutRequest(s *Service, v *storage.ServiceVisit, destination string, now time.Time) *etree.Element {
	el := begin("LogoutRequest", destination, p.EntityID(), now)
	el.CreateAttr("NotOnOrAfter", written(now.Add(fresh)))
	p.nameOf(s, v).element(el)
	child(el, "samlp:SessionIndex", v.ID)
	return el
}

// exchange posts a message, which is signed on the way, in a SOAP envelope, and returns
// the message in the envelope that comes back (SAML bindings, section 3.2.2).
func (p *IDP) exchange(ctx context.Context, el *etree.Element, address string) (*etree.Element, error) {
	key, err := p.keys.signing(ctx)
	if err != nil {
		return nil, err
	}
	if err := sign(el, key); err != nil {
		return nil, err
	}
	envelope := etree.NewElement("soap:Envelope")
	envelope.CreateAttr("xmlns:soap", nsSOAP)
	child(envelope, "soap:Body", "").AddChild(el)
	raw, err := serialize(envelope)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", el.Tag, err)
	}
	answer, err := p.Outbound.Ask(ctx, outbound.Question{
		URL: address, Body: raw, Limit: maxSOAP,
		Header: http.Header{"Content-Type": {"text/xml; charset=utf-8"}, "Soapaction": {`"` + soapAction + `"`}},
	})
	if err != nil {
		return nil, err
	}
	return unenvelop(answer)
}

// unenvelop returns the one message in a SOAP envelope. A fault comes with status 500
// (SAML bindings, section 3.2.3.3).
func unenvelop(answer *outbound.Answer) (*etree.Element, error) {
	if answer.Status != http.StatusOK {
		return nil, fmt.Errorf("the service answered %d%s", answer.Status, faultIn(answer.Body))
	}
	envelope, err := parseMessage(bytes.TrimSpace(answer.Body))
	if err != nil {
		return nil, fmt.Errorf("the service answered with something else than SOAP: %w", err)
	}
	body := only(envelope, nsSOAP, "Body")
	if !is(envelope, nsSOAP, "Envelope") || body == nil || len(body.ChildElements()) != 1 {
		return nil, errors.New("the service answered with something else than one message in SOAP")
	}
	return body.ChildElements()[0], nil
}

// faultIn is what a SOAP fault says, "" if there is none.
func faultIn(body []byte) string {
	envelope, err := parseMessage(bytes.TrimSpace(body))
	if err != nil {
		return ""
	}
	fault := only(only(envelope, nsSOAP, "Body"), nsSOAP, "Fault")
	if fault == nil {
		return ""
	}
	for _, c := range fault.ChildElements() {
		if c.Tag == "faultstring" {
			return ": " + strings.ToValidUTF8(text(c), "")
		}
	}
	return ""
}

// heard is nil for the answer of a service that the session has ended there. One that
// knows nobody like that has none.
func (p *IDP) heard(from *Peer, root *etree.Element, id string, now time.Time) error {
	if !is(root, nsProtocol, "LogoutResponse") {
		return errors.New("the service answered with something else than a LogoutResponse")
	}
	root, err := from.believed(&message{root: root, binding: SOAP}, len(from.Signing) > 0, p.publicURL+SLOPath, now)
	if err != nil {
		return fmt.Errorf("the answer of the service is not believed: %w", err)
	}
	if attr(root, "InResponseTo") != id {
		return errors.New("the service answered another message")
	}
	code := only(only(root, nsProtocol, "Status"), nsProtocol, "StatusCode")
	if attr(only(code, nsProtocol, "StatusCode"), "Value") == statusPrefix+UnknownPrincipal {
		return nil
	}
	if err := status(root); err != nil {
		refusal, _ := errors.AsType[*provider.Refusal](err)
		return fmt.Errorf("%w: %w", logout.ErrRefused, refusal.Err)
	}
	return nil
}
