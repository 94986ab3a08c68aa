// Package overview tells who administers the server how it fares: who signs in
// and how many fail, how many of everything there are, how fast requests are
// answered, how much room is left, and what needs attention. It refuses to know
// how any of that is mended.
//
// Read overview.go (the report), then count.go (what is counted by day),
// attention.go (what needs attention), latency.go, and incident.go (what went
// wrong with a request whose sender has its reference).
package overview

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/fault"
	"authy/storage"
	"authy/storage/disk"
)

// ErrForbidden is the answer to who does not administer the server.
var ErrForbidden = fault.New(fault.Forbidden, "forbidden", "Only administrators of the server may do this.")

// Days is how many days a report goes back, today included.
const Days = 30

// Service reports on the server.
type Service struct {
	// Version is authy's. It is set before the service is used.
	Version string
	// Latency is how long requests of this process take.
	Latency Latency

	incidents incidents

	db      *storage.DB
	config  *config.Config
	started time.Time

	mu   sync.Mutex // held while the population is counted
	held held
}

// held is the population as it was counted last.
type held struct {
	population *storage.Population
	at         time.Time
	took       time.Duration
}

// New returns the service over db of a server that is set as c says.
func New(db *storage.DB, c *config.Config) *Service {
	return &Service{db: db, config: c, started: time.Now()}
}

// Report is how the server fares.
type Report struct {
	Version    string
	Started    time.Time // of this process
	Days       []Day     // the oldest first; the last one is today
	Population Population
	CountedAt  time.Time // when the population was counted
	Speeds     []Speed   // of this process within an hour
	Room       Room
	Attention  []Notice // what is worse first
}

// Population is how many of everything there are.
type Population = storage.Population

// Room is how much room the database takes and the data directory has; Free and
// Total are 0 where that is not known.
type Room struct {
	Engine                string // sqlite or postgres
	Database, Free, Total int64  // bytes
}

// Report returns to who administers the server how it fares.
func (s *Service) Report(ctx context.Context, by audit.Actor) (*Report, error) {
	may, err := by.Administers(ctx, s.db.Reader)
	if err != nil {
		return nil, err
	}
	if !may {
		return nil, ErrForbidden
	}
	now := time.Now()
	r := &Report{Version: s.Version, Started: s.started, Speeds: s.Latency.Speeds(now)}
	if r.Days, err = s.days(ctx, now); err != nil {
		return nil, err
	}
	counted, err := s.population(ctx)
	if err != nil {
		return nil, err
	}
	r.Population, r.CountedAt = *counted.population, counted.at
	if r.Room, err = s.room(ctx); err != nil {
		return nil, err
	}
	r.Attention, err = s.attention(ctx, now, r)
	return r, err
}

// patience is how long a count is good for, as a multiple of what it took: a
// hundredth of a processor is what looking may cost.
const patience = 100

// population counts what there is, or returns what was counted a moment ago.
func (s *Service) population(ctx context.Context) (held, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	began := time.Now()
	if s.held.population != nil && began.Sub(s.held.at) < patience*s.held.took {
		return s.held, nil
	}
	p, err := s.db.Population(ctx, began)
	if err != nil {
		return held{}, fmt.Errorf("count what there is: %w", err)
	}
	s.held = held{p, began, time.Since(began)}
	return s.held, nil
}

func (s *Service) room(ctx context.Context) (Room, error) {
	size, err := s.db.Size(ctx)
	if err != nil {
		return Room{}, fmt.Errorf("look how large the database is: %w", err)
	}
	out := Room{Engine: "postgres", Database: size}
	if strings.HasPrefix(s.config.DatabaseURL(), "sqlite:") {
		out.Engine = "sqlite"
	}
	space := disk.SpaceAt(cmp.Or(s.config.DataDir, "."))
	out.Free, out.Total = space.Free, space.Total
	return out, nil
}
