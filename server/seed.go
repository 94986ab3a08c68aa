package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/org"
	"authy/server/registry"
	"authy/storage"
)

// The sample data. It is for trying things out: its passwords are public.

type seedUser struct{ email, password, name string }

type seedOrg struct {
	slug, name, description, owner string
	members                        []seedMember
}

type seedMember struct {
	email string
	role  storage.Role
}

var seedUsers = []seedUser{
	{"admin@acme-corp.com", "AdminPass123!", "Alice Administrator"},
	{"superadmin@acme-corp.com", "SuperAdmin123!", "Sarah SuperAdmin"},
	{"bob@acme-corp.com", "UserPass123!", "Bob Builder"},
	{"carol@acme-corp.com", "UserPass123!", "Carol Developer"},
	{"david@acme-corp.com", "UserPass123!", "David Designer"},
	{"eve@acme-corp.com", "UserPass123!", "Eve Engineer"},
	{"frank@tech-startup.com", "UserPass123!", "Frank Founder"},
	{"grace@tech-startup.com", "UserPass123!", "Grace Growth"},
	{"henry@tech-startup.com", "UserPass123!", "Henry Hacker"},
	{"iris@data-systems.com", "UserPass123!", "Iris Analyst"},
	{"jack@data-systems.com", "UserPass123!", "Jack Data"},
	{"charlie@cross-org.com", "UserPass123!", "Charlie Consultant"},
}

var seedOrgs = []seedOrg{
	{
		"acme-corp", "Acme Corporation", "Leading provider of innovative enterprise solutions", "admin@acme-corp.com",
		[]seedMember{
			{"bob@acme-corp.com", storage.RoleMember},
			{"carol@acme-corp.com", storage.RoleAdmin},
			{"charlie@cross-org.com", storage.RoleGuest},
		},
	},
	{
		"tech-startup", "Tech Startup Inc", "Disrupting the industry with cutting-edge technology", "superadmin@acme-corp.com",
		[]seedMember{
			{"frank@tech-startup.com", storage.RoleAdmin},
			{"grace@tech-startup.com", storage.RoleMember},
			{"charlie@cross-org.com", storage.RoleMember},
		},
	},
	{
		"data-systems", "Data Systems Inc", "Enterprise data management and analytics", "admin@acme-corp.com",
		[]seedMember{
			{"iris@data-systems.com", storage.RoleMember},
			{"jack@data-systems.com", storage.RoleMember},
		},
	},
}

var (
	seedGrants = []string{"authorization_code", "refresh_token"}
	seedScopes = []string{"openid", "profile", "email", "offline_access"}
)

// seedClients are the sample's clients; OrganizationID holds a slug here.
var seedClients = []registry.Registration{
	{
		ClientID: "acme-portal-001", Secret: "acme_secret_portal_2024", OrganizationID: "acme-corp",
		Name: "Acme Internal Portal", RequirePKCE: true, ApplicationType: "web",
		RedirectURIs:           []string{"https://portal.acme-corp.com/auth/callback", "http://localhost:3000/auth/callback"},
		PostLogoutRedirectURIs: []string{"https://portal.acme-corp.com/", "http://localhost:3000/"},
		GrantTypes:             seedGrants, Scopes: seedScopes,
		AccessTokenLifetime: time.Hour, RefreshTokenLifetime: 720 * time.Hour, IDTokenLifetime: time.Hour,
		LogoURI: "https://portal.acme-corp.com/logo.png", ClientURI: "https://portal.acme-corp.com",
	},
	{
		ClientID: "acme-mobile-001", OrganizationID: "acme-corp",
		Name: "Acme Mobile App", RequirePKCE: true, ApplicationType: "native",
		RedirectURIs: []string{"com.acmecorp.app://oauth/callback", "http://localhost:8080/callback"},
		GrantTypes:   seedGrants, Scopes: seedScopes,
		AccessTokenLifetime: 30 * time.Minute, RefreshTokenLifetime: 168 * time.Hour, IDTokenLifetime: 30 * time.Minute,
	},
	{
		ClientID: "tech-dashboard-001", Secret: "tech_secret_dashboard_2024", OrganizationID: "tech-startup",
		Name: "Tech Startup Dashboard", RequirePKCE: true, ApplicationType: "web",
		RedirectURIs: []string{
			"https://dashboard.tech-startup.com/auth/callback", "http://localhost:4200/auth/callback",
		},
		PostLogoutRedirectURIs: []string{"https://dashboard.tech-startup.com/", "http://localhost:4200/"},
		GrantTypes:             seedGrants, Scopes: seedScopes,
		AccessTokenLifetime: time.Hour, RefreshTokenLifetime: 720 * time.Hour, IDTokenLifetime: time.Hour,
		LogoURI: "https://tech-startup.com/logo.png", ClientURI: "https://tech-startup.com",
	},
	{
		ClientID: "data-api-001", Secret: "data_secret_api_2024", OrganizationID: "data-systems",
		Name: "Data Systems API Client", ApplicationType: "web",
		Options:             registry.Options{Profile: registry.Legacy},
		RedirectURIs:        []string{"https://api.data-systems.com/oauth/callback", "http://localhost:5000/oauth/callback"},
		GrantTypes:          []string{"authorization_code", "refresh_token", "client_credentials"},
		Scopes:              []string{"openid", "profile", "email", "api:read", "api:write"},
		AccessTokenLifetime: 2 * time.Hour, RefreshTokenLifetime: 720 * time.Hour, IDTokenLifetime: time.Hour,
		ClientURI: "https://data-systems.com",
	},
}

// Seeded is one thing of the sample data.
type Seeded struct {
	Kind string `json:"kind"` // organization, user, membership, client
	Name string `json:"name"`
	// Secret is the password or client secret to try, "" if there is none.
	Secret string `json:"secret,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Made is false for what was there already and was left as it is.
	Made bool `json:"made"`
}

// Seed makes the sample data, as far as it is not there. What is there is left
// as it is, whatever became of it.
func (s *Services) Seed(ctx context.Context, by audit.Actor) ([]Seeded, error) {
	var made []Seeded
	for _, step := range []func(context.Context, audit.Actor) ([]Seeded, error){
		s.seedUsers, s.seedOrgs, s.seedClients,
	} {
		more, err := step(ctx, by)
		made = append(made, more...)
		if err != nil {
			return made, err
		}
	}
	return made, nil
}

func (s *Services) seedUsers(ctx context.Context, by audit.Actor) ([]Seeded, error) {
	var out []Seeded
	for _, u := range seedUsers {
		_, err := s.Accounts.Find(ctx, u.email)
		missing := errors.Is(err, account.ErrNoUser)
		if missing {
			_, err = s.Accounts.Create(ctx, by, account.NewUser{
				Email: u.email, FullName: u.name, Password: u.password, EmailVerified: true, AnyPassword: true,
			})
		}
		if err != nil && !errors.Is(err, account.ErrEmailTaken) {
			return out, fmt.Errorf("seed user %s: %w", u.email, err)
		}
		out = append(out, Seeded{Kind: "user", Name: u.email, Secret: u.password, Detail: u.name, Made: missing && err == nil})
	}
	return out, nil
}

func (s *Services) seedOrgs(ctx context.Context, by audit.Actor) ([]Seeded, error) {
	var out []Seeded
	for _, o := range seedOrgs {
		owner, err := s.Accounts.Find(ctx, o.owner)
		if err != nil {
			return out, fmt.Errorf("seed organization %s: owner %s: %w", o.slug, o.owner, err)
		}
		_, err = s.Orgs.Create(ctx, by, org.NewOrg{
			Slug: o.slug, Name: o.name, Description: o.description, OwnerID: owner.ID,
		})
		if err != nil && !errors.Is(err, org.ErrSlugTaken) {
			return out, fmt.Errorf("seed organization %s: %w", o.slug, err)
		}
		out = append(out,
			Seeded{Kind: "organization", Name: o.slug, Detail: o.name, Made: err == nil},
			Seeded{Kind: "membership", Name: o.owner, Detail: "owner of " + o.slug, Made: err == nil})
		more, err := s.seedMembers(ctx, by, o)
		out = append(out, more...)
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func (s *Services) seedMembers(ctx context.Context, by audit.Actor, o seedOrg) ([]Seeded, error) {
	var out []Seeded
	known, err := s.Orgs.BySlug(ctx, o.slug)
	if err != nil {
		return nil, fmt.Errorf("seed members of %s: %w", o.slug, err)
	}
	for _, m := range o.members {
		user, err := s.Accounts.Find(ctx, m.email)
		if err != nil {
			return out, fmt.Errorf("seed member %s: %w", m.email, err)
		}
		err = s.Orgs.AddMember(ctx, by, known.ID, user.ID, m.role)
		if err != nil && !errors.Is(err, org.ErrMember) {
			return out, fmt.Errorf("seed member %s: %w", m.email, err)
		}
		out = append(out, Seeded{Kind: "membership", Name: m.email, Detail: string(m.role) + " of " + o.slug, Made: err == nil})
	}
	return out, nil
}

func (s *Services) seedClients(ctx context.Context, by audit.Actor) ([]Seeded, error) {
	var out []Seeded
	for _, c := range seedClients {
		home, err := s.Orgs.BySlug(ctx, c.OrganizationID)
		if err != nil {
			return out, fmt.Errorf("seed client %s: organization %s: %w", c.ClientID, c.OrganizationID, err)
		}
		detail := c.Name
		if c.Secret == "" {
			detail += " (public)"
		}
		c.OrganizationID = home.ID
		_, err = s.Clients.Create(ctx, by, c)
		if err != nil && !errors.Is(err, registry.ErrTaken) {
			return out, fmt.Errorf("seed client %s: %w", c.ClientID, err)
		}
		out = append(out, Seeded{Kind: "client", Name: c.ClientID, Secret: c.Secret, Detail: detail, Made: err == nil})
	}
	return out, nil
}

// SeedPassword returns the password of a user of the sample data, "" if the
// address is none of theirs.
func SeedPassword(email string) string {
	for _, u := range seedUsers {
		if u.email == email {
			return u.password
		}
	}
	return ""
}

// SeedClient returns a client of the sample data.
func SeedClient(clientID string) (c registry.Registration, ok bool) {
	for _, c := range seedClients {
		if c.ClientID == clientID {
			return c, true
		}
	}
	return c, false
}
