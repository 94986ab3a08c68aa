//go:build faults

package cmd

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// The real program is killed again and again while people sign in and a receiver is told of
// it: each event that the log has in the end has reached the receiver.
func TestAKilledServerLosesNoEventThatAWebhookAsksFor(t *testing.T) {
	t.Parallel()
	const kills = 8
	var mu sync.Mutex
	told := map[string]int{}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		told[r.Header.Get("Webhook-Id")]++
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(receiver.Close)
	u := newUnit(t, "AUTHY_OUTBOUND_ALLOW=127.0.0.0/8")
	run := func(args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "authy", args...)
		c.Env = u.env
		out, err := c.Output()
		if err != nil {
			t.Fatalf("authy %s: %v", strings.Join(args, " "), err)
		}
		return string(out)
	}
	run("webhook", "add", "siem", "--url", receiver.URL, "--action", "user.login")
	acknowledged := 0
	for i := range kills {
		u.start()
		for end := time.Now().Add(time.Duration(200+i*300) * time.Millisecond); time.Now().Before(end); {
			if _, err := u.signIn(t.Context(), http.DefaultClient); err != nil {
				t.Fatal(err)
			}
			acknowledged++
		}
		if err := u.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = u.cmd.Wait() // it was killed
	}
	u.start()
	var events []string
	for line := range strings.Lines(run("audit", "export", "--action", "user.login")) {
		var e struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e.ID)
	}
	missing := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range events {
			if told[id] == 0 {
				n++
			}
		}
		return n
	}
	for end := time.Now().Add(2 * time.Minute); missing() > 0 && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	u.stop()
	twice := 0
	for _, n := range told {
		if n > 1 {
			twice++
		}
	}
	t.Logf("%d sign-ins acknowledged, %d events, %d of them told more than once", acknowledged, len(events), twice)
	if n := missing(); n > 0 || len(events) < acknowledged {
		t.Errorf("%d of %d events never arrived, of %d sign-ins", n, len(events), acknowledged)
	}
}
