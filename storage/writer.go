package storage

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
)

const (
	// batchLimit is how many transactions share one commit at most.
	batchLimit = 256
	// foreignPoll is how often an idle writer looks for the commits of other
	// processes, such as the command line beside a running server.
	foreignPoll = 250 * time.Millisecond
	// queueLimit is how many transactions wait at once; the next is refused. A disk
	// that is well takes so many in a fraction of a second.
	queueLimit = 16 * batchLimit
)

var (
	errClosed = errors.New("storage: database is closed")
	errQueue  = fmt.Errorf("%w: %d transactions wait for the disk", ErrUnavailable, queueLimit)
)

// writer owns SQLite's one writing connection. It blocks for a job, takes
// whatever has queued meanwhile, and commits all of it at once: many writers
// share one fsync, a lone one waits for nobody.
//
// What the disk refuses, and how the writer comes back, is in disk.go.
type writer struct {
	engine   *sqliteEngine
	pen      *pen
	bun      *bun.DB
	cache    *cache
	seals    secret
	jobs     chan *job
	waiting  atomic.Int64
	tally    tally
	ears     ears
	stop     chan struct{}
	stopped  chan struct{}
	trouble  atomic.Pointer[trouble]
	tried    time.Time // when it was last tried to end the trouble
	dataSeen int64     // PRAGMA data_version: changes when another process commits
}

// job is one transaction waiting for its commit.
type job struct {
	ctx      context.Context //nolint:containedctx // the caller's values, for the time of the call
	fn       func(*Tx) error
	done     chan struct{}
	err      error
	panicked any
	changed  []string
	after    []func()
}

func newWriter(e *sqliteEngine, p *pen, b *bun.DB, hot *cache, key []byte) *writer {
	w := &writer{
		engine: e, pen: p, bun: b, cache: hot, seals: newSecret(key),
		jobs: make(chan *job, batchLimit), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go w.run()
	return w
}

// do runs fn in a transaction and waits for its commit.
func (w *writer) do(ctx context.Context, fn func(*Tx) error) error {
	if err := w.shut(); err != nil {
		return err
	}
	defer w.waiting.Add(-1)
	if w.waiting.Add(1) > queueLimit {
		w.tally.refused.Add(1)
		return errQueue
	}
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
	select {
	case w.jobs <- j:
	case <-w.stop:
		return errClosed
	}
	select {
	case <-j.done:
	case <-w.stopped:
		select {
		case <-j.done:
		default:
			return errClosed
		}
	}
	if j.panicked != nil {
		panic(j.panicked) // impossible states surface where they were caused
	}
	return j.err
}

// close finishes what has queued; the connection stays open.
func (w *writer) close() {
	close(w.stop)
	<-w.stopped
}

func (w *writer) run() {
	defer close(w.stopped)
	idle := time.NewTicker(foreignPoll)
	defer idle.Stop()
	for {
		select {
		case j := <-w.jobs:
			w.commit(w.batch(j))
		case <-idle.C:
			w.retry(context.Background())
			w.watch()
		case <-w.stop:
			for len(w.jobs) > 0 {
				w.commit(w.batch(<-w.jobs))
			}
			return
		}
	}
}

// batch returns first and whatever else waits, without waiting itself; who is
// about to come, and only has no processor yet, goes first.
func (w *writer) batch(first *job) []*job {
	runtime.Gosched()
	jobs := []*job{first}
	for len(jobs) < batchLimit {
		select {
		case j := <-w.jobs:
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

// commit runs jobs in one transaction and answers each. Where the whole
// transaction is lost, each job is run again alone, so that one cannot take
// the others with it.
func (w *writer) commit(jobs []*job) {
	w.watch()
	err := w.begin()
	if err == nil {
		err = w.together(jobs)
		if err != nil && len(jobs) > 1 {
			for _, j := range jobs {
				w.commit([]*job{j})
			}
			return
		}
	}
	for _, j := range jobs {
		if err != nil && j.err == nil {
			j.err = err
		}
		if j.err == nil {
			w.tally.transactions.Add(1)
			w.cache.drop(j.changed)
			for _, do := range j.after {
				do()
			}
		}
		close(j.done)
	}
}

// begin begins the transaction of a batch. Where it cannot, because another
// process does not let go, the whole batch is refused: it has waited once.
func (w *writer) begin() error {
	if err := w.shut(); err != nil {
		return err
	}
	if err := w.exec(context.Background(), "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	return nil
}

// together runs jobs in the transaction that has begun and ends it; its error
// means that none took effect.
func (w *writer) together(jobs []*job) error {
	ctx := context.Background()
	for _, j := range jobs {
		if err := w.one(ctx, j, len(jobs) > 1); err != nil {
			return errors.Join(err, w.rollback(ctx))
		}
	}
	if len(jobs) == 1 && (jobs[0].err != nil || jobs[0].panicked != nil) {
		return w.rollback(ctx)
	}
	if err := w.exec(ctx, "COMMIT"); err != nil {
		return errors.Join(fmt.Errorf("commit: %w", err), w.rollback(ctx))
	}
	w.tally.commits.Add(1)
	return nil
}

// one runs j, in a savepoint where others share the transaction.
func (w *writer) one(ctx context.Context, j *job, shared bool) error {
	if shared {
		if err := w.exec(ctx, "SAVEPOINT job"); err != nil {
			return err
		}
	}
	w.call(ctx, j)
	if err := w.shut(); err != nil {
		return err
	}
	switch {
	case !shared:
		return nil
	case j.err == nil && j.panicked == nil:
		return w.exec(ctx, "RELEASE job")
	}
	if err := w.exec(ctx, "ROLLBACK TO job"); err != nil {
		return err
	}
	return w.exec(ctx, "RELEASE job")
}

// call runs the function of j and keeps its error or panic.
func (w *writer) call(ctx context.Context, j *job) {
	defer func() { j.panicked = recover() }()
	c := &sqliteTx{sqliteConn: w.pen.conn}
	tx := &Tx{Reader: Reader{bun: w.bun, conn: c, seals: w.seals}, ears: &w.ears}
	j.err = j.fn(tx)
	j.changed, j.after = tx.changed, tx.after
	w.judge(ctx, c.failed)
	if j.err == nil {
		j.err = translate(c.failed)
	}
}

func (w *writer) rollback(ctx context.Context) error {
	if err := w.exec(ctx, "ROLLBACK"); err != nil && !isNoTransaction(err) {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// exec runs one of the writer's own statements.
func (w *writer) exec(ctx context.Context, statement string) error {
	_, err := w.pen.conn.hot(ctx, statement)
	w.judge(ctx, err)
	return translate(err)
}

// watch forgets every cached record if another process has committed.
func (w *writer) watch() {
	var version int64
	if err := w.pen.conn.hotRow(context.Background(), "PRAGMA data_version").Scan(&version); err != nil {
		w.cache.dropAll()
		return
	}
	if version != w.dataSeen {
		w.dataSeen = version
		w.cache.dropAll()
	}
}
