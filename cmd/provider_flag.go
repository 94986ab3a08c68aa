package cmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/provider"
)

// maxMetadata is the longest SAML metadata that is read, in bytes.
const maxMetadata = 1 << 20

// providerFlags are the flags that describe an identity provider.
type providerFlags struct {
	name, issuer, tenant, clientID, authMethod   string
	scopes, tenants, domains                     []string
	registration, groups                         string
	methods, contexts, roles, attributes         []string
	keepProfile, logout, unsolicited, disabled   bool
	metadata, metadataURL, nameIDFormat, subject string
	secretStdin                                  bool
	secret                                       string
	given                                        []provider.Role
	mapped                                       map[string]string
}

func (f *providerFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.SortFlags = false // what belongs together stays together
	flags.StringVar(&f.name, "name", "", "`NAME` on its button")
	flags.StringVar(&f.issuer, "issuer", "", "`URL` of the provider: OpenID issuer, GitHub Enterprise, or SAML entity id")
	flags.StringVar(&f.tenant, "tenant", "", "`TENANT` of Microsoft: common, organizations, consumers, an id or a domain")
	flags.StringSliceVar(&f.tenants, "allow-tenant", nil, "`ID`s of the tenants of Microsoft whose people may come")
	flags.StringVar(&f.clientID, "client-id", "", "`ID` of authy there")
	flags.BoolVar(&f.secretStdin, "secret-stdin", false, "read the client secret from the first line of standard input")
	flags.StringVar(&f.authMethod, "auth-method", "",
		"`HOW` authy proves there who it is: "+strings.Join(provider.AuthMethods, ", ")+" (default one that it takes)")
	flags.StringSliceVar(&f.scopes, "scope", nil, "`SCOPE`s to ask for (default what is needed)")
	flags.StringSliceVar(&f.domains, "domain", nil, "`DOMAIN`s of the addresses that it is believed about")
	flags.StringVar(&f.registration, "registration", "",
		"`WHO` gets an account by coming from it: off, open, invited or domains (default as the server is set)")
	flags.StringSliceVar(&f.methods, "trusted-method", nil, "`AMR`s that stand for the second factor")
	flags.StringArrayVar(&f.contexts, "trusted-context", nil, "`ACR` or SAML AuthnContext that does; repeat for more")
	flags.StringVar(&f.groups, "groups", "", "`CLAIM` or attribute that lists the groups of somebody")
	flags.StringArrayVar(&f.roles, "role", nil, "`GROUP=ORG:ROLE` that the group gives; * is everyone; repeat for more")
	flags.BoolVar(&f.keepProfile, "keep-profile", false, "leave name and picture as they are at later sign-ins")
	flags.BoolVar(&f.logout, "logout", false, "sign people out there as well")
	flags.StringVar(&f.metadataURL, "metadata-url", "", "`URL` of the SAML metadata")
	flags.StringVar(&f.metadata, "metadata", "", "`FILE` with the SAML metadata; - is standard input")
	flags.BoolVar(&f.unsolicited, "unsolicited", false, "let sign-ins begin at the SAML provider")
	flags.StringVar(&f.nameIDFormat, "name-id-format", "", "`FORMAT` of SAML name identifiers to ask for (default persistent)")
	flags.StringVar(&f.subject, "subject-attribute", "", "`ATTRIBUTE` of SAML that says who somebody is for good, where the NameID does not")
	flags.StringArrayVar(&f.attributes, "attribute", nil, "`CLAIM=ATTRIBUTE` of SAML that says the claim; repeat for more")
	flags.BoolVar(&f.disabled, "disabled", false, "nobody can come from it")
}

// read reads what the flags name: the secret, the metadata, and lists of pairs.
func (f *providerFlags) read(a *app, c *cobra.Command) (err error) {
	switch {
	case c.Flags().Changed("tenant") && c.Flags().Changed("issuer"):
		return misused(c, "--tenant and --issuer exclude each other")
	case f.secretStdin && f.metadata == "-":
		return misused(c, "--secret-stdin and --metadata - exclude each other")
	case f.secretStdin:
		if f.secret, err = a.secret(c); err != nil {
			return err
		}
	}
	if f.mapped, err = provider.ParseAttributes(valuesOf(f.attributes)); err != nil {
		return err
	}
	if f.metadata == "" {
		return nil
	}
	from := a.stdin
	if f.metadata != "-" {
		file, err := os.Open(f.metadata)
		if err != nil {
			return fmt.Errorf("read the metadata: %w", err)
		}
		defer file.Close() //nolint:errcheck // only read
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, maxMetadata+1))
	if err != nil {
		return fmt.Errorf("read the metadata: %w", err)
	}
	f.metadata = string(text)
	return nil
}

// resolve finds the organizations that roles are given in.
func (f *providerFlags) resolve(ctx context.Context, s *server.Services) error {
	f.given = nil
	for _, text := range valuesOf(f.roles) {
		role, home, err := provider.ParseRole(text)
		if err != nil {
			return err
		}
		if home != "" {
			o, err := s.Orgs.Find(ctx, home)
			if err != nil {
				return err
			}
			role.OrganizationID = o.ID
		}
		f.given = append(f.given, role)
	}
	return nil
}

// writeTo writes the flags that c was given to the description of a provider and
// returns how many there were.
func (f *providerFlags) writeTo(c *cobra.Command, d *provider.Description) (given int) {
	o := &d.Options
	for name, write := range map[string]func(){
		"name":              func() { d.Name = f.name },
		"issuer":            func() { d.Issuer = f.issuer },
		"tenant":            func() { d.Issuer = f.tenant },
		"allow-tenant":      func() { o.Tenants = valuesOf(f.tenants) },
		"client-id":         func() { d.ClientID = f.clientID },
		"auth-method":       func() { o.AuthMethod = f.authMethod },
		"secret-stdin":      func() { d.Secret = f.secret },
		"scope":             func() { o.Scopes = valuesOf(f.scopes) },
		"domain":            func() { o.Domains = valuesOf(f.domains) },
		"registration":      func() { o.Registration = f.registration },
		"trusted-method":    func() { o.TrustedMethods = valuesOf(f.methods) },
		"trusted-context":   func() { o.TrustedContexts = valuesOf(f.contexts) },
		"groups":            func() { o.Groups = f.groups },
		"role":              func() { o.Roles = f.given },
		"keep-profile":      func() { o.KeepProfile = f.keepProfile },
		"logout":            func() { o.Logout = f.logout },
		"metadata-url":      func() { o.MetadataURL = f.metadataURL },
		"metadata":          func() { o.Metadata = f.metadata },
		"unsolicited":       func() { o.Unsolicited = f.unsolicited },
		"name-id-format":    func() { o.NameIDFormat = f.nameIDFormat },
		"attribute":         func() { o.Attributes = f.mapped },
		"disabled":          func() { d.Disabled = f.disabled },
		"subject-attribute": func() { o.SubjectAttribute = f.subject },
	} {
		if c.Flags().Changed(name) {
			write()
			given++
		}
	}
	return given
}
