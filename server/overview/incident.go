package overview

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"authy/server/audit"
	"authy/storage"
)

const (
	// keepIncidents is how long it is known what went wrong.
	keepIncidents = 7 * 24 * time.Hour
	// flushIncidents is how often they are written, mostWaiting how many then, and
	// mostFrom how many of one address: a flood of them leaves room for others.
	flushIncidents = 2 * time.Second
	mostWaiting    = 50
	mostFrom       = 5
)

// Incident is what went wrong with a request.
type Incident struct {
	Reference     string // the id of the request
	At            time.Time
	Status        int
	Method, Path  string
	Code, Message string // what its sender was told
	Cause         string // what they were not told
	From          string // the address of its sender, which is not kept
}

// incidents holds what went wrong until it is written.
type incidents struct {
	mu      sync.Mutex
	waiting []Incident
}

// Note keeps what went wrong with a request, unless that is known already. It
// waits for nothing.
func (s *Service) Note(i Incident) {
	if s == nil {
		return
	}
	in := &s.incidents
	in.mu.Lock()
	defer in.mu.Unlock()
	from := 0
	for _, known := range in.waiting {
		if known.Reference == i.Reference {
			return
		}
		if known.From == i.From {
			from++
		}
	}
	if len(in.waiting) < mostWaiting && from < mostFrom {
		in.waiting = append(in.waiting, i)
	}
}

// Run writes what went wrong until ctx ends, and once more then.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(flushIncidents)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.Flush(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			s.Flush(last)
			return
		}
	}
}

// Flush writes what went wrong and is not written yet.
func (s *Service) Flush(ctx context.Context) {
	s.incidents.mu.Lock()
	waiting := s.incidents.waiting
	s.incidents.waiting = nil
	s.incidents.mu.Unlock()
	if len(waiting) == 0 {
		return
	}
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		for _, i := range waiting {
			err := tx.SaveIncident(ctx, &storage.Incident{
				ID: placeOf(i.Reference), Reference: i.Reference, At: storage.At(i.At), Status: int64(i.Status),
				Method: audit.Cut(i.Method, 16), Path: audit.Cut(i.Path, 256), Code: i.Code,
				Message: audit.Cut(i.Message, 500), Cause: audit.Cut(i.Cause, 1000),
				ExpiresAt: storage.At(i.At.Add(keepIncidents)),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		slog.WarnContext(ctx, "what went wrong with requests is not written", "requests", len(waiting), "err", err)
	}
}

// placeOf returns where an incident is kept: in one of 65,536 places.
func placeOf(reference string) string {
	sum := sha256.Sum256([]byte(reference))
	return hex.EncodeToString(sum[:2])
}

// Look returns to who administers the server what went wrong with the request that
// has a reference; nil if that is not known.
func (s *Service) Look(ctx context.Context, by audit.Actor, reference string) (*Incident, error) {
	may, err := by.Administers(ctx, s.db.Reader)
	if err != nil {
		return nil, err
	}
	if !may {
		return nil, ErrForbidden
	}
	s.Flush(ctx)
	i, err := s.db.Incident(ctx, placeOf(reference))
	if errors.Is(err, storage.ErrNotFound) || err == nil && i.Reference != reference {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look a reference up: %w", err)
	}
	return &Incident{
		Reference: i.Reference, At: i.At.Time, Status: int(i.Status), Method: i.Method, Path: i.Path,
		Code: i.Code, Message: i.Message, Cause: i.Cause,
	}, nil
}
