// Package saml2 speaks SAML 2.0: as a service provider that people come to from
// an identity provider of somebody else's, and as an identity provider that services
// learn from who somebody is. It reads messages that others wrote, so
// it believes little: what has a document type, a comment, two elements with one ID
// or more of anything than it should is refused before anything is made of it, and
// what is used of a message is parsed again from the bytes that a signature covers,
// made by a key of the peer's metadata. It refuses to know cookies, pages and who
// may come in.
//
// Read xml.go (what is a document), sign.go and encrypt.go (how it is protected),
// message.go (how a browser carries it), metadata.go (who the peer is), key.go (the
// server's own key); then sp.go, response.go and assertion.go (people come in), and
// logout.go. The identity provider is service.go (which services there are), idp.go,
// request.go (what they ask), issue.go (what they are told), leave.go (a service signs
// somebody out), frame.go and soap.go (services are told that a session has ended).
package saml2

import "time"

// The namespaces.
const (
	nsProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	nsMetadata  = "urn:oasis:names:tc:SAML:2.0:metadata"
	nsSignature = "http://www.w3.org/2000/09/xmldsig#"
	nsEncrypted = "http://www.w3.org/2001/04/xmlenc#"
	nsMDUI      = "urn:oasis:names:tc:SAML:metadata:ui"
	nsSOAP      = "http://schemas.xmlsoap.org/soap/envelope/"
)

// The bindings that are spoken (SAML bindings, sections 3.4 and 3.5), and the one that
// services are told by that a session has ended (section 3.2).
const (
	Redirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	Post     = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
	SOAP     = "urn:oasis:names:tc:SAML:2.0:bindings:SOAP"
)

// The formats of names (SAML core, section 8.3).
const (
	Persistent  = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	Transient   = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
	Email       = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	Unspecified = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
	entity      = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
)

// statusSuccess is the status of what went well (SAML core, section 3.2.2.2).
const statusSuccess = "urn:oasis:names:tc:SAML:2.0:status:Success"

const (
	// skew is how far the clocks of others may be off.
	skew = 60 * time.Second
	// fresh is how old a message may be, apart from that.
	fresh = 5 * time.Minute
)
