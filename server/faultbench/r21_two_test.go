package faultbench

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// a second server on the file of a running one refuses, in one sentence, and takes over when
// the first is killed. Commands beside the server lose nothing, and make it lose nothing.
func TestR21OneServerHasASQLiteFile(t *testing.T) {
	t.Parallel()
	began, commands := time.Now(), 3
	if long {
		commands = 50
	}
	b := newBench(t, start(t, setup{engine: "sqlite"}))
	stop := make(chan struct{})
	done := b.run(b.workers(8), stop)

	second := prepare(t, setup{engine: "sqlite", database: b.node.database})
	second.launch()
	select {
	case <-second.ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("the second server runs beside the first\n%s", second.log())
	}
	if code := second.cmd.ProcessState.ExitCode(); code == 0 {
		t.Errorf("the second server ended with %d", code)
	}
	if want := "another authy server is using " + b.node.file(); !strings.Contains(second.log(), want) {
		t.Errorf("the second server says %q, want %q", second.log(), want)
	}

	for i := range commands {
		email := fmt.Sprintf("shell%d@bench.example", i)
		e := b.ledger.begin(entry{Kind: "at the shell", Facts: []fact{{"user/" + email, "alive"}}})
		b.node.run("velvet harpoon shell\n", "user", "create", email, "--password-stdin")
		b.ledger.end(e, 200)
	}
	b.node.kill()
	done.Wait()
	took := second.restart()

	b.node = second
	f := b.look()
	for i := range commands {
		w := b.worker(-5)
		if _, err := w.do(t.Context(), w.login(fmt.Sprintf("shell%d@bench.example", i), "velvet harpoon shell")); err != nil {
			t.Error(err)
		}
	}
	if f.acked < 50 {
		t.Errorf("the clients got %d answers in all", f.acked)
	}
	report(t, result{
		id: "R-21", database: "sqlite", store: "in-process", nodes: 1, seed: b.seed, began: began, recovery: took, findings: f,
	})
}
