package account

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
	"authy/storage/storagetest"
)

const passphrase = "orchid lantern"

// bench is a service over a database of its own.
type bench struct {
	*Service
	t *testing.T
}

// each runs fn on both engines.
func each(t *testing.T, fn func(b bench)) {
	t.Helper()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		fn(bench{New(db, NewHasher(cheap)), t})
	})
}

func (b bench) create(email string) *storage.User {
	b.t.Helper()
	u, err := b.Create(b.t.Context(), audit.Shell(), NewUser{Email: email, FullName: "Someone", Password: passphrase})
	if err != nil {
		b.t.Fatalf("create %s: %v", email, err)
	}
	return u
}

// update runs fn in a transaction that must succeed.
func (b bench) update(fn func(tx *storage.Tx) error) {
	b.t.Helper()
	if err := b.db.Update(b.t.Context(), fn); err != nil {
		b.t.Fatal(err)
	}
}

// own makes an organization that users own.
func (b bench) own(slug string, users ...*storage.User) {
	b.t.Helper()
	ctx, now := b.t.Context(), storage.At(time.Now())
	b.update(func(tx *storage.Tx) error {
		o := &storage.Organization{ID: storage.NewID(), Slug: slug, Name: slug, IsActive: true, CreatedAt: now, UpdatedAt: now}
		if err := tx.InsertOrganization(ctx, o); err != nil {
			return err
		}
		for _, u := range users {
			err := tx.InsertMember(ctx, &storage.Member{
				ID: storage.NewID(), OrganizationID: o.ID, UserID: u.ID, Role: storage.RoleOwner, CreatedAt: now, UpdatedAt: now,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// actions are the recorded actions and outcomes, the oldest first.
func (b bench) actions() []string {
	b.t.Helper()
	events, err := b.db.Events(b.t.Context(), 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	out := make([]string, len(events))
	for i, e := range events {
		out[len(events)-1-i] = e.Action + " " + e.Outcome
	}
	return out
}

func TestEveryBadFieldIsNamed(t *testing.T) {
	t.Parallel()
	b := bench{New(storagetest.New(t), NewHasher(cheap)), t}
	_, err := b.Draft(t.Context(), NewUser{Email: "bob", FullName: strings.Repeat("x", 256), Password: "short"})
	f, ok := fault.As(err)
	if !ok {
		t.Fatal(err)
	}
	want := map[string][]string{
		"email":     {"Not a valid email address."},
		"full_name": {"Longer than maximum length 255."},
		"password":  {"Length must be between 8 and 128."},
	}
	if diff := cmp.Diff(want, f.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestAUserIsFoundByAddressAndByID(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		u := b.create("bob@example.com")
		for _, key := range []string{u.ID, "bob@example.com", " BOB@example.com"} {
			if got, err := b.Find(b.t.Context(), key); err != nil || got.ID != u.ID {
				b.t.Errorf("Find(%q) = %v, %v", key, got, err)
			}
		}
		for _, key := range []string{"eve@example.com", storage.NewID(), "", "' OR '1'='1", "bob\x00", "\xff", "%"} {
			if got, err := b.Find(b.t.Context(), key); !errors.Is(err, ErrNoUser) {
				b.t.Errorf("Find(%q) = %v, %v, want ErrNoUser", key, got, err)
			}
		}
	})
}

func TestOnlyThoseWhoMayChangeUsers(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		admin, plain, target := b.create("admin@example.com"), b.create("plain@example.com"), b.create("target@example.com")
		b.promote(admin)
		suspended := b.create("was-admin@example.com")
		b.promote(suspended)
		if err := b.Suspend(ctx, audit.Shell(), suspended.ID); err != nil {
			b.t.Fatal(err)
		}
		nobody := audit.Actor{Kind: audit.Anonymous}
		acts := map[string]func(by audit.Actor) error{
			"create": func(by audit.Actor) error {
				_, err := b.Create(ctx, by, NewUser{Email: fmt.Sprintf("%s@example.com", storage.NewID()), Password: passphrase})
				return err
			},
			"suspend":  func(by audit.Actor) error { return b.Suspend(ctx, by, target.ID) },
			"activate": func(by audit.Actor) error { return b.Activate(ctx, by, target.ID) },
			"sign out": func(by audit.Actor) error { return b.SignOut(ctx, by, target.ID) },
			"password": func(by audit.Actor) error { return b.SetPassword(ctx, by, target.ID, "velvet harpoon") },
			"delete":   func(by audit.Actor) error { return b.Delete(ctx, by, b.create(storage.NewID()+"@example.com").ID) },
		}
		for name, act := range acts {
			for _, by := range []audit.Actor{
				nobody, {}, nobody.As(plain.ID), nobody.As(target.ID), nobody.As(suspended.ID), nobody.As("nobody"), nobody.AsClient(admin.ID),
			} {
				if err := act(by); !errors.Is(err, ErrForbidden) {
					b.t.Errorf("%s by %+v: %v, want ErrForbidden", name, by, err)
				}
			}
			for _, by := range []audit.Actor{audit.Shell(), audit.Server(), nobody.As(admin.ID)} {
				if err := act(by); err != nil {
					b.t.Errorf("%s by %+v: %v", name, by, err)
				}
			}
		}
	})
}

func (b bench) promote(u *storage.User) {
	b.t.Helper()
	b.update(func(tx *storage.Tx) error {
		again := *u
		again.IsAdmin = true
		return tx.SaveUser(b.t.Context(), &again)
	})
}

func TestWhatIsDoneToNobodyIsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx, by := b.t.Context(), audit.Shell()
		for name, err := range map[string]error{
			"suspend": b.Suspend(ctx, by, "nobody"), "activate": b.Activate(ctx, by, "nobody"),
			"sign out": b.SignOut(ctx, by, "nobody"), "delete": b.Delete(ctx, by, "nobody"),
			"password": b.SetPassword(ctx, by, "nobody", passphrase),
		} {
			if !errors.Is(err, ErrNoUser) {
				b.t.Errorf("%s: %v, want ErrNoUser", name, err)
			}
		}
		if got := b.actions(); len(got) > 0 {
			b.t.Errorf("audit has %v", got)
		}
	})
}

func TestTheOnlyOwnerIsNotDeleted(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		alone, one, other := b.create("alone@example.com"), b.create("one@example.com"), b.create("other@example.com")
		b.own("single", alone)
		b.own("shared", one, other)
		if err := b.Delete(ctx, audit.Shell(), alone.ID); !errors.Is(err, ErrLastOwner) {
			b.t.Errorf("delete the only owner: %v, want ErrLastOwner", err)
		}
		if _, err := b.Find(ctx, alone.ID); err != nil {
			b.t.Errorf("the only owner is gone: %v", err)
		}
		// Both owners at once: one of them has to stay.
		errs := make([]error, 2)
		var both sync.WaitGroup
		for i, u := range []*storage.User{one, other} {
			both.Go(func() { errs[i] = b.Delete(ctx, audit.Shell(), u.ID) })
		}
		both.Wait()
		if refused := errors.Is(errs[0], ErrLastOwner) != errors.Is(errs[1], ErrLastOwner); !refused || errors.Join(errs...) == nil {
			b.t.Errorf("two owners deleted at once: %v and %v, want one ErrLastOwner", errs[0], errs[1])
		}
	})
}

func TestADeletedUserLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		u := b.create("bob@example.com")
		if err := b.Delete(ctx, audit.Shell(), u.ID); err != nil {
			b.t.Fatal(err)
		}
		if _, err := b.db.Password(ctx, u.ID); !errors.Is(err, storage.ErrNotFound) {
			b.t.Errorf("password: %v", err)
		}
		if _, err := b.Find(ctx, u.ID); !errors.Is(err, ErrNoUser) {
			b.t.Errorf("user: %v", err)
		}
		again := b.create("bob@example.com")
		if again.ID == u.ID {
			b.t.Error("the address came back with the old id")
		}
		want := []string{"user.register success", "user.delete success", "user.register success"}
		if diff := cmp.Diff(want, b.actions()); diff != "" {
			b.t.Errorf("audit (-want +got):\n%s", diff)
		}
	})
}

func TestAHashIsReplacedAtTheNextSignIn(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		u := b.create("bob@example.com")
		plain, err := bcrypt.GenerateFromPassword([]byte(passphrase), cheap)
		if err != nil {
			b.t.Fatal(err)
		}
		foreign := "$2b$" + string(plain)[4:]
		since := storage.At(time.Now().Add(-time.Hour))
		b.update(func(tx *storage.Tx) error {
			return tx.SavePassword(ctx, &storage.Password{UserID: u.ID, Hash: foreign, ChangedAt: since})
		})
		// Two sign-ins at once find the same stale hash, and both are good.
		var matches []*Match
		for range 2 {
			m, err := b.CheckPassword(ctx, u, passphrase)
			if err != nil || m == nil {
				b.t.Fatalf("CheckPassword = %v, %v", m, err)
			}
			matches = append(matches, m)
		}
		for _, m := range matches {
			b.signIn(u, m, nil)
		}
		kept, err := b.db.Password(ctx, u.ID)
		if err != nil || !strings.HasPrefix(kept.Hash, hashScheme) {
			b.t.Errorf("the hash is %q, %v, want one of our own", kept.Hash, err)
		}
		if !kept.ChangedAt.Equal(since.Time) {
			b.t.Errorf("the password counts as changed at %v, want %v", kept.ChangedAt, since)
		}
		if ok, stale := mustCheck(b.t, b.hasher, kept.Hash, passphrase); !ok || stale {
			b.t.Errorf("the new hash: %v, stale %v", ok, stale)
		}
	})
}

// signIn finishes a sign-in and wants an error.
func (b bench) signIn(u *storage.User, m *Match, want error) {
	b.t.Helper()
	ctx := b.t.Context()
	err := b.db.Update(ctx, func(tx *storage.Tx) error {
		user, err := tx.User(ctx, u.ID)
		if err != nil {
			return err
		}
		return b.SignedIn(ctx, tx, audit.Actor{IPAddress: "192.0.2.1"}, time.Now(), user, m)
	})
	if !errors.Is(err, want) {
		b.t.Errorf("SignedIn = %v, want %v", err, want)
	}
}

// A check takes a while; whoever changes the password meanwhile wants the old
// one to open nothing any more.
func TestASignInByAPasswordThatHasJustBeenChangedFails(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		u := b.create("bob@example.com")
		b.hasher.cost++ // the old hash is stale: it must not come back either
		m, err := b.CheckPassword(ctx, u, passphrase)
		if err != nil || m == nil {
			b.t.Fatalf("CheckPassword = %v, %v", m, err)
		}
		if err := b.SetPassword(ctx, audit.Shell(), u.ID, "velvet harpoon"); err != nil {
			b.t.Fatal(err)
		}
		b.signIn(u, m, ErrChanged)
		if m, err := b.CheckPassword(ctx, u, passphrase); m != nil || err != nil {
			b.t.Errorf("the old password: %v, %v", m, err)
		}
		m, err = b.CheckPassword(ctx, u, "velvet harpoon")
		if err != nil || m == nil {
			b.t.Fatalf("the new password: %v, %v", m, err)
		}
		b.signIn(u, m, nil)
	})
}

func TestASignInIsNoted(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		u := b.create("bob@example.com")
		b.signIn(u, nil, nil)
		got, err := b.Find(b.t.Context(), u.ID)
		if err != nil || got.LastLoginIP != "192.0.2.1" || time.Since(got.LastLoginAt.Time) > time.Minute {
			b.t.Errorf("last sign-in at %v from %q, %v", got.LastLoginAt, got.LastLoginIP, err)
		}
	})
}

func TestAPasswordIsCheckedAgainstItsUser(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		bob, eve := b.create("bob@example.com"), b.create("eve@example.com")
		if err := b.SetPassword(ctx, audit.Shell(), eve.ID, "velvet harpoon"); err != nil {
			b.t.Fatal(err)
		}
		for _, c := range []struct {
			user     *storage.User
			password string
			want     bool
		}{
			{bob, passphrase, true},
			{bob, "velvet harpoon", false},
			{eve, passphrase, false},
			{eve, "velvet harpoon", true},
			{nil, passphrase, false},
			{&storage.User{ID: "nobody"}, passphrase, false},
			{bob, strings.Repeat("x", 1<<20), false},
			{bob, "", false},
		} {
			if m, err := b.CheckPassword(ctx, c.user, c.password); err != nil || (m != nil) != c.want {
				b.t.Errorf("CheckPassword(%v, %.20q) = %v, %v, want %v", c.user, c.password, m, err, c.want)
			}
		}
	})
}

func TestAnOperatorsPasswordsAreHeldToThePolicy(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		u := b.create("bob@example.com")
		err := b.SetPassword(b.t.Context(), audit.Shell(), u.ID, "password1")
		if f, ok := fault.As(err); !ok || f.Kind != fault.Invalid || len(f.Fields["password"]) != 1 {
			b.t.Errorf("SetPassword: %v, want a refusal of the field", err)
		}
		if m, err := b.CheckPassword(b.t.Context(), u, passphrase); m == nil || err != nil {
			b.t.Errorf("the old password: %v, %v", m, err)
		}
	})
}
