package account

import (
	"context"
	"fmt"
	"slices"
	"time"

	"authy/server/audit"
	"authy/server/steady"
	"authy/storage"
)

// Residence is a host that the server is reached at from a moment on.
type Residence struct {
	Host string
	From time.Time
}

// resides is the action of the event that the server is at another host.
const resides = "server.public_url"

// mostResidences is how many of them are remembered.
const mostResidences = 100

// Residences returns where the server was, the first one first. Passkeys belong to the
// host that they were made at.
func Residences(ctx context.Context, r storage.Reader) ([]Residence, error) {
	events, err := r.EventsMatching(ctx, storage.EventFilter{Action: resides}, storage.EventKey{}, mostResidences)
	if err != nil {
		return nil, fmt.Errorf("look up where the server was: %w", err)
	}
	var out []Residence
	for _, e := range slices.Backward(events) {
		out = append(out, Residence{e.TargetID, e.At.Time})
	}
	return out, nil
}

// Reside records the host that the server is at, if it was not at that one before.
func (s *Service) Reside(ctx context.Context) error {
	now, host := steady.Now(), RelyingPartyOf(s.PublicURL).ID
	before, err := Residences(ctx, s.db.Reader)
	if err != nil || len(before) > 0 && before[len(before)-1].Host == host {
		return err
	}
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		return audit.Record(ctx, tx, audit.Server(), now, audit.Event{
			Action: resides, TargetKind: "server", TargetID: host, Details: map[string]string{"url": s.PublicURL},
		})
	})
}
