package faultbench

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

// what can be used once is used, the server is killed as soon as it has answered, and what
// was used is refused afterwards. What the first use has made is still there.
func TestR02WhatWasUsedOnceStaysUsed(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			began, rounds := time.Now(), 1
			if long {
				rounds = 200
			}
			b := newBench(t, start(t, setup{engine: engine, set: map[string]string{"outbound.allow": "127.0.0.0/8"}}))
			stub := b.provider()
			r := result{id: "R-02", database: engine, store: "in-process", nodes: 1, seed: b.seed, began: began}
			for round := range rounds {
				r.recovery = max(r.recovery, b.useOnce(stub))
				if t.Failed() {
					break
				}
				if round%20 == 19 {
					t.Logf("R-02: %d rounds of %d kinds, no doubles", round+1, len(onces))
				}
			}
			r.findings = b.look()
			report(t, r)
		})
	}
}

// useOnce uses one value of each kind up, kills the server, and tries to use each again. It
// returns how long the server took to be back.
func (b *bench) useOnce(stub *servertest.StubOIDC) time.Duration {
	b.t.Helper()
	ctx := b.t.Context()
	uses := make([]onceUse, len(onces))
	for i, o := range onces {
		w := b.worker(100 + i)
		if err := w.furnish(ctx); err != nil {
			b.t.Fatalf("%s: %v", o.name, err)
		}
		u, err := o.ready(w, ctx, stub)
		if err != nil {
			b.t.Fatalf("%s: %v", o.name, err)
		}
		u.w = w
		uses[i] = u
	}
	var all sync.WaitGroup
	for i := range uses {
		all.Go(func() {
			if err := uses[i].useFirst(ctx); err != nil {
				b.t.Errorf("%s: %v", onces[i].name, err)
			}
		})
	}
	all.Wait()
	b.node.kill()
	took := b.node.restart()
	if f := b.look(); f.bad() > 0 {
		b.t.Errorf("after the first use: %q", f.problems)
	}
	for i := range uses {
		if err := uses[i].useAgain(ctx); err != nil {
			b.t.Errorf("a double: %s: %v", onces[i].name, err)
		}
	}
	return took
}

// onceUse is a value that is ready to be used: a request for the first time, and one for the
// second.
type onceUse struct {
	w            *worker
	first, again call
	client       *http.Client // whose cookies go with it
	made         []fact       // what the first use told
}

// useFirst uses the value up.
func (u *onceUse) useFirst(ctx context.Context) error {
	if u.client != nil {
		u.w.client = u.client
	}
	a, err := u.w.do(ctx, u.first)
	if err == nil && u.first.told != nil {
		u.made = u.first.told(a)
	}
	return err
}

// useAgain wants a second use to be refused. That of a code or a refresh token ends what the first
// was given, for one of the two was a thief (RFC 9700, sections 2.1.1 and 4.14.2).
func (u *onceUse) useAgain(ctx context.Context) error {
	c := u.again
	c.fails, c.facts, c.event, c.makes, c.told = true, nil, false, nil, nil
	_, err := u.w.do(ctx, c)
	for _, f := range u.made {
		if strings.HasPrefix(f.Key, "refresh/") {
			e := u.w.ledger.begin(entry{Kind: "replay", Facts: []fact{{f.Key, "dead"}}})
			u.w.ledger.end(e, 200)
		}
	}
	return err
}

// furnish gives a worker a person with all that there is to have.
func (w *worker) furnish(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		w.register, w.build, w.befriend, w.befriend, w.registerClient, w.authorize,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// onces are the kinds of values that can be used once.
var onces = []struct {
	name  string
	ready func(w *worker, ctx context.Context, stub *servertest.StubOIDC) (onceUse, error)
}{
	{"code", onceCode},
	{"refresh token", onceRefresh},
	{"TOTP step", onceStep},
	{"recovery code", onceRecovery},
	{"sign-in that waits", oncePending},
	{"invitation", onceInvitation},
	{"reset link", onceReset},
	{"e-mail link", onceLink},
	{"passkey challenge", onceChallenge},
	{"upstream state", onceState},
}

func twice(c call) onceUse { return onceUse{first: c, again: c} }

func onceCode(w *worker, ctx context.Context, _ *servertest.StubOIDC) (onceUse, error) {
	code, err := w.consent(ctx)
	return twice(w.redeem(code)), err
}

func onceRefresh(w *worker, _ context.Context, _ *servertest.StubOIDC) (onceUse, error) {
	return twice(w.renew(w.me.refresh[0])), nil
}

// secondFactor is a sign-in with a password that goes on with code.
func (w *worker) secondFactor(ctx context.Context, code string, backup bool) (call, error) {
	waiting, err := w.pending(ctx)
	return call{
		kind: "second factor", method: "POST", path: api + "/auth/totp/verify", event: true,
		body:  object{"pending_token": waiting, "code": code, "is_backup_code": backup},
		makes: []string{"session"}, told: sessionTold,
	}, err
}

// twoSignIns are two sign-ins that wait, each of which goes on with the same code.
func (w *worker) twoSignIns(ctx context.Context, code string, backup bool, f fact) (u onceUse, err error) {
	if u.first, err = w.secondFactor(ctx, code, backup); err != nil {
		return u, err
	}
	u.first.facts = []fact{f}
	u.again, err = w.secondFactor(ctx, code, backup)
	return u, err
}

func onceStep(w *worker, ctx context.Context, _ *servertest.StubOIDC) (onceUse, error) {
	if err := w.enrol(ctx); err != nil {
		return onceUse{}, err
	}
	// The code that confirmed the enrolment is of this half minute or the one before.
	at := time.Unix((w.me.step+1)*30, 0)
	if wait := time.Until(at); wait > 0 {
		<-time.After(wait)
	}
	f := fact{"step/" + w.me.email, fmt.Sprint(w.me.step + 1)}
	return w.twoSignIns(ctx, servertest.TOTP(w.me.totp, at), false, f)
}

func onceRecovery(w *worker, ctx context.Context, _ *servertest.StubOIDC) (onceUse, error) {
	if err := w.enrol(ctx); err != nil {
		return onceUse{}, err
	}
	f := fact{"recovery/" + w.me.email, fmt.Sprint(len(w.me.recovery) - 1)}
	return w.twoSignIns(ctx, w.me.recovery[0], true, f)
}

// oncePending goes on with one sign-in twice, each time with a code that is good.
func oncePending(w *worker, ctx context.Context, _ *servertest.StubOIDC) (onceUse, error) {
	if err := w.enrol(ctx); err != nil {
		return onceUse{}, err
	}
	first, err := w.secondFactor(ctx, w.me.recovery[0], true)
	u := twice(first)
	body, _ := first.body.(object)
	u.again.body = object{"pending_token": body["pending_token"], "code": w.me.recovery[1], "is_backup_code": true}
	u.first.facts = []fact{{"recovery/" + w.me.email, fmt.Sprint(len(w.me.recovery) - 1)}}
	return u, err
}

func onceInvitation(w *worker, ctx context.Context, _ *servertest.StubOIDC) (onceUse, error) {
	if err := w.invite(ctx); err != nil {
		return onceUse{}, err
	}
	h := w.me.house
	a, err := w.do(ctx, w.login(h.friends[1].email, h.friends[1].password))
	key := "invitation/" + storage.Hash(h.invited)
	return twice(call{
		kind: "accept", method: "POST", path: api + "/invitations/accept", token: a.text("token"),
		body: object{"token": h.invited}, event: true,
		facts: []fact{{key, ""}, w.place(h.slug, h.friends[1].email, "guest")},
	}), err
}

func onceReset(w *worker, ctx context.Context, _ *servertest.StubOIDC) (onceUse, error) {
	f, next := w.me.house.friends[0], "orchid lantern seven"
	a, err := w.do(ctx, call{
		kind: "reset link", method: "POST", path: api + "/admin/users/" + f.id + "/reset-link", token: w.admin, event: true,
	})
	token := linkToken(a.text("link"))
	if token == "" {
		return onceUse{}, fmt.Errorf("%w: no link in %s", errOdd, a.body)
	}
	return twice(call{
		kind: "reset", method: "POST", path: api + "/auth/reset-password", event: true,
		body:  object{"token": token, "password": next, "password_confirm": next},
		facts: []fact{{"password/" + f.email, next}, {"link/" + storage.Hash(token), ""}},
	}), err
}

// onceLink keeps a link in the database, as if it had been mailed.
func onceLink(w *worker, ctx context.Context, _ *servertest.StubOIDC) (onceUse, error) {
	token, now := storage.NewID(), time.Now()
	err := w.node.write(func(tx *storage.Tx) error {
		u, err := tx.UserByEmail(ctx, w.me.email)
		if err != nil {
			return err
		}
		return tx.InsertLink(ctx, &storage.Link{
			Hash: storage.Hash(token), Purpose: storage.VerifyLink, UserID: storage.Ref(u.ID), Email: u.Email,
			CreatedAt: storage.At(now), ExpiresAt: storage.At(now.Add(time.Hour)),
		})
	})
	return twice(call{
		kind: "verify e-mail", method: "POST", path: api + "/auth/verify-email", event: true,
		body: object{"token": token}, facts: []fact{{"link/" + storage.Hash(token), ""}},
	}), err
}

func onceChallenge(w *worker, ctx context.Context, _ *servertest.StubOIDC) (onceUse, error) {
	begin := func(path, token string) (answer, error) {
		return w.do(ctx, call{
			kind: "ceremony", method: "POST", path: api + "/auth/webauthn/" + path + "/begin", token: token, body: object{},
		})
	}
	key := servertest.NewAuthenticator(w.t, servertest.ES256, w.node.url, "127.0.0.1")
	o, err := begin("register", w.me.token())
	if err != nil {
		return onceUse{}, err
	}
	handle, err := base64.RawURLEncoding.DecodeString(o.text("user", "id"))
	if err != nil {
		return onceUse{}, err
	}
	_, err = w.do(ctx, call{
		kind: "passkey", method: "POST", path: api + "/auth/webauthn/register/complete", token: w.me.token(), event: true,
		body: object(key.Create(o.text("challenge"), handle)),
	})
	if err != nil {
		return onceUse{}, err
	}
	o, err = begin("login", "")
	body := object(key.Get(o.text("challenge")))
	body["ceremony_token"] = o.text("ceremony_token")
	return twice(call{
		kind: "passkey sign-in", method: "POST", path: api + "/auth/webauthn/login/complete", body: body,
		makes: []string{"session"}, told: sessionTold, event: true,
	}), err
}

// provider sets up somebody else's provider at the server.
func (b *bench) provider() *servertest.StubOIDC {
	b.t.Helper()
	stub := servertest.NewStubOIDC(b.t)
	_, err := b.worker(-3).do(b.t.Context(), call{
		kind: "provider", method: "POST", path: api + "/admin/providers", token: b.admin, event: true,
		body: object{
			"kind": "oidc", "slug": "stub", "name": "Stub", "issuer": stub.Issuer,
			"client_id": stub.ClientID, "client_secret": stub.Secret,
		},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return stub
}

// onceState goes to a provider and is about to come back.
func onceState(w *worker, ctx context.Context, stub *servertest.StubOIDC) (onceUse, error) {
	if err := w.browse(); err != nil { // in which nobody is signed in
		return onceUse{}, err
	}
	w.client = w.me.browser
	a, err := w.do(ctx, call{kind: "to the provider", method: "POST", path: "/external/stub/start", body: url.Values{}})
	if err != nil {
		return onceUse{}, err
	}
	_, there, _ := strings.Cut(a.header.Get("Refresh"), "url=")
	stub.Set(func(s *servertest.StubOIDC) {
		s.Person = map[string]any{"sub": w.me.email, "name": "Pat", "email": w.me.email, "email_verified": true}
	})
	page := servertest.Get(w.t, w.node.client, there)
	if page.Location() == nil {
		return onceUse{}, fmt.Errorf("%w: the provider says %s", errOdd, page.Body)
	}
	u := twice(call{kind: "from the provider", method: "GET", path: page.Location().String()})
	u.client = w.me.browser
	return u, nil
}
