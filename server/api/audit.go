package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"authy/server/activity"
	"authy/server/audit"
	"authy/server/session"
)

func (a *API) auditRoutes() {
	const message = "Audit events retrieved successfully"
	signed(a, "GET /api/v1/users/me/activity", 200, "Activity retrieved successfully", "What I did and what was done to me", a.myActivity)
	signed(a, "GET /api/v1/organizations/{id}/audit", 200, message, "What happened in an organization", a.orgAudit)
	signed(a, "GET /api/v1/admin/audit", 200, message, "Everything that happened", a.allAudit)
	signed(a, "POST /api/v1/admin/audit/verify", 200, "Audit log verified", "Check that nobody has altered the log", a.verifyAudit)
	download(a, "GET /api/v1/organizations/{id}/audit/export", "Export what happened in an organization", exportTypes, a.exportOrgAudit)
	download(a, "GET /api/v1/admin/audit/export", "Export everything that happened", exportTypes, a.exportAudit)
}

// eventView is an event of the audit log.
type eventView struct {
	ID             string            `json:"id" format:"uuid"`
	At             time.Time         `json:"at"`
	Action         string            `json:"action" example:"user.login"`
	Outcome        string            `json:"outcome" enum:"success,failure"`
	Reason         string            `json:"reason" doc:"Why it failed or was done"`
	ActorKind      string            `json:"actor_kind" enum:"anonymous,user,client,service,operator,system"`
	ActorID        string            `json:"actor_id"`
	TargetKind     string            `json:"target_kind" example:"user"`
	TargetID       string            `json:"target_id"`
	OrganizationID string            `json:"organization_id"`
	IPAddress      string            `json:"ip_address"`
	UserAgent      string            `json:"user_agent"`
	RequestID      string            `json:"request_id"`
	SessionID      string            `json:"session_id" doc:"The session, or the API token, by which it was done"`
	Details        map[string]string `json:"details"`
	Seq            *int64            `json:"seq" nullable:"true" doc:"Its number in the chain, null until it is linked"`
	Hash           *string           `json:"hash" nullable:"true" doc:"The keyed hash over it and the one before"`
}

// eventsOut is a page of the audit log, the newest event first.
type eventsOut struct {
	Events []eventView `json:"events"`
	Count  int         `json:"count"`
	PageOut
}

func eventsOf(p activity.Page, err error) (*eventsOut, error) {
	if err != nil {
		return nil, err
	}
	out := &eventsOut{Events: make([]eventView, len(p.Entries)), Count: len(p.Entries), PageOut: PageOut{p.Next}}
	for i, e := range p.Entries {
		out.Events[i] = eventView(e)
	}
	return out, nil
}

// OwnEvents says which of one's own events are asked for. Like all that is
// embedded in an input it is exported, or it would not be read.
type OwnEvents struct {
	Action  string    `query:"action" maxLength:"256" doc:"Only this action" example:"user.login"`
	Outcome string    `query:"outcome" enum:"success,failure"`
	From    time.Time `query:"from" doc:"Not before this moment"`
	To      time.Time `query:"to" doc:"Before this moment"`
}

func (in *OwnEvents) filter() activity.Filter {
	return activity.Filter{Action: in.Action, Outcome: in.Outcome, From: in.From, To: in.To}
}

// SomeEvents says which events are asked for.
type SomeEvents struct {
	OwnEvents
	Actor  string `query:"actor" maxLength:"256" doc:"Only what this user or client did"`
	Target string `query:"target" maxLength:"256" doc:"Only what was done to the record with this id"`
}

func (in *SomeEvents) filter() activity.Filter {
	f := in.OwnEvents.filter()
	f.Actor, f.Target = in.Actor, in.Target
	return f
}

// AnyEvents is [SomeEvents] over all organizations.
type AnyEvents struct {
	SomeEvents
	Organization string `query:"organization" maxLength:"256" doc:"Only what happened in the organization with this id"`
}

func (in *AnyEvents) filter() activity.Filter {
	f := in.SomeEvents.filter()
	f.Organization = in.Organization
	return f
}

type myActivityIn struct {
	PageIn
	OwnEvents
}

func (a *API) myActivity(ctx context.Context, _ *session.Identity, by audit.Actor, in *myActivityIn) (*eventsOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	return eventsOf(a.Activity.Mine(ctx, by, in.filter(), after, in.Limit))
}

type orgAuditIn struct {
	ID string `path:"id"`
	PageIn
	SomeEvents
}

func (a *API) orgAudit(ctx context.Context, _ *session.Identity, by audit.Actor, in *orgAuditIn) (*eventsOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	return eventsOf(a.Activity.OfOrganization(ctx, by, in.ID, in.filter(), after, in.Limit))
}

type allAuditIn struct {
	PageIn
	AnyEvents
}

func (a *API) allAudit(ctx context.Context, _ *session.Identity, by audit.Actor, in *allAuditIn) (*eventsOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	return eventsOf(a.Activity.All(ctx, by, in.filter(), after, in.Limit))
}

type verifiedOut struct {
	Whole    bool    `json:"whole" doc:"Whether nothing is wrong"`
	Checked  int64   `json:"checked" doc:"Events that are whole and in their place"`
	Unlinked int64   `json:"unlinked" doc:"Events that are not in the chain yet"`
	Head     string  `json:"head" doc:"Where the chain ends, to be noted elsewhere" example:"42:HASH"`
	Damage   *string `json:"damage" nullable:"true" doc:"The first thing that is wrong, in a sentence"`
}

func (a *API) verifyAudit(ctx context.Context, _ *session.Identity, by audit.Actor, _ *struct{}) (*verifiedOut, error) {
	r, err := a.Activity.Verify(ctx, by, audit.Note{})
	if err != nil {
		return nil, err
	}
	out := &verifiedOut{Whole: r.Damage == nil, Checked: r.Checked, Unlinked: r.Unlinked, Head: r.Head}
	if r.Damage != nil {
		text := r.Damage.String()
		out.Damage = &text
	}
	return out, nil
}

// exportTypes are the media types of an export.
var exportTypes = map[string]string{
	activity.JSONL: "application/x-ndjson", activity.CSV: "text/csv; charset=utf-8",
}

// Form says in which form a file is asked for.
type Form struct {
	Format string `query:"format" enum:"jsonl,csv" default:"jsonl"`
}

type exportOrgAuditIn struct {
	ID string `path:"id"`
	Form
	SomeEvents
}

func (a *API) exportOrgAudit(ctx context.Context, by audit.Actor, in *exportOrgAuditIn) (*huma.StreamResponse, error) {
	return exported(in.Format)(a.Activity.Export(ctx, by, in.ID, in.filter()))
}

type exportAuditIn struct {
	Form
	AnyEvents
}

func (a *API) exportAudit(ctx context.Context, by audit.Actor, in *exportAuditIn) (*huma.StreamResponse, error) {
	return exported(in.Format)(a.Activity.Export(ctx, by, "", in.filter()))
}

// exported answers with entries as a file in a form.
func exported(form string) func(activity.Entries, error) (*huma.StreamResponse, error) {
	return func(entries activity.Entries, err error) (*huma.StreamResponse, error) {
		if err != nil {
			return nil, err
		}
		return file("audit."+form, exportTypes[form], func(w *patientWriter) error {
			return activity.Write(w, form, entries)
		}), nil
	}
}
