package server

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"testing"
)

// peer is a connection from an address.
type peer struct {
	net.Conn
	from   string
	closed bool
}

func (p *peer) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(p.from), Port: 1} }
func (p *peer) Close() error         { p.closed = true; return nil }

func newConnections(ctx context.Context, most int) *connections {
	c := new(connections)
	c.allow(ctx, most)
	return c
}

func TestOneConnectionMoreTakesAnothersPlace(t *testing.T) {
	t.Parallel()
	come := func(c *connections, from string) *peer {
		p := &peer{from: from}
		c.moved(p, http.StateNew)
		return p
	}
	t.Run("that of who waited longest", func(t *testing.T) {
		t.Parallel()
		c := newConnections(t.Context(), 3)
		slow, idle, busy := come(c, "192.0.2.1"), come(c, "192.0.2.2"), come(c, "192.0.2.3")
		c.moved(busy, http.StateActive)
		c.moved(idle, http.StateActive)
		c.moved(idle, http.StateIdle)
		come(c, "192.0.2.4")
		if !slow.closed || idle.closed || busy.closed {
			t.Errorf("closed: slow %v, idle %v, busy %v; want slow alone", slow.closed, idle.closed, busy.closed)
		}
		come(c, "192.0.2.5")
		if !busy.closed || idle.closed {
			t.Errorf("then closed: busy %v, idle %v; want what began before the other ended", busy.closed, idle.closed)
		}
		c.moved(slow, http.StateActive) // its handler learns late
		c.moved(slow, http.StateClosed)
		if c.count() != 3 {
			t.Errorf("%d are open, want 3", c.count())
		}
	})
	t.Run("that of its own network, which has more than its share", func(t *testing.T) {
		t.Parallel()
		c := newConnections(t.Context(), 10)
		honest := come(c, "198.51.100.1")
		var many []*peer
		for i := range 1000 {
			many = append(many, come(c, "2001:db8::"+strconv.FormatInt(int64(i+1), 16)))
		}
		if honest.closed || many[991].closed || !many[990].closed {
			t.Errorf("closed: honest %v, of many the last but nine %v and the one before %v",
				honest.closed, many[991].closed, many[990].closed)
		}
		late := come(c, "203.0.113.9")
		if late.closed || honest.closed || !many[991].closed {
			t.Errorf("closed: the late one %v, who has less than a share %v, of many the oldest %v", late.closed, honest.closed, many[991].closed)
		}
	})
	t.Run("never that of who has less than a share, however many come and go elsewhere", func(t *testing.T) {
		t.Parallel()
		c := newConnections(t.Context(), 200)
		honest := come(c, "198.51.100.1") // a password of theirs is being hashed
		for i := range 10_000 {
			come(c, "192.0.2."+strconv.Itoa(i%16))
		}
		if honest.closed || c.count() != 200 {
			t.Errorf("closed: %v; %d are open", honest.closed, c.count())
		}
	})
	t.Run("each from a network of its own", func(t *testing.T) {
		t.Parallel()
		c := newConnections(t.Context(), 10)
		for i := range 100 {
			if p := come(c, "192.0.2."+strconv.Itoa(i)); p.closed {
				t.Fatal("who comes is sent away")
			}
		}
		for conn := range c.open {
			c.moved(conn, http.StateClosed)
		}
		if c.count()+c.order.Len()+len(c.crowds) != 0 {
			t.Error("what was closed is remembered")
		}
	})
}

func BenchmarkConnectionMoved(b *testing.B) {
	c := newConnections(b.Context(), 10_000)
	var all []*peer
	for i := range 10_000 {
		all = append(all, &peer{from: "192.0.2." + strconv.Itoa(i%256)})
		c.moved(all[i], http.StateNew)
	}
	for i := 0; b.Loop(); i++ {
		c.moved(all[i%len(all)], http.StateActive)
	}
}
