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

// ManagedObject is an object of an organization that a file sets.
type ManagedObject struct {
	Kind string
	Name string // what people know it by
	File string
}

// managedOf are those by each of their tables.
const managedOf = `
	SELECT m.kind, o.client_id AS name, m.file FROM clients AS o
		JOIN managed AS m ON m.kind = 'client' AND m.id = o.id WHERE o.organization_id = ?
	UNION ALL SELECT m.kind, o.slug, m.file FROM providers AS o
		JOIN managed AS m ON m.kind = 'provider' AND m.id = o.id WHERE o.organization_id = ?
	UNION ALL SELECT m.kind, o.slug, m.file FROM services AS o
		JOIN managed AS m ON m.kind = 'saml_service' AND m.id = o.id WHERE o.organization_id = ?
	UNION ALL SELECT m.kind, o.slug, m.file FROM webhooks AS o
		JOIN managed AS m ON m.kind = 'webhook' AND m.id = o.id WHERE o.organization_id = ?`

// ManagedWithin returns which of the objects that go with an organization a file sets, by
// their kinds and names.
func (r Reader) ManagedWithin(ctx context.Context, orgID string) ([]ManagedObject, error) {
	var held []ManagedObject
	err := r.bun.NewSelect().Conn(r.conn).Model(&held).
		ModelTableExpr("("+managedOf+") AS o", orgID, orgID, orgID, orgID).ColumnExpr("kind, name, file").Scan(ctx)
	slices.SortFunc(held, func(a, b ManagedObject) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return held, translate(err)
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
