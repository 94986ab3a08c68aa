package metric

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheTextIsThatOfPrometheus(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	w := NewWriter(&out)
	w.Family("a_total", IsCounter, "Of two\nlines and a \\.")
	w.Int(3)
	w.Sample(0.5, "b", "c", "d", "say \"no\",\nor \\")
	w.Bool(true, "b", "\xff")
	w.Family("at", IsGauge, "When.")
	w.Time(time.Time{})
	w.Time(time.UnixMilli(1500), "b", "")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := `# HELP a_total Of two\nlines and a \\.
# TYPE a_total counter
a_total 3
a_total{b="c",d="say \"no\",\nor \\"} 0.5
a_total{b="` + "\uFFFD" + `"} 1
# HELP at When.
# TYPE at gauge
at{b=""} 1.5
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("the text differs (-want +got):\n%s", diff)
	}
}

func TestAHistogramCountsUpToItsBounds(t *testing.T) {
	t.Parallel()
	var h Histogram
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for _, d := range []time.Duration{0, 250 * time.Microsecond, 251 * time.Microsecond, time.Second, time.Minute} {
				h.Observe(d)
			}
		})
	}
	all.Wait()
	var out strings.Builder
	w := NewWriter(&out)
	w.Family("h", IsHistogram, "How long.")
	w.Histogram(&h, "a", "b")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`h_bucket{a="b",le="0.00025"} 8`, `h_bucket{a="b",le="0.001"} 12`, `h_bucket{a="b",le="0.5"} 12`,
		`h_bucket{a="b",le="1"} 16`, `h_bucket{a="b",le="10"} 16`, `h_bucket{a="b",le="+Inf"} 20`,
		`h_sum{a="b"} 244.002004`, `h_count{a="b"} 20`,
	} {
		if !strings.Contains(out.String(), want+"\n") {
			t.Errorf("%s is missing in\n%s", want, out.String())
		}
	}
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errors.New("closed") }

func TestTheFirstErrorIsToldAtTheEnd(t *testing.T) {
	t.Parallel()
	w := NewWriter(closed{})
	for range 1000 {
		w.Family("a_total", IsCounter, "One.")
	}
	if err := w.Flush(); err == nil || err.Error() != "closed" {
		t.Errorf("Flush() = %v", err)
	}
}

// What a request costs where there are metrics.
func BenchmarkObserve(b *testing.B) {
	var h Histogram
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			h.Observe(7 * time.Millisecond)
		}
	})
}
