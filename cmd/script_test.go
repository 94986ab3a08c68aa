package cmd

import (
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"authy/server/importer/gatehouse/gatehousetest"
	"authy/server/machine/machinetest"
)

// The scripts in testdata run the real program in processes of its own. Beside what testscript has
// they know the programs and commands below.

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"authy": func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"ask":   func() { os.Exit(ask(os.Args[1:])) },
	})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: setUp,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "humbly": humbly, "json": readJSON, "mode": mode, "sql": execSQL,
			"gatehouse": makeGatehouse, "certificate": makeCertificate,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// setUp gives a script two free ports, and a configuration that is fast.
func setUp(env *testscript.Env) error {
	for _, name := range []string{"PORT", "OTHER_PORT"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		env.Setenv(name, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
		if err := l.Close(); err != nil {
			return err
		}
	}
	env.Setenv("AUTHY_LISTEN", "127.0.0.1:"+env.Getenv("PORT"))
	env.Setenv("AUTHY_PUBLIC_URL", "http://localhost:"+env.Getenv("PORT"))
	env.Setenv("AUTHY_SECURITY_BCRYPT_COST", "4")
	// The race detector has each process wait a second before it ends, so that goroutines can still
	// be caught; a command has none that outlive it.
	env.Setenv("GORACE", "atexit_sleep_ms=0")
	return nil
}

// exits is "exits CODE program [args...]": the program must end with that very code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s exits with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// humbly is exits for who has to heed the modes of files, which root need not.
func humbly(ts *testscript.TestScript, neg bool, args []string) {
	if os.Getuid() == 0 && len(args) > 1 {
		args = append([]string{args[0], "setpriv", "--bounding-set=-dac_override,-dac_read_search"}, args[1:]...)
	}
	exits(ts, neg, args)
}

// readJSON is "json NAME PATH": standard output must be JSON, and the value in it at the path, such
// as data.token or 0.email, goes to the variable.
func readJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: json NAME PATH")
	}
	var value any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &value); err != nil {
		ts.Fatalf("standard output is not JSON: %v", err)
	}
	for step := range strings.SplitSeq(args[1], ".") {
		switch v := value.(type) {
		case map[string]any:
			inner, ok := v[step]
			if !ok {
				ts.Fatalf("%s: there is no %q", args[1], step)
			}
			value = inner
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				ts.Fatalf("%s: there is no %q among %d", args[1], step, len(v))
			}
			value = v[i]
		default:
			ts.Fatalf("%s: %q is below %v", args[1], step, value)
		}
	}
	ts.Setenv(args[0], fmt.Sprint(value))
}

// mode is "mode 0600 path...": the files must have exactly these permissions.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mode MODE path...")
	}
	for _, path := range args[1:] {
		info, err := os.Stat(ts.MkAbs(path))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", path, got, args[0])
		}
	}
}

// execSQL is "sql DATABASE STATEMENT": it changes a SQLite database behind authy's back.
func execSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sql DATABASE STATEMENT")
	}
	ts.Check(execute("file:"+ts.MkAbs(args[0]), args[1]))
}

// execute runs statements on a SQLite database.
func execute(url, statements string) error {
	db, err := sql.Open("sqlite", url)
	if err != nil {
		return err
	}
	_, err = db.Exec(statements)
	return errors.Join(err, db.Close())
}

// makeGatehouse is "gatehouse DATABASE": it makes a SQLite database as Gatehouse leaves it.
func makeGatehouse(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gatehouse DATABASE")
	}
	script, err := gatehousetest.Script("sqlite")
	ts.Check(err)
	execSQL(ts, false, []string{args[0], script})
}

// makeCertificate is "certificate HOST TIME CERT KEY": it makes a certificate that was good for ten
// times as long as it will be.
func makeCertificate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: certificate HOST TIME CERT KEY")
	}
	left, err := time.ParseDuration(args[1])
	ts.Check(err)
	pair, err := machinetest.MakePair(args[0], time.Now().Add(-10*left), time.Now().Add(left))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), pair.Cert, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), pair.Key, 0o600))
}

// ask is the program "ask [-token T] [-body FILE] [-until STATUS] [-within TIME] METHOD URL": it
// prints the body of the answer, once that has the status.
func ask(args []string) int {
	flags := flag.NewFlagSet("ask", flag.ExitOnError)
	token := flags.String("token", "", "bearer token")
	body := flags.String("body", "", "file with the JSON to send")
	until := flags.Int("until", http.StatusOK, "status to wait for")
	within := flags.Duration("within", 20*time.Second, "how long to wait for it")
	_ = flags.Parse(args) // exits by itself
	deadline := time.Now().Add(*within)
	for {
		status, text, err := askOnce(flags.Arg(0), flags.Arg(1), *token, *body)
		if err == nil && status == *until {
			fmt.Fprintln(os.Stdout, text)
			return 0
		}
		if time.Now().After(deadline) {
			fmt.Fprintf(os.Stderr, "status %d, want %d: %v\n%s\n", status, *until, err, text)
			return 1
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func askOnce(method, url, token, bodyFile string) (status int, text string, err error) {
	var body io.Reader
	if bodyFile != "" {
		content, err := os.ReadFile(bodyFile)
		if err != nil {
			return 0, "", err
		}
		body = strings.NewReader(string(content))
	}
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(content), err
}
