package saml2

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/outbound"
	"authy/server/registry"
	"authy/storage"
)

// Where the identity provider is, below the public URL. Its metadata is also its
// entity id.
const (
	MetadataPath = "/saml/metadata"
	SSOPath      = "/saml/sso"
	SLOPath      = "/saml/slo"
	StartPath    = "/saml/start/" // and the name of a service
)

// IDP is authy as an identity provider: services learn from it who somebody is.
type IDP struct {
	db        *storage.DB
	keys      *Keys
	clients   *registry.Service // for the names that no other service knows
	publicURL string
	// Outbound tells services of the end of sessions.
	Outbound *outbound.Client
}

// NewIDP returns the identity provider at a public URL.
func NewIDP(db *storage.DB, keys *Keys, clients *registry.Service, publicURL string) *IDP {
	return &IDP{db: db, keys: keys, clients: clients, publicURL: publicURL}
}

// EntityID is who authy is to services.
func (p *IDP) EntityID() string { return p.publicURL + MetadataPath }

// Metadata returns the document that describes authy as an identity provider, signed,
// with every key that is not gone.
func (p *IDP) Metadata(ctx context.Context) ([]byte, error) {
	keys, err := p.keys.all(ctx)
	if err != nil {
		return nil, err
	}
	el, descriptor := describe(p.EntityID(), IdentityProvider)
	descriptor.CreateAttr("WantAuthnRequestsSigned", "false")
	describeKeys(descriptor, keys)
	for _, binding := range []string{Redirect, Post} {
		child(descriptor, "md:SingleLogoutService", "", "Binding", binding, "Location", p.publicURL+SLOPath)
	}
	for _, format := range []string{Persistent, Email, Transient} {
		child(descriptor, "md:NameIDFormat", format)
	}
	for _, binding := range []string{Redirect, Post} {
		child(descriptor, "md:SingleSignOnService", "", "Binding", binding, "Location", p.publicURL+SSOPath)
	}
	return finishDescription(el, keys[0])
}

// Request is what a service asks: that somebody signs in. The service and where its
// answer goes are certain.
type Request struct {
	ServiceID string `json:"service_id"`
	ID        string `json:"id,omitempty"` // "" where nobody asked
	ACS       string `json:"acs"`
	State     string `json:"state,omitempty"`
	Format    string `json:"format"` // of the name
	// Again asks for a new proof, Passive that nobody is asked anything.
	Again   bool `json:"again,omitempty"`
	Passive bool `json:"passive,omitempty"`
	// Subject is whom it is about, by a name of SubjectFormat; "" for anybody.
	Subject       string `json:"subject,omitempty"`
	SubjectFormat string `json:"subject_format,omitempty"`
	Contexts      Wanted `json:"contexts,omitzero"`
}

// ErrRequest is told whoever brings a request that cannot be answered: the service, or
// where the answer would go, is not certain.
var ErrRequest = fault.New(fault.Invalid, "saml_request_refused",
	"What the application sent cannot be answered. Go back to it and try again; if it keeps happening, tell whoever runs it.")

// refusedRequest returns [ErrRequest], and tells the log what is behind it; s is nil where
// it is not known whose request it is.
func refusedRequest(ctx context.Context, reason string, s *Service, cause error) error {
	slug := ""
	if s != nil {
		slug = s.Slug
	}
	slog.WarnContext(ctx, "a SAML request was refused", "reason", reason, "service", slug, "err", cause)
	return ErrRequest
}

// The statuses of a refusal (SAML core, section 3.2.2.2).
const (
	NoPassive        = "NoPassive"
	NoAuthnContext   = "NoAuthnContext"
	BadNameID        = "InvalidNameIDPolicy"
	UnknownPrincipal = "UnknownPrincipal"
	Denied           = "RequestDenied"

	statusPrefix = "urn:oasis:names:tc:SAML:2.0:status:"
)

// Refusal is a request that is refused, which its service may be told.
type Refusal struct {
	Request *Request
	Status  string
}

// Error returns the status.
func (r *Refusal) Error() string { return "saml2: the request is refused: " + r.Status }

// Service returns the service of a request. [ErrNoService] if it is gone or disabled.
func (p *IDP) Service(ctx context.Context, r *Request) (*Service, error) {
	s, err := usable(ctx, p.db.Reader, func() (*Service, error) { return p.db.Service(ctx, r.ServiceID) })
	if err != nil {
		return nil, fmt.Errorf("look SAML service %s up: %w", r.ServiceID, err)
	}
	return s, nil
}

// usable returns the service that look finds. [ErrNoService] unless it is enabled, and
// its organization is.
func usable(ctx context.Context, r storage.Reader, look func() (*Service, error)) (*Service, error) {
	s, err := look()
	if errors.Is(err, storage.ErrNotFound) || err == nil && !s.IsActive {
		return nil, ErrNoService
	}
	if err != nil || s.OrganizationID == "" {
		return s, err
	}
	home, err := r.Organization(ctx, string(s.OrganizationID))
	if err == nil && !home.IsActive {
		return nil, ErrNoService
	}
	return s, err
}

// Bars says whether a user may not use the service of a request.
func (p *IDP) Bars(ctx context.Context, r *Request, userID string) (bool, error) {
	s, err := p.Service(ctx, r)
	if err != nil {
		return false, err
	}
	return bars(ctx, p.db.Reader, s, userID)
}

func bars(ctx context.Context, r storage.Reader, s *Service, userID string) (bool, error) {
	_, err := registry.LetIn(ctx, r, s.Allowed, string(s.OrganizationID), userID)
	if errors.Is(err, registry.ErrNotAllowed) {
		return true, nil
	}
	return false, err
}

// NameOf is what a user is called in the format of the subject that a request names;
// "" if it names none.
func (p *IDP) NameOf(ctx context.Context, r *Request, userID string) (string, error) {
	if r.Subject == "" {
		return "", nil
	}
	s, err := p.Service(ctx, r)
	if err != nil {
		return "", err
	}
	if r.SubjectFormat == Persistent {
		return p.persistent(s, userID), nil
	}
	user, err := p.db.User(ctx, userID)
	if err != nil {
		return "", fmt.Errorf("look user %s up: %w", userID, err)
	}
	return user.Email, nil
}

// persistent is the name of a user that one service knows, and no other.
func (p *IDP) persistent(s *Service, userID string) string {
	return p.clients.Pairwise("saml:"+s.EntityID, userID)
}

// Onward are the origins at which a form that takes an answer to a service may end:
// where it is sent, and where its preset leads.
func Onward(s *Service, acs string) []string {
	var origins []string
	if u, err := url.Parse(acs); err == nil {
		origins = append(origins, u.Scheme+"://"+u.Host)
	}
	return append(origins, presets[s.Options.Preset].onward...)
}

// Deny records in tx that a user's request was refused, and why.
func (p *IDP) Deny(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, r *Request, reason string,
) error {
	s, err := tx.Service(ctx, r.ServiceID)
	if err != nil {
		return fmt.Errorf("look SAML service %s up: %w", r.ServiceID, err)
	}
	event := serviceEvent("service.use", s, nil)
	event.Failed, event.Reason = true, reason
	return audit.Record(ctx, tx, by, now, event)
}
