package storage_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestAuthenticatorsAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		u := newUser()
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertUser(ctx, u) })
		want := newTOTP(u)
		trip{
			"TOTP", want,
			func(ctx context.Context, tx *storage.Tx) error { return tx.SaveTOTP(ctx, want) },
			func(ctx context.Context, r storage.Reader) (any, error) { return r.TOTP(ctx, u.ID) },
		}.check(t, db)
		f := newFirstFactor(u, newFlow())
		f.FlowID, f.Remember, f.PasswordChangedAt, f.Methods = "", true, storage.Time{}, storage.Words{"a", "b"}
		trip{
			"FirstFactor", f,
			func(ctx context.Context, tx *storage.Tx) error { return tx.InsertFirstFactor(ctx, f) },
			func(ctx context.Context, r storage.Reader) (any, error) { return r.FirstFactor(ctx, f.Hash) },
		}.check(t, db)
	})
}

func TestASecretIsSealedForItsUser(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		one, other := newWorld(t, db).user, newWorld(t, db).user
		for _, sealed := range texts(t, db, "SELECT secret FROM totps") {
			if !strings.HasPrefix(sealed, "v1.") || strings.Contains(sealed, "secret") {
				t.Errorf("the secret is kept as %q", sealed)
			}
		}
		execute(t, db, "UPDATE totps SET secret = (SELECT secret FROM totps WHERE user_id = '"+one.ID+"')")
		if _, err := db.TOTP(t.Context(), one.ID); err != nil {
			t.Errorf("the secret of its own user: %v", err)
		}
		if _, err := db.TOTP(t.Context(), other.ID); !errors.Is(err, storage.ErrSecretKey) {
			t.Errorf("a secret that was moved: %v, want %v", err, storage.ErrSecretKey)
		}
	})
}

func TestAConfirmedAuthenticatorIsNotReplaced(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		u, ctx := newWorld(t, db).user, t.Context()
		save := func(secret string) error {
			return db.Update(ctx, func(tx *storage.Tx) error {
				return tx.SaveTOTP(ctx, &storage.TOTP{UserID: u.ID, Secret: []byte(secret), CreatedAt: storage.At(noon)})
			})
		}
		if err := save("second"); err != nil {
			t.Fatal(err)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			_, err := tx.ConfirmTOTP(ctx, u.ID, 1, noon)
			return err
		})
		if err := save("third"); !errors.Is(err, storage.ErrTaken) {
			t.Errorf("SaveTOTP over a confirmed one: %v, want %v", err, storage.ErrTaken)
		}
		if got, err := db.TOTP(ctx, u.ID); err != nil || string(got.Secret) != "second" || got.LastStep != 1 {
			t.Errorf("TOTP = %+v, %v", got, err)
		}
	})
}

func TestAStepIsUsedOnceAndNeverAfterALaterOne(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		u := newWorld(t, db).user
		use := func(step int64) (won bool) {
			update(t, db, func(ctx context.Context, tx *storage.Tx) (err error) {
				won, err = tx.UseTOTP(ctx, u.ID, step)
				return err
			})
			return won
		}
		if use(10) {
			t.Error("a step of an authenticator that is not confirmed was used")
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			_, err := tx.ConfirmTOTP(ctx, u.ID, 10, noon)
			return err
		})
		for _, c := range []struct {
			step int64
			want bool
		}{{10, false}, {9, false}, {12, true}, {12, false}, {11, false}, {13, true}} {
			if got := use(c.step); got != c.want {
				t.Errorf("UseTOTP(%d) = %v, want %v", c.step, got, c.want)
			}
		}
		var wins atomic.Int64
		parallel(50, func(int) {
			if use(14) {
				wins.Add(1)
			}
		})
		if n := wins.Load(); n != 1 {
			t.Errorf("%d of 50 used one step, want 1", n)
		}
	})
}

func TestGuessesEndByNumberAndByTime(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		guess := func(f *storage.FirstFactor, now time.Time) (left bool) {
			update(t, db, func(ctx context.Context, tx *storage.Tx) (err error) {
				left, err = tx.UseGuess(ctx, f.Hash, 5, now)
				return err
			})
			return left
		}
		var wins atomic.Int64
		parallel(50, func(int) {
			if guess(w.guessed, noon) {
				wins.Add(1)
			}
		})
		if n := wins.Load(); n != 5 {
			t.Errorf("%d guesses were left, want 5", n)
		}
		if guess(w.factor, w.factor.ExpiresAt.Time) {
			t.Error("a guess at the end of its time was counted")
		}
		if !guess(w.factor, w.factor.ExpiresAt.Add(-time.Millisecond)) {
			t.Error("a guess before the end was not counted")
		}
	})
}

func TestAnAuthenticatorIsDeletedOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		u, kept := newWorld(t, db).user, newWorld(t, db).user
		for _, want := range []bool{true, false} {
			update(t, db, func(ctx context.Context, tx *storage.Tx) error {
				had, err := tx.DeleteTOTP(ctx, u.ID)
				if had != want {
					t.Errorf("DeleteTOTP() = %v, want %v", had, want)
				}
				return err
			})
		}
		if _, err := db.TOTP(t.Context(), kept.ID); err != nil {
			t.Errorf("somebody else's authenticator: %v", err)
		}
	})
}

// Codes that were shown with an authenticator replace others when it counts.
func TestPendingRecoveryCodesOpenNothingUntilConfirmed(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		u, kept := newWorld(t, db).user, newWorld(t, db).user
		codes := func(want int64, working string) {
			t.Helper()
			if n, err := db.CountRecoveryCodes(t.Context(), u.ID); n != want || err != nil {
				t.Errorf("CountRecoveryCodes() = %d, %v, want %d", n, err, want)
			}
			for _, code := range []string{"recovery code", "new 1", "new 2"} {
				err := db.Update(t.Context(), func(tx *storage.Tx) error {
					used, err := tx.UseRecoveryCode(t.Context(), u.ID, code)
					if used != (code == working) || err != nil {
						t.Errorf("UseRecoveryCode(%s) = %v, %v, want %s to work", code, used, err, working)
					}
					return errOurs // rolled back
				})
				if !errors.Is(err, errOurs) {
					t.Error(err)
				}
			}
		}
		save := func(pending bool, hashes ...string) {
			update(t, db, func(ctx context.Context, tx *storage.Tx) error {
				records := make([]storage.RecoveryCode, len(hashes))
				for i, hash := range hashes {
					records[i] = storage.RecoveryCode{Hash: hash, CreatedAt: storage.At(noon)}
				}
				return tx.SaveRecoveryCodes(ctx, u.ID, pending, records)
			})
		}
		save(true, "new 2", "new 3")
		save(true, "new 1")
		codes(1, "recovery code")
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			confirmed, err := tx.ConfirmTOTP(ctx, u.ID, 7, noon)
			if !confirmed {
				t.Error("the authenticator was not confirmed")
			}
			return err
		})
		codes(1, "new 1")
		save(false)
		codes(0, "")
		if n, err := db.CountRecoveryCodes(t.Context(), kept.ID); n != 1 || err != nil {
			t.Errorf("somebody else has %d codes, %v, want 1", n, err)
		}
	})
}

func TestAPendingSignInEndsWithItsFlow(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		f := newFirstFactor(w.user, w.flow)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(tx.InsertFirstFactor(ctx, f), tx.TakeFlow(ctx, w.flow.ID))
		})
		if _, err := db.FirstFactor(t.Context(), f.Hash); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("after its flow: %v, want %v", err, storage.ErrNotFound)
		}
	})
}
