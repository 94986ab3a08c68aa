package faultbench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// bench is a server, what it was asked, and who asks.
type bench struct {
	t      testing.TB
	node   *process
	ledger *ledger
	seed   uint64
	rnd    *rand.Rand // of the bench itself; each worker has its own
	admin  string     // the token of an administrator's session
	macs   *storage.DB
	people *atomic.Int64 // how many there are
	heard  time.Duration // what a client waits for with a new secret
}

const rootEmail, rootPassword = "root@bench.example", "velvet harpoon zero"

// newBench makes an administrator at a server that has just been started.
func newBench(t testing.TB, p *process) *bench {
	t.Helper()
	c := configuration()
	macs, err := storage.Open(t.Context(), storage.Options{
		URL: storagetest.URL(t, "sqlite"), Secret: c.SecretBytes(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := macs.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{t: t, node: p, ledger: newLedger(t), seed: benchSeed(t), macs: macs, people: new(atomic.Int64)}
	b.rnd = rand.New(rand.NewPCG(b.seed, 0))
	p.run(rootPassword+"\n", "user", "create", rootEmail, "--admin", "--password-stdin")
	e := b.ledger.begin(entry{Kind: "at the shell", Facts: []fact{{"user/" + rootEmail, "alive"}}})
	b.ledger.end(e, 200)
	w := b.worker(-1)
	a, err := w.do(t.Context(), w.login(rootEmail, rootPassword))
	if err != nil {
		t.Fatal(err)
	}
	b.admin = a.text("token")
	return b
}

// worker is one client; it does one thing after another.
type worker struct {
	*bench
	id     int
	rnd    *rand.Rand
	client *http.Client
	me     *person
}

func (b *bench) worker(id int) *worker {
	return &worker{
		bench: b, id: id, client: b.node.client,
		rnd: rand.New(rand.NewPCG(b.seed, uint64(id+10))),
	}
}

// person is somebody whom a worker plays: all that they know.
type person struct {
	email, password string
	sessions        []string // tokens; the first is the one in use
	house           *house
	client          *application
	totp            []byte
	step            int64
	recovery        []string
	refresh         []string // living refresh tokens
	web             string   // the token of the session of the browser
	browser         *http.Client
}

// house is an organization of a person's, and who is in it.
type house struct {
	id, slug string
	friends  []friend
	invited  string // the token of an invitation for the second friend
	role     string // of the first friend, "" for none
}

type friend struct{ id, email, password string }

type application struct{ id, secret string }

// run has so many clients at work until the server goes, or stop is closed. What cannot be is an
// error of the test.
func (b *bench) run(workers []*worker, stop <-chan struct{}) (done *sync.WaitGroup) {
	done = new(sync.WaitGroup)
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.t.Context()))
	context.AfterFunc(b.t.Context(), cancel)
	for _, w := range workers {
		done.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				err := w.act(ctx)
				if errors.Is(err, errOdd) {
					b.t.Errorf("worker %d: %v", w.id, err)
				}
				if err != nil {
					w.me = nil // nobody knows what came of it
				}
				switch {
				case err == nil:
				case !errors.Is(err, errBusy):
					return
				default:
					<-time.After(100 * time.Millisecond) // not the seconds that it asks for
				}
			}
		})
	}
	return done
}

// workers are so many clients.
func (b *bench) workers(n int) []*worker {
	list := make([]*worker, n)
	for i := range list {
		list[i] = b.worker(i)
	}
	return list
}

// act does one thing of the mix: what the person can do now, at random.
func (w *worker) act(ctx context.Context) error {
	if w.me == nil || w.rnd.IntN(60) == 0 {
		return w.register(ctx)
	}
	var can []act
	for _, a := range acts {
		if a.can == nil || a.can(w.me) {
			can = append(can, a)
		}
	}
	a := can[w.rnd.IntN(len(can))]
	if err := a.do(w, ctx); err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	return nil
}

// act is something that a person does, and when they can.
type act struct {
	name string
	can  func(*person) bool
	do   func(*worker, context.Context) error
}

var acts = []act{
	{"login", func(p *person) bool { return p.totp == nil && len(p.sessions) < 4 }, (*worker).again},
	{"logout", func(p *person) bool { return len(p.sessions) > 1 }, (*worker).logout},
	{"session revoke", func(p *person) bool { return len(p.sessions) > 1 }, (*worker).endSession},
	{"password change", nil, (*worker).changePassword},
	{"totp enrol", func(p *person) bool { return p.totp == nil && p.step == 0 }, (*worker).enrol},
	{"totp use", func(p *person) bool { return p.totp != nil && now30() > p.step }, (*worker).useCode},
	{"recovery code", func(p *person) bool { return len(p.recovery) > 1 }, (*worker).useRecovery},
	{"org create", func(p *person) bool { return p.house == nil }, (*worker).build},
	{"friend", func(p *person) bool { return p.house != nil && len(p.house.friends) < 2 }, (*worker).befriend},
	{"member add", func(p *person) bool { return p.hasFriends() && p.house.role == "" }, (*worker).addMember},
	{"role", func(p *person) bool { return p.hasFriends() && p.house.role != "" }, (*worker).changeRole},
	{"member remove", func(p *person) bool { return p.hasFriends() && p.house.role != "" }, (*worker).removeMember},
	{"invite", func(p *person) bool { return p.hasFriends() && p.house.invited == "" }, (*worker).invite},
	{"accept", func(p *person) bool { return p.hasFriends() && p.house.invited != "" }, (*worker).accept},
	{"client create", func(p *person) bool { return p.house != nil && p.client == nil }, (*worker).registerClient},
	{"client rotate", func(p *person) bool { return p.client != nil }, (*worker).rotate},
	{"web sign-in", func(p *person) bool { return p.client != nil && p.totp == nil && len(p.refresh) < 3 }, (*worker).authorize},
	{"refresh", func(p *person) bool { return len(p.refresh) > 0 }, (*worker).useRefresh},
	{"refresh", func(p *person) bool { return len(p.refresh) > 0 }, (*worker).useRefresh},
	{"refresh", func(p *person) bool { return len(p.refresh) > 0 }, (*worker).useRefresh},
	{"revoke", func(p *person) bool { return len(p.refresh) > 1 }, (*worker).revoke},
	{"audit read", nil, (*worker).readAudit},
}

func (p *person) hasFriends() bool { return p.house != nil && len(p.house.friends) == 2 }

func (p *person) token() string { return p.sessions[0] }

func now30() int64 { return time.Now().Unix() / 30 }

// browse gives a person a browser with no cookies.
func (w *worker) browse() error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := *w.node.client
	browser.Jar = jar
	w.me.browser = &browser
	return nil
}
