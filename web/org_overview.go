package web

import (
	"net/http"
	"time"

	"authy/server/org"
	"authy/server/session"
)

// orgOverviewPage is the data of page "org_overview".
type orgOverviewPage struct {
	orgHead
	Logo, Description, Role, RoleHint string
	Tiles                             []orgTile
	Attention                         []orgAttentionView
	// Policy is what is asked of everyone; Standing how the reader meets it.
	Policy     string
	Standing   stateView
	DeadlineAt time.Time
}

// orgTile is a number and where it leads.
type orgTile struct {
	Value       int
	Title, Path string
}

// orgAttentionView is something that there is to do, and where.
type orgAttentionView struct {
	Text, Path, Act string
	Bad             bool
}

// complianceStates name the states of members.
var complianceStates = map[string]stateView{
	org.NotApplicable: {msg("Nothing is asked"), false, false},
	org.Compliant:     {msg("Meets the rule"), true, false},
	org.InGrace:       {msg("Has time left"), false, false},
	org.PastDue:       {msg("Overdue"), false, true},
	org.Suspended:     {msg("Overdue"), false, true},
}

// policyWords say what the modes of a policy ask of everyone.
var policyWords = map[string]string{
	org.MFADisabled:     msg("No second factor is asked for"),
	org.MFAOptional:     msg("A second factor is optional"),
	org.RequireTOTP:     msg("An authenticator app is required"),
	org.RequireWebAuthn: msg("A passkey is required"),
	org.RequireEither:   msg("A passkey or an authenticator app is required"),
}

// showOrgOverview shows an organization to a member, as far as their role goes.
func (wb *Web) showOrgOverview(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	page := orgOverviewPage{
		orgHead: headOfOrg(o), Logo: o.Organization.LogoURL, Description: o.Organization.Description,
		Role: roleWords[o.Role], RoleHint: roleHints[o.Role],
	}
	standing, err := wb.Orgs.Standing(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	for _, p := range standing.Places {
		if p.Organization.ID == page.ID {
			page.Policy, page.Standing = modeWord(p.Mode), complianceStates[p.Status]
			page.DeadlineAt = p.DeadlineAt
		}
	}
	if page.Manager {
		if err := wb.fillOrgOverview(r, id, &page); err != nil {
			return err
		}
	}
	wb.orgPage(w, r, http.StatusOK, o, "org_overview", page.Name, page)
	return nil
}

// modeWord says what a mode asks of a member.
func modeWord(mode string) string {
	if word, ok := policyWords[mode]; ok {
		return word
	}
	return msg("A passkey and an authenticator app are required")
}

// fillOrgOverview adds what there is to know and to do for who manages it.
func (wb *Web) fillOrgOverview(r *http.Request, id *session.Identity, page *orgOverviewPage) error {
	n, err := wb.Orgs.Overview(r.Context(), id.Actor(actor(r)), page.ID)
	if err != nil {
		return err
	}
	page.Tiles = []orgTile{
		{int(n.Members), msg("Members"), page.Root + "/members"},
		{int(n.Invitations), msg("Open invitations"), page.Root + "/invitations"},
		{n.WithoutFactor, msg("Without a second factor"), page.Root + "/security"},
	}
	page.Attention = wb.orgAttention(r, page.Root, n)
	return nil
}

// orgAttention is what there is to do, the most urgent first.
func (wb *Web) orgAttention(r *http.Request, root string, n *org.Overview) (list []orgAttentionView) {
	asks := n.Policy.Mode != org.MFAOptional && n.Policy.Mode != org.MFADisabled
	if n.Late > 0 {
		list = append(list, orgAttentionView{
			wb.count(r, n.Late, "%d member has missed the deadline for a second factor and is locked out until they set one up.",
				"%d members have missed the deadline for a second factor and are locked out until they set one up."),
			root + "/security?status=" + org.Overdue, msg("See who"), true,
		})
	}
	if n.InGrace > 0 {
		list = append(list, orgAttentionView{
			wb.count(r, n.InGrace, "%d member has yet to set up a second factor. The first deadline is %s.",
				"%d members have yet to set up a second factor. The first deadline is %s.", wb.day(r, n.DeadlineAt)),
			root + "/security?status=" + org.InGrace, msg("See who"), false,
		})
	}
	if !asks && n.WithoutFactor > 0 {
		list = append(list, orgAttentionView{
			wb.count(r, n.WithoutFactor, "%d member signs in with a password alone.",
				"%d members sign in with a password alone."),
			root + "/security", msg("Require a second factor"), false,
		})
	}
	if n.Alone && n.Members > 1 {
		list = append(list, orgAttentionView{
			wb.say(r, "You are its only owner. If you lose your account, nobody can decide for the organization."),
			root + "/members", msg("Choose a second owner"), false,
		})
	}
	return list
}
