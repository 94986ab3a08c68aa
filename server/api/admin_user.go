package api

import (
	"context"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/managed"
	"authy/server/session"
)

// adminUserRoutes are for administrators of the server.
func (a *API) adminUserRoutes() {
	signed(a, "GET /api/v1/admin/users", 200, "Users retrieved successfully", "All users", a.adminUsers)
	signed(a, "POST /api/v1/admin/users", 201, "User created successfully", "Add a user", a.createUser)
	signed(a, "PATCH /api/v1/admin/users/{id}", 200, "User updated successfully", "Change a user", a.correctUser)
	signed(a, "GET /api/v1/admin/users/{id}", 200, "User retrieved successfully", "One user", a.adminUser)
	signed(a, "POST /api/v1/admin/users/{id}/suspend", 200, "User suspended successfully",
		"Stop a user from signing in, and end everything they have open", a.suspendUser)
	signed(a, "POST /api/v1/admin/users/{id}/activate", 200, "User activated successfully",
		"Let a suspended user sign in again", a.activateUser)
	signed(a, "POST /api/v1/admin/users/{id}/sign-out", 200, "User signed out successfully",
		"End every session and grant of a user", a.signUserOut)
	signed(a, "POST /api/v1/admin/users/{id}/panic", 200, "Everything ended that was open in the account",
		"End sessions, tokens, API tokens, the access of applications, and what waits", a.panicUser)
	signed(a, "POST /api/v1/admin/users/{id}/unlock", 200, "User unlocked successfully",
		"Forgive the attempts to sign in as a user that failed", a.unlockUser)
	signed(a, "DELETE /api/v1/admin/users/{id}", 200, "User deleted successfully",
		"Delete a user with everything that is theirs", a.deleteUser)
}

// adminUser is a user as administrators see them.
type adminUser struct {
	User
	IsAdmin     bool    `json:"is_admin"`
	LastLoginIP *string `json:"last_login_ip" nullable:"true"`
	Managed
}

func adminUserOf(u *account.User) adminUser {
	return adminUser{User: userOf(u), IsAdmin: u.IsAdmin, LastLoginIP: orNull(u.LastLoginIP), Managed: managedAs(managed.User, u.ID)}
}

// UserFilterIn says which users are asked for.
type UserFilterIn struct {
	Search       string `query:"search" maxLength:"254" pattern:"^[^\\x00]*$" doc:"How the address, or any word of the name, begins; or the id"`
	Email        string `query:"email" maxLength:"254" pattern:"^[^\\x00]*$" doc:"How the address begins"`
	Status       string `query:"status" enum:"active,inactive,suspended,pending" doc:"Only users in this state"`
	Admin        string `query:"admin" enum:"true,false" doc:"Only administrators of the server, or only others"`
	SecondFactor string `query:"second_factor" enum:"true,false" doc:"Only who has a second factor, or only who has none"`
	Organization string `query:"organization" maxLength:"36" pattern:"^[^\\x00]*$" doc:"Only who is in the organization with this id"`
}

type adminUsersIn struct {
	PageIn
	UserFilterIn
}

type adminUsersOut struct {
	Users []adminUser `json:"users"`
	Count int         `json:"count" doc:"How many there are on this page"`
	PageOut
}

func (a *API) adminUsers(ctx context.Context, _ *session.Identity, by audit.Actor, in *adminUsersIn) (*adminUsersOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	filter := account.Filter{EmailPrefix: in.Email, Admin: yesNoOrNil(in.Admin), Organization: in.Organization}
	filter.HasFactor = yesNoOrNil(in.SecondFactor)
	filter.Status = account.Status(in.Status)
	users, next, err := a.Accounts.Search(ctx, by, filter, in.Search, after, in.Limit)
	if err != nil {
		return nil, err
	}
	return &adminUsersOut{viewsOf(users, adminUserOf), len(users), PageOut{next}}, nil
}

// yesNoOrNil returns what a filter says, nil if it was left out.
func yesNoOrNil(text string) *bool {
	if text == "" {
		return nil
	}
	yes := text == "true"
	return &yes
}

type createUserIn struct {
	Body struct {
		Email         string  `json:"email" example:"bob@acme-corp.com"`
		FullName      *string `json:"full_name,omitempty" nullable:"true"`
		Password      *string `json:"password,omitempty" nullable:"true" doc:"8 to 128 characters, not among the common ones; without it the user has none yet"`
		IsAdmin       bool    `json:"is_admin,omitempty" doc:"Whether they administer the server"`
		EmailVerified bool    `json:"email_verified,omitempty" doc:"Whether the address is known to be theirs"`
	}
}

func (a *API) createUser(ctx context.Context, _ *session.Identity, by audit.Actor, in *createUserIn) (*adminUserOut, error) {
	b := in.Body
	described := account.NewUser{
		Email: b.Email, Admin: b.IsAdmin, EmailVerified: b.EmailVerified, NoPassword: b.Password == nil,
	}
	set(&described.FullName, b.FullName)
	set(&described.Password, b.Password)
	return adminUserOutOf(a.Accounts.Create(ctx, by, described))
}

type correctUserIn struct {
	ID   string `path:"id" maxLength:"254" doc:"The id of the user"`
	Body struct {
		FullName      clearable `json:"full_name,omitempty"`
		IsAdmin       *bool     `json:"is_admin,omitempty" doc:"Whether they administer the server; somebody always does"`
		EmailVerified *bool     `json:"email_verified,omitempty" doc:"Whether the address is known to be theirs"`
		ProfileFields
	}
}

func (a *API) correctUser(ctx context.Context, _ *session.Identity, by audit.Actor, in *correctUserIn) (*adminUserOut, error) {
	return adminUserOutOf(a.Accounts.Correct(ctx, by, in.ID, account.Correction{
		FullName: in.Body.FullName.text, Admin: in.Body.IsAdmin, EmailVerified: in.Body.EmailVerified,
		Profile: in.Body.texts(),
	}))
}

type oneUserIn struct {
	ID string `path:"id" maxLength:"254" doc:"The id of the user, or their address"`
}

type adminUserOut struct {
	User adminUser `json:"user"`
}

func (a *API) adminUser(ctx context.Context, _ *session.Identity, by audit.Actor, in *oneUserIn) (*adminUserOut, error) {
	return adminUserOutOf(a.Accounts.Show(ctx, by, in.ID))
}

func adminUserOutOf(u *account.User, err error) (*adminUserOut, error) {
	if err != nil {
		return nil, err
	}
	return &adminUserOut{adminUserOf(u)}, nil
}

func (a *API) suspendUser(ctx context.Context, _ *session.Identity, by audit.Actor, in *oneUserIn) (*nothing, error) {
	return nil, a.Accounts.Suspend(ctx, by, in.ID)
}

func (a *API) activateUser(ctx context.Context, _ *session.Identity, by audit.Actor, in *oneUserIn) (*nothing, error) {
	return nil, a.Accounts.Activate(ctx, by, in.ID)
}

func (a *API) unlockUser(ctx context.Context, _ *session.Identity, by audit.Actor, in *oneUserIn) (*nothing, error) {
	return nil, a.Accounts.Unlock(ctx, by, in.ID)
}

func (a *API) signUserOut(ctx context.Context, _ *session.Identity, by audit.Actor, in *oneUserIn) (*nothing, error) {
	return nil, a.Accounts.SignOut(ctx, by, in.ID)
}

type panicUserIn struct {
	ID   string `path:"id" maxLength:"254" doc:"The id of the user"`
	Body *struct {
		Credentials bool `json:"credentials,omitempty" doc:"Take away how they sign in, too: password, passkeys, authenticator, recovery codes and linked accounts"`
	}
}

func (a *API) panicUser(ctx context.Context, _ *session.Identity, by audit.Actor, in *panicUserIn) (*nothing, error) {
	return nil, a.Accounts.Panic(ctx, by, in.ID, in.Body != nil && in.Body.Credentials)
}

func (a *API) deleteUser(ctx context.Context, _ *session.Identity, by audit.Actor, in *oneUserIn) (*nothing, error) {
	return nil, a.Accounts.Delete(ctx, by, in.ID)
}
