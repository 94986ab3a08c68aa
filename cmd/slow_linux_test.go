package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// slow holds a connection as someone does who means to keep others out, in one of three ways.
func slow(ctx context.Context, address string, from, way int) (held time.Duration, err error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+from))}, Timeout: 10 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close() //nolint:errcheck // the other side closes it
	began := time.Now()
	beginning := [...]string{
		"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
		"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{",
		"GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n",
	}[way]
	if way == 2 {
		_ = conn.(*net.TCPConn).SetReadBuffer(4096) //nolint:forcetypeassert // then it is not as slow
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	for _, err = io.WriteString(conn, beginning); err == nil; {
		if way == 2 {
			<-time.After(slowByte)
			_, err = io.ReadFull(conn, make([]byte, 100*max(1, int(slowByte/time.Second))))
			continue
		}
		if err = stays(conn, slowByte); err == nil {
			_, err = io.WriteString(conn, "a")
		}
	}
	return time.Since(began), ctx.Err()
}

// stays waits, and says why a connection has not stayed open so long.
func stays(conn net.Conn, long time.Duration) error {
	if err := conn.SetReadDeadline(time.Now().Add(long)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, conn); !errors.Is(err, os.ErrDeadlineExceeded) {
		return cmp.Or(err, io.EOF)
	}
	return nil
}

// crowd keeps so many slow connections open, from 16 addresses, until ctx ends.
func crowd(ctx context.Context, t *testing.T, u *unit, many int) (wait func() (closed int64, longest time.Duration)) {
	t.Helper()
	var all sync.WaitGroup
	var closed, longest atomic.Int64
	for i := range many {
		all.Go(func() {
			for ctx.Err() == nil {
				held, err := slow(ctx, strings.TrimPrefix(u.url, "http://"), i%16, i%3)
				if err != nil {
					continue // the backlog is full
				}
				closed.Add(1)
				if i%3 == 0 && int64(held) > longest.Load() {
					longest.Store(int64(held))
				}
			}
		})
	}
	return func() (int64, time.Duration) { all.Wait(); return closed.Load(), time.Duration(longest.Load()) }
}

// R-14, HT-09: who is slow on purpose, and has all connections that may be, is in nobody's way.
func TestSlowConnectionsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	u := newUnit(t, "AUTHY_SERVER_MAX_CONNECTIONS="+strconv.Itoa(slowLimit))
	u.start()
	defer u.stop()
	token, err := u.signIn(t.Context(), http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	all := []*steady{
		{what: "keys", ask: func(ctx context.Context) error {
			_, err := request(ctx, fresh, http.MethodGet, u.url+"/oidc/jwks", "", "")
			return err
		}},
		{what: "session check", ask: func(ctx context.Context) error {
			_, err := request(ctx, http.DefaultClient, http.MethodGet, u.url+"/api/v1/auth/me", token, "")
			return err
		}},
		{what: "sign-in", ask: func(ctx context.Context) error { _, err := u.signIn(ctx, fresh); return err }},
	}
	quiet := used(t, u)
	askAll(t.Context(), all, slowFor/4)
	before := percentile(all[0].took, .99)

	ctx, cancel := context.WithCancel(t.Context())
	wait := crowd(ctx, t, u, slowClient)
	for open := 0; open < min(slowLimit, slowClient)*9/10; open = used(t, u).sockets {
		time.Sleep(20 * time.Millisecond)
	}
	askAll(t.Context(), all, slowFor)
	crowded := used(t, u)
	cancel()
	closed, longest := wait()
	for _, s := range all {
		p99 := percentile(s.took, .99)
		t.Logf("%-13s %5d asked, %d failed, p99 %v", s.what, len(s.took), len(s.bad), p99)
		if len(s.bad)*1000 > len(s.took) {
			t.Errorf("%s: %d of %d failed, such as: %v", s.what, len(s.bad), len(s.took), s.bad[0])
		}
	}
	t.Logf("keys p99 %v before; %d slow connections closed, one that sent a header after %v at most; %v, then %v",
		before, closed, longest, quiet, crowded)
	if closed == 0 || crowded.sockets > slowLimit+64 || longest > 13*time.Second+slowQueue {
		t.Error("slow connections are kept too long, or are too many")
	}
	if grown := crowded.memory - quiet.memory; grown > 64<<10*slowLimit+32<<20 {
		t.Errorf("%d KiB more for %d connections", grown>>10, crowded.sockets)
	}
}

// askAll has all of them ask for a while.
func askAll(ctx context.Context, all []*steady, long time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	var asking sync.WaitGroup
	for _, s := range all {
		asking.Go(func() { s.during(ctx) })
	}
	asking.Wait()
}

// holding is what a process has of the machine.
type holding struct{ memory, sockets int }

func (u holding) String() string {
	return fmt.Sprintf("%d MiB and %d sockets", u.memory>>20, u.sockets)
}

func used(t *testing.T, u *unit) holding {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d/", u.cmd.Process.Pid)
	statm, err := os.ReadFile(proc + "statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Fatal(err)
	}
	out := holding{memory: pages * os.Getpagesize()}
	for _, f := range files {
		to, _ := os.Readlink(proc + "fd/" + f.Name()) // it may be gone
		if strings.HasPrefix(to, "socket:") {
			out.sockets++
		}
	}
	return out
}
