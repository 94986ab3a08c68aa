package faultbench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"authy/storage/storagetest"
)

// seenWithin is how long after a change another node may go by what it remembers.
const seenWithin = 2 * time.Second

// people change roles and use codes over two nodes, at random and at once, while the
// database is cut off and nodes are killed. Each role and each code behaves like one thing in one
// place. AUTHY_FAULTS_HISTORY is for how long ("10m").
func TestR15EachRegisterHasALinearOrder(t *testing.T) {
	t.Parallel()
	h := &historian{lasts: 2 * time.Second, houses: 2}
	if long {
		h.lasts, h.houses = 10*time.Minute, 17 // of three people each
	}
	if text := os.Getenv("AUTHY_FAULTS_HISTORY"); text != "" {
		var err error
		if h.lasts, err = time.ParseDuration(text); err != nil {
			t.Fatalf("AUTHY_FAULTS_HISTORY: %v", err)
		}
	}
	h.open(t)
	h.record()
	h.judge()
}

// historian notes what is done to registers on two nodes.
type historian struct {
	*bench
	lasts  time.Duration
	houses int
	nodes  [2]*process
	ways   [2]*storagetest.Relay // to the database
	began  time.Time

	mu        sync.Mutex
	registers map[string][]deed
	unknown   map[string]int
	faults    map[string]int
	left      int // what told nothing
}

func (h *historian) open(t *testing.T) {
	t.Helper()
	database := storagetest.Migrated(t, "postgres")
	for i := range h.nodes {
		own, way := storagetest.Behind(t, database)
		s := setup{engine: "postgres", database: own}
		if i > 0 {
			s.publicURL = h.nodes[0].url
		}
		h.nodes[i], h.ways[i] = start(t, s), way
	}
	h.bench = newBench(t, h.nodes[0])
	h.began = time.Now()
	h.registers, h.unknown, h.faults = map[string][]deed{}, map[string]int{}, map[string]int{}
}

// record has everybody at work until it is time.
func (h *historian) record() {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	var all, troubled sync.WaitGroup
	var houses []*register
	for i := range h.houses {
		r, err := h.register(ctx, i)
		if err != nil {
			h.t.Fatal(err)
		}
		houses = append(houses, r)
	}
	troubled.Go(func() {
		wait(ctx, h.lasts)
		for late := time.Now().Add(readyLimit); !h.enough() && time.Now().Before(late); {
			wait(ctx, 50*time.Millisecond) // the machine has much else to do
		}
		cancel()
	})
	for i, r := range houses {
		for k := range 3 {
			rnd := rand.New(rand.NewPCG(h.seed, uint64(100+10*i+k)))
			all.Go(func() { r.roles(ctx, rnd) })
		}
		all.Go(func() { r.codes(ctx) })
	}
	troubled.Go(func() { h.trouble(ctx) })
	all.Wait()
	troubled.Wait()
}

// enough says whether there is something to see: answers about roles, and codes that were used.
func (h *historian) enough() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	roles, codes := 0, 0
	for key, history := range h.registers {
		for _, d := range history {
			switch {
			case d.end == never:
			case strings.HasPrefix(key, "code") && d.what == use:
				codes++
			default:
				roles++
			}
		}
	}
	return roles >= 30 && codes >= 2
}

// trouble cuts nodes off from the database, and kills them, at random.
func (h *historian) trouble(ctx context.Context) {
	rnd := rand.New(rand.NewPCG(h.seed, 99))
	for ctx.Err() == nil {
		i := rnd.IntN(2)
		name := []string{"hung up", "silent", "hung up", "killed"}[rnd.IntN(4)]
		switch {
		case name == "hung up":
			h.ways[i].HangUp()
		case name == "silent" && long:
			h.ways[i].Mute(true)
			wait(ctx, time.Duration(rnd.Int64N(int64(2*time.Second))))
			h.ways[i].Mute(false)
		case name == "killed" && long:
			h.nodes[i].kill()
			h.nodes[i].restart()
		default:
			continue
		}
		h.faults[name]++
		pause := 2 * time.Second
		if long {
			pause = 3 * time.Second
		}
		wait(ctx, time.Duration(rnd.Int64N(int64(pause))))
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// register is somebody's role in an organization, and who can change and try it.
type register struct {
	h      *historian
	owner  *worker
	friend string // the token of the one whose role it is

	// asking is held for reading while somebody asks, and for writing to begin a new history.
	asking sync.RWMutex
	key    string
	n      int // of its histories
}

// register makes an organization with somebody in it.
func (h *historian) register(ctx context.Context, i int) (*register, error) {
	r := &register{h: h, owner: h.worker(1000 + i), key: fmt.Sprintf("role %d", i)}
	w := r.owner
	if err := w.furnish(ctx); err != nil {
		return nil, err
	}
	if err := w.addMember(ctx); err != nil {
		return nil, err
	}
	f := w.me.house.friends[0]
	a, err := w.do(ctx, w.login(f.email, f.password))
	r.friend = a.text("token")
	r.begin("member")
	return r, err
}

const (
	// longHistory and unsure are after how much a new history begins: an order is sought among all
	// deeds, and among all ways in which those that were never answered may have happened.
	longHistory, unsure = 300, 4
	// decided is when what was never answered has happened, or never will.
	decided = 6 * time.Second
)

// begin begins a history with what is there.
func (r *register) begin(value string) {
	r.n++
	r.key = fmt.Sprintf("role %d, %d", r.owner.id, r.n)
	now := int64(time.Since(r.h.began))
	r.h.note(r.key, deed{what: set, value: value, begin: now, end: now, by: "at first"})
}

// renew begins a new history when the last is long enough.
func (r *register) renew(ctx context.Context) {
	r.h.mu.Lock()
	due := len(r.h.registers[r.key]) > longHistory || r.h.unknown[r.key] >= unsure
	r.h.mu.Unlock()
	if !due {
		return
	}
	r.asking.Lock()
	defer r.asking.Unlock()
	wait(ctx, decided)
	for node := 0; ctx.Err() == nil; node++ {
		w := r.h.at(r.owner, node%2)
		if a, d := r.h.ask(ctx, w, w.members("members", "GET", "", "", nil)); d.end != never {
			r.begin(roleOf(a, w.me.house.friends[0].id))
			return
		}
	}
}

// at is somebody who asks one of the nodes.
func (h *historian) at(w *worker, node int) *worker {
	own, b := *w, *w.bench
	b.node = h.nodes[node]
	own.bench = &b
	return &own
}

// note notes a deed.
func (h *historian) note(key string, d deed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.registers[key] = append(h.registers[key], d)
	if d.end == never {
		h.unknown[key]++
	}
}

// ask sends a request and returns a deed with its times; an answer of status 0 is none, and 503
// or 504 does not say what has happened.
func (h *historian) ask(ctx context.Context, w *worker, c call) (answer, deed) {
	d := deed{begin: int64(time.Since(h.began)), end: never, by: w.node.listen}
	a, err := w.send(context.WithoutCancel(ctx), "", c)
	if err != nil || a.status >= 500 {
		if err == nil && a.status != http.StatusServiceUnavailable && a.status != http.StatusGatewayTimeout {
			h.t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
		return answer{}, d
	}
	d.end = int64(time.Since(h.began))
	return a, d
}

// roles changes and reads the role, on either node.
func (r *register) roles(ctx context.Context, rnd *rand.Rand) {
	for ctx.Err() == nil {
		r.asking.RLock()
		r.one(ctx, rnd)
		r.asking.RUnlock()
		if long { // a steady load, not the most there can be
			wait(ctx, 20*time.Millisecond)
		}
		if rnd.IntN(10) == 0 {
			r.renew(ctx)
		}
	}
}

// one changes, reads or tries the role.
func (r *register) one(ctx context.Context, rnd *rand.Rand) {
	w := r.h.at(r.owner, rnd.IntN(2))
	friend := w.me.house.friends[0].id
	switch rnd.IntN(5) {
	case 0:
		role := []string{"admin", "member", "guest"}[rnd.IntN(3)]
		a, d := r.h.ask(ctx, w, w.members("role", "PATCH", "/"+friend+"/role", "", object{"role": role}))
		d.what, d.value = set, role
		r.h.keep(r.key, a, d, a.status == http.StatusOK)
	case 1, 2:
		a, d := r.h.ask(ctx, w, w.members("members", "GET", "", "", nil))
		d.what, d.value = is, roleOf(a, friend)
		r.h.keep(r.key, a, d, a.status == http.StatusOK)
	default:
		a, d := r.h.ask(ctx, w, call{
			method: "GET", path: api + "/organizations/" + w.me.house.id + "/invitations", token: r.friend,
		})
		// A node goes by what it remembers, for a moment.
		d.begin -= int64(seenWithin)
		d.what, d.value = may, map[int]string{200: "yes", 403: "no"}[a.status]
		r.h.keep(r.key, a, d, d.value != "")
	}
}

// keep keeps a deed. What reads and is not answered tells nothing; an answer that is not good is an
// error.
func (h *historian) keep(key string, a answer, d deed, good bool) {
	switch {
	case d.end == never && d.what != set:
		h.mu.Lock()
		h.left++
		h.mu.Unlock()
		return
	case d.end != never && !good:
		h.t.Errorf("%s: %s is answered with %d %s", key, d, a.status, a.body)
		return
	}
	h.note(key, d)
}

// roleOf is the role of a user in a page of members.
func roleOf(a answer, userID string) string {
	list, _ := a.data["members"].([]any)
	for _, one := range list {
		if m, _ := one.(map[string]any); m["user_id"] == userID {
			role, _ := m["role"].(string)
			return role
		}
	}
	return "none"
}

// codes lets the application in, and has it redeem each code on both nodes at once, and again.
func (r *register) codes(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		w := r.h.at(r.owner, n%2)
		code, err := w.consent(ctx)
		if err != nil || code == "" {
			wait(ctx, 100*time.Millisecond)
			continue
		}
		key := fmt.Sprintf("code of %d, %d", r.owner.id, n)
		var both sync.WaitGroup
		for i := range 4 {
			both.Go(func() {
				w := r.h.at(r.owner, i%2)
				c := w.redeem(code)
				asked := time.Now()
				a, d := r.h.ask(ctx, w, c)
				d.what, d.value = use, "x"
				switch {
				case a.status == 400 && strings.Contains(string(a.body), "invalid_grant"):
					d.what = refuses
				case d.end != never && a.status != 200:
					r.h.t.Errorf("%s is answered with %d %s", key, a.status, a.body)
					return
				}
				if time.Since(asked) < codeLife/2 { // or it may have expired
					r.h.note(key, d)
				}
			})
		}
		both.Wait()
	}
}

// judge holds each register against a linear order.
func (h *historian) judge() {
	h.t.Helper()
	deeds, unknown, violations, undecided := 0, 0, 0, 0
	for key, history := range h.registers {
		deeds += len(history)
		unknown += h.unknown[key]
		ok, told := linear(history)
		switch {
		case !told:
			undecided++
		case !ok:
			if violations++; violations < 4 {
				h.t.Errorf("%s has no linear order:\n%s", key, listed(history))
			}
		}
	}
	h.t.Logf("R-15 seed=%d lasted=%s registers=%d deeds=%d unknown=%d read-in-vain=%d faults=%v undecided=%d violations=%d bound=%s",
		h.seed, h.lasts, len(h.registers), deeds, unknown, h.left, h.faults, undecided, violations, bound(deeds))
	if undecided > 0 {
		h.t.Errorf("of %d registers nobody can tell", undecided)
	}
	if !h.enough() {
		h.t.Error("there was not much to see")
	}
}

func listed(history []deed) string {
	var b strings.Builder
	for _, d := range history[max(0, len(history)-60):] {
		fmt.Fprintln(&b, d)
	}
	return b.String()
}
