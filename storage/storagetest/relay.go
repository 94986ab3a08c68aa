package storagetest

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Relay stands between authy and a server, and makes trouble as it is told.
type Relay struct {
	Address string // where it listens

	network, target string
	listener        net.Listener
	running         sync.WaitGroup

	mu      sync.Mutex
	mute    bool        // passes nothing on, and says nothing
	refuse  bool        // hangs up on whoever connects
	deaf    bool        // keeps notifications of PostgreSQL back
	cut     string      // when the server has been sent this, its answer is not passed on
	reached *exchange   // where it has been sent that
	open    []*exchange // what it passes between
}

// exchange is one connection with its two ends.
type exchange struct{ client, server net.Conn }

// NewRelay starts a relay to a server; it ends with the test.
func NewRelay(t testing.TB, network, target string) *Relay {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{Address: l.Addr().String(), network: network, target: target, listener: l}
	r.running.Go(r.accept)
	t.Cleanup(func() {
		_ = l.Close() // the test is over
		r.HangUp()
		r.running.Wait()
	})
	return r
}

// Behind returns the URL of a database of the shared PostgreSQL by way of a relay.
func Behind(t testing.TB, database string) (string, *Relay) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRelay(t, "unix", filepath.Join(u.Query().Get("host"), socketName))
	return "postgres://postgres@" + r.Address + u.Path + "?sslmode=disable", r
}

// Mute has the relay swallow everything, or not; connections that were silent once stay so.
func (r *Relay) Mute(mute bool) { r.set(func() { r.mute = mute }) }

// Refuse has the relay hang up on whoever connects, or not.
func (r *Relay) Refuse(refuse bool) { r.set(func() { r.refuse = refuse }) }

// KeepNewsBack has the relay pass no notifications of PostgreSQL on to those who connect from now
// on, as a pooler does that hands connections on after each transaction.
func (r *Relay) KeepNewsBack(deaf bool) { r.set(func() { r.deaf = deaf }) }

// CutAfter has the relay hang up instead of passing the answer on when the server has been sent
// a text, once.
func (r *Relay) CutAfter(text string) { r.set(func() { r.cut, r.reached = text, nil }) }

func (r *Relay) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// HangUp ends every connection there is.
func (r *Relay) HangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.open {
		one.end()
	}
	r.open = nil
}

// end closes both ends. Either may be closed already.
func (e *exchange) end() {
	_ = e.client.Close()
	_ = e.server.Close()
}

func (r *Relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial(r.network, r.target) //nolint:noctx // a test's
		if err != nil {
			_ = client.Close() // as the server would
			continue
		}
		one := &exchange{client, server}
		r.mu.Lock()
		refuse, deaf := r.refuse, r.deaf
		if !refuse {
			r.open = append(r.open, one)
		}
		r.mu.Unlock()
		if refuse {
			one.end()
			continue
		}
		said := io.Reader(server)
		if deaf {
			said = &withoutNews{from: bufio.NewReader(server)}
		}
		dead := new(bool) // for good, in both directions
		r.running.Go(func() { r.pass(one, dead, client, server, true) })
		r.running.Go(func() { r.pass(one, dead, said, client, false) })
	}
}

// pass passes on what one end says until either hangs up.
func (r *Relay) pass(one *exchange, dead *bool, from io.Reader, to io.Writer, asks bool) {
	defer one.end()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		switch r.verdict(one, dead, string(buffer[:n]), asks) {
		case swallow:
		case hangUp:
			return
		default:
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
	}
}

// withoutNews is what PostgreSQL says but for notifications, message by message.
type withoutNews struct {
	from *bufio.Reader
	rest []byte
}

func (w *withoutNews) Read(p []byte) (int, error) {
	for len(w.rest) == 0 {
		head := make([]byte, 5) // a letter, and the length of what follows it
		if _, err := io.ReadFull(w.from, head); err != nil {
			return 0, err
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(w.from, body); err != nil {
			return 0, err
		}
		if head[0] != 'A' { // NotificationResponse
			w.rest = append(head, body...)
		}
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}

// What a relay does with what it reads.
const (
	passOn = iota
	swallow
	hangUp
)

func (r *Relay) verdict(one *exchange, dead *bool, text string, asks bool) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	*dead = *dead || r.mute
	switch {
	case *dead:
		return swallow
	case r.cut != "" && asks && strings.Contains(text, r.cut):
		r.cut, r.reached = "", one
	case !asks && r.reached == one:
		r.reached = nil
		return hangUp
	}
	return passOn
}
