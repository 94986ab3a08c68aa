package faultbench

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authy/storage/storagetest"
)

// keys are rotated at once on one node, on the other and on both in the same second, while
// both sign tokens, and the node that rotates is killed. Whoever keeps the keys of the other node,
// and asks for them again when a token names one that they do not know, can verify every token.
// AUTHY_FAULTS_ROTATE is for how long ("10m").
func TestR16KeysRotateWhileNodesAreKilled(t *testing.T) {
	t.Parallel()
	k := &rotation{lasts: 2 * time.Second, every: 500 * time.Millisecond, clients: 2}
	if long {
		k.lasts, k.every, k.clients = 10*time.Minute, 5*time.Second, 4
	}
	if text := os.Getenv("AUTHY_FAULTS_ROTATE"); text != "" {
		var err error
		if k.lasts, err = time.ParseDuration(text); err != nil {
			t.Fatalf("AUTHY_FAULTS_ROTATE: %v", err)
		}
	}
	database := storagetest.Migrated(t, "postgres")
	k.nodes[0] = start(t, setup{engine: "postgres", database: database})
	k.nodes[1] = start(t, setup{engine: "postgres", database: database, publicURL: k.nodes[0].url})
	k.bench = newBench(t, k.nodes[0])
	k.machine()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	for i := range k.clients {
		all.Go(func() { k.sign(ctx, i) })
	}
	k.rotate(time.Now().Add(k.lasts))
	cancel()
	all.Wait()
	t.Logf("R-16 seed=%d lasted=%s tokens=%d refused=%d rotations=%d of %d, together=%d kills=%d slowest-JWKS=%s bound=%s",
		k.seed, k.lasts, k.tokens.Load(), k.bad.Load(), k.rotated, k.asked, k.together, k.kills, k.slowest, bound(int(k.tokens.Load())))
	if !k.seen() {
		t.Error("there was not much to see")
	}
}

// seen says whether there was something to see.
func (k *rotation) seen() bool { return k.tokens.Load() >= 10 && k.rotated >= 2 && k.kills >= 1 }

// rotation is two nodes that sign, and whose keys are rotated.
type rotation struct {
	*bench
	lasts, every time.Duration
	clients      int
	nodes        [2]*process
	id, secret   string
	down         [2]atomic.Bool // it was killed, or is about to be

	tokens, bad     atomic.Int64
	rotated, asked  int
	together, kills int
	slowest         time.Duration
}

// machine registers a client that gets tokens for itself.
func (k *rotation) machine() {
	k.t.Helper()
	w := k.worker(1)
	if err := w.furnish(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
	a, err := w.do(k.t.Context(), call{
		kind: "client create", method: "POST", path: api + "/organizations/" + w.me.house.id + "/clients",
		token: w.me.token(), makes: []string{"client"}, event: true,
		body: object{"name": "Machine", "grant_types": []string{"client_credentials"}, "scopes": []string{"api:read"}},
		told: func(a answer) []fact { return []fact{{"client/" + a.text("client", "client_id"), "alive"}} },
	})
	if err != nil {
		k.t.Fatal(err)
	}
	k.id, k.secret = a.text("client", "client_id"), a.text("client_secret")
}

// at is a worker that asks one of the nodes.
func (k *rotation) at(w *worker, node int) *worker {
	own, b := *w, *w.bench
	b.node = k.nodes[node]
	own.bench = &b
	return &own
}

// sign has one node after the other sign a token, and verifies it by the keys of the other.
func (k *rotation) sign(ctx context.Context, i int) {
	w := k.worker(100 + i)
	keys := [2]*jose.JSONWebKeySet{{}, {}}
	for n := i; ctx.Err() == nil; n++ {
		here, there := n%2, (n+1)%2
		a, err := k.at(w, here).send(context.WithoutCancel(ctx), "", call{
			method: "POST", path: "/oidc/token", id: k.id, secret: k.secret, body: url.Values{"grant_type": {"client_credentials"}},
		})
		if err != nil || a.status == http.StatusServiceUnavailable {
			if !k.down[here].Load() {
				k.t.Errorf("a token: %d %s, %v", a.status, a.body, err)
			}
			wait(ctx, 20*time.Millisecond)
			continue
		}
		token := a.text("access_token")
		if token == "" {
			k.t.Errorf("a token: %d %s", a.status, a.body)
			return
		}
		k.tokens.Add(1)
		if err := k.verify(ctx, w, there, keys, token); err != nil {
			k.bad.Add(1)
			k.t.Errorf("a token of node %d, by the keys of node %d: %v", here, there, err)
		}
		wait(ctx, 2*time.Millisecond)
	}
}

// verify verifies a token by the keys of a node, which it asks for when it does not know the one
// that is named; where that node is down it asks the other.
func (k *rotation) verify(ctx context.Context, w *worker, node int, keys [2]*jose.JSONWebKeySet, token string) error {
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return err
	}
	kid := signed.Signatures[0].Header.KeyID
	if len(keys[node].Key(kid)) == 0 {
		fresh, err := k.keys(ctx, w, node)
		if err != nil && k.down[node].Load() {
			fresh, err = k.keys(ctx, w, 1-node)
		}
		if err != nil {
			return err
		}
		keys[node] = fresh
	}
	found := keys[node].Key(kid)
	if len(found) != 1 {
		return fmt.Errorf("%w: %d keys are called %s", errOdd, len(found), kid)
	}
	_, err = signed.Verify(found[0])
	return err
}

// keys asks a node for its keys, and wants nothing private in them.
func (k *rotation) keys(ctx context.Context, w *worker, node int) (*jose.JSONWebKeySet, error) {
	a, err := k.at(w, node).send(context.WithoutCancel(ctx), "", call{method: "GET", path: "/oidc/jwks"})
	if err != nil || a.status != http.StatusOK {
		return nil, fmt.Errorf("%w: keys: %d, %w", errOdd, a.status, err)
	}
	if strings.Contains(string(a.body), `"d":`) {
		k.t.Errorf("private keys are published: %s", a.body)
	}
	set := new(jose.JSONWebKeySet)
	return set, json.Unmarshal(a.body, set)
}

// rotate rotates over and over until it is time, and looks what came of it.
func (k *rotation) rotate(end time.Time) {
	rnd := rand.New(rand.NewPCG(k.seed, 16))
	tick := time.NewTicker(k.every)
	defer tick.Stop()
	for round := 0; time.Now().Before(end) || !k.seen() && round < 20; round++ {
		<-tick.C
		nodes := [][]int{{0}, {1}, {0, 1}}[rnd.IntN(3)]
		killed := -1
		if round%3 == 1 {
			killed = nodes[rnd.IntN(len(nodes))]
		}
		k.once(nodes, killed, rnd)
		k.look()
	}
}

// once has nodes rotate at the same time, and kills one of them meanwhile, if it is not -1.
func (k *rotation) once(nodes []int, killed int, rnd *rand.Rand) {
	w := k.worker(-6)
	before := k.signing()
	if killed >= 0 {
		k.down[killed].Store(true)
	}
	var both sync.WaitGroup
	for _, node := range nodes {
		both.Go(func() {
			// The keys tell what came of it.
			_, _ = k.at(w, node).send(context.WithoutCancel(k.t.Context()), "", call{
				method: "POST", path: api + "/admin/keys/rotate", token: k.admin, body: object{"algorithm": "ES256", "now": true},
			})
		})
	}
	if killed >= 0 {
		<-time.After(time.Duration(rnd.Int64N(int64(15 * time.Millisecond))))
		k.nodes[killed].kill()
	}
	both.Wait()
	if killed >= 0 {
		k.kills++
		k.nodes[killed].restart()
		k.down[killed].Store(false)
	}
	k.asked++
	if len(nodes) > 1 {
		k.together++
	}
	after := k.signing()
	if len(after) != 1 {
		k.t.Errorf("%d keys sign: %v", len(after), after)
	}
	if !slices.Equal(before, after) {
		k.rotated++
	} else if killed < 0 {
		k.t.Errorf("nothing has come of a rotation on %v", nodes)
	}
}

// signing are the keys that sign for ES256, as the database has them.
func (k *rotation) signing() (ids []string) {
	db := k.nodes[0].look()
	defer db.Close() //nolint:errcheck // only read from
	each(k.t, db, "SELECT id FROM keys WHERE algorithm = 'ES256' AND state = 'signing'", func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids
}

// look wants that both nodes publish the same keys within two seconds.
func (k *rotation) look() {
	w := k.worker(-7)
	began := time.Now()
	for {
		names := [2][]string{}
		for i := range names {
			set, err := k.keys(k.t.Context(), w, i)
			if err != nil {
				k.t.Error(err)
				return
			}
			for _, key := range set.Keys {
				names[i] = append(names[i], key.KeyID)
			}
			slices.Sort(names[i])
		}
		took := time.Since(began)
		if slices.Equal(names[0], names[1]) {
			k.slowest = max(k.slowest, took)
			return
		}
		if took > 2*time.Second {
			k.t.Errorf("after %s the keys of the nodes differ: %v", took, names)
			return
		}
		<-time.After(10 * time.Millisecond)
	}
}
