package backup

import (
	"context"
	"log/slog"
	"time"

	"authy/server/audit"
	"authy/storage"
)

const (
	// LookEvery is how often it is looked whether a backup is due.
	LookEvery = time.Minute
	// turn is what nodes take turns at.
	turn = "backup"
	// longest is how long a backup may take before another node makes one.
	longest = 6 * time.Hour
	// retryAfter is when one that could not be made is tried again.
	retryAfter = 10 * time.Minute
)

// MakeDue makes a backup if one is due and no other node makes it.
func (s *Service) MakeDue(ctx context.Context) {
	every := s.config.Backup.Every.Duration
	if every == 0 {
		return
	}
	now, mine := time.Now(), false
	err := s.db.Update(ctx, func(tx *storage.Tx) (err error) {
		// A clock that is ahead of this one by less than every has no more backups made.
		mine, err = tx.TakeTurn(ctx, turn, now, now.Add(min(every, longest)), now.Add(2*every))
		return err
	})
	if err != nil {
		slog.WarnContext(ctx, "not known whether a backup is due, trying again in a minute", "err", err)
		return
	}
	if !mine {
		return
	}
	due := now.Add(every)
	m, err := s.make(ctx, audit.Server(), Options{})
	if m == nil {
		due = time.Now().Add(min(every, retryAfter))
		slog.ErrorContext(ctx, "no backup was made", "err", err, "again_at", due.UTC().Format(time.RFC3339))
	} else {
		slog.InfoContext(ctx, "backup made", "file", m.Path, "bytes", m.Size, "rows", m.Rows, "removed", len(m.Removed))
		if err != nil {
			slog.ErrorContext(ctx, keptTooMany, "err", err)
		}
	}
	ctx = context.WithoutCancel(ctx)
	err = s.db.Update(ctx, func(tx *storage.Tx) error { return tx.EndTurn(ctx, turn, due) })
	if err != nil {
		slog.WarnContext(ctx, "the time of the next backup is not kept", "err", err)
	}
}
