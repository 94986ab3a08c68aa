package server

import (
	"bytes"
	"os"
	runtimemetrics "runtime/metrics"
	"strconv"
	"time"

	"authy/server/metric"
)

// runtimeNumbers are what the Go runtime tells of itself, under the names that it has
// elsewhere, too, where it has any.
var runtimeNumbers = []struct{ name, kind, help, key string }{
	{"go_goroutines", metric.IsGauge, "Goroutines that there are.", "/sched/goroutines:goroutines"},
	{"go_threads_max", metric.IsGauge, "Processors that goroutines run on at once.", "/sched/gomaxprocs:threads"},
	{"go_gc_cycles_total", metric.IsCounter, "Garbage collections.", "/gc/cycles/total:gc-cycles"},
	{"go_heap_live_bytes", metric.IsGauge, "Memory that was in use after the last garbage collection.", "/gc/heap/live:bytes"},
	{"go_heap_objects", metric.IsGauge, "Objects in memory.", "/gc/heap/objects:objects"},
	{"go_heap_allocs_bytes_total", metric.IsCounter, "Memory that was allocated in all.", "/gc/heap/allocs:bytes"},
	{"go_memory_bytes", metric.IsGauge, "Memory that the runtime has of the system.", "/memory/classes/total:bytes"},
	{"go_cpu_gc_seconds_total", metric.IsCounter, "Processor time of the garbage collector, estimated.", "/cpu/classes/gc/total:cpu-seconds"},
}

// writeRuntime writes how the process fares that began at a time.
func writeRuntime(w *metric.Writer, began time.Time) {
	samples := make([]runtimemetrics.Sample, len(runtimeNumbers))
	for i := range runtimeNumbers {
		samples[i].Name = runtimeNumbers[i].key
	}
	runtimemetrics.Read(samples)
	for i, one := range runtimeNumbers {
		w.Family(one.name, one.kind, one.help)
		switch v := samples[i].Value; v.Kind() {
		case runtimemetrics.KindUint64:
			w.Sample(float64(v.Uint64()))
		case runtimemetrics.KindFloat64:
			w.Sample(v.Float64())
		case runtimemetrics.KindBad, runtimemetrics.KindFloat64Histogram: // not of this version of Go
		}
	}
	w.Family("process_start_time_seconds", metric.IsGauge, "When the process began.")
	w.Time(began)
	writeProcess(w)
}

// writeProcess writes what Linux tells of the process; elsewhere there is nothing to read.
func writeProcess(w *metric.Writer) {
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := bytes.Fields(text); len(fields) > 1 {
			if pages, err := strconv.ParseInt(string(fields[1]), 10, 64); err == nil {
				w.Family("process_resident_memory_bytes", metric.IsGauge, "Memory of the process.")
				w.Int(pages * int64(os.Getpagesize()))
			}
		}
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		w.Family("process_open_fds", metric.IsGauge, "Files and connections that the process has open.")
		w.Int(int64(len(open)))
	}
}
