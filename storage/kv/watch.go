package kv

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Watched is a store whose operations are counted.
type Watched struct {
	Store
	calls, failures, took atomic.Int64
}

// Watch returns a store that counts what is done with s.
func Watch(s Store) *Watched { return &Watched{Store: s} }

// Usage returns how many operations there were, how many failed, and how long all of
// them took.
func (w *Watched) Usage() (calls, failures int64, took time.Duration) {
	return w.calls.Load(), w.failures.Load(), time.Duration(w.took.Load())
}

// done counts an operation that began at a time. That there is no such key, and that
// whoever asked has gone, is no failure.
func (w *Watched) done(began time.Time, err error) {
	w.calls.Add(1)
	w.took.Add(int64(time.Since(began)))
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, context.Canceled) {
		w.failures.Add(1)
	}
}

// Get is that of the store.
func (w *Watched) Get(ctx context.Context, key string) ([]byte, error) {
	began := time.Now()
	value, err := w.Store.Get(ctx, key)
	w.done(began, err)
	return value, err
}

// Set is that of the store.
func (w *Watched) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	began := time.Now()
	err := w.Store.Set(ctx, key, value, ttl)
	w.done(began, err)
	return err
}

// SetIfAbsent is that of the store.
func (w *Watched) SetIfAbsent(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	began := time.Now()
	set, err := w.Store.SetIfAbsent(ctx, key, value, ttl)
	w.done(began, err)
	return set, err
}

// Spend is that of the store.
func (w *Watched) Spend(ctx context.Context, key string, rate Rate, n int64) (Budget, error) {
	began := time.Now()
	left, err := w.Store.Spend(ctx, key, rate, n)
	w.done(began, err)
	return left, err
}

// Delete is that of the store.
func (w *Watched) Delete(ctx context.Context, keys ...string) error {
	began := time.Now()
	err := w.Store.Delete(ctx, keys...)
	w.done(began, err)
	return err
}
