package registry

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheNearestURIsComeFirst(t *testing.T) {
	t.Parallel()
	uris := []string{"https://b.example/cb", "https://a.example/cb", "https://a.example/callback", "x:/1", "y:/2", "z:/3"}
	got := Nearest(uris, "https://a.example/callback/")
	want := []string{"https://a.example/callback", "https://a.example/cb", "https://b.example/cb", "x:/1", "y:/2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Nearest() (-want +got):\n%s", diff)
	}
	if uris[0] != "https://b.example/cb" {
		t.Error("the registered ones were put in another order")
	}
}

func TestTheFirstDifferenceIsCountedInLetters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 0}, {"abc", "abd", 2}, {"äöü", "äöx", 2}, {"abc", "abcd", 3}, {"A", "a", 0}} {
		if got := same(c.a, c.b); got != c.want {
			t.Errorf("same(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
