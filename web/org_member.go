package web

import (
	"net/http"
	"time"

	"authy/server/fault"
	"authy/server/org"
	"authy/server/session"
)

func (wb *Web) registerOrgMembers(get, post func(path string, h handler), one string) {
	get(one+"/members", wb.member(wb.listMembers))
	get(one+"/members/:user", wb.manager(wb.showMember))
	post(one+"/members/:user/role", wb.manager(wb.setMemberRole))
	post(one+"/members/:user/factor", wb.manager(wb.setMemberFactor))
	get(one+"/members/:user/remove", wb.manager(wb.askRemoveMember))
	post(one+"/members/:user/remove", wb.manager(wb.removeMember))
	get(one+"/members/:user/transfer", wb.manager(wb.askTransfer))
	post(one+"/members/:user/transfer", wb.manager(wb.transfer))
}

// orgMembersPage is the data of page "org_members".
type orgMembersPage struct {
	orgHead
	Search   string
	Roles    []optionView
	Filtered bool
	Members  []memberRow
	Pager    pagerView
}

// memberRow is a member in the list.
type memberRow struct {
	UserID, FullName, Email, Role string
	Face                          faceView
	Factors                       string // "" where the reader is not told
	NoFactor, Me                  bool
	Since                         time.Time
}

// factorWord says what someone has beside a password.
func factorWord(f org.Factors) string {
	switch {
	case f.WebAuthn && f.TOTP:
		return msg("Passkey and authenticator app")
	case f.WebAuthn:
		return msg("Passkey")
	case f.TOTP:
		return msg("Authenticator app")
	}
	return msg("None")
}

func (wb *Web) memberRowOf(p *org.Person, head orgHead, id *session.Identity) memberRow {
	row := memberRow{
		UserID: p.User.ID, FullName: p.User.FullName, Email: p.User.Email, Role: roleWords[p.Member.Role], Face: wb.faceOf(p.User),
		Me: mine(id, p.User.ID), Since: p.Member.CreatedAt.Time,
	}
	if head.Manager {
		row.Factors, row.NoFactor = factorWord(p.Factors), p.Factors == org.Factors{}
	}
	return row
}

// listMembers lists members, found by what they are called.
func (wb *Web) listMembers(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	after, err := orgAfter(r)
	if err != nil {
		return err
	}
	sought := org.Sought{Text: orgText(r, "q"), Role: org.Role(r.URL.Query().Get("role"))}
	found, next, err := wb.Orgs.SearchMembers(r.Context(), id.Actor(actor(r)), o.Organization.ID, sought, after, orgRows)
	if err != nil {
		return err
	}
	page := orgMembersPage{
		orgHead: headOfOrg(o), Search: sought.Text, Filtered: sought != org.Sought{}, Pager: orgPager(r, next),
		Roles: append([]optionView{{Label: msg("Any role")}}, roleOptions(org.Roles(), sought.Role)...),
	}
	for i := range found {
		page.Members = append(page.Members, wb.memberRowOf(&found[i], page.orgHead, id))
	}
	wb.orgPage(w, r, http.StatusOK, o, "org_members", "Members", page)
	return nil
}

// orgMemberPage is the data of page "org_member".
type orgMemberPage struct {
	orgHead
	memberRow
	RoleValue    string
	May          bool // whether the reader may change anything
	MayTransfer  bool
	RoleFields   []inputView
	FactorFields []inputView
	State        stateView
	DeadlineAt   time.Time
	Reminders    int
	RemindedAt   time.Time
	Problem      string
}

// overrideOptions are what can be asked of one member.
func overrideOptions(chosen string) []optionView {
	out := []optionView{
		{Value: org.OverrideInherit, Label: msg("Same as everyone")},
		{Value: org.OverrideRequired, Label: msg("Always required of this member")},
		{Value: org.OverrideExempt, Label: msg("This member is exempt")},
	}
	for i := range out {
		out[i].Chosen = out[i].Value == chosen
	}
	return out
}

func (wb *Web) memberPageOf(o *org.View, d *org.Detail, id *session.Identity) orgMemberPage {
	page := orgMemberPage{
		orgHead: headOfOrg(o), RoleValue: string(d.Member.Role), May: d.May, State: complianceStates[d.Found.Status],
		DeadlineAt: d.Found.DeadlineAt, Reminders: int(d.Found.Recorded.NotificationCount),
		RemindedAt: d.Found.Recorded.LastNotifiedAt.Time,
	}
	page.memberRow = wb.memberRowOf(&d.Person, page.orgHead, id)
	page.MayTransfer = page.Owner && !page.Me && d.Member.Role != org.Owner
	page.RoleFields = []inputView{{
		Name: "role", Label: msg("Role"), Kind: choice, Required: true, Options: roleOptions(org.Grantable(o.Role), d.Member.Role),
	}}
	page.FactorFields = overrideFields(d.Override)
	return page
}

func overrideFields(in org.Override) []inputView {
	return []inputView{
		{
			Name: "mfa_override_mode", Label: msg("Second factor"), Kind: choice, Required: true,
			Options: overrideOptions(in.Mode),
		},
		{
			Name: "force_webauthn", Label: msg("Must have a passkey"), Kind: checkbox,
			Value: yes(in.ForceWebAuthn),
		},
		{
			Name: "force_totp", Label: msg("Must have an authenticator app"), Kind: checkbox,
			Value: yes(in.ForceTOTP),
		},
	}
}

// showMember shows a member with what can be done about them.
func (wb *Web) showMember(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	return wb.renderMember(w, r, http.StatusOK, id, o, func(*orgMemberPage) {})
}

// renderMember shows a member as change leaves the page.
func (wb *Web) renderMember(
	w http.ResponseWriter, r *http.Request, status int, id *session.Identity, o *org.View, change func(*orgMemberPage),
) error {
	d, err := wb.Orgs.ShowMember(r.Context(), id.Actor(actor(r)), o.Organization.ID, param(r, "user"))
	if err != nil {
		return err
	}
	page := wb.memberPageOf(o, d, id)
	change(&page)
	wb.orgPage(w, r, status, o, "org_member", nameOr(page.FullName, page.Email), page)
	return nil
}

// nameOr is what to call someone who may have no name.
func nameOr(name, email string) string {
	if name == "" {
		return email
	}
	return name
}

// setMemberRole gives a member another role.
func (wb *Web) setMemberRole(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	user, role := param(r, "user"), org.Role(r.PostForm.Get("role"))
	_, err := wb.Orgs.SetRole(r.Context(), id.Actor(actor(r)), o.Organization.ID, user, role)
	if problem, status, ok := wb.told(r, lastOwner(err)); ok && status != http.StatusNotFound {
		return wb.renderMember(w, r, status, id, o, func(page *orgMemberPage) { page.Problem = problem })
	}
	if err != nil {
		return err
	}
	to := orgPath(o, "members", user)
	if mine(id, user) && role != org.Owner && role != org.Admin {
		to = orgPath(o)
	}
	return wb.carry(w, r, to, carried{Notice: wb.say(r, "The role is changed.")})
}

// lastOwner is err as a person is told it.
func lastOwner(err error) error {
	if f, ok := fault.As(err); ok && f.Is(org.ErrLastOwner) {
		return fault.New(f.Kind, f.Code, msg("The organization needs an owner. Make someone else its owner first."))
	}
	return err
}

// setMemberFactor sets what is asked of one member.
func (wb *Web) setMemberFactor(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	user, form := param(r, "user"), r.PostForm
	in := org.Override{
		Mode: form.Get("mfa_override_mode"), ForceTOTP: form.Get("force_totp") == "yes",
		ForceWebAuthn: form.Get("force_webauthn") == "yes",
	}
	err := wb.Orgs.SetOverride(r.Context(), id.Actor(actor(r)), o.Organization.ID, user, in)
	if f, ok := fault.In(r.Context(), err); ok && (f.Kind == fault.Invalid || f.Kind == fault.Forbidden) {
		return wb.renderMember(w, r, statuses[f.Kind], id, o, func(page *orgMemberPage) {
			page.FactorFields = overrideFields(in)
			page.Problem, _ = problemsOf(r.Context(), err, page.FactorFields)
		})
	}
	if err != nil {
		return err
	}
	return wb.carry(w, r, orgPath(o, "members", user), carried{Notice: wb.say(r, "The exception is saved.")})
}

// askRemoveMember says what happens to a member who is removed.
func (wb *Web) askRemoveMember(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	return wb.confirmRemove(w, r, http.StatusOK, id, o, "")
}

func (wb *Web) confirmRemove(
	w http.ResponseWriter, r *http.Request, status int, id *session.Identity, o *org.View, problem string,
) error {
	page, email, err := wb.memberConfirm(r, id, o, problem)
	if err != nil {
		return err
	}
	page.Heading = wb.say(r, "Remove %s?", page.Crumb)
	page.What = []string{
		wb.say(r, "%s loses access to %s right away.", email, o.Organization.Name),
		wb.say(r, "Their account stays. To come back, they need a new invitation."),
	}
	page.Button = wb.say(r, "Remove from the organization")
	page.CLI = cliOf("authy org member remove", o.Organization.Slug, email)
	return wb.showOrgConfirm(w, r, status, o, page)
}

// memberConfirm is a page that asks before something happens to the member of the
// path, and the member's address.
func (wb *Web) memberConfirm(
	r *http.Request, id *session.Identity, o *org.View, problem string,
) (page orgConfirmPage, email string, err error) {
	d, err := wb.Orgs.ShowMember(r.Context(), id.Actor(actor(r)), o.Organization.ID, param(r, "user"))
	if err != nil {
		return orgConfirmPage{}, "", err
	}
	return orgConfirmPage{
		Crumb: nameOr(d.User.FullName, d.User.Email), CrumbPath: orgPath(o, "members", d.User.ID), Problem: problem,
	}, d.User.Email, nil
}

// removeMember ends a membership.
func (wb *Web) removeMember(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	user := param(r, "user")
	err := wb.Orgs.Remove(r.Context(), id.Actor(actor(r)), o.Organization.ID, user)
	if problem, status, ok := wb.told(r, lastOwner(err)); ok && status != http.StatusNotFound {
		return wb.confirmRemove(w, r, status, id, o, problem)
	}
	if err != nil {
		return err
	}
	to := orgPath(o, "members")
	if mine(id, user) {
		to = "/organizations"
	}
	return wb.carry(w, r, to, carried{Notice: wb.say(r, "The member is removed.")})
}

// askTransfer says what happens when somebody else becomes the owner.
func (wb *Web) askTransfer(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	return wb.confirmTransfer(w, r, http.StatusOK, id, o, "")
}

func (wb *Web) confirmTransfer(
	w http.ResponseWriter, r *http.Request, status int, id *session.Identity, o *org.View, problem string,
) error {
	page, email, err := wb.memberConfirm(r, id, o, problem)
	if err != nil {
		return err
	}
	page.Heading = wb.say(r, "Make %s the owner?", page.Crumb)
	page.What = []string{
		wb.say(r, "%s becomes an owner of %s, and you become an admin.", email, o.Organization.Name),
		wb.say(r, "You cannot undo this yourself: only an owner can make you an owner again."),
	}
	page.Typed, page.Button = o.Organization.Slug, wb.say(r, "Transfer ownership")
	page.CLI = cliLines(
		cliOf("authy org member role", o.Organization.Slug, email, "owner"),
		cliOf("authy org member role", o.Organization.Slug, id.User.Email, "admin"),
	)
	return wb.showOrgConfirm(w, r, status, o, page)
}

// transfer makes another member the owner in the reader's place.
func (wb *Web) transfer(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	if r.PostForm.Get("confirm") != o.Organization.Slug {
		return wb.confirmTransfer(w, r, http.StatusBadRequest, id, o, wb.say(r, "This is not the short name. Nothing was done."))
	}
	_, err := wb.Orgs.Transfer(r.Context(), id.Actor(actor(r)), o.Organization.ID, param(r, "user"))
	if problem, status, ok := wb.told(r, err); ok && status != http.StatusNotFound {
		return wb.confirmTransfer(w, r, status, id, o, problem)
	}
	if err != nil {
		return err
	}
	return wb.carry(w, r, orgPath(o, "members"), carried{Notice: wb.say(r, "The organization has a new owner. You are an admin now.")})
}
