package registry

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"authy/server/audit"
	"authy/server/managed"
	"authy/server/steady"
	"authy/storage"
)

// unusedSlice is how many clients one transaction looks at.
const unusedSlice = 100

// Clean deletes the clients that whoever came has registered and nobody has let
// have anything since. One that is used is kept for good.
func (s *Service) Clean(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := s.cleanSlice(ctx, steady.Now())
		if err != nil {
			slog.WarnContext(ctx, "unused clients not deleted, trying again later", "err", err)
			return
		}
		if n < unusedSlice {
			return
		}
	}
}

// cleanSlice looks at some clients whose time was over at now, and returns how
// many there were.
func (s *Service) cleanSlice(ctx context.Context, now time.Time) (n int, err error) {
	var deleted []string
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		deleted = nil
		clients, err := tx.ExpiredClients(ctx, now, unusedSlice)
		if err != nil {
			return fmt.Errorf("look for unused clients: %w", err)
		}
		n = len(clients)
		for i := range clients {
			used, err := s.settle(ctx, tx, now, &clients[i])
			if err != nil {
				return err
			}
			if !used {
				deleted = append(deleted, clients[i].ClientID)
			}
		}
		return nil
	})
	if err == nil && len(deleted) > 0 {
		slog.InfoContext(ctx, "clients that nobody used were deleted", "client_ids", deleted)
	}
	return n, err
}

// settle deletes a client whose time is over, or keeps it for good if it is used or a file
// sets it.
func (s *Service) settle(ctx context.Context, tx *storage.Tx, now time.Time, c *Client) (used bool, err error) {
	if used, err = tx.IsUsedClient(ctx, c.ID); err != nil {
		return false, fmt.Errorf("look whether client %s is used: %w", c.ClientID, err)
	}
	mark, err := managed.Find(ctx, tx.Reader, managed.Client, c.ID)
	if err != nil {
		return false, err
	}
	if !used && mark == nil {
		return false, remove(ctx, tx, audit.Server(), now, c, "never_used")
	}
	found, err := tx.ClientByRow(ctx, c.ID) // with its secret, which is to stay
	if err != nil {
		return true, fmt.Errorf("keep client %s: %w", c.ClientID, err)
	}
	found.ExpiresAt = storage.Time{}
	if err := tx.SaveClient(ctx, found); err != nil {
		return true, fmt.Errorf("keep client %s: %w", c.ClientID, err)
	}
	return true, nil
}
