package registry

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"authy/server/keyset"
)

// The most of each that a client has.
const (
	maxContacts     = 16
	maxACRs         = 16
	maxCodeLifetime = 10 * time.Minute // RFC 6749, section 4.1.2
	maxMaxAge       = 10 * 365 * 24 * 60 * 60
)

// SecretAlgorithms are those of assertions that are signed with a client's
// secret; those that are signed with a key have one of [keyring.Algorithms].
var SecretAlgorithms = []string{"HS256", "HS384", "HS512"}

// Unsigned is the request_object_signing_alg of a client whose request objects
// are not signed.
const Unsigned = "none"

// normalOptions leaves what is the default, and what is there twice, out.
func normalOptions(o Options) Options {
	if o.Profile == OAuth21 {
		o.Profile = ""
	}
	if o.SubjectType == "public" {
		o.SubjectType = ""
	}
	for _, list := range []*[]string{&o.RequestURIs, &o.Resources, &o.DefaultACR, &o.Contacts} {
		*list = unique(*list)
	}
	return o
}

// optionProblems notes what is wrong with the options of a registration.
func (in Registration) optionProblems(note func(field, problem string)) {
	o := in.Options
	note("profile", oneOf(o.Profile, "", OAuth21, Legacy))
	if o.Profile != Legacy && !in.RequirePKCE && has(in.GrantTypes, "authorization_code") {
		note("require_pkce", "Only a client of the profile legacy goes without PKCE.")
	}
	note("code_lifetime", codeLifetimeProblem(o))
	note("subject_type", oneOf(o.SubjectType, "", "public", "pairwise"))
	note("sector_identifier_uri", in.sectorProblem())
	in.keyProblems(note)
	in.requestProblems(note)
	in.logoutProblems(note)
	for _, resource := range o.Resources {
		note("resources", resourceProblem(resource))
	}
	if len(o.Resources) > maxURIs {
		note("resources", "Too many.")
	}
	if age := o.DefaultMaxAge; age != nil && (*age < 0 || *age > maxMaxAge) {
		note("default_max_age", "Must be 0 seconds to ten years.")
	}
	note("default_acr_values", wordsProblem(o.DefaultACR, maxACRs))
	note("initiate_login_uri", pageProblem(o.InitiateLoginURI))
	if len(o.Contacts) > maxContacts {
		note("contacts", "Too many.")
	}
	for _, contact := range o.Contacts {
		note("contacts", textProblem(contact, 254))
	}
	note("software_id", textProblem(o.SoftwareID, 255))
	note("software_version", textProblem(o.SoftwareVersion, 255))
}

func codeLifetimeProblem(o Options) string {
	switch lifetime := o.CodeLifetime.Duration(); {
	case lifetime == 0:
		return ""
	case o.Profile != Legacy:
		return "Only a client of the profile legacy has codes that last longer."
	case lifetime < time.Second || lifetime > maxCodeLifetime:
		return "Must be 1 second to 10 minutes."
	}
	return ""
}

// sectorProblem says why the sector of a client with pairwise subjects is not
// certain, or "" (OpenID Connect Core 1.0, section 8.1).
func (in Registration) sectorProblem() string {
	o := in.Options
	if o.SectorIdentifierURI != "" || o.SubjectType != "pairwise" {
		return pageProblem(o.SectorIdentifierURI)
	}
	var hosts []string
	for _, uri := range in.RedirectURIs {
		if u, err := url.Parse(uri); err == nil && !has(hosts, u.Hostname()) {
			hosts = append(hosts, u.Hostname())
		}
	}
	if len(hosts) > 1 || has(hosts, "") {
		return "Pairwise subjects need it unless all redirect URIs have one host."
	}
	return ""
}

// keyProblems notes what is wrong with the keys of a client and what they sign.
func (in Registration) keyProblems(note func(field, problem string)) {
	o := in.Options
	note("jwks", jwksProblem(o.JWKS))
	note("jwks_uri", pageProblem(o.JWKSURI))
	if o.JWKS != "" && o.JWKSURI != "" {
		note("jwks", "jwks and jwks_uri exclude each other.")
	}
	hasKeys := o.JWKS != "" || o.JWKSURI != ""
	if in.AuthMethod == AuthPrivateKey && !hasKeys {
		note("token_endpoint_auth_method", "private_key_jwt needs jwks or jwks_uri.")
	}
	switch alg := o.AuthAlg; {
	case alg == "":
	case in.AuthMethod == AuthPrivateKey:
		note("token_endpoint_auth_signing_alg", oneOf(alg, keyset.Signatures...))
	case in.AuthMethod == AuthSecretJWT:
		note("token_endpoint_auth_signing_alg", oneOf(alg, SecretAlgorithms...))
	default:
		note("token_endpoint_auth_signing_alg", "Only clients of client_secret_jwt and private_key_jwt sign.")
	}
	if o.UserinfoAlg != "" {
		note("userinfo_signed_response_alg", algProblem(o.UserinfoAlg))
	}
	if o.IntrospectionAlg != "" {
		note("introspection_signed_response_alg", algProblem(o.IntrospectionAlg))
	}
}

// requestProblems notes what is wrong with how a client sends its requests.
func (in Registration) requestProblems(note func(field, problem string)) {
	o := in.Options
	signs := o.SignedRequest || o.RequestAlg != "" && o.RequestAlg != Unsigned
	if o.RequestAlg != "" {
		note("request_object_signing_alg", oneOf(o.RequestAlg, append([]string{Unsigned}, keyset.Signatures...)...))
	}
	switch {
	case o.SignedRequest && o.RequestAlg == Unsigned:
		note("request_object_signing_alg", "The client must sign its requests.")
	case signs && o.JWKS == "" && o.JWKSURI == "":
		note("jwks_uri", "Signed request objects need jwks or jwks_uri.")
	}
	if len(o.RequestURIs) > maxURIs {
		note("request_uris", "Too many.")
	}
	for _, uri := range o.RequestURIs {
		// The fragment may hold a hash of what is there (OpenID Connect Dynamic
		// Client Registration 1.0, section 2).
		plain, fragment, _ := strings.Cut(uri, "#")
		problem := pageProblem(plain)
		if plain == "" || strings.ContainsFunc(fragment, outsideURI) {
			problem = "Not a valid URL."
		}
		note("request_uris", problem)
	}
}

// logoutProblems notes what is wrong with where a client hears of a sign-out.
func (in Registration) logoutProblems(note func(field, problem string)) {
	o := in.Options
	note("backchannel_logout_uri", pageProblem(o.BackChannelURI))
	if o.BackChannelSession && o.BackChannelURI == "" {
		note("backchannel_logout_session_required", "It needs a backchannel_logout_uri.")
	}
	if o.FrontChannelSession && o.FrontChannelURI == "" {
		note("frontchannel_logout_session_required", "It needs a frontchannel_logout_uri.")
	}
	if problem := pageProblem(o.FrontChannelURI); problem != "" {
		note("frontchannel_logout_uri", problem)
		return
	}
	// OpenID Connect Front-Channel Logout 1.0, section 2.
	sameOrigin := func(uri string) bool { return origin(uri) == origin(o.FrontChannelURI) }
	if o.FrontChannelURI != "" && !slices.ContainsFunc(in.RedirectURIs, sameOrigin) {
		note("frontchannel_logout_uri", "It must have the scheme, host and port of a redirect URI.")
	}
}

// origin returns the scheme, host and port of a URI.
func origin(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// resourceProblem says why a resource may not be named, or ""
// (RFC 8707, section 2).
func resourceProblem(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case len(uri) > maxURI:
		return shown(uri) + ": longer than 2048 bytes."
	case err != nil || !u.IsAbs() || u.Host == "" && u.Opaque == "" && u.Path == "" || strings.ContainsFunc(uri, outsideURI):
		return shown(uri) + ": not an absolute URI."
	case strings.Contains(uri, "#"):
		return shown(uri) + ": a resource has no fragment (RFC 8707, section 2)."
	}
	return ""
}

// wordsProblem checks words that are sent with spaces between them.
func wordsProblem(words []string, most int) string {
	if len(words) > most {
		return "Too many."
	}
	for _, word := range words {
		if word == "" || len(word) > 255 || strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return "Each has 1 to 255 printable ASCII characters without spaces."
		}
	}
	return ""
}

func textProblem(text string, most int) string {
	switch {
	case len(text) > most:
		return "Too long."
	case !IsPlain(text):
		return "Not plain text."
	}
	return ""
}
