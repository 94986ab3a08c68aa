package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"authy/storage"
)

// untold is an event that waits in a database until a server opens that.
type untold struct {
	By Actor
	At time.Time
	E  Event
}

// Untold is e, done by by at now, as it is left in a database that cannot record it itself: one
// whose schema is an older one. [RecordUntold] records it when a server opens that.
func Untold(by Actor, now time.Time, e Event) (string, error) {
	text, err := json.Marshal(untold{by, now, e})
	if err != nil {
		return "", fmt.Errorf("leave %s to be recorded: %w", e.Action, err)
	}
	return string(text), nil
}

// RecordUntold records what was done to a whole database before it was opened.
func RecordUntold(ctx context.Context, db *storage.DB) error {
	waits, err := db.HasUntold(ctx)
	if err != nil || !waits {
		return err
	}
	err = db.Update(ctx, func(tx *storage.Tx) error {
		events, err := tx.TakeUntold(ctx)
		if err != nil {
			return err
		}
		for _, text := range events {
			var u untold
			if err := json.Unmarshal([]byte(text), &u); err != nil {
				return err
			}
			if err := Record(ctx, tx, u.By, u.At, u.E); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record what was done to the database before: %w", err)
	}
	return nil
}
