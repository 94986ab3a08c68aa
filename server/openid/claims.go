package openid

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"authy/server/org"
	"authy/storage"
)

// claims is what the provider says of a user, in an ID token and at userinfo
// (OpenID Connect Core 1.0, section 5.1). What a user has not said is left out.
type claims struct {
	Subject string `json:"sub"`

	Name              string `json:"name,omitempty"`
	GivenName         string `json:"given_name,omitempty"`
	FamilyName        string `json:"family_name,omitempty"`
	MiddleName        string `json:"middle_name,omitempty"`
	Nickname          string `json:"nickname,omitempty"`
	PreferredUsername string `json:"preferred_username,omitempty"`
	Profile           string `json:"profile,omitempty"`
	Picture           string `json:"picture,omitempty"`
	Website           string `json:"website,omitempty"`
	Gender            string `json:"gender,omitempty"`
	Birthdate         string `json:"birthdate,omitempty"`
	Zoneinfo          string `json:"zoneinfo,omitempty"`
	Locale            string `json:"locale,omitempty"`
	UpdatedAt         int64  `json:"updated_at,omitempty"` // seconds

	Email         string `json:"email,omitempty"`
	EmailVerified *bool  `json:"email_verified,omitempty"`

	PhoneNumber         string `json:"phone_number,omitempty"`
	PhoneNumberVerified *bool  `json:"phone_number_verified,omitempty"`

	Address *address `json:"address,omitempty"`

	memberships
}

// memberships is what a user is in organizations; nil is left out, none is not.
type memberships struct {
	// Groups are the slugs of the user's organizations, each also with their
	// role after a colon.
	Groups []string     `json:"groups,omitzero"`
	Roles  []membership `json:"roles,omitzero"`
}

// membership is a place in an organization, as the roles claim lists it.
type membership struct {
	OrganizationID string `json:"organization_id"`
	Role           string `json:"role"`
}

// address is the claim of OpenID Connect Core 1.0, section 5.1.1.
type address struct {
	Formatted     string `json:"formatted"`
	StreetAddress string `json:"street_address,omitempty"`
	Locality      string `json:"locality,omitempty"`
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	Country       string `json:"country,omitempty"`
}

// userClaim is a claim with the scope that it belongs to
// (OpenID Connect Core 1.0, section 5.4).
type userClaim struct {
	name, scope string
	copy        func(to, from *claims)
}

// userClaims are the claims about users beside sub.
var userClaims = []userClaim{
	{"name", "profile", func(to, from *claims) { to.Name = from.Name }},
	{"given_name", "profile", func(to, from *claims) { to.GivenName = from.GivenName }},
	{"family_name", "profile", func(to, from *claims) { to.FamilyName = from.FamilyName }},
	{"middle_name", "profile", func(to, from *claims) { to.MiddleName = from.MiddleName }},
	{"nickname", "profile", func(to, from *claims) { to.Nickname = from.Nickname }},
	{"preferred_username", "profile", func(to, from *claims) { to.PreferredUsername = from.PreferredUsername }},
	{"profile", "profile", func(to, from *claims) { to.Profile = from.Profile }},
	{"picture", "profile", func(to, from *claims) { to.Picture = from.Picture }},
	{"website", "profile", func(to, from *claims) { to.Website = from.Website }},
	{"gender", "profile", func(to, from *claims) { to.Gender = from.Gender }},
	{"birthdate", "profile", func(to, from *claims) { to.Birthdate = from.Birthdate }},
	{"zoneinfo", "profile", func(to, from *claims) { to.Zoneinfo = from.Zoneinfo }},
	{"locale", "profile", func(to, from *claims) { to.Locale = from.Locale }},
	{"updated_at", "profile", func(to, from *claims) { to.UpdatedAt = from.UpdatedAt }},
	{"email", "email", func(to, from *claims) { to.Email = from.Email }},
	{"email_verified", "email", func(to, from *claims) { to.EmailVerified = from.EmailVerified }},
	{"phone_number", "phone", func(to, from *claims) { to.PhoneNumber = from.PhoneNumber }},
	{"phone_number_verified", "phone", func(to, from *claims) { to.PhoneNumberVerified = from.PhoneNumberVerified }},
	{"address", "address", func(to, from *claims) { to.Address = from.Address }},
	{"groups", "groups", func(to, from *claims) { to.Groups = from.Groups }},
	{"roles", "roles", func(to, from *claims) { to.Roles = from.Roles }},
}

// findClaim returns the claim about users with a name, nil if there is none.
func findClaim(name string) *userClaim {
	i := slices.IndexFunc(userClaims, func(c userClaim) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return &userClaims[i]
}

// claims returns what scopes say of a user to a client, and the claims that it
// was granted one by one (OpenID Connect Core 1.0, sections 5.4 and 5.5).
func (p *Provider) claims(
	ctx context.Context, client *storage.Client, userID string, scopes, asked []string,
) (*claims, error) {
	user, err := p.db.User(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("claims of %s: %w", userID, err)
	}
	out := &claims{Subject: p.Subject(client, userID)}
	if err := p.fill(ctx, out, user, scopes); err != nil || len(asked) == 0 {
		return out, err
	}
	var all claims
	if err := p.fill(ctx, &all, user, scopesOf(asked)); err != nil {
		return nil, err
	}
	for _, name := range asked {
		if claim := findClaim(name); claim != nil {
			claim.copy(out, &all)
		}
	}
	return out, nil
}

// fill writes what scopes say of a user to c.
func (p *Provider) fill(ctx context.Context, c *claims, user *storage.User, scopes []string) (err error) {
	for _, scope := range scopes {
		switch scope {
		case "profile":
			c.fillProfile(user)
		case "email":
			verified := !user.EmailVerifiedAt.IsZero()
			c.Email, c.EmailVerified = user.Email, &verified
		case "phone":
			if user.PhoneNumber != "" {
				c.PhoneNumber, c.PhoneNumberVerified = user.PhoneNumber, new(bool) // nobody has called it
			}
		case "address":
			c.Address = addressOf(user.Address)
		}
	}
	c.memberships, err = p.memberships(ctx, user.ID, scopes)
	return err
}

func (c *claims) fillProfile(u *storage.User) {
	c.Name, c.GivenName, c.FamilyName, c.MiddleName = u.FullName, u.GivenName, u.FamilyName, u.MiddleName
	c.Nickname, c.PreferredUsername = u.Nickname, u.PreferredUsername
	c.Profile, c.Picture, c.Website = u.ProfileURL, u.AvatarURL, u.Website
	c.Gender, c.Birthdate, c.Zoneinfo, c.UpdatedAt = u.Gender, u.Birthdate, u.Zoneinfo, u.UpdatedAt.Unix()
	if tag, err := language.Parse(u.Locale); err == nil {
		c.Locale = tag.String()
	}
}

// addressOf returns the claim about an address, nil if it says nothing.
func addressOf(a storage.Address) *address {
	if a == (storage.Address{}) {
		return nil
	}
	var lines []string
	for _, line := range []string{
		a.StreetAddress, strings.TrimSpace(a.PostalCode + " " + a.Locality), a.Region, a.Country,
	} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return &address{
		Formatted: strings.Join(lines, "\n"), StreetAddress: a.StreetAddress, Locality: a.Locality,
		Region: a.Region, PostalCode: a.PostalCode, Country: a.Country,
	}
}

// memberships returns what the scopes groups and roles say of a user.
func (p *Provider) memberships(ctx context.Context, userID string, scopes []string) (out memberships, err error) {
	if has(scopes, "groups") {
		if out.Groups, err = org.GroupsOf(ctx, p.db.Reader, userID); err != nil {
			return out, err
		}
	}
	if !has(scopes, "roles") {
		return out, nil
	}
	members, err := p.db.Memberships(ctx, userID)
	if err != nil {
		return out, fmt.Errorf("organizations of %s: %w", userID, err)
	}
	out.Roles = make([]membership, len(members))
	for i, m := range members {
		out.Roles[i] = membership{m.OrganizationID, string(m.Role)}
	}
	return out, nil
}
