package storage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestOfTheNoisiestNetworkTheOldestGoesFirst(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		add := func(network string, n int, age time.Duration) {
			update(t, db, func(ctx context.Context, tx *storage.Tx) error {
				for i := range n {
					f := newFlow()
					f.ID, f.Network = fmt.Sprintf("%s/%03d", network, i), network
					f.ExpiresAt = storage.At(noon.Add(time.Duration(i)*time.Second - age))
					if err := tx.InsertFlow(ctx, f); err != nil {
						return err
					}
				}
				return nil
			})
		}
		add("loud", 300, 0)
		add("less", 100, 0)
		add("calm", 2, time.Hour) // the oldest of all
		add("", 3, time.Hour)     // of somebody who has signed in
		crowds, err := db.Disperse(t.Context(), 150)
		if err != nil || len(crowds) != 1 || crowds[0] != (storage.Crowd{Table: "flows", Dropped: 252}) {
			t.Fatalf("dropped %+v, %v; want 252 flows", crowds, err)
		}
		for id, want := range map[string]bool{
			"calm/000": true, "calm/001": true, "/000": true, "/002": true,
			"loud/299": true, "loud/226": true, "loud/225": false, "loud/000": false,
			"less/099": true, "less/026": true, "less/025": false,
		} {
			if _, err := db.Flow(t.Context(), id); (err == nil) != want {
				t.Errorf("flow %s is kept: %v, want %v", id, err == nil, want)
			}
		}
		if crowds, err := db.Disperse(t.Context(), 150); err != nil || len(crowds) != 0 {
			t.Errorf("where there is room: %v, %v", crowds, err)
		}
	})
}

// TestStrangersCrowdNoTable adds three of everything that strangers can leave behind
// where there is room for two.
func TestStrangersCrowdNoTable(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		provider := newProvider()
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertProvider(ctx, provider) })
		for i := range 3 {
			update(t, db, func(ctx context.Context, tx *storage.Tx) error {
				flow, departure, ceremony, link := newFlow(), newDeparture(provider), newCeremony(w.user), newLink()
				device, pushed := newDeviceCode(w.client), newPushedRequest(w.client)
				mail := &storage.Mail{ID: storage.NewID(), CreatedAt: storage.At(noon), NextAt: storage.At(noon), ExpiresAt: storage.At(noon)}
				for _, network := range []*string{
					&flow.Network, &departure.Network, &ceremony.Network, &link.Network, &device.Network, &pushed.Network, &mail.Network,
				} {
					*network = fmt.Sprint("network ", i)
				}
				departure.Hash = storage.Hash(storage.NewID())
				return first(
					tx.InsertFlow(ctx, flow), tx.InsertDeparture(ctx, departure), tx.InsertCeremony(ctx, ceremony),
					tx.InsertLink(ctx, link), tx.InsertDeviceCode(ctx, device), tx.InsertPushedRequest(ctx, pushed),
					tx.InsertMail(ctx, mail),
				)
			})
		}
		crowds, err := db.Disperse(t.Context(), 2)
		if err != nil || len(crowds) != 7 {
			t.Fatalf("dropped %v, %v; want one of each of seven kinds", crowds, err)
		}
		for _, c := range crowds {
			if c.Dropped != 1 {
				t.Errorf("%d of %s dropped, want 1", c.Dropped, c.Table)
			}
		}
	})
}

// BenchmarkDisperse deletes what a second of a flood from a thousand networks has brought
// beyond 50,000 flows.
func BenchmarkDisperse(b *testing.B) {
	for _, engine := range storagetest.Engines {
		b.Run(engine, func(b *testing.B) {
			db, err := storage.Open(b.Context(), storage.Options{URL: storagetest.Migrated(b, engine), Secret: storagetest.Secret})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close() //nolint:errcheck // a test
			add := func(n int) {
				update(b, db, func(ctx context.Context, tx *storage.Tx) error {
					for i := range n {
						f := newFlow()
						f.Network, f.Request = fmt.Sprint("network ", i%1000), strings.Repeat("x", 600)
						if err := tx.InsertFlow(ctx, f); err != nil {
							return err
						}
					}
					return nil
				})
			}
			add(50_000)
			for b.Loop() {
				b.StopTimer()
				add(1000)
				b.StartTimer()
				if _, err := db.Disperse(b.Context(), 50_000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
