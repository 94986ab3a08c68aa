// Package fault is how authy says no. A fault has a kind, which each surface
// maps to its own form (a status, a page, an exit code), a stable code for
// programs and one sentence for people. Every other error is internal: it is
// logged with the request id and never shown. The package refuses to know HTTP.
package fault

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"authy/storage"
)

// Kind is what sort of refusal a fault is.
type Kind int

// The kinds. The zero Kind is internal, so that a forgotten one is not shown.
const (
	Internal Kind = iota
	Invalid
	Unauthenticated
	Forbidden
	NotFound
	Conflict
	RateLimited
	Unavailable
	InDoubt // it may have been done
)

// IsOurs says whether faults of this kind are the server's, and nothing is wrong with what
// was asked.
func (k Kind) IsOurs() bool { return k == Internal || k == Unavailable || k == InDoubt }

// Error is a refusal that may be shown to whoever asked.
type Error struct {
	Kind Kind
	// Code is stable, in snake_case.
	Code string
	// Message is one sentence with a capital and a full stop.
	Message string
	// Fields says what is wrong with each field of the input.
	Fields map[string][]string
	// RetryAfter is how long to wait, for RateLimited and Unavailable.
	RetryAfter time.Duration
}

// New returns a fault.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// Fields returns the fault for input with bad fields, or nil if there are none.
func Fields(problems map[string][]string) error {
	if len(problems) == 0 {
		return nil
	}
	return &Error{
		Kind: Invalid, Code: "validation_failed", Message: "Validation failed",
		Fields: problems,
	}
}

// Field returns the fault for input with one bad field.
func Field(name, problem string) error {
	return Fields(map[string][]string{name: {problem}})
}

// Error returns the message, and the problems of fields in their order.
func (e *Error) Error() string {
	if len(e.Fields) == 0 {
		return e.Message
	}
	var b strings.Builder
	for i, name := range slices.Sorted(maps.Keys(e.Fields)) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(name + ": " + strings.Join(e.Fields[name], " "))
	}
	return b.String()
}

// Is says whether target is a fault with the same code.
func (e *Error) Is(target error) bool {
	other, ok := errors.AsType[*Error](target)
	return ok && other.Code == e.Code
}

// Wait returns a copy of e that says when to try again.
func (e *Error) Wait(d time.Duration) *Error {
	again := *e
	again.RetryAfter = d
	return &again
}

// unavailable is what an error says that is not the caller's fault and goes
// away by itself, such as a database that cannot be reached.
type unavailable interface {
	error
	Unavailable() bool
}

// doubtful is what an error says that leaves open whether the change was made.
type doubtful interface {
	error
	InDoubt() bool
}

func isUnavailable(err error) bool {
	u, ok := errors.AsType[unavailable](err)
	return ok && u.Unavailable()
}

func inDoubt() *Error {
	return New(InDoubt, "in_doubt",
		"The database was lost before this was finished: it may have been done. Look before you try again.")
}

// In is [As] for what failed in a request. A part that is unavailable after something was
// changed leaves open what was done ([storage.Watch]).
func In(ctx context.Context, err error) (*Error, bool) {
	f, ok := As(err)
	if ok && f.Kind == Unavailable && isUnavailable(err) && storage.HasChanged(ctx) {
		return inDoubt(), true
	}
	return f, ok
}

// As returns the fault in err, if there is one.
func As(err error) (*Error, bool) {
	if f, ok := errors.AsType[*Error](err); ok {
		return f, true
	}
	if d, ok := errors.AsType[doubtful](err); ok && d.InDoubt() {
		return inDoubt(), true
	}
	if isUnavailable(err) {
		return New(Unavailable, "unavailable",
			"The server cannot read or write its records at the moment. Try again shortly.").Wait(time.Second), true
	}
	return nil, false
}
