package audit

import (
	"context"

	"authy/storage"
)

// LinkIn links what is waiting in a transaction of the caller's.
func (c *Chain) LinkIn(ctx context.Context, tx *storage.Tx) error {
	_, err := c.slice(ctx, tx)
	return err
}
