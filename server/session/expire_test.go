package session

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"authy/server/audit"
	"authy/storage"
)

// told makes a client that wants to hear of the ends of sessions.
func (b bench) told() *storage.Client {
	b.t.Helper()
	now := storage.At(time.Now())
	c := &storage.Client{ID: storage.NewID(), ClientID: storage.NewID(), Name: "Party", IsActive: true, CreatedAt: now, UpdatedAt: now}
	c.Options.BackChannelURI = "https://rp.example/backchannel"
	b.update(func(tx *storage.Tx) error { return tx.InsertClient(b.t.Context(), c) })
	return c
}

// visits makes sessions that began so long ago, and in which clients were visited then.
func (b bench) visits(ago time.Duration, n int, clients ...*storage.Client) (sessions []*Session) {
	b.t.Helper()
	began := time.Now().Add(-ago)
	by := audit.Actor{IPAddress: "192.0.2.1", UserAgent: "agent"}.As(b.user.ID)
	b.update(func(tx *storage.Tx) error {
		sessions = nil
		for range n {
			one, _, err := b.Start(b.t.Context(), tx, by, began, Began{UserID: b.user.ID, Kind: Web})
			if err != nil {
				return err
			}
			sessions = append(sessions, one)
			for _, c := range clients {
				err = errors.Join(err, tx.InsertVisit(b.t.Context(), &storage.Visit{
					SessionID: one.ID, ClientID: c.ID, Subject: "bob", CreatedAt: storage.At(began), CheckAt: storage.At(began),
				}))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return sessions
}

// wantsTold checks how many applications are told of the end of a session.
func (b bench) wantsTold(why string, s *Session, want int) {
	b.t.Helper()
	logouts, err := b.db.LogoutsOf(b.t.Context(), s.ID)
	if err != nil || len(logouts) != want {
		b.t.Errorf("%s: %d are told, %v, want %d", why, len(logouts), err, want)
	}
}

func TestWhatTimeHasEndedIsToldOnceAndByOneNode(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		other := New(b.db, time.Hour, time.Hour)
		over := b.visits(time.Hour, expireSlice+20, b.told(), b.told())
		live := b.visits(time.Hour-time.Minute, 1, b.told())[0]
		var nodes sync.WaitGroup
		for _, node := range []*Service{b.Service, other} {
			nodes.Go(func() { node.Expire(b.t.Context()) })
		}
		nodes.Wait()
		for _, one := range over {
			b.wantsTold("over", one, 2)
		}
		b.wantsTold("live", live, 0)
		if due, err := b.db.SessionsToCheck(b.t.Context(), live.ExpiresAt.Add(-time.Millisecond), 10); err != nil || len(due) != 0 {
			b.t.Errorf("before its end the live one is looked at again: %v, %v", due, err)
		}
		if n, err := b.expireSome(b.t.Context(), live.ExpiresAt.Time); n != 1 || err != nil {
			b.t.Errorf("at its end %d are looked at, %v", n, err)
		}
		b.wantsTold("live until then", live, 1)
		if kept, err := b.db.Session(b.t.Context(), over[0].ID); err != nil || !kept.RevokedAt.IsZero() || !kept.ExpiresAt.Equal(over[0].ExpiresAt.Time) {
			b.t.Errorf("a session that has expired is %+v, %v, want as it was", kept, err)
		}
	})
}

func TestASessionThatIsNotUsedExpiresAndIsTold(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		const idle = 10 * time.Minute
		b.Within(idle)
		one, _ := b.startAt(b.user, Web, time.Now().Add(-idle))
		client := b.told()
		b.update(func(tx *storage.Tx) error {
			return tx.InsertVisit(ctx, &storage.Visit{SessionID: one.ID, ClientID: client.ID, CreatedAt: one.CreatedAt, CheckAt: one.CreatedAt})
		})
		last := one.LastActivityAt.Time
		late := last.Add(idle + b.seen.Lag())
		look := func(why string, at time.Time, looked, told int) {
			b.t.Helper()
			if n, err := b.expireSome(ctx, at); n != looked || err != nil {
				b.t.Errorf("%s: %d are looked at, %v, want %d", why, n, err, looked)
			}
			b.wantsTold(why, one, told)
		}
		look("another node may know better", late.Add(-time.Millisecond), 1, 0)
		look("nothing is due", late.Add(-time.Millisecond), 0, 0)
		b.update(func(tx *storage.Tx) error { return tx.TouchSession(ctx, one.ID, last.Add(time.Minute)) })
		look("it was used after all", late, 1, 0)
		look("not used any more", late.Add(time.Minute), 1, 1)
		look("it is over", late.Add(time.Hour), 0, 1)
		kept, err := b.db.Session(ctx, one.ID)
		if err != nil || !kept.RevokedAt.IsZero() || !kept.ExpiresAt.Equal(storage.At(late.Add(time.Minute)).Time) {
			b.t.Errorf("the session is %+v, %v, want expired at %v", kept, err, late.Add(time.Minute))
		}
		if err := Live(kept, b.user, Web, late.Add(time.Minute)); !errors.Is(err, ErrInactive) {
			b.t.Errorf("to a node that has another setting it is %v, want %v", err, ErrInactive)
		}
	})
}

func TestASessionInUseIsNotLetExpire(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		one, token := b.startAt(b.user, Web, time.Now().Add(-30*time.Minute))
		b.update(func(tx *storage.Tx) error {
			return tx.ExpireSession(b.t.Context(), one.ID, one.LastActivityAt.Add(-time.Minute), time.Now())
		})
		b.wants("used since", Web, token, nil)
		b.update(func(tx *storage.Tx) error {
			return tx.ExpireSession(b.t.Context(), one.ID, one.LastActivityAt.Time, time.Now())
		})
		b.wants("not used since", Web, token, ErrInactive)
	})
}

func TestExpiryEndsWithItsContext(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		one := b.visits(time.Hour, 1, b.told())[0]
		ctx, cancel := context.WithCancel(b.t.Context())
		cancel()
		b.Expire(ctx)
		b.wantsTold("after the end", one, 0)
	})
}
