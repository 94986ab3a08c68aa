package faultbench

import (
	"runtime"
	"testing"
	"time"

	"authy/server/config"
	"authy/server/servertest"
)

// after a rush, with clients that go away in the middle of it, as many goroutines run as
// before, and after the server has stopped none of its own. It runs alone, since goroutines are
// counted in the whole process.
func TestR22NoGoroutineIsLeft(t *testing.T) {
	rush := 500 * time.Millisecond
	if long {
		rush = time.Minute
	}
	before := runtime.NumGoroutine()
	p := prepare(t, setup{engine: "sqlite"})
	s := servertest.Start(t, servertest.Options{DatabaseURL: p.database, Empty: true, Configure: func(c *config.Config) {
		c.Security.SecretKey, p.listen, p.url = secretKey, c.Listen, c.PublicURL
	}})
	p.ended = make(chan struct{})
	p.ready(readyLimit)
	b := newBench(t, p)
	p.client.CloseIdleConnections()
	quiet := settled(0)

	stop := make(chan struct{})
	done := b.run(b.workers(32), stop)
	<-time.After(rush)
	running := runtime.NumGoroutine()
	p.client.CloseIdleConnections() // some of them in use again by now
	close(stop)
	done.Wait()
	p.client.CloseIdleConnections()

	after := settled(quiet + 10)
	if after > quiet+10 {
		t.Errorf("%d goroutines after the rush, %d before it", after, quiet)
	}
	s.Stop()
	last := settled(before + 10)
	if last > before+10 {
		t.Errorf("%d goroutines after the server has stopped, %d before it was started", last, before)
	}
	f := b.ledger.entries(t)
	t.Logf("R-22: goroutines: %d without a server, %d quiet, %d in a rush of %d requests, %d after it, %d after the end",
		before, quiet, running, len(f), after, last)
}

// settled is how many goroutines there are when that has come down to a number, or after a while.
func settled(want int) int {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	n := runtime.NumGoroutine()
	for range 150 {
		if n = runtime.NumGoroutine(); n <= want {
			break
		}
		<-tick.C
	}
	return n
}
