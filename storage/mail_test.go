package storage_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

func newMail(next time.Time) *storage.Mail {
	return &storage.Mail{
		ID: storage.NewID(), Recipient: "bob@example.com", Kind: "notice", Body: []byte("a secret link"),
		CreatedAt: storage.At(noon), NextAt: storage.At(next), ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
}

func TestAMailIsLeasedOnceAndSealed(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		update := func(fn func(tx *storage.Tx) error) error { return db.Update(ctx, fn) }
		due, later := newMail(noon), newMail(noon.Add(time.Second))
		err := update(func(tx *storage.Tx) error {
			return errors.Join(tx.InsertMail(ctx, due), tx.InsertMail(ctx, later))
		})
		if err != nil || strings.Contains(due.Sealed, "secret") {
			t.Fatalf("sealed as %q, %v", due.Sealed, err)
		}
		list, err := db.DueMails(ctx, 10, noon)
		if err != nil || len(list) != 1 || list[0].ID != due.ID || list[0].Sealed != "" {
			t.Fatalf("due: %+v, %v", list, err)
		}
		var leased *storage.Mail
		lease := func(tx *storage.Tx) error {
			got, err := tx.LeaseMail(ctx, list[0], noon.Add(time.Minute))
			if err == nil {
				leased = got
			}
			return err
		}
		if err := update(lease); err != nil || string(leased.Body) != "a secret link" || leased.Attempts != 1 {
			t.Fatalf("leased: %+v, %v", leased, err)
		}
		if err := update(lease); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("leased twice: %v, want ErrNotFound", err)
		}
		err = update(func(tx *storage.Tx) error { return tx.DelayMail(ctx, leased, noon.Add(time.Hour), "away") })
		if err != nil {
			t.Fatal(err)
		}
		all, err := db.Mails(ctx, "", 10)
		if err != nil || len(all) != 2 || all[0].LastError != "away" || !all[0].NextAt.Equal(storage.At(noon.Add(time.Hour)).Time) {
			t.Errorf("afterwards: %+v, %v", all, err)
		}
		for _, want := range []error{nil, storage.ErrNotFound} {
			err := update(func(tx *storage.Tx) error { return tx.DeleteMail(ctx, due.ID) })
			if !errors.Is(err, want) {
				t.Errorf("deleted: %v, want %v", err, want)
			}
		}
	})
}

func TestWhatIsToFollowACommitFollowsNothingElse(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		refused, calls := errors.New("refused"), 0
		m := newMail(noon)
		for _, want := range []error{refused, nil} {
			err := db.Update(t.Context(), func(tx *storage.Tx) error {
				tx.AfterCommit(func() {
					calls++
					if _, err := db.DueMails(context.Background(), 1, noon); err != nil {
						t.Errorf("read after the commit: %v", err)
					}
				})
				return errors.Join(tx.InsertMail(t.Context(), m), want)
			})
			if !errors.Is(err, want) || calls != map[bool]int{true: 0, false: 1}[want != nil] {
				t.Errorf("%d calls after %v", calls, err)
			}
		}
	})
}
