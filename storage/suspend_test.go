package storage

import (
	"sync"
	"testing"
)

func TestASuspendedCacheHoldsNothing(t *testing.T) {
	t.Parallel()
	c := newCache()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					c.put(cacheKey{"user:", "x"}, "old", c.begin())
				}
			}
		})
	}
	for range 20_000 {
		c.suspend()
		if _, ok := c.records.GetIfPresent(cacheKey{"user:", "x"}); ok {
			t.Error("a suspended cache holds a record")
			break
		}
		c.resume()
	}
	close(stop)
	wg.Wait()
}

func TestARecordReadBeforeAChangeIsNotTaken(t *testing.T) {
	t.Parallel()
	for name, changeIt := range map[string]func(c *cache){
		"drop":    func(c *cache) { c.drop([]string{"user:x"}) },
		"all":     (*cache).dropAll,
		"suspend": (*cache).suspend,
		"back":    func(c *cache) { c.suspend(); c.resume() },
	} {
		c := newCache()
		epoch := c.begin()
		changeIt(c)
		c.put(cacheKey{"user:", "x"}, "old", epoch)
		if _, ok := c.records.GetIfPresent(cacheKey{"user:", "x"}); ok {
			t.Errorf("%s: a record read before it was taken after it", name)
		}
	}
	c := newCache()
	c.put(cacheKey{"user:", "x"}, "new", c.begin())
	if _, ok := c.records.GetIfPresent(cacheKey{"user:", "x"}); !ok {
		t.Error("a record that nothing changed was not taken")
	}
}
