package saml2

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"authy/server/provider"
	"authy/server/steady"
	"authy/storage"
)

// FramePath is the page that takes a message to a service by POST, in a frame.
const FramePath = SLOPath + "/frame"

// Frame is a message that a browser takes to a service when its session has ended.
type Frame struct {
	Service *Service
	URL     string
	Origin  string
}

// Frames returns what tells the services of a session that it has ended, those that do
// not know yet, in a browser: by redirect, or by a page here that posts the message.
func (p *IDP) Frames(ctx context.Context, sessionID string) (frames []Frame, err error) {
	visits, err := p.db.ServiceVisits(ctx, sessionID)
	if err != nil || len(visits) == 0 {
		return nil, err
	}
	now := steady.Now()
	for i := range visits {
		s, err := p.db.Service(ctx, visits[i].ServiceID)
		if errors.Is(err, storage.ErrNotFound) {
			continue // deleted between the two reads
		}
		if err != nil {
			return nil, fmt.Errorf("look SAML service %s up: %w", visits[i].ServiceID, err)
		}
		frame, err := p.frame(ctx, s, &visits[i], now)
		if err != nil {
			return nil, err
		}
		if frame != nil {
			frames = append(frames, *frame)
		}
	}
	return frames, nil
}

// frame is the frame of a service; nil for one that no browser can tell.
func (p *IDP) frame(ctx context.Context, s *Service, v *storage.ServiceVisit, now time.Time) (*Frame, error) {
	to, err := ParseMetadata([]byte(s.Metadata), s.EntityID, ServiceProvider, now)
	if err != nil {
		return nil, nil // its metadata has ended
	}
	slo, offered := endpoint(to.SLO, Redirect, Post)
	switch {
	case !offered:
		return nil, nil
	case slo.Binding == Post:
		address := p.publicURL + FramePath + "?visit=" + url.QueryEscape(v.ID)
		return &Frame{s, address, Onward(s, slo.URL)[0]}, nil
	}
	request, err := p.tell(ctx, s, v, slo, now)
	if err != nil {
		return nil, err
	}
	return &Frame{s, request.URL, Onward(s, slo.URL)[0]}, nil
}

// tell returns the request that tells a service of the end of a visit (SAML profiles,
// section 4.4.3.3).
func (p *IDP) tell(
	ctx context.Context, s *Service, v *storage.ServiceVisit, slo Endpoint, now time.Time,
) (*provider.Request, error) {
	key, err := p.keys.signing(ctx)
	if err != nil {
		return nil, err
	}
	el := p.logoutRequest(s, v, slo.URL, now)
	el.CreateAttr("ID", toldBy+v.ID)
	return send(el, slo, slo.URL, "", key)
}

// FramePost returns the form that tells the service of a visit that its session has
// ended, and where it may lead. [ErrRequest] for a visit that there is not, that has not
// ended, or whose service is told in another way.
func (p *IDP) FramePost(ctx context.Context, visitID string) (*provider.Request, []string, error) {
	if strings.ContainsRune(visitID, 0) {
		return nil, nil, ErrRequest // storage refuses such text
	}
	v, err := p.db.ServiceVisit(ctx, visitID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && !v.CheckAt.IsZero() {
		return nil, nil, ErrRequest
	}
	if err != nil {
		return nil, nil, fmt.Errorf("look for a visit to a service: %w", err)
	}
	s, err := p.db.Service(ctx, v.ServiceID)
	if err != nil {
		return nil, nil, fmt.Errorf("look SAML service %s up: %w", v.ServiceID, err)
	}
	now := steady.Now()
	to, err := ParseMetadata([]byte(s.Metadata), s.EntityID, ServiceProvider, now)
	if err != nil {
		return nil, nil, refusedRequest(ctx, "bad_metadata", s, err)
	}
	slo, offered := endpoint(to.SLO, Redirect, Post)
	if !offered || slo.Binding != Post {
		return nil, nil, ErrRequest
	}
	request, err := p.tell(ctx, s, v, slo, now)
	return request, Onward(s, slo.URL), err
}
