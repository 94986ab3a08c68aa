//go:build faults

package faultbench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A clock that jumps. Nothing in the program knows of it: it is built with another package time,
// by go build -overlay, whose clock is ahead of the machine's by what a file says. The clock that
// everybody sees and the one that only goes on, the monotonic one, are apart, as they are in a
// machine; a machine that slept or has run for a while is both ahead by the same.

// benchClock is what package time gets: by how much its clocks are ahead, in nanoseconds.
const benchClock = `package time

import "sync/atomic"

var BenchWall, BenchBoth atomic.Int64

func benched(sec int64, nsec int32, mono int64) (int64, int32, int64) {
	both := BenchBoth.Load()
	at := int64(nsec) + BenchWall.Load() + both
	sec += at / 1e9
	if at %= 1e9; at < 0 {
		sec, at = sec-1, at+1e9
	}
	return sec, int32(at), mono + both
}
`

// benchMain is what package main gets: it reads the file over and over.
const benchMain = `package main

import (
	"fmt"
	"os"
	"time"
)

func init() {
	path, last := os.Getenv("BENCH_CLOCK"), ""
	read := func() {
		text, err := os.ReadFile(path)
		if err != nil || string(text) == last {
			return
		}
		var wall, both int64
		if _, err := fmt.Sscan(string(text), &wall, &both); err != nil {
			return
		}
		last = string(text)
		time.BenchWall.Store(wall)
		time.BenchBoth.Store(both)
	}
	read()
	go func() {
		for {
			time.Sleep(5 * time.Millisecond)
			read()
		}
	}()
}
`

// benchTime are the changes in package time: what is replaced, by what, and how often it is there.
var benchTime = []struct {
	old, new string
	times    int
}{
	{"sec, nsec, mono := runtimeNow()\n", "sec, nsec, mono := benched(runtimeNow())\n", 1},
	{"runtimeNano()-startNano", "runtimeNano()+BenchBoth.Load()-startNano", -1},
}

// jumping builds authy with a clock that jumps, once, and is its path. Everything is compiled
// anew for that: it takes minutes.
var jumping = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(scratch, "clock")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output() // runtime.GOROOT is "" after -trimpath
	if err != nil {
		return "", err
	}
	source := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time")
	text, err := os.ReadFile(filepath.Join(source, "time.go"))
	if err != nil {
		return "", err
	}
	changed := string(text)
	for _, c := range benchTime {
		if n := strings.Count(changed, c.old); n == 0 || c.times > 0 && n != c.times {
			return "", fmt.Errorf("package time has %q %d times: this is another Go, look what its clock is read by", c.old, n)
		}
		changed = strings.ReplaceAll(changed, c.old, c.new)
	}
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "authy").Output()
	if err != nil {
		return "", fmt.Errorf("find the sources: %w", err)
	}
	replaced := map[string]string{}
	for _, f := range []struct{ path, own, content string }{
		{filepath.Join(source, "time.go"), "time.go", changed},
		{filepath.Join(source, "bench_clock.go"), "clock.go", benchClock},
		{filepath.Join(strings.TrimSpace(string(root)), "bench_clock.go"), "main.go", benchMain},
	} {
		replaced[f.path] = filepath.Join(dir, f.own)
		if err := os.WriteFile(replaced[f.path], []byte(f.content), 0o600); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return "", err
	}
	list, path := filepath.Join(dir, "overlay.json"), filepath.Join(scratch, "authy-jumping")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-trimpath", "-overlay", list, "-ldflags=-s -w", "-o", path, "authy")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build authy with a clock that jumps: %w\n%s", err, out)
	}
	return path, nil
})

// jumper is a server whose clock jumps.
type jumper struct {
	*process
	file string
}

// withClock makes a server whose clock is ahead by so much, and does not launch it.
func withClock(t testing.TB, s setup, ahead time.Duration) *jumper {
	t.Helper()
	path, err := jumping()
	if err != nil {
		t.Fatal(err)
	}
	j := &jumper{process: prepare(t, s)}
	j.binary, j.file = path, filepath.Join(j.dir, "clock")
	j.env = append(j.env, "BENCH_CLOCK="+j.file)
	j.put(ahead, 0)
	return j
}

// put has the clock be ahead of the machine's by so much, after it has run for so much longer than
// it has.
func (j *jumper) put(ahead, passed time.Duration) {
	j.t.Helper()
	next := j.file + ".next"
	text := fmt.Sprint(int64(ahead-passed), int64(passed))
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		j.t.Fatal(err)
	}
	if err := os.Rename(next, j.file); err != nil {
		j.t.Fatal(err)
	}
	<-time.After(50 * time.Millisecond) // it is read each 5 ms
}
