package account

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/storage"
)

// link makes a setup link that expires after a time.
func (b bench) link(lifetime time.Duration) (token string) {
	b.t.Helper()
	token, err := b.NewSetupLink(b.t.Context())
	if err != nil || token == "" {
		b.t.Fatalf("NewSetupLink = %q, %v", token, err)
	}
	if lifetime == setupLifetime {
		return token
	}
	now := time.Now()
	token = storage.NewID()
	b.update(func(tx *storage.Tx) error {
		return tx.InsertLink(b.t.Context(), &storage.Link{
			Hash: storage.Hash(token), Purpose: storage.SetupLink,
			CreatedAt: storage.At(now.Add(lifetime - setupLifetime)), ExpiresAt: storage.At(now.Add(lifetime)),
		})
	})
	return token
}

// setUp makes an administrator by a link.
func (b bench) setUp(token, email string) error {
	ctx := b.t.Context()
	draft, err := b.Draft(ctx, NewUser{Email: email, Password: passphrase})
	if err != nil {
		return err
	}
	return b.db.Update(ctx, func(tx *storage.Tx) error {
		user, err := b.AddFirstAdmin(ctx, tx, audit.Actor{Kind: audit.Anonymous}, time.Now(), token, draft)
		if err == nil && !user.IsAdmin {
			err = errors.New("the user is no administrator")
		}
		return err
	})
}

func TestASetupLinkWorksOnce(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		token := b.link(setupLifetime)
		if err := b.CheckSetupLink(ctx, token); err != nil {
			b.t.Fatalf("fresh: %v", err)
		}
		if err := b.setUp(token, "first@example.com"); err != nil {
			b.t.Fatal(err)
		}
		if err := b.CheckSetupLink(ctx, token); !errors.Is(err, ErrSetupLink) {
			b.t.Errorf("used: %v", err)
		}
		if err := b.setUp(token, "second@example.com"); !errors.Is(err, ErrSetupLink) {
			b.t.Errorf("the second use: %v", err)
		}
		if diff := cmp.Diff([]string{"user.register success"}, b.actions()); diff != "" {
			b.t.Errorf("audit (-want +got):\n%s", diff)
		}
	})
}

// Each start of a server without an administrator makes another link: they
// compete, too.
func TestManyUsesOfSetupLinksMakeOneAdministrator(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		tokens := []string{b.link(setupLifetime), b.link(setupLifetime)}
		var made atomic.Int64
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				switch err := b.setUp(tokens[i%2], fmt.Sprintf("admin%d@example.com", i)); {
				case err == nil:
					made.Add(1)
				case !errors.Is(err, ErrSetupLink) && !errors.Is(err, ErrBusy):
					b.t.Errorf("set up: %v", err)
				}
			})
		}
		all.Wait()
		n, err := b.db.CountAdmins(b.t.Context())
		if err != nil || n != 1 || made.Load() != 1 {
			b.t.Errorf("%d administrators, %d successes, %v, want 1 and 1", n, made.Load(), err)
		}
	})
}

func TestASetupLinkThatFailedCanBeUsedAgain(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		b.create("taken@example.com")
		token := b.link(setupLifetime)
		if err := b.setUp(token, "taken@example.com"); !errors.Is(err, ErrEmailTaken) {
			b.t.Errorf("an address in use: %v", err)
		}
		if err := b.setUp(token, "free@example.com"); err != nil {
			b.t.Errorf("the next try: %v", err)
		}
	})
}

func TestASetupLinkIsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		refused := func(why, token string) {
			b.t.Helper()
			if err := b.CheckSetupLink(ctx, token); !errors.Is(err, ErrSetupLink) {
				b.t.Errorf("%s: CheckSetupLink = %v", why, err)
			}
			if err := b.setUp(token, storage.NewID()+"@example.com"); !errors.Is(err, ErrSetupLink) {
				b.t.Errorf("%s: AddFirstAdmin = %v", why, err)
			}
		}
		good := b.link(setupLifetime)
		refused("none", "")
		refused("unknown", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
		refused("text that no database likes", "\x00\xff'--")
		refused("the hash of it", storage.Hash(good))
		refused("expired", b.link(-time.Millisecond))
		b.promote(b.create("admin@example.com"))
		refused("there is an administrator", good)
		if token, err := b.NewSetupLink(ctx); token != "" || err != nil {
			b.t.Errorf("NewSetupLink = %q, %v, want none", token, err)
		}
	})
}

func TestASetupLinkIsKeptAsAHash(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		token := b.link(setupLifetime)
		link, err := b.db.Link(b.t.Context(), storage.SetupLink, storage.Hash(token))
		if err != nil || link.Hash == token {
			b.t.Errorf("Link = %+v, %v", link, err)
		}
		if life := link.ExpiresAt.Sub(link.CreatedAt.Time); life != setupLifetime {
			b.t.Errorf("it lives for %v", life)
		}
	})
}
