package session

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/storage"
	"authy/storage/storagetest"
)

// bench is a service over a database of its own.
type bench struct {
	*Service
	t    *testing.T
	user *storage.User
}

func newBench(t *testing.T, db *storage.DB) bench {
	t.Helper()
	b := bench{New(db, time.Hour, 30*24*time.Hour), t, nil}
	b.user = b.addUser("bob@example.com")
	return b
}

// each runs fn on both engines.
func each(t *testing.T, fn func(b bench)) {
	t.Helper()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) { fn(newBench(t, db)) })
}

// update runs fn in a transaction that must succeed.
func (b bench) update(fn func(tx *storage.Tx) error) {
	b.t.Helper()
	if err := b.db.Update(b.t.Context(), fn); err != nil {
		b.t.Fatal(err)
	}
}

func (b bench) addUser(email string) *storage.User {
	b.t.Helper()
	now := storage.At(time.Now())
	u := &storage.User{ID: storage.NewID(), Email: email, Status: storage.Active, CreatedAt: now, UpdatedAt: now}
	b.update(func(tx *storage.Tx) error { return tx.InsertUser(b.t.Context(), u) })
	return u
}

// startAt makes a session of a user as if it had begun at now.
func (b bench) startAt(user *storage.User, kind string, now time.Time) (session *Session, token string) {
	b.t.Helper()
	by := audit.Actor{IPAddress: "192.0.2.1", UserAgent: "agent"}.As(user.ID)
	b.update(func(tx *storage.Tx) (err error) {
		session, token, err = b.Start(b.t.Context(), tx, by, now, Began{UserID: user.ID, Kind: kind, Methods: []string{"pwd"}})
		return err
	})
	return session, token
}

func (b bench) start(kind string) (*Session, string) { return b.startAt(b.user, kind, time.Now()) }

// wants checks what a token opens.
func (b bench) wants(why, kind, token string, want error) {
	b.t.Helper()
	id, err := b.Authenticate(b.t.Context(), kind, token)
	if !errors.Is(err, want) || (id == nil) == (want == nil) {
		b.t.Errorf("%s: Authenticate = %v, %v, want %v", why, id, err, want)
	}
}

func TestASessionIsLiveOnlyAsItShould(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	for _, c := range []struct {
		name   string
		change func(s *storage.Session, u *storage.User)
		want   error
	}{
		{"as it is", func(*storage.Session, *storage.User) {}, nil},
		{"of a user whose address is not confirmed", func(_ *storage.Session, u *storage.User) { u.Status = storage.Pending }, nil},
		{"of another kind", func(s *storage.Session, _ *storage.User) { s.Kind = Web }, ErrInvalid},
		{"revoked", func(s *storage.Session, _ *storage.User) { s.RevokedAt = storage.At(now) }, ErrInvalid},
		{"of a suspended user", func(_ *storage.Session, u *storage.User) { u.Status = storage.Suspended }, ErrInvalid},
		{"of an inactive user", func(_ *storage.Session, u *storage.User) { u.Status = storage.Inactive }, ErrInvalid},
		{"of a user of no status", func(_ *storage.Session, u *storage.User) { u.Status = "" }, ErrInvalid},
		{"signed out everywhere after it", func(s *storage.Session, u *storage.User) {
			u.SignedOutAt = storage.At(s.CreatedAt.Add(time.Millisecond))
		}, ErrInvalid},
		{"signed out everywhere as it began", func(s *storage.Session, u *storage.User) { u.SignedOutAt = s.CreatedAt }, ErrInvalid},
		{"signed out everywhere before it", func(s *storage.Session, u *storage.User) {
			u.SignedOutAt = storage.At(s.CreatedAt.Add(-time.Millisecond))
		}, nil},
		{"in its last moment", func(s *storage.Session, _ *storage.User) { s.ExpiresAt = storage.At(now.Add(time.Millisecond)) }, nil},
		{"as it expires", func(s *storage.Session, _ *storage.User) { s.ExpiresAt = storage.At(now) }, ErrInactive},
		{"expired and revoked", func(s *storage.Session, _ *storage.User) {
			s.ExpiresAt, s.RevokedAt = storage.At(now), storage.At(now)
		}, ErrInvalid},
	} {
		s := &storage.Session{Kind: API, CreatedAt: storage.At(now.Add(-time.Minute)), ExpiresAt: storage.At(now.Add(time.Minute))}
		u := &storage.User{Status: storage.Active}
		c.change(s, u)
		if got := Live(s, u, API, now); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestATokenOpensItsSessionAndNoOther(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		session, token := b.start(API)
		id, err := b.Authenticate(b.t.Context(), API, token)
		if err != nil || id.User.ID != b.user.ID || id.Session.ID != session.ID {
			b.t.Fatalf("Authenticate = %+v, %v", id, err)
		}
		b.wants("as a cookie", Web, token, ErrInvalid)
		_, cookie := b.start(Web)
		b.wants("a cookie as a token", API, cookie, ErrInvalid)
		for _, wrong := range []string{
			"", token[:42], token + "A", token[:42] + "!", strings.ToLower(token), storage.Hash(token), session.ID,
			strings.Repeat("\x00", 43), strings.Repeat("A", 43), strings.Repeat("é", 43), strings.Repeat("A", 1<<20),
		} {
			b.wants(fmt.Sprintf("%.50q", wrong), API, wrong, ErrInvalid)
		}
	})
}

func TestTokensAreUnlikeEachOther(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 5000 {
		token := newToken()
		if len(token) != 43 || seen[token] {
			t.Fatalf("token %q: seen %v", token, seen[token])
		}
		seen[token] = true
	}
}

func TestASessionSaysWhereItCameFrom(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx, now := b.t.Context(), time.Now()
		by := audit.Actor{IPAddress: "2001:db8::1", UserAgent: strings.Repeat("x", 300)}.As(b.user.ID)
		for _, c := range []struct {
			remember bool
			lifetime time.Duration
		}{{false, time.Hour}, {true, 30 * 24 * time.Hour}} {
			var made *Session
			var token string
			b.update(func(tx *storage.Tx) (err error) {
				made, token, err = b.Start(ctx, tx, by, now, Began{
					UserID: b.user.ID, Kind: Web, Remember: c.remember, Methods: []string{"pwd", "otp"},
				})
				return err
			})
			want := &storage.Session{
				ID: made.ID, UserID: b.user.ID, Kind: Web, TokenHash: storage.Hash(token), Methods: []string{"pwd", "otp"},
				IPAddress: "2001:db8::1", UserAgent: strings.Repeat("x", 256), AuthenticatedAt: storage.At(now),
				CreatedAt: storage.At(now), UpdatedAt: storage.At(now), LastActivityAt: storage.At(now),
				ExpiresAt: storage.At(now.Add(c.lifetime)),
			}
			kept, err := b.db.Session(ctx, made.ID)
			if err != nil {
				b.t.Fatal(err)
			}
			if diff := cmp.Diff(want, kept); diff != "" {
				b.t.Errorf("remember %v (-want +got):\n%s", c.remember, diff)
			}
		}
	})
}

func TestARenewedSessionHasAnotherToken(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		session, old := b.startAt(b.user, Web, time.Now().Add(-time.Minute))
		b.wants("before", Web, old, nil)
		now := time.Now()
		var fresh string
		var renewed *Session
		b.update(func(tx *storage.Tx) (err error) {
			renewed, fresh, err = b.Renew(b.t.Context(), tx, audit.Actor{}.As(b.user.ID), now, session.ID, []string{"otp"}, time.Time{})
			return err
		})
		b.wants("the old token", Web, old, ErrInvalid)
		b.wants("the new token", Web, fresh, nil)
		if renewed.ID != session.ID || !renewed.AuthenticatedAt.Equal(storage.At(now).Time) || !renewed.ExpiresAt.Equal(session.ExpiresAt.Time) {
			b.t.Errorf("renewed = %+v", renewed)
		}
	})
}

func TestWhatEndsASession(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx, by := b.t.Context(), audit.Actor{}.As(b.user.ID)
		_, expired := b.startAt(b.user, API, time.Now().Add(-2*time.Hour))
		b.wants("expired", API, expired, ErrInactive)

		session, token := b.start(API)
		b.wants("live", API, token, nil)
		if err := b.End(ctx, by, b.user.ID, session.ID, "session.revoke", "Revoked by user"); err != nil {
			b.t.Fatal(err)
		}
		b.wants("ended", API, token, ErrInvalid)

		_, token = b.start(API)
		b.wants("live", API, token, nil)
		b.changeUser(func(u *storage.User) { u.SignedOutAt = storage.At(time.Now()) })
		b.wants("signed out everywhere", API, token, ErrInvalid)

		_, token = b.startAt(b.user, API, time.Now().Add(time.Second))
		b.wants("live", API, token, nil)
		b.changeUser(func(u *storage.User) { u.Status = storage.Suspended })
		b.wants("suspended", API, token, ErrInvalid)
		b.changeUser(func(u *storage.User) { u.Status = storage.Active })
		b.wants("active again", API, token, nil)

		b.update(func(tx *storage.Tx) error { return tx.DeleteUser(ctx, b.user.ID) })
		b.wants("deleted", API, token, ErrInvalid)
	})
}

func (b bench) changeUser(change func(u *storage.User)) {
	b.t.Helper()
	b.update(func(tx *storage.Tx) error {
		u, err := tx.User(b.t.Context(), b.user.ID)
		if err != nil {
			return err
		}
		before := u.SignedOutAt
		change(u)
		if u.SignedOutAt != before {
			if err := tx.RevokeUser(b.t.Context(), b.user.ID, u.SignedOutAt.Time); err != nil {
				return err
			}
		}
		return tx.SaveUser(b.t.Context(), u)
	})
}

func TestOnlyOnesOwnSessionsCanBeEnded(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		eve := b.addUser("eve@example.com")
		session, token := b.start(API)
		for _, id := range []string{session.ID, storage.NewID(), "", "nonsense", "' OR '1'='1", "\x00", "\xff", strings.ToUpper(session.ID)} {
			err := b.End(ctx, audit.Actor{}.As(eve.ID), eve.ID, id, "session.revoke", "Revoked by user")
			if !errors.Is(err, ErrNotFound) {
				b.t.Errorf("eve ends %q: %v, want ErrNotFound", id, err)
			}
		}
		b.wants("afterwards", API, token, nil)
	})
}

func TestASessionEndsOnce(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx, by := b.t.Context(), audit.Actor{}.As(b.user.ID)
		session, _ := b.start(API)
		for i := range 2 {
			if err := b.End(ctx, by, b.user.ID, session.ID, "session.revoke", fmt.Sprint("reason ", i)); err != nil {
				b.t.Errorf("time %d: %v", i, err)
			}
		}
		kept, err := b.db.Session(ctx, session.ID)
		if err != nil || kept.RevokedReason != "reason 0" {
			b.t.Errorf("the reason is %q, %v, want the first", kept.RevokedReason, err)
		}
		events, err := b.db.Events(ctx, 10)
		if err != nil || len(events) != 2 || events[0].Action != "session.revoke" || events[0].TargetID != session.ID {
			b.t.Errorf("events = %+v, %v, want the beginning and one end", events, err)
		}
	})
}

func TestEndingTheOthersSparesTheOneThatAsks(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		_, token := b.start(API)
		var others []string
		for _, kind := range []string{API, Web, API} {
			_, other := b.start(kind)
			others = append(others, other)
		}
		eve := b.addUser("eve@example.com")
		_, theirs := b.startAt(eve, API, time.Now())
		id, err := b.Authenticate(ctx, API, token)
		if err != nil {
			b.t.Fatal(err)
		}
		if n, err := b.EndOthers(ctx, id.Actor(audit.Actor{}), id); n != 3 || err != nil {
			b.t.Errorf("EndOthers = %d, %v, want 3", n, err)
		}
		b.wants("the one that asked", API, token, nil)
		b.wants("somebody else's", API, theirs, nil)
		for i, kind := range []string{API, Web, API} {
			b.wants("other", kind, others[i], ErrInvalid)
		}
		if n, err := b.EndOthers(ctx, id.Actor(audit.Actor{}), id); n != 0 || err != nil {
			b.t.Errorf("EndOthers again = %d, %v, want 0", n, err)
		}
	})
}

func TestTheListHoldsLiveSessionsTheNewestFirst(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx, now := b.t.Context(), time.Now()
		b.startAt(b.user, API, now.Add(-2*time.Hour)) // expired
		old, _ := b.startAt(b.user, API, now.Add(-30*time.Minute))
		fresh, _ := b.startAt(b.user, Web, now.Add(-time.Second))
		ended, _ := b.startAt(b.user, API, now)
		if err := b.End(ctx, audit.Actor{}, b.user.ID, ended.ID, "session.revoke", ""); err != nil {
			b.t.Fatal(err)
		}
		b.startAt(b.addUser("eve@example.com"), API, now)
		b.wantList(fresh.ID, old.ID)
		// What was kept when all ended is over, also what a clock that is ahead has begun later.
		b.changeUser(func(u *storage.User) { u.SignedOutAt = storage.At(now.Add(-time.Minute)) })
		b.wantList()
		again, _ := b.startAt(b.user, Web, now)
		b.wantList(again.ID)
	})
}

func TestTheListComesPageByPage(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		var want, got []string
		for range 5 {
			one, _ := b.start(API)
			want = append([]string{one.ID}, want...)
		}
		for after, pages := "", 1; ; pages++ {
			list, next, err := b.List(b.t.Context(), b.user.ID, after, 2)
			if err != nil || len(list) > 2 || pages > 3 {
				b.t.Fatalf("page %d: %d sessions, %v", pages, len(list), err)
			}
			for _, s := range list {
				got = append(got, s.ID)
			}
			if after = next; next == "" {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			b.t.Errorf("page by page (-want +got):\n%s", diff)
		}
	})
}

// LG-34: a session that is left alone ends, by what is written and by what this
// node has seen since; one in use goes on.
func TestASessionThatIsLeftAloneEnds(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		b.Within(10 * time.Minute)
		now := time.Now()
		_, alone := b.startAt(b.user, API, now.Add(-10*time.Minute))
		used, token := b.startAt(b.user, Web, now.Add(-9*time.Minute))
		b.wants("left alone", API, alone, ErrInactive)
		b.wants("nearly left alone", Web, token, nil)
		b.wantList(used.ID)
		b.seen.Flush(b.t.Context())
		if at := b.lastActivity(used.ID); time.Since(at) > time.Minute {
			b.t.Errorf("the use is written as of %v", at)
		}
		b.wants("left alone, again", API, alone, ErrInactive)
		b.Within(0)
		b.wants("without a limit", API, alone, nil)
	})
}

func (b bench) wantList(want ...string) {
	b.t.Helper()
	list, _, err := b.List(b.t.Context(), b.user.ID, "", 10)
	if err != nil {
		b.t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		got = append(got, s.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("list (-want +got):\n%s", diff)
	}
}
