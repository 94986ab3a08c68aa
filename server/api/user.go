package api

import (
	"context"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/session"
)

// userRoutes is what users can do about themselves.
func (a *API) userRoutes() {
	signed(a, "GET /api/v1/users/me", 200, "User profile retrieved successfully", "My profile", a.profile)
	signed(a, "PATCH /api/v1/users/me", 200, "Profile updated successfully", "Change my profile", a.changeProfile)
	signed(a, "DELETE /api/v1/users/me", 200, "Account deleted successfully", "Delete my account", a.deleteAccount)
	signed(a, "POST /api/v1/users/me/password", 200, "Password changed successfully",
		"Change my password, and end my other sessions and the access of applications", a.changePassword)
	signed(a, "POST /api/v1/users/me/panic", 200, "Everything ended that was open in the account",
		"End all of my sessions, tokens and API tokens, the access of applications, and what waits", a.panicSelf)
	signed(a, "GET /api/v1/users/me/organizations", 200, "Organizations retrieved successfully",
		"My organizations, with my role in each", a.myOrganizations)
	signed(a, "GET /api/v1/users/me/export", 200, "Data exported successfully", "All that is kept about me", a.export)
}

// profile is a user with all that they say of themselves.
type profile struct {
	ID                string     `json:"id" format:"uuid"`
	CreatedAt         time.Time  `json:"created_at"`
	UpdatedAt         time.Time  `json:"updated_at"`
	Email             string     `json:"email" example:"bob@acme-corp.com"`
	EmailVerified     bool       `json:"email_verified"`
	FullName          *string    `json:"full_name" nullable:"true"`
	AvatarURL         *string    `json:"avatar_url" nullable:"true"`
	GivenName         *string    `json:"given_name" nullable:"true"`
	FamilyName        *string    `json:"family_name" nullable:"true"`
	Nickname          *string    `json:"nickname" nullable:"true"`
	PreferredUsername *string    `json:"preferred_username" nullable:"true" doc:"Not unique: it identifies nobody"`
	Website           *string    `json:"website" nullable:"true"`
	Gender            *string    `json:"gender" nullable:"true"`
	Birthdate         *string    `json:"birthdate" nullable:"true" example:"1980-02-29"`
	PhoneNumber       *string    `json:"phone_number" nullable:"true" example:"+41446681800" doc:"Not verified"`
	Locale            *string    `json:"locale" nullable:"true" example:"de-CH"`
	Zoneinfo          *string    `json:"zoneinfo" nullable:"true" example:"Europe/Zurich"`
	MiddleName        *string    `json:"middle_name" nullable:"true"`
	ProfileURL        *string    `json:"profile_url" nullable:"true"`
	StreetAddress     *string    `json:"street_address" nullable:"true"`
	Locality          *string    `json:"locality" nullable:"true"`
	Region            *string    `json:"region" nullable:"true"`
	PostalCode        *string    `json:"postal_code" nullable:"true"`
	Country           *string    `json:"country" nullable:"true"`
	Status            string     `json:"status" enum:"active,inactive,suspended,pending,compliance_suspended"`
	LastLoginAt       *time.Time `json:"last_login_at" nullable:"true"`
}

type profileOut struct {
	User profile `json:"user"`
}

func profileOf(u *account.User) *profileOut {
	return &profileOut{profile{
		ID: u.ID, CreatedAt: u.CreatedAt.Time, UpdatedAt: u.UpdatedAt.Time, Email: u.Email,
		EmailVerified: !u.EmailVerifiedAt.IsZero(), FullName: orNull(u.FullName), AvatarURL: orNull(u.AvatarURL),
		GivenName: orNull(u.GivenName), FamilyName: orNull(u.FamilyName), Nickname: orNull(u.Nickname),
		PreferredUsername: orNull(u.PreferredUsername), Website: orNull(u.Website), Gender: orNull(u.Gender),
		Birthdate: orNull(u.Birthdate), PhoneNumber: orNull(u.PhoneNumber), Locale: orNull(u.Locale),
		Zoneinfo: orNull(u.Zoneinfo), MiddleName: orNull(u.MiddleName), ProfileURL: orNull(u.ProfileURL),
		StreetAddress: orNull(u.StreetAddress), Locality: orNull(u.Locality), Region: orNull(u.Region),
		PostalCode: orNull(u.PostalCode), Country: orNull(u.Country),
		Status: string(u.Status), LastLoginAt: timeOrNull(u.LastLoginAt.Time),
	}}
}

func (a *API) profile(_ context.Context, id *session.Identity, _ audit.Actor, _ *struct{}) (*profileOut, error) {
	return profileOf(id.User), nil
}

// profileIn are the changes to a profile. What is left out stays, null clears.
type profileIn struct {
	Body struct {
		FullName patch `json:"full_name" required:"false"`
		ProfileFields
	}
}

// ProfileFields are the changes to what a user says of themselves beside their
// name.
type ProfileFields struct {
	AvatarURL         patch `json:"avatar_url" required:"false" doc:"http or https"`
	GivenName         patch `json:"given_name" required:"false"`
	FamilyName        patch `json:"family_name" required:"false"`
	Nickname          patch `json:"nickname" required:"false"`
	PreferredUsername patch `json:"preferred_username" required:"false"`
	Website           patch `json:"website" required:"false" doc:"http or https"`
	Gender            patch `json:"gender" required:"false"`
	Birthdate         patch `json:"birthdate" required:"false" doc:"YYYY-MM-DD, YYYY, or 0000-MM-DD"`
	PhoneNumber       patch `json:"phone_number" required:"false" doc:"With its country: +41 44 668 18 00"`
	Locale            patch `json:"locale" required:"false" doc:"A language tag, such as de-CH"`
	Zoneinfo          patch `json:"zoneinfo" required:"false" doc:"A time zone, such as Europe/Zurich"`
	MiddleName        patch `json:"middle_name" required:"false"`
	ProfileURL        patch `json:"profile_url" required:"false" doc:"A page about the user: http or https"`
	StreetAddress     patch `json:"street_address" required:"false"`
	Locality          patch `json:"locality" required:"false" doc:"The city"`
	Region            patch `json:"region" required:"false" doc:"The state, province or prefecture"`
	PostalCode        patch `json:"postal_code" required:"false"`
	Country           patch `json:"country" required:"false"`
}

// texts are the fields that were sent, by name.
func (f *ProfileFields) texts() map[string]string {
	texts := map[string]string{}
	for name, p := range map[string]patch{
		"avatar_url": f.AvatarURL, "given_name": f.GivenName, "family_name": f.FamilyName,
		"nickname": f.Nickname, "preferred_username": f.PreferredUsername, "website": f.Website, "gender": f.Gender,
		"birthdate": f.Birthdate, "phone_number": f.PhoneNumber, "locale": f.Locale, "zoneinfo": f.Zoneinfo,
		"middle_name": f.MiddleName, "profile_url": f.ProfileURL, "street_address": f.StreetAddress,
		"locality": f.Locality, "region": f.Region, "postal_code": f.PostalCode, "country": f.Country,
	} {
		if p.sent {
			texts[name] = p.text
		}
	}
	return texts
}

func (a *API) changeProfile(ctx context.Context, id *session.Identity, by audit.Actor, in *profileIn) (*profileOut, error) {
	texts := in.Body.texts()
	if name := in.Body.FullName; name.sent {
		texts["full_name"] = name.text
	}
	user, err := a.Accounts.ChangeProfile(ctx, by, id.User.ID, texts)
	if err != nil {
		return nil, err
	}
	return profileOf(user), nil
}

type newPasswordIn struct {
	Body struct {
		Current string `json:"current_password" minLength:"1"`
		New     string `json:"new_password" doc:"8 to 128 characters, not among the common ones"`
		Confirm string `json:"new_password_confirm"`
	}
}

// errNewDiffers has the contract's message.
var errNewDiffers = &fault.Error{
	Kind: fault.Invalid, Code: "validation_failed", Message: "New passwords do not match",
	Fields: map[string][]string{"new_password_confirm": {"Passwords do not match"}},
}

func (a *API) changePassword(ctx context.Context, id *session.Identity, by audit.Actor, in *newPasswordIn) (*nothing, error) {
	if in.Body.New != in.Body.Confirm {
		return nil, errNewDiffers
	}
	return nil, a.Login.ChangePassword(ctx, by, id, in.Body.Current, in.Body.New)
}

type deleteAccountIn struct {
	Body *struct {
		Password *string `json:"password,omitempty" doc:"Checked if it is there: ask for it, so that nobody else does this"`
	}
}

func (a *API) deleteAccount(ctx context.Context, id *session.Identity, by audit.Actor, in *deleteAccountIn) (*nothing, error) {
	var password *string
	if in.Body != nil {
		password = in.Body.Password
	}
	return nil, a.Login.DeleteAccount(ctx, by, id, password)
}

// myOrganization is an organization as one of its members sees it.
type myOrganization struct {
	ID          string    `json:"id" format:"uuid"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	Name        string    `json:"name"`
	Slug        string    `json:"slug"`
	Description *string   `json:"description" nullable:"true"`
	LogoURL     *string   `json:"logo_url" nullable:"true"`
	IsActive    bool      `json:"is_active"`
	Role        string    `json:"role" enum:"owner,admin,member,guest" doc:"Mine"`
}

type myOrganizationsOut struct {
	Organizations []myOrganization `json:"organizations"`
	Count         int              `json:"count"`
	PageOut
}

func (a *API) myOrganizations(ctx context.Context, id *session.Identity, _ audit.Actor, in *PageIn) (*myOrganizationsOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	page, more, err := a.Orgs.Page(ctx, id.User.ID, after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &myOrganizationsOut{Organizations: make([]myOrganization, len(page)), Count: len(page)}
	for i, m := range page {
		o := m.Organization
		out.Organizations[i] = myOrganization{
			ID: o.ID, CreatedAt: o.CreatedAt.Time, UpdatedAt: o.UpdatedAt.Time, Name: o.Name, Slug: o.Slug,
			Description: orNull(o.Description), LogoURL: orNull(o.LogoURL), IsActive: o.IsActive, Role: string(m.Role),
		}
		if more {
			out.last = o.Slug
		}
	}
	return out, nil
}

func (a *API) export(ctx context.Context, id *session.Identity, by audit.Actor, _ *struct{}) (*account.Export, error) {
	return a.Accounts.Export(ctx, by, id.User.ID)
}

// panicSelf ends also the session that asks.
func (a *API) panicSelf(ctx context.Context, id *session.Identity, by audit.Actor, in *maybeAgainIn) (*nothing, error) {
	return nil, a.Login.Panic(ctx, by, id, in.again())
}
