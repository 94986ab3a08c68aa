// Package provider keeps the identity providers that people come from: those of
// the whole server and those of one organization, found by the domain of an
// address that was granted to it. It knows what a provider is and what it can
// say of a person; how it is asked is for server/upstream (OpenID Connect and
// OAuth 2.0) and server/saml2.
package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/keyring"
	"authy/server/org"
	"authy/server/outbound"
	"authy/storage"
)

// What the package refuses.
var (
	ErrNoProvider = fault.New(fault.NotFound, "provider_not_found", "There is no such identity provider.")
	ErrTaken      = fault.New(fault.Conflict, "provider_taken", "There is an identity provider with this slug already.")
	ErrManaged    = fault.New(fault.Conflict, "provider_managed",
		"This identity provider is set by the configuration file: change it there.")
	ErrTooMany   = fault.New(fault.Conflict, "too_many_providers", "An organization has 20 identity providers at most.")
	ErrForbidden = fault.New(fault.Forbidden, "forbidden", "You may not do this.")
)

// The kinds of providers.
const (
	Google    = "google"
	GitHub    = "github"
	Microsoft = "microsoft"
	OIDC      = "oidc"
	SAML      = "saml"
)

// ProvesAgain says whether the providers of a kind can prove that somebody has shown
// them just now who they are: Google refuses to ask, and GitHub says nothing of it.
func ProvesAgain(kind string) bool { return kind != Google && kind != GitHub }

// Provider is an identity provider as it is kept.
type Provider = storage.Provider

// Service keeps providers.
type Service struct {
	// PublicURL is where people come back to.
	PublicURL string
	// Outbound asks providers.
	Outbound *outbound.Client
	// Keys sign by which authy proves at providers who it is; nil proves nothing.
	Keys *keyring.Ring
	// KeysURL is where the public halves of them are.
	KeysURL string
	// ReadMetadata judges SAML metadata and returns the entity id in it: the one
	// that is named, or the only one for "". nil takes any, and needs the issuer.
	ReadMetadata func(metadata, entityID string) (string, error)
	// TestSAML tries a SAML provider; nil knows none of it.
	TestSAML func(ctx context.Context, p *storage.Provider) []Check
	// FetchSAML fetches the metadata of a SAML provider anew, and says what is different
	// in it. New keys and addresses are a fault of the code "metadata_changed", unless
	// they are accepted or vouched for.
	FetchSAML func(ctx context.Context, p *storage.Provider, accept bool) (metadata string, changes []string, err error)

	db   *storage.DB
	orgs *org.Service
}

// New returns the service over db.
func New(db *storage.DB) *Service {
	return &Service{Outbound: outbound.New(nil), db: db, orgs: org.New(db)}
}

// In returns s over db, such as a transaction that it takes part in ([storage.DB.In]).
func (s *Service) In(db *storage.DB) *Service {
	in := *s
	in.db, in.orgs = db, s.orgs.In(db)
	return &in
}

// Find returns the provider with a slug, whether it is active or not.
func (s *Service) Find(ctx context.Context, slug string) (*storage.Provider, error) {
	return find(ctx, s.db.Reader, slug)
}

func find(ctx context.Context, r storage.Reader, slug string) (*storage.Provider, error) {
	if strings.ContainsRune(slug, 0) {
		return nil, ErrNoProvider // storage refuses such text
	}
	p, err := r.ProviderBySlug(ctx, slug)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrNoProvider
	}
	if err != nil {
		return nil, fmt.Errorf("look provider %s up: %w", audit.Cut(slug, 64), err)
	}
	return p, nil
}

// Ask is what a provider is asked.
type Ask struct {
	// State comes back with the answer; SAML calls it RelayState.
	State string
	// ReturnURL is where the answer goes: the redirect URI, or the address of the
	// assertion consumer service.
	ReturnURL string
	// LoginHint is whom it is about, "" if that is open.
	LoginHint string
	// Again asks the person to prove who they are even if the provider knows them.
	Again bool
}

// Request is where a browser is sent.
type Request struct {
	URL string
	// Form is what it posts there; nil if it only goes there.
	Form map[string][]string
	// Trip is kept until it comes back.
	Trip Trip
}

// Trip is what must be known again when the answer of a provider comes.
type Trip struct {
	ReturnURL string `json:"return_url"`
	Nonce     string `json:"nonce,omitempty"`
	Verifier  string `json:"verifier,omitempty"`   // RFC 7636
	RequestID string `json:"request_id,omitempty"` // of a SAML AuthnRequest
	// AskedAt is when the person was sent away.
	AskedAt time.Time `json:"asked_at"`
	// Again says that the person had to prove who they are.
	Again bool `json:"again,omitempty"`
}

// Ended is what a provider says of sessions that have ended there: those of a
// subject, the one of a session id, or both; one of the two may be "".
type Ended struct{ Issuer, Subject, SessionID string }

// Notice is a message that says so. It counts once.
type Notice struct {
	Ended
	ID        string // unique at its issuer
	ExpiresAt time.Time
}

// Statement is what a provider says of a person.
type Statement struct {
	Issuer        string `json:"issuer"`  // who says it
	Subject       string `json:"subject"` // of whom; for good, and never an address
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"`
	Name          string `json:"name,omitempty"`
	Picture       string `json:"picture,omitempty"`
	Locale        string `json:"locale,omitempty"`

	Groups []string `json:"groups,omitempty"`

	Methods         []string  `json:"methods,omitempty"` // amr (RFC 8176)
	Context         string    `json:"context,omitempty"` // acr, or the SAML AuthnContextClassRef
	AuthenticatedAt time.Time `json:"authenticated_at,omitzero"`
	// EndsAt is when the session there ends; zero if it does not say.
	EndsAt time.Time `json:"ends_at,omitzero"`
	// SessionID is what the provider calls the session: sid, or SessionIndex.
	SessionID string `json:"session_id,omitempty"`
	// SessionSubject is who the person is in the session there, where that is not the
	// subject.
	SessionSubject string `json:"session_subject,omitempty"`
	// Hint is what ends the session there: the ID token, or the SAML NameID.
	Hint string `json:"hint,omitempty"`
}
