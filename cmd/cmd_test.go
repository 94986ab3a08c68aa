package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/config"
)

// destroys are the names of commands after which something is gone for good.
var destroys = map[string]bool{
	"delete": true, "disable-totp": true, "down": true, "panic": true, "remove-passkeys": true, "rotate-secret": true, "unlink": true, "remove": true, "reset": true, "restore": true, "retire": true, "rollback": true,
}

func TestEveryCommandHasHelpWithExamples(t *testing.T) {
	t.Parallel()
	a := &app{settings: config.Flags{}}
	var visit func(c *cobra.Command)
	seen := 0
	visit = func(c *cobra.Command) {
		if c.Name() == "completion" { // cobra's own
			return
		}
		seen++
		if c.Short == "" || !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s: short = %q, example = %q; want both, the example with the command",
				c.CommandPath(), c.Short, c.Example)
		}
		if c.Args == nil {
			t.Errorf("%s: takes any arguments, want them checked", c.CommandPath())
		}
		if destroys[c.Name()] && c.Flags().Lookup("yes") == nil {
			t.Errorf("%s: it does not ask before it goes ahead", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(a.root())
	if seen < 20 {
		t.Errorf("commands seen = %d, want all of them", seen)
	}
}

// full is a disk without room.
type full struct{}

var errFull = errors.New("no space left on device")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWhatCannotBeWrittenIsAFailure(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"--help"}, {"user", "--help"}, {"version"}} {
		var said strings.Builder
		if code := Main(args, strings.NewReader(""), full{}, &said); code != exitFailure {
			t.Errorf("authy %q ended with %d, want %d", args, code, exitFailure)
		}
		if !strings.Contains(said.String(), errFull.Error()) {
			t.Errorf("authy %q said %q, want why", args, &said)
		}
	}
}

func TestACommandThatASignalStoppedSaysSo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	stopped := fmt.Errorf("read table events: %w", context.Canceled)
	if got := told(ctx, stopped); got != "read table events: context canceled" {
		t.Errorf("without a signal: %q", got)
	}
	cancel()
	if got := told(ctx, stopped); got != "read table events: stopped by Ctrl-C or SIGTERM" {
		t.Errorf("with a signal: %q", got)
	}
	if got := told(ctx, errFull); got != errFull.Error() {
		t.Errorf("of something else: %q", got)
	}
}

func TestTheVersionIsTheModulesOrTheRevisions(t *testing.T) {
	t.Parallel()
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123"}
	for _, tt := range []struct {
		name string
		main string
		vcs  []debug.BuildSetting
		want build
	}{
		{name: "released", main: "v1.2.3", want: build{Version: "v1.2.3"}},
		{name: "no source control", main: "(devel)", want: build{Version: "devel"}},
		{name: "nothing known", want: build{Version: "devel"}},
		{
			name: "a revision", main: "(devel)", vcs: []debug.BuildSetting{revision},
			want: build{Version: "devel-0123456789ab", Revision: revision.Value},
		},
		{
			name: "a changed revision", vcs: []debug.BuildSetting{revision, {Key: "vcs.modified", Value: "true"}},
			want: build{Version: "devel-0123456789ab+dirty", Revision: revision.Value},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.want.Go, tt.want.Platform = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH
			got := buildOf(&debug.BuildInfo{Main: debug.Module{Version: tt.main}, Settings: tt.vcs})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("buildOf(%q) (-want +got):\n%s", tt.main, diff)
			}
		})
	}
}

func TestAServerThatListensEverywhereIsAskedOnThisMachine(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"127.0.0.1:5000":  "http://127.0.0.1:5000",
		"0.0.0.0:5000":    "http://127.0.0.1:5000",
		":5000":           "http://127.0.0.1:5000",
		"[::]:5000":       "http://[::1]:5000",
		"[fd00::1]:80":    "http://[fd00::1]:80",
		"authy.lan:5000":  "http://authy.lan:5000",
		"10.0.0.7:443":    "http://10.0.0.7:443",
		"localhost:12345": "http://localhost:12345",
	} {
		if got, err := reachable(address); got != want || err != nil {
			t.Errorf("reachable(%q) = %q, %v, want %q", address, got, err, want)
		}
	}
	for _, address := range []string{"127.0.0.1:0", "5000"} {
		if got, err := reachable(address); err == nil {
			t.Errorf("reachable(%q) = %q, want an error", address, got)
		}
	}
}

func TestHealthNamesTheFailingPart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   string // "" for ready
	}{
		{"ready", 200, `{"message": "Ready", "data": {"database": "ok", "keys": "ok"}}`, ""},
		{
			"two parts", 503, `{"data": {"store": "failing", "database": "failing", "keys": "ok"}}`,
			"not ready: database is failing, store is failing",
		},
		{"stopping", 503, `{"data": {"database": "ok", "server": "stopping"}}`, "not ready: server is stopping"},
		{"another program", 200, `<!doctype html>`, "not authy: "},
		{"another program's JSON", 200, `{"ok": true}`, "not authy: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/api/ready" {
					t.Errorf("path = %q, want /api/ready", r.URL.Path)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body) // the client says what it misses
			}))
			defer s.Close()
			err := (&app{stdout: io.Discard}).health(t.Context(), s.URL+"/", time.Minute)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
				t.Errorf("health = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestHealthWaitsNoLongerThanItsTimeout(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer s.Close()
	err := (&app{stdout: io.Discard}).health(t.Context(), s.URL, 50*time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("health = %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestAPromptEndsWithItsContext(t *testing.T) {
	t.Parallel()
	typed, keyboard := io.Pipe()
	defer keyboard.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	if _, err := (&app{stdin: typed}).readLine(ctx); !errors.Is(err, errInterrupted) {
		t.Errorf("readLine = %v, want %v", err, errInterrupted)
	}
}

func TestALineIsReadWithoutItsEnd(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"secret\n": "secret", "secret\r\n": "secret", "secret": "secret", " s \nmore\n": " s ", "": "",
	} {
		got, err := (&app{stdin: strings.NewReader(in)}).readLine(t.Context())
		if got != want || err != nil {
			t.Errorf("readLine of %q = %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestTablesCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	rows := [][]string{{"a\x1b[2Jb", ""}, {"\u202egnp.exe", "\u009b31m"}, {"Zoë", "two\twords"}}
	if err := (&app{stdout: &out}).printTable([]string{"ONE", "TWO"}, rows); err != nil {
		t.Fatal(err)
	}
	want := "ONE       TWO\n" + "a\uFFFD[2Jb    -\n" + "\uFFFDgnp.exe  \uFFFD31m\n" + "Zoë       two\uFFFDwords\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("printTable (-want +got):\n%s", diff)
	}
}

func TestEverySampleClientCanBeTriedOnThisMachine(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"acme-portal-001", "acme-mobile-001", "tech-dashboard-001", "data-api-001"} {
		c, ok := server.SeedClient(id)
		if got := onThisMachine(c.RedirectURIs); !ok || !strings.HasPrefix(got, "http://localhost:") {
			t.Errorf("onThisMachine(%q) = %q, want a URL on localhost", c.RedirectURIs, got)
		}
	}
	if got := onThisMachine([]string{"https://localhost/cb", "http://example.com/cb", "app://localhost"}); got != "" {
		t.Errorf("onThisMachine = %q, want none", got)
	}
}
