package cmd

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/managed"
	"authy/server/saml2"
)

// maxServiceMetadata is the longest metadata of a service that is read, in bytes.
const maxServiceMetadata = 1 << 20

func (a *app) serviceCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "sp",
		Short: "Add, look at and change SAML services",
		Long: `Add, look at and change SAML services: the applications that sign their users in
here by SAML 2.0. A service is named by its slug.`,
		Example: `  authy saml sp add --metadata metadata.xml --name Wiki
  authy saml sp update wiki --attribute mail=email --attribute groups=groups
  authy saml sp list`,
	}
	c.AddCommand(a.addServiceCommand(), a.listServicesCommand(), a.showServiceCommand(), a.updateServiceCommand(),
		a.removeServiceCommand())
	return c
}

// serviceFlags are the flags that describe a service.
type serviceFlags struct {
	metadata, name, preset, format, relayState string
	attributes, allow                          []string
	unsolicited, plain, disabled               bool
	document                                   string
	mapped                                     map[string]string
}

func (f *serviceFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.SortFlags = false // what belongs together stays together
	flags.StringVar(&f.metadata, "metadata", "", "`FILE` with its metadata, or URL of it; - is standard input")
	flags.StringVar(&f.name, "name", "", "`NAME` that its users see (default what its metadata says)")
	flags.StringVar(&f.preset, "preset", "", "`APPLICATION` that it is: "+strings.Join(saml2.Presets(), ", "))
	flags.StringVar(&f.format, "name-id-format", "", "`FORMAT` of the name where it asks for none: persistent, email or transient")
	flags.StringArrayVar(&f.attributes, "attribute", nil,
		"`NAME=CLAIM` that it is told, or NAME=text:WORDS; repeat for more (default those of its preset)")
	flags.StringSliceVar(&f.allow, "allow", nil,
		"`WHO` may use it: everyone, organization, or roles such as role:owner,role:admin")
	flags.BoolVar(&f.unsolicited, "unsolicited", false, "let people begin at a link of authy's, /saml/start/SLUG")
	flags.StringVar(&f.relayState, "relay-state", "", "`TEXT` that such a link sends with it")
	flags.BoolVar(&f.plain, "plain", false, "do not encrypt, although it has a key for that")
	flags.BoolVar(&f.disabled, "disabled", false, "nobody can use it")
}

// read reads the metadata and the attributes that the flags name.
func (f *serviceFlags) read(a *app, c *cobra.Command) error {
	f.mapped = map[string]string{}
	for _, pair := range valuesOf(f.attributes) {
		name, claim, ok := saml2.ParseAttribute(pair)
		if !ok {
			return misused(c, "--attribute is %q; give NAME=CLAIM", pair)
		}
		f.mapped[name] = claim
	}
	if f.metadata == "" || isURL(f.metadata) {
		return nil
	}
	from := a.stdin
	if f.metadata != "-" {
		file, err := os.Open(f.metadata)
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // only read
		from = file
	}
	raw, err := io.ReadAll(io.LimitReader(from, maxServiceMetadata+1))
	if err != nil {
		return fmt.Errorf("read the metadata: %w", err)
	}
	f.document = string(raw)
	return nil
}

func isURL(text string) bool {
	return strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")
}

// writeTo writes the flags that c was given to the description of a service and returns
// how many there were.
func (f *serviceFlags) writeTo(c *cobra.Command, d *saml2.Description) (given int) {
	for name, write := range map[string]func(){
		"metadata": func() {
			if isURL(f.metadata) {
				d.Options.MetadataURL = f.metadata
			} else {
				d.Metadata, d.Options.MetadataURL = f.document, ""
			}
		},
		"name":           func() { d.Name = f.name },
		"preset":         func() { d.Options.Preset = f.preset },
		"name-id-format": func() { d.Options.NameIDFormat = f.format },
		"attribute":      func() { d.Options.Attributes = f.mapped },
		"allow":          func() { d.Allowed = f.allow },
		"unsolicited":    func() { d.Options.Unsolicited = f.unsolicited },
		"relay-state":    func() { d.Options.RelayState = f.relayState },
		"plain":          func() { d.Options.Plain = f.plain },
		"disabled":       func() { d.Disabled = f.disabled },
	} {
		if c.Flags().Changed(name) {
			write()
			given++
		}
	}
	return given
}

func (a *app) addServiceCommand() *cobra.Command {
	var f serviceFlags
	var typed saml2.Typed
	var slug, orgSlug string
	var asJSON bool
	c := &cobra.Command{
		Use:   "add",
		Short: "Add a SAML service",
		Long: `Add a SAML service by its metadata. Give it authy's: /saml/metadata below the public
URL. Without more everyone may use it, and it is told a name that no other service
knows, and the address, name, given name and family name. An application that has no
metadata is added by its entity ID and where it takes answers.`,
		Example: `  authy saml sp add --metadata https://cloud.example.com/saml/metadata --preset nextcloud
  authy saml sp add --metadata metadata.xml --slug wiki --name Wiki --org acme-corp --allow role:owner,role:admin
  authy saml sp add --preset slack --entity-id https://slack.com --acs https://acme.slack.com/sso/saml
  authy saml sp add --metadata aws.xml --preset aws --unsolicited \
      --attribute https://aws.amazon.com/SAML/Attributes/RoleSessionName=email \
      --attribute https://aws.amazon.com/SAML/Attributes/Role=text:arn:aws:iam::1:role/r,arn:aws:iam::1:saml-provider/authy`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if f.metadata == "" && typed == (saml2.Typed{}) {
				return misused(c, "--metadata is missing, or --entity-id and --acs")
			}
			if err := f.read(a, c); err != nil {
				return err
			}
			d := saml2.Description{Slug: slug, Typed: typed}
			f.writeTo(c, &d)
			return a.addService(c.Context(), d, orgSlug, asJSON)
		},
	}
	f.add(c)
	c.Flags().StringVar(&typed.EntityID, "entity-id", "", "`ENTITY_ID` of an application without metadata")
	c.Flags().StringVar(&typed.ACS, "acs", "", "`URL` where it takes answers by POST: its assertion consumer service")
	c.Flags().StringVar(&typed.SLO, "slo", "", "`URL` of its single logout service, by redirect, if it has one")
	c.Flags().StringVar(&slug, "slug", "", "`SLUG` that it is named by (default one made of its name)")
	c.Flags().StringVar(&orgSlug, "org", "", "`SLUG` of the organization that it belongs to")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) addService(ctx context.Context, d saml2.Description, orgSlug string, asJSON bool) error {
	return a.with(ctx, func(s *server.Services) (err error) {
		if d.OrganizationID, err = orgID(ctx, s, orgSlug); err != nil {
			return err
		}
		made, err := s.SAMLServices.Create(ctx, audit.Shell(), d)
		if err != nil {
			return err
		}
		a.note("Added the SAML service %s. Its provider is described at %s.", made.Slug, s.SAMLIDP.EntityID())
		if asJSON {
			return a.printJSON(serviceOutOf(made))
		}
		return nil
	})
}

func (a *app) listServicesCommand() *cobra.Command {
	var slug string
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List SAML services", Long: `List SAML services in the order of their slugs.`,
		Example: `  authy saml sp list
  authy saml sp list --org acme-corp --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				home, err := orgID(ctx, s, slug)
				if err != nil {
					return err
				}
				all, err := s.SAMLServices.List(ctx, audit.Shell(), home)
				if err != nil {
					return err
				}
				return a.printServices(all, asJSON)
			})
		},
	}
	c.Flags().StringVar(&slug, "org", "", "only those of the organization with this `SLUG`")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) printServices(all []saml2.Service, asJSON bool) error {
	out, rows := make([]serviceOut, len(all)), make([][]string, len(all))
	for i := range all {
		s := serviceOutOf(&all[i])
		out[i], rows[i] = s, []string{s.Slug, s.Name, s.EntityID, yesOrNo(s.IsActive), strings.Join(s.Allow, " ")}
	}
	switch {
	case asJSON:
		return a.printJSON(out)
	case len(all) == 0:
		a.note("There are no SAML services. Add one with 'authy saml sp add'.")
		return nil
	}
	return a.printTable([]string{"SLUG", "NAME", "ENTITY ID", "ENABLED", "ALLOWED"}, rows)
}

func (a *app) showServiceCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "show SLUG", Short: "Show a SAML service", Long: `Show a SAML service.`,
		Example: `  authy saml sp show wiki
  authy saml sp show --json wiki | jq -r .metadata`,
		Args: takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				found, err := s.SAMLServices.Show(ctx, audit.Shell(), "", args[0])
				if err != nil {
					return err
				}
				file, err := setByFile(ctx, s, managed.SAMLService, found.ID)
				if err != nil {
					return err
				}
				return a.printService(found, file, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) updateServiceCommand() *cobra.Command {
	var f serviceFlags
	var fetch, asJSON bool
	c := &cobra.Command{
		Use:   "update SLUG",
		Short: "Change a SAML service",
		Long: `Change a SAML service: what you name is set, the rest stays. A list is set as a
whole; an empty value clears it. Its entity ID stays as it is.`,
		Example: `  authy saml sp update wiki --attribute mail=email --attribute groups=groups
  authy saml sp update wiki --fetch
  authy saml sp update wiki --disabled`,
		Args: takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			if f.writeTo(c, new(saml2.Description)) == 0 && !fetch {
				return misused(c, "say what to change")
			}
			if err := f.read(a, c); err != nil {
				return err
			}
			ctx, change := c.Context(), func(d *saml2.Description) { f.writeTo(c, d) }
			return a.with(ctx, func(s *server.Services) error {
				changed, err := s.SAMLServices.Update(ctx, audit.Shell(), "", args[0], fetch, change)
				if err != nil {
					return err
				}
				a.note("Changed the SAML service %s.", args[0])
				if asJSON {
					return a.printJSON(serviceOutOf(changed))
				}
				return nil
			})
		},
	}
	f.add(c)
	c.Flags().BoolVar(&fetch, "fetch", false, "fetch its metadata anew from its URL")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) removeServiceCommand() *cobra.Command {
	var y confirmation
	c := &cobra.Command{
		Use: "remove SLUG", Short: "Remove a SAML service", Long: `Remove a SAML service: nobody can sign in to it any more.`,
		Example: `  authy saml sp remove wiki
  authy saml sp remove --yes wiki`,
		Args: takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			question := "Remove the SAML service " + args[0] + ", for good?"
			return a.ifConfirmed(c, y, question, func(s *server.Services) error {
				if err := s.SAMLServices.Remove(c.Context(), audit.Shell(), "", args[0]); err != nil {
					return err
				}
				a.note("Removed the SAML service %s.", args[0])
				return nil
			})
		},
	}
	y.add(c)
	return c
}

// serviceOut is a service as commands print it.
type serviceOut struct {
	Slug           string            `json:"slug"`
	EntityID       string            `json:"entity_id"`
	OrganizationID string            `json:"organization_id,omitempty"`
	Name           string            `json:"name"`
	IsActive       bool              `json:"is_active"`
	Allow          []string          `json:"allow"`
	Preset         string            `json:"preset,omitempty"`
	NameIDFormat   string            `json:"name_id_format"`
	Attributes     map[string]string `json:"attributes"`
	Unsolicited    bool              `json:"unsolicited"`
	RelayState     string            `json:"relay_state,omitempty"`
	Plain          bool              `json:"plain"`
	MetadataURL    string            `json:"metadata_url,omitempty"`
	Metadata       string            `json:"metadata"`
	CreatedAt      time.Time         `json:"created_at"`
	UpdatedAt      time.Time         `json:"updated_at"`
	LastUsedAt     *time.Time        `json:"last_used_at"`
	ManagedBy      string            `json:"managed_by,omitempty"`
}

func serviceOutOf(s *saml2.Service) serviceOut {
	o := saml2.Effective(s)
	return serviceOut{
		Slug: s.Slug, EntityID: s.EntityID, OrganizationID: string(s.OrganizationID), Name: s.Name, IsActive: s.IsActive,
		Allow: s.Allowed, Preset: o.Preset, NameIDFormat: o.NameIDFormat, Attributes: o.Attributes,
		Unsolicited: o.Unsolicited, RelayState: o.RelayState, Plain: o.Plain, MetadataURL: o.MetadataURL,
		Metadata: s.Metadata, CreatedAt: s.CreatedAt.UTC(), UpdatedAt: s.UpdatedAt.UTC(),
		LastUsedAt: instantOrNull(s.LastUsedAt.Time),
	}
}

func (a *app) printService(found *saml2.Service, file string, asJSON bool) error {
	s := serviceOutOf(found)
	if s.ManagedBy = file; asJSON {
		return a.printJSON(s)
	}
	told := make([]string, 0, len(s.Attributes))
	for _, name := range slices.Sorted(maps.Keys(s.Attributes)) {
		told = append(told, name+"="+s.Attributes[name])
	}
	return a.printTable(nil, append([][]string{
		{"Slug", s.Slug},
		{"Name", s.Name},
		{"Entity ID", s.EntityID},
		{"Organization", s.OrganizationID},
		{"Enabled", yesOrNo(s.IsActive)},
		{"Who may use it", strings.Join(s.Allow, " ")},
		{"Preset", s.Preset},
		{"Name format", s.NameIDFormat},
		{"Attributes", strings.Join(told, " ")},
		{"Begins here", yesOrNo(s.Unsolicited)},
		{"Relay state", s.RelayState},
		{"Encrypts", yesOrNo(!s.Plain)},
		{"Metadata URL", s.MetadataURL},
		{"Created", instant(s.CreatedAt)},
		{"Changed", instant(s.UpdatedAt)},
		{"Last used", instant(found.LastUsedAt.Time)},
	}, setByRow(file)...))
}
