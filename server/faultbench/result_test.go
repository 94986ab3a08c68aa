package faultbench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// benchSeed is the seed of what a test does at random; AUTHY_FAULTS_SEED repeats a run.
func benchSeed(t testing.TB) uint64 {
	t.Helper()
	text := os.Getenv("AUTHY_FAULTS_SEED")
	if text == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("AUTHY_FAULTS_SEED is %q; give the seed that a run has printed", text)
	}
	return seed
}

// result is a line of the results sheet.
type result struct {
	id       string
	database string
	store    string // where the fast copies are: in-process or redis
	nodes    int
	seed     uint64
	began    time.Time
	recovery time.Duration
	*findings
}

// bound is the upper limit of what a count of zero among n leaves open, 95 times of 100.
func bound(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatFloat(3/float64(n), 'g', 2, 64)
}

// String is the line, as docs/reliability.md explains it.
func (r result) String() string {
	verdict := "pass"
	if r.bad() > 0 || r.x5 > 0 {
		verdict = "FAIL"
	}
	return fmt.Sprintf("id=%s commit=%s database=%s store=%s nodes=%d vcpu=%d seed=%d duration=%s acked=%d writes=%d unknown=%d "+
		"refused=%d lost=%d zombie=%d half=%d double=%d phantom=%d 5xx=%d recovery=%s verdict=%s bound=%s",
		r.id, commit(), r.database, r.store, r.nodes, runtime.NumCPU(), r.seed, time.Since(r.began).Round(time.Second),
		r.acked, r.writes, r.unknown, r.refused, r.lost, r.zombie, r.half, r.double, r.phantom, r.x5,
		r.recovery.Round(time.Millisecond), verdict, bound(r.writes))
}

// commit is what the repository stands at, "-" outside of one.
func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "-"
	}
	return strings.TrimSpace(string(out))
}

// report writes the line of a run and fails the test for what was found.
func report(t testing.TB, r result) {
	t.Helper()
	t.Log(r)
	for _, p := range r.problems {
		t.Error(p)
	}
	if r.bad() > len(r.problems) {
		t.Errorf("and %d more", r.bad()-len(r.problems))
	}
}
