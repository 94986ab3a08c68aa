// Package metric counts, and writes what was counted in the text format of Prometheus
// (version 0.0.4). It refuses to know what is counted: names, and the few values that a
// label can have, are its callers', who read their own counts when they are asked.
package metric

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// ContentType is what [Writer] writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Counter counts. Its zero value is ready.
type Counter struct{ n atomic.Int64 }

// Inc counts one more.
func (c *Counter) Inc() { c.n.Add(1) }

// Add counts n more, which is not negative.
func (c *Counter) Add(n int64) { c.n.Add(n) }

// Value returns the count.
func (c *Counter) Value() int64 { return c.n.Load() }

// bounds are the buckets of durations: a quarter of a millisecond to ten seconds.
var bounds = [...]time.Duration{
	250 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond,
	25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 10 * time.Second,
}

// Histogram counts durations by how long they are. Its zero value is ready.
type Histogram struct {
	counts [len(bounds) + 1]atomic.Int64
	sum    atomic.Int64 // nanoseconds
}

// Observe counts a duration.
func (h *Histogram) Observe(d time.Duration) {
	at := 0
	for at < len(bounds) && d > bounds[at] {
		at++
	}
	h.counts[at].Add(1)
	h.sum.Add(int64(d))
}

// Kinds of families.
const (
	IsCounter   = "counter"
	IsGauge     = "gauge"
	IsHistogram = "histogram"
)

// Writer writes families of samples. The first error stays and is what Flush returns.
type Writer struct {
	out    *bufio.Writer
	family string
}

// NewWriter returns a writer to out.
func NewWriter(out io.Writer) *Writer { return &Writer{out: bufio.NewWriter(out)} }

// Family begins a family; its samples follow.
func (w *Writer) Family(name, kind, help string) {
	w.family = name
	fmt.Fprintf(w.out, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", name, helpEscapes.Replace(help), kind)
}

// Sample writes a value of the family, with pairs of a label and its value.
func (w *Writer) Sample(value float64, labels ...string) { w.line("", value, labels) }

// Int is [Writer.Sample] of a whole number.
func (w *Writer) Int(value int64, labels ...string) { w.line("", float64(value), labels) }

// Bool is [Writer.Sample] of 1 for yes and 0 for no.
func (w *Writer) Bool(yes bool, labels ...string) {
	value := 0.0
	if yes {
		value = 1
	}
	w.line("", value, labels)
}

// Time is [Writer.Sample] of a moment in seconds since 1970; nothing for none.
func (w *Writer) Time(at time.Time, labels ...string) {
	if !at.IsZero() {
		w.line("", float64(at.UnixMilli())/1000, labels)
	}
}

// Histogram writes the samples of a histogram. They agree with each other, also while
// it counts.
func (w *Writer) Histogram(h *Histogram, labels ...string) {
	labels = labels[:len(labels):len(labels)]
	sum, all := h.sum.Load(), int64(0)
	for i, bound := range bounds {
		all += h.counts[i].Load()
		w.line("_bucket", float64(all), append(labels, "le", number(bound.Seconds())))
	}
	all += h.counts[len(bounds)].Load()
	w.line("_bucket", float64(all), append(labels, "le", "+Inf"))
	w.line("_sum", time.Duration(sum).Seconds(), labels)
	w.line("_count", float64(all), labels)
}

// Flush writes what is left, and returns the first error there was.
func (w *Writer) Flush() error { return w.out.Flush() }

var (
	helpEscapes  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

func (w *Writer) line(suffix string, value float64, labels []string) {
	w.text(w.family, suffix)
	for i := 0; i+1 < len(labels); i += 2 {
		open := ","
		if i == 0 {
			open = "{"
		}
		w.text(open, labels[i], `="`, labelEscapes.Replace(strings.ToValidUTF8(labels[i+1], "\uFFFD")), `"`)
	}
	if len(labels) > 1 {
		w.text("}")
	}
	w.text(" ", number(value), "\n")
}

// text writes; a [bufio.Writer] keeps its first error for Flush.
func (w *Writer) text(parts ...string) {
	for _, part := range parts {
		_, _ = w.out.WriteString(part)
	}
}

func number(value float64) string { return strconv.FormatFloat(value, 'g', -1, 64) }
