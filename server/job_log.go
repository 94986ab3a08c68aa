package server

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"authy/server/metric"
)

// jobLog is what became of what runs by itself on this node. Its zero value is ready.
type jobLog struct {
	mu   sync.Mutex
	jobs map[string]*jobRuns
}

// jobRuns is what became of a job.
type jobRuns struct {
	runs, elsewhere, unknown int64 // done here, left to another node, nobody knows whose turn it was
	troubled                 int64 // runs that had something to complain of
	ended                    time.Time
	took                     time.Duration
}

// of calls do with the runs of a job.
func (l *jobLog) of(name string, do func(*jobRuns)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.jobs == nil {
		l.jobs = map[string]*jobRuns{}
	}
	if l.jobs[name] == nil {
		l.jobs[name] = new(jobRuns)
	}
	do(l.jobs[name])
}

// noted returns do, and notes its runs under a name.
func (l *jobLog) noted(name string, do job) job {
	l.of(name, func(*jobRuns) {})
	return func(ctx context.Context) {
		began, troubled := time.Now(), new(atomic.Bool)
		do(context.WithValue(ctx, troubleKey{}, troubled))
		ended := time.Now()
		l.of(name, func(j *jobRuns) {
			j.runs, j.ended, j.took = j.runs+1, ended, ended.Sub(began)
			if troubled.Load() {
				j.troubled++
			}
		})
	}
}

// troubleKey is where the context of a job keeps whether there was something to
// complain of.
type troubleKey struct{}

// NoteTrouble notes that a line of warning or error was written to the log with ctx, if
// that is a job's: jobs end, and say in the log what they could not do.
func NoteTrouble(ctx context.Context) {
	if troubled, ok := ctx.Value(troubleKey{}).(*atomic.Bool); ok {
		troubled.Store(true)
	}
}

// left notes that a job was not done here: because it is another node's turn, or, with
// an error, because nobody could tell.
func (l *jobLog) left(name string, err error) {
	l.of(name, func(j *jobRuns) {
		if err != nil {
			j.unknown++
			return
		}
		j.elsewhere++
	})
}

func (l *jobLog) write(w *metric.Writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := slices.Sorted(maps.Keys(l.jobs))
	for _, one := range []struct {
		name, kind, help string
		write            func(j *jobRuns, name string)
	}{
		{
			"runs_total", metric.IsCounter, "Runs of a job on this node.",
			func(j *jobRuns, name string) { w.Int(j.runs, "job", name) },
		},
		{
			"failures_total", metric.IsCounter, "Runs of a job on this node that had something to complain of in the log.",
			func(j *jobRuns, name string) { w.Int(j.troubled, "job", name) },
		},
		{
			"elsewhere_total", metric.IsCounter, "Runs of a job that were left to another node.",
			func(j *jobRuns, name string) { w.Int(j.elsewhere, "job", name) },
		},
		{
			"lease_failures_total", metric.IsCounter, "Times that it could not be told whose turn a job is.",
			func(j *jobRuns, name string) { w.Int(j.unknown, "job", name) },
		},
		{
			"last_end_timestamp_seconds", metric.IsGauge, "When a job last ended on this node.",
			func(j *jobRuns, name string) { w.Time(j.ended, "job", name) },
		},
		{
			"last_duration_seconds", metric.IsGauge, "How long a job took on this node when it last ran.",
			func(j *jobRuns, name string) { w.Sample(j.took.Seconds(), "job", name) },
		},
	} {
		w.Family("authy_job_"+one.name, one.kind, one.help)
		for _, name := range names {
			one.write(l.jobs[name], name)
		}
	}
}
