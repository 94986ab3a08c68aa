package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"authy/server/fault"
	"authy/server/org"
	"authy/server/session"
	"authy/server/steady"
)

// orgSecurityPage is the data of page "org_security".
type orgSecurityPage struct {
	orgHead
	Fields   []inputView
	Problem  string
	CLI      cliPart // sets the rule
	ListCLI  cliPart // lists who meets it
	States   []optionView
	Filtered bool
	Mail     bool
	Members  []complianceRow
	Pager    pagerView
}

// complianceRow is a member and how they meet the policy.
type complianceRow struct {
	ID, Name, Email string
	Face            faceView
	State           stateView
	DeadlineAt      time.Time
	Reminders       int
	RemindedAt      time.Time
	MayRemind       bool
}

// policyModes are what can be asked of everyone, the least first.
var policyModes = []string{
	org.MFADisabled, org.MFAOptional, org.RequireEither, org.RequireWebAuthn, org.RequireTOTP,
}

func policyFields(mode, grace, notify string) []inputView {
	modes := make([]optionView, len(policyModes))
	for i, m := range policyModes {
		modes[i] = optionView{Value: m, Label: policyWords[m], Chosen: m == mode}
	}
	return []inputView{
		{Name: "mfa_policy_mode", Label: msg("What members need"), Kind: choice, Options: modes, Required: true},
		{
			Name: "mfa_grace_period_days", Label: msg("Days to set it up"), Kind: "number", Value: grace, Required: true,
			Hint: msg("0 to 365. After that, members without it are locked out until they set it up. 0 means right away."),
		},
		{
			Name: "notify_days_before", Label: msg("Days of reminders before the deadline"), Kind: "number", Value: notify,
			Required: true, Hint: msg("0 to 30. Members are reminded by mail, once a day."),
		},
	}
}

// complianceFilters are the states to choose from.
func complianceFilters(chosen string) []optionView {
	out := []optionView{
		{Label: msg("Everyone")},
		{Value: org.InGrace, Label: msg("Has time left")},
		{Value: org.Overdue, Label: msg("Overdue")},
		{Value: org.Compliant, Label: msg("Meets the rule")},
		{Value: org.NotApplicable, Label: msg("Nothing is asked")},
	}
	for i := range out {
		out[i].Chosen = out[i].Value == chosen
	}
	return out
}

// showOrgSecurity shows what is asked of members, and who meets it.
func (wb *Web) showOrgSecurity(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	return wb.renderOrgSecurity(w, r, http.StatusOK, id, o, func(*orgSecurityPage) {})
}

func (wb *Web) renderOrgSecurity(
	w http.ResponseWriter, r *http.Request, status int, id *session.Identity, o *org.View, change func(*orgSecurityPage),
) error {
	ctx, by, orgID := r.Context(), id.Actor(actor(r)), o.Organization.ID
	p, err := wb.Orgs.Policy(ctx, by, orgID)
	if err != nil {
		return err
	}
	after, err := orgAfter(r)
	if err != nil {
		return err
	}
	state := orgText(r, "status")
	found, next, err := wb.Orgs.Compliance(ctx, by, orgID, state, after, orgRows)
	if err != nil {
		return err
	}
	grace, notify := strconv.FormatInt(p.GraceDays, 10), strconv.FormatInt(p.NotifyDays, 10)
	page := orgSecurityPage{
		orgHead: headOfOrg(o), Fields: policyFields(p.Mode, grace, notify),
		CLI:     cliOf("authy org policy", o.Organization.Slug, "--mode", p.Mode, "--grace-days", grace, "--notify-days", notify),
		ListCLI: cliWith([]string{"authy org compliance", o.Organization.Slug}, [][2]string{{"--status", state}}),
		States:  complianceFilters(state), Filtered: state != "", Mail: wb.Orgs.Mail.Enabled(), Pager: orgPager(r, next),
	}
	now := steady.Now()
	for i := range found {
		page.Members = append(page.Members, wb.complianceRowOf(&found[i], page.Mail, now))
	}
	change(&page)
	wb.orgPage(w, r, status, o, "org_security", "Second factor", page)
	return nil
}

func (wb *Web) complianceRowOf(f *org.Found, mail bool, now time.Time) complianceRow {
	return complianceRow{
		ID: f.User.ID, Name: f.User.FullName, Email: f.User.Email, Face: wb.faceOf(f.User), State: complianceStates[f.Status],
		DeadlineAt: f.DeadlineAt, Reminders: int(f.Recorded.NotificationCount), RemindedAt: f.Recorded.LastNotifiedAt.Time,
		MayRemind: mail && org.MayRemind(f, now),
	}
}

// setOrgPolicy changes what is asked of members.
func (wb *Web) setOrgPolicy(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	form := r.PostForm
	mode := form.Get("mfa_policy_mode")
	in := org.PolicyChange{
		Mode: &mode, GraceDays: daysOf(form.Get("mfa_grace_period_days")), NotifyDays: daysOf(form.Get("notify_days_before")),
	}
	_, err := wb.Orgs.SetPolicy(r.Context(), id.Actor(actor(r)), o.Organization.ID, in)
	if f, ok := fault.In(r.Context(), err); ok && f.Kind == fault.Invalid {
		return wb.renderOrgSecurity(w, r, statuses[f.Kind], id, o, func(page *orgSecurityPage) {
			page.Fields = policyFields(mode, form.Get("mfa_grace_period_days"), form.Get("notify_days_before"))
			page.Problem, _ = problemsOf(r.Context(), err, page.Fields)
		})
	}
	if err != nil {
		return err
	}
	return wb.carry(w, r, orgPath(o, "security"), carried{Notice: wb.say(r, "The rule is saved. It holds from now on.")})
}

// daysOf is a number of days; what is none is a number that is refused.
func daysOf(text string) *int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
	if err != nil {
		n = -1
	}
	return &n
}

// remindMember mails a member until when they have to set a second factor up.
func (wb *Web) remindMember(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	err := wb.Orgs.Remind(r.Context(), id.Actor(actor(r)), o.Organization.ID, r.PostForm.Get("user"))
	if err != nil {
		return err
	}
	return wb.carry(w, r, orgPath(o, "security"), carried{Notice: wb.say(r, "The reminder is on its way.")})
}
