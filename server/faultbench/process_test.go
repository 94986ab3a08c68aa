package faultbench

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"authy/server/config"
	"authy/server/servertest"
	"authy/storage/storagetest"
)

const (
	// secretKey is the secret key of every server of the bench.
	secretKey = "the bench keeps no secrets from itself"
	// readyLimit is how long a server may take to be ready, on a machine that may have much else to
	// do; soon is what R-01 asks where it has not.
	readyLimit = time.Minute
	soon       = 5 * time.Second
)

// scratch holds what the tests of the package share; it is removed when they end.
var scratch string

func TestMain(m *testing.M) {
	servertest.Quiet()
	os.Exit(func() int {
		var err error
		if scratch, err = os.MkdirTemp("", "authy-faultbench-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(scratch) //nolint:errcheck // what is left is in the way of nobody
		return m.Run()
	}())
}

// program builds authy, once, and is its path. The flags are those of .ci/run, so that what was
// compiled there is used again.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "authy")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "authy")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build authy: %w\n%s", err, out)
	}
	return path, nil
})

// process is the authy program as a process, with a directory and a port of its own. It keeps both
// when it is killed and launched again.
type process struct {
	t      testing.TB
	url    string
	listen string
	dir    string
	// database is the URL of its database, and engine says of which kind that is.
	database, engine string
	env              []string
	wrap             []string // what runs the program, such as strace and its arguments
	binary           string   // another program than that of [program]

	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process has ended
	client *http.Client
}

// setup says how a process is to be started.
type setup struct {
	// engine is "sqlite" or "postgres".
	engine string
	// database is the URL of a database that is there already; "" is a new one.
	database string
	// listen is an address that is in use already by nobody; "" is a free one.
	listen string
	// publicURL is that of another node; "" is its own.
	publicURL string
	// set are settings by their names, such as "redis.url".
	set map[string]string
	// wrap is what runs the program.
	wrap []string
}

// prepare makes all that a process needs and does not launch it.
func prepare(t testing.TB, s setup) *process {
	t.Helper()
	p := &process{
		t: t, dir: t.TempDir(), engine: s.engine, database: s.database, listen: s.listen, wrap: s.wrap,
		client: &http.Client{
			Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if err := os.Chmod(p.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if p.database == "" {
		p.database = storagetest.Migrated(t, s.engine)
	}
	if p.listen == "" {
		p.listen = freeAddress(t)
	}
	p.url = "http://" + p.listen
	settings := map[string]string{
		"listen": p.listen, "public_url": p.url, "data_dir": p.dir, "database.url": p.database,
		"security.secret_key": secretKey, "security.bcrypt_cost": "4", "rate_limit.enabled": "false",
		"openid.refresh_grace": "0s", "log.format": "text",
	}
	if s.publicURL != "" {
		settings["public_url"] = s.publicURL
	}
	maps.Copy(settings, s.set)
	p.env = environment(settings)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said:\n%s", p.url, strings.TrimSpace(p.log()))
		}
		p.kill()
		p.client.CloseIdleConnections()
	})
	return p
}

// start starts a process and waits until it is ready.
func start(t testing.TB, s setup) *process {
	t.Helper()
	p := prepare(t, s)
	p.launch()
	p.ready(readyLimit)
	return p
}

// environment turns settings into the variables that set them, and leaves out those that others
// have set.
func environment(settings map[string]string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AUTHY_") })
	for key, value := range settings {
		env = append(env, "AUTHY_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))+"="+value)
	}
	return env
}

// freeAddress is one on this machine that nobody listens on. It is below the ports that the system
// gives to clients: otherwise one of them could have it while a server is down.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 12000+rand.IntN(18000))
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		if err == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return address
		}
	}
	t.Fatal("there is no free port")
	return ""
}

// command is the program with arguments, in the environment of the process.
func (p *process) command(args ...string) *exec.Cmd {
	p.t.Helper()
	path := p.binary
	if path == "" {
		var err error
		if path, err = program(); err != nil {
			p.t.Fatal(err)
		}
	}
	line := append(slices.Clone(p.wrap), path)
	line = append(line, args...)
	c := exec.CommandContext(context.WithoutCancel(p.t.Context()), line[0], line[1:]...)
	c.Env, c.Dir = p.env, p.dir
	return c
}

// run runs another command of the program beside the server, and returns what it prints.
func (p *process) run(input string, args ...string) string {
	p.t.Helper()
	c := p.command(args...)
	c.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		p.t.Fatalf("authy %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}

// launch starts the server and does not wait for it.
func (p *process) launch() {
	p.t.Helper()
	p.cmd = p.command("serve")
	log, err := os.OpenFile(p.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // the process has its own
	p.cmd.Stdout, p.cmd.Stderr = log, log
	inGroup(p.cmd)
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait() // ProcessState tells
		close(ended)
	}(p.cmd, p.ended)
}

func (p *process) logPath() string { return filepath.Join(p.dir, "authy.log") }

// log is the end of what the server has written.
func (p *process) log() string {
	text, err := os.ReadFile(p.logPath())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// ready waits until the server says that it is ready, and returns how long that took.
func (p *process) ready(limit time.Duration) time.Duration {
	p.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(p.t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if p.isReady(ctx) {
			return time.Since(began)
		}
		select {
		case <-tick.C:
		case <-p.ended:
			p.t.Fatalf("the server ended: %v\n%s", p.cmd.ProcessState, p.log())
		case <-ctx.Done():
			p.t.Fatalf("the server is not ready after %s\n%s", limit, p.log())
		}
	}
}

func (p *process) isReady(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/ready", nil)
	if err != nil {
		return false
	}
	res, err := p.client.Do(req)
	if err != nil {
		return false
	}
	return res.Body.Close() == nil && res.StatusCode == http.StatusOK
}

// kill ends the server as a loss of power of the process would: it is told nothing.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	p.signal(syscall.SIGKILL)
	<-p.ended
	p.client.CloseIdleConnections()
}

// terminate asks the server to stop, and returns how it ended.
func (p *process) terminate(limit time.Duration) *os.ProcessState {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(limit):
		p.t.Fatalf("the server has not stopped after %s\n%s", limit, p.log())
	}
	p.client.CloseIdleConnections()
	return p.cmd.ProcessState
}

// restart launches the server anew and returns how long it took to be ready.
func (p *process) restart() time.Duration {
	p.t.Helper()
	p.launch()
	return p.ready(readyLimit)
}

// configuration is that of the servers of the bench, for what is to be computed with their secret.
func configuration() *config.Config {
	c := config.Defaults()
	c.Security.SecretKey = secretKey
	c.Security.BcryptCost = 4
	return c
}

func TestTheProgramCanBeKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := start(t, setup{engine: engine})
			p.kill()
			p.restart()
			if state := p.terminate(30 * time.Second); state.ExitCode() != 0 {
				t.Errorf("after SIGTERM it ended with %v\n%s", state, p.log())
			}
		})
	}
}
