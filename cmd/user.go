package cmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
	"authy/server/managed"
	"authy/storage"
)

func (a *app) userCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "user",
		Short: "Add, look at and change users",
		Long: `Add, look at and change users. The commands work beside a running server, which
heeds them at once, and without one. A user is named by address or ID.`,
		Example: `  authy user create --admin alice@example.com
  authy user list
  authy user suspend bob@example.com`,
	}
	c.AddCommand(a.createUserCommand(), a.listUsersCommand(), a.showUserCommand())
	for _, change := range userChanges {
		c.AddCommand(a.changeUserCommand(change))
	}
	c.AddCommand(a.updateUserCommand(), a.deleteUserCommand(), a.setPasswordCommand(), a.exportUserCommand())
	c.AddCommand(a.resetLinkCommand(), a.setEmailCommand(), a.unlinkUserCommand(), a.removeAppCommand())
	c.AddCommand(a.panicUserCommand())
	return c
}

// userOut is a user as programs see it.
type userOut struct {
	ID            string     `json:"id"`
	Email         string     `json:"email"`
	EmailVerified bool       `json:"email_verified"`
	FullName      string     `json:"full_name"`
	Status        string     `json:"status"`
	Admin         bool       `json:"admin"`
	CreatedAt     *time.Time `json:"created_at"`
	UpdatedAt     *time.Time `json:"updated_at"`
	LastLoginAt   *time.Time `json:"last_login_at"`
	ManagedBy     string     `json:"managed_by,omitempty"`
	// Password is there only when it was made up.
	Password string `json:"password,omitempty"`
}

func userOutOf(u *account.User) userOut {
	return userOut{
		ID: u.ID, Email: u.Email, EmailVerified: !u.EmailVerifiedAt.IsZero(), FullName: u.FullName,
		Status: string(u.Status), Admin: u.IsAdmin, CreatedAt: instantOrNull(u.CreatedAt.Time),
		UpdatedAt: instantOrNull(u.UpdatedAt.Time), LastLoginAt: instantOrNull(u.LastLoginAt.Time),
	}
}

func (a *app) createUserCommand() *cobra.Command {
	var in account.NewUser
	var from passwordFlags
	var unverified, asJSON bool
	c := &cobra.Command{
		Use:   "create EMAIL",
		Short: "Add a user, or an administrator with --admin",
		Long: `Add a user, or an administrator with --admin. The password is asked for; scripts
give it on standard input or have one made, which is printed alone on standard
output. With --no-password there is none to sign in by yet. The address counts as
verified unless you say otherwise.`,
		Example: `  authy user create bob@example.com --name 'Bob Builder'
  authy user create alice@example.com --admin --generate
  authy user create carol@example.com --password-stdin < password`,
		Args: takes("EMAIL"),
		RunE: func(c *cobra.Command, args []string) (err error) {
			in.Email, in.EmailVerified = args[0], !unverified
			if _, err := account.ParseEmail(in.Email); err != nil {
				return err // before a password is asked for in vain
			}
			if in.NoPassword && (from.generate || from.fromStdin) {
				return misused(c, "--no-password leaves nothing to give or make")
			}
			if !in.NoPassword {
				if in.Password, err = a.password(c, from); err != nil {
					return err
				}
			}
			return a.createUser(c.Context(), in, from.generate, asJSON)
		},
	}
	c.Flags().StringVar(&in.FullName, "name", "", "full `NAME`")
	c.Flags().BoolVar(&in.Admin, "admin", false, "let the user administer the server")
	c.Flags().BoolVar(&in.NoPassword, "no-password", false, "set no password yet")
	c.Flags().BoolVar(&unverified, "unverified", false, "do not count the address as verified")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	from.add(c)
	return c
}

func (a *app) createUser(ctx context.Context, in account.NewUser, generated, asJSON bool) error {
	return a.with(ctx, func(s *server.Services) error {
		user, err := s.Accounts.Create(ctx, audit.Shell(), in)
		if err != nil {
			return err
		}
		kind := "user"
		if user.IsAdmin {
			kind = "administrator"
		}
		if in.NoPassword {
			a.note("Created the %s %s, who has no password yet: authy user set-password %[2]s", kind, user.Email)
		} else {
			a.note("Created the %s %s, who can sign in at %s now.", kind, user.Email, s.Config.PublicURL)
		}
		out := userOutOf(user)
		if generated {
			a.note("Their password is shown this once:")
			out.Password = in.Password
		}
		switch {
		case asJSON:
			return a.printJSON(out)
		case generated:
			return a.printLine(out.Password)
		}
		return nil
	})
}

func (a *app) listUsersCommand() *cobra.Command {
	var q userQuery
	var admins, secured bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List users in the order of their addresses, or search them",
		Long: `List users in the order of their addresses. With --search those whose address,
or any word of whose name, begins with a text, in the order of what fits.`,
		Example: `  authy user list
  authy user list --limit 50 --after bob@example.com
  authy user list --search build --status suspended
  authy user list --json | jq -r '.[] | select(.admin) | .email'`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := q.check(c); err != nil {
				return err
			}
			switch q.filter.Status {
			case "", storage.Active, storage.Inactive, storage.Suspended, storage.Pending:
			default:
				return misused(c, "--status is %s; give active, inactive, suspended or pending", q.filter.Status)
			}
			if q.after != "" && (q.search != "" || q.org != "") {
				return misused(c, "--after is for the list of all users; leave it out with --search and --org")
			}
			if c.Flags().Changed("admin") {
				q.filter.Admin = &admins
			}
			if c.Flags().Changed("second-factor") {
				q.filter.HasFactor = &secured
			}
			return a.listUsers(c.Context(), q)
		},
	}
	c.Flags().StringVar(&q.search, "search", "", "only who is called like this `TEXT`, or has this ID")
	c.Flags().StringVar((*string)(&q.filter.Status), "status", "", "only users in this `STATE`: active, inactive, suspended or pending")
	c.Flags().BoolVar(&admins, "admin", false, "only administrators; with --admin=false only others")
	c.Flags().BoolVar(&secured, "second-factor", false, "only who has a second factor; with --second-factor=false who has none")
	c.Flags().StringVar(&q.org, "org", "", "only members of this organization (`SLUG-or-ID`)")
	q.add(c, listed, "begin after this address (`EMAIL`)")
	return c
}

// userQuery says which users to list.
type userQuery struct {
	filter      account.Filter
	search, org string
	listing
}

// isAll says whether every user is meant.
func (q userQuery) isAll() bool { return q.search == "" && q.filter == account.Filter{} }

func (a *app) listUsers(ctx context.Context, q userQuery) error {
	return a.with(ctx, func(s *server.Services) error {
		if q.org != "" {
			o, err := s.Orgs.Find(ctx, q.org)
			if err != nil {
				return err
			}
			q.filter.Organization = o.ID
		}
		users, next, err := s.Accounts.Search(ctx, audit.Shell(), q.filter, q.search, q.after, q.limit)
		if err != nil {
			return err
		}
		if err := a.printUsers(users, q.isAll(), q.asJSON); err != nil {
			return err
		}
		a.noteMore(next, q.search != "" || q.org != "")
		return nil
	})
}

func (a *app) printUsers(users []account.User, all, asJSON bool) error {
	out, rows := make([]userOut, len(users)), make([][]string, len(users))
	for i := range users {
		u := userOutOf(&users[i])
		out[i] = u
		rows[i] = []string{
			u.Email, u.FullName, u.Status, yesOrNo(u.EmailVerified), yesOrNo(u.Admin),
			instant(users[i].LastLoginAt.Time), u.ID,
		}
	}
	none := "There are no users. Add one with 'authy user create EMAIL'."
	if !all {
		none = "There are no such users."
	}
	head := []string{"EMAIL", "NAME", "STATUS", "VERIFIED", "ADMIN", "LAST SIGN-IN", "ID"}
	return a.printList(asJSON, out, head, rows, none)
}

func (a *app) showUserCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show EMAIL-or-ID",
		Short: "Show a user",
		Example: `  authy user show bob@example.com
  authy user show --json 0198c0de-0000-7000-8000-000000000000`,
		Args: takes("EMAIL-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withUser(c.Context(), args[0], func(s *server.Services, u *account.User) error {
				file, err := setByFile(c.Context(), s, managed.User, u.ID)
				if err != nil {
					return err
				}
				return a.printUser(u, file, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) printUser(user *account.User, file string, asJSON bool) error {
	u := userOutOf(user)
	if u.ManagedBy = file; asJSON {
		return a.printJSON(u)
	}
	return a.printTable(nil, append([][]string{
		{"ID", u.ID},
		{"Email", u.Email},
		{"Email verified", yesOrNo(u.EmailVerified)},
		{"Name", u.FullName},
		{"Status", u.Status},
		{"Administrator", yesOrNo(u.Admin)},
		{"Created", instant(user.CreatedAt.Time)},
		{"Changed", instant(user.UpdatedAt.Time)},
		{"Last sign-in", instant(user.LastLoginAt.Time)},
	}, setByRow(file)...))
}

// withUser finds the user that an argument names and calls do.
func (a *app) withUser(
	ctx context.Context, emailOrID string, do func(*server.Services, *account.User) error,
) error {
	return a.with(ctx, func(s *server.Services) error {
		user, err := s.Accounts.Find(ctx, emailOrID)
		if err != nil {
			return about(emailOrID, err)
		}
		return do(s, user)
	})
}
