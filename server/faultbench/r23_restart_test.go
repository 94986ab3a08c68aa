package faultbench

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

// a restart signs nobody out and cuts nothing off, be it by SIGTERM or by kill -9: sessions,
// refresh tokens, sign-ins half way, codes, device codes, pushed requests and consents go on, and
// what was revoked stays so.
func TestR23ARestartKeepsPeopleSignedIn(t *testing.T) {
	t.Parallel()
	cases := []struct {
		engine string
		redis  bool
	}{{"sqlite", false}, {"postgres", true}}
	if long {
		cases = append(cases, []struct {
			engine string
			redis  bool
		}{{"sqlite", true}, {"postgres", false}}...)
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s redis=%t", c.engine, c.redis), func(t *testing.T) {
			t.Parallel()
			many, few := 200, 10
			if long {
				many, few = 10_000, 100
			}
			// A busy machine takes its time.
			set, store := map[string]string{"openid.code_lifetime": "10m"}, "in-process"
			if c.redis {
				address, _ := storagetest.Redis(t)
				set["redis.url"], store = "redis://"+address, "redis"
			}
			began := time.Now()
			b := newBench(t, start(t, setup{engine: c.engine, set: set}))
			k := b.keepsakes(many, few)
			k.check(b)
			recovery := k.across(b, k.halfWay[:few], func() {
				if state := b.node.terminate(time.Minute); state.ExitCode() != 0 {
					t.Errorf("after SIGTERM: %v", state)
				}
			})
			recovery = max(recovery, k.across(b, k.halfWay[few:], b.node.kill))
			k.refresh(b)
			r := result{
				id: "R-23", database: c.engine, store: store, nodes: 1, seed: b.seed, began: began,
				recovery: recovery, findings: b.look(),
			}
			report(t, r)
			t.Logf("R-23: %d sessions and %d refresh tokens, a tenth of them revoked, and %d of each thing half way at each stop",
				many, many, few)
		})
	}
}

// keepsakes are what a restart must not touch.
type keepsakes struct {
	host             *worker // whose client the tokens are of
	sessions, tokens []string
	revoked          int // so many of the first of both are revoked
	halfWay          []*halfWay
}

// halfWay is one of each thing that somebody has begun.
type halfWay struct {
	w      *worker
	factor call   // goes on with a sign-in that waits for its second factor
	code   string // not redeemed yet
	device string // not approved yet
	pushed string // the URI of a request
	agree  call   // goes on from the page that asks for consent
}

// keepsakes makes them: the many by way of the database, the few by way of the server.
func (b *bench) keepsakes(many, few int) *keepsakes {
	b.t.Helper()
	ctx := b.t.Context()
	k := &keepsakes{host: b.worker(0), revoked: many / 10}
	if err := k.host.furnish(ctx); err != nil {
		b.t.Fatal(err)
	}
	for from := 0; from < many; from += insertSlice {
		err := b.node.write(func(tx *storage.Tx) error { return k.insert(ctx, tx, from, min(from+insertSlice, many)) })
		if err != nil {
			b.t.Fatal(err)
		}
	}
	for _, f := range k.facts() {
		b.ledger.end(b.ledger.begin(entry{Kind: "into the database", Facts: []fact{f}}), 200)
	}
	for _, token := range k.tokens[:k.revoked] {
		if _, err := k.host.do(ctx, k.host.revocation(token)); err != nil {
			b.t.Fatal(err)
		}
	}
	for i := range 2 * few {
		h := &halfWay{w: b.worker(10 + i)}
		if err := h.w.furnish(ctx); err != nil {
			b.t.Fatal(err)
		}
		k.halfWay = append(k.halfWay, h)
	}
	return k
}

// across begins what can be half way, stops the server and starts it, goes on with all of that,
// some of which lives for a minute only, and looks for the many. It returns how long the start
// took.
func (k *keepsakes) across(b *bench, begun []*halfWay, stop func()) (recovery time.Duration) {
	b.t.Helper()
	ctx := b.t.Context()
	for _, h := range begun {
		if err := h.begin(ctx); err != nil {
			b.t.Fatal(err)
		}
	}
	stop()
	recovery = b.node.restart()
	for _, h := range begun {
		if err := h.goOn(ctx); err != nil {
			b.t.Errorf("half way: %v", err)
		}
	}
	k.check(b)
	return recovery
}

// insertSlice is how many are added in one transaction, which PostgreSQL gives some seconds.
const insertSlice = 500

// insert adds sessions and refresh tokens, each with a grant of its own.
func (k *keepsakes) insert(ctx context.Context, tx *storage.Tx, from, to int) error {
	user, err := tx.UserByEmail(ctx, k.host.me.email)
	if err != nil {
		return err
	}
	client, err := tx.Client(ctx, k.host.me.client.id)
	if err != nil {
		return err
	}
	now := time.Now()
	at, until := storage.At(now), storage.At(now.Add(24*time.Hour))
	k.sessions, k.tokens = k.sessions[:from], k.tokens[:from] // it may run again
	for i := from; i < to; i++ {
		var ended storage.Time
		if i < k.revoked {
			ended = at
		}
		session, token := fmt.Sprintf("session-%035d", i), fmt.Sprintf("refresh-%035d", i)
		k.sessions, k.tokens = append(k.sessions, session), append(k.tokens, token)
		err := tx.InsertSession(ctx, &storage.Session{
			ID: storage.NewID(), UserID: user.ID, Kind: "api", TokenHash: storage.Hash(session), Methods: storage.Words{"pwd"},
			AuthenticatedAt: at, CreatedAt: at, UpdatedAt: at, LastActivityAt: at, ExpiresAt: until, RevokedAt: ended,
		})
		if err != nil {
			return err
		}
		grant := &storage.Grant{
			ID: storage.NewID(), UserID: user.ID, ClientID: client.ID, Scopes: storage.Words{"openid", "offline_access"},
			Methods: storage.Words{"pwd"}, AuthenticatedAt: at, CreatedAt: at, ExpiresAt: until,
		}
		if err := tx.InsertGrant(ctx, grant); err != nil {
			return err
		}
		err = tx.InsertRefreshToken(ctx, &storage.RefreshToken{
			Hash: storage.Hash(token), GrantID: grant.ID, CreatedAt: at, ExpiresAt: until,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// facts are what the database is to say of the many.
func (k *keepsakes) facts() (list []fact) {
	for i := range k.sessions {
		session := "alive"
		if i < k.revoked {
			session = "gone"
		}
		list = append(list, fact{"session/" + storage.Hash(k.sessions[i]), session},
			fact{"refresh/" + storage.Hash(k.tokens[i]), "alive"})
	}
	return list
}

// begin begins everything that can be half way.
func (h *halfWay) begin(ctx context.Context) (err error) {
	w := h.w
	if h.code, err = w.consent(ctx); err != nil {
		return err
	}
	if h.agree, err = w.toConsent(ctx); err != nil {
		return err
	}
	client := w.me.client
	a, err := w.do(ctx, call{
		kind: "push", method: "POST", path: "/oidc/par", id: client.id, secret: client.secret,
		body: w.node.authorizeQuery(client.id),
	})
	if err != nil {
		return err
	}
	h.pushed = a.text("request_uri")
	a, err = w.do(ctx, call{
		kind: "device", method: "POST", path: "/oidc/device_authorization", id: client.id, secret: client.secret,
		body: url.Values{"scope": {"openid"}},
	})
	if err != nil {
		return err
	}
	h.device = a.text("device_code")
	if err := w.enrol(ctx); err != nil {
		return err
	}
	h.factor, err = w.secondFactor(ctx, w.me.recovery[0], true)
	h.factor.facts = []fact{{"recovery/" + w.me.email, fmt.Sprint(len(w.me.recovery) - 1)}}
	return err
}

// check asks the server for each of the many.
func (k *keepsakes) check(b *bench) {
	b.t.Helper()
	ctx := b.t.Context()
	client := k.host.me.client
	bad := 0
	for i := range k.sessions {
		revoked := i < k.revoked
		_, err := k.host.do(ctx, call{kind: "me", method: "GET", path: api + "/auth/me", token: k.sessions[i], fails: revoked})
		if err != nil {
			bad++
		}
		a, err := k.host.do(ctx, call{
			kind: "introspect", method: "POST", path: "/oidc/introspect", id: client.id, secret: client.secret,
			body: url.Values{"token": {k.tokens[i]}},
		})
		if active, _ := a.data["active"].(bool); err != nil || active == revoked {
			bad++
		}
	}
	if bad > 0 {
		b.t.Errorf("of %d sessions and as many refresh tokens %d are not as they were", len(k.sessions), bad)
	}
}

// refresh uses some of the many up.
func (k *keepsakes) refresh(b *bench) {
	b.t.Helper()
	ctx := b.t.Context()
	for i, token := range k.tokens {
		c := k.host.renew(token)
		if c.fails = i < k.revoked; c.fails {
			c.facts, c.event, c.makes, c.told = nil, false, nil, nil
		}
		if _, err := k.host.do(ctx, c); err != nil {
			b.t.Errorf("refresh token %d: %v", i, err)
		}
		if i >= 2*k.revoked {
			break
		}
	}
}

// goOn finishes what was begun.
func (h *halfWay) goOn(ctx context.Context) error {
	w := h.w
	if _, err := w.do(ctx, h.factor); err != nil {
		return err
	}
	if _, err := w.exchange(ctx, h.code); err != nil {
		return err
	}
	client := w.me.client
	a, err := w.do(ctx, call{
		kind: "device poll", method: "POST", path: "/oidc/token", id: client.id, secret: client.secret, fails: true,
		body: url.Values{"grant_type": {deviceGrant}, "device_code": {h.device}},
	})
	if err != nil || a.text("error") != "authorization_pending" {
		return fmt.Errorf("%w: the device is told %s, %w", errOdd, a.body, err)
	}
	own := w.client
	w.client = w.me.browser
	defer func() { w.client = own }()
	if a, err = w.do(ctx, h.agree); err != nil {
		return err
	}
	w.client = own
	if _, err := w.exchange(ctx, a.location().Query().Get("code")); err != nil {
		return err
	}
	w.client = servertest.Browser(w.t) // of nobody, whom the request leads to the sign-in page
	a, err = w.do(ctx, call{
		kind: "pushed", method: "GET",
		path: "/oidc/authorize?" + url.Values{"client_id": {client.id}, "request_uri": {h.pushed}}.Encode(),
	})
	if err == nil && a.location().Path != "/sign-in" {
		err = fmt.Errorf("%w: the pushed request leads to %s: %d %s", errOdd, a.location(), a.status, a.body)
	}
	return err
}
