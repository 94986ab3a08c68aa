package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"authy/server/audit"
)

// MaxRefusals is how many refusals of a client are kept; older ones go, and all of
// them after an hour.
const MaxRefusals = 100

// maxNearest is how many registered redirect URIs are kept beside one that is not.
const maxNearest = 5

// Refusal is why an authorization request of a client was refused.
type Refusal struct {
	At          time.Time // the second
	Count       int64     // how many there were in it; this is the first
	Code        string    // of RFC 6749, section 4.1.2.1, or OpenID Connect
	Parameter   string    // which is at fault, "" for none
	Description string
	Sent        string   // as its value, "" where that is not kept
	Registered  []string // what would have been right, the nearest first
	// Difference is how many letters of Sent and the first of Registered are the
	// same, up to the first that differs; -1 where there is nothing to compare.
	Difference int
}

// Refusals returns why requests of a client were refused within the last hour,
// the newest first. orgID is as in [Service.List]; [ErrNoClient] if there is no such
// client.
func (s *Service) Refusals(ctx context.Context, by audit.Actor, orgID, clientID string) ([]Refusal, error) {
	c, err := s.managed(ctx, s.db.Reader, by, orgID, clientID)
	if err != nil {
		return nil, err
	}
	kept, err := s.db.Refusals(ctx, c.ID, MaxRefusals)
	if err != nil {
		return nil, fmt.Errorf("refusals of client %s: %w", clientID, err)
	}
	out := make([]Refusal, len(kept))
	for i, r := range kept {
		out[i] = Refusal{
			At: r.At.Time, Count: r.Count, Code: r.Code, Parameter: r.Parameter, Description: r.Description,
			Sent: r.Sent, Registered: r.Registered, Difference: -1,
		}
		if r.Parameter == "redirect_uri" && r.Sent != "" && len(r.Registered) > 0 {
			out[i].Difference = same(r.Sent, r.Registered[0])
		}
	}
	return out, nil
}

// Nearest returns those of registered that begin most like sent.
func Nearest(registered []string, sent string) []string {
	near := slices.Clone(registered)
	slices.SortStableFunc(near, func(a, b string) int { return same(sent, b) - same(sent, a) })
	return near[:min(len(near), maxNearest)]
}

// same returns how many letters a and b begin with in common.
func same(a, b string) int {
	one, other := []rune(a), []rune(b)
	n := 0
	for n < len(one) && n < len(other) && one[n] == other[n] {
		n++
	}
	return n
}
