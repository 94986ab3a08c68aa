package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"authy/server/account"
	"authy/server/managed"
	"authy/server/session"
)

// adminListed is how many rows a list of the administration has.
const adminListed = 50

// adminUsersPage is the data of page "admin_users".
type adminUsersPage struct {
	Search   string
	Status   []optionView
	Kind     []optionView
	Filtered bool
	Users    []userRow
	Pager    pagerView
	CLI      cliPart
}

// userRow is a user in a list.
type userRow struct {
	ID, Name, Email string
	Face            faceView
	State           stateView
	Admin           bool
	LastSignIn      time.Time
}

// stateView is a state of a person or a thing in a word, and how it looks.
type stateView struct {
	Text    string
	On, Bad bool
}

// userStates name the states of a user.
var userStates = map[string]stateView{
	"active":    {msg("Active"), true, false},
	"suspended": {msg("Suspended"), false, true},
	"inactive":  {msg("Inactive"), false, false},
	"pending":   {msg("Pending"), false, false},
}

// userKinds are the filters of the list of users beside their states.
var userKinds = []struct{ value, label string }{
	{"", msg("Everyone")},
	{"admin", msg("Administrators")},
	{"plain-admin", msg("Administrators without a second factor")},
	{"no-factor", msg("Without a second factor")},
	{"factor", msg("With a second factor")},
}

func (wb *Web) registerAdminUsers(get, post func(string, handler)) {
	get("/admin/users", wb.admin(wb.showUsers))
	get("/admin/users/:id", wb.admin(orNew(wb.showNewUser, wb.showUser)))
	post("/admin/users/:id", wb.admin(orNew(wb.createUser, wb.saveUser)))
	get("/admin/users/:id/sign-in", wb.admin(wb.showUserSignIn))
	get("/admin/users/:id/sessions", wb.admin(wb.showUserSessions))
	get("/admin/users/:id/access", wb.admin(wb.showUserAccess))
	get("/admin/users/:id/activity", wb.admin(wb.showUserActivity))
	get("/admin/users/:id/do/:act", wb.admin(wb.askUserAct))
	post("/admin/users/:id/do/:act", wb.admin(wb.doUserAct))
}

// orNew is a handler for the record that the path names, or for one that is to be
// made where it says "new".
func orNew(fresh, one personal) personal {
	return func(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
		if param(r, "id") == "new" {
			return fresh(w, r, id)
		}
		return one(w, r, id)
	}
}

func (wb *Web) userRowOf(u *account.User) userRow {
	return userRow{
		ID: u.ID, Name: u.FullName, Email: u.Email, Face: wb.faceOf(u), State: userStates[string(u.Status)], Admin: u.IsAdmin,
		LastSignIn: u.LastLoginAt.Time,
	}
}

// showUsers lists users.
func (wb *Web) showUsers(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	q := r.URL.Query()
	filter, kind := account.Filter{Status: account.Status(askedText(q.Get("status")))}, q.Get("kind")
	switch kind {
	case "admin":
		filter.Admin = new(true)
	case "plain-admin":
		filter.Admin, filter.HasFactor = new(true), new(false)
	case "factor", "no-factor":
		filter.HasFactor = new(kind == "factor")
	}
	users, next, err := wb.Accounts.Search(r.Context(), id.Actor(actor(r)), filter, q.Get("search"), askedKey(q.Get("after")), adminListed)
	if err != nil {
		return err
	}
	page := adminUsersPage{
		Search: q.Get("search"), Status: stateOptions(q.Get("status")), Pager: adminPager(r, next),
		Filtered: q.Get("search") != "" || filter != account.Filter{}, CLI: usersCommand(q.Get("search"), filter),
	}
	for _, k := range userKinds {
		page.Kind = append(page.Kind, optionView{Value: k.value, Label: k.label, Chosen: k.value == kind})
	}
	for i := range users {
		page.Users = append(page.Users, wb.userRowOf(&users[i]))
	}
	wb.adminPage(w, r, http.StatusOK, "admin_users", "Users", page)
	return nil
}

// usersCommand is the command that lists the same.
func usersCommand(search string, f account.Filter) cliPart {
	command := []string{"authy user list"}
	if f.Admin != nil {
		command = append(command, "--admin")
	}
	if f.HasFactor != nil {
		command = append(command, fmt.Sprintf("--second-factor=%t", *f.HasFactor))
	}
	return cliWith(command, [][2]string{{"--search", search}, {"--status", string(f.Status)}})
}

func stateOptions(chosen string) []optionView {
	out := []optionView{{Label: msg("Any state")}}
	for _, state := range []string{"active", "suspended", "pending", "inactive"} {
		out = append(out, optionView{Value: state, Label: userStates[state].Text, Chosen: state == chosen})
	}
	return out
}

// askedKey is the place in a list that a query names, "" for what none can be.
func askedKey(text string) string {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return ""
	}
	return text
}

// adminPager leads to the page of a list after next, and back to the first one.
func adminPager(r *http.Request, next string) (p pagerView) {
	q := r.URL.Query()
	if q.Has("after") {
		q.Del("after")
		p.Back = addressOf(r.URL.Path, q)
	}
	if next != "" {
		q.Set("after", next)
		p.Next = addressOf(r.URL.Path, q)
	}
	return p
}

// addressOf is an address with what is asked of it.
func addressOf(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// adminNewUserPage is the data of page "admin_new_user".
type adminNewUserPage struct {
	Fields  []inputView
	Problem string
	Mail    bool
}

// newUserFields are the fields of a new user, filled as a form says.
func newUserFields(form url.Values) []inputView {
	return []inputView{
		{Name: "email", Label: msg("Email address"), Kind: "email", Value: form.Get("email"), Required: true},
		{Name: "full_name", Label: msg("Name"), Value: form.Get("full_name")},
		{
			Name: "password", Label: msg("Password"), Kind: "password", Autocomplete: "new-password",
			Hint: msg("Leave it empty to get a link by which they choose one themselves."),
		},
		{
			Name: "email_verified", Label: msg("I know that the address is theirs"), Kind: checkbox, Value: form.Get("email_verified"),
			Hint: msg("Apps are then told that it is verified."),
		},
		{
			Name: "is_admin", Label: msg("Administrator of the server"), Kind: checkbox, Value: form.Get("is_admin"),
			Hint: msg("May do all that you may, here and by the API."),
		},
	}
}

func (wb *Web) showNewUser(w http.ResponseWriter, r *http.Request, _ *session.Identity) error {
	wb.adminPage(w, r, http.StatusOK, "admin_new_user", "Add a user", adminNewUserPage{Fields: newUserFields(nil)})
	return nil
}

// createUser adds a user, who gets the password that was typed, or a link to choose one.
func (wb *Web) createUser(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	form, by := r.PostForm, id.Actor(actor(r))
	in := account.NewUser{
		Email: form.Get("email"), FullName: form.Get("full_name"), Password: form.Get("password"),
		EmailVerified: form.Get("email_verified") == "yes", Admin: form.Get("is_admin") == "yes",
	}
	var user *account.User
	var err error
	left := carried{}
	if in.Password == "" {
		var link *account.HandedLink
		if link, err = wb.Accounts.Invite(r.Context(), by, in); err == nil {
			user, left.Secret = link.User, wb.PublicURL+link.Path
			left.Notice = wb.say(r, "The user is added. Give them this link: it works once, for 24 hours.")
		}
	} else if user, err = wb.Accounts.Create(r.Context(), by, in); err == nil {
		left.Notice = wb.say(r, "The user is added and can sign in now.")
	}
	if err == nil {
		return wb.carry(w, r, "/admin/users/"+user.ID, left)
	}
	fields := newUserFields(form)
	rest, told := problemsOf(r.Context(), err, fields)
	if !told {
		return err
	}
	wb.adminPage(w, r, refusedWith(r.Context(), err), "admin_new_user", "Add a user", adminNewUserPage{Fields: fields, Problem: rest})
	return nil
}

// userHead is what the pages about a user have in common.
type userHead struct {
	userRow
	Tabs []navItem
}

// userTabs are the pages about a user.
var userTabs = []navItem{
	{Title: msg("Profile"), Path: ""},
	{Title: msg("Sign-in"), Path: "/sign-in"},
	{Title: msg("Sessions"), Path: "/sessions"},
	{Title: msg("Access"), Path: "/access"},
	{Title: msg("Activity"), Path: "/activity"},
}

func (wb *Web) userHeadOf(r *http.Request, u *account.User) userHead {
	head := userHead{userRow: wb.userRowOf(u), Tabs: make([]navItem, len(userTabs))}
	for i, tab := range userTabs {
		tab.Path = "/admin/users/" + u.ID + tab.Path
		tab.Below = r.URL.Path == tab.Path
		head.Tabs[i] = tab
	}
	return head
}

// userOf returns the user whom the path names.
func (wb *Web) userOf(r *http.Request, id *session.Identity) (*account.User, error) {
	return wb.Accounts.Show(r.Context(), id.Actor(actor(r)), param(r, "id"))
}

// adminUserPage is the data of page "admin_user".
type adminUserPage struct {
	subject
	User     userHead
	Fields   []inputView
	Problem  string
	Facts    []factPart
	Created  time.Time
	Verified time.Time
	Acts     []actLink
	Delete   actLink
}

// actLink leads to the page of an act.
type actLink struct{ Path, Title, Text, Note string }

// userProfileFields are the fields of a user's profile, filled with what is kept or a form says.
func userProfileFields(value func(name string) string) []inputView {
	fields := []inputView{
		{Name: "full_name", Label: msg("Name")},
		{Name: "given_name", Label: msg("Given name")},
		{Name: "family_name", Label: msg("Family name")},
		{Name: "nickname", Label: msg("Nickname")},
		{Name: "preferred_username", Label: msg("Username"), Hint: msg("Apps may show it; nobody signs in with it.")},
		{Name: "phone_number", Label: msg("Phone number"), Kind: "tel", Hint: msg("With the country, such as +49 30 123456.")},
		{Name: "locale", Label: msg("Language"), Hint: msg("A tag such as de or en-GB.")},
		{Name: "zoneinfo", Label: msg("Time zone"), Hint: msg("Such as Europe/Berlin.")},
	}
	for i := range fields {
		fields[i].Value = value(fields[i].Name)
	}
	return fields
}

// userProfile tells what is kept of a user, by the names of the fields.
func userProfile(u *account.User) func(string) string {
	kept := map[string]string{
		"full_name": u.FullName, "given_name": u.GivenName, "family_name": u.FamilyName, "nickname": u.Nickname,
		"preferred_username": u.PreferredUsername, "phone_number": u.PhoneNumber, "locale": u.Locale, "zoneinfo": u.Zoneinfo,
	}
	return func(name string) string { return kept[name] }
}

func (wb *Web) showUser(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	u, err := wb.userOf(r, id)
	if err != nil {
		return err
	}
	wb.renderUser(w, r, http.StatusOK, u, userProfileFields(userProfile(u)), "")
	return nil
}

func (wb *Web) renderUser(
	w http.ResponseWriter, r *http.Request, status int, u *account.User, fields []inputView, problem string,
) {
	page := adminUserPage{
		subject: subject{managed.User, u.ID},
		User:    wb.userHeadOf(r, u), Fields: fields, Problem: problem, Created: u.CreatedAt.Time, Verified: u.EmailVerifiedAt.Time,
		Delete: linkTo(u, "delete"),
	}
	for _, name := range profileActs(u) {
		page.Acts = append(page.Acts, linkTo(u, name))
	}
	wb.adminPage(w, r, status, "admin_user", "User", page)
}

// saveUser changes the profile of a user.
func (wb *Web) saveUser(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	fields := userProfileFields(r.PostForm.Get)
	name := strings.TrimSpace(r.PostForm.Get("full_name"))
	in := account.Correction{FullName: &name, Profile: map[string]string{}}
	for _, f := range fields[1:] {
		in.Profile[f.Name] = f.Value
	}
	userID := param(r, "id")
	_, err := wb.Accounts.Correct(r.Context(), id.Actor(actor(r)), userID, in)
	if err == nil {
		return wb.carry(w, r, "/admin/users/"+userID, carried{Notice: wb.say(r, "Saved.")})
	}
	rest, told := problemsOf(r.Context(), err, fields)
	if !told {
		return err
	}
	u, showErr := wb.userOf(r, id)
	if showErr != nil {
		return showErr
	}
	wb.renderUser(w, r, refusedWith(r.Context(), err), u, fields, rest)
	return nil
}
