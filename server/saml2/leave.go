package saml2

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"authy/server/audit"
	"authy/server/logout"
	"authy/server/provider"
	"authy/server/steady"
	"authy/storage"
)

const (
	// DonePath is where a browser comes when the other services have been told.
	DonePath = SLOPath + "/done"
	// toldBy begins the ID of the message that tells a service of the end of a visit.
	toldBy = "o"
)

// Leave is the request of a service that sessions end (SAML profiles, section 4.4.4.1).
type Leave struct {
	// Visits are those that it is about, of whichever session.
	Visits []storage.ServiceVisit
	// Signed says that the service has signed it: it counts in any browser.
	Signed bool
	// Answer says that it is no request, but the answer to one of authy's, which has
	// been noted.
	Answer bool
	back   back
}

// back is how to answer a service that began to sign somebody out.
type back struct {
	Service string `json:"service"`
	Request string `json:"request"`
	State   string `json:"state,omitempty"`
	// Sessions are those that have ended; none for a person who is not known.
	Sessions []string `json:"sessions,omitempty"`
}

// ReadLogout reads what a service has sent about a logout. [ErrRequest] if it is not
// believed.
func (p *IDP) ReadLogout(ctx context.Context, by audit.Actor, d Delivery) (*Leave, error) {
	m, err := d.open()
	if err != nil || !is(m.root, nsProtocol, "LogoutRequest") && !is(m.root, nsProtocol, "LogoutResponse") {
		return nil, refusedRequest(ctx, "bad_message", nil, err)
	}
	s, err := p.issuer(ctx, m.root)
	if err != nil {
		return nil, err
	}
	now := steady.Now()
	from, err := ParseMetadata([]byte(s.Metadata), s.EntityID, ServiceProvider, now)
	if err != nil {
		return nil, refusedRequest(ctx, "bad_metadata", s, err)
	}
	root, err := from.believed(m, len(from.Signing) > 0, p.publicURL+SLOPath, now)
	if err != nil || len(m.state) > maxEchoed {
		return nil, refusedRequest(ctx, "not_believed", s, err)
	}
	if root.Tag == "LogoutResponse" {
		return &Leave{Answer: true}, p.told(ctx, by, s, root, now)
	}
	l := &Leave{Signed: len(from.Signing) > 0, back: back{Service: s.ID, Request: attr(root, "ID"), State: m.state}}
	if l.Visits, err = p.visitsIn(ctx, s, from, root, now); err != nil {
		return nil, err
	}
	for _, v := range l.Visits {
		l.back.Sessions = append(l.back.Sessions, v.SessionID)
	}
	return l, nil
}

// visitsIn returns the visits that a LogoutRequest is about: those that it names, or all
// of whom it names.
func (p *IDP) visitsIn(
	ctx context.Context, s *Service, from *Peer, root *etree.Element, now time.Time,
) ([]storage.ServiceVisit, error) {
	keys, err := p.keys.all(ctx)
	if err != nil {
		return nil, err
	}
	w := &expectation{peer: from, keys: keys, now: now}
	name, err := w.name(root)
	if err != nil || !w.within(root) {
		return nil, refusedRequest(ctx, "not_believed", s, err)
	}
	named, err := sessionsIn(root)
	if err != nil {
		return nil, refusedRequest(ctx, "bad_message", s, err)
	}
	visits, err := p.db.VisitsByName(ctx, s.ID, name.Value)
	if err != nil {
		return nil, fmt.Errorf("look for visits to %s: %w", s.Slug, err)
	}
	return slices.DeleteFunc(visits, func(v storage.ServiceVisit) bool {
		other := name.Format != "" && name.Format != Unspecified && name.Format != v.NameIDFormat
		return other || named[0] != "" && !slices.Contains(named, v.ID)
	}), nil
}

// told notes what a service has answered that was told of the end of a visit.
func (p *IDP) told(ctx context.Context, by audit.Actor, s *Service, root *etree.Element, now time.Time) error {
	id, _ := strings.CutPrefix(attr(root, "InResponseTo"), toldBy)
	cause := status(root)
	return p.db.Update(ctx, func(tx *storage.Tx) error {
		v, err := tx.ServiceVisit(ctx, id)
		if errors.Is(err, storage.ErrNotFound) || err == nil && v.ServiceID != s.ID {
			return ErrRequest
		}
		if err != nil {
			return fmt.Errorf("look for a visit to %s: %w", s.Slug, err)
		}
		return left(ctx, tx, by, now, s, v, cause)
	})
}

// left forgets a visit in tx whose service knows that the session has ended, unless it
// has not done so because of cause.
func left(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, s *Service, v *storage.ServiceVisit, cause error,
) error {
	event := serviceEvent("service.logout", s, map[string]string{"session": v.SessionID})
	if cause != nil {
		event.Failed, event.Reason = true, "refused_there"
		return audit.Record(ctx, tx, by, now, event)
	}
	if err := logout.Heard(ctx, tx, now, v); err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, event)
}

// Leave notes that the service that asks knows of the end of its visits.
func (p *IDP) Leave(ctx context.Context, by audit.Actor, l *Leave) error {
	now := steady.Now()
	return p.db.Update(ctx, func(tx *storage.Tx) error {
		s, err := tx.Service(ctx, l.back.Service)
		if err != nil {
			return fmt.Errorf("look SAML service %s up: %w", l.back.Service, err)
		}
		for i := range l.Visits {
			if err := left(ctx, tx, by, now, s, &l.Visits[i], nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// DoneURL is where a browser goes that has told the other services.
func (p *IDP) DoneURL(l *Leave) (string, error) {
	raw, err := json.Marshal(l.back)
	if err != nil {
		return "", fmt.Errorf("keep a logout: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(raw)
	return p.publicURL + DonePath + "?to=" + text + "." + p.mark(text), nil
}

func (p *IDP) mark(text string) string {
	return base64.RawURLEncoding.EncodeToString(p.db.MAC("saml logout", text))
}

// Done answers the service that began to sign somebody out, by what [IDP.DoneURL] has
// made: it is told if others do not know yet (SAML core, section 3.7.3.2).
func (p *IDP) Done(ctx context.Context, token string) (*provider.Request, error) {
	text, mark, _ := strings.Cut(token, ".")
	var b back
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || subtle.ConstantTimeCompare([]byte(mark), []byte(p.mark(text))) != 1 || json.Unmarshal(raw, &b) != nil {
		return nil, ErrRequest
	}
	s, err := usable(ctx, p.db.Reader, func() (*Service, error) { return p.db.Service(ctx, b.Service) })
	if err != nil {
		return nil, err
	}
	key, err := p.keys.signing(ctx)
	if err != nil {
		return nil, err
	}
	now := steady.Now()
	to, err := ParseMetadata([]byte(s.Metadata), s.EntityID, ServiceProvider, now)
	if err != nil {
		return nil, refusedRequest(ctx, "bad_metadata", s, err)
	}
	slo, offered := endpoint(to.SLO, Redirect, Post)
	if !offered {
		return &provider.Request{URL: p.publicURL + signedOut}, nil
	}
	el := begin("LogoutResponse", slo.ResponseURL, p.EntityID(), now)
	el.CreateAttr("InResponseTo", b.Request)
	top, detail, err := p.outcome(ctx, b)
	if err != nil {
		return nil, err
	}
	code := child(child(el, "samlp:Status", ""), "samlp:StatusCode", "", "Value", top)
	if detail != "" {
		child(code, "samlp:StatusCode", "", "Value", detail)
	}
	return send(el, slo, slo.ResponseURL, b.State, key)
}

// outcome is what became of a logout.
func (p *IDP) outcome(ctx context.Context, b back) (top, detail string, err error) {
	if len(b.Sessions) == 0 {
		return statusPrefix + "Requester", statusPrefix + UnknownPrincipal, nil
	}
	for _, session := range b.Sessions {
		still, err := p.db.ServiceVisits(ctx, session)
		if err != nil {
			return "", "", fmt.Errorf("look for the services of session %s: %w", session, err)
		}
		if len(still) > 0 {
			return statusSuccess, statusPrefix + "PartialLogout", nil
		}
	}
	return statusSuccess, "", nil
}
