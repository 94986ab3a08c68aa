package logout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"authy/server/audit"
	"authy/server/delivery"
	"authy/server/outbound"
	"authy/server/steady"
	"authy/storage"
)

const (
	// firstSlots is how many applications are told for the first time at once,
	// laterSlots how many are tried again, perClient how many of each belong to
	// one application: one that hangs does not hold the others up.
	firstSlots, laterSlots, perClient = 16, 8, 4
	// lease is how long an attempt belongs to whoever makes it: longer than it
	// can take.
	lease = 40 * time.Second
	// maxAnswer is how much of an application's answer is read, in bytes.
	maxAnswer = 16 << 10
	// maxWhy is how much of an error is kept, in bytes.
	maxWhy = 300
)

// waits are how long after each attempt comes the next.
var waits = delivery.Waits{
	time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour,
}

// Service tells applications of logouts.
type Service struct {
	// TellService tells a SAML service, and notes in the logout where it has.
	// [ErrRefused] and [ErrBrowserOnly] are heeded.
	TellService func(ctx context.Context, l *storage.Logout) error

	db      *storage.DB
	out     *outbound.Client
	token   func(ctx context.Context, l *storage.Logout) (string, error)
	first   *delivery.Lane[storage.Logout]
	later   *delivery.Lane[storage.Logout]
	mu      sync.Mutex
	settled chan struct{} // closed when an attempt has ended
}

// New returns the service over db. token makes the logout token that an
// application is sent; it is asked anew for each attempt.
func New(
	db *storage.DB, out *outbound.Client, token func(ctx context.Context, l *storage.Logout) (string, error),
) *Service {
	s := &Service{db: db, out: out, token: token, settled: make(chan struct{})}
	s.first, s.later = s.lane(storage.LogoutSent, firstSlots), s.lane(storage.LogoutRetrying, laterSlots)
	return s
}

// lane is where attempts at logouts in a state are made, so many at once.
func (s *Service) lane(state string, slots int) *delivery.Lane[storage.Logout] {
	return delivery.NewLane(delivery.Queue[storage.Logout]{
		Name: "logout", Slots: slots, Share: perClient,
		Due: func(ctx context.Context, full []string, limit int) ([]storage.Logout, error) {
			return s.db.DueLogouts(ctx, state, full, limit, steady.Now())
		},
		Names: func(l *storage.Logout) (id, receiver string) { return l.ID, l.Party() },
		Take:  s.take, Try: s.try,
	})
}

// Run tells applications what is queued until ctx ends.
func (s *Service) Run(ctx context.Context) {
	var lanes sync.WaitGroup
	lanes.Go(func() { s.first.Run(ctx) })
	lanes.Go(func() { s.later.Run(ctx) })
	lanes.Wait()
}

// take makes a logout the caller's for as long as telling it may take; nil if
// it is somebody else's.
func (s *Service) take(ctx context.Context, due storage.Logout) (taken *storage.Logout, err error) {
	until := steady.Now().Add(lease)
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		taken, err = tx.TakeLogout(ctx, due, until)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("take logout %s: %w", due.ID, err)
	}
	return taken, nil
}

// try tells an application of a logout, and notes what became of it.
func (s *Service) try(ctx context.Context, l *storage.Logout) {
	ctx, cancel := delivery.Linger(ctx)
	defer cancel()
	cause := s.deliver(ctx, l)
	err := s.settle(ctx, l, cause)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		slog.WarnContext(ctx, "logout not noted, trying again", "logout", l.ID, "err", err)
	}
	s.mu.Lock()
	close(s.settled)
	s.settled = make(chan struct{})
	s.mu.Unlock()
}

// deliver tells an application: a client by posting a logout token to it
// (OpenID Connect Back-Channel Logout 1.0, section 2.5).
func (s *Service) deliver(ctx context.Context, l *storage.Logout) error {
	if l.ServiceID != "" {
		return s.TellService(ctx, l)
	}
	token, err := s.token(ctx, l)
	if err != nil {
		return err
	}
	answer, err := s.out.Post(ctx, l.URI, url.Values{"logout_token": {token}}, maxAnswer)
	if err != nil {
		return err
	}
	return verdict(answer.Status, answer.Body)
}

// verdict is nil for an answer that says that the session has ended there
// (section 2.8). 400 says that the request was understood and not followed;
// anything else may pass.
func verdict(status int, body []byte) error {
	switch status {
	case 200, 204:
		return nil
	case 400:
		var why struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		if json.Unmarshal(body, &why) != nil || why.Error == "" || !utf8.ValidString(why.Error+why.Description) {
			return fmt.Errorf("%w: it answered 400", ErrRefused)
		}
		return fmt.Errorf("%w: it answered 400: %s %s", ErrRefused, why.Error, why.Description)
	}
	return fmt.Errorf("the application answered %d", status)
}

// settle notes what became of an attempt, cause being nil if it worked.
func (s *Service) settle(ctx context.Context, l *storage.Logout, cause error) error {
	until, now := l.NextAt.Time, steady.Now()
	next, browser := now.Add(waits.After(l.Attempts)), errors.Is(cause, ErrBrowserOnly)
	if browser {
		next = now.Add(browserPatience)
	}
	l.LastError, l.NextAt = "", storage.Time{}
	switch {
	case cause == nil:
		l.State, l.DeliveredAt = storage.LogoutDelivered, storage.At(now)
	case errors.Is(cause, ErrRefused), errors.Is(cause, outbound.ErrURL), next.Sub(l.CreatedAt.Time) > giveUp,
		browser && l.Attempts > 1:
		l.State = storage.LogoutFailed
	default:
		l.State, l.NextAt = storage.LogoutRetrying, storage.At(next)
	}
	if cause != nil {
		l.LastError = audit.Cut(cause.Error(), maxWhy)
	}
	if cause != nil && !browser {
		slog.WarnContext(ctx, "application not told of a logout", "logout", l.ID, "state", l.State, "attempts", l.Attempts,
			"err", cause)
	}
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := tx.SaveLogout(ctx, l, until); err != nil {
			return err
		}
		if l.State == storage.LogoutRetrying || browser {
			return nil
		}
		if l.State == storage.LogoutDelivered && l.ServiceID != "" {
			if err := forget(ctx, tx, l.SessionIndex); err != nil {
				return err
			}
		}
		return record(ctx, tx, now, l)
	})
}

// record notes that an application was told, or that it was given up.
func record(ctx context.Context, tx *storage.Tx, now time.Time, l *storage.Logout) error {
	event, err := about(ctx, tx, l)
	if err != nil {
		return err
	}
	event.Details = map[string]string{"session": l.SessionID, "attempts": strconv.FormatInt(l.Attempts, 10)}
	if l.State == storage.LogoutFailed {
		event.Failed, event.Reason, event.Details["error"] = true, "given_up", l.LastError
	}
	return audit.Record(ctx, tx, audit.Server(), now, event)
}

// about is an event that is about the application of a logout.
func about(ctx context.Context, tx *storage.Tx, l *storage.Logout) (audit.Event, error) {
	if l.ServiceID != "" {
		s, err := tx.Service(ctx, string(l.ServiceID))
		if err != nil {
			return audit.Event{}, fmt.Errorf("look SAML service %s up: %w", l.ServiceID, err)
		}
		return audit.Event{
			Action: "service.logout", TargetKind: "saml_service", TargetID: s.Slug, OrgID: string(s.OrganizationID),
		}, nil
	}
	client, err := tx.ClientByRow(ctx, string(l.ClientID))
	if err != nil {
		return audit.Event{}, fmt.Errorf("look client %s up: %w", l.ClientID, err)
	}
	return audit.Event{
		Action: "logout.backchannel", TargetKind: "client", TargetID: client.ClientID, OrgID: string(client.OrganizationID),
	}, nil
}
