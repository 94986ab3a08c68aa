package storage

import (
	"context"

	"github.com/uptrace/bun"
)

// Incident is what went wrong with a request.
type Incident struct {
	bun.BaseModel `bun:"table:incidents"`
	ID            string `bun:",pk"` // from the reference; few of those share one
	Reference     string // the id of the request, which its sender was told
	At            Time
	Status        int64
	Method        string
	Path          string
	Code          string
	Message       string // what its sender was told
	Cause         string // what they were not told, "" if that is all
	ExpiresAt     Time
}

// Incident returns what is kept under an id.
func (r Reader) Incident(ctx context.Context, id string) (*Incident, error) {
	return find[Incident](ctx, r, "id = ?", id)
}

// SaveIncident keeps an incident in the place of any other with its id.
func (tx *Tx) SaveIncident(ctx context.Context, i *Incident) error {
	_, err := tx.bun.NewInsert().Conn(tx.conn).Model(i).On("CONFLICT (id) DO UPDATE").
		Set("reference = EXCLUDED.reference").Set("at = EXCLUDED.at").Set("status = EXCLUDED.status").
		Set("method = EXCLUDED.method").Set("path = EXCLUDED.path").Set("code = EXCLUDED.code").
		Set("message = EXCLUDED.message").Set("cause = EXCLUDED.cause").Set("expires_at = EXCLUDED.expires_at").Exec(ctx)
	return translate(err)
}
