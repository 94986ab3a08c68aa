package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/outbound"
	"authy/storage"
)

// bench is a service over a database, with the chain that numbers its events.
type bench struct {
	*Service
	t     *testing.T
	chain *audit.Chain
}

// near goes to this machine, too.
func near() *outbound.Client {
	return outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
}

func newBench(t *testing.T, db *storage.DB) *bench {
	t.Helper()
	return &bench{Service: New(db, near()), t: t, chain: audit.NewChain(db)}
}

func (b *bench) update(fn func(tx *storage.Tx) error) {
	b.t.Helper()
	if err := b.db.Update(b.t.Context(), fn); err != nil {
		b.t.Fatal(err)
	}
}

// hook adds a webhook for some actions, all if there are none, and returns its secret.
func (b *bench) hook(slug, url string, actions ...string) (h *Webhook, secret string) {
	b.t.Helper()
	h, secret, err := b.Create(b.t.Context(), audit.Shell(), Description{Slug: slug, URL: url, Actions: actions})
	if err != nil {
		b.t.Fatal(err)
	}
	return h, secret
}

// happens records events, and returns their ids.
func (b *bench) happens(events ...audit.Event) (ids []string) {
	b.t.Helper()
	b.update(func(tx *storage.Tx) error {
		ids = nil
		for _, e := range events {
			id, err := audit.RecordAs(b.t.Context(), tx, audit.Shell(), time.Now(), e)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	return ids
}

// plan numbers what was recorded, and queues it.
func (b *bench) plan() {
	b.t.Helper()
	if err := b.chain.Link(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	if err := b.Plan(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// run runs the service and the chain until the test, or what it returns, ends it.
func (b *bench) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { b.Run(ctx) })
	parts.Go(func() { b.chain.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); parts.Wait() })
	b.t.Cleanup(stop)
	return stop
}

// now has what waits for a webhook be tried now. Nothing may be under way.
func (b *bench) now(h *Webhook) {
	b.t.Helper()
	b.update(func(tx *storage.Tx) error {
		return tx.SaveDeliveriesSooner(b.t.Context(), h.ID, time.Now(), time.Now().Add(-time.Hour))
	})
}

// attempt makes one attempt at everything that is due, one after the other.
func (b *bench) attempt() {
	b.t.Helper()
	for _, state := range []string{Pending, Retrying} {
		due, err := b.db.DueDeliveries(b.t.Context(), state, nil, 5000, time.Now())
		if err != nil {
			b.t.Fatal(err)
		}
		for _, one := range due {
			taken, err := b.take(b.t.Context(), one)
			if err != nil || taken == nil {
				b.t.Fatalf("take() = %v, %v", taken, err)
			}
			if err := b.tell(b.t.Context(), taken); err != nil {
				b.t.Fatal(err)
			}
		}
	}
}

// of returns what a webhook was told, the newest first.
func (b *bench) of(h *Webhook) []Delivery {
	b.t.Helper()
	all, err := b.db.Deliveries(b.t.Context(), h.ID, "", "", 5000)
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// again returns a webhook as it is now.
func (b *bench) again(h *Webhook) *Webhook {
	b.t.Helper()
	now, err := b.db.Webhook(b.t.Context(), h.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return now
}

// recorded counts the events of an action.
func (b *bench) recorded(action string) int {
	b.t.Helper()
	events, err := b.db.EventsMatching(b.t.Context(), storage.EventFilter{Action: action}, storage.EventKey{}, 5000)
	if err != nil {
		b.t.Fatal(err)
	}
	return len(events)
}

// aged has everything about a webhook be so much older.
func (b *bench) aged(h *Webhook, by time.Duration) {
	b.t.Helper()
	since := b.again(h).FailingSince.Time
	if since.IsZero() {
		return
	}
	b.update(func(tx *storage.Tx) error {
		return tx.SaveWebhookHealth(b.t.Context(), h.ID, since.Add(-by), b.again(h).FailedAt.Time)
	})
}

// told is a message that a receiver got.
type told struct {
	id, signature, at string
	raw               []byte
	body              struct {
		Type      string         `json:"type"`
		Timestamp time.Time      `json:"timestamp"`
		Data      map[string]any `json:"data"`
	}
}

// good says whether a secret has signed the message, as a receiver would find out.
func (m *told) good(secret string) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(m.id + "." + m.at + "." + string(m.raw)))
	return slices.Contains(strings.Fields(m.signature), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// receiver is the other program.
type receiver struct {
	*httptest.Server
	status atomic.Int64
	hold   chan struct{} // answers wait for it to be closed, if not nil
	mu     sync.Mutex
	all    []told
	apart  map[string]answer // to some events, by their ids
}

// answer is one that is not as the others are.
type answer struct {
	status     int
	retryAfter string
}

func newReceiver(t *testing.T, status int64, hold chan struct{}) *receiver {
	t.Helper()
	r := &receiver{hold: hold}
	r.status.Store(status)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		m := told{
			id: request.Header.Get("Webhook-Id"), at: request.Header.Get("Webhook-Timestamp"),
			signature: request.Header.Get("Webhook-Signature"),
		}
		m.raw, _ = io.ReadAll(request.Body)
		if err := json.Unmarshal(m.raw, &m.body); err != nil || request.Header.Get("Content-Type") != "application/json" {
			t.Errorf("told %s as %s: %v", m.raw, request.Header.Get("Content-Type"), err)
		}
		r.mu.Lock()
		r.all = append(r.all, m)
		apart, ok := r.apart[m.id]
		r.mu.Unlock()
		if r.hold != nil {
			<-r.hold
		}
		if ok {
			w.Header().Set("Retry-After", apart.retryAfter)
			w.WriteHeader(apart.status)
			return
		}
		w.WriteHeader(int(r.status.Load()))
	}))
	t.Cleanup(r.Close)
	return r
}

// messages are those that it got so far.
func (r *receiver) messages() []told {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// answers has it answer to one event otherwise.
func (r *receiver) answers(id string, a answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.apart = map[string]answer{id: a}
}

// times counts how often the receiver was told of an event.
func (r *receiver) times(id string) (n int) {
	for _, m := range r.messages() {
		if m.id == id {
			n++
		}
	}
	return n
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within twenty seconds: %s", what)
		}
	}
}
