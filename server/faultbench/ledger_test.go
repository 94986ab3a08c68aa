package faultbench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The outcomes of a request. One that is pending was sent and never answered.
const (
	pending = "unknown"
	acked   = "acknowledged" // a complete answer below 400
	refused = "refused"      // a complete answer from 400 on
)

// fact is what a request makes true: what is at a place, "" for nothing.
type fact struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// anything is the value of a fact that only the answer would have told.
const anything = "?"

// entry is one request: what was asked, and what came of it.
type entry struct {
	Seq    int    `json:"seq"`
	Worker int    `json:"worker"`
	Node   string `json:"node"`
	Kind   string `json:"kind"`
	// Facts are what it makes true, all or none of them.
	Facts []fact `json:"facts,omitempty"`
	// Makes are the kinds of things that it adds under keys which only its answer tells.
	Makes []string `json:"makes,omitempty"`
	// Once is the value that it uses up.
	Once string `json:"once,omitempty"`
	// Event says that it leaves an event in the audit log.
	Event  bool  `json:"event,omitempty"`
	SentNS int64 `json:"sent_ns"`

	Outcome string `json:"outcome"`
	Status  int    `json:"status,omitempty"`
	AckedNS int64  `json:"acked_ns,omitempty"`
}

// requestID is the X-Request-ID of the request, by which its event in the audit log is found.
func (e *entry) requestID() string { return fmt.Sprintf("fb-%08d", e.Seq) }

// ledger is what was asked and answered, in a file that is written to before each request and
// after each answer.
type ledger struct {
	path string

	mu   sync.Mutex
	file *os.File
	n    int
	err  error

	answers atomic.Int64
}

// wait returns after so many more answers, or after limit.
func (l *ledger) wait(more int, limit time.Duration) {
	until := l.answers.Load() + int64(more)
	tick, late := time.NewTicker(time.Millisecond), time.After(limit)
	defer tick.Stop()
	for l.answers.Load() < until {
		select {
		case <-tick.C:
		case <-late:
			return
		}
	}
}

func newLedger(t testing.TB) *ledger {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
		keep(t, path)
	})
	return &ledger{path: path, file: file}
}

// keep copies the ledger of a test that has failed to where it stays.
func keep(t testing.TB, path string) {
	if !t.Failed() {
		return
	}
	to, err := os.CreateTemp("", "authy-ledger-*.jsonl")
	if err != nil {
		t.Error(err)
		return
	}
	text, err := os.ReadFile(path)
	if err == nil {
		_, err = to.Write(text)
	}
	if err != nil || to.Close() != nil {
		t.Errorf("keep the ledger: %v", err)
	}
	t.Logf("the ledger is kept at %s", to.Name())
}

// begin notes a request before it is sent.
func (l *ledger) begin(e entry) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	e.Seq, e.SentNS, e.Outcome = l.n, time.Now().UnixNano(), pending
	l.write(&e)
	return &e
}

// end notes the answer to a request, and the facts that it told.
func (l *ledger) end(e *entry, status int, told ...fact) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Status, e.AckedNS, e.Outcome = status, time.Now().UnixNano(), acked
	switch {
	case status == http.StatusGatewayTimeout:
		e.Outcome = pending // nobody knows
	case status >= 400:
		e.Outcome = refused
	}
	if e.Outcome != pending {
		e.Facts = settle(e.Facts, told)
	}
	l.answers.Add(1)
	l.write(e)
}

// settle is facts with what an answer told in the place of [anything].
func settle(facts, told []fact) []fact {
	var all []fact
	for _, f := range facts {
		if f.Value != anything {
			all = append(all, f)
		}
	}
	return append(all, told...)
}

func (l *ledger) write(e *entry) {
	line, err := json.Marshal(e)
	if err == nil {
		_, err = l.file.Write(append(line, '\n'))
	}
	if err != nil && l.err == nil {
		l.err = err
	}
}

// entries reads the ledger back from its file: of two lines with a number the later one holds.
func (l *ledger) entries(t testing.TB) []*entry {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		t.Fatalf("write the ledger: %v", l.err)
	}
	file, err := os.Open(l.path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // only read
	list := make([]*entry, l.n)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		e := new(entry)
		if err := json.Unmarshal(lines.Bytes(), e); err != nil {
			t.Fatalf("the ledger has the line %q: %v", lines.Bytes(), err)
		}
		list[e.Seq-1] = e
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}
