package cmd

import (
	"context"
	"slices"
	"time"
)

// steady asks for the same thing over and over, and notes how long each answer took.
type steady struct {
	what string
	ask  func(ctx context.Context) error
	took []time.Duration
	bad  []error
}

// during asks every few milliseconds until ctx ends.
func (s *steady) during(ctx context.Context) {
	s.took, s.bad = nil, nil
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began := time.Now()
		if err := s.ask(context.WithoutCancel(ctx)); err != nil {
			s.bad = append(s.bad, err)
		}
		s.took = append(s.took, time.Since(began))
	}
}

// percentile returns how long all but the slowest took.
func percentile(took []time.Duration, p float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[int(p*float64(len(sorted)-1))].Round(10 * time.Microsecond)
}
