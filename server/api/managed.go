package api

import (
	"context"
	"reflect"

	"authy/server/managed"
)

// Managed says of an object in an answer which file of the state sets it, if any does.
// It is filled in where the answer goes out: see signedOperation.
type Managed struct {
	ManagedBy *string `json:"managed_by,omitempty" doc:"The state file that sets it, in which alone it is changed; left out if none does"`

	kind, id string
}

// managedAs is for an object of a kind with the id of its row.
func managedAs(kind, id string) Managed { return Managed{kind: kind, id: id} }

// mentions says whether answers of a type have objects in them that a file may set.
func mentions(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return mentions(t.Elem())
	case reflect.Struct:
		if t == reflect.TypeFor[Managed]() {
			return true
		}
		for f := range t.Fields() {
			if (f.IsExported() || f.Anonymous) && mentions(f.Type) {
				return true
			}
		}
	}
	return false
}

// objects adds to found the objects in an answer that a file may set.
func objects(v reflect.Value, found []*Managed) []*Managed {
	switch {
	case !mentions(v.Type()):
	case v.Kind() == reflect.Pointer && !v.IsNil():
		return objects(v.Elem(), found)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			found = objects(v.Index(i), found)
		}
	case v.Type() == reflect.TypeFor[Managed]():
		return append(found, v.Addr().Interface().(*Managed))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			found = objects(v.Field(i), found)
		}
	}
	return found
}

// mark fills in which files set the objects of an answer.
func (a *API) mark(ctx context.Context, answer any) error {
	ids := map[string][]string{}
	found := objects(reflect.ValueOf(answer), nil)
	for _, m := range found {
		ids[m.kind] = append(ids[m.kind], m.id)
	}
	for kind, of := range ids {
		files, err := a.State.Files(ctx, kind, of)
		if err != nil {
			return err
		}
		for _, m := range found {
			if file := files[m.id]; m.kind == kind && file != "" {
				m.ManagedBy = &file
			}
		}
	}
	return nil
}

// managedBranding is for the one branding.
func managedBranding() Managed { return managedAs(managed.Branding, managed.BrandingID) }
