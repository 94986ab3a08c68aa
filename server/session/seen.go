package session

import (
	"context"
	"time"

	"authy/storage"
)

// Run writes when sessions were last used until ctx ends, and once more then.
func (s *Service) Run(ctx context.Context) { s.seen.Run(ctx) }

// touch writes when sessions were last used, by id.
func (s *Service) touch(ctx context.Context, used map[string]time.Time) error {
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		for id, at := range used {
			if err := tx.TouchSession(ctx, id, at); err != nil {
				return err
			}
		}
		return nil
	})
}
