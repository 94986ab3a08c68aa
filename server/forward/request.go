package forward

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/openid"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// ErrPlace refuses an address that is no place to go.
var ErrPlace = fault.New(fault.Forbidden, "unknown_address",
	"This server signs nobody in for that address: no rule of forward-auth is about it.")

// Request is a sign-in for a host behind a proxy.
type Request struct {
	// URL is where the browser was going, Browser the hash of the secret that it has there.
	URL     string `json:"url"`
	Browser string `json:"browser"`
}

// ParseRequest reads what a browser has brought from a host. [ErrPlace] unless that has rules.
func (s *Service) ParseRequest(form url.Values) (*Request, error) {
	p, err := s.place(form.Get("url"))
	if err != nil {
		return nil, err
	}
	if browser := form.Get("browser"); len(browser) == len(storage.Hash("")) {
		return &Request{URL: p.back(), Browser: browser}, nil
	}
	return nil, ErrPlace
}

// place reads the address of a host that has rules.
func (s *Service) place(address string) (*Place, error) {
	p, ok := ParsePlace(address, http.MethodGet)
	if !ok || p.Scheme != s.scheme || s.sites[p.Host] == nil {
		return nil, ErrPlace
	}
	return p, nil
}

// Factor is how surely somebody must have signed in for a request.
func (s *Service) Factor(r *Request) openid.Assurance {
	p, err := s.place(r.URL)
	if err != nil {
		return openid.ByPassword
	}
	if rule, _ := s.sites[p.Host].decides(p); rule != nil {
		return rule.Factor
	}
	return openid.ByPassword
}

// Host is that of a request, as people know it.
func (r *Request) Host() string {
	_, rest, _ := strings.Cut(r.URL, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// Judge decides about an address for who has signed in, nil for nobody. An address that is none
// falls under no rule.
func (s *Service) Judge(ctx context.Context, address string, id *session.Identity) (Verdict, *Place, error) {
	return s.judgeAt(ctx, s.DB.Reader, address, id, steady.Now())
}

func (s *Service) judgeAt(
	ctx context.Context, r storage.Reader, address string, id *session.Identity, now time.Time,
) (Verdict, *Place, error) {
	p, err := s.place(address)
	if err != nil {
		return Verdict{Reason: NoRule}, nil, nil
	}
	v, err := s.judge(ctx, r, p, id, now)
	return v, p, err
}

// Bars says whether a user may not go where a request leads, however they sign in.
func (s *Service) Bars(ctx context.Context, r *Request, user *storage.User) (bool, error) {
	v, _, err := s.Judge(ctx, r.URL, &session.Identity{User: user, Session: &storage.Session{}})
	return !v.Passes() && !v.Waits(), err
}

// Issue lets the user of a session through to where a request leads, in tx. The browser goes to
// the address that is returned. A user whom the rule does not admit goes to a page that says so.
func (s *Service) Issue(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, r *Request, current *storage.Session,
) (string, error) {
	p, err := s.place(r.URL)
	if err != nil {
		return "", err
	}
	user, err := tx.User(ctx, current.UserID)
	if err != nil {
		return "", fmt.Errorf("look user %s up: %w", current.UserID, err)
	}
	v, err := s.judge(ctx, tx.Reader, p, &session.Identity{User: user, Session: current}, now)
	if err != nil {
		return "", err
	}
	if !v.Passes() {
		return s.Refuse(r), s.Deny(ctx, tx, by, now, r, string(v.Reason))
	}
	code, err := s.newCode(r, current, now)
	if err != nil {
		return "", err
	}
	return p.Origin() + FinishPath + "?" + url.Values{"code": {code}}.Encode(), audit.Record(ctx, tx, by, now, event(r))
}

// Deny records in tx that a request was refused, and why.
func (s *Service) Deny(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, r *Request, reason string,
) error {
	e := event(r)
	e.Failed, e.Reason = true, reason
	// There may be more to say.
	if user, err := tx.User(ctx, by.ID); err == nil && reason == string(NotAllowed) {
		v, _, err := s.judgeAt(ctx, tx.Reader, r.URL, &session.Identity{User: user, Session: &storage.Session{}}, now)
		if err != nil {
			return err
		}
		e.Reason = string(v.Reason)
	}
	return audit.Record(ctx, tx, by, now, e)
}

// event is a sign-in at a host. Its address may hold secrets of the application: the host will do.
func event(r *Request) audit.Event {
	return audit.Event{
		Action: "forward_auth.use", TargetKind: "host", TargetID: audit.Cut(r.Host(), 128),
	}
}

// Refuse is the page that says why somebody does not get to where a request leads.
func (s *Service) Refuse(r *Request) string { return s.refusedAt(r.URL, "") }

func (s *Service) refusedAt(address string, reason Reason) string {
	q := url.Values{"url": {address}}
	if reason != "" {
		q.Set("reason", string(reason))
	}
	return s.PublicURL + RefusedPath + "?" + q.Encode()
}
