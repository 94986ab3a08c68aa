package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"authy/server"
)

const restartUser = "bob@acme-corp.com"

// unit runs authy as systemd does: it holds the socket, hands it on to one process after the
// other, and is told how they are.
type unit struct {
	t      *testing.T
	env    []string
	socket *os.File
	url    string
	states *net.UnixConn
	cmd    *exec.Cmd
	log    *sharedLog
}

func newUnit(t *testing.T, settings ...string) *unit {
	t.Helper()
	dir := t.TempDir()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := l.(*net.TCPListener).File()
	if err := errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	notices := filepath.Join(dir, "notify")
	states, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notices, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(states.Close(), socket.Close()) }) // the test is over
	u := &unit{t: t, socket: socket, url: "http://" + l.Addr().String(), states: states}
	u.env = append(os.Environ(), "AUTHY_DATA_DIR="+filepath.Join(dir, "data"), "AUTHY_PUBLIC_URL="+u.url,
		"AUTHY_SECURITY_BCRYPT_COST=4", "AUTHY_RATE_LIMIT_ENABLED=false", "NOTIFY_SOCKET="+notices,
		"LISTEN_FDS=1", "GORACE=atexit_sleep_ms=0")
	u.env = append(u.env, settings...)
	seed := exec.CommandContext(t.Context(), "authy", "seed")
	seed.Env = u.env
	if out, err := seed.CombinedOutput(); err != nil {
		t.Fatalf("seed: %v\n%s", err, out)
	}
	return u
}

// start starts a process and waits until it says that it is ready.
func (u *unit) start() {
	u.t.Helper()
	// The variable names the process that is meant, which only that process knows.
	u.cmd = exec.CommandContext(u.t.Context(), "sh", "-c", "LISTEN_PID=$$ exec authy serve")
	u.cmd.Env, u.cmd.ExtraFiles, u.log = u.env, []*os.File{u.socket}, new(sharedLog)
	u.cmd.Stderr = u.log
	if err := u.cmd.Start(); err != nil {
		u.t.Fatal(err)
	}
	u.told("READY=1")
}

func (u *unit) signal(s os.Signal) {
	u.t.Helper()
	if err := u.cmd.Process.Signal(s); err != nil {
		u.t.Fatal(err)
	}
}

// stop ends the process as systemd does.
func (u *unit) stop() {
	u.t.Helper()
	u.signal(syscall.SIGTERM)
	u.told("STOPPING=1")
	if err := u.cmd.Wait(); err != nil {
		u.t.Errorf("the process ended with %v:\n%s", err, u.log)
	}
}

// told waits until systemd is told something.
func (u *unit) told(want string) {
	u.t.Helper()
	notice := make([]byte, 64)
	if err := u.states.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		u.t.Fatal(err)
	}
	n, err := u.states.Read(notice)
	if got := string(notice[:n]); err != nil || got != want {
		u.t.Fatalf("systemd was told %q, %v, want %q; the log:\n%s", got, err, want, u.log)
	}
}

// request asks once; a status other than 200 is an error.
func request(ctx context.Context, c *http.Client, method, url, token, body string) (answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	answer, err = io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, url, res.Status, answer)
	}
	return answer, err
}

func (u *unit) signIn(ctx context.Context, c *http.Client) (token string, err error) {
	body := fmt.Sprintf(`{"email":%q,"password":%q}`, restartUser, server.SeedPassword(restartUser))
	answer, err := request(ctx, c, http.MethodPost, u.url+"/api/v1/auth/login", "", body)
	if err != nil {
		return "", err
	}
	var out struct{ Data struct{ Token string } }
	return out.Data.Token, errors.Join(json.Unmarshal(answer, &out), nil)
}

// load asks without a pause until stop, some over connections that are kept and some over new ones.
type load struct {
	wg    sync.WaitGroup
	stop  atomic.Bool
	asked atomic.Int64
	mu    sync.Mutex
	wrong []error
}

func (l *load) run(u *unit, keep bool, token string) {
	c := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: !keep}}
	asks := []func() error{
		func() error { _, err := request(u.t.Context(), c, "GET", u.url+"/oidc/jwks", "", ""); return err },
		func() error {
			_, err := request(u.t.Context(), c, "GET", u.url+"/api/v1/auth/me", token, "")
			return err
		},
		func() error { _, err := u.signIn(u.t.Context(), c); return err },
	}
	l.wg.Go(func() {
		for i := 0; !l.stop.Load(); i++ {
			err := asks[i%len(asks)]()
			l.asked.Add(1)
			if err != nil {
				l.mu.Lock()
				l.wrong = append(l.wrong, err)
				l.mu.Unlock()
			}
		}
	})
}

func TestARestartUnderLoadRefusesNoConnection(t *testing.T) {
	t.Parallel()
	u := newUnit(t)
	u.start()
	token, err := u.signIn(t.Context(), http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	var l load
	for i := range 6 {
		l.run(u, i%2 == 0, token)
	}
	var longest time.Duration
	for range restarts {
		before := l.asked.Load()
		began := time.Now()
		u.stop()
		u.start()
		longest = max(longest, time.Since(began))
		for l.asked.Load() < before+200 { // it is at work
			time.Sleep(10 * time.Millisecond)
		}
	}
	l.stop.Store(true)
	l.wg.Wait()
	u.stop()
	for _, err := range l.wrong {
		t.Error(err)
	}
	t.Logf("%d requests over %d restarts, %d failed; the longest restart took %v",
		l.asked.Load(), restarts, len(l.wrong), longest.Round(time.Millisecond))
}

func TestADrainingServerAnswersAndSaysThatItIsNotReady(t *testing.T) {
	t.Parallel()
	u := newUnit(t, "AUTHY_SERVER_DRAIN_DELAY=4s")
	u.start()
	u.signal(syscall.SIGTERM)
	u.told("STOPPING=1")
	// Behind the server the socket is still there, and takes connections that nobody answers.
	client := &http.Client{Timeout: 10 * time.Second}
	for path, want := range map[string]int{"/api/ready": 503, "/oidc/jwks": 200, "/api/health": 200} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != want || !res.Close {
			t.Errorf("%s: %d, close %v, %v; want %d and the connection's end; %s", path, res.StatusCode, res.Close, err, want, body)
		}
	}
	if err := u.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v:\n%s", err, u.log)
	}
}

func TestAHangUpAppliesTheStateFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.toml")
	say := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bob := "[[user]]\nemail = \"" + restartUser + "\"\n"
	say(bob)
	u := newUnit(t, "AUTHY_STATE_FILE="+file)
	u.start()
	waitFor := func(text string) {
		again, late := time.NewTicker(20*time.Millisecond), time.After(20*time.Second)
		defer again.Stop()
		for !strings.Contains(u.log.String(), text) {
			select {
			case <-again.C:
			case <-late:
				t.Fatalf("the log does not have %s:\n%s", text, u.log)
			}
		}
	}
	may := func(want bool, when string) {
		t.Helper()
		if _, err := u.signIn(t.Context(), http.DefaultClient); (err == nil) != want {
			t.Errorf("%s: signing in is %v, want it to be possible %v", when, err, want)
		}
	}
	may(true, "at the start")
	say(bob + "status = \"suspended\"\n")
	u.signal(syscall.SIGHUP)
	waitFor(`status \"active\" → \"suspended\"`)
	may(false, "suspended")
	say(bob + "[[client]]\nclient_id = \"x\"\n")
	u.signal(syscall.SIGHUP)
	waitFor("state.toml:3:3: client.name: missing")
	waitFor("state file not applied at SIGHUP: nothing has changed")
	may(false, "after a mistake")
	say(bob)
	u.signal(syscall.SIGHUP)
	waitFor(`status \"suspended\" → \"active\"`)
	may(true, "as at the start")
	u.stop()
}

func TestASecondSignalStopsAtOnceAndAHangUpDoesNot(t *testing.T) {
	t.Parallel()
	u := newUnit(t, "AUTHY_SERVER_DRAIN_DELAY=1m")
	u.start()
	u.signal(syscall.SIGHUP)
	if _, err := u.signIn(t.Context(), http.DefaultClient); err != nil {
		t.Errorf("after SIGHUP: %v", err)
	}
	u.signal(syscall.SIGTERM)
	u.told("STOPPING=1")
	began := time.Now()
	u.signal(syscall.SIGTERM)
	if err, took := u.cmd.Wait(), time.Since(began); err == nil || took > 10*time.Second {
		t.Errorf("it ended with %v after %v", err, took)
	}
	if !strings.Contains(u.log.String(), "SIGHUP changes nothing") {
		t.Errorf("the log does not tell of SIGHUP:\n%s", u.log)
	}
}
