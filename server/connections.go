package server

import (
	"container/list"
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"authy/server/limit"
	"authy/server/machine"
)

// crowdPause is how long the log is silent after it said that connections are closed.
const crowdPause = time.Minute

// connections are those that are open, at most so many. One more takes the place
// of the one on which nothing has begun or ended for longest, of its own network if
// that has more than its share, or else of another that has. So who is slow, or
// opens many, makes room for everybody else.
type connections struct {
	most    int
	mu      sync.Mutex
	open    map[net.Conn]*connection
	crowds  map[string]*list.List // of *connection, by network; what moved last is last
	order   list.List             // all of them, likewise
	silence time.Time
}

type connection struct {
	net.Conn
	network  string
	own, all *list.Element
}

// allow allows most of them, or as many as the files that this process may open
// leave. None is open yet.
func (c *connections) allow(ctx context.Context, most int) {
	if files := machine.MostFiles(); files-machine.OtherFiles < most {
		left := max(files-machine.OtherFiles, files/2)
		slog.WarnContext(ctx, "this process may open too few files for server.max_connections: raise the limit (ulimit -n)",
			"files", files, "max_connections", most, "connections", left)
		most = left
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.most, c.open, c.crowds = most, map[net.Conn]*connection{}, map[string]*list.List{}
}

// moved is told of each connection that opens, begins a request with its first
// byte, has answered it, or is closed; it is [http.Server.ConnState].
func (c *connections) moved(conn net.Conn, state http.ConnState) {
	if crowded := c.note(conn, state); crowded != nil {
		_ = crowded.Close() // there is nobody to tell
	}
}

// note returns the connection that has to go, or nil.
func (c *connections) note(conn net.Conn, state http.ConnState) *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, known := c.open[conn]
	switch {
	case state == http.StateNew:
		return c.add(conn)
	case !known: // it was closed to make room
	case state == http.StateClosed, state == http.StateHijacked:
		c.remove(at)
	default:
		c.crowds[at.network].MoveToBack(at.own)
		c.order.MoveToBack(at.all)
	}
	return nil
}

func (c *connections) add(conn net.Conn) (crowded *connection) {
	at := &connection{Conn: conn, network: networkOf(conn)}
	crowd := c.crowds[at.network]
	if crowd == nil {
		crowd = list.New()
		c.crowds[at.network] = crowd
	}
	at.own, at.all, c.open[conn] = crowd.PushBack(at), c.order.PushBack(at), at
	if len(c.open) <= c.most {
		return nil
	}
	c.warn()
	crowded = c.leaves(crowd)
	c.remove(crowded)
	return crowded
}

// lookMost is how many connections are looked at to find one that has to go.
const lookMost = 1000

// leaves returns the connection that makes room for another of a network. Whoever has less than
// a share keeps theirs, also one that is slow to answer, while others have more.
func (c *connections) leaves(crowd *list.List) *connection {
	share := max(1, c.most/len(c.crowds))
	from := &c.order
	if crowd.Len() > share {
		from = crowd
	}
	looked := 0
	for e := from.Front(); e != nil && looked < lookMost; e = e.Next() {
		if at, _ := e.Value.(*connection); c.crowds[at.network].Len() > share {
			return at
		}
		looked++
	}
	first, _ := from.Front().Value.(*connection)
	return first
}

func (c *connections) remove(at *connection) {
	delete(c.open, at.Conn)
	c.order.Remove(at.all)
	crowd := c.crowds[at.network]
	crowd.Remove(at.own)
	if crowd.Len() == 0 {
		delete(c.crowds, at.network)
	}
}

// networkOf is what a connection is counted by: an address, or the half of one of
// IPv6 that names a network.
func networkOf(conn net.Conn) string {
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		return "" // as on a Unix socket
	}
	return limit.Network(host)
}

func (c *connections) warn() {
	now := time.Now()
	if now.Before(c.silence) {
		return
	}
	c.silence = now.Add(crowdPause)
	slog.WarnContext(context.Background(), "too many connections: for each that comes, one that has waited long is closed; "+
		"see who opens them, or raise server.max_connections", "connections", c.most)
}

func (c *connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// wait waits until no connection is open, but no longer than most.
func (c *connections) wait(ctx context.Context, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for c.count() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
