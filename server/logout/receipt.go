package logout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

// patience is how long somebody who signs out waits for the applications.
const patience = 2 * time.Second

// glance is how often one looks whether another node has told an application.
const glance = 200 * time.Millisecond

// What is refused to who does not administer the server, and about what.
var (
	ErrForbidden = fault.New(fault.Forbidden, "forbidden", "You may not do this.")
	ErrNoClient  = fault.New(fault.NotFound, "client_not_found", "There is no client with this client_id.")
	ErrNoService = fault.New(fault.NotFound, "service_not_found", "There is no SAML service with this name.")
)

// The states of a receipt.
const (
	Sent      = storage.LogoutSent
	Retrying  = storage.LogoutRetrying
	Delivered = storage.LogoutDelivered
	Failed    = storage.LogoutFailed
)

// Receipt is what became of telling an application that a session has ended.
type Receipt struct {
	*storage.Logout
	// Client is the application. For a SAML service, which Service is then, it has
	// nothing but its row and its name.
	Client  *storage.Client
	Service *storage.Service
}

// ServiceSlug is the name of the SAML service, "" for a client.
func (r Receipt) ServiceSlug() string {
	if r.Service == nil {
		return ""
	}
	return r.Service.Slug
}

// Await has the applications of a session that has just ended told now, and
// returns what became of it within two seconds: who signs out waits no longer
// for an application that hangs.
func (s *Service) Await(ctx context.Context, sessionID string) ([]Receipt, error) {
	s.first.Nudge()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		s.mu.Lock()
		settled := s.settled
		s.mu.Unlock()
		logouts, err := s.db.LogoutsOf(ctx, sessionID)
		if err != nil {
			return nil, fmt.Errorf("look the logouts of session %s up: %w", sessionID, err)
		}
		if !underWay(logouts) {
			return s.receipts(ctx, logouts)
		}
		select {
		case <-settled:
		case <-time.After(glance):
		case <-late.C:
			return s.receipts(ctx, logouts)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// underWay says whether an application is being told for the first time.
func underWay(logouts []storage.Logout) bool {
	for _, l := range logouts {
		if l.State == storage.LogoutSent {
			return true
		}
	}
	return false
}

// receipts adds the clients to logouts.
func (s *Service) receipts(ctx context.Context, logouts []storage.Logout) ([]Receipt, error) {
	out := make([]Receipt, 0, len(logouts))
	for i := range logouts {
		one, err := s.receipt(ctx, &logouts[i])
		if errors.Is(err, storage.ErrNotFound) {
			continue // deleted between the two reads
		}
		if err != nil {
			return nil, fmt.Errorf("look application %s up: %w", logouts[i].Party(), err)
		}
		out = append(out, one)
	}
	return out, nil
}

func (s *Service) receipt(ctx context.Context, l *storage.Logout) (Receipt, error) {
	if l.ServiceID == "" {
		client, err := s.db.ClientByRow(ctx, string(l.ClientID))
		return Receipt{Logout: l, Client: client}, err
	}
	service, err := s.db.Service(ctx, string(l.ServiceID))
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{l, &storage.Client{ID: service.ID, Name: service.Name}, service}, nil
}

// Recent returns at most limit receipts of a user, the newest first.
func (s *Service) Recent(ctx context.Context, userID string, limit int) ([]Receipt, error) {
	logouts, err := s.db.Logouts(ctx, storage.LogoutFilter{UserID: userID}, "", limit)
	if err != nil {
		return nil, fmt.Errorf("list the logouts of %s: %w", userID, err)
	}
	return s.receipts(ctx, logouts)
}

// Filter says which receipts are meant; its zero value means all.
type Filter struct {
	ClientID string // what the client calls itself
	UserID   string
	Service  string // the slug of a SAML service
}

// List returns to who administers the server at most limit receipts of a
// filter, the newest first, that come after the one with an id, and the id of
// the last: "" if there are no more. [ErrNoClient] and [ErrNoService] if there is no
// such application.
func (s *Service) List(
	ctx context.Context, by audit.Actor, f Filter, after string, limit int,
) (out []Receipt, next string, err error) {
	if may, err := by.Administers(ctx, s.db.Reader); err != nil {
		return nil, "", err
	} else if !may {
		return nil, "", ErrForbidden
	}
	only := storage.LogoutFilter{UserID: f.UserID}
	if f.ClientID != "" {
		if only.ClientID, err = s.row(ctx, f.ClientID); err != nil {
			return nil, "", err
		}
	}
	if f.Service != "" {
		if only.ServiceID, err = s.service(ctx, f.Service); err != nil {
			return nil, "", err
		}
	}
	logouts, err := s.db.Logouts(ctx, only, after, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list logouts: %w", err)
	}
	if len(logouts) > limit {
		logouts, next = logouts[:limit], logouts[limit-1].ID
	}
	out, err = s.receipts(ctx, logouts)
	return out, next, err
}

// row returns the id of the row of a client.
func (s *Service) row(ctx context.Context, clientID string) (string, error) {
	if strings.ContainsRune(clientID, 0) {
		return "", ErrNoClient // storage refuses such text
	}
	client, err := s.db.Client(ctx, clientID)
	if errors.Is(err, storage.ErrNotFound) {
		return "", ErrNoClient
	}
	if err != nil {
		return "", fmt.Errorf("look client %s up: %w", clientID, err)
	}
	return client.ID, nil
}

// service returns the id of the row of a SAML service.
func (s *Service) service(ctx context.Context, slug string) (string, error) {
	if strings.ContainsRune(slug, 0) {
		return "", ErrNoService // storage refuses such text
	}
	service, err := s.db.ServiceBySlug(ctx, slug)
	if errors.Is(err, storage.ErrNotFound) {
		return "", ErrNoService
	}
	if err != nil {
		return "", fmt.Errorf("look SAML service %s up: %w", slug, err)
	}
	return service.ID, nil
}
