package api

import (
	"context"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/session"
)

// adminUserRoutes are for administrators of the server.
func (a *API) adminUserRoutes() {
	signed(a, "GET /api/v1/admin/users", 200, "Users retrieved successfully", "All users", a.adminUsers)
	signed(a, "GET /api/v1/admin/users/{id}", 200, "User retrieved successfully", "One user", a.adminUser)
	signed(a, "POST /api/v1/admin/users/{id}/suspend", 200, "User suspended successfully",
		"Stop a user from signing in, and end everything they have open", a.suspendUser)
	signed(a, "POST /api/v1/admin/users/{id}/activate", 200, "User activated successfully",
		"Let a suspended user sign in again", a.activateUser)
	signed(a, "POST /api/v1/admin/users/{id}/sign-out", 200, "User signed out successfully",
		"End every session and grant of a user", a.signUserOut)
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
}

func adminUserOf(u *account.User) adminUser {
	return adminUser{User: userOf(u), IsAdmin: u.IsAdmin, LastLoginIP: orNull(u.LastLoginIP)}
}

type adminUsersIn struct {
	PageIn
	Email  string `query:"email" maxLength:"254" doc:"How the address begins"`
	Status string `query:"status" enum:"active,inactive,suspended,pending" doc:"Only users in this state"`
}

type adminUsersOut struct {
	Users  []adminUser `json:"users"`
	Count  int         `json:"count" doc:"How many there are on this page"`
	nextID string
}

func (o *adminUsersOut) next() string { return o.nextID }

func (a *API) adminUsers(ctx context.Context, _ *session.Identity, by audit.Actor, in *adminUsersIn) (*adminUsersOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	filter := account.Filter{EmailPrefix: in.Email}
	filter.Status = account.Status(in.Status)
	// One more tells whether there are more.
	users, err := a.Accounts.List(ctx, by, filter, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &adminUsersOut{}
	if len(users) > in.Limit {
		users = users[:in.Limit]
		out.nextID = cursor(users[in.Limit-1].Email)
	}
	out.Users, out.Count = make([]adminUser, len(users)), len(users)
	for i := range users {
		out.Users[i] = adminUserOf(&users[i])
	}
	return out, nil
}

type oneUserIn struct {
	ID string `path:"id" maxLength:"254" doc:"The id of the user, or their address"`
}

type adminUserOut struct {
	User adminUser `json:"user"`
}

func (a *API) adminUser(ctx context.Context, _ *session.Identity, by audit.Actor, in *oneUserIn) (*adminUserOut, error) {
	u, err := a.Accounts.Show(ctx, by, in.ID)
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

func (a *API) deleteUser(ctx context.Context, _ *session.Identity, by audit.Actor, in *oneUserIn) (*nothing, error) {
	return nil, a.Accounts.Delete(ctx, by, in.ID)
}
