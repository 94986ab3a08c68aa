package openid

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"

	"authy/server/audit"
	"authy/server/dpop"
	"authy/server/fault"
	"authy/server/limit"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

const (
	// pushedPrefix begins the request_uri of what was pushed (RFC 9126, section 2.2).
	pushedPrefix   = "urn:ietf:params:oauth:request_uri:"
	pushedLifetime = time.Minute
)

// pushRule is how many requests one address may push in the names of public clients: anyone
// can, and each is kept for a while.
var pushRule = limit.Rule{Name: "push-address", Most: 1500, Window: 15 * time.Minute}

// pushed is a request that was pushed, as it is kept.
type pushed struct {
	Form   string `json:"form"`
	Signed bool   `json:"signed,omitempty"`
}

// reference is the answer to a pushed request (RFC 9126, section 2.2).
type reference struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int    `json:"expires_in"` // seconds
}

// ServePush takes a request that a client sends ahead of its user (RFC 9126).
func (p *Provider) ServePush(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if problem := readForm(w, r); problem != nil {
		writeOAuth(w, problem.status, problem.code, problem.text)
		return
	}
	sent, problem := presented(r.Header, r.PostForm, r.URL.Path)
	if problem != nil {
		writeOAuth(w, problem.status, problem.code, problem.text)
		return
	}
	ctx := r.Context()
	client, err := p.authenticate(ctx, sent)
	if err != nil {
		op.WriteError(challenged{w}, r, err, nil)
		return
	}
	p.offerNonce(w.Header(), r.Header)
	key, err := p.pushedKey(ctx, r.Header)
	if err != nil {
		op.WriteError(challenged{w}, r, err, nil)
		return
	}
	answer, err := p.push(ctx, client, r.PostForm, key)
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		writeOAuth(w, http.StatusBadRequest, refusal.Code, refusal.Description)
		return
	}
	if f, many := fault.As(err); many && f.Is(limit.ErrTooMany) {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
		writeOAuth(w, http.StatusTooManyRequests, "temporarily_unavailable", "too many requests were pushed, try again later")
		return
	}
	if err != nil {
		writeInternal(w, r, err)
		return
	}
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(answer) //nolint:errcheck,errchkjson // the client has gone
}

// push checks and keeps a request of a client that has proved who it is, and a key if that is
// not "". As with a sign-in that has begun, nothing is recorded: nothing has been decided.
func (p *Provider) push(ctx context.Context, client *storage.Client, form url.Values, key string) (*reference, error) {
	if registry.IsPublic(client) {
		if err := p.Limits.Count(ctx, pushRule, limit.Network(actor(ctx).IPAddress)); err != nil {
			return nil, err
		}
	}
	in, err := p.pushable(ctx, client, form)
	if err != nil {
		return nil, err
	}
	if named := in.form.Get("dpop_jkt"); key != "" && named != "" && named != key {
		return nil, refuse(dpop.InvalidProof, "dpop_jkt", "The parameter dpop_jkt names another key than that of the DPoP proof.")
	}
	if key != "" {
		in.form.Set("dpop_jkt", key)
	}
	if _, err := p.parse(ctx, in); err != nil {
		return nil, err
	}
	text, err := json.Marshal(pushed{in.form.Encode(), in.signed})
	if err != nil {
		return nil, fmt.Errorf("keep a pushed request of %s: %w", client.ClientID, err)
	}
	uri := pushedPrefix + rand.Text()
	err = p.db.Update(ctx, func(tx *storage.Tx) error {
		return tx.InsertPushedRequest(ctx, &storage.PushedRequest{
			Hash: storage.Hash(uri), ClientID: client.ID, Request: string(text), Network: strange(client, actor(ctx)),
			ExpiresAt: storage.At(steady.Now().Add(pushedLifetime)),
		})
	})
	if err != nil {
		return nil, fmt.Errorf("keep a pushed request of %s: %w", client.ClientID, err)
	}
	return &reference{uri, int(pushedLifetime / time.Second)}, nil
}

// strange returns where a request in the name of a public client comes from, which anyone can
// make; "" for a client that has proved who it is.
func strange(c *storage.Client, by audit.Actor) string {
	if registry.IsPublic(c) {
		return limit.Neighborhood(by.IPAddress)
	}
	return ""
}

// pushable is [Provider.effective] for what a client pushes: its credentials are no part of
// the request, and it names no other place.
func (p *Provider) pushable(ctx context.Context, client *storage.Client, form url.Values) (*asked, error) {
	own := url.Values{}
	for name, values := range form {
		if name != "client_secret" && name != "client_assertion" && name != "client_assertion_type" {
			own[name] = values
		}
	}
	own.Set("client_id", client.ClientID)
	in := &asked{form: own, pushed: true}
	if own.Has("request_uri") { // RFC 9126, section 2.1
		in.broken = refuse("invalid_request", "request_uri", "A request that is pushed names no request_uri.")
		return in, nil
	}
	if own.Has("request") {
		return in, p.open(ctx, client, in, own.Get("request"))
	}
	return in, nil
}

// takePushed uses up what a client has pushed. Nothing beside it counts (RFC 9126, section
// 4); a person who comes again while they sign in has the flow that holds it.
func (p *Provider) takePushed(ctx context.Context, client *storage.Client, in *asked, uri string) error {
	now := steady.Now()
	var text string
	err := p.db.Update(ctx, func(tx *storage.Tx) (err error) {
		text, err = tx.TakePushedRequest(ctx, storage.Hash(uri), client.ID, now)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		in.broken = refuse("invalid_request_uri", "request_uri", "The request_uri is not known, was used, or has expired.")
		return nil
	}
	if err != nil {
		return fmt.Errorf("take a pushed request of %s: %w", client.ClientID, err)
	}
	var kept pushed
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return fmt.Errorf("take a pushed request of %s: %w", client.ClientID, err)
	}
	form, err := url.ParseQuery(kept.Form)
	if err != nil {
		return fmt.Errorf("take a pushed request of %s: %w", client.ClientID, err)
	}
	in.form, in.pushed, in.signed = form, true, kept.Signed
	return nil
}
