package audit_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"authy/server/audit"
	"authy/storage"
	"authy/storage/storagetest"
)

// BenchmarkRecord has 16 callers write one event in each transaction: without a
// chain, with one that is linked afterwards, as authy does, and with one that
// is linked in the writing transaction.
//
//	go test ./server/audit -run '^$' -bench Record -benchtime 3s
func BenchmarkRecord(b *testing.B) {
	for _, engine := range storagetest.Engines {
		for _, how := range []string{"unlinked", "afterwards", "within"} {
			b.Run(engine+"/"+how, func(b *testing.B) { benchmarkRecord(b, engine, how) })
		}
	}
}

func benchmarkRecord(b *testing.B, engine, how string) {
	db, err := storage.Open(b.Context(), storage.Options{URL: storagetest.URL(b, engine), Secret: storagetest.Secret})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // a benchmark
	if _, err := db.Migrate(b.Context(), storagetest.Files(b)); err != nil {
		b.Fatal(err)
	}
	chain := audit.NewChain(db)
	running, stop := context.WithCancel(b.Context())
	var linking, writing sync.WaitGroup
	if how == "afterwards" {
		linking.Go(func() { chain.Run(running) })
	}
	var left, refused atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	for range 16 {
		writing.Go(func() {
			for left.Add(-1) >= 0 {
				if record(b, db, chain, how == "within") != nil {
					refused.Add(1)
				}
			}
		})
	}
	writing.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(refused.Load())/float64(b.N), "refused/op")
	stop()
	linking.Wait()
}

func record(b *testing.B, db *storage.DB, chain *audit.Chain, within bool) error {
	b.Helper()
	ctx := b.Context()
	return db.Update(ctx, func(tx *storage.Tx) error {
		err := audit.Record(ctx, tx, audit.Shell(), time.Now(), audit.Event{Action: "a.b", TargetID: storage.NewID()})
		if err != nil || !within {
			return err
		}
		return chain.LinkIn(ctx, tx)
	})
}
