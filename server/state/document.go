package state

import (
	"time"

	"authy/server/config"
	"authy/server/registry"
)

// Document is what a file says there is. A pointer, list or map that is nil says
// nothing: what it is about stays as it is.
type Document struct {
	// Name is what the file is known by here, where objects are marked as its own.
	Name          string          `toml:"name"`
	Branding      *Branding       `toml:"branding"`
	Users         []*User         `toml:"user"`
	Organizations []*Organization `toml:"organization"`
	Providers     []*Provider     `toml:"provider"`
	Clients       []*Client       `toml:"client"`
	Services      []*Service      `toml:"saml_service"`
	Webhooks      []*Webhook      `toml:"webhook"`

	source *source
}

// object is where in a file an object is, and what is to be said of it to its reader.
type object struct {
	path     string
	comments []string
}

func (o *object) place(path string) { o.path = path }
func (o *object) where() string     { return o.path }
func (o *object) told() []string    { return o.comments }

// Branding is what the server is called and how it looks.
type Branding struct {
	object
	Name        *string `toml:"name"`
	AccentLight *string `toml:"accent_light"`
	AccentDark  *string `toml:"accent_dark"`
	// Logo is a picture in base64, LogoFile where one is.
	Logo     string `toml:"logo"`
	LogoFile string `toml:"logo_file"`

	picture []byte
}

// User is a person with an account.
type User struct {
	object
	ID            string            `toml:"id"`
	Email         string            `toml:"email"`
	FullName      *string           `toml:"full_name"`
	EmailVerified *bool             `toml:"email_verified"`
	Status        string            `toml:"status"`
	IsAdmin       bool              `toml:"is_admin"`
	HashFile      string            `toml:"password_hash_file"`
	HashEnv       string            `toml:"password_hash_env"`
	Profile       map[string]string `toml:"profile"`

	hash string
}

func (u *User) fill() { u.Status = "active" }

// Organization is a group of users with roles.
type Organization struct {
	object
	ID          string   `toml:"id"`
	Slug        string   `toml:"slug"`
	Name        string   `toml:"name"`
	Description string   `toml:"description"`
	LogoURL     string   `toml:"logo_url"`
	IsActive    bool     `toml:"is_active"`
	Domains     []string `toml:"domains"`
	Policy      *Policy  `toml:"policy"`
	// Members are roles by addresses, Exceptions what is asked of a member otherwise than the
	// policy does.
	Members    map[string]string `toml:"members"`
	Exceptions map[string]string `toml:"exceptions"`

	excepted []string // whose exceptions it has set before
	dropped  []string // those of them that it says no more
}

func (o *Organization) fill() { o.IsActive = true }

// Policy is what an organization asks of its members as a second factor.
type Policy struct {
	Mode       *string `toml:"mode"`
	GraceDays  *int64  `toml:"grace_days"`
	NotifyDays *int64  `toml:"notify_days"`
}

// Provider is an identity provider that people come from, in the words of the
// configuration.
type Provider struct {
	object
	Slug             string   `toml:"slug"`
	Organization     string   `toml:"organization"` // its slug
	Kind             string   `toml:"kind"`
	Name             string   `toml:"name"`
	IsActive         bool     `toml:"is_active"`
	Issuer           string   `toml:"issuer"`
	ClientID         string   `toml:"client_id"`
	HasSecret        bool     `toml:"has_secret"`
	SecretFile       string   `toml:"client_secret_file"`
	SecretEnv        string   `toml:"client_secret_env"`
	AuthMethod       string   `toml:"auth_method"`
	Scopes           []string `toml:"scopes"`
	Tenants          []string `toml:"tenants"`
	Domains          []string `toml:"domains"`
	Registration     string   `toml:"registration"`
	TrustedMethods   []string `toml:"trusted_methods"`
	TrustedContexts  []string `toml:"trusted_contexts"`
	Groups           string   `toml:"groups"`
	Roles            []string `toml:"roles"`
	KeepProfile      bool     `toml:"keep_profile"`
	Logout           bool     `toml:"logout"`
	MetadataURL      string   `toml:"metadata_url"`
	MetadataFile     string   `toml:"metadata_file"`
	Metadata         string   `toml:"metadata"`
	Unsolicited      bool     `toml:"unsolicited"`
	NameIDFormat     string   `toml:"name_id_format"`
	SubjectAttribute string   `toml:"subject_attribute"`
	// Attributes are claim=attribute.
	Attributes []string `toml:"attributes"`

	secret string
}

func (p *Provider) fill() { p.IsActive = true }

// Client is an OpenID client, in the words of RFC 7591 and of the API.
type Client struct {
	object
	ClientID               string          `toml:"client_id"`
	Organization           string          `toml:"organization"` // its slug
	Name                   string          `toml:"name"`
	IsActive               bool            `toml:"is_active"`
	HasSecret              bool            `toml:"has_secret"`
	SecretFile             string          `toml:"client_secret_file"`
	SecretEnv              string          `toml:"client_secret_env"`
	ApplicationType        string          `toml:"application_type"`
	Profile                string          `toml:"profile"`
	RequirePKCE            bool            `toml:"require_pkce"`
	SkipConsent            bool            `toml:"skip_consent"`
	Allow                  []string        `toml:"allow"`
	RedirectURIs           []string        `toml:"redirect_uris"`
	PostLogoutRedirectURIs []string        `toml:"post_logout_redirect_uris"`
	GrantTypes             []string        `toml:"grant_types"`
	ResponseTypes          []string        `toml:"response_types"`
	Scopes                 []string        `toml:"scopes"`
	AccessTokenLifetime    config.Duration `toml:"access_token_lifetime"`
	RefreshTokenLifetime   config.Duration `toml:"refresh_token_lifetime"`
	IDTokenLifetime        config.Duration `toml:"id_token_lifetime"`
	LogoURI                string          `toml:"logo_uri"`
	ClientURI              string          `toml:"client_uri"`
	PolicyURI              string          `toml:"policy_uri"`
	TOSURI                 string          `toml:"tos_uri"`
	registry.Metadata
	registry.Granted

	secret string
}

func (c *Client) fill() {
	usual := registry.Defaults()
	c.IsActive, c.ApplicationType, c.Profile = true, usual.ApplicationType, registry.OAuth21
	c.RequirePKCE, c.Allow = usual.RequirePKCE, usual.Allowed
	c.GrantTypes, c.Scopes = usual.GrantTypes, usual.Scopes
	for lifetime, d := range map[*config.Duration]time.Duration{
		&c.AccessTokenLifetime: usual.AccessTokenLifetime, &c.RefreshTokenLifetime: usual.RefreshTokenLifetime,
		&c.IDTokenLifetime: usual.IDTokenLifetime,
	} {
		lifetime.Duration = d
	}
}

// Service is an application that signs people in here by SAML.
type Service struct {
	object
	Slug         string            `toml:"slug"`
	Organization string            `toml:"organization"` // its slug
	Name         string            `toml:"name"`
	IsActive     bool              `toml:"is_active"`
	Allow        []string          `toml:"allow"`
	MetadataURL  string            `toml:"metadata_url"`
	MetadataFile string            `toml:"metadata_file"`
	Metadata     string            `toml:"metadata"`
	Preset       string            `toml:"preset"`
	NameIDFormat string            `toml:"name_id_format"`
	Unsolicited  bool              `toml:"unsolicited"`
	RelayState   string            `toml:"relay_state"`
	Plain        bool              `toml:"plain"`
	Attributes   map[string]string `toml:"attributes"`
}

func (s *Service) fill() { s.IsActive, s.Allow = true, []string{registry.AllowEveryone} }
