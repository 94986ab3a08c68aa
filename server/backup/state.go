package backup

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/storage"
)

// How backups are encrypted.
const (
	ToRecipient    = "recipient"
	WithPassphrase = "passphrase"
	NotEncrypted   = "none"
)

// State is how backups stand.
type State struct {
	Dir        string
	Every      time.Duration // 0 for never
	Keep       config.Backup
	Encryption string // one of the above, "" where nothing is set and none can be made
	Running    bool
	Files      []Kept
	// MadeAt is when the last was made under a name of its own, as those in the directory are.
	MadeAt time.Time
	// FailedAt and Failure are of the last attempt, where it came to nothing.
	FailedAt time.Time
	Failure  string
}

// Kept is a backup in the directory.
type Kept struct {
	File
	// Checked says that this server made it, and found it to be whole on the disk.
	Checked bool
}

// mostEvents is how many events of a kind are looked at.
const mostEvents = 500

// State tells who administers the server how backups stand.
func (s *Service) State(ctx context.Context, by audit.Actor) (*State, error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return nil, err
	}
	set := s.config.Backup
	state := &State{Dir: s.Dir(), Every: set.Every.Duration, Keep: set, Running: s.Running()}
	switch {
	case set.Recipient != "":
		state.Encryption = ToRecipient
	case set.Passphrase != "":
		state.Encryption = WithPassphrase
	case set.Unencrypted:
		state.Encryption = NotEncrypted
	}
	files, err := s.Files()
	if err != nil {
		return nil, err
	}
	events, err := s.db.EventsMatching(ctx, storage.EventFilter{Action: made}, storage.EventKey{}, mostEvents)
	if err != nil {
		return nil, err
	}
	sizes, last := map[string]string{}, time.Time{}
	for i, e := range events {
		if i == 0 {
			last = e.At.Time
		}
		sizes[e.TargetID] = detail(&e, "bytes")
		if _, _, own := readName(e.TargetID); own && state.MadeAt.IsZero() {
			state.MadeAt = e.At.Time
		}
	}
	for _, f := range files {
		state.Files = append(state.Files, Kept{f, sizes[f.Name] == strconv.FormatInt(f.Size, 10)})
	}
	failures, err := s.db.EventsMatching(ctx, storage.EventFilter{Action: failed}, storage.EventKey{}, 1)
	if err == nil && len(failures) > 0 && failures[0].At.After(last) {
		state.FailedAt, state.Failure = failures[0].At.Time, detail(&failures[0], "error")
	}
	return state, err
}

func detail(e *storage.Event, name string) string {
	all := map[string]string{}
	if json.Unmarshal([]byte(e.Details), &all) != nil {
		return ""
	}
	return all[name]
}
