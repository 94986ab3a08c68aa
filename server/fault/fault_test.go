package fault_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/fault"
	"authy/storage"
	"authy/storage/storagetest"
)

var errTaken = fault.New(fault.Conflict, "taken", "It is taken.")

// away is an error that goes away by itself, if it says so.
type away bool

func (away) Error() string       { return "dial tcp 10.0.0.1:5432: connection refused" }
func (a away) Unavailable() bool { return bool(a) }

func TestAFaultIsFoundInWhatWrapsIt(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		errTaken,
		fmt.Errorf("make it: %w", errTaken),
		errors.Join(io.EOF, errTaken),
		errTaken.Wait(time.Second),
	} {
		f, ok := fault.As(err)
		if !ok || f.Code != "taken" || f.Kind != fault.Conflict || !errors.Is(err, errTaken) {
			t.Errorf("As(%v) = %v, %v", err, f, ok)
		}
	}
}

func TestOtherErrorsAreNoFaults(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, io.EOF, fmt.Errorf("read: %w", io.EOF), away(false)} {
		if f, ok := fault.As(err); ok {
			t.Errorf("As(%v) = %v, want none", err, f)
		}
	}
	if other := fault.New(fault.Conflict, "other", "It is taken."); errors.Is(other, errTaken) {
		t.Error("faults of different codes are the same")
	}
}

// What an unavailable part says of itself is not for strangers.
func TestWhatIsUnavailableIsAFaultThatTellsNothing(t *testing.T) {
	t.Parallel()
	f, ok := fault.As(fmt.Errorf("read: %w", away(true)))
	if !ok {
		t.Fatal("it is no fault")
	}
	want := &fault.Error{
		Kind: fault.Unavailable, Code: "unavailable", RetryAfter: time.Second,
		Message: "The server cannot read or write its records at the moment. Try again shortly.",
	}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// lost is the error of a database that went away while it kept something.
type lost struct{ away }

func (lost) InDoubt() bool { return true }

// Whoever asked is not told to ask again, although the database is unavailable.
func TestWhatIsInDoubtIsAFaultOfItsOwn(t *testing.T) {
	t.Parallel()
	f, ok := fault.As(fmt.Errorf("write: %w", lost{away(true)}))
	if !ok || f.Kind != fault.InDoubt || f.RetryAfter != 0 || !strings.Contains(f.Message, "before you try again") {
		t.Errorf("As() = %+v, %t", f, ok)
	}
}

// Once a request has changed something, what is unavailable after that leaves open what was done;
// what was refused on purpose does not.
func TestWhatIsUnavailableAfterAChangeIsInDoubt(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		busy := fault.New(fault.Unavailable, "busy", "It is busy.")
		ctx := storage.Watch(t.Context())
		if f, _ := fault.In(ctx, away(true)); f.Kind != fault.Unavailable {
			t.Errorf("before a change it is %+v", f)
		}
		if err := db.Update(ctx, func(*storage.Tx) error { return busy }); !errors.Is(err, busy) {
			t.Fatal(err)
		}
		if f, _ := fault.In(ctx, away(true)); f.Kind != fault.Unavailable {
			t.Errorf("after a change that failed it is %+v", f)
		}
		if err := db.Update(ctx, func(*storage.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if f, _ := fault.In(ctx, away(true)); f.Kind != fault.InDoubt {
			t.Errorf("after a change it is %+v", f)
		}
		if f, _ := fault.In(ctx, busy); f != busy {
			t.Errorf("a refusal after a change is %+v", f)
		}
		if f, _ := fault.In(t.Context(), away(true)); f.Kind != fault.Unavailable {
			t.Errorf("another request is told %+v", f)
		}
	})
}

func TestWaitLeavesTheFaultAsItWas(t *testing.T) {
	t.Parallel()
	if f := errTaken.Wait(time.Minute); f.RetryAfter != time.Minute || errTaken.RetryAfter != 0 {
		t.Errorf("the copy waits %v, the fault %v", f.RetryAfter, errTaken.RetryAfter)
	}
}

func TestNoProblemsAreNoFault(t *testing.T) {
	t.Parallel()
	if err := fault.Fields(map[string][]string{}); err != nil {
		t.Errorf("Fields of nothing = %v", err)
	}
}

func TestFieldsAreNamedInTheirOrder(t *testing.T) {
	t.Parallel()
	err := fault.Fields(map[string][]string{"b": {"Two.", "Three."}, "a": {"One."}})
	if got, want := err.Error(), "a: One. b: Two. Three."; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if got := fault.Field("a", "One.").Error(); got != "a: One." {
		t.Errorf("Error() = %q", got)
	}
	if got := errTaken.Error(); got != "It is taken." {
		t.Errorf("Error() = %q", got)
	}
}

func TestAForgottenKindIsInternal(t *testing.T) {
	t.Parallel()
	var f fault.Error
	if f.Kind != fault.Internal {
		t.Errorf("the zero kind is %v", f.Kind)
	}
}
