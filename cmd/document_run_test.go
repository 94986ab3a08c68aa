package cmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// reader follows a document: it types one command after the other into a shell, in a directory of
// its own. What a command sets, and where it goes, holds for the next one.
type reader struct {
	t       *testing.T
	dir     string
	env     []string
	url     string     // of authy, once it is served
	log     *sharedLog // of what was started first
	in      io.Writer
	answers *bufio.Reader
}

// readerPatience is how long a document may take on a loaded machine.
const readerPatience = 5 * time.Minute

// newReader opens a shell with further settings. Ports are free ones, since others may use those
// of the documents; $HERE is the directory, $OTHER_PORT and $THIRD_PORT are further ports.
func newReader(t *testing.T, settings ...string) *reader {
	t.Helper()
	dir, port, other, third := t.TempDir(), freePort(t), freePort(t), freePort(t)
	r := &reader{t: t, dir: dir, url: "http://localhost:" + port}
	for _, one := range os.Environ() {
		if !strings.HasPrefix(one, "AUTHY_") {
			r.env = append(r.env, one)
		}
	}
	r.env = append(r.env, "HERE="+dir, "HOME="+dir, "PORT="+port, "OTHER_PORT="+other, "THIRD_PORT="+third,
		"AUTHY_LISTEN=127.0.0.1:"+port, "AUTHY_PUBLIC_URL="+r.url, "GORACE=atexit_sleep_ms=0")
	r.env = append(r.env, settings...)
	program, err := exec.LookPath("authy")
	if err == nil {
		err = os.Symlink(program, filepath.Join(dir, "authy"))
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), readerPatience)
	t.Cleanup(cancel)
	shell := exec.CommandContext(ctx, "sh")
	shell.Dir, shell.Env = dir, r.env
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := shell.StdoutPipe()
	if err == nil {
		err = shell.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(in.Close(), shell.Wait()) }) // each command was looked at
	r.in, r.answers = in, bufio.NewReader(out)
	return r
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it served its purpose
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// run types a command and returns what it prints; other exit codes than 0 are errors.
func (r *reader) run(text string) (printed string, err error) {
	out := filepath.Join(r.dir, ".printed")
	if _, err := fmt.Fprintf(r.in, "{ %s\n} </dev/null >'%s' 2>&1; echo $?\n", text, out); err != nil {
		return "", err
	}
	code, err := r.answers.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the shell has ended: %w", err)
	}
	content, err := os.ReadFile(out)
	if err == nil && code != "0\n" {
		err = fmt.Errorf("exit code %s", strings.TrimSpace(code))
	}
	return string(content), err
}

// mustRun is run of what the reader has done before.
func (r *reader) mustRun(text string) {
	r.t.Helper()
	if printed, err := r.run(text); err != nil {
		r.t.Fatalf("before the document: %s: %v\n%s", text, err, printed)
	}
}

// start types a command that goes on until the test ends, and waits until something answers at url.
func (r *reader) start(text, url string) error {
	log := new(sharedLog)
	c := exec.CommandContext(r.t.Context(), "sh", "-c", "exec "+text)
	c.Dir, c.Env, c.Stdout, c.Stderr = r.dir, r.env, log, log
	if r.log == nil {
		r.log = log
	}
	if err := c.Start(); err != nil {
		return err
	}
	var outcome error
	ended := make(chan struct{})
	go func() {
		outcome = c.Wait()
		close(ended)
	}()
	r.t.Cleanup(func() { <-ended }) // with the context of the test
	often := time.NewTicker(20 * time.Millisecond)
	defer often.Stop()
	late := time.After(readerPatience)
	for {
		if isServed(r.t.Context(), url) {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("it has ended: %w\n%s", outcome, log)
		case <-late:
			return fmt.Errorf("nothing answers at %s\n%s", url, log)
		case <-often.C:
		}
	}
}

// isServed says whether what is asked for at url is there.
func isServed(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close() // nobody reads it
	return res.StatusCode == http.StatusOK
}

// write gives the reader a file.
func (r *reader) write(name, content string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// sharedLog is what a process has written until now.
type sharedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *sharedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *sharedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
