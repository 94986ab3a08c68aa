package audit

import (
	"context"
	"errors"
	"fmt"

	"authy/storage"
)

// Administers says whether a administers the server, as r has it: an operator
// at the shell, and a user who is an administrator in good standing, unless
// they act without that.
func (a Actor) Administers(ctx context.Context, r storage.Reader) (bool, error) {
	switch a.Kind {
	case Operator:
		return true, nil
	case User:
		user, err := r.User(ctx, a.ID)
		if errors.Is(err, storage.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("look user %s up: %w", a.ID, err)
		}
		return user.IsAdmin && user.Status == storage.Active && !a.Plain, nil
	}
	return false, nil
}
