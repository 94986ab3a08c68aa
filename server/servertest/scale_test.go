package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/login"
	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

// BenchmarkScale runs what is asked for most on two databases in turn, a small one
// and one that the environment makes large, and reports the median of each and
// their ratio:
//
//	AUTHY_BENCH_USERS=1000000 go test ./server/servertest -run '^$' -bench Scale -benchtime 300x
//
// There are five sessions and ten events for each user unless AUTHY_BENCH_SESSIONS
// and AUTHY_BENCH_EVENTS say otherwise; AUTHY_BENCH_ENGINE=postgres is the other engine.
func BenchmarkScale(b *testing.B) {
	users := setting(b, "AUTHY_BENCH_USERS", 20_000)
	small := newScaled(b, storagetest.Size{Users: 10_000, Sessions: 50_000, Events: 100_000})
	large := newScaled(b, storagetest.Size{
		Users: users, Sessions: setting(b, "AUTHY_BENCH_SESSIONS", 5*users),
		Events: setting(b, "AUTHY_BENCH_EVENTS", 10*users),
	})
	for _, one := range slices.Concat(signIns(), userReads(), orgReads(), eventReads(), writes()) {
		b.Run(one.name, func(b *testing.B) {
			compare(b, small, large, func(s *scaled) error {
				if err := one.run(b.Context(), s); err != nil {
					return fmt.Errorf("with %d users: %w", s.size.Users, err)
				}
				return nil
			})
		})
	}
}

// compare runs the same on a small database and on a large one in turn, and reports
// the median of each and their ratio.
func compare[S any](b *testing.B, small, large S, run func(S) error) {
	b.Helper()
	var took [2][]time.Duration
	for b.Loop() {
		for i, s := range []S{small, large} {
			began := time.Now()
			if err := run(s); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	before, after := median(took[0]), median(took[1])
	b.ReportMetric(0, "ns/op") // the sum of both says nothing
	b.ReportMetric(micros(before), "small-µs")
	b.ReportMetric(micros(after), "large-µs")
	b.ReportMetric(float64(after)/float64(before), "ratio")
}

func setting(b *testing.B, name string, otherwise int) int {
	b.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		b.Fatalf("%s=%s is not a number", name, text)
	}
	return n
}

func median(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)/2]
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// scaled is a server on a filled database.
type scaled struct {
	*servertest.Server
	size  storagetest.Size
	n     int    // counts, so that no user is asked for twice
	token string // of the session of a program
}

const scalePass = "Filled-Pass-123!"

func newScaled(b *testing.B, size storagetest.Size) *scaled {
	b.Helper()
	hash, err := account.NewHasher(4).Hash(b.Context(), scalePass)
	if err != nil {
		b.Fatal(err)
	}
	engine := os.Getenv("AUTHY_BENCH_ENGINE")
	if engine == "" {
		engine = "sqlite"
	}
	size.PasswordHash = hash
	url := storagetest.URL(b, engine)
	storagetest.Fill(b, url, size)
	s := &scaled{Server: servertest.Start(b, servertest.Options{DatabaseURL: url}), size: size}
	session, _, err := s.Login.Program(b.Context(), audit.Shell(), login.Credentials{Email: bob, Password: bobPass})
	if err != nil {
		b.Fatal(err)
	}
	s.token = session.Token
	return s
}

// next returns the number of another user, somewhere among all, who may sign in.
func (s *scaled) next() int {
	s.n++
	i := s.n*7919%s.size.Users + 1
	if i%100 == 0 { // suspended
		i--
	}
	return i
}

// asked is something that is asked for on either database.
type asked struct {
	name string
	run  func(ctx context.Context, s *scaled) error
}

// found is nil if a list that was asked for has so many entries at least.
func found[T any](list []T, err error, least int) error {
	if err == nil && len(list) < least {
		err = fmt.Errorf("%d found, want %d", len(list), least)
	}
	return err
}

func signIns() []asked {
	return []asked{
		{"sign-in", func(ctx context.Context, s *scaled) error {
			in := login.Credentials{Email: storagetest.Email(s.next()), Password: scalePass}
			_, _, err := s.Login.Program(ctx, audit.Shell(), in)
			return err
		}},
		{"session-check", func(ctx context.Context, s *scaled) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/v1/auth/me", nil)
			if err != nil {
				return err
			}
			request.Header.Set("Authorization", "Bearer "+s.token)
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				return err
			}
			if answer.StatusCode != http.StatusOK {
				err = errors.New(answer.Status)
			}
			_, read := io.Copy(io.Discard, answer.Body)
			return errors.Join(err, read, answer.Body.Close())
		}},
		{"session-by-token-uncached", func(ctx context.Context, s *scaled) error {
			_, err := s.DB.SessionByToken(ctx, storagetest.TokenHash(s.next()))
			return err
		}},
		{"user-by-address", func(ctx context.Context, s *scaled) error {
			_, err := s.DB.UserByEmail(ctx, storagetest.Email(s.next()))
			return err
		}},
		{"refresh-token", func(ctx context.Context, s *scaled) error {
			_, err := s.DB.RefreshToken(ctx, storagetest.RefreshHash(s.next()))
			return err
		}},
	}
}

// usersOf asks for a page of users.
func usersOf(name string, f account.Filter, after string, least int) asked {
	return asked{"users-" + name, func(ctx context.Context, s *scaled) error {
		list, err := s.DB.Users(ctx, f, after, 51)
		return found(list, err, least)
	}}
}

func userReads() []asked {
	suspended := account.Filter{Status: storage.Suspended}
	return []asked{
		usersOf("first", account.Filter{}, "", 51),
		usersOf("middle", account.Filter{}, storagetest.EmailAt(0.5), 51),
		usersOf("last", account.Filter{}, storagetest.EmailAt(0.99), 51),
		usersOf("prefix", account.Filter{EmailPrefix: "user-1"}, "", 51),
		usersOf("suspended-first", suspended, "", 51),
		usersOf("suspended-middle", suspended, storagetest.EmailAt(0.4), 40),
		{"users-exact-prefix", func(ctx context.Context, s *scaled) error {
			list, err := s.DB.Users(ctx, account.Filter{EmailPrefix: storagetest.Email(s.next())[:15]}, "", 51)
			return found(list, err, 1)
		}},
		{"users-found", func(ctx context.Context, s *scaled) error {
			list, _, err := s.DB.UsersFound(ctx, account.Filter{}, "person", storage.TermKey{}, 51)
			return found(list, err, 51)
		}},
		{"users-found-middle", func(ctx context.Context, s *scaled) error {
			after := storage.TermKey{Term: "person of some name", ID: storagetest.UserID(s.size.Users / 2)}
			list, _, err := s.DB.UsersFound(ctx, account.Filter{}, "person", after, 51)
			return found(list, err, 51)
		}},
		{"sessions-of-a-user", func(ctx context.Context, s *scaled) error {
			list, _, err := s.Sessions.List(ctx, storagetest.UserID(s.next()), "", 50)
			return found(list, err, 1)
		}},
		{"grants-of-a-user", func(ctx context.Context, s *scaled) error {
			list, err := s.DB.Grants(ctx, storagetest.UserID(s.next()))
			return found(list, err, 1)
		}},
		{"administrators", func(ctx context.Context, s *scaled) error {
			_, err := s.DB.CountAdmins(ctx)
			return err
		}},
	}
}

// membersOf asks for a page of the members of the largest organization.
func membersOf(name, after string) asked {
	return asked{"members-" + name, func(ctx context.Context, s *scaled) error {
		list, err := s.Orgs.Members(ctx, audit.Shell(), storagetest.OrgID(1), after, 51)
		return found(list, err, 51)
	}}
}

func orgReads() []asked {
	return []asked{
		membersOf("first", ""),
		membersOf("last", storagetest.MemberID(storagetest.BigOrg-60)),
		{"members-count", func(ctx context.Context, s *scaled) error {
			_, err := s.DB.CountMembers(ctx, storagetest.OrgID(1))
			return err
		}},
		{"organizations-of-a-user", func(ctx context.Context, s *scaled) error {
			list, err := s.Orgs.Of(ctx, storagetest.UserID(s.next()))
			return found(list, err, 1)
		}},
		{"another-owner", func(ctx context.Context, s *scaled) error {
			_, err := s.DB.HasOwnerBeside(ctx, storagetest.OrgID(1), storagetest.UserID(1))
			return err
		}},
	}
}

// eventsOf asks for the first page of the audit log under a filter, and for one that
// comes after half of all events.
func eventsOf(name string, f storage.EventFilter, least int) []asked {
	page := func(deep bool) func(ctx context.Context, s *scaled) error {
		return func(ctx context.Context, s *scaled) error {
			after := storage.EventKey{}
			if deep {
				i := s.size.Events / 2
				after = storage.EventKey{At: storage.At(storagetest.EventAt(i, s.size.Events)), ID: storagetest.EventID(i)}
			}
			list, err := s.DB.EventsMatching(ctx, f, after, 51)
			return found(list, err, least)
		}
	}
	return []asked{{"events-" + name + "-first", page(false)}, {"events-" + name + "-deep", page(true)}}
}

func eventReads() []asked {
	type filter = storage.EventFilter
	user, org := storagetest.UserID(1), storagetest.OrgID(1)
	newest := storagetest.EventAt(0, 0)
	return slices.Concat(
		eventsOf("all", filter{}, 51),
		eventsOf("actor", filter{Actor: user}, 51),
		eventsOf("target", filter{Target: user}, 51),
		eventsOf("action", filter{Action: "user.login"}, 51),
		eventsOf("rare-action", filter{Action: "user.delete"}, 51),
		eventsOf("organization", filter{Organization: org}, 51),
		eventsOf("failure", filter{Outcome: "failure"}, 51),
		eventsOf("until", filter{To: newest.Add(-time.Hour)}, 51),
		eventsOf("actor-action", filter{Actor: user, Action: "user.login"}, 51),
		eventsOf("organization-action", filter{Organization: org, Action: "user.delete"}, 40),
		eventsOf("organization-failure", filter{Organization: org, Outcome: "failure"}, 40),
	)
}

func writes() []asked {
	return []asked{
		{"write-event", func(ctx context.Context, s *scaled) error {
			return s.DB.Update(ctx, func(tx *storage.Tx) error {
				return audit.Record(ctx, tx, audit.Shell(), time.Now(), audit.Event{Action: "test", OrgID: storagetest.OrgID(1)})
			})
		}},
		{"use-refresh-token", func(ctx context.Context, s *scaled) error {
			return s.DB.Update(ctx, func(tx *storage.Tx) error {
				_, err := tx.UseRefreshToken(ctx, storagetest.RefreshHash(s.next()), time.Now())
				return err
			})
		}},
		{"nothing-to-delete", func(ctx context.Context, s *scaled) error {
			return s.DB.Update(ctx, func(tx *storage.Tx) error {
				_, err := tx.DeleteExpired(ctx, time.Now(), 500)
				return err
			})
		}},
	}
}
