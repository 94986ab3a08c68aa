package openid

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"authy/server/keyring"
	"authy/storage"
)

// document is a public JSON document, encoded once.
type document struct {
	body   []byte
	etag   []string
	length []string // where net/http would not find it out
}

// foundOut is up to which size net/http finds the length of a body out, in bytes.
const foundOut = 2048

// documentAge is how long a client may keep a document, in seconds: a new key
// must be published for longer than that before it signs.
const documentAge = 300

func newDocument(v any) (document, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return document{}, fmt.Errorf("encode a public document: %w", err)
	}
	return documentOf(body), nil
}

func documentOf(body []byte) document {
	d := document{body: body, etag: []string{`"` + storage.Hash(string(body))[:22] + `"`}}
	if len(body) > foundOut {
		d.length = []string{strconv.Itoa(len(body))}
	}
	return d
}

// Fixed header values, shared by every answer.
var (
	jsonType    = []string{"application/json"}
	publicCache = []string{"public, max-age=" + strconv.Itoa(documentAge)}
	anyOrigin   = []string{"*"}
)

func (d *document) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = publicCache
	h["Access-Control-Allow-Origin"] = anyOrigin // public, and the same for everyone
	h["Etag"] = d.etag
	if match := r.Header["If-None-Match"]; len(match) > 0 && (match[0] == "*" || strings.Contains(match[0], d.etag[0])) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if d.length != nil {
		h["Content-Length"] = d.length
	}
	w.Write(d.body) //nolint:errcheck // the client has gone
}

// metadata is the provider's configuration: exactly what works
// (OpenID Connect Discovery 1.0, section 3; RFC 8414; RFC 9207, section 3).
type metadata struct {
	logoutMetadata
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	Scopes                []string `json:"scopes_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	IDTokenAlgs           []string `json:"id_token_signing_alg_values_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	Prompts               []string `json:"prompt_values_supported"`
	ResponseIssParameter  bool     `json:"authorization_response_iss_parameter_supported"`
	claimsMetadata
	dpopMetadata
	deviceMetadata
	authMetadata
	requestMetadata
	registrationMetadata
	flowMetadata
	introspectionMetadata
}

func (p *Provider) metadata() metadata {
	return metadata{
		logoutMetadata:        p.logoutMetadata(),
		Issuer:                p.Issuer,
		AuthorizationEndpoint: p.Issuer + AuthorizePath,
		TokenEndpoint:         p.Issuer + TokenPath,
		UserinfoEndpoint:      p.Issuer + UserinfoPath,
		JWKSURI:               p.Issuer + JWKSPath,
		RevocationEndpoint:    p.Issuer + RevocationPath,
		IntrospectionEndpoint: p.Issuer + IntrospectionPath,
		Scopes:                scopeNames(),
		ResponseTypes:         p.clients.ResponseTypes(),
		ResponseModes:         modes,
		GrantTypes:            p.clients.GrantTypes(),
		IDTokenAlgs:           keyring.Algorithms,
		ChallengeMethods:      []string{"S256"},
		Prompts:               prompts,
		ResponseIssParameter:  true,
		claimsMetadata:        newClaimsMetadata(),
		dpopMetadata:          newDPoPMetadata(),
		deviceMetadata:        deviceMetadata{p.Issuer + DeviceAuthorizationPath},
		authMetadata:          newAuthMetadata(),
		requestMetadata:       newRequestMetadata(p.Issuer),
		registrationMetadata:  p.registrationMetadata(),
		flowMetadata:          flowMetadata{acrValues()},
		introspectionMetadata: newIntrospectionMetadata(),
	}
}

// ServeDiscovery answers with the provider's configuration.
func (p *Provider) ServeDiscovery(w http.ResponseWriter, r *http.Request) { p.discovery.serve(w, r) }

// publicKeys is the document of a set of keys.
type publicKeys struct {
	set      *keyring.Set
	document document
}

// ServeKeys answers with the keys that tokens can be verified with.
func (p *Provider) ServeKeys(w http.ResponseWriter, r *http.Request) {
	set, err := p.keys.Complete(r.Context())
	if err != nil {
		writeInternal(w, r, err)
		return
	}
	known := p.jwks.Load()
	if known == nil || known.set != set {
		known = &publicKeys{set, documentOf(set.JWKS)}
		p.jwks.Store(known)
	}
	known.document.serve(w, r)
}
