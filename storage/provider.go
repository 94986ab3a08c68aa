package storage

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/uptrace/bun"
)

// Provider is an identity provider that people come from.
type Provider struct {
	bun.BaseModel  `bun:"table:providers"`
	ID             string `bun:",pk"`
	Slug           string // its name in URLs; unique
	Kind           string // "google", "github", "microsoft", "oidc" or "saml"
	Name           string
	OrganizationID Ref    // whose it is; "" for the whole server's
	Issuer         string // the OpenID issuer, or the SAML entity id
	ClientID       string // who authy is there
	SealedSecret   string
	Secret         string `bun:"-"` // sealed in the database
	Options        ProviderOptions
	IsActive       bool
	IsManaged      bool // by the configuration, which is its only source then
	CreatedAt      Time
	UpdatedAt      Time
	// RefreshAt is when the metadata of a SAML provider is fetched next, zero for now,
	// RefreshedAt when it last was, and RefreshProblem why that was not kept.
	RefreshAt      Time
	RefreshedAt    Time
	RefreshProblem string
}

// ProviderOptions is how a provider is dealt with; what is missing is the default.
type ProviderOptions struct {
	Scopes []string `json:"scopes,omitempty"`
	// AuthMethod is how authy says at the token endpoint who it is; "" for a way
	// that the provider takes.
	AuthMethod string `json:"auth_method,omitempty"`
	// Tenants are the tenants of Microsoft whose people may come; empty for any.
	Tenants []string `json:"tenants,omitempty"`

	// Domains are those of the addresses that the provider is believed about.
	Domains []string `json:"domains,omitempty"`
	// Registration says who gets an account by coming from there: "" is as the
	// server is set, else "off", "open", "invited" or "domains".
	Registration string `json:"registration,omitempty"`
	// TrustedMethods are values of amr, and TrustedContexts of acr or of the SAML
	// AuthnContext, that stand for the second factor here.
	TrustedMethods  []string `json:"trusted_methods,omitempty"`
	TrustedContexts []string `json:"trusted_contexts,omitempty"`

	// Groups is the claim or attribute that lists the groups of a person.
	Groups string `json:"groups,omitempty"`
	// Roles are the roles that groups give.
	Roles []ProviderRole `json:"roles,omitempty"`
	// KeepProfile leaves name and picture as they are at later sign-ins.
	KeepProfile bool `json:"keep_profile,omitempty"`
	// Logout also signs people out there.
	Logout bool `json:"logout,omitempty"`

	// Metadata is the SAML metadata, and MetadataURL where it came from.
	Metadata    string `json:"metadata,omitempty"`
	MetadataURL string `json:"metadata_url,omitempty"`
	// Unsolicited lets sign-ins begin at the SAML provider.
	Unsolicited bool `json:"unsolicited,omitempty"`
	// NameIDFormat is what is asked for; "" for persistent.
	NameIDFormat string `json:"name_id_format,omitempty"`
	// SubjectAttribute is the SAML attribute that says who somebody is for good; "" for
	// the NameID.
	SubjectAttribute string `json:"subject_attribute,omitempty"`
	// Attributes are the SAML attributes that say a claim, by the name of the claim.
	Attributes map[string]string `json:"attributes,omitempty"`
}

// ProviderRole is the role that a group of a provider gives in an organization.
type ProviderRole struct {
	Group          string `json:"group"` // "*" for everyone who comes
	OrganizationID string `json:"organization_id"`
	Role           string `json:"role"`
}

// Value implements [driver.Valuer].
func (o ProviderOptions) Value() (driver.Value, error) { return toJSON(o) }

// Scan implements [database/sql.Scanner].
func (o *ProviderOptions) Scan(src any) error { return fromJSON(o, src) }

// Provider returns the provider with an id.
func (r Reader) Provider(ctx context.Context, id string) (*Provider, error) {
	return r.openProvider(find[Provider](ctx, r, "id = ?", id))
}

// ProviderBySlug returns the provider with a name in URLs.
func (r Reader) ProviderBySlug(ctx context.Context, slug string) (*Provider, error) {
	return r.openProvider(find[Provider](ctx, r, "slug = ?", slug))
}

func (r Reader) openProvider(p *Provider, err error) (*Provider, error) {
	if err != nil || p.SealedSecret == "" {
		return p, err
	}
	secret, err := r.seals.open("providers.secret."+p.ID, p.SealedSecret)
	p.Secret = string(secret)
	return p, err
}

// Providers returns those of an organization, or of the whole server if orgID
// is "", in the order of their slugs and without their secrets.
func (r Reader) Providers(ctx context.Context, orgID string) ([]Provider, error) {
	if orgID == "" {
		return list[Provider](ctx, r, "slug", "organization_id IS NULL")
	}
	return list[Provider](ctx, r, "slug", "organization_id = ?", orgID)
}

// AllProviders returns every provider in the order of their slugs, without
// their secrets.
func (r Reader) AllProviders(ctx context.Context) ([]Provider, error) {
	return list[Provider](ctx, r, "slug", "TRUE")
}

// HasOrgProvider says whether any organization has a provider of its own.
func (r Reader) HasOrgProvider(ctx context.Context) (bool, error) {
	var has bool
	err := r.conn.hotRow(ctx, `SELECT EXISTS (SELECT 1 FROM providers
		WHERE organization_id IS NOT NULL AND is_active)`).Scan(&has)
	return has, translate(err)
}

// InsertProvider adds a provider; [ErrTaken] says that its slug is in use.
func (tx *Tx) InsertProvider(ctx context.Context, p *Provider) error {
	tx.sealProvider(p)
	return insert(ctx, tx, p)
}

// SaveProvider writes every column of p but those about the refresh of metadata.
func (tx *Tx) SaveProvider(ctx context.Context, p *Provider) error {
	tx.sealProvider(p)
	return save(ctx, tx, p, "refresh_at", "refreshed_at", "refresh_problem")
}

// TakeRefresh gives the caller the refresh of the metadata of a provider that is due,
// and has the next one due at a time; [ErrNotFound] says that someone else was first.
func (tx *Tx) TakeRefresh(ctx context.Context, id string, now, next time.Time) error {
	res, err := tx.conn.hot(ctx, "UPDATE providers SET refresh_at = ? WHERE id = ? AND (refresh_at IS NULL OR refresh_at <= ?)",
		At(next).UnixMilli(), id, At(now).UnixMilli())
	if err != nil {
		return translate(err)
	}
	return one(res)
}

// SaveRefresh notes what became of a refresh at a time, and when the next is due; problem
// is "" if what came is kept.
func (tx *Tx) SaveRefresh(ctx context.Context, id string, at, next time.Time, problem string) error {
	_, err := tx.conn.hot(ctx, "UPDATE providers SET refreshed_at = ?, refresh_at = ?, refresh_problem = ? WHERE id = ?",
		At(at).UnixMilli(), At(next).UnixMilli(), problem, id)
	return translate(err)
}

func (tx *Tx) sealProvider(p *Provider) {
	p.SealedSecret = ""
	if p.Secret != "" {
		p.SealedSecret = tx.seals.seal("providers.secret."+p.ID, []byte(p.Secret))
	}
}

// DeleteProvider deletes a provider with the identities that came from it.
func (tx *Tx) DeleteProvider(ctx context.Context, id string) error {
	n, err := remove[Provider](ctx, tx, "id = ?", id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
