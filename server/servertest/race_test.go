package servertest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/config"
	"authy/server/servertest"
	"authy/server/session"
	"authy/storage"
	"authy/storage/storagetest"
)

// fewRounds is how often each race is run unless AUTHY_TEST_RACES says.
const fewRounds = 10

// race is something that many ask for at once.
type race struct {
	name string
	// ready prepares the race and returns what prepares one round of it.
	ready func(k *track) func() heat
}

// heat is one round of a race: what is asked at once, and what is said of the
// answers, which come in the same order.
type heat struct {
	asks  []ask
	judge func(answers []outcome)
}

// ask is one request.
type ask struct {
	token, method, path string
	body                object
}

// races lists all of them.
func races() []race { return slices.Concat(accountRaces(), factorRaces(), orgRaces()) }

// Whatever can be had once is had once, and the rows say so too, however many
// ask for it at the same time, on however many nodes.
func TestRacesHaveOneWinner(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			nodes := raceNodes(t, engine, true)
			for _, r := range races() {
				t.Run(r.name, func(t *testing.T) {
					t.Parallel()
					k := &track{t: t, nodes: nodes, client: raceClient()}
					k.run(r, roundsOf(t, fewRounds))
				})
			}
		})
	}
}

// roundsOf is how often a race is run: as AUTHY_TEST_RACES says, or as usual.
func roundsOf(t *testing.T, usual int) int {
	t.Helper()
	text := os.Getenv("AUTHY_TEST_RACES")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("AUTHY_TEST_RACES is %q; give how often each race is to be run", text)
	}
	return n
}

// onNodes runs a test on each engine: on its first server, and with what says whom of
// all of them to ask next.
func onNodes(
	t *testing.T, fn func(t *testing.T, s *servertest.Server, next func() *servertest.Server), configure ...func(*config.Config),
) {
	t.Helper()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			nodes := raceNodes(t, engine, false, configure...)
			var turn atomic.Int64
			fn(t, nodes[0], func() *servertest.Server { return nodes[int(turn.Add(1))%len(nodes)] })
		})
	}
}

// crowd is how many ask at once in a round: many wait in line, and two meet most closely.
func crowd(round int) int { return []int{50, 2, 4, 8, 3}[round%5] }

// raceNodes starts one server on SQLite, and on PostgreSQL two on one database, with the
// sample data or without.
func raceNodes(t *testing.T, engine string, empty bool, configure ...func(*config.Config)) []*servertest.Server {
	t.Helper()
	database := storagetest.Migrated(t, engine)
	change := func(c *config.Config) {
		for _, one := range configure {
			one(c)
		}
	}
	first := servertest.Start(t, servertest.Options{DatabaseURL: database, Empty: empty, Configure: change})
	nodes := []*servertest.Server{first}
	if engine == "postgres" {
		var listen string
		second := servertest.Start(t, servertest.Options{
			DatabaseURL: database, Empty: true,
			Configure: func(c *config.Config) {
				change(c)
				listen, c.PublicURL = c.Listen, first.URL
			},
		})
		nodes = append(nodes, &servertest.Server{Services: second.Services, URL: "http://" + listen})
	}
	return nodes
}

// raceClient keeps a connection for each of those who ask at once.
func raceClient() *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
}

// track is where a race is run.
type track struct {
	t      *testing.T
	nodes  []*servertest.Server
	client *http.Client
	round  int
}

// run runs a race so many times, and stops at the first round that goes wrong.
func (k *track) run(r race, rounds int) {
	k.t.Helper()
	began, next, asked := time.Now(), r.ready(k), 0
	for k.round = range rounds {
		h := next()
		h.judge(k.answers(h.asks))
		asked += len(h.asks)
		if k.t.Failed() {
			k.t.Fatalf("in round %d", k.round)
		}
	}
	k.t.Logf("%d rounds, %d requests, no doubles, %s", rounds, asked, time.Since(began).Round(time.Second))
}

// answers sends all at the same time, to the nodes in turn.
func (k *track) answers(asks []ask) []outcome {
	k.t.Helper()
	var turn atomic.Int64
	turn.Store(int64(k.round))
	pages := make([]*servertest.Page, len(asks))
	var place atomic.Int64
	atOnce(len(asks), func() struct{} {
		i := place.Add(1) - 1
		pages[i] = k.send(k.nodes[int(turn.Add(1))%len(k.nodes)], asks[i])
		return struct{}{}
	})
	out := make([]outcome, len(asks))
	for i, page := range pages {
		out[i] = caller{t: k.t, s: k.s()}.opened(asks[i].method+" "+asks[i].path, page)
	}
	return out
}

func (k *track) send(node *servertest.Server, a ask) *servertest.Page {
	k.t.Helper()
	text, err := json.Marshal(a.body)
	if err != nil {
		k.t.Error(err)
	}
	if a.body == nil {
		text = nil
	}
	req, err := http.NewRequestWithContext(k.t.Context(), a.method, node.URL+a.path, strings.NewReader(string(text)))
	if err != nil {
		k.t.Error(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	return servertest.Do(k.t, k.client, req)
}

// oneOf is a judge: one is answered with the status of success, all others with
// one of the refusals, such as "409 CONFLICT". Then what the winner was answered
// is held against what the database holds.
func (k *track) oneOf(status int, refusals []string, after func(winner int, o outcome)) func([]outcome) {
	return func(answers []outcome) {
		k.t.Helper()
		winner := -1
		for i, o := range answers {
			switch {
			case o.Code == status && winner < 0:
				winner = i
			case o.Code == status:
				k.t.Errorf("a double: %s and %s", answers[winner].Raw, o.Raw)
			case o.Problem == nil || !slices.Contains(refusals, fmt.Sprintf("%d %s", o.Code, o.Problem.Type)):
				k.t.Errorf("%s: %s, want one of %q", o.call, o.Raw, refusals)
			}
		}
		if winner < 0 {
			k.t.Fatalf("nobody: %s", answers[0].Raw)
		}
		after(winner, answers[winner])
	}
}

// s is the node that prepares rounds and is asked what came of them.
func (k *track) s() *servertest.Server { return k.nodes[0] }

// must ends a race whose round cannot be prepared or read.
func (k *track) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatalf("round %d: %v", k.round, err)
	}
}

func (k *track) update(fn func(tx *storage.Tx) error) {
	k.t.Helper()
	k.must(k.s().DB.Update(k.t.Context(), fn))
}

// email is an address that nobody else has.
func (k *track) email(name string) string {
	race := strings.ReplaceAll(k.t.Name()[strings.LastIndex(k.t.Name(), "/")+1:], "_", "-")
	return fmt.Sprintf("%s-%d-%s@example.com", name, k.round, race)
}

// user adds a user without a password.
func (k *track) user(name string) *storage.User {
	k.t.Helper()
	u, err := k.s().Accounts.Create(k.t.Context(), audit.Shell(), account.NewUser{
		Email: k.email(name), NoPassword: true, EmailVerified: true,
	})
	k.must(err)
	return u
}

// keeper adds a user with a password.
func (k *track) keeper(name string) *storage.User {
	k.t.Helper()
	u, err := k.s().Accounts.Create(k.t.Context(), audit.Shell(), account.NewUser{
		Email: k.email(name), Password: passphrase, EmailVerified: true,
	})
	k.must(err)
	return u
}

// session signs a user in who has just proved both factors.
func (k *track) session(u *storage.User) (token string) {
	k.t.Helper()
	k.update(func(tx *storage.Tx) (err error) {
		_, token, err = k.s().Sessions.Start(k.t.Context(), tx, audit.Actor{}.As(u.ID), time.Now(), session.Began{
			UserID: u.ID, Kind: session.API, Methods: []string{"pwd", "otp", "mfa"},
		})
		return err
	})
	return token
}

// same asks for the same thing so many times.
func same(n int, a ask) []ask { return slices.Repeat([]ask{a}, n) }
