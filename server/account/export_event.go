package account

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"authy/server/audit"
	"authy/storage"
)

// maxExportEvents is how many events of each sort an export holds at most: the
// newest ones.
const maxExportEvents = 10_000

// ExportEvent is a row of the audit log. Where somebody else acted, it does
// not say who, nor from where.
type ExportEvent struct {
	ID             string            `json:"id"`
	At             time.Time         `json:"at"`
	Action         string            `json:"action"`
	Outcome        string            `json:"outcome"`
	Reason         string            `json:"reason"`
	ActorKind      string            `json:"actor_kind"`
	ActorID        string            `json:"actor_id"`
	TargetKind     string            `json:"target_kind"`
	TargetID       string            `json:"target_id"`
	OrganizationID string            `json:"organization_id"`
	IPAddress      string            `json:"ip_address"`
	UserAgent      string            `json:"user_agent"`
	RequestID      string            `json:"request_id"`
	SessionID      string            `json:"session_id"`
	Details        map[string]string `json:"details"`
}

func (e *exporter) events(ctx context.Context) error {
	by, err := e.db.EventsBy(ctx, e.userID, maxExportEvents+1)
	if err != nil {
		return err
	}
	about, err := e.db.EventsAbout(ctx, e.userID, maxExportEvents+1)
	if err != nil {
		return err
	}
	e.out.EventsLeftOut = len(by) > maxExportEvents || len(about) > maxExportEvents
	all := slices.Concat(by[:min(len(by), maxExportEvents)], about[:min(len(about), maxExportEvents)])
	slices.SortFunc(all, func(a, b storage.Event) int {
		if c := b.At.Compare(a.At.Time); c != 0 {
			return c
		}
		return cmp.Compare(b.ID, a.ID)
	})
	e.out.Events = make([]ExportEvent, len(all))
	for i := range all {
		if e.out.Events[i], err = e.event(&all[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) event(row *storage.Event) (ExportEvent, error) {
	out := ExportEvent{
		ID: row.ID, At: row.At.Time, Action: row.Action, Outcome: row.Outcome, Reason: row.Reason,
		ActorKind: row.ActorKind, ActorID: row.ActorID, TargetKind: row.TargetKind, TargetID: row.TargetID,
		OrganizationID: row.OrganizationID, IPAddress: row.IPAddress, UserAgent: row.UserAgent,
		RequestID: row.RequestID, SessionID: row.SessionID, Details: map[string]string{},
	}
	others := row.ActorKind == string(audit.User) || row.ActorKind == string(audit.Service)
	if others && row.ActorID != e.userID {
		out.ActorID, out.IPAddress, out.UserAgent, out.RequestID, out.SessionID = "", "", "", "", ""
	}
	if row.Details == "" {
		return out, nil
	}
	return out, json.Unmarshal([]byte(row.Details), &out.Details)
}
