package storage

import (
	"context"
)

// An untold event is of what was done to a whole database while no server used it, whose schema
// may be too old to record it: it waits in the database until a server opens it. It comes there
// once all that was loaded has been compared.

// untoldPrefix begins the names of the facts that are untold events, untoldEnd is behind them.
const untoldPrefix, untoldEnd = "untold:", "untold;"

// Leaving makes the event that is left in a database, of what was loaded into it, and of how many
// sessions and grants were ended.
type Leaving func(loaded *Contents, ended int64) (event string, err error)

// leave leaves an event in the new database, if there is to be one.
func (r *Replacement) leave(ctx context.Context, loaded *Contents, ended int64, event Leaving) error {
	if event == nil {
		return nil
	}
	text, err := event(loaded, ended)
	if err != nil {
		return err
	}
	return r.DB.Update(ctx, func(tx *Tx) error {
		return insert(ctx, tx, &meta{Name: untoldPrefix + NewID(), Value: text})
	})
}

// HasUntold says whether an event waits to be recorded.
func (r Reader) HasUntold(ctx context.Context) (bool, error) {
	waiting, err := r.untold(ctx)
	return len(waiting) > 0, err
}

func (r Reader) untold(ctx context.Context) ([]meta, error) {
	return list[meta](ctx, r, "name", "name > ? AND name < ?", untoldPrefix, untoldEnd)
}

// TakeUntold returns the events that wait to be recorded, the oldest first. They wait no more:
// whoever else takes them gets none.
func (tx *Tx) TakeUntold(ctx context.Context) (events []string, err error) {
	waiting, err := tx.untold(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range waiting {
		res, err := tx.conn.hot(ctx, "DELETE FROM meta WHERE name = ?", w.Name)
		if err != nil {
			return nil, translate(err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return nil, err
		}
		if n > 0 {
			events = append(events, w.Value)
		}
	}
	return events, nil
}
