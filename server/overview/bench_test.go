package overview_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/overview"
	"authy/storage"
	"authy/storage/storagetest"
)

// BenchmarkReport makes a report on a database with so many events, half as many sessions and
// a tenth as many users:
//
//	AUTHY_BENCH_EVENTS=1000000 go test ./server/overview -run '^$' -bench Report
//
// "first" counts what there is, "next" has it counted already. How long it takes to count
// all events by day, as once after an update, is logged.
func BenchmarkReport(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("AUTHY_BENCH_EVENTS"))
	if err != nil {
		n = 20_000
	}
	url := storagetest.URL(b, "sqlite")
	storagetest.Fill(b, url, storagetest.Size{Users: n / 10, Sessions: n / 2, Events: n})
	db, err := storage.Open(b.Context(), storage.Options{URL: url, Secret: storagetest.Secret})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	if err := audit.NewChain(db).Link(b.Context()); err != nil {
		b.Fatal(err)
	}
	s := overview.New(db, config.Defaults())
	began := time.Now()
	s.Count(b.Context())
	b.Logf("%d events counted in %s", n, time.Since(began))
	report := func(b *testing.B, s *overview.Service) {
		b.Helper()
		if _, err := s.Report(b.Context(), audit.Shell()); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			report(b, overview.New(db, config.Defaults()))
		}
	})
	b.Run("next", func(b *testing.B) {
		report(b, s)
		for b.Loop() {
			report(b, s)
		}
	})
}
