package activity

import (
	"encoding/json"
	"time"

	"authy/storage"
)

// Entry is an event as readers see it. Seq and Hash are missing until it is
// linked into the chain.
type Entry struct {
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
	Seq            *int64            `json:"seq"`
	Hash           *string           `json:"hash"`
}

// EntryOf returns an event as readers see it.
func EntryOf(e *storage.Event) Entry {
	out := Entry{
		ID: e.ID, At: e.At.Time, Action: e.Action, Outcome: e.Outcome, Reason: e.Reason,
		ActorKind: e.ActorKind, ActorID: e.ActorID, TargetKind: e.TargetKind, TargetID: e.TargetID,
		OrganizationID: e.OrganizationID, IPAddress: e.IPAddress, UserAgent: e.UserAgent,
		RequestID: e.RequestID, SessionID: e.SessionID, Details: map[string]string{},
	}
	if e.Details != "" && json.Unmarshal([]byte(e.Details), &out.Details) != nil {
		// Somebody has changed the row, which verification will say; it is still shown.
		out.Details = map[string]string{"": e.Details}
	}
	if e.Seq != 0 {
		out.Seq, out.Hash = &e.Seq, &e.Hash
	}
	return out
}
