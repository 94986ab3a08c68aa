package storage_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// oneTime are the statements that only one caller may win.
func oneTime(t *testing.T, db *storage.DB) map[string]func(ctx context.Context, tx *storage.Tx) (bool, error) {
	t.Helper()
	w := newWorld(t, db)
	ended := newGrant(w.user, w.client) // a grant that has ended takes its tokens along
	update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertGrant(ctx, ended) })
	took := func(err error) (bool, error) {
		if errors.Is(err, storage.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	}
	return map[string]func(ctx context.Context, tx *storage.Tx) (bool, error){
		"UseCode": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return tx.UseCode(ctx, w.code.Hash, noon)
		},
		"UseRefreshToken": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return tx.UseRefreshToken(ctx, w.refresh.Hash, noon)
		},
		"TakeFlow": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return took(tx.TakeFlow(ctx, w.flow.ID))
		},
		"TakeLink": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return took(tx.TakeLink(ctx, w.link.Purpose, w.link.Hash, noon))
		},
		"ConfirmTOTP": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return tx.ConfirmTOTP(ctx, w.user.ID, 7, noon)
		},
		"UseRecoveryCode": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return tx.UseRecoveryCode(ctx, w.user.ID, "recovery code")
		},
		"UseGuess": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return tx.UseGuess(ctx, w.guessed.Hash, 1, noon)
		},
		"TakeFirstFactor": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return took(tx.TakeFirstFactor(ctx, w.factor.Hash))
		},
		"TakeCeremony": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return took(tx.TakeCeremony(ctx, w.ceremony.Hash, w.ceremony.Binding, noon))
		},
		"UseAssertion": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return tx.UseAssertion(ctx, "assertion", noon)
		},
		"TakePushedRequest": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			_, err := tx.TakePushedRequest(ctx, w.pushed.Hash, w.client.ID, noon)
			return took(err)
		},
		"TakeDeparture": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			_, err := tx.TakeDeparture(ctx, w.departure.Hash, w.departure.BrowserHash, noon)
			return took(err)
		},
		"UseMessage": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return tx.UseMessage(ctx, "message", noon)
		},
		"UsePasskey": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			p := *w.passkey
			p.SignCount, p.LastUsedAt = p.SignCount+1, storage.At(noon)
			return tx.UsePasskey(ctx, &p)
		},
		"UseDeviceDecision, allow": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return tx.UseDeviceDecision(ctx, w.device.Hash, w.grant.ID, noon)
		},
		"UseDeviceDecision, deny": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return tx.UseDeviceDecision(ctx, w.refused.Hash, "", noon)
		},
		"UseDeviceCode": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return tx.UseDeviceCode(ctx, w.allowed.Hash, noon)
		},
		"UseDevicePoll": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return tx.UseDevicePoll(ctx, w.polled.Hash, noon, time.Second)
		},
		"RevokeGrant": func(ctx context.Context, tx *storage.Tx) (bool, error) {
			return tx.RevokeGrant(ctx, ended.ID, "test", noon)
		},
	}
}

func TestOneOfManyCallersWins(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for name, use := range oneTime(t, db) {
			var wins atomic.Int64
			parallel(64, func(int) {
				won := false
				err := db.Update(t.Context(), func(tx *storage.Tx) (err error) {
					won, err = use(t.Context(), tx)
					return err
				})
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if won {
					wins.Add(1)
				}
			})
			if n := wins.Load(); n != 1 {
				t.Errorf("%s: %d of 64 callers won, want 1", name, n)
			}
		}
	})
}

func TestAUseThatIsRolledBackCanBeMadeAgain(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for name, use := range oneTime(t, db) {
			err := db.Update(t.Context(), func(tx *storage.Tx) error {
				if won, err := use(t.Context(), tx); !won || err != nil {
					t.Errorf("%s, first: %v, %v, want true", name, won, err)
				}
				return errOurs
			})
			if !errors.Is(err, errOurs) {
				t.Errorf("%s: %v", name, err)
			}
			update(t, db, func(ctx context.Context, tx *storage.Tx) error {
				won, err := use(ctx, tx)
				if !won {
					t.Errorf("%s, after a roll back: lost, want won", name)
				}
				return err
			})
		}
	})
}

func TestARefreshTokenOfAGrantThatHasEndedCannotBeUsed(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			if _, err := tx.RevokeGrant(ctx, w.grant.ID, "test", noon); err != nil {
				return err
			}
			won, err := tx.UseRefreshToken(ctx, w.refresh.Hash, noon)
			if won {
				t.Error("it was used")
			}
			return err
		})
		if r, err := db.RefreshToken(t.Context(), w.refresh.Hash); err != nil || !r.UsedAt.IsZero() {
			t.Errorf("the token was used at %v, %v, want never", r, err)
		}
	})
}

func TestALinkOpensOnlyItsOwnDoorInItsTime(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		l := newWorld(t, db).link
		for _, c := range []struct {
			what, purpose, hash string
			now                 time.Time
			want                error
		}{
			{"another purpose", "reset", l.Hash, noon, storage.ErrNotFound},
			{"another secret", l.Purpose, storage.Hash("x"), noon, storage.ErrNotFound},
			{"at its end", l.Purpose, l.Hash, l.ExpiresAt.Time, storage.ErrNotFound},
			{"before its end", l.Purpose, l.Hash, l.ExpiresAt.Add(-time.Millisecond), nil},
			{"a second time", l.Purpose, l.Hash, noon, storage.ErrNotFound},
		} {
			err := db.Update(t.Context(), func(tx *storage.Tx) error {
				return tx.TakeLink(t.Context(), c.purpose, c.hash, c.now)
			})
			if !errors.Is(err, c.want) {
				t.Errorf("TakeLink, %s: %v, want %v", c.what, err, c.want)
			}
		}
	})
}

func TestAGrantIsRevokedOnceAndKeepsItsFirstReason(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		g := newWorld(t, db).grant
		for _, reason := range []string{"first", "second"} {
			update(t, db, func(ctx context.Context, tx *storage.Tx) error {
				was, err := tx.RevokeGrant(ctx, g.ID, reason, noon)
				if was != (reason == "first") {
					t.Errorf("RevokeGrant(%s) = %v", reason, was)
				}
				return err
			})
		}
		got, err := db.Grant(t.Context(), g.ID)
		if err != nil || got.RevokedReason != "first" {
			t.Errorf("the grant was revoked for %q, %v, want first", got.RevokedReason, err)
		}
	})
}
