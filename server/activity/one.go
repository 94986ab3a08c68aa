package activity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

// ErrNoEvent is the answer to who looks for an event that there is not.
var ErrNoEvent = fault.New(fault.NotFound, "event_not_found", "There is no such event.")

const (
	// besides is how far from an event others of its request are, at most.
	besides = time.Minute
	// besidesRead is how many events are looked through for them.
	besidesRead = 2000
)

// One returns to administrators and operators the event with an id, and the others
// of its request, the newest first. [ErrNoEvent] if there is none.
func (s *Service) One(ctx context.Context, by audit.Actor, id string) (one Entry, others []Entry, err error) {
	if err := s.mayReadAll(ctx, by); err != nil {
		return Entry{}, nil, err
	}
	if !legible(id) {
		return Entry{}, nil, ErrNoEvent
	}
	e, err := s.db.Event(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return Entry{}, nil, ErrNoEvent
	}
	if err != nil {
		return Entry{}, nil, fmt.Errorf("look event %s up: %w", id, err)
	}
	others, err = s.ofRequest(ctx, e.RequestID, e.At.Time)
	others = slices.DeleteFunc(others, func(o Entry) bool { return o.ID == id })
	return EntryOf(e), others, err
}

// OfRequest returns to administrators and operators what was recorded of a request
// that was answered at about a time, the newest first.
func (s *Service) OfRequest(ctx context.Context, by audit.Actor, requestID string, at time.Time) ([]Entry, error) {
	if err := s.mayReadAll(ctx, by); err != nil {
		return nil, err
	}
	return s.ofRequest(ctx, requestID, at)
}

// ofRequest looks through the events around a time: requests have no index, which
// each event would pay for.
func (s *Service) ofRequest(ctx context.Context, requestID string, at time.Time) (out []Entry, err error) {
	if requestID == "" {
		return nil, nil
	}
	f := storage.EventFilter{From: at.Add(-besides), To: at.Add(besides)}
	events, err := s.db.EventsMatching(ctx, f, storage.EventKey{}, besidesRead)
	if err != nil {
		return nil, fmt.Errorf("look for what request %s did: %w", requestID, err)
	}
	for i := range events {
		if events[i].RequestID == requestID {
			out = append(out, EntryOf(&events[i]))
		}
	}
	return out, nil
}

// resolve puts the ids of users in the place of their addresses.
func (s *Service) resolve(ctx context.Context, f *Filter) error {
	for _, who := range []*string{&f.Actor, &f.Target} {
		if !strings.Contains(*who, "@") || !legible(*who) {
			continue
		}
		user, err := s.db.UserByEmail(ctx, strings.ToLower(*who))
		if errors.Is(err, storage.ErrNotFound) {
			continue // nothing is found, as of anybody who is not there
		}
		if err != nil {
			return fmt.Errorf("look a user up: %w", err)
		}
		*who = user.ID
	}
	return nil
}

// sinceMost is how many events are told at once of those that are new.
const sinceMost = 50

// Since lists, for administrators and operators, what has happened since the event
// whose key is after, at most so many, the newest first; of a log that was empty, with
// after "", all. Next is the key to go on with.
func (s *Service) Since(ctx context.Context, by audit.Actor, f Filter, after string) (Page, error) {
	if err := s.mayReadAll(ctx, by); err != nil {
		return Page{}, err
	}
	if err := s.resolve(ctx, &f); err != nil {
		return Page{}, err
	}
	key, err := parseKey(after)
	if err != nil {
		return Page{}, err
	}
	if after != "" && key.At.After(f.From) {
		f.From = key.At.Time
	}
	events, err := s.events(ctx, f, "", sinceMost)
	if err != nil {
		return Page{}, err
	}
	events = slices.DeleteFunc(events, func(e storage.Event) bool {
		return after != "" && (e.At.Before(key.At.Time) || e.At.Equal(key.At.Time) && e.ID <= key.ID)
	})
	page := Page{Entries: make([]Entry, len(events)), Next: after}
	for i := range events {
		page.Entries[i] = EntryOf(&events[i])
	}
	if len(events) > 0 {
		page.Next = keyOf(&events[0])
	}
	return page, nil
}

// KeyOf returns the key of an entry, for [Service.Since].
func KeyOf(e Entry) string {
	return keyOf(&storage.Event{ID: e.ID, At: storage.At(e.At)})
}
