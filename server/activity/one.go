package activity

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
	return entryOf(e), others, err
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
			out = append(out, entryOf(&events[i]))
		}
	}
	return out, nil
}
