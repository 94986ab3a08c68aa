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
	"authy/server/outbound"
	"authy/server/steady"
	"authy/storage"
)

const (
	// look is how often the queue is looked at, for what other nodes and
	// commands have put there and for what was to be tried again.
	look = time.Second
	// batch is how many logouts are looked up at once.
	batch = 50
	// firstSlots is how many applications are told for the first time at once,
	// laterSlots how many are tried again, perClient how many of each belong to
	// one application: one that hangs does not hold the others up.
	firstSlots, laterSlots, perClient = 16, 8, 4
	// lease is how long an attempt belongs to whoever makes it: longer than it
	// can take.
	lease = 40 * time.Second
	// farewell is how long an attempt may still take when the server stops.
	farewell = 5 * time.Second
	// maxAnswer is how much of an application's answer is read, in bytes.
	maxAnswer = 16 << 10
	// maxWhy is how much of an error is kept, in bytes.
	maxWhy = 300
)

// waits are how long after each attempt comes the next; the last is repeated.
var waits = []time.Duration{
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
	first   *lane
	later   *lane
	mu      sync.Mutex
	settled chan struct{} // closed when an attempt has ended
}

// New returns the service over db. token makes the logout token that an
// application is sent; it is asked anew for each attempt.
func New(
	db *storage.DB, out *outbound.Client, token func(ctx context.Context, l *storage.Logout) (string, error),
) *Service {
	return &Service{
		db: db, out: out, token: token, settled: make(chan struct{}),
		first: newLane(storage.LogoutSent, firstSlots), later: newLane(storage.LogoutRetrying, laterSlots),
	}
}

// Run tells applications what is queued until ctx ends.
func (s *Service) Run(ctx context.Context) {
	var lanes sync.WaitGroup
	for _, l := range []*lane{s.first, s.later} {
		lanes.Go(func() { s.drive(ctx, l) })
	}
	lanes.Wait()
}

// drive works on a lane until ctx ends.
func (s *Service) drive(ctx context.Context, l *lane) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	defer l.sending.Wait()
	for {
		s.round(ctx, l)
		select {
		case <-tick.C:
		case <-l.wake:
		case <-ctx.Done():
			return
		}
	}
}

// round begins an attempt for whatever of a lane is due and finds a place.
func (s *Service) round(ctx context.Context, l *lane) {
	due, err := s.db.DueLogouts(ctx, l.state, l.full(), batch, steady.Now())
	if err != nil {
		if ctx.Err() == nil {
			slog.WarnContext(ctx, "logouts not read, trying again", "err", err)
		}
		return
	}
	for _, one := range due {
		if !l.enter(ctx, one.Party()) {
			continue // ctx has ended, or the application has enough to do
		}
		taken, err := s.take(ctx, one)
		if taken == nil {
			l.leave(one.Party())
			if err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "logout not seen to, trying again", "logout", one.ID, "err", err)
			}
			continue
		}
		l.sending.Go(func() {
			defer l.nudge() // what found no place
			defer l.leave(one.Party())
			s.try(ctx, taken)
		})
	}
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
	ctx, cancel := linger(ctx)
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

// linger returns a context that ends a little after ctx does.
func linger(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(farewell, cancel) })
	return longer, func() { stop(); cancel() }
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
	next, browser := now.Add(wait(l.Attempts)), errors.Is(cause, ErrBrowserOnly)
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

// wait returns how long after an attempt, counted from 1, comes the next.
func wait(attempts int64) time.Duration {
	return waits[min(max(attempts, 1), int64(len(waits)))-1]
}
