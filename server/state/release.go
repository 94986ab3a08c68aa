package state

import (
	"context"
	"errors"
	"slices"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/managed"
	"authy/storage"
)

// Kinds are those of the objects that a file sets.
var Kinds = slices.Sorted(slices.Values(goners))

// ErrNotManaged says that no file sets an object.
var ErrNotManaged = fault.New(fault.NotFound, "not_managed", "No file sets this.")

// Held is an object that a file sets.
type Held struct {
	File string
	Kind string
	ID   string
	// Name is what [State.Release] knows it by.
	Name string
}

// Files returns the files that set some objects of a kind, by the ids of those.
func (s *State) Files(ctx context.Context, kind string, ids []string) (map[string]string, error) {
	return managed.Files(ctx, s.db.Reader, kind, ids)
}

// Held returns an object of a kind by its id; [ErrNotManaged] if no file sets it.
func (s *State) Held(ctx context.Context, by audit.Actor, kind, id string) (held *Held, err error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if held, err = s.held(ctx, tx, kind, id); err != nil {
			return err
		}
		return errOnly
	})
	if errors.Is(err, errOnly) {
		return held, nil
	}
	return nil, err
}

// held returns an object with the name that people know it by.
func (s *State) held(ctx context.Context, tx *storage.Tx, kind, id string) (*Held, error) {
	m, err := managed.Find(ctx, tx.Reader, kind, id)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, ErrNotManaged
	}
	e, err := blank(kind).describe(ctx, s.reading(tx), id)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrNotManaged
	}
	if err != nil {
		return nil, err
	}
	_, name := e.label()
	return &Held{File: m.File, Kind: kind, ID: id, Name: name}, nil
}

// Release lets go of an object that a file sets, which people know by a name, so that it can be
// changed and removed as any other until the file is applied again. It returns the file.
func (s *State) Release(ctx context.Context, by audit.Actor, kind, name string) (file string, err error) {
	if !slices.Contains(goners, kind) {
		return "", fault.Field("kind", "Must be one of: "+joined(Kinds)+".")
	}
	held, err := s.release(ctx, by, kind, func(ctx context.Context, r *run) (string, error) {
		e, err := named(ctx, r, kind, name)
		if err != nil {
			return "", err
		}
		id, err := e.find(ctx, r)
		if errors.Is(err, errRefused) {
			return "", ErrNotManaged
		}
		return id, err
	})
	if err != nil {
		return "", err
	}
	return held.File, nil
}

// ReleaseID is [State.Release] of an object that is known by its id.
func (s *State) ReleaseID(ctx context.Context, by audit.Actor, kind, id string) (*Held, error) {
	return s.release(ctx, by, kind, func(context.Context, *run) (string, error) { return id, nil })
}

func (s *State) release(
	ctx context.Context, by audit.Actor, kind string, find func(context.Context, *run) (id string, err error),
) (held *Held, err error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		r := s.reading(tx)
		id, err := find(ctx, r)
		if err != nil {
			return err
		}
		if held, err = s.held(ctx, tx, kind, id); err != nil {
			return err
		}
		if _, err := managed.Forget(ctx, tx, kind, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, by, r.now, audit.Event{
			Action: "state.release", TargetKind: kind, TargetID: id,
			Details: map[string]string{"name": audit.Cut(held.Name, 255), "file": audit.Cut(held.File, 512)},
		})
	})
	return held, err
}
