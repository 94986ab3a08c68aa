package overview

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"authy/storage"
)

// The ways in which people sign in, or fail to.
const (
	Password     = "password"
	Passkey      = "passkey"
	Provider     = "provider"
	SecondFactor = "second_factor" // failures alone: what it completes counts by its first
)

// Methods are the ways in which people sign in.
var Methods = []string{Password, Passkey, Provider}

// What is counted.
const (
	signIn  = "sign_in"
	failure = "sign_in_failed"
	newUser = "new_user"
)

// Day is what happened on a day in UTC.
type Day struct {
	Date     string           // YYYY-MM-DD
	SignIns  map[string]int64 // by one of [Methods]
	Failures map[string]int64 // by one of [Methods], or by [SecondFactor]
	NewUsers int64
}

// countSlice is how many events are counted at once; pendingMost how many a
// report counts by itself that nobody has counted yet.
const (
	countSlice  = 1000
	pendingMost = 2 * countSlice
)

// CountEvery is how often [Service.Count] is to be called.
const CountEvery = 20 * time.Second

// Count adds the events that are new in the audit log to the counts of their days,
// each once, however many nodes count.
func (s *Service) Count(ctx context.Context) {
	for ctx.Err() == nil {
		more, err := s.countSome(ctx)
		if err != nil {
			slog.WarnContext(ctx, "events not counted, trying again", "err", err)
			return
		}
		if !more {
			return
		}
	}
}

// countSome counts a slice of the chain and says whether there may be more. The
// chain has every event once and in an order that no later one changes.
func (s *Service) countSome(ctx context.Context) (more bool, err error) {
	after, err := s.db.CountedEvents(ctx)
	if err != nil {
		return false, err
	}
	events, err := s.db.LinkedEvents(ctx, after, countSlice)
	if err != nil || len(events) == 0 {
		return false, err
	}
	counts := tally(events)
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		_, err := tx.SaveDailyCounts(ctx, after, events[len(events)-1].Seq, counts)
		return err
	})
	return len(events) == countSlice, err
}

// tally counts events by day, in the order in which each is first met.
func tally(events []storage.Event) (counts []storage.DailyCount) {
	at := map[storage.DailyCount]int{}
	for i := range events {
		e := &events[i]
		name, part := kindOf(e)
		if name == "" {
			continue
		}
		key := storage.DailyCount{Day: e.At.UTC().Format(time.DateOnly), Name: name, Part: part}
		known, ok := at[key]
		if !ok {
			known = len(counts)
			at[key], counts = known, append(counts, key)
		}
		counts[known].Count++
	}
	return counts
}

// kindOf says as what an event is counted, "" for one that is not.
func kindOf(e *storage.Event) (name, part string) {
	failed := e.Outcome != "success"
	switch e.Action {
	case "user.register":
		if !failed {
			return newUser, ""
		}
	case "user.login":
		if failed {
			return failure, failing(e)
		}
		return signIn, method(e)
	case "totp.verify.failed":
		return failure, SecondFactor
	case "webauthn.login.failed":
		return failure, Passkey
	}
	return "", ""
}

func details(e *storage.Event) (out struct{ Method, Provider string }) {
	if e.Details != "" {
		_ = json.Unmarshal([]byte(e.Details), &out) // a damaged row is counted as if it had none
	}
	return out
}

func method(e *storage.Event) string {
	switch d := details(e); {
	case d.Provider != "":
		return Provider
	case strings.Contains(" "+d.Method+" ", " pwd "):
		return Password
	}
	return Passkey
}

func failing(e *storage.Event) string {
	switch {
	case details(e).Provider != "":
		return Provider
	case strings.HasPrefix(e.Reason, "second_factor"):
		return SecondFactor
	}
	return Password
}

// days returns the last days up to now, with what nobody has counted yet.
func (s *Service) days(ctx context.Context, now time.Time) ([]Day, error) {
	out, at := make([]Day, Days), map[string]*Day{}
	first := now.UTC().AddDate(0, 0, 1-Days)
	for i := range out {
		out[i] = Day{
			Date:    first.AddDate(0, 0, i).Format(time.DateOnly),
			SignIns: map[string]int64{}, Failures: map[string]int64{},
		}
		at[out[i].Date] = &out[i]
	}
	counts, err := s.counts(ctx, out[0].Date)
	if err != nil {
		return nil, fmt.Errorf("read what was counted: %w", err)
	}
	for _, c := range counts {
		day := at[c.Day]
		switch {
		case day == nil: // a clock was wrong
		case c.Name == signIn:
			day.SignIns[c.Part] += c.Count
		case c.Name == failure:
			day.Failures[c.Part] += c.Count
		case c.Name == newUser:
			day.NewUsers += c.Count
		}
	}
	return out, nil
}

// counts returns what was counted from a day on, and counts what was not. That is
// read first: what is counted between the two reads is left out rather than
// counted twice.
func (s *Service) counts(ctx context.Context, from string) ([]storage.DailyCount, error) {
	after, err := s.db.CountedEvents(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := s.db.DailyCounts(ctx, from)
	if err != nil {
		return nil, err
	}
	linked, err := s.db.LinkedEvents(ctx, after, pendingMost)
	if err != nil {
		return nil, err
	}
	unlinked, err := s.db.UnlinkedEvents(ctx, pendingMost)
	if err != nil {
		return nil, err
	}
	if again, err := s.db.CountedEvents(ctx); err != nil || again != after {
		return counts, err
	}
	return append(append(counts, tally(linked)...), tally(unlinked)...), nil
}
