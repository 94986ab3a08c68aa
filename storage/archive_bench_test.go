package storage_test

import (
	"io"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// BenchmarkWritesBesideAnArchive measures how long writes take, quietly and while the
// database is archived, and how long that takes:
//
//	AUTHY_BENCH_USERS=100000 go test ./storage -run '^$' -bench BesideAnArchive -benchtime 1x
func BenchmarkWritesBesideAnArchive(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("AUTHY_BENCH_USERS"))
	if err != nil {
		n = 2000
	}
	for _, engine := range storagetest.Engines {
		b.Run(engine, func(b *testing.B) {
			url := storagetest.Migrated(b, engine)
			storagetest.Fill(b, url, storagetest.Size{Users: n, Sessions: n, Events: 2 * n, PasswordHash: "x"})
			db, err := storage.Open(b.Context(), storage.Options{URL: url, Secret: storagetest.Secret})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close() //nolint:errcheck // only measured
			for b.Loop() {
				quiet := slowest(b, db, func(i int) bool { return i < 500 })
				done, began := make(chan error, 1), time.Now()
				var rows int64
				go func() {
					contents, err := db.WriteArchive(b.Context(), storagetest.Files(b), io.Discard)
					if err == nil {
						rows = contents.Rows()
					}
					done <- err
				}()
				var took time.Duration
				beside := slowest(b, db, func(int) bool {
					select {
					case err := <-done:
						if err != nil {
							b.Error(err)
						}
						took = time.Since(began)
						return false
					default:
						return true
					}
				})
				b.ReportMetric(float64(quiet.Microseconds()), "quiet-p99-µs")
				b.ReportMetric(float64(beside.Microseconds()), "beside-p99-µs")
				b.ReportMetric(float64(rows)/took.Seconds(), "rows/s")
			}
		})
	}
}

// slowest writes for as long as more says, and returns what 99 of a hundred writes keep to.
func slowest(b *testing.B, db *storage.DB, more func(i int) bool) time.Duration {
	b.Helper()
	var all []time.Duration
	for i := 0; more(i); i++ {
		began := time.Now()
		err := db.Update(b.Context(), func(tx *storage.Tx) error { return tx.InsertUser(b.Context(), newUser()) })
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, time.Since(began))
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)*99/100]
}
