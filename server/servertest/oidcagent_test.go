package servertest_test

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
)

// oidcAgent is an oidc-agent that runs, and a directory in which it keeps its accounts.
type oidcAgent struct {
	t   *testing.T
	env []string
}

// newOIDCAgent starts oidc-agent. Without it the test is skipped, unless AUTHY_TEST_REQUIRE names
// oidc-agent.
func newOIDCAgent(t *testing.T) *oidcAgent {
	t.Helper()
	program, err := exec.LookPath("oidc-agent")
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("AUTHY_TEST_REQUIRE"), ","), "oidc-agent") {
			t.Fatalf("oidc-agent is required by AUTHY_TEST_REQUIRE: %v", err)
		}
		t.Skipf("oidc-agent is not installed: %v", err)
	}
	dir, err := os.MkdirTemp("", "agent") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) //nolint:errcheck // a directory of the test's
	socket := filepath.Join(dir, "socket")
	a := &oidcAgent{t, append(os.Environ(), "HOME="+dir, "OIDC_CONFIG_DIR="+dir, "OIDC_SOCK="+socket, "OIDC_ENCRYPTION_PW="+letters(20))}
	cmd := exec.CommandContext(t.Context(), program, "--console", "--socket-path="+socket)
	var told bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = a.env, &told, &told
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // it was killed
		if t.Failed() {
			t.Logf("oidc-agent: %s", told.String())
		}
	})
	for range 200 {
		if _, err := os.Stat(socket); err == nil {
			return a
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("oidc-agent does not listen")
	return nil
}

// command returns a program of oidc-agent's, ready to run.
func (a *oidcAgent) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = a.env
	return cmd
}

// token asks the agent for an access token, as programs do.
func (a *oidcAgent) token(args ...string) string {
	a.t.Helper()
	out, err := a.command(a.t.Context(), "oidc-token", append(args, "account")...).CombinedOutput()
	if err != nil {
		a.t.Fatalf("oidc-token: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// userCode is how the code for a person looks.
var userCode = regexp.MustCompile(`\b[A-Z]{4}-[A-Z]{4}\b`)

func TestOIDCAgentSignsInByDeviceAndRefreshes(t *testing.T) {
	t.Parallel()
	a, s := newOIDCAgent(t), servertest.New(t)
	client := register(t, s, registry.Registration{
		ClientID: "agent", Secret: "a secret of the agent's own", Name: "Agent", GrantTypes: []string{deviceGrant, "refresh_token"},
		Scopes: []string{"openid", "email", "offline_access"},
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	gen := a.command(ctx, "oidc-gen", "--flow=device", "--issuer="+s.URL, "--client-id="+client.id, "--client-secret="+client.secret,
		"--scope=openid email offline_access", "--redirect-uri=http://localhost:4242", "--pw-env", "--confirm-yes", "--prompt=none", "--no-url-call", "account")
	out, err := gen.StderrPipe() // where it shows the code
	if err != nil {
		t.Fatal(err)
	}
	var shown, told bytes.Buffer
	gen.Stdout = &told
	if err := gen.Start(); err != nil {
		t.Fatal(err)
	}
	code, lines := "", bufio.NewScanner(out)
	for code == "" && lines.Scan() {
		shown.WriteString(lines.Text() + "\n")
		code = userCode.FindString(lines.Text())
	}
	if code == "" {
		t.Fatalf("oidc-gen shows no code: %s", shown.String())
	}
	browser := servertest.Browser(t)
	decideOn(t, s, browser, typeCode(t, s, browser, code), "allow")
	for lines.Scan() {
		shown.WriteString(lines.Text() + "\n")
	}
	if err := gen.Wait(); err != nil {
		t.Fatalf("oidc-gen: %v: %s%s", err, told.String(), shown.String())
	}
	tr := newTrail(t, s)
	first := a.token()
	if r := userinfo(t, s, first); r.status != http.StatusOK || r.fields["email"] != bob {
		t.Errorf("userinfo for the agent: %d %s", r.status, r.body)
	}
	if next := a.token("--force-new"); next == first || userinfo(t, s, next).status != http.StatusOK {
		t.Errorf("the agent refreshes %.20s… to %.20s…", first, next)
	}
	if !slices.ContainsFunc(tr.news(), func(e storage.Event) bool { return e.Action == "token.refreshed" }) {
		t.Error("the agent has refreshed nothing")
	}
	if out, err := a.command(t.Context(), "oidc-gen", "--delete", "--pw-env", "--confirm-yes", "account").CombinedOutput(); err != nil {
		t.Fatalf("oidc-gen --delete: %v: %s", err, out)
	}
	alive(t, s, first, false) // it revokes what it had
}
