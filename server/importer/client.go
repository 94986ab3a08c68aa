package importer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"authy/server/account"
	"authy/server/fault"
	"authy/storage"
)

// draft is a client with the record that it would become, or why it becomes none.
type draft struct {
	*Client
	record *storage.Client
	notes  []string
	reason string
}

// drafts checks clients, before the transaction.
func (i *Importer) drafts(ctx context.Context, clients []Client, now time.Time) ([]draft, error) {
	out := make([]draft, len(clients))
	for n := range clients {
		d := &out[n]
		d.Client = &clients[n]
		hash := d.SecretHash
		switch {
		case d.Public:
			if hash != "" {
				d.notes = append(d.notes, "its secret was left out: it is public, and nobody ever checked it")
			}
			hash = ""
		case hash == "":
			d.reason = "it has no secret, and is not public: register it anew"
			continue
		case account.HashProblem(hash) != "":
			d.reason = "its secret cannot be kept: " + account.HashProblem(hash) + "; register it anew"
			continue
		}
		record, notes, err := i.clients.DraftImport(ctx, d.Registration, hash, now)
		d.notes = append(d.notes, notes...)
		if _, refused := fault.As(err); refused {
			d.reason = fieldProblem(err)
			continue
		}
		if err != nil {
			return nil, err
		}
		if uuid.Validate(d.ID) == nil {
			record.ID = d.ID
		}
		if !d.CreatedAt.IsZero() {
			record.CreatedAt = storage.At(d.CreatedAt)
		}
		d.record = record
	}
	return out, nil
}

func (r *run) client(ctx context.Context, d *draft) error {
	if d.record == nil {
		r.leave(aClient, d.ClientID, d.ID, d.reason)
		return nil
	}
	home, knowsOrg := r.orgs[d.OrganizationID]
	known, err := r.tx.Client(ctx, d.ClientID)
	switch {
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("look client %s up: %w", d.ClientID, err)
	case err == nil && known.ID == d.ID:
		r.note(aClient, d.ClientID, d.ID, WasThere)
	case err == nil:
		r.leave(aClient, d.ClientID, d.ID, "a client of another origin has this client_id here, and is left as it is")
	case d.OrganizationID != "" && !knowsOrg:
		r.leave(aClient, d.ClientID, d.ID, "its organization is not there, or was deleted")
	case home.state == LeftOut:
		r.leave(aClient, d.ClientID, d.ID, "its organization was left out")
	default:
		if err := r.clients.Import(ctx, r.tx, r.by, r.now, r.in.Source, d.record); err != nil {
			return err
		}
		r.note(aClient, d.ClientID, d.ID, Came, d.notes...)
	}
	return nil
}
