// Package audit keeps the record of who did what. An event is written in the
// transaction of what it records: both happen or neither does. The package
// refuses to know what an action means, and never sees a secret.
package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"authy/storage"
)

// Kind is what sort of actor acts.
type Kind string

// The kinds of actors.
const (
	Anonymous Kind = "anonymous"
	User      Kind = "user"
	Client    Kind = "client"
	Operator  Kind = "operator" // at a shell on the machine
	System    Kind = "system"   // the server itself
	Service   Kind = "service"  // a program that acts for an organization
)

// Actor is who acts, and from where.
type Actor struct {
	Kind      Kind
	ID        string
	IPAddress string
	UserAgent string
	// Languages are those that they want to be spoken to in, as in the header
	// Accept-Language, or one that was chosen.
	Languages string
	RequestID string
	SessionID string
	TokenID   string // of the API token by which they act; they have no session then
	OrgID     string // that a service acts for, and beyond which it is nobody
	// File is what says that it is to be so, where a file of the state does; who acts is
	// an operator then.
	File string
	// Plain says that who acts has left what they may do as an administrator of
	// the server behind.
	Plain bool
}

// As returns a as the user with an id, from the same place.
func (a Actor) As(userID string) Actor {
	a.Kind, a.ID = User, userID
	return a
}

// AsClient returns a as the client with a client_id, from the same place.
func (a Actor) AsClient(clientID string) Actor {
	a.Kind, a.ID = Client, clientID
	return a
}

// AsService returns a as the service with a token of an organization, from the
// same place.
func (a Actor) AsService(tokenID, orgID string) Actor {
	a.Kind, a.ID, a.TokenID, a.OrgID = Service, tokenID, tokenID, orgID
	return a
}

// Shell is the operator at the command line.
func Shell() Actor { return Actor{Kind: Operator, ID: "cli"} }

// StateFile is the operator who has written a file of the state.
func StateFile(file string) Actor { return Actor{Kind: Operator, ID: file, File: file} }

// Server is the server acting by itself.
func Server() Actor { return Actor{Kind: System, ID: "authy"} }

// The outcomes of an action.
const (
	Success = "success"
	Failure = "failure"
)

// Event is what happened. Details hold facts, never secrets.
type Event struct {
	Action     string // noun.verb, such as user.login
	Failed     bool
	Reason     string // a stable word: why it failed or was done
	TargetKind string // user, session, client, …
	TargetID   string
	OrgID      string
	Details    map[string]string
}

// maxAgent is how much of a User-Agent header is kept, in bytes.
const maxAgent = 256

// Record writes e as done by by at now, in tx.
func Record(ctx context.Context, tx *storage.Tx, by Actor, now time.Time, e Event) error {
	_, err := RecordAs(ctx, tx, by, now, e)
	return err
}

// RecordAs is [Record] for who wants to know the id of the event.
func RecordAs(ctx context.Context, tx *storage.Tx, by Actor, now time.Time, e Event) (id string, err error) {
	r, err := row(by, now, e)
	if err != nil {
		return "", err
	}
	if err := tx.InsertEvent(ctx, r); err != nil {
		return "", fmt.Errorf("record %s: %w", e.Action, err)
	}
	return r.ID, nil
}

// row is e as it is kept.
func row(by Actor, now time.Time, e Event) (*storage.Event, error) {
	outcome := Success
	if e.Failed {
		outcome = Failure
	}
	details := ""
	if len(e.Details) > 0 {
		text, err := json.Marshal(e.Details)
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", e.Action, err)
		}
		details = string(text)
	}
	return &storage.Event{
		ID: storage.NewID(), At: storage.At(now), Action: e.Action, Outcome: outcome,
		Reason: e.Reason, ActorKind: string(by.Kind), ActorID: by.ID,
		TargetKind: e.TargetKind, TargetID: e.TargetID, OrganizationID: e.OrgID,
		IPAddress: by.IPAddress, UserAgent: Cut(by.UserAgent, maxAgent), RequestID: by.RequestID,
		SessionID: cmp.Or(by.SessionID, by.TokenID), Details: details,
	}, nil
}

// Cut returns at most n bytes of s, as valid text without control characters.
func Cut(s string, n int) string {
	out := make([]rune, 0, min(len(s), n))
	size := 0
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			r = ' '
		}
		size += len(string(r))
		if size > n {
			break
		}
		out = append(out, r)
	}
	return string(out)
}
