package servertest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"authy/server/config"
	"authy/server/servertest"
	"authy/storage/storagetest"
)

// Whoever is told that a mail is on its way gets it, and where it could not be kept nobody is
// told so, known or not: Redis, which counts, is no reason to answer without the database.
func TestNoMailIsPromisedWithoutTheDatabaseAndNoneIsLost(t *testing.T) {
	t.Parallel()
	store := newRedis(t)
	database, relay := storagetest.Behind(t, storagetest.Migrated(t, "postgres"))
	s, box := servertest.WithMail(t, func(c *config.Config) {
		c.Database.URL, c.Redis.URL = config.Secret(database), config.Secret("redis://"+store.address)
		counting(c)
		uniform(c)
	})
	ask := map[string]func(email string) int{
		"a new password": func(email string) int {
			return caller{t: t, s: s}.call("POST", forgotPath, object{"email": email}).Code
		},
		"an account": func(email string) int {
			return caller{t: t, s: s}.call("POST", "/api/v1/auth/register", object{
				"email": email, "password": passphrase, "password_confirm": passphrase, "full_name": "Ada",
			}).Code
		},
	}
	mails := map[string]string{"a new password": "Choose a new password", "an account": "You have an account already"}
	people := []string{bob, carol, "eve@acme-corp.com"}
	lose := func() { relay.Refuse(true); relay.HangUp() }

	if ready := raw(t, http.MethodGet, s.URL+"/api/ready", "", nil); ready.status != http.StatusOK {
		t.Fatalf("not ready: %s", ready.body)
	}
	// Redis has been there for long: nothing is counted in the database, too.
	store.tell(t, fmt.Sprintf("HMSET authy:%x:since at 1", s.DB.MAC("kv", "installation")[:8]))
	lose()
	heardOf(t, "the loss of the database", func() bool { return s.DB.Ping(t.Context()) != nil })
	for n := range 40 { // what is refused is not counted
		for what, of := range ask {
			if status := of([]string{bob, "nobody@example.com"}[n%2]); status != http.StatusServiceUnavailable {
				t.Fatalf("%s without the database, time %d: %d", what, n, status)
			}
		}
	}
	relay.Refuse(false)
	heardOf(t, "the database", func() bool { return s.DB.Ping(t.Context()) == nil })

	promised := map[string]string{}
	for _, email := range people {
		for what, of := range ask {
			if status := of(email); status == http.StatusAccepted {
				promised[email+" "+what] = what
			} else if status != http.StatusServiceUnavailable {
				t.Errorf("%s: %d", what, status)
			}
		}
		lose() // what was asked for may be half done
		time.Sleep(300 * time.Millisecond)
		relay.Refuse(false)
		heardOf(t, "the database", func() bool { return s.DB.Ping(t.Context()) == nil })
	}
	if len(promised) < len(people) {
		t.Fatalf("only %v were promised", promised)
	}
	for _, email := range people {
		for what := range ask {
			if promised[email+" "+what] != "" {
				box.NextWithin(t, 2*time.Minute, email, mails[what])
			}
		}
	}
}
