package cmd

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authy/server/keyring"
	"authy/server/registry"
)

// optionFlags are the flags for what few clients need.
type optionFlags struct {
	authMethod, authAlg, idTokenAlg, userinfoAlg, requestAlg string
	introspectionAlg                                         string
	jwks, jwksURI, subject, sector, tokenFormat              string
	backChannel, frontChannel, initiateLogin                 string
	softwareID, softwareVersion                              string
	requestURIs, resources, acrs, contacts                   []string
	backSession, frontSession, signed, pushed, dpop, lean    bool
	code, maxAge                                             time.Duration
}

func (f *optionFlags) add(c *cobra.Command) {
	flags, algs := c.Flags(), strings.Join(keyring.Algorithms, ", ")
	flags.StringVar(&f.authMethod, "auth-method", "", "`METHOD` by which it authenticates: "+strings.Join(registry.AuthMethods, ", ")+
		"; unset is either way of sending the secret")
	flags.StringVar(&f.authAlg, "auth-alg", "", "`ALG` of its assertions")
	flags.StringVar(&f.idTokenAlg, "id-token-alg", "RS256", "`ALG` of its ID tokens: "+algs)
	flags.StringVar(&f.userinfoAlg, "userinfo-alg", "", "`ALG` of signed userinfo; unset is plain JSON")
	flags.StringVar(&f.introspectionAlg, "introspection-alg", "", "`ALG` of answers of introspection that it asks to be signed; unset is RS256")
	flags.StringVar(&f.requestAlg, "request-alg", "", "`ALG` of its request objects, or none; unset is any")
	flags.StringVar(&f.jwks, "jwks", "", "`FILE` with its public keys, a JWK Set; - is standard input")
	flags.StringVar(&f.jwksURI, "jwks-uri", "", "`URL` of its public keys")
	flags.StringVar(&f.subject, "subject-type", "public", "`TYPE` of what its users are called: public or pairwise")
	flags.StringVar(&f.sector, "sector-identifier-uri", "", "`URL` of the list of redirect URIs that share pairwise subjects")
	flags.StringArrayVar(&f.requestURIs, "request-uri", nil, "`URL` that its request objects may be fetched from; repeat for more")
	flags.BoolVar(&f.signed, "require-signed-request", false, "its requests must be signed objects")
	flags.BoolVar(&f.pushed, "require-par", false, "its requests must be pushed (RFC 9126)")
	flags.StringVar(&f.tokenFormat, "access-token-format", "jwt", "`FORMAT` of its access tokens: jwt or opaque")
	flags.BoolVar(&f.lean, "lean-id-token", false, "its ID tokens hold no claims of scopes: those are at userinfo")
	flags.BoolVar(&f.dpop, "dpop", false, "its access tokens must be bound to a key (RFC 9449)")
	flags.StringArrayVar(&f.resources, "resource", nil, "`URI` that its tokens may be for (RFC 8707); repeat for more")
	flags.DurationVar(&f.code, "code-lifetime", 0, "`HOW LONG` its codes last, 10m at most; for applications of the profile legacy")
	flags.DurationVar(&f.maxAge, "default-max-age", 0, "`HOW LONG` ago its users may have signed in; a negative one unsets it")
	flags.StringSliceVar(&f.acrs, "default-acr", nil, "`ACR`s that it asks for unless its request says otherwise")
	flags.StringVar(&f.backChannel, "backchannel-logout-uri", "", "`URL` that is told of a sign-out")
	flags.BoolVar(&f.backSession, "backchannel-logout-session", false, "it needs to be told which session ended")
	flags.StringVar(&f.frontChannel, "frontchannel-logout-uri", "", "`URL` that the browser opens at sign-out")
	flags.BoolVar(&f.frontSession, "frontchannel-logout-session", false, "it needs to be told which session ended")
	flags.StringVar(&f.initiateLogin, "initiate-login-uri", "", "`URL` at which others have it begin a sign-in")
	flags.StringArrayVar(&f.contacts, "contact", nil, "`ADDRESS` of who answers for it; repeat for more")
	flags.StringVar(&f.softwareID, "software-id", "", "`ID` of the program that it is an installation of")
	flags.StringVar(&f.softwareVersion, "software-version", "", "`VERSION` of that program")
}

// writes returns how each flag is written to the description of a client.
func (f *optionFlags) writes(in *registry.Registration) map[string]func() {
	o := &in.Options
	return map[string]func(){
		"auth-method":                 func() { in.AuthMethod = f.authMethod },
		"auth-alg":                    func() { o.AuthAlg = f.authAlg },
		"id-token-alg":                func() { in.IDTokenAlg = f.idTokenAlg },
		"userinfo-alg":                func() { o.UserinfoAlg = f.userinfoAlg },
		"introspection-alg":           func() { o.IntrospectionAlg = f.introspectionAlg },
		"request-alg":                 func() { o.RequestAlg = f.requestAlg },
		"jwks":                        func() { o.JWKS = f.jwks },
		"jwks-uri":                    func() { o.JWKSURI = f.jwksURI },
		"subject-type":                func() { o.SubjectType = f.subject },
		"sector-identifier-uri":       func() { o.SectorIdentifierURI = f.sector },
		"request-uri":                 func() { o.RequestURIs = valuesOf(f.requestURIs) },
		"require-signed-request":      func() { o.SignedRequest = f.signed },
		"require-par":                 func() { o.PushedRequest = f.pushed },
		"lean-id-token":               func() { o.LeanIDToken = f.lean },
		"access-token-format":         func() { o.OpaqueTokens = f.tokenFormat == "opaque" },
		"dpop":                        func() { o.DPoPTokens = f.dpop },
		"resource":                    func() { o.Resources = valuesOf(f.resources) },
		"code-lifetime":               func() { o.CodeLifetime = registry.Seconds(f.code / time.Second) },
		"default-max-age":             func() { o.DefaultMaxAge = registry.MaxAge(int64(f.maxAge / time.Second)) },
		"default-acr":                 func() { o.DefaultACR = f.acrs },
		"backchannel-logout-uri":      func() { o.BackChannelURI = f.backChannel },
		"backchannel-logout-session":  func() { o.BackChannelSession = f.backSession },
		"frontchannel-logout-uri":     func() { o.FrontChannelURI = f.frontChannel },
		"frontchannel-logout-session": func() { o.FrontChannelSession = f.frontSession },
		"initiate-login-uri":          func() { o.InitiateLoginURI = f.initiateLogin },
		"contact":                     func() { o.Contacts = valuesOf(f.contacts) },
		"software-id":                 func() { o.SoftwareID = f.softwareID },
		"software-version":            func() { o.SoftwareVersion = f.softwareVersion },
	}
}

// read checks what the flags alone can tell, and reads the file that --jwks
// names.
func (f *optionFlags) read(a *app, c *cobra.Command) error {
	switch {
	case f.tokenFormat != "jwt" && f.tokenFormat != "opaque":
		return misused(c, "--access-token-format is %q; give jwt or opaque", f.tokenFormat)
	case f.code%time.Second != 0 || f.maxAge%time.Second != 0:
		return misused(c, "give --code-lifetime and --default-max-age in whole seconds")
	case f.jwks == "":
		return nil
	}
	from := a.stdin
	if f.jwks != "-" {
		file, err := os.Open(f.jwks)
		if err != nil {
			return fmt.Errorf("read the keys: %w", err)
		}
		defer file.Close() //nolint:errcheck // only read
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, registry.MaxDocument+1))
	if err != nil {
		return fmt.Errorf("read the keys: %w", err)
	}
	f.jwks = strings.TrimSpace(string(text))
	if f.jwks == "" {
		return misused(c, "there are no keys in what --jwks names")
	}
	return nil
}

// optionsOut are the further settings of a client as programs see them, by the
// names of RFC 7591 and its kin.
type optionsOut struct {
	AuthMethod          string            `json:"token_endpoint_auth_method"`
	AuthAlg             string            `json:"token_endpoint_auth_signing_alg,omitempty"`
	IDTokenAlg          string            `json:"id_token_signed_response_alg"`
	UserinfoAlg         string            `json:"userinfo_signed_response_alg,omitempty"`
	IntrospectionAlg    string            `json:"introspection_signed_response_alg,omitempty"`
	JWKS                rawJSON           `json:"jwks,omitempty"`
	JWKSURI             string            `json:"jwks_uri,omitempty"`
	SubjectType         string            `json:"subject_type,omitempty"`
	SectorIdentifierURI string            `json:"sector_identifier_uri,omitempty"`
	RequestAlg          string            `json:"request_object_signing_alg,omitempty"`
	RequestURIs         []string          `json:"request_uris,omitempty"`
	SignedRequest       bool              `json:"require_signed_request_object,omitempty"`
	PushedRequest       bool              `json:"require_pushed_authorization_requests,omitempty"`
	TokenFormat         string            `json:"access_token_format"`
	DPoPTokens          bool              `json:"dpop_bound_access_tokens,omitempty"`
	LeanIDToken         bool              `json:"lean_id_token,omitempty"`
	Resources           []string          `json:"resources,omitempty"`
	CodeLifetime        registry.Seconds  `json:"code_lifetime,omitempty"`
	DefaultMaxAge       *registry.Seconds `json:"default_max_age,omitempty"`
	DefaultACR          []string          `json:"default_acr_values,omitempty"`
	BackChannelURI      string            `json:"backchannel_logout_uri,omitempty"`
	BackChannelSession  bool              `json:"backchannel_logout_session_required,omitempty"`
	FrontChannelURI     string            `json:"frontchannel_logout_uri,omitempty"`
	FrontChannelSession bool              `json:"frontchannel_logout_session_required,omitempty"`
	InitiateLoginURI    string            `json:"initiate_login_uri,omitempty"`
	Contacts            []string          `json:"contacts,omitempty"`
	SoftwareID          string            `json:"software_id,omitempty"`
	SoftwareVersion     string            `json:"software_version,omitempty"`
}

// rawJSON is a document within a document.
type rawJSON string

// MarshalJSON implements [json.Marshaler].
func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func optionsOutOf(c *registry.Client) optionsOut {
	o := c.Options
	return optionsOut{
		AuthMethod: c.AuthMethod, AuthAlg: o.AuthAlg, IDTokenAlg: c.IDTokenAlg, UserinfoAlg: o.UserinfoAlg,
		IntrospectionAlg: o.IntrospectionAlg,
		JWKS:             rawJSON(o.JWKS), JWKSURI: o.JWKSURI, SubjectType: o.SubjectType, SectorIdentifierURI: o.SectorIdentifierURI,
		RequestAlg: o.RequestAlg, RequestURIs: o.RequestURIs, SignedRequest: o.SignedRequest, PushedRequest: o.PushedRequest,
		TokenFormat: tokenFormat(o.OpaqueTokens), DPoPTokens: o.DPoPTokens, LeanIDToken: o.LeanIDToken, Resources: o.Resources,
		CodeLifetime: o.CodeLifetime, DefaultMaxAge: o.DefaultMaxAge, DefaultACR: o.DefaultACR,
		BackChannelURI: o.BackChannelURI, BackChannelSession: o.BackChannelSession,
		FrontChannelURI: o.FrontChannelURI, FrontChannelSession: o.FrontChannelSession,
		InitiateLoginURI: o.InitiateLoginURI, Contacts: o.Contacts, SoftwareID: o.SoftwareID, SoftwareVersion: o.SoftwareVersion,
	}
}

func tokenFormat(opaque bool) string {
	if opaque {
		return "opaque"
	}
	return "jwt"
}

// rows are the further settings that are set, as a table shows them.
func (o optionsOut) rows() (rows [][]string) {
	row := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	flag := func(name string, set bool) {
		if set {
			row(name, "yes")
		}
	}
	row("Authenticates by", o.AuthMethod)
	row("Algorithm of assertions", o.AuthAlg)
	row("Algorithm of ID tokens", o.IDTokenAlg)
	row("Algorithm of userinfo", o.UserinfoAlg)
	row("Algorithm of introspection", o.IntrospectionAlg)
	row("Keys", string(o.JWKS))
	row("Keys at", o.JWKSURI)
	row("Subjects", o.SubjectType)
	row("Sector", o.SectorIdentifierURI)
	row("Algorithm of requests", o.RequestAlg)
	row("Requests at", strings.Join(o.RequestURIs, " "))
	flag("Signs its requests", o.SignedRequest)
	flag("Pushes its requests", o.PushedRequest)
	row("Access tokens are", o.TokenFormat)
	flag("Binds access tokens to a key", o.DPoPTokens)
	row("Resources", strings.Join(o.Resources, " "))
	if o.CodeLifetime > 0 {
		row("Codes last", o.CodeLifetime.Duration().String())
	}
	if o.DefaultMaxAge != nil {
		row("Oldest sign-in", o.DefaultMaxAge.Duration().String())
	}
	row("Asks for ACRs", strings.Join(o.DefaultACR, " "))
	row("Told of sign-out at", o.BackChannelURI)
	flag("Told which session", o.BackChannelSession)
	row("Opened at sign-out", o.FrontChannelURI)
	flag("Opened with the session", o.FrontChannelSession)
	row("Sign-in begins at", o.InitiateLoginURI)
	row("Contacts", strings.Join(o.Contacts, " "))
	row("Software", strings.TrimSpace(o.SoftwareID+" "+o.SoftwareVersion))
	return rows
}
