package saml2

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"authy/server/audit"
	"authy/server/fault"
)

// The roles that a peer's metadata describes.
const (
	IdentityProvider = "IDPSSODescriptor"
	ServiceProvider  = "SPSSODescriptor"
)

// maxMetadata is how long metadata may be, and maxEntityID the name of an entity
// (SAML core, section 8.3.6).
const (
	maxMetadata = 1 << 20
	maxEntityID = 1024
)

// Peer is what metadata says of a peer, in one role (SAML metadata, section 2).
type Peer struct {
	EntityID   string
	Name       string // for people; "" if it does not say
	ValidUntil time.Time
	SSO        []Endpoint // of an identity provider
	ACS        []Endpoint // of a service provider
	SLO        []Endpoint
	Signing    []*x509.Certificate // what it signs with
	Encryption []*x509.Certificate // what is encrypted to it with
	// EncryptionMethods are the algorithms that it names for that.
	EncryptionMethods []string
	NameIDFormats     []string
	SignsRequests     bool // AuthnRequestsSigned
	WantsAssertions   bool // WantAssertionsSigned
}

// Endpoint is where messages go.
type Endpoint struct {
	Binding     string
	URL         string
	ResponseURL string // where answers go; the URL if it does not say
	Index       int
	IsDefault   bool
}

// endpoint returns the first of the endpoints that speaks the first of bindings that
// any does.
func endpoint(all []Endpoint, bindings ...string) (Endpoint, bool) {
	for _, binding := range bindings {
		for _, e := range all {
			if e.Binding == binding {
				return e, true
			}
		}
	}
	return Endpoint{}, false
}

// badMetadata is why metadata is refused.
func badMetadata(problem string) error { return fault.Field("metadata", problem) }

// ParseMetadata reads the metadata of a peer in a role. Where it describes several
// entities, entityID must name the one that is meant; else "" takes what is there.
// What is wrong is a fault of the field "metadata".
func ParseMetadata(raw []byte, entityID, role string, now time.Time) (*Peer, error) {
	if len(raw) > maxMetadata {
		return nil, badMetadata("Must be at most 1 MB.")
	}
	root, err := parseDocument(raw)
	if err != nil {
		return nil, badMetadata("Must be a SAML metadata document, without a document type or processing instructions.")
	}
	el, err := pick(root, entityID)
	if err != nil {
		return nil, err
	}
	return readPeer(el, role, now)
}

// pick finds the descriptor of an entity.
func pick(root *etree.Element, entityID string) (*etree.Element, error) {
	entities := collect(root, nil)
	switch {
	case len(entities) == 0:
		return nil, badMetadata("Must have an EntityDescriptor.")
	case entityID == "" && len(entities) > 1:
		return nil, badMetadata("Describes several entities: say which one by its entity ID.")
	case entityID == "":
		return entities[0], nil
	}
	named := slices.DeleteFunc(entities, func(el *etree.Element) bool { return attr(el, "entityID") != entityID })
	if len(named) != 1 {
		return nil, badMetadata("Must describe the entity ID exactly once.")
	}
	return named[0], nil
}

// collect returns the entities that a document describes, alone or in groups.
func collect(el *etree.Element, found []*etree.Element) []*etree.Element {
	if is(el, nsMetadata, "EntityDescriptor") {
		return append(found, el)
	}
	if is(el, nsMetadata, "EntitiesDescriptor") {
		for _, c := range el.ChildElements() {
			found = collect(c, found)
		}
	}
	return found
}

func readPeer(el *etree.Element, role string, now time.Time) (*Peer, error) {
	p := &Peer{EntityID: attr(el, "entityID")}
	if p.EntityID == "" || len(p.EntityID) > maxEntityID || audit.Cut(p.EntityID, maxEntityID) != p.EntityID {
		return nil, badMetadata("Must have an entity ID of at most 1,024 characters.")
	}
	descriptor := roleOf(el, role)
	if descriptor == nil {
		return nil, badMetadata("Must describe the entity exactly once as " + roleWords[role] + " of SAML 2.0.")
	}
	if err := p.readTime(descriptor, now); err != nil {
		return nil, err
	}
	var err error
	for name, into := range map[string]*[]Endpoint{
		"SingleSignOnService": &p.SSO, "AssertionConsumerService": &p.ACS, "SingleLogoutService": &p.SLO,
	} {
		if *into, err = readEndpoints(descriptor, name); err != nil {
			return nil, err
		}
	}
	if err := p.readKeys(descriptor); err != nil {
		return nil, err
	}
	for _, format := range children(descriptor, nsMetadata, "NameIDFormat") {
		p.NameIDFormats = append(p.NameIDFormats, text(format))
	}
	p.SignsRequests = isTrue(attr(descriptor, "AuthnRequestsSigned"))
	p.WantsAssertions = isTrue(attr(descriptor, "WantAssertionsSigned"))
	p.Name = audit.Cut(displayName(el, descriptor), 100)
	return p, p.complete(role, now)
}

var roleWords = map[string]string{IdentityProvider: "an identity provider", ServiceProvider: "a service provider"}

func isTrue(value string) bool { return value == "true" || value == "1" }

// roleOf returns the one descriptor of a role that speaks SAML 2.0.
func roleOf(el *etree.Element, role string) *etree.Element {
	found := slices.DeleteFunc(children(el, nsMetadata, role), func(d *etree.Element) bool {
		return !slices.Contains(strings.Fields(attr(d, "protocolSupportEnumeration")), nsProtocol)
	})
	if len(found) != 1 {
		return nil
	}
	return found[0]
}

// readTime heeds the earliest validUntil of the descriptor and what it lies in.
func (p *Peer) readTime(el *etree.Element, now time.Time) error {
	for ; el != nil; el = el.Parent() {
		until, err := instant(attr(el, "validUntil"))
		if err != nil {
			return badMetadata("Has a validUntil that is no time.")
		}
		if !until.IsZero() && (p.ValidUntil.IsZero() || until.Before(p.ValidUntil)) {
			p.ValidUntil = until
		}
	}
	if !p.ValidUntil.IsZero() && !now.Before(p.ValidUntil) {
		return badMetadata("Is not valid any more: its validUntil has passed.")
	}
	return nil
}

func readEndpoints(descriptor *etree.Element, name string) (all []Endpoint, err error) {
	for _, el := range children(descriptor, nsMetadata, name) {
		e := Endpoint{
			Binding: attr(el, "Binding"), URL: attr(el, "Location"), ResponseURL: attr(el, "ResponseLocation"),
			IsDefault: isTrue(attr(el, "isDefault")),
		}
		if index := attr(el, "index"); index != "" {
			if e.Index, err = strconv.Atoi(index); err != nil || e.Index < 0 || e.Index > 65535 {
				return nil, badMetadata("Has an index of " + name + " that is no number.")
			}
		}
		if e.ResponseURL == "" {
			e.ResponseURL = e.URL
		}
		switch {
		case e.Binding == SOAP && name == "SingleLogoutService":
			if isLocation(e.URL) {
				all = append(all, e) // one that is not good is as if it were not there
			}
			continue
		case e.Binding != Redirect && e.Binding != Post:
			continue // it is never used
		}
		if !isLocation(e.URL) || !isLocation(e.ResponseURL) {
			return nil, badMetadata("Has a location of " + name + " that is not https.")
		}
		all = append(all, e)
	}
	return all, nil
}

// isLocation says whether a browser may be sent to a URL: https, or http on the
// machine that it runs on.
func isLocation(location string) bool {
	u, err := url.Parse(location)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || len(location) > 2048 {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && local
}

// readKeys reads the certificates. A key without a use serves for both (SAML
// metadata, section 2.4.1.1): it is never passed over.
func (p *Peer) readKeys(descriptor *etree.Element) error {
	for _, el := range children(descriptor, nsMetadata, "KeyDescriptor") {
		certs, err := readCertificates(only(el, nsSignature, "KeyInfo"))
		if err != nil {
			return err
		}
		switch use := attr(el, "use"); use {
		case "signing":
			p.Signing = append(p.Signing, certs...)
			continue
		case "":
			p.Signing = append(p.Signing, certs...)
		case "encryption":
		default:
			return badMetadata("Has a key with a use that is neither signing nor encryption.")
		}
		p.Encryption = append(p.Encryption, certs...)
		for _, m := range children(el, nsMetadata, "EncryptionMethod") {
			p.EncryptionMethods = append(p.EncryptionMethods, attr(m, "Algorithm"))
		}
	}
	return nil
}

func readCertificates(info *etree.Element) (certs []*x509.Certificate, err error) {
	if info == nil {
		return nil, badMetadata("Has a key without KeyInfo.")
	}
	for _, data := range children(info, nsSignature, "X509Data") {
		in := children(data, nsSignature, "X509Certificate")
		if len(in) == 0 {
			continue
		}
		// The others are its chain, which nothing is signed with.
		der, err := decodeBase64(text(in[0]))
		if err != nil {
			return nil, badMetadata("Has a certificate that is not base64.")
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil || !isStrong(cert.PublicKey) {
			return nil, badMetadata("Has a certificate that cannot be read, or whose key is not RSA of 2048 bits or ECDSA.")
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

func isStrong(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= keyBits && k.N.BitLen() <= 8192
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize >= 256
	}
	return false
}

// displayName returns what a peer calls itself, in English where it does.
func displayName(entityEl, descriptor *etree.Element) string {
	var names []*etree.Element
	if info := only(only(descriptor, nsMetadata, "Extensions"), nsMDUI, "UIInfo"); info != nil {
		names = children(info, nsMDUI, "DisplayName")
	}
	if org := only(entityEl, nsMetadata, "Organization"); org != nil {
		names = append(names, children(org, nsMetadata, "OrganizationDisplayName")...)
	}
	best := ""
	for _, el := range names {
		english := slices.ContainsFunc(el.Attr, func(a etree.Attr) bool { return a.FullKey() == "xml:lang" && a.Value == "en" })
		if best == "" || english {
			best = text(el)
		}
		if english {
			break
		}
	}
	return best
}

// complete checks that a peer can be spoken with.
func (p *Peer) complete(role string, now time.Time) error {
	if role == ServiceProvider {
		if _, takes := endpoint(p.ACS, Post); !takes {
			return badMetadata("Must have an AssertionConsumerService by POST.")
		}
		return nil
	}
	if len(p.SSO) == 0 {
		return badMetadata("Must have a SingleSignOnService by redirect or POST.")
	}
	if !slices.ContainsFunc(p.Signing, func(c *x509.Certificate) bool { return valid(c, now) }) {
		return badMetadata("Must have a certificate for signing that is valid now.")
	}
	return nil
}

// ErrMetadataChanged says that fresh metadata has keys or addresses that were not
// known, and that nothing vouches for them.
var ErrMetadataChanged = fault.New(fault.Conflict, "metadata_changed",
	"The metadata has new keys or addresses. Compare them with what the peer publishes, and accept them.")

// Refresh reads metadata of a peer that is known, and says what is different. New
// keys and addresses are [ErrMetadataChanged], with the differences, unless an
// administrator accepts them or the metadata is signed by a key that was known.
func (p *Peer) Refresh(raw []byte, role string, accept bool, now time.Time) (*Peer, []string, error) {
	next, err := ParseMetadata(raw, p.EntityID, role, now)
	if err != nil {
		return nil, nil, err
	}
	added, removed := p.compare(next)
	if len(added) > 0 && !accept && !p.vouches(raw, now) {
		return nil, added, ErrMetadataChanged
	}
	return next, append(added, removed...), nil
}

// vouches says whether metadata as a whole is signed by a key of p.
func (p *Peer) vouches(raw []byte, now time.Time) bool {
	root, err := parseDocument(raw)
	if err != nil || attr(root, "entityID") != p.EntityID {
		return false
	}
	_, err = verify(root, p.Signing, now)
	return err == nil
}

// compare returns what next has that p has not, and the other way round.
func (p *Peer) compare(next *Peer) (added, removed []string) {
	facts := func(p *Peer) (all []string) {
		for _, c := range p.Signing {
			all = append(all, "signing key "+fingerprint(c))
		}
		for _, c := range p.Encryption {
			all = append(all, "encryption key "+fingerprint(c))
		}
		for _, e := range slices.Concat(p.SSO, p.ACS, p.SLO) {
			all = append(all, "address "+e.URL)
			if e.ResponseURL != e.URL {
				all = append(all, "address "+e.ResponseURL)
			}
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	old, fresh := facts(p), facts(next)
	for _, fact := range fresh {
		if !slices.Contains(old, fact) {
			added = append(added, "new: "+fact)
		}
	}
	for _, fact := range old {
		if !slices.Contains(fresh, fact) {
			removed = append(removed, "gone: "+fact)
		}
	}
	return added, removed
}
