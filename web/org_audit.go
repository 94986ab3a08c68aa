package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"authy/server/activity"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/org"
	"authy/server/session"
)

// orgAuditPage is the data of page "org_audit".
type orgAuditPage struct {
	orgHead
	Actions  []optionView
	Outcomes []optionView
	From, To string // days
	Actor    string // an id
	Filtered bool
	Problem  string
	Events   []orgEvent
	Pager    pagerView
	CLI      cliPart
}

// orgEvent is a row of the log.
type orgEvent struct {
	ID, Action    string
	What          string // in plain words, "" for an action that has none
	Who, Whom     string
	WhoPath       string // what only they did
	At            time.Time
	Failed        bool
	Reason, Agent string
	Address       string
	Reference     string
	Facts         []orgFact
}

// orgFact is a detail of an event.
type orgFact struct{ Name, Value string }

// orgActions say in plain words what happens in an organization, in the order
// in which they can be chosen.
var orgActions = []struct{ action, words string }{
	{"org.create", msg("Organization created")},
	{"org.update", msg("Settings changed")},
	{"org.delete", msg("Organization deleted")},
	{"org.member.add", msg("Member added")},
	{"org.member.role_change", msg("Role changed")},
	{"org.member.remove", msg("Member removed")},
	{"org.invitation.create", msg("Invitation sent")},
	{"org.invitation.accept", msg("Invitation accepted")},
	{"org.invitation.decline", msg("Invitation declined")},
	{"org.invitation.revoke", msg("Invitation revoked")},
	{"org.security_policy.update", msg("Second factor: rule changed")},
	{"user.security_policy.override_update", msg("Second factor: exception for a member")},
	{"mfa.policy.user_notified", msg("Second factor: member reminded")},
	{"mfa.policy.user_compliant", msg("Second factor: member has set it up")},
	{"mfa.policy.user_suspended", msg("Second factor: member was too late")},
	{"org.domain_add", msg("Domain added")},
	{"org.domain_remove", msg("Domain removed")},
	{"provider.create", msg("Provider added")},
	{"provider.update", msg("Provider changed")},
	{"provider.delete", msg("Provider removed")},
	{"client.created", msg("App added")},
	{"client.updated", msg("App changed")},
	{"client.deleted", msg("App removed")},
	{"client.secret_rotated", msg("App: new secret")},
	{"client.auth_failed", msg("App: wrong secret")},
	{"consent.given", msg("App: access allowed")},
	{"consent.revoked", msg("App: access taken away")},
	{"authorize.granted", msg("App: signed in")},
	{"authorize.denied", msg("App: sign-in refused")},
	{"code.exchanged", msg("App: sign-in completed")},
	{"token.refreshed", msg("App: access renewed")},
	{"token.issued", msg("App: access of its own")},
	{"token.revoked", msg("App: access given back")},
	{"service.create", msg("SAML service added")},
	{"service.update", msg("SAML service changed")},
	{"service.delete", msg("SAML service removed")},
	{"service.use", msg("SAML service: signed in")},
	{"token.create", msg("API token made")},
	{"token.revoke", msg("API token revoked")},
	{"audit.export", msg("Audit log exported")},
}

// orgActionWords is what an action is called, "" for one that has no words.
func orgActionWords(action string) string {
	for _, a := range orgActions {
		if a.action == action {
			return a.words
		}
	}
	return ""
}

// orgAuditFilter reads which events are asked for. A day that is none is an
// error that says so.
func orgAuditFilter(q url.Values) (activity.Filter, error) {
	f := activity.Filter{Action: q.Get("action"), Outcome: q.Get("outcome"), Actor: strings.TrimSpace(q.Get("actor"))}
	for _, one := range []struct {
		text string
		at   *time.Time
		days int
	}{{q.Get("from"), &f.From, 0}, {q.Get("to"), &f.To, 1}} {
		if one.text == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, one.text)
		if err != nil {
			return activity.Filter{}, errNoDay
		}
		*one.at = day.AddDate(0, 0, one.days) // the last day is part of it
	}
	return f, nil
}

// errNoDay is what is said of a day that is none.
var errNoDay = fault.New(fault.Invalid, "bad_day", "Give days as in 2026-11-25.")

// showOrgAudit shows what happened in an organization.
func (wb *Web) showOrgAudit(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	q, by, orgID := r.URL.Query(), id.Actor(actor(r)), o.Organization.ID
	after, err := orgAfter(r)
	if err != nil {
		return err
	}
	page := orgAuditPage{
		orgHead: headOfOrg(o), From: q.Get("from"), To: q.Get("to"), Actor: q.Get("actor"),
		Actions: actionOptions(q.Get("action")), Outcomes: outcomeOptions(q.Get("outcome")),
	}
	status := http.StatusOK
	f, err := orgAuditFilter(q)
	var found activity.Page
	if err == nil {
		found, err = wb.Activity.OfOrganization(r.Context(), by, orgID, f, after, orgRows)
	}
	if err != nil {
		problem, code, ok := wb.told(r, err)
		if !ok || code != http.StatusBadRequest {
			return err
		}
		page.Problem, status = problem, code
	}
	page.Filtered = f != activity.Filter{}
	f.Organization = orgID
	page.CLI = auditCommand(f)
	page.Pager = orgPager(r, found.Next)
	if err := wb.nameOrgEvents(r, by, &page, found.Entries); err != nil {
		return err
	}
	wb.orgPage(w, r, status, o, "org_audit", "Audit log", page)
	return nil
}

// nameOrgEvents adds events with the names of who did what to whom.
func (wb *Web) nameOrgEvents(r *http.Request, by audit.Actor, page *orgAuditPage, found []activity.Entry) error {
	var ids []string
	for _, e := range found {
		ids = append(ids, e.ActorID, e.TargetID)
	}
	slices.Sort(ids)
	names, err := wb.Orgs.Names(r.Context(), by, page.ID, slices.Compact(ids))
	if err != nil {
		return err
	}
	for i := range found {
		page.Events = append(page.Events, wb.orgEventOf(r, &found[i], names, page.Root))
	}
	return nil
}

func (wb *Web) orgEventOf(r *http.Request, e *activity.Entry, names map[string]string, root string) orgEvent {
	out := orgEvent{
		ID: e.ID, Action: e.Action, What: orgActionWords(e.Action), At: e.At, Failed: e.Outcome == audit.Failure,
		Reason: e.Reason, Agent: browserName(wb.speaks(r), e.UserAgent), Address: e.IPAddress, Reference: e.RequestID,
		Who: wb.actorName(r, e, names),
	}
	if e.ActorKind == string(audit.User) {
		out.WhoPath = addressOf(root+"/audit", url.Values{"actor": {e.ActorID}})
	}
	switch name := names[e.TargetID]; {
	case name != "":
		out.Whom = name
	case e.TargetKind == "client" || e.TargetKind == "saml_service":
		out.Whom = e.TargetID
	case e.Details["email"] != "":
		out.Whom = e.Details["email"]
	case e.Details["name"] != "":
		out.Whom = e.Details["name"]
	}
	facts := []orgFact{{"target_kind", e.TargetKind}, {"target_id", e.TargetID}, {"actor_id", e.ActorID}}
	for name, value := range e.Details {
		facts = append(facts, orgFact{name, value})
	}
	slices.SortFunc(facts, func(a, b orgFact) int { return strings.Compare(a.Name, b.Name) })
	out.Facts = slices.DeleteFunc(facts, func(f orgFact) bool { return f.Value == "" })
	return out
}

// actorName is what to call who did it.
func (wb *Web) actorName(r *http.Request, e *activity.Entry, names map[string]string) string {
	if name := names[e.ActorID]; name != "" {
		return name
	}
	switch audit.Kind(e.ActorKind) {
	case audit.User:
		return wb.say(r, "Somebody who is not a member")
	case audit.Client:
		return e.ActorID
	case audit.Service:
		return wb.say(r, "A program with an API token")
	case audit.Operator:
		return wb.say(r, "An operator of the server")
	case audit.System:
		return wb.say(r, "The server itself")
	}
	return wb.say(r, "Somebody unknown")
}

func actionOptions(chosen string) []optionView {
	out := []optionView{{Label: msg("Everything")}}
	known := chosen == ""
	for _, a := range orgActions {
		known = known || a.action == chosen
		out = append(out, optionView{Value: a.action, Label: a.words, Chosen: a.action == chosen})
	}
	if !known {
		out = append(out, optionView{Value: chosen, Label: chosen, Chosen: true})
	}
	return out
}

func outcomeOptions(chosen string) []optionView {
	return []optionView{
		{Label: msg("Everything")},
		{Value: audit.Success, Label: msg("Done"), Chosen: chosen == audit.Success},
		{Value: audit.Failure, Label: msg("Refused"), Chosen: chosen == audit.Failure},
	}
}

// exportOrgAudit answers with what the filters let through, as a file.
func (wb *Web) exportOrgAudit(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	f, err := orgAuditFilter(r.PostForm)
	if err != nil {
		return err
	}
	return wb.sendAudit(w, r, id.Actor(actor(r)), o.Organization.ID, o.Organization.Slug+"-audit", f)
}
