package faultbench

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// a write is acknowledged after the disk has confirmed it. What the server asks of the
// system is written down by strace: between the arrival of each request that wrote and its answer
// there is a write to the log of SQLite and, begun after it, a sync that has ended well.
//
// Where syncs do not reach the disk, that is found: in the short form strace answers them in the
// place of the system, in the long one the program is built with synchronous=NORMAL.
func TestR03EveryAcknowledgedWriteIsSynced(t *testing.T) {
	t.Parallel()
	needStrace(t)
	n := 40
	if long {
		n = 1000
	}
	began := time.Now()
	b, covered, writes := synced(t, n, "")
	if covered != writes || writes < n/2 {
		t.Errorf("of %d acknowledged writes %d were synced before they were answered", writes, covered)
	}
	f := b.look()
	t.Logf("R-03: %d of %d acknowledged writes are covered by a sync", covered, writes)
	report(t, result{id: "R-03", database: "sqlite", store: "in-process", nodes: 1, seed: b.seed, began: began, findings: f})
}

func TestR03FindsWritesThatAreNotSynced(t *testing.T) {
	t.Parallel()
	needStrace(t)
	inject, build := "fdatasync,fsync:retval=0", ""
	if long {
		inject, build = "", careless(t)
	}
	var covered, writes int
	if build != "" {
		_, covered, writes = synced(t, 100, "", build)
	} else {
		_, covered, writes = synced(t, 20, inject)
	}
	if writes == 0 || covered > writes/2 {
		t.Errorf("of %d acknowledged writes %d count as synced, though syncs did not happen", writes, covered)
	}
}

// needStrace skips a test where there is no strace, or it may not trace, unless AUTHY_TEST_REQUIRE
// lists it.
func needStrace(t *testing.T) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "strace", "-o", os.DevNull, "true").CombinedOutput()
	if err == nil {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("AUTHY_TEST_REQUIRE"), ","), "strace") {
		t.Fatalf("strace is required by AUTHY_TEST_REQUIRE: %v\n%s", err, out)
	}
	t.Skipf("strace is not there, or may not trace: %v\n%s", err, out)
}

// careless builds the program with synchronous=NORMAL, from a changed copy of the one file that
// says so. Nothing in the repository is changed.
func careless(t *testing.T) string {
	t.Helper()
	original, err := filepath.Abs("../../storage/sqlite.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "synchronous(FULL)", "synchronous(NORMAL)", 1)
	if changed == string(text) {
		t.Fatal("storage/sqlite.go does not say synchronous(FULL)")
	}
	dir := t.TempDir()
	replaced, overlay, path := filepath.Join(dir, "sqlite.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "authy")
	instead, err := json.Marshal(map[string]any{"Replace": map[string]string{original: replaced}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{replaced: changed, overlay: string(instead)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-overlay", overlay, "-o", path, "authy")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// synced has one client ask for so many things of a server under strace, and counts the writes
// that were acknowledged and those of them that were synced first.
func synced(t *testing.T, n int, inject string, binary ...string) (b *bench, covered, writes int) {
	t.Helper()
	p := prepare(t, setup{engine: "sqlite"})
	p.binary = strings.Join(binary, "")
	trace := filepath.Join(p.dir, "trace")
	wrap := []string{
		"strace", "-f", "--seccomp-bpf", "-y", "-s", "1500", "-o", trace, "-e", "trace=read,write,pwrite64,fdatasync,fsync",
	}
	if inject != "" {
		wrap = append(wrap, "-e", "inject="+inject)
	}
	p.launch()
	p.ready(readyLimit)
	b = newBench(t, p)
	p.terminate(time.Minute) // and begin anew under strace, which makes no keys
	p.wrap = wrap
	p.launch()
	p.ready(readyLimit)
	w := b.worker(0)
	for range n {
		if err := w.act(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.terminate(time.Minute)
	p.wrap = nil
	p.restart()
	return b, covered, writes + b.count(trace, &covered)
}

// count goes through what strace has written and counts the writes of the ledger that were
// acknowledged, and those that were covered.
func (b *bench) count(trace string, covered *int) (writes int) {
	b.t.Helper()
	calls := readTrace(b.t, trace)
	for _, e := range b.ledger.entries(b.t) {
		if !e.Event || e.Outcome != acked {
			continue
		}
		asked := slices.IndexFunc(calls, func(s string) bool {
			return strings.Contains(s, " read ") && strings.Contains(s, e.requestID())
		})
		if asked < 0 {
			continue // it was before strace
		}
		answered := slices.IndexFunc(calls[asked:], func(s string) bool {
			return strings.Contains(s, " write ") && strings.Contains(s, e.requestID())
		})
		writes++
		if answered >= 0 && wasSynced(calls[asked:asked+answered]) {
			*covered++
		}
	}
	return writes
}

// wasSynced says whether there is a write to the log and a sync that began after it and ended well.
func wasSynced(calls []string) bool {
	written, begun := false, false
	for _, c := range calls {
		switch {
		case strings.Contains(c, " pwrite64 ") && strings.Contains(c, "authy.db-wal"):
			written = true
		case written && strings.Contains(c, " begins "):
			begun = true
		case begun && strings.Contains(c, " synced ") && !strings.Contains(c, "(INJECTED)"):
			return true
		}
	}
	return false
}

var (
	// begunCall is a line of strace: a call that has ended, or that is still to end.
	begunCall = regexp.MustCompile(`^(\d+)\s+(read|write|pwrite64|fdatasync|fsync)\((.*)$`)
	// endedCall is the end of one that was still to end.
	endedCall = regexp.MustCompile(`^(\d+)\s+<\.\.\. (\w+) resumed>(.*)$`)
)

// readTrace turns what strace has written into lines "thread call rest", in their order: reads and
// writes when they end, and syncs when they begin and when they end.
func readTrace(t testing.TB, path string) (calls []string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // only read
	open := map[string]string{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		thread, call, rest := "", "", ""
		ended := true
		if m := begunCall.FindStringSubmatch(line); m != nil {
			thread, call, rest = m[1], m[2], m[3]
			if cut, unfinished := strings.CutSuffix(rest, " <unfinished ...>"); unfinished {
				open[thread], ended = cut, false
			}
			if strings.HasSuffix(call, "sync") {
				calls = append(calls, thread+" begins "+rest)
			}
		} else if m := endedCall.FindStringSubmatch(line); m != nil {
			thread, call = m[1], m[2]
			rest = open[thread] + m[3]
		}
		switch {
		case thread == "" || !ended:
		case strings.HasSuffix(call, "sync"):
			if strings.Contains(rest, "= 0") {
				calls = append(calls, thread+" synced "+rest)
			}
		default:
			calls = append(calls, thread+" "+call+" "+rest)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return calls
}
