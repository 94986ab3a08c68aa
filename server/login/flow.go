package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/limit"
	"authy/server/openid"
	"authy/server/org"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// flowLifetime is how long a sign-in may take.
const flowLifetime = 30 * time.Minute

// Next is what a browser does next.
type Next struct {
	// Location is where it goes: to the client, or to a page here.
	Location string
	// Form is what it posts there; nil if it only goes there.
	Form url.Values
	// Ends are the only origins that the form may end at; nil for any by https.
	Ends []string
	// Secret is a cookie to be set, if not "": it binds flows to the browser.
	Secret string
	// SignedIn is a session to be kept in a cookie, if not nil.
	SignedIn *Result
	// Pending is a sign-in that needs its second factor, to be kept in a
	// cookie, if not nil.
	Pending *Pending
	// Away is the name of the provider that it goes to, "" if it goes to none.
	Away string
	// Provider is the slug of the provider that somebody has come from.
	Provider string
	// Linked is the name of a provider that was linked just now.
	Linked string
}

// nextOf takes an answer to its client.
func nextOf(a openid.Answer) *Next { return &Next{Location: a.Location, Form: a.Form} }

// flow is a sign-in that has begun, with what it is for.
type flow struct {
	record  *storage.Flow
	request *asked
}

// proved says whether id's session was proved within the flow.
func (f *flow) proved(id *session.Identity) bool {
	return f != nil && id != nil && string(f.record.SessionID) == id.Session.ID &&
		!id.Session.AuthenticatedAt.Before(f.record.CreatedAt.Time)
}

// Authorize answers an authorization request. A [*openid.Refusal] says that it
// is refused; it knows whether the client may be told.
func (s *Service) Authorize(ctx context.Context, by audit.Actor, b Browser, form url.Values) (*Next, error) {
	request, err := s.openid.ParseRequest(ctx, form)
	if err != nil {
		return nil, err
	}
	return s.advance(ctx, by, b, nil, &asked{Request: request})
}

// advance takes a sign-in to its next step. f is nil until someone must be
// asked something.
func (s *Service) advance(
	ctx context.Context, by audit.Actor, b Browser, f *flow, request *asked,
) (*Next, error) {
	id, err := s.Identify(ctx, b)
	if err != nil {
		return nil, err
	}
	at, err := s.standpoint(ctx, id, f, request)
	if err != nil {
		return nil, err
	}
	if f != nil {
		owed, err := s.Owes(ctx, b, f.record.ID)
		if err != nil {
			return nil, err
		}
		at.owes = owed.Any()
	}
	switch next, code := decide(at); next {
	case signIn:
		return s.ask(ctx, by, b, f, request, nil, "/sign-in")
	case secondFactor:
		return s.ask(ctx, by, b, f, request, nil, "/second-factor")
	case consent:
		return s.ask(ctx, by, b, f, request, at.id, "/consent")
	case enroll:
		return s.ask(ctx, by, b, f, request, at.id, "/enroll")
	case choose:
		return s.ask(ctx, by, b, f, request, nil, "/choose-account")
	case signUp:
		return s.ask(ctx, by, b, f, request, nil, "/sign-up")
	case barred:
		return s.bar(ctx, at.id.Actor(by), at.now, request)
	case refused:
		return s.refuse(ctx, request, code, refusedText[code])
	}
	return s.finish(ctx, at.id.Actor(by), at.now, f, request, at.id.Session.ID, false)
}

// standpoint gathers what the next step depends on.
func (s *Service) standpoint(
	ctx context.Context, id *session.Identity, f *flow, request *asked,
) (standpoint, error) {
	at := standpoint{request: request.Request, id: id, now: steady.Now(), proved: f.proved(id), open: s.Registration}
	if id == nil {
		return at, nil
	}
	var err error
	if at.subject, err = s.subjectOf(ctx, request, id.User.ID); err != nil {
		return at, err
	}
	missing, err := s.missing(ctx, request, id.User.ID)
	if err != nil {
		return at, err
	}
	at.missing = len(missing) > 0
	if at.climb, err = s.climb(ctx, id, request.Request); err != nil {
		return at, err
	}
	if at.limited, err = org.Limited(ctx, s.db.Reader, id.User.ID, at.now); err != nil {
		return at, err
	}
	at.barred, err = s.bars(ctx, request, id.User)
	return at, err
}

// bar records that someone may not use the client, which is told.
func (s *Service) bar(ctx context.Context, by audit.Actor, now time.Time, request *asked) (*Next, error) {
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		return s.deny(ctx, tx, by, now, request, "not_allowed")
	})
	if err != nil {
		return nil, err
	}
	return s.refuse(ctx, request, "access_denied", openid.NotAllowed)
}

var refusedText = map[string]string{
	"login_required":       "The user must sign in, and the request does not allow to ask.",
	"consent_required":     "The user must agree, and the request does not allow to ask.",
	"access_denied":        "The user did not agree.",
	"interaction_required": "The user must set up a second factor, and the request does not allow to ask.",

	"unmet_authentication_requirements": openid.UnmetACR,
}

// ask keeps the request until the person has answered on a page.
func (s *Service) ask(
	ctx context.Context, by audit.Actor, b Browser, f *flow, request *asked, id *session.Identity, page string,
) (*Next, error) {
	next := new(Next)
	if f == nil {
		if err := s.limits().flow(ctx, by); err != nil {
			return nil, err
		}
		if b.Secret == "" {
			b.Secret = rand.Text()
			next.Secret = b.Secret
		}
		record, err := s.newFlow(ctx, by, b, request, id)
		if err != nil {
			return nil, err
		}
		f = &flow{record: record, request: request}
	} else if id != nil && f.record.SessionID == "" {
		// Someone signed in elsewhere in this browser since the flow began.
		f.record.SessionID, f.record.Network = storage.Ref(id.Session.ID), ""
		err := s.db.Update(ctx, func(tx *storage.Tx) error { return tx.SaveFlow(ctx, f.record) })
		if errors.Is(err, storage.ErrNotFound) {
			return nil, ErrFlow
		}
		if err != nil {
			return nil, fmt.Errorf("keep a sign-in: %w", err)
		}
	}
	next.Location = PageOf(page, f.record.ID)
	return next, nil
}

func (s *Service) newFlow(
	ctx context.Context, by audit.Actor, b Browser, request *asked, id *session.Identity,
) (*storage.Flow, error) {
	text, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("keep a sign-in: %w", err)
	}
	now := steady.Now()
	record := &storage.Flow{
		ID: rand.Text(), BrowserHash: storage.Hash(b.Secret), Request: string(text),
		CreatedAt: storage.At(now), ExpiresAt: storage.At(now.Add(flowLifetime)),
	}
	if id != nil {
		record.SessionID = storage.Ref(id.Session.ID)
	} else {
		record.Network = limit.Neighborhood(by.IPAddress)
	}
	err = s.db.Update(ctx, func(tx *storage.Tx) error { return tx.InsertFlow(ctx, record) })
	if err != nil {
		return nil, fmt.Errorf("keep a sign-in: %w", err)
	}
	return record, nil
}

// load returns the flow with an id for the browser that began it. [ErrFlow] to
// any other browser, and when it has ended. From the moment someone has signed
// in, their session is needed too: the cookie that binds the browser may have
// been planted there by whoever began the flow.
func (s *Service) load(ctx context.Context, b Browser, id *session.Identity, flowID string) (*flow, error) {
	if strings.ContainsRune(flowID, 0) {
		return nil, ErrFlow // storage refuses such text
	}
	record, err := s.db.Flow(ctx, flowID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrFlow
	}
	if err != nil {
		return nil, fmt.Errorf("load a sign-in: %w", err)
	}
	bound := subtle.ConstantTimeCompare([]byte(record.BrowserHash), []byte(storage.Hash(b.Secret))) == 1
	if b.Secret == "" || !bound || !steady.Now().Before(record.ExpiresAt.Time) {
		return nil, ErrFlow
	}
	if record.SessionID != "" && (id == nil || id.Session.ID != string(record.SessionID)) {
		return nil, ErrFlow
	}
	f := &flow{record: record, request: new(asked)}
	if err := json.Unmarshal([]byte(record.Request), f.request); err != nil {
		return nil, fmt.Errorf("load a sign-in: %w", err)
	}
	return f, nil
}

// Continue takes the flow with an id on from where it stands.
func (s *Service) Continue(ctx context.Context, by audit.Actor, b Browser, flowID string) (*Next, error) {
	_, f, err := s.openFlow(ctx, b, flowID)
	if err != nil {
		return nil, err
	}
	return s.advance(ctx, by, b, f, f.request)
}

// open returns who a browser's session speaks for, and the flow with an id, nil
// for someone who came by themselves.
func (s *Service) open(ctx context.Context, b Browser, flowID string) (*session.Identity, *flow, error) {
	id, err := s.Identify(ctx, b)
	if err != nil || flowID == "" {
		return id, nil, err
	}
	f, err := s.load(ctx, b, id, flowID)
	return id, f, err
}

// openFlow is [Service.open] where there must be a flow.
func (s *Service) openFlow(ctx context.Context, b Browser, flowID string) (*session.Identity, *flow, error) {
	id, f, err := s.open(ctx, b, flowID)
	if err == nil && f == nil {
		err = ErrFlow
	}
	return id, f, err
}

// Password signs a browser in by password; flowID is "" for someone who came
// by themselves. Where the user has a second factor, it is asked next.
func (s *Service) Password(ctx context.Context, by audit.Actor, b Browser, flowID string, in Credentials) (*Next, error) {
	old, f, err := s.open(ctx, b, flowID)
	if err != nil {
		return nil, err
	}
	proved, err := s.prove(ctx, by, in)
	if err != nil {
		return nil, err
	}
	out, now := new(Result), steady.Now()
	e := entry{session.Web, in.Remember, f}
	var pending *Pending
	err = s.db.Update(ctx, func(tx *storage.Tx) (err error) {
		if pending, err = s.holdFlow(ctx, tx, by, now, proved, e); err != nil || pending != nil {
			return err
		}
		return s.enterFlow(ctx, tx, by, now, old, proved, e, out)
	})
	if err != nil {
		return nil, err
	}
	if pending != nil {
		return &Next{Location: PageOf("/second-factor", flowID), Pending: pending}, nil
	}
	return s.entered(ctx, by, b, f, out)
}

// holdFlow is [Service.hold] for a flow that goes on, which is no stranger's any more.
// [ErrFlow] if it has ended.
func (s *Service) holdFlow(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, proved proof, e entry,
) (*Pending, error) {
	if e.flow != nil {
		if _, err := tx.Flow(ctx, e.flowID()); errors.Is(err, storage.ErrNotFound) {
			return nil, ErrFlow
		} else if err != nil {
			return nil, fmt.Errorf("hold a sign-in: %w", err)
		}
	}
	pending, err := s.hold(ctx, tx, by, now, proved, e)
	if err != nil || pending == nil || e.flow == nil {
		return pending, err
	}
	e.flow.record.Network = ""
	return pending, tx.SaveFlow(ctx, e.flow.record)
}

// enterFlow gives a browser its session and ties the flow to it.
func (s *Service) enterFlow(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time,
	old *session.Identity, proved proof, e entry, out *Result,
) error {
	if err := s.enter(ctx, tx, by, now, old, proved, e.remember, out); err != nil || e.flow == nil {
		return err
	}
	e.flow.record.SessionID, e.flow.record.Network = storage.Ref(out.Session.ID), ""
	err := tx.SaveFlow(ctx, e.flow.record)
	if errors.Is(err, storage.ErrNotFound) {
		return ErrFlow // it ended meanwhile
	}
	return err
}

// entered leads a browser on that has its session now.
func (s *Service) entered(ctx context.Context, by audit.Actor, b Browser, f *flow, out *Result) (*Next, error) {
	if f == nil {
		return &Next{Location: home(out.Session), SignedIn: out}, nil
	}
	next, err := s.advance(ctx, by, Browser{Secret: b.Secret, Token: out.Token}, f, f.request)
	if next, err = answered(next, err); err != nil {
		return nil, err
	}
	next.SignedIn = out
	return next, nil
}

// answered takes a refusal to its client where that is safe.
func answered(next *Next, err error) (*Next, error) {
	if refusal, ok := errors.AsType[*openid.Refusal](err); ok && refusal.Answer() != nil {
		return nextOf(*refusal.Answer()), nil
	}
	return next, err
}

// PageOf is the address of a page within a flow, or of the page alone.
func PageOf(page, flowID string) string {
	if flowID == "" {
		return page
	}
	return page + "?flow=" + url.QueryEscape(flowID) // which may be what somebody has typed
}

// enter gives a browser its session. The same user's session is renewed, so
// that what was granted in it goes on; another user's is ended.
func (s *Service) enter(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time,
	old *session.Identity, proved proof, remember bool, out *Result,
) error {
	if old == nil || old.User.ID != proved.user.ID {
		if old != nil {
			err := s.sessions.EndIn(ctx, tx, old.Actor(by), now, old.User.ID, old.Session.ID,
				"session.revoke", "another user signed in")
			if err != nil {
				return err
			}
		}
		return s.begin(ctx, tx, by, now, proved, session.Web, remember, out)
	}
	by = by.As(proved.user.ID)
	user, err := s.signedIn(ctx, tx, by, now, proved)
	if err != nil {
		return err
	}
	out.User, out.Remember = user, remember
	out.Session, out.Token, err = s.sessions.Renew(
		ctx, tx, by, now, old.Session.ID, proved.methods, proved.arrival.until())
	if err != nil {
		return err
	}
	return keepArrival(ctx, tx, now, proved.arrival, out.Session.ID)
}
