package storage

import "fmt"

// heldUp says of a statement that has waited for a table for too long what it has waited for.
func heldUp(err error) error {
	if !isLockTimeout(err) {
		return err
	}
	return fmt.Errorf("somebody else holds the tables, in a transaction that has not ended: "+
		"look for it in pg_stat_activity, end it, and try again: %w", err)
}
