package demo

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"
)

// shelfLimit is how many things a shelf holds; one more pushes the oldest off.
const shelfLimit = 1000

// shelf keeps things in memory for a while, each under a random ID that a cookie carries.
type shelf[V any] struct {
	lifetime time.Duration

	mu    sync.Mutex
	items map[string]item[V]
}

type item[V any] struct {
	value V
	until time.Time
}

func newShelf[V any](lifetime time.Duration) *shelf[V] {
	return &shelf[V]{lifetime: lifetime, items: map[string]item[V]{}}
}

// put keeps the value and returns its ID.
func (s *shelf[V]) put(now time.Time, value V) string {
	id := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.items) >= shelfLimit {
		s.dropOldest()
	}
	s.items[id] = item[V]{value: value, until: now.Add(s.lifetime)}
	return id
}

// dropOldest makes room. Everything on a shelf lives equally long, so that the oldest is the one
// that ends first.
func (s *shelf[V]) dropOldest() {
	oldest := ""
	for id, i := range s.items {
		if oldest == "" || i.until.Before(s.items[oldest].until) {
			oldest = id
		}
	}
	delete(s.items, oldest)
}

// look returns the value and whether it is there still.
func (s *shelf[V]) look(now time.Time, id string) (V, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.items[id]
	if !ok || !now.Before(i.until) {
		delete(s.items, id)
		var none V
		return none, false
	}
	return i.value, true
}

// drop removes the value and reports whether it was there: of several that drop the same value,
// one hears yes.
func (s *shelf[V]) drop(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.items[id]
	delete(s.items, id)
	return ok
}

// The cookies. A browser sends them to every port of localhost, so that their names say whose they
// are.
const (
	signInCookie  = "demo_sign_in"
	signOutCookie = "demo_sign_out"
	sessionCookie = "demo_session"
)

// setCookie gives the browser the ID under the name, until it is closed.
func (a *App) setCookie(w http.ResponseWriter, name, id string) {
	http.SetCookie(w, a.cookie(name, id, 0))
}

// dropCookie takes the cookie from the browser.
func (a *App) dropCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, a.cookie(name, "", -1))
}

// cookie is Lax: the provider sends the browser back from another site, by a link.
func (a *App) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure where the application is served by https
		Name:     name,
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		HttpOnly: true,
		Secure:   a.redirect.Scheme == "https",
		SameSite: http.SameSiteLaxMode,
	}
}

// carried returns the ID that the named cookie carries, "" without one.
func carried(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return "" // http.ErrNoCookie is the only error there is
	}
	return c.Value
}
