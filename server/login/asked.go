package login

import (
	"context"
	"errors"
	"net/url"
	"time"

	"authy/server/audit"
	"authy/server/forward"
	"authy/server/openid"
	"authy/server/registry"
	"authy/server/saml2"
	"authy/server/session"
	"authy/storage"
)

// asked is what an application asks of a person, in whichever protocol. What both
// protocols know, such as a new proof or whom it is about, is in the words of OpenID
// Connect; the machine reads that alone. This file is where it matters which it is.
type asked struct {
	*openid.Request
	// SAML is the request of a SAML service; nil for a client of OpenID Connect.
	SAML *saml2.Request `json:"saml,omitempty"`
	// Forward is the request of a host behind a proxy; nil for the others.
	Forward *forward.Request `json:"forward,omitempty"`
}

// wantsAnew says whether a provider must ask a person who they are, whatever it knows.
func (r *asked) wantsAnew() bool { return r.Has("login") || r.MaxAge != nil }

// bySAML puts the request of a service into the words that the machine reads.
func bySAML(r *saml2.Request) *asked {
	request := &openid.Request{RedirectURI: r.ACS, HintSubject: r.Subject}
	if r.SubjectFormat == saml2.Email {
		request.LoginHint = r.Subject
	}
	if r.Passive {
		request.Prompt = append(request.Prompt, "none")
	}
	if r.Again {
		request.Prompt = append(request.Prompt, "login")
	}
	for _, rung := range r.Contexts.Rungs() {
		request.ACR, request.MustACR = append(request.ACR, openid.Assurance(rung).ACR()), true
	}
	return &asked{Request: request, SAML: r}
}

// SAML answers the request of a SAML service. A fault says that the service, or where it
// gets its answer, is not certain.
func (s *Service) SAML(ctx context.Context, by audit.Actor, b Browser, d saml2.Delivery) (*Next, error) {
	request, err := s.Services.Read(ctx, d)
	if refusal, is := errors.AsType[*saml2.Refusal](err); is {
		return s.refuseSAML(ctx, refusal)
	}
	if err != nil {
		return nil, err
	}
	return s.advance(ctx, by, b, nil, bySAML(request))
}

// StartSAML takes somebody to a SAML service that lets them begin here.
func (s *Service) StartSAML(ctx context.Context, by audit.Actor, b Browser, slug string) (*Next, error) {
	request, err := s.Services.Start(ctx, slug)
	if err != nil {
		return nil, err
	}
	return s.advance(ctx, by, b, nil, bySAML(request))
}

// ForwardAuth takes somebody to a host behind a proxy, which asks whom it lets through.
func (s *Service) ForwardAuth(ctx context.Context, by audit.Actor, b Browser, form url.Values) (*Next, error) {
	r, err := s.Forward.ParseRequest(form)
	if err != nil {
		return nil, err
	}
	request := &openid.Request{RedirectURI: r.URL}
	if factor := s.Forward.Factor(r); factor > openid.ByPassword {
		request.ACR, request.MustACR = []string{factor.ACR()}, true
	}
	return s.advance(ctx, by, b, nil, &asked{Request: request, Forward: r})
}

// subjectOf is as whom the application of r knows a user.
func (s *Service) subjectOf(ctx context.Context, r *asked, userID string) (string, error) {
	if r.Forward != nil {
		return userID, nil
	}
	if r.SAML != nil {
		return s.Services.NameOf(ctx, r.SAML, userID)
	}
	return s.openid.SubjectOf(ctx, r.Request, userID)
}

// missing is what the user has not agreed to. A SAML service and the hosts behind proxies were
// registered by whoever answers for that: nobody is asked.
func (s *Service) missing(ctx context.Context, r *asked, userID string) ([]string, error) {
	if r.SAML != nil || r.Forward != nil {
		return nil, nil
	}
	return s.openid.MissingConsent(ctx, r.Request, userID)
}

// bars says whether a user may not use the application of r.
func (s *Service) bars(ctx context.Context, r *asked, user *storage.User) (bool, error) {
	switch {
	case r.Forward != nil:
		return s.Forward.Bars(ctx, r.Forward, user)
	case r.SAML != nil:
		return s.Services.Bars(ctx, r.SAML, user.ID)
	}
	return s.openid.Bars(ctx, r.Request, user.ID)
}

// deny records in tx that r was refused, and why.
func (s *Service) deny(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, r *asked, reason string,
) error {
	switch {
	case r.Forward != nil:
		return s.Forward.Deny(ctx, tx, by, now, r.Forward, reason)
	case r.SAML != nil:
		return s.Services.Deny(ctx, tx, by, now, r.SAML, reason)
	}
	return s.openid.Deny(ctx, tx, by, now, r.Request, reason)
}

// statuses are the errors of OpenID Connect in the words of SAML.
var statuses = map[string]string{
	"login_required": saml2.NoPassive, "interaction_required": saml2.NoPassive, "access_denied": saml2.Denied,
	"unmet_authentication_requirements": saml2.NoAuthnContext,
}

// refuse tells the application of r why not.
func (s *Service) refuse(ctx context.Context, r *asked, code, text string) (*Next, error) {
	if r.Forward != nil {
		return &Next{Location: s.Forward.Refuse(r.Forward)}, nil
	}
	if r.SAML == nil {
		return nil, s.openid.Refuse(r.Request, code, text)
	}
	status := statuses[code]
	if code == "login_required" && !r.SAML.Passive {
		status = saml2.UnknownPrincipal // somebody else has signed in
	}
	return s.refuseSAML(ctx, &saml2.Refusal{Request: r.SAML, Status: status})
}

func (s *Service) refuseSAML(ctx context.Context, refusal *saml2.Refusal) (*Next, error) {
	service, err := s.Services.Service(ctx, refusal.Request)
	if err != nil {
		return nil, err
	}
	form, err := s.Services.Refuse(ctx, refusal)
	if err != nil {
		return nil, err
	}
	return &Next{Location: form.URL, Form: form.Form, Ends: saml2.Onward(service, form.URL)}, nil
}

// issue lets the user of a session into the application of r, in tx. What it returns
// makes the answer, after the commit.
func (s *Service) issue(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, r *asked, current *storage.Session, consented bool,
) (answer func() (*Next, error), err error) {
	if err := session.Still(ctx, tx, current.ID); err != nil {
		return nil, err
	}
	if r.Forward != nil {
		to, err := s.Forward.Issue(ctx, tx, by, now, r.Forward, current)
		return func() (*Next, error) { return &Next{Location: to}, nil }, err
	}
	if r.SAML == nil {
		granted, err := s.openid.Issue(ctx, tx, by, now, r.Request, current, consented)
		return func() (*Next, error) {
			granted, err := s.openid.Complete(ctx, granted)
			return nextOf(granted), err
		}, err
	}
	ticket, err := s.Services.Issue(ctx, tx, by, now, r.SAML, current, int(openid.Reached(current.Methods)))
	return func() (*Next, error) {
		form, err := s.Services.Answer(ctx, ticket)
		if err != nil {
			return nil, err
		}
		return &Next{Location: form.URL, Form: form.Form, Ends: saml2.Onward(ticket.Service, form.URL)}, nil
	}, err
}

// applicationOf describes the application of r to the person who is asked. [ErrFlow] if
// it is gone.
func (s *Service) applicationOf(ctx context.Context, r *asked) (*storage.Client, error) {
	if r.Forward != nil {
		return &storage.Client{Name: r.Forward.Host(), ClientURI: r.Forward.URL}, nil
	}
	if r.SAML != nil {
		service, err := s.Services.Service(ctx, r.SAML)
		if errors.Is(err, saml2.ErrNoService) {
			return nil, ErrFlow
		}
		if err != nil {
			return nil, err
		}
		return &storage.Client{Name: service.Name, ClientURI: saml2.Onward(service, r.SAML.ACS)[0]}, nil
	}
	client, err := s.Clients.Client(ctx, r.ClientID)
	if errors.Is(err, registry.ErrNoClient) {
		return nil, ErrFlow
	}
	return client, err
}
