package storage_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestAPushedRequestIsItsClientsUntilItEnds(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		take := func(client string, at time.Time) (request string, err error) {
			err = db.Update(t.Context(), func(tx *storage.Tx) (err error) {
				request, err = tx.TakePushedRequest(t.Context(), w.pushed.Hash, client, at)
				return err
			})
			return request, err
		}
		for name, try := range map[string]struct {
			client string
			at     time.Time
		}{
			"another client":         {"another", noon},
			"at its end":             {w.client.ID, w.pushed.ExpiresAt.Time},
			"a millisecond too late": {w.client.ID, w.pushed.ExpiresAt.Add(time.Millisecond)},
		} {
			if got, err := take(try.client, try.at); !errors.Is(err, storage.ErrNotFound) || got != "" {
				t.Errorf("%s: TakePushedRequest() = %q, %v, want ErrNotFound", name, got, err)
			}
		}
		if got, err := take(w.client.ID, noon); err != nil || got != w.pushed.Request {
			t.Errorf("TakePushedRequest() = %q, %v, want %q", got, err, w.pushed.Request)
		}
		if got, err := take(w.client.ID, noon); !errors.Is(err, storage.ErrNotFound) || got != "" {
			t.Errorf("a second time: TakePushedRequest() = %q, %v, want ErrNotFound", got, err)
		}
	})
}

func TestADeletedClientsPushedRequestsGoWithIt(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.DeleteClient(ctx, w.client) })
		if n := count(t, db, "pushed_requests"); n != "0" {
			t.Errorf("%s pushed requests left, want 0", n)
		}
	})
}
