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

// optionFlags hold what few clients need and is more than a field.
type optionFlags struct {
	jwks, tokenFormat string
	code, maxAge      time.Duration
}

func (f *clientFlags) addOptions() {
	algs := strings.Join(keyring.Algorithms, ", ")
	f.text("auth-method", "", "`METHOD` by which it authenticates: "+strings.Join(registry.AuthMethods, ", ")+
		"; unset is either way of sending the secret", func(in *described) *string { return &in.AuthMethod })
	f.text("auth-alg", "", "`ALG` of its assertions", func(in *described) *string { return &in.Options.AuthAlg })
	f.text("id-token-alg", "RS256", "`ALG` of its ID tokens: "+algs, func(in *described) *string { return &in.IDTokenAlg })
	f.text("userinfo-alg", "", "`ALG` of signed userinfo; unset is plain JSON",
		func(in *described) *string { return &in.Options.UserinfoAlg })
	f.text("introspection-alg", "", "`ALG` of answers of introspection that it asks to be signed; unset is RS256",
		func(in *described) *string { return &in.Options.IntrospectionAlg })
	f.text("request-alg", "", "`ALG` of its request objects, or none; unset is any",
		func(in *described) *string { return &in.Options.RequestAlg })
	f.addKeys()
	f.text("jwks-uri", "", "`URL` of its public keys", func(in *described) *string { return &in.Options.JWKSURI })
	f.text("subject-type", "public", "`TYPE` of what its users are called: public or pairwise",
		func(in *described) *string { return &in.Options.SubjectType })
	f.text("sector-identifier-uri", "", "`URL` of the list of redirect URIs that share pairwise subjects",
		func(in *described) *string { return &in.Options.SectorIdentifierURI })
	f.list("request-uri", "`URL` that its request objects may be fetched from; repeat for more",
		func(in *described) *[]string { return &in.Options.RequestURIs })
	f.flag("require-signed-request", "its requests must be signed objects",
		func(in *described) *bool { return &in.Options.SignedRequest })
	f.flag("require-par", "its requests must be pushed (RFC 9126)",
		func(in *described) *bool { return &in.Options.PushedRequest })
	f.addTokens()
	f.addSignOut()
	f.text("initiate-login-uri", "", "`URL` at which others have it begin a sign-in",
		func(in *described) *string { return &in.Options.InitiateLoginURI })
	f.list("contact", "`ADDRESS` of who answers for it; repeat for more",
		func(in *described) *[]string { return &in.Options.Contacts })
	f.text("software-id", "", "`ID` of the program that it is an installation of",
		func(in *described) *string { return &in.Options.SoftwareID })
	f.text("software-version", "", "`VERSION` of that program",
		func(in *described) *string { return &in.Options.SoftwareVersion })
}

func (f *clientFlags) addKeys() {
	f.c.Flags().StringVar(&f.jwks, "jwks", "", "`FILE` with its public keys, a JWK Set; - is standard input")
	f.writes["jwks"] = func(in *described) { in.Options.JWKS = f.jwks }
}

// addTokens adds the flags that say what a client's tokens are, and when it gets them.
func (f *clientFlags) addTokens() {
	f.c.Flags().StringVar(&f.tokenFormat, "access-token-format", registry.FormatJWT, "`FORMAT` of its access tokens: jwt or opaque")
	f.writes["access-token-format"] = func(in *described) { in.Options.OpaqueTokens = f.tokenFormat == registry.FormatOpaque }
	f.flag("lean-id-token", "its ID tokens hold no claims of scopes: those are at userinfo",
		func(in *described) *bool { return &in.Options.LeanIDToken })
	f.flag("dpop", "its access tokens must be bound to a key (RFC 9449)",
		func(in *described) *bool { return &in.Options.DPoPTokens })
	f.list("resource", "`URI` that its tokens may be for (RFC 8707); repeat for more",
		func(in *described) *[]string { return &in.Options.Resources })
	f.c.Flags().DurationVar(&f.code, "code-lifetime", 0, "`HOW LONG` its codes last, 10m at most; for applications of the profile legacy")
	f.writes["code-lifetime"] = func(in *described) { in.Options.CodeLifetime = registry.Seconds(f.code / time.Second) }
	f.c.Flags().DurationVar(&f.maxAge, "default-max-age", 0, "`HOW LONG` ago its users may have signed in; a negative one unsets it")
	f.writes["default-max-age"] = func(in *described) {
		in.Options.DefaultMaxAge = registry.MaxAge(int64(f.maxAge / time.Second))
	}
	f.words("default-acr", nil, "`ACR`s that it asks for unless its request says otherwise",
		func(in *described) *[]string { return &in.Options.DefaultACR })
}

// addSignOut adds the flags that say how a client hears of a sign-out.
func (f *clientFlags) addSignOut() {
	f.text("backchannel-logout-uri", "", "`URL` that is told of a sign-out",
		func(in *described) *string { return &in.Options.BackChannelURI })
	f.flag("backchannel-logout-session", "it needs to be told which session ended",
		func(in *described) *bool { return &in.Options.BackChannelSession })
	f.text("frontchannel-logout-uri", "", "`URL` that the browser opens at sign-out",
		func(in *described) *string { return &in.Options.FrontChannelURI })
	f.flag("frontchannel-logout-session", "it needs to be told which session ended",
		func(in *described) *bool { return &in.Options.FrontChannelSession })
}

// read checks what the flags alone can tell, and reads the file that --jwks
// names.
func (f *clientFlags) read(a *app, c *cobra.Command) error {
	switch {
	case f.tokenFormat != registry.FormatJWT && f.tokenFormat != registry.FormatOpaque:
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

// metadataOf is the further settings of a client as programs see them: what every
// client has is there whether it is set or not.
func metadataOf(c *registry.Client) (registry.Metadata, registry.Granted) {
	m, g := registry.MetadataOf(c), registry.GrantedTo(c)
	format := tokenFormat(c)
	m.AuthMethod, m.IDTokenAlg, g.TokenFormat = &c.AuthMethod, &c.IDTokenAlg, &format
	return m, g
}

func tokenFormat(c *registry.Client) string {
	if c.Options.OpaqueTokens {
		return registry.FormatOpaque
	}
	return registry.FormatJWT
}

// optionRows are the further settings that are set, as a table shows them.
func optionRows(c *registry.Client) (rows [][]string) {
	o := c.Options
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
	row("Authenticates by", c.AuthMethod)
	row("Algorithm of assertions", o.AuthAlg)
	row("Algorithm of ID tokens", c.IDTokenAlg)
	row("Algorithm of userinfo", o.UserinfoAlg)
	row("Algorithm of introspection", o.IntrospectionAlg)
	row("Keys", o.JWKS)
	row("Keys at", o.JWKSURI)
	row("Subjects", o.SubjectType)
	row("Sector", o.SectorIdentifierURI)
	row("Algorithm of requests", o.RequestAlg)
	row("Requests at", strings.Join(o.RequestURIs, " "))
	flag("Signs its requests", o.SignedRequest)
	flag("Pushes its requests", o.PushedRequest)
	row("Access tokens are", tokenFormat(c))
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
