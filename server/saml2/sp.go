package saml2

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/beevik/etree"

	"authy/server/audit"
	"authy/server/limit"
	"authy/server/outbound"
	"authy/server/provider"
	"authy/server/steady"
	"authy/storage"
)

// Where the service provider is, below the public URL. Its metadata is also its
// entity id.
const (
	SPMetadataPath = "/saml/sp/metadata"
	SPLogoutPath   = "/saml/sp/slo"
	ACSPath        = "/saml/sp/acs"
)

// SP is authy as a service provider: people come to it from identity providers of
// kind [provider.SAML].
type SP struct {
	db        *storage.DB
	keys      *Keys
	publicURL string
	// Outbound fetches the metadata of providers.
	Outbound *outbound.Client
	// Limits counts what is brought about logouts; nil for none.
	Limits *limit.Limits
	// End ends the sessions of a subject of an issuer at a provider, or the one that
	// the provider calls sessionID.
	End func(ctx context.Context, by audit.Actor, p *storage.Provider, issuer, subject, sessionID string) error
}

// NewSP returns the service provider at a public URL.
func NewSP(db *storage.DB, keys *Keys, publicURL string) *SP {
	return &SP{db: db, keys: keys, publicURL: publicURL}
}

// EntityID is who authy is to identity providers.
func (s *SP) EntityID() string { return s.publicURL + SPMetadataPath }

// peer reads the metadata of a provider.
func peer(p *storage.Provider, now time.Time) (*Peer, error) {
	read, err := ParseMetadata([]byte(p.Options.Metadata), p.Issuer, IdentityProvider, now)
	if err != nil {
		return nil, provider.Refuse(provider.Misconfigured, "bad_metadata", err)
	}
	return read, nil
}

// Begin returns the request that asks a provider who somebody is (SAML core,
// section 3.4.1): signed, by redirect where the provider takes that, else by POST.
func (s *SP) Begin(ctx context.Context, p *storage.Provider, ask provider.Ask) (*provider.Request, error) {
	now := steady.Now()
	if len(ask.State) > maxRelayState {
		return nil, fmt.Errorf("ask provider %s: the state is longer than %d bytes", p.Slug, maxRelayState)
	}
	to, err := peer(p, now)
	if err != nil {
		return nil, err
	}
	key, err := s.keys.signing(ctx)
	if err != nil {
		return nil, err
	}
	sso, _ := endpoint(to.SSO, Redirect, Post)
	el := begin("AuthnRequest", sso.URL, s.EntityID(), now)
	el.CreateAttr("AssertionConsumerServiceURL", ask.ReturnURL)
	el.CreateAttr("ProtocolBinding", Post)
	if ask.Again {
		el.CreateAttr("ForceAuthn", "true")
	}
	policy := child(el, "samlp:NameIDPolicy", "", "AllowCreate", "true")
	if format := askedFormat(p.Options); format != Unspecified {
		policy.CreateAttr("Format", format)
	}
	request, err := send(el, sso, sso.URL, ask.State, key)
	if err != nil {
		return nil, err
	}
	request.Trip = provider.Trip{
		ReturnURL: ask.ReturnURL, RequestID: attr(el, "ID"), AskedAt: now, Again: ask.Again,
	}
	return request, nil
}

// askedFormat returns the format of names that a provider is asked for: whatever it has,
// where an attribute says who somebody is.
func askedFormat(o storage.ProviderOptions) string {
	if o.NameIDFormat == "" && o.SubjectAttribute != "" {
		return Unspecified
	}
	return nameIDFormat(o.NameIDFormat)
}

// nameIDFormat returns the format of names that an option stands for.
func nameIDFormat(option string) string {
	switch option {
	case "", "persistent":
		return Persistent
	case "email":
		return Email
	case "unspecified":
		return Unspecified
	case "transient":
		return Transient
	}
	return option
}

// Metadata returns the document that describes authy as a service provider, signed,
// with every key that is not gone.
func (s *SP) Metadata(ctx context.Context) ([]byte, error) {
	keys, err := s.keys.all(ctx)
	if err != nil {
		return nil, err
	}
	el, descriptor := describe(s.EntityID(), "SPSSODescriptor")
	descriptor.CreateAttr("AuthnRequestsSigned", "true")
	descriptor.CreateAttr("WantAssertionsSigned", "true")
	describeKeys(descriptor, keys)
	for _, binding := range []string{Redirect, Post} {
		child(descriptor, "md:SingleLogoutService", "", "Binding", binding, "Location", s.publicURL+SPLogoutPath)
	}
	for _, format := range []string{Persistent, Email, Unspecified} {
		child(descriptor, "md:NameIDFormat", format)
	}
	child(descriptor, "md:AssertionConsumerService", "",
		"Binding", Post, "Location", s.publicURL+ACSPath, "index", "0", "isDefault", "true")
	return finishDescription(el, keys[0])
}

// describe begins a metadata document with one role.
func describe(entityID, role string) (el, descriptor *etree.Element) {
	el = etree.NewElement("md:EntityDescriptor")
	el.CreateAttr("xmlns:md", nsMetadata)
	el.CreateAttr("ID", newID())
	el.CreateAttr("entityID", entityID)
	return el, child(el, "md:"+role, "", "protocolSupportEnumeration", nsProtocol)
}

// describeKeys has those that sign, or will, verified with, and has everything
// encrypted to the one that signs.
func describeKeys(descriptor *etree.Element, keys []*Key) {
	add := func(key *Key, use string) *etree.Element {
		el := child(descriptor, "md:KeyDescriptor", "", "use", use)
		data := child(child(el, "ds:KeyInfo", "", "xmlns:ds", nsSignature), "ds:X509Data", "")
		child(data, "ds:X509Certificate", base64.StdEncoding.EncodeToString(key.Certificate.Raw))
		return el
	}
	for _, key := range keys {
		add(key, "signing")
	}
	el := add(keys[0], "encryption")
	for _, algorithm := range []string{algAES256GCM, nsEncrypted11 + "aes128-gcm", algAES256CBC, algAES128CBC, algOAEP} {
		child(el, "md:EncryptionMethod", "", "Algorithm", algorithm)
	}
}

// finishDescription signs a metadata document and writes it.
func finishDescription(el *etree.Element, key *Key) ([]byte, error) {
	if err := sign(el, key); err != nil {
		return nil, err
	}
	raw, err := serialize(el)
	if err != nil {
		return nil, fmt.Errorf("write metadata: %w", err)
	}
	return raw, nil
}
