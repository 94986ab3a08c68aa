package storage

import (
	"cmp"
	"context"
	"slices"

	"github.com/uptrace/bun"
)

// Managed says that a file of the state sets an object.
type Managed struct {
	bun.BaseModel `bun:"table:managed"`
	Kind          string `bun:",pk"` // user, organization, member, client, …
	ID            string `bun:",pk"` // of its row
	File          string
	Fields        Words // that the file names
	UpdatedAt     Time
}

// Managed returns what is known of an object that a file sets.
func (r Reader) Managed(ctx context.Context, kind, id string) (*Managed, error) {
	return find[Managed](ctx, r, "kind = ? AND id = ?", kind, id)
}

// ManagedIn returns which of some objects of a kind a file sets.
func (r Reader) ManagedIn(ctx context.Context, kind string, ids []string) ([]Managed, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return list[Managed](ctx, r, "id", "kind = ? AND id IN (?)", kind, bun.List(ids))
}

// ManagedBy returns the objects that a file sets, by their kinds and ids.
func (r Reader) ManagedBy(ctx context.Context, file string) ([]Managed, error) {
	// In the order of the primary key PostgreSQL would read all of it.
	all, err := list[Managed](ctx, r, "updated_at", "file = ?", file)
	slices.SortFunc(all, func(a, b Managed) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// SaveManaged keeps that a file sets an object, whatever set it before.
func (tx *Tx) SaveManaged(ctx context.Context, m *Managed) error {
	_, err := tx.bun.NewInsert().Conn(tx.conn).Model(m).On("CONFLICT (kind, id) DO UPDATE").
		Set("file = EXCLUDED.file, fields = EXCLUDED.fields, updated_at = EXCLUDED.updated_at").Exec(ctx)
	return translate(err)
}

// DeleteManaged forgets that a file sets an object; it says whether one did.
func (tx *Tx) DeleteManaged(ctx context.Context, kind, id string) (bool, error) {
	n, err := remove[Managed](ctx, tx, "kind = ? AND id = ?", kind, id)
	return n > 0, err
}
