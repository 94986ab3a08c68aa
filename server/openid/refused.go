package openid

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

const (
	// keepRefusals is how long it is known why a request was refused.
	keepRefusals = time.Hour
	// flushRefusals is how often that is written; of each client one in that time.
	flushRefusals = time.Second
	// maxRefused bounds the clients, and maxStrangers those that may not exist, of
	// which refusals wait to be written: more are counted alone.
	maxRefused, maxStrangers = 256, 16
	// maxSent is how much is kept of what was sent, in bytes.
	maxSent = 2048
	// logStrangers is how often requests of unknown clients are logged.
	logStrangers = time.Minute
)

// kept are the parameters whose values are kept: none is a secret, and none says
// who the user is.
var kept = []string{
	"redirect_uri", "response_type", "response_mode", "scope", "code_challenge", "code_challenge_method", "prompt",
	"max_age", "display", "acr_values", "ui_locales", "resource", "request_uri",
}

// refusals holds why requests were refused until that is written, so that no
// answer waits for it, and no flood of them is written.
type refusals struct {
	mu        sync.Mutex
	waiting   map[string]*refusedRequest // by client_id
	strangers map[string]*refusedRequest // of clients that may not exist
	uncounted int64                      // what there was no room for, or is of nobody
	logged    time.Time
}

// refusedRequest is the first of a client that waits to be written.
type refusedRequest struct {
	at                                 time.Time
	count                              int64
	code, parameter, description, sent string
}

// ParseRequest checks an authorization request. A refusal that could be sent
// to the client says so ([Refusal.Location]); where client or redirect URI are
// not exact it cannot. Why it was refused is kept for an hour. Any other error is
// internal.
func (p *Provider) ParseRequest(ctx context.Context, form url.Values) (*Request, error) {
	r, err := p.parseRequest(ctx, form)
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		p.refusals.note(form, refusal)
	}
	return r, err
}

// note keeps why a request was refused. It waits for nothing.
func (f *refusals) note(form url.Values, r *Refusal) {
	clientID := r.ClientID
	if r.back != nil {
		clientID = r.back.ClientID
	}
	sent := r.Sent
	if sent == "" && slices.Contains(kept, r.Parameter) {
		sent = strings.Join(form[r.Parameter], ", ")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	to, limit := &f.waiting, maxRefused
	if clientID == "" { // nobody has looked for the client, or it is not there
		to, limit = &f.strangers, maxStrangers
		clientID = audit.Cut(form.Get("client_id"), 128)
	}
	if known := (*to)[clientID]; known != nil {
		known.count++
		return
	}
	if len(*to) >= limit {
		f.uncounted++
		return
	}
	if *to == nil {
		*to = map[string]*refusedRequest{}
	}
	(*to)[clientID] = &refusedRequest{
		at: steady.Now(), count: 1, code: r.Code, parameter: r.Parameter, description: r.Description,
		sent: audit.Cut(sent, maxSent),
	}
}

// take returns what waits to be written, and forgets it.
func (f *refusals) take() map[string]*refusedRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.waiting
	for clientID, r := range f.strangers {
		if known := all[clientID]; known != nil {
			known.count += r.count
			continue
		}
		if all == nil {
			all = map[string]*refusedRequest{}
		}
		all[clientID] = r
	}
	f.waiting, f.strangers = nil, nil
	return all
}

// RunRefusals writes why requests were refused until ctx ends, and once more then.
func (p *Provider) RunRefusals(ctx context.Context) {
	tick := time.NewTicker(flushRefusals)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			p.writeRefusals(ctx, now)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			p.writeRefusals(last, steady.Now())
			return
		}
	}
}

// writeRefusals writes what waits in one transaction. Of clients that there are
// not it only counts.
func (p *Provider) writeRefusals(ctx context.Context, now time.Time) {
	waiting := p.refusals.take()
	var strange int64
	if len(waiting) > 0 {
		err := p.db.Update(ctx, func(tx *storage.Tx) error {
			strange = 0
			for clientID, r := range waiting {
				client, err := tx.Client(ctx, clientID)
				if errors.Is(err, storage.ErrNotFound) {
					strange += r.count
					continue
				}
				if err != nil {
					return err
				}
				if err := writeRefusal(ctx, tx, client, r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			slog.WarnContext(ctx, "reasons of refusals not written", "clients", len(waiting), "err", err)
		}
	}
	p.refusals.logStrange(ctx, strange, now)
}

// writeRefusal keeps why a request of a client was refused, in tx, beside what
// the client has registered.
func writeRefusal(ctx context.Context, tx *storage.Tx, c *storage.Client, r *refusedRequest) error {
	err := tx.InsertRefusal(ctx, &storage.Refusal{
		ID: storage.NewID(), ClientID: c.ID, At: storage.At(r.at.Truncate(time.Second)), Count: r.count, Code: r.code,
		Parameter: r.parameter, Description: r.description, Sent: r.sent, Registered: registeredFor(c, r.parameter, r.sent),
		ExpiresAt: storage.At(r.at.Add(keepRefusals)),
	})
	if err != nil {
		return err
	}
	return tx.DeleteOldRefusals(ctx, c.ID, registry.MaxRefusals)
}

// registeredFor returns what a client could have sent as a parameter.
func registeredFor(c *storage.Client, parameter, sent string) []string {
	switch parameter {
	case "redirect_uri":
		return registry.Nearest(c.RedirectURIs, sent)
	case "response_type":
		return registry.ResponseTypesOf(c)
	case "scope":
		return c.Scopes
	case "code_challenge_method":
		return []string{"S256"}
	}
	return nil
}

// logStrange logs how many refused requests were of no client that there is.
func (f *refusals) logStrange(ctx context.Context, count int64, now time.Time) {
	f.mu.Lock()
	f.uncounted += count
	count = f.uncounted
	due := count > 0 && now.Sub(f.logged) >= logStrangers
	if due {
		f.uncounted, f.logged = 0, now
	}
	f.mu.Unlock()
	if due {
		slog.WarnContext(ctx, "authorization requests of unknown clients were refused, or too many at once", "count", count)
	}
}
