package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/org"
	"authy/storage"
)

// run applies a document within a transaction.
type run struct {
	tx      *storage.Tx
	rules   Rules
	doc     *Document
	source  *source
	options Options
	by      audit.Actor
	now     time.Time
	plan    *Plan
	// kept are the objects that the document names, by kind and id.
	kept map[[2]string]bool
	// fresh are those that have been added with another one.
	fresh map[[2]string]bool
	// mark is that of the object at hand, nil for none.
	mark *managed.Mark
	// aside is what changes of the object at hand that its description does not show.
	aside []Field
}

// entry is an object of a document.
type entry interface {
	// where is its path in the document.
	where() string
	// label is its kind and the name that people know it by.
	label() (kind, name string)
	// find returns the id of the object here, "" if there is none.
	find(ctx context.Context, r *run) (id string, err error)
	// write makes the object with an id, or a new one if that is "", what the document
	// says, and returns its id.
	write(ctx context.Context, r *run, id string) (string, error)
	// describe returns what the object with an id is, as a document says it.
	describe(ctx context.Context, r *run, id string) (entry, error)
}

// errRefused ends a run in which mistakes were noted.
var errRefused = errors.New("state: refused")

// apply has everything be what the document says. Each step needs those before it: where
// there were mistakes in one the rest is not tried.
func (r *run) apply(ctx context.Context) error {
	r.source.mistakes = nil
	for _, step := range []func(context.Context) error{
		r.each(r.branding()), r.users, r.orgs, r.each(r.members()), r.exceptions,
		r.each(entriesOf(r.doc.Providers)), r.each(entriesOf(r.doc.Clients)), r.each(entriesOf(r.doc.Services)),
		r.each(entriesOf(r.doc.Webhooks)),
	} {
		if err := step(ctx); err != nil {
			// After what the database refused it says nothing any more: then the mistake counts.
			return cmp.Or(r.source.err(), err)
		}
		if err := r.source.err(); err != nil {
			return err
		}
	}
	if err := r.prune(ctx); err != nil && !errors.Is(err, errRefused) {
		return err
	}
	return r.source.err()
}

// each is a step that has objects be what the document says.
func (r *run) each(entries []entry) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, e := range entries {
			err := r.settle(ctx, e)
			if err == nil {
				continue
			}
			// What the database has refused ends the transaction: the rest would seem wrong, too.
			if _, over := managed.Forget(ctx, r.tx, "", ""); over != nil || !errors.Is(err, errRefused) {
				return err
			}
		}
		return nil
	}
}

// inOrder is a list in which those come first whom others wait for, as far as they do not wait
// for each other.
func inOrder[T comparable](list []T, awaited func(one T) (T, error)) (out []T, err error) {
	seen := map[T]bool{}
	var none T
	var add func(one T) error
	add = func(one T) error {
		if one == none || seen[one] {
			return nil
		}
		seen[one] = true
		first, err := awaited(one)
		if err != nil {
			return err
		}
		if err := add(first); err != nil {
			return err
		}
		out = append(out, one)
		return nil
	}
	for _, one := range list {
		if err := add(one); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func entriesOf[T entry](list []T) []entry {
	out := make([]entry, len(list))
	for i, e := range list {
		out[i] = e
	}
	return out
}

// settle has one object be what the document says.
func (r *run) settle(ctx context.Context, e entry) error {
	r.aside, r.mark = nil, nil
	kind, name := e.label()
	id, err := e.find(ctx, r)
	if err != nil {
		return r.refused(e, err)
	}
	c := Change{Action: Changed, Kind: kind, Name: name}
	var before entry
	if id == "" || r.fresh[[2]string{kind, id}] {
		c.Action, before = Added, reflect.New(reflect.TypeOf(e).Elem()).Interface().(entry)
		fill(before)
	} else {
		if before, err = e.describe(ctx, r, id); err != nil {
			return err
		}
		if r.mark, err = r.markOf(ctx, e, id); err != nil {
			return err
		}
	}
	if id, err = e.write(ctx, r, id); err != nil {
		return r.refused(e, err)
	}
	after, err := e.describe(ctx, r, id)
	if err != nil {
		return err
	}
	c.Fields = append(differences(before, after), r.aside...)
	if o, ok := e.(*Organization); ok {
		o.recall(r.mark)
	}
	r.kept[[2]string{kind, id}] = true
	return r.note(ctx, c, r.mark, managed.Mark{Kind: kind, ID: id, File: r.by.File, Fields: governed(e)})
}

func fill(e entry) {
	if usual, ok := e.(interface{ fill() }); ok {
		usual.fill()
	}
}

// markOf returns the mark of an object, which must not be another file's.
func (r *run) markOf(ctx context.Context, e entry, id string) (*managed.Mark, error) {
	kind, _ := e.label()
	mark, err := managed.Find(ctx, r.tx.Reader, kind, id)
	if err == nil && mark != nil && mark.File != r.by.File && !r.options.Take {
		r.source.note(e.where(), "%s sets this here; take it out of that file first, or add --take", mark.File)
		return nil, errRefused
	}
	return mark, err
}

// note adds a change to the plan, and marks its object as the file's.
func (r *run) note(ctx context.Context, c Change, was *managed.Mark, mark managed.Mark) error {
	if c.Action == Changed && (was == nil || was.File != mark.File) {
		before := ""
		if was != nil {
			before = was.File
		}
		c.Fields = append(c.Fields, Field{Key: "managed_by", Before: before, After: mark.File})
	}
	if c.Action != Changed || len(c.Fields) > 0 {
		r.plan.Changes = append(r.plan.Changes, c)
	}
	if was != nil && was.File == mark.File && slices.Equal(was.Fields, mark.Fields) {
		return nil
	}
	return managed.Keep(ctx, r.tx, r.now, mark)
}

// refused notes why a service refuses what an object is to be; other errors are returned.
func (r *run) refused(e entry, err error) error {
	if errors.Is(err, errRefused) {
		return err
	}
	aliases, _ := e.(interface{ alias() map[string]string })
	var names map[string]string
	if aliases != nil {
		names = aliases.alias()
	}
	if err := r.source.refused(e.where(), names, err); err != nil {
		kind, name := e.label()
		return fmt.Errorf("%s %q: %w", kind, name, err)
	}
	return errRefused
}

// refused notes a fault at the keys that it is about; names are those of fields that
// have another name in a file. Other errors are returned.
func (s *source) refused(path string, names map[string]string, err error) error {
	f, ok := fault.As(err)
	switch {
	case err == nil:
		return nil
	case !ok || f.Kind.IsOurs():
		return err
	case len(f.Fields) == 0:
		s.note(path, "%s", f.Message)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Fields)) {
		at := path + "." + cmp.Or(names[name], name)
		for _, problem := range f.Fields[name] {
			s.note(at, "%s", problem)
		}
	}
	return nil
}

// record notes in the audit log that the file was applied, if that has changed anything.
func (r *run) record(ctx context.Context, by audit.Actor) error {
	if len(r.plan.Changes) == 0 {
		return nil
	}
	added, changed, removed := r.plan.Sums()
	by.File = r.by.File
	return audit.Record(ctx, r.tx, by, r.now, audit.Event{
		Action: "state.apply", TargetKind: "state", TargetID: audit.Cut(r.by.File, 255), Details: map[string]string{
			"added": strconv.Itoa(added), "changed": strconv.Itoa(changed), "removed": strconv.Itoa(removed),
		},
	})
}

// governed are the keys that an object has in the document: what it says nothing of is
// not the file's.
func governed(e entry) (keys []string) {
	v := reflect.ValueOf(e).Elem()
	for _, f := range fieldsOf(v.Type()) {
		value := v.FieldByIndex(f.index)
		switch value.Kind() {
		case reflect.Pointer, reflect.Slice:
			if value.IsNil() || f.key == verified && !value.Elem().Bool() {
				continue
			}
		case reflect.String:
			if value.Len() == 0 && (strings.HasSuffix(f.key, "_file") || strings.HasSuffix(f.key, "_env")) {
				continue
			}
		case reflect.Map:
			for _, name := range value.MapKeys() {
				switch f.key {
				case "profile":
					keys = append(keys, name.String())
				case "exceptions":
					keys = append(keys, org.ExceptionOf(name.String()))
				}
			}
			continue
		}
		keys = append(keys, f.key)
	}
	slices.Sort(keys)
	return keys
}
