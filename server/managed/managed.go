// Package managed knows which objects a file of the state sets, and has whoever decides
// about one refuse to change it in another way. It refuses to know what such a file
// says: that is server/state.
package managed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

// The kinds of objects.
const (
	User         = "user"
	Organization = "organization"
	Member       = "member"
	Client       = "client"
	Provider     = "provider"
	SAMLService  = "saml_service"
	Branding     = "branding"
	Webhook      = "webhook"
)

// BrandingID is the id of the one branding.
const BrandingID = "server"

// ErrManaged is how changing an object is refused that a file sets; it names the file.
var ErrManaged = fault.New(fault.Conflict, "managed_by_file", "A file sets this: change it there.")

// Mark says that a file sets an object, and which of its fields.
type Mark = storage.Managed

// Refuse is [ErrManaged] for an object that a file sets, unless it is that file which
// acts. With fields it is so only if the file sets one of those.
func Refuse(ctx context.Context, r storage.Reader, by audit.Actor, kind, id string, fields ...string) error {
	if by.File != "" {
		return nil // package state sees to it that it is the same file
	}
	m, err := Find(ctx, r, kind, id)
	if err != nil || m == nil {
		return err
	}
	sets := func(field string) bool { return slices.Contains(m.Fields, field) }
	if len(fields) > 0 && !slices.ContainsFunc(fields, sets) {
		return nil
	}
	return fault.New(ErrManaged.Kind, ErrManaged.Code,
		"The file "+m.File+" sets this: change it there and apply it, or run 'authy release' first.")
}

// RefusePlaces is [ErrManaged] for a user of whose places in organizations, by the ids of
// those, a file sets one: it knows the user by their address, and would name nobody.
func RefusePlaces(ctx context.Context, r storage.Reader, by audit.Actor, ids []string) error {
	if by.File != "" {
		return nil
	}
	marks, err := r.ManagedIn(ctx, Member, ids)
	if err != nil {
		return fmt.Errorf("look up what sets places in organizations: %w", err)
	}
	if len(marks) == 0 {
		return nil
	}
	return fault.New(ErrManaged.Kind, ErrManaged.Code, "The file "+marks[0].File+
		" sets a place of this account in an organization: change that there and apply it, or run 'authy release' first.")
}

// RefuseWithin is [ErrManaged] for an organization that holds something that a file sets,
// which would go with it.
func RefuseWithin(ctx context.Context, r storage.Reader, by audit.Actor, orgID string) error {
	if by.File != "" {
		return nil
	}
	held, err := r.ManagedWithin(ctx, orgID)
	if err != nil {
		return fmt.Errorf("look up what sets objects of the organization %s: %w", orgID, err)
	}
	if len(held) == 0 {
		return nil
	}
	return fault.New(ErrManaged.Kind, ErrManaged.Code, goesWith(held[0]))
}

// goesWith says what would go with its organization.
func goesWith(o storage.ManagedObject) string {
	switch o.Kind {
	case Client:
		return "The file " + o.File + " sets the client " + o.Name +
			" of this organization: remove it there first, or run 'authy release'."
	case Provider:
		return "The file " + o.File + " sets the provider " + o.Name +
			" of this organization: remove it there first, or run 'authy release'."
	case SAMLService:
		return "The file " + o.File + " sets the SAML service " + o.Name +
			" of this organization: remove it there first, or run 'authy release'."
	}
	return "The file " + o.File + " sets the webhook " + o.Name +
		" of this organization: remove it there first, or run 'authy release'."
}

// Find returns the mark of an object, nil for one that no file sets.
func Find(ctx context.Context, r storage.Reader, kind, id string) (*Mark, error) {
	m, err := r.Managed(ctx, kind, id)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil //nolint:nilnil // no file sets it, which is no error
	}
	if err != nil {
		return nil, fmt.Errorf("look up what sets the %s %s: %w", kind, id, err)
	}
	return m, nil
}

// Files returns the files that set some objects of a kind, by the ids of those.
func Files(ctx context.Context, r storage.Reader, kind string, ids []string) (map[string]string, error) {
	marks, err := r.ManagedIn(ctx, kind, ids)
	if err != nil {
		return nil, fmt.Errorf("look up what sets objects of the kind %s: %w", kind, err)
	}
	files := make(map[string]string, len(marks))
	for _, m := range marks {
		files[m.ID] = m.File
	}
	return files, nil
}

// Keep notes in tx that a file sets an object.
func Keep(ctx context.Context, tx *storage.Tx, now time.Time, m Mark) error {
	m.UpdatedAt = storage.At(now)
	if err := tx.SaveManaged(ctx, &m); err != nil {
		return fmt.Errorf("note that %s sets the %s %s: %w", m.File, m.Kind, m.ID, err)
	}
	return nil
}

// Forget notes in tx that no file sets an object; it says whether one did.
func Forget(ctx context.Context, tx *storage.Tx, kind, id string) (bool, error) {
	did, err := tx.DeleteManaged(ctx, kind, id)
	if err != nil {
		return false, fmt.Errorf("note that no file sets the %s %s: %w", kind, id, err)
	}
	return did, nil
}
