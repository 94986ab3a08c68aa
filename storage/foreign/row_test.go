package foreign

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAnInstantIsReadHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 1, 16, 1, 4, 40, 123456000, time.UTC)
	for _, v := range []any{
		"2026-01-16 01:04:40.123456", "2026-01-16T01:04:40.123456", "2026-01-16T01:04:40.123456Z",
		"2026-01-16T02:04:40.123456+01:00", "2026-01-16 01:04:40.123456+00:00", []byte("2026-01-16 01:04:40.123456"),
		want.In(time.FixedZone("", 3600)),
	} {
		if got := (Row{"at": v}).Time("at"); !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%v is read as %v, want %v", v, got, want)
		}
	}
	for _, v := range []any{nil, "", "yesterday", int64(7)} {
		if got := (Row{"at": v}).Time("at"); !got.IsZero() {
			t.Errorf("%v is read as %v, want nothing", v, got)
		}
	}
}

func TestATruthIsReadHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value           any
		otherwise, want bool
	}{
		{true, false, true}, {int64(1), false, true}, {"TRUE", false, true}, {"t", false, true},
		{false, true, false}, {int64(0), true, false}, {"f", true, false},
		{nil, true, true}, {nil, false, false}, {"perhaps", true, true},
	} {
		if got := (Row{"is": c.value}).Is("is", c.otherwise); got != c.want {
			t.Errorf("%v, otherwise %v, is read as %v", c.value, c.otherwise, got)
		}
	}
}

func TestJSONIsReadHoweverItIsKept(t *testing.T) {
	t.Parallel()
	want := []string{"a", "b"}
	for _, v := range []any{`["a", "b"]`, []byte(`["a","b"]`), `"[\"a\",\"b\"]"`, []any{"a", "b"}} {
		var got []string
		if err := (Row{"list": v}).JSON("list", &got); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%v is read as %v, %v", v, got, err)
		}
	}
	got := want
	for _, v := range []any{nil, "", "null"} {
		if err := (Row{"list": v}).JSON("list", &got); err != nil || !cmp.Equal(got, want) {
			t.Errorf("nothing is read as %v, %v", got, err)
		}
	}
	if err := (Row{"list": "a b"}).JSON("list", &got); err == nil {
		t.Error("words are read as JSON")
	}
}
