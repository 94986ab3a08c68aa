package doctor

import (
	"context"
	"strconv"

	"authy/server/audit"
	"authy/server/state"
)

// state looks whether the server is what the file of state.file says. It is planned, and nothing
// is applied.
func (s *Service) state(ctx context.Context, by audit.Actor) ([]Finding, error) {
	set := s.Config.Config.State
	if set.File == "" {
		return nil, nil
	}
	d, err := state.Read(set.File)
	if err != nil {
		return refusedState(err), nil
	}
	plan, err := s.State.Apply(ctx, by, d, state.Options{Prune: set.Prune, Only: true})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return refusedState(err), nil
	case len(plan.Changes) == 0:
		return nil, nil
	}
	added, changed, removed := plan.Sums()
	return one("state", "The server is not what %s (state.file) says: %s to add, %s to change, %s to remove. 'authy plan' "+
		"shows what; have it applied by 'authy apply', SIGHUP or a restart.",
		set.File, strconv.Itoa(added), strconv.Itoa(changed), strconv.Itoa(removed)), nil
}

func refusedState(err error) []Finding {
	return one("state", "The file of state.file is refused, and the server does not start with it: %s", err.Error())
}
