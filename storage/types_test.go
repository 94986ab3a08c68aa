package storage_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"authy/storage"
)

func TestIDsAreUUIDsInTheOrderOfTheirMaking(t *testing.T) {
	t.Parallel()
	last := ""
	for range 1000 {
		id := storage.NewID()
		if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 7 {
			t.Fatalf("NewID() = %q, %v, want a UUIDv7", id, err)
		}
		if id <= last {
			t.Fatalf("NewID() = %q after %q, want a later one", id, last)
		}
		last = id
	}
}

func TestHashIsSHA256(t *testing.T) {
	t.Parallel()
	// FIPS 180-4, the example with one block, as base64url.
	const want = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
	if got := storage.Hash("abc"); got != want {
		t.Errorf("Hash(abc) = %q, want %q", got, want)
	}
}

func TestTimesAreWholeMillisecondsInUTC(t *testing.T) {
	t.Parallel()
	at := storage.At(noon)
	if at.Format(time.RFC3339Nano) != "2026-11-20T11:00:00.123Z" {
		t.Errorf("At(%v) = %v", noon, at)
	}
	if !storage.At(time.Time{}).IsZero() {
		t.Error("At(zero) is not zero")
	}
	for _, at := range []storage.Time{at, {}, storage.At(time.UnixMilli(-1)), storage.At(time.Unix(0, 0))} {
		value, err := at.Value()
		if err != nil {
			t.Fatal(err)
		}
		var back storage.Time
		if err := back.Scan(value); err != nil || back != at {
			t.Errorf("Scan(Value(%v)) = %v, %v", at, back, err)
		}
	}
	if err := new(storage.Time).Scan("yesterday"); err == nil {
		t.Error("Scan of a text as an instant succeeded")
	}
}

func TestWordsAreOneTextWithSpaces(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]storage.Words{
		"": {}, "a": {"a"}, "a b": {"a", "b"}, " a  b ": {"a", "b"},
	} {
		for _, src := range []any{text, []byte(text)} {
			var got storage.Words
			if err := got.Scan(src); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Scan(%q) (-want +got):\n%s", text, diff)
			}
		}
	}
	if got := (storage.Words{"a", "b"}).String(); got != "a b" {
		t.Errorf("String() = %q, want a b", got)
	}
	words := storage.Words{"x"}
	if err := words.Scan(nil); err != nil || words != nil {
		t.Errorf("Scan(nil) = %v, %v, want none", words, err)
	}
	if err := words.Scan(1); err == nil {
		t.Error("Scan of a number as words succeeded")
	}
}

func TestNoReferenceIsNULL(t *testing.T) {
	t.Parallel()
	for ref, want := range map[storage.Ref]any{"": nil, "id": "id"} {
		value, err := ref.Value()
		if err != nil || value != want {
			t.Errorf("Value(%q) = %v, %v, want %v", ref, value, err, want)
		}
		back := storage.Ref("old")
		if err := back.Scan(value); err != nil || back != ref {
			t.Errorf("Scan(%v) = %q, %v, want %q", value, back, err, ref)
		}
	}
	var ref storage.Ref
	if err := ref.Scan([]byte("id")); err != nil || ref != "id" {
		t.Errorf("Scan of bytes = %q, %v", ref, err)
	}
	if err := ref.Scan(1); err == nil {
		t.Error("Scan of a number as a reference succeeded")
	}
}

func TestALifetimeIsInSeconds(t *testing.T) {
	t.Parallel()
	if got := storage.Seconds(90).Duration(); got != 90*time.Second {
		t.Errorf("Seconds(90).Duration() = %v", got)
	}
}
