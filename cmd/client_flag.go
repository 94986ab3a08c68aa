package cmd

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authy/server/registry"
)

// described is what the flags describe.
type described = registry.Registration

// clientFlags are the flags that describe a client.
type clientFlags struct {
	c      *cobra.Command
	writes map[string]func(in *described) // by the names of the flags
	optionFlags
}

func (f *clientFlags) add(c *cobra.Command) {
	c.Flags().SortFlags = false // what belongs together stays together
	f.c, f.writes = c, map[string]func(*described){}
	d := registry.Defaults()
	f.text("name", "", "`NAME` that its users see", func(in *described) *string { return &in.Name })
	f.list("redirect-uri", "`URI` that a code may be sent to; repeat for more",
		func(in *described) *[]string { return &in.RedirectURIs })
	f.list("post-logout-redirect-uri", "`URI` that a browser may be sent to after sign-out; repeat for more",
		func(in *described) *[]string { return &in.PostLogoutRedirectURIs })
	f.words("scope", d.Scopes, "`SCOPE`s that it may ask for", func(in *described) *[]string { return &in.Scopes })
	f.words("grant", d.GrantTypes, "`GRANT`s: "+strings.Join(registry.GrantTypes, ", ")+"; and implicit, for tokens without a code",
		func(in *described) *[]string { return &in.GrantTypes })
	f.words("response-type", nil, "`TYPE`s of answers: code with the grant authorization_code; 'id_token' and 'id_token token' "+
		"with the grant implicit, for applications of the profile legacy where openid.implicit is on (default what its grants leave)",
		func(in *described) *[]string { return &in.ResponseTypes })
	f.words("allow", d.Allowed, "`WHO` may use it: everyone, organization, or roles such as role:owner,role:admin",
		func(in *described) *[]string { return &in.Allowed })
	native := c.Flags().Bool("native", false, "it runs on its users' devices and chooses loopback ports by itself")
	f.writes["native"] = func(in *described) { in.ApplicationType = applicationType(*native) }
	f.text("profile", registry.OAuth21, "`PROFILE`: oauth2.1, or legacy for applications that cannot do what it asks",
		func(in *described) *string { return &in.Options.Profile })
	noPKCE := c.Flags().Bool("no-pkce", false, "let it do without PKCE; for applications of the profile legacy")
	f.writes["no-pkce"] = func(in *described) { in.RequirePKCE = !*noPKCE }
	f.flag("skip-consent", "do not ask its users; for your own applications",
		func(in *described) *bool { return &in.SkipConsent })
	f.period("access-token-lifetime", d.AccessTokenLifetime, "`HOW LONG` access tokens last",
		func(in *described) *time.Duration { return &in.AccessTokenLifetime })
	f.period("refresh-token-lifetime", d.RefreshTokenLifetime, "`HOW LONG` refresh tokens last unused",
		func(in *described) *time.Duration { return &in.RefreshTokenLifetime })
	f.period("id-token-lifetime", d.IDTokenLifetime, "`HOW LONG` ID tokens last",
		func(in *described) *time.Duration { return &in.IDTokenLifetime })
	f.words("exchange", nil, "`HOW` it may exchange tokens: impersonation, delegation or both",
		func(in *described) *[]string { return &in.Options.Exchange })
	f.words("exchange-for", nil, "`CLIENT_ID`s whose tokens it may exchange beside its own",
		func(in *described) *[]string { return &in.Options.ExchangeFor })
	f.text("logo-uri", "", "`URL` of its logo", func(in *described) *string { return &in.LogoURI })
	f.text("client-uri", "", "`URL` of its home page", func(in *described) *string { return &in.ClientURI })
	f.text("policy-uri", "", "`URL` of what it says about data", func(in *described) *string { return &in.PolicyURI })
	f.text("tos-uri", "", "`URL` of its terms", func(in *described) *string { return &in.TOSURI })
	f.addOptions()
}

// text adds a flag for a field of text, with what it is unless it is set.
func (f *clientFlags) text(name, usual, usage string, field func(*described) *string) {
	given := f.c.Flags().String(name, usual, usage)
	f.writes[name] = func(in *described) { *field(in) = *given }
}

// flag adds a flag for what is so or is not.
func (f *clientFlags) flag(name, usage string, field func(*described) *bool) {
	given := f.c.Flags().Bool(name, false, usage)
	f.writes[name] = func(in *described) { *field(in) = *given }
}

// list adds a flag that is repeated for each value; an empty one stands for none.
func (f *clientFlags) list(name, usage string, field func(*described) *[]string) {
	given := f.c.Flags().StringArray(name, nil, usage)
	f.writes[name] = func(in *described) { *field(in) = valuesOf(*given) }
}

// words adds a flag whose values stand between commas.
func (f *clientFlags) words(name string, usual []string, usage string, field func(*described) *[]string) {
	given := f.c.Flags().StringSlice(name, usual, usage)
	f.writes[name] = func(in *described) { *field(in) = *given }
}

// period adds a flag for how long something lasts.
func (f *clientFlags) period(name string, usual time.Duration, usage string, field func(*described) *time.Duration) {
	given := f.c.Flags().Duration(name, usual, usage)
	f.writes[name] = func(in *described) { *field(in) = *given }
}

// writeTo writes the flags that were given to the description of a client and
// returns how many there were.
func (f *clientFlags) writeTo(in *described) (given int) {
	for name, write := range f.writes {
		if f.c.Flags().Changed(name) {
			write(in)
			given++
		}
	}
	return given
}

// valuesOf returns the values of a flag; one that is empty stands for none.
func valuesOf(values []string) []string {
	if len(values) == 1 && values[0] == "" {
		return nil
	}
	return values
}

func applicationType(native bool) string {
	if native {
		return "native"
	}
	return "web"
}
